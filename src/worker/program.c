// SPDX-License-Identifier: MIT
/*
 * One run of a program: it is started, fed, listened to, stopped if need be, and judged. Every
 * handler that runs programs does it through program_run.
 *
 * A run is over when the program has ended and its output pipes are closed, in either order. What
 * it left behind can keep the pipes open as long as it likes, so after the end of the program the
 * pipes are read for HANDLER_DRAIN_NS at most; then what is left is killed (keepers, src/spawn).
 *
 * When told to stop: SIGTERM to the group, after `kill_after_ns` SIGKILL, and the job is returned,
 * whatever exit status the program made of that.
 *
 * A program that may not be killed, since it has become another user's, keeps its worker, so that
 * the job has no second run beside it; it is tried again now and then. Only when the daemon ends is
 * it left alone: whoever waits for that doesn't wait for such a program.
 *
 * A start can hang: a directory on a server that doesn't answer, a program stopped on its way. The
 * keeper hears nothing then. So it is asked for a sign of life after a while, and when there is
 * none, or none after a SIGTERM, it is killed with what it started.
 */
#include "worker/child_priv.h"
#include "worker/feed_priv.h"
#include "worker/live_priv.h"
#include "worker/program_priv.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

/* From the start until its keeper is asked, and from there until it must have answered. */
#define START_ASK_NS (5 * HL_SECOND)
#define START_MORE_NS (5 * HL_SECOND)
#define STUCK_NS HL_SECOND /* from one try to kill what couldn't be killed to the next */

enum run_end {
    RUN_GOES_ON,
    RUN_ENDED,
    RUN_NOT_STARTED,
    RUN_LATE,
    RUN_LOST,
    RUN_BYE,
    RUN_ABANDONED
};

struct run {
    const struct program *program;
    struct handler_call *call;
    struct child child;
    struct capture out, err;
    struct tail tail;         /* of stderr */
    struct spawn_news failed; /* of RUN_NOT_STARTED */
    size_t fed;               /* bytes of the body written */
    enum run_end end;         /* of the program */
    bool stopped;             /* by us */
    bool asked;               /* whether its keeper lives */
    int64_t ask_ns;           /* when it is asked, or must have answered; CLOCK_NEVER */
    int64_t kill_ns;          /* when SIGKILL is due; CLOCK_NEVER */
    int64_t give_up_ns;       /* when the pipes are left as they are; CLOCK_NEVER */
};

static bool run_is_over(const struct run *run)
{
    if (run->end == RUN_GOES_ON)
        return false;
    bool closed = run->child.out < 0 && run->child.err < 0;
    return closed || run->end != RUN_ENDED || clock_now_ns() >= run->give_up_ns;
}

static void run_stop(struct run *run)
{
    run->stopped = true;
    run->ask_ns = CLOCK_NEVER;
    run->kill_ns = clock_deadline(run->program->kill_after_ns);
    child_signal(&run->child, SIGTERM);
}

static void run_end(struct run *run, enum run_end end)
{
    run->end = end;
    run->ask_ns = run->kill_ns = CLOCK_NEVER;
    run->give_up_ns = clock_deadline(HANDLER_DRAIN_NS);
    child_close(&run->child.in);
    /* Mostly nobody else has the pipes, and this reads them to their end. */
    child_let_go(&run->child);
    capture_read(&run->out);
    capture_read(&run->err);
}

static void run_hear(struct run *run)
{
    struct spawn_news news;
    int rc = child_hear(&run->child, &news);
    if (rc == EPIPE)
        run_end(run, RUN_LOST);
    if (rc != 0)
        return;
    if (news.word == SPAWN_ENDED)
        run_end(run, RUN_ENDED);
    else if (news.word == SPAWN_BYE)
        run_end(run, RUN_BYE);
    else if (news.word == SPAWN_FAILED) {
        run->failed = news;
        run_end(run, RUN_NOT_STARTED);
    } else if (!run->stopped)
        run->ask_ns = CLOCK_NEVER;
    else if (run->child.stuck != 0 && run->end == RUN_GOES_ON) {
        live_stuck(run->call->live, run->child.stuck);
        if (run->kill_ns == CLOCK_NEVER)
            run->kill_ns = clock_deadline(STUCK_NS);
    }
}

static bool is_leaving(const struct run *run)
{
    return run->call->leaving != NULL && atomic_load(run->call->leaving);
}

/* It couldn't be killed the last time. */
static void run_try_again(struct run *run)
{
    run->kill_ns = clock_deadline(STUCK_NS);
    if (is_leaving(run)) {
        child_abandon(&run->child);
        run_end(run, RUN_ABANDONED);
    } else if (run->child.answered)
        child_signal(&run->child, SIGKILL);
}

/* What is due by now. */
static void run_look_at_clock(struct run *run)
{
    int64_t now_ns = clock_now_ns();
    if (now_ns >= run->kill_ns && run->child.stuck != 0)
        run_try_again(run);
    else if (now_ns >= run->kill_ns) {
        run->kill_ns = CLOCK_NEVER;
        if (run->child.answered)
            child_signal(&run->child, SIGKILL);
        else {
            child_bury(&run->child);
            run_end(run, RUN_LATE);
        }
    } else if (now_ns >= run->ask_ns && !run->asked) {
        run->asked = true;
        run->ask_ns = now_ns + START_MORE_NS;
        child_signal(&run->child, 0);
    } else if (now_ns >= run->ask_ns) {
        child_bury(&run->child);
        run_end(run, RUN_LATE);
    }
}

/* What is polled, in this order; a descriptor of -1 is passed over by poll. */
enum { ON_NEWS, ON_STOP, ON_IN, ON_OUT, ON_ERR, ON_COUNT };

static int64_t run_due(const struct run *run)
{
    int64_t until = run->kill_ns < run->give_up_ns ? run->kill_ns : run->give_up_ns;
    return until < run->ask_ns ? until : run->ask_ns;
}

static void run_poll(const struct run *run, struct pollfd fds[ON_COUNT])
{
    const struct child *child = &run->child;
    bool runs = run->end == RUN_GOES_ON;
    fds[ON_NEWS] = (struct pollfd){.fd = runs ? child_fd(child) : -1, .events = POLLIN};
    /* A program that has ended can't be stopped, and keeps its outcome while its pipes are read. */
    bool stoppable = runs && !run->stopped;
    fds[ON_STOP] = (struct pollfd){.fd = stoppable ? run->call->stop_fd : -1, .events = POLLIN};
    fds[ON_IN] = (struct pollfd){.fd = child->in, .events = POLLOUT};
    fds[ON_OUT] = (struct pollfd){.fd = child->out, .events = POLLIN};
    fds[ON_ERR] = (struct pollfd){.fd = child->err, .events = POLLIN};
    int64_t until = run_due(run);
    struct timespec timeout = {0};
    if (until != CLOCK_NEVER) {
        int64_t left = until - clock_now_ns();
        if (left > 0)
            timeout = (struct timespec){.tv_sec = left / HL_SECOND, .tv_nsec = left % HL_SECOND};
    }
    if (ppoll(fds, ON_COUNT, until == CLOCK_NEVER ? NULL : &timeout, NULL) < 0) {
        ASSERT(errno == EINTR || errno == ENOMEM);
        for (int i = 0; i < ON_COUNT; i++)
            fds[i].revents = 0;
    }
}

static void run_step(struct run *run)
{
    struct pollfd fds[ON_COUNT];
    run_poll(run, fds);
    if (fds[ON_IN].revents != 0)
        feed_write(&run->child.in, run->program->input, &run->fed);
    if (fds[ON_OUT].revents != 0)
        capture_read(&run->out);
    if (fds[ON_ERR].revents != 0)
        capture_read(&run->err);
    /* The end before the stop: what ended by itself has its own outcome. */
    if (fds[ON_NEWS].revents != 0)
        run_hear(run);
    else if (fds[ON_STOP].revents != 0)
        run_stop(run);
    else if (run->end == RUN_GOES_ON)
        run_look_at_clock(run);
}

struct program program_of(const struct handler_settings *settings, struct keepers *keepers)
{
    return (struct program){.keepers = keepers,
                            .output_max = settings->output_max != 0 ? settings->output_max
                                                                    : HANDLER_OUTPUT_MAX,
                            .kill_after_ns = settings->kill_after_ns > 0 ? settings->kill_after_ns
                                                                         : HANDLER_KILL_AFTER_NS};
}

struct spawn_job program_job(const struct broker_lease *lease)
{
    return (struct spawn_job){.id = lease->id,
                              .attempt = lease->attempt,
                              .pri = lease->pri,
                              .submitted_ns =
                                  clock_wall_ns() - (clock_now_ns() - lease->created_ns),
                              .tube = lease->tube};
}

static struct capture run_capture(const struct run *run, int *fd, struct buf *into, bool *truncated)
{
    return (struct capture){.fd = fd,
                            .into = into,
                            .max = run->program->output_max,
                            .truncated = truncated,
                            .live = run->call->live};
}

static void run_judge(const struct run *run)
{
    struct job_outcome *outcome = run->call->outcome;
    const char *name = run->program->name;
    if (run->end == RUN_ENDED)
        outcome->usage = run->child.usage;
    if (run->stopped || run->end == RUN_BYE)
        outcome->kind = JOB_OUTCOME_RETURNED;
    else if (run->end == RUN_NOT_STARTED)
        verdict_no_start(run->call, &run->failed, name);
    else if (run->end == RUN_LATE) {
        outcome->kind = JOB_OUTCOME_FAILED;
        job_outcome_reason(outcome, "can't start %s: it has not begun within %d s", name,
                           (int)((START_ASK_NS + START_MORE_NS) / HL_SECOND));
    } else if (run->end == RUN_LOST) {
        outcome->kind = JOB_OUTCOME_CRASHED;
        job_outcome_reason(outcome, "the parent of %s was killed, and it with that", name);
    } else
        verdict_end(outcome, run->child.status, name);
    if (outcome->kind != JOB_OUTCOME_DONE)
        tail_tell(&run->tail, outcome);
}

void program_run(const struct program *program, struct handler_call *call)
{
    struct job_outcome *outcome = call->outcome;
    struct run run = {.program = program,
                      .call = call,
                      .ask_ns = clock_deadline(START_ASK_NS),
                      .kill_ns = CLOCK_NEVER,
                      .give_up_ns = CLOCK_NEVER};
    run.out = run_capture(&run, &run.child.out, &outcome->out, &outcome->out_truncated);
    run.err = run_capture(&run, &run.child.err, &outcome->err, &outcome->err_truncated);
    run.err.tail = &run.tail;
    int rc = child_start(&run.child, program->keepers, &program->job, true);
    if (rc != 0) {
        verdict_no_start(call, &(struct spawn_news){.error = rc, .step = SPAWN_STEP_fork},
                         program->name);
        return;
    }
    /* Its pipe is empty: a body that is no longer than that needs no poll. */
    feed_write(&run.child.in, program->input, &run.fed);
    keepers_pipes_ahead(program->keepers);
    hl_thread_wait_begin("process", program->name);
    while (!run_is_over(&run))
        run_step(&run);
    run.child.again = is_leaving(&run);
    child_finish(&run.child, run.stopped || run.end != RUN_ENDED);
    hl_thread_wait_end();
    run_judge(&run);
}
