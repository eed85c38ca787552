// SPDX-License-Identifier: MIT
/*
 * One worker: reserve a job under a token, run the command, settle, again.
 *
 * While the command runs the job's TTR is begun anew at half of it. When that is refused as stale
 * the job is somebody else's, or cancelled: the command is stopped and nothing is settled. A
 * connection that breaks is made again, with longer and longer pauses; as long as the TTR isn't
 * over the command goes on meanwhile, since a token is good on any connection. When the TTR is over
 * and the daemon is still away, the command is stopped: by then the job may run elsewhere.
 *
 * A signal stops the command, and the job is given back at once.
 */

#include "client/tool_lease_priv.h"
#include "client/work_priv.h"

#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#define PAUSE_FIRST_NS (HL_SECOND / 5)
#define PAUSE_LAST_NS (10 * HL_SECOND)
#define TOUCH_LEAST_NS (HL_SECOND / 10)

#define EXIT_RETRY 75 /* EX_TEMPFAIL */

struct worker {
    const struct work *work;
    hl_client *client; /* NULL: not connected */
    int64_t pause_ns;  /* before the next try to connect */
};

/* One job. */
struct run {
    struct worker *worker;
    uint64_t id, token;
    struct buf body;
    struct lease_facts facts;
    struct work_child child;
    int64_t touch_ns, end_ns; /* when to touch; when the TTR is over */
    bool stale;               /* it isn't ours any more */
};

/* ---- the connection ---- */

/* Sleeps, but for a signal. */
static void pause_take(struct worker *worker)
{
    struct pollfd fd = {.fd = interrupt_fd(), .events = POLLIN};
    struct timespec time = {worker->pause_ns / HL_SECOND, worker->pause_ns % HL_SECOND};
    (void)ppoll(&fd, 1, &time, NULL);
    worker->pause_ns = worker->pause_ns * 2 < PAUSE_LAST_NS ? worker->pause_ns * 2 : PAUSE_LAST_NS;
}

static enum exit_code worker_connect(struct worker *worker)
{
    const struct work *work = worker->work;
    enum exit_code code = link_open(work->tool, &worker->client);
    if (code == EXIT_CODE_OK)
        code = link_failed(
            worker->client,
            hl_client_watch(worker->client, work->tubes.name, work->tubes.count, LINK_ANSWER_NS),
            NULL);
    if (code != EXIT_CODE_OK)
        hl_client_free(&worker->client);
    else
        worker->pause_ns = PAUSE_FIRST_NS;
    return code;
}

/* Whether the error is of the connection, which is closed then. */
static bool worker_lost(struct worker *worker)
{
    if (worker->client && hl_client_is_connected(worker->client))
        return false;
    hl_client_free(&worker->client);
    return true;
}

/* ---- a lease ---- */

static void run_renewed(struct run *run)
{
    int64_t now_ns = clock_now_ns(), ttr_ns = run->facts.ttr_ns;
    run->end_ns = now_ns + ttr_ns;
    run->touch_ns = now_ns + (ttr_ns / 2 > TOUCH_LEAST_NS ? ttr_ns / 2 : TOUCH_LEAST_NS);
}

static void run_touch(struct run *run)
{
    struct worker *worker = run->worker;
    int rc = worker->client || worker_connect(worker) == EXIT_CODE_OK
                 ? hl_client_touch(worker->client, run->id, run->token, LINK_ANSWER_NS)
                 : ECONNREFUSED;
    if (rc == 0) {
        run_renewed(run);
        return;
    }
    int64_t now_ns = clock_now_ns();
    run->stale = rc == ESTALE || now_ns >= run->end_ns;
    run->touch_ns =
        now_ns + worker->pause_ns < run->end_ns ? now_ns + worker->pause_ns : run->end_ns;
    if (rc == ESTALE)
        say("job %" PRIu64 ": %s", run->id, hl_client_error(worker->client));
    else if (run->stale)
        say("job %" PRIu64 ": its time is over, and no daemon answers", run->id);
    else if (worker_lost(worker))
        worker->pause_ns =
            worker->pause_ns * 2 < PAUSE_LAST_NS ? worker->pause_ns * 2 : PAUSE_LAST_NS;
}

/* Until the command has ended; or a signal came, or the job isn't ours any more. */
static void run_watch(struct run *run)
{
    struct pollfd fds[3] = {{.fd = run->child.pid_fd, .events = POLLIN},
                            {.fd = interrupt_fd(), .events = POLLIN},
                            {.events = POLLOUT}};
    while (!run->stale && !interrupted()) {
        int64_t left_ns = run->touch_ns - clock_now_ns();
        struct timespec left = {left_ns > 0 ? left_ns / HL_SECOND : 0,
                                left_ns > 0 ? left_ns % HL_SECOND : 0};
        fds[2].fd = run->child.in; /* -1: left out */
        int ready = ppoll(fds, 3, &left, NULL);
        if (ready > 0 && fds[0].revents != 0)
            return;
        if (ready > 0 && fds[2].revents != 0)
            work_child_feed(&run->child);
        if (clock_now_ns() >= run->touch_ns)
            run_touch(run);
    }
    work_child_stop(&run->child, run->worker->work->grace_ns);
}

/* ---- settling ---- */

static int settle_once(struct run *run, int status)
{
    hl_client *client = run->worker->client;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return hl_client_done(client, run->id, run->token, LINK_ANSWER_NS);
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_RETRY)
        return hl_client_release(client, run->id, run->token, run->facts.priority,
                                 run->worker->work->retry_ns, LINK_ANSWER_NS);
    return hl_client_bury(client, run->id, run->token, run->facts.priority, LINK_ANSWER_NS);
}

static void say_end(const struct run *run, int status)
{
    if (WIFSIGNALED(status))
        say("job %" PRIu64 ": the command was killed by signal %d", run->id, WTERMSIG(status));
    else if (WEXITSTATUS(status) != 0)
        say("job %" PRIu64 ": the command ended with status %d", run->id, WEXITSTATUS(status));
}

/* Tries again on new connections as long as the lease is good. */
static void run_settle(struct run *run, int status)
{
    struct worker *worker = run->worker;
    int rc = ECONNREFUSED;
    bool again = true;
    say_end(run, status);
    while (again) {
        if (worker->client || worker_connect(worker) == EXIT_CODE_OK)
            rc = settle_once(run, status);
        again = rc != 0 && worker_lost(worker) && clock_now_ns() < run->end_ns && !interrupted();
        if (again)
            pause_take(worker);
    }
    if (rc != 0)
        say("job %" PRIu64 " can't be settled, and is ready again when its time is over: %s",
            run->id, worker->client ? hl_client_error(worker->client) : "no daemon answers");
}

/* ---- a job ---- */

static void run_job(struct run *run)
{
    struct worker *worker = run->worker;
    int rc = lease_facts(worker->client, run->id, &run->facts);
    run_renewed(run);
    if (rc == 0)
        rc = work_child_start(&run->child, worker->work->argv, run->id, &run->facts,
                              run->body.data ? run->body.data : "", run->body.len);
    if (rc != 0) {
        say("job %" PRIu64 " can't be run: %s", run->id, strerrordesc_np(rc));
        (void)lease_give_back(worker->work->tool, run->id, run->token);
        pause_take(worker);
        return;
    }
    run_watch(run);
    int status = work_child_collect(&run->child);
    bool ended_well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (run->stale)
        return;
    if (interrupted() && !ended_well) {
        if (lease_give_back(worker->work->tool, run->id, run->token) != 0)
            say("job %" PRIu64 " can't be given back, and is ready again when its time is over",
                run->id);
        return;
    }
    if (interrupted() && worker->client)
        hl_client_set_interrupt(worker->client, -1);
    run_settle(run, status);
}

/* Waits for a job and runs it. */
static void worker_turn(struct worker *worker)
{
    struct hl_client_job job;
    int rc = hl_client_reserve(worker->client, HL_FOREVER, HL_FOREVER, &job);
    if (rc == EINTR) {
        if (hl_client_reserve_end(worker->client, LINK_ANSWER_NS, &job) == 0)
            (void)lease_give_back(worker->work->tool, job.id, job.token);
        return;
    }
    if (rc != 0) {
        say("%s", hl_client_error(worker->client));
        (void)worker_lost(worker);
        pause_take(worker);
        return;
    }
    struct run run = {.worker = worker, .id = job.id, .token = job.token, .body = BUF_EMPTY};
    if (buf_append(&run.body, job.body, job.len) == 0)
        run_job(&run);
    else
        (void)lease_give_back(worker->work->tool, job.id, job.token);
    buf_fini(&run.body);
}

enum exit_code work_loop(const struct work *work)
{
    struct worker worker = {.work = work, .pause_ns = PAUSE_FIRST_NS};
    enum exit_code code = worker_connect(&worker);
    if (code != EXIT_CODE_OK)
        return code == EXIT_CODE_INTERRUPTED ? EXIT_CODE_OK : code;
    while (!interrupted()) {
        if (worker.client)
            worker_turn(&worker);
        else if (worker_connect(&worker) != EXIT_CODE_OK)
            pause_take(&worker);
    }
    hl_client_free(&worker.client);
    return EXIT_CODE_OK;
}
