// SPDX-License-Identifier: MIT
/*
 * One run of a program: it is started, fed, listened to, stopped if need be, and judged. Every
 * handler that runs programs does it through program_run.
 *
 * A run is over when the process has ended and its output pipes are closed, in either order.
 * Whoever inherited the pipes can keep them open as long as he likes, so after the end of the
 * process the pipes are read for `drain_ns` at most; then what is left of the process group is
 * killed. Processes that left the group (setsid) are let go.
 *
 * When told to stop: SIGTERM to the group, after `kill_after_ns` SIGKILL, and the job is returned,
 * whatever exit status the process made of that.
 */
#include "base/clock.h"
#include "worker/worker_priv.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <time.h>

struct run {
    const struct program *program;
    struct handler_call *call;
    struct child child;
    struct capture out, err;
    struct tail tail;    /* of stderr */
    size_t fed;          /* bytes of the body written */
    bool ended, stopped; /* the process; by us */
    int64_t kill_ns;     /* when SIGKILL is due; CLOCK_NEVER */
    int64_t give_up_ns;  /* when the pipes are left as they are; CLOCK_NEVER */
};

static bool run_is_over(const struct run *run)
{
    if (!run->ended)
        return false;
    bool closed = run->child.out < 0 && run->child.err < 0;
    return closed || clock_now_ns() >= run->give_up_ns;
}

static void run_stop(struct run *run)
{
    run->stopped = true;
    run->kill_ns = clock_deadline(run->program->kill_after_ns);
    child_signal(&run->child, SIGTERM);
}

static void run_end(struct run *run)
{
    run->ended = true;
    run->kill_ns = CLOCK_NEVER;
    run->give_up_ns = clock_deadline(run->program->drain_ns);
    child_close(&run->child.in);
    /* Mostly nobody else has the pipes, and this reads them to their end. */
    child_let_go(&run->child);
    capture_read(&run->out);
    capture_read(&run->err);
}

/* What is polled, in this order; a descriptor of -1 is passed over by poll. */
enum { ON_END, ON_STOP, ON_IN, ON_OUT, ON_ERR, ON_COUNT };

static void run_poll(const struct run *run, struct pollfd fds[ON_COUNT])
{
    const struct child *child = &run->child;
    fds[ON_END] = (struct pollfd){.fd = run->ended ? -1 : child->pid_fd, .events = POLLIN};
    /* A process that has ended can't be stopped, and keeps its outcome while its pipes are read. */
    bool stoppable = !run->ended && !run->stopped;
    fds[ON_STOP] = (struct pollfd){.fd = stoppable ? run->call->stop_fd : -1, .events = POLLIN};
    fds[ON_IN] = (struct pollfd){.fd = child->in, .events = POLLOUT};
    fds[ON_OUT] = (struct pollfd){.fd = child->out, .events = POLLIN};
    fds[ON_ERR] = (struct pollfd){.fd = child->err, .events = POLLIN};
    int64_t until = run->kill_ns < run->give_up_ns ? run->kill_ns : run->give_up_ns;
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
    if (fds[ON_END].revents != 0)
        run_end(run);
    else if (fds[ON_STOP].revents != 0)
        run_stop(run);
    else if (clock_now_ns() >= run->kill_ns) {
        run->kill_ns = CLOCK_NEVER;
        child_signal(&run->child, SIGKILL);
    }
}

struct program program_of(const struct handler_settings *settings)
{
    bool limited = settings->limit[HANDLER_LIMIT_nofile].set;
    return (struct program){
        .spec = {.nofile = limited ? 0 : settings->nofile, .keep = true},
        .output_max = settings->output_max != 0 ? settings->output_max : HANDLER_OUTPUT_MAX,
        .kill_after_ns =
            settings->kill_after_ns > 0 ? settings->kill_after_ns : HANDLER_KILL_AFTER_NS,
        .drain_ns = settings->drain_ns > 0 ? settings->drain_ns : HANDLER_DRAIN_NS};
}

static struct capture run_capture(const struct run *run, int *fd, struct buf *into, bool *truncated)
{
    return (struct capture){.fd = fd,
                            .into = into,
                            .max = run->program->output_max,
                            .truncated = truncated,
                            .live = run->call->live};
}

void program_run(const struct program *program, struct handler_call *call)
{
    struct job_outcome *outcome = call->outcome;
    struct run run = {
        .program = program, .call = call, .kill_ns = CLOCK_NEVER, .give_up_ns = CLOCK_NEVER};
    run.out = run_capture(&run, &run.child.out, &outcome->out, &outcome->out_truncated);
    run.err = run_capture(&run, &run.child.err, &outcome->err, &outcome->err_truncated);
    run.err.tail = &run.tail;
    char doing[CHILD_DOING_MAX] = "";
    int rc = child_spawn(&run.child, &program->spec, doing);
    if (rc != 0) {
        verdict_no_start(outcome, rc, &program->spec, doing);
        return;
    }
    /* Its pipe is empty: a body that is no longer than that needs no poll. Not before this: the
     * child has its limit by now, and one that looks at its input first sees no other. */
    feed_write(&run.child.in, program->input, &run.fed);
    hl_thread_wait_begin("process", program->spec.argv[0]);
    while (!run_is_over(&run))
        run_step(&run);
    hl_thread_wait_end();
    int status = child_collect(&run.child, &outcome->usage);
    if (run.stopped)
        outcome->kind = JOB_OUTCOME_RETURNED;
    else
        verdict_end(outcome, status, program->spec.argv[0]);
    if (outcome->kind != JOB_OUTCOME_DONE)
        tail_tell(&run.tail, outcome);
}
