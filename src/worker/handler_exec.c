// SPDX-License-Identifier: MIT
/*
 * The handler that runs a program for each job: the body is its standard input, its output is kept
 * up to a limit, its exit status decides.
 *
 * The environment is the daemon's and HILERA_JOB_ID, HILERA_TUBE, HILERA_ATTEMPT. Exit status 0 is
 * done, 75 (EX_TEMPFAIL of sysexits.h) asks for another attempt, 100 buries the job at once,
 * everything else failed; the reason names status or signal and ends with the last lines of stderr.
 * When the system can't start a process just now, that isn't the job's fault: the attempt crashed.
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
#include "base/magic.h"
#include "worker/worker_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EXEC_MAGIC 0x3e3ec001u

#define ENV_OWN 3 /* variables of a run */

struct exec {
    unsigned magic;
    char **argv;
    char **env; /* the daemon's without ours, then ENV_OWN + 1 free places; strings not owned */
    size_t env_count;
    size_t output_max;
    int64_t kill_after_ns, drain_ns;
    uint64_t nofile;
};

/* ---- open, close ---- */

static int exec_check(const struct handler_settings *settings, char *why, size_t why_size)
{
    if (settings->argv != NULL && settings->argv[0] != NULL && settings->argv[0][0] != '\0')
        return 0;
    snprintf(why, why_size,
             "the handler exec needs argv with a program, like argv = {\"gzip\", \"-c\"}");
    return EINVAL;
}

static void exec_close(void **state)
{
    if (*state == NULL)
        return;
    struct exec *exec = *state;
    MAGIC_CHECK(exec, EXEC_MAGIC);
    *state = NULL;
    free(exec->argv);
    free(exec->env);
    MAGIC_WIPE(exec);
    free(exec);
}

static int argv_copy(struct exec *exec, const char *const *argv)
{
    size_t count = 0;
    while (argv[count] != NULL)
        count++;
    exec->argv = strings_copy(argv, count);
    return exec->argv != NULL ? 0 : ENOMEM;
}

/* The daemon's environment doesn't change after its boot, so its strings can be used as they are.
 */
static int env_copy(struct exec *exec)
{
    size_t count = 0;
    while (environ != NULL && environ[count] != NULL)
        count++;
    exec->env = calloc(count + ENV_OWN + 1, sizeof(*exec->env));
    if (exec->env == NULL)
        return ENOMEM;
    for (size_t i = 0; i < count; i++)
        if (strncmp(environ[i], "HILERA_JOB_ID=", 14) != 0 &&
            strncmp(environ[i], "HILERA_TUBE=", 12) != 0 &&
            strncmp(environ[i], "HILERA_ATTEMPT=", 15) != 0)
            exec->env[exec->env_count++] = environ[i];
    return 0;
}

static int exec_open(const struct handler_settings *settings, void **state, char *why,
                     size_t why_size)
{
    (void)why;
    (void)why_size;
    struct exec *exec = calloc(1, sizeof(*exec));
    if (exec == NULL)
        return ENOMEM;
    MAGIC_INIT(exec, EXEC_MAGIC);
    exec->output_max = settings->output_max != 0 ? settings->output_max : HANDLER_OUTPUT_MAX;
    exec->kill_after_ns =
        settings->kill_after_ns > 0 ? settings->kill_after_ns : HANDLER_KILL_AFTER_NS;
    exec->drain_ns = settings->drain_ns > 0 ? settings->drain_ns : HANDLER_DRAIN_NS;
    exec->nofile = settings->nofile;
    int rc = argv_copy(exec, settings->argv);
    if (rc == 0)
        rc = env_copy(exec);
    *state = exec;
    if (rc != 0)
        exec_close(state);
    return rc;
}

/* ---- a run ---- */

struct run {
    const struct exec *exec;
    struct handler_call *call;
    struct child child;
    struct capture out, err;
    struct tail tail;    /* of stderr */
    size_t fed;          /* bytes of the body written */
    bool ended, stopped; /* the process; by us */
    int64_t kill_ns;     /* when SIGKILL is due; CLOCK_NEVER */
    int64_t give_up_ns;  /* when the pipes are left as they are; CLOCK_NEVER */
};

static int run_spawn(struct run *run)
{
    const struct exec *exec = run->exec;
    const struct broker_lease *lease = run->call->lease;
    char id[40], attempt[32], tube[JOB_TUBE_NAME_MAX + 16];
    snprintf(id, sizeof(id), "HILERA_JOB_ID=%" PRIu64, lease->id);
    snprintf(tube, sizeof(tube), "HILERA_TUBE=%s", lease->tube);
    snprintf(attempt, sizeof(attempt), "HILERA_ATTEMPT=%" PRIu32, lease->attempt);
    char **env = malloc((exec->env_count + ENV_OWN + 1) * sizeof(*env));
    if (env == NULL)
        return ENOMEM;
    if (exec->env_count > 0)
        memcpy(env, exec->env, exec->env_count * sizeof(*env));
    char **own = env + exec->env_count;
    own[0] = id;
    own[1] = tube;
    own[2] = attempt;
    own[ENV_OWN] = NULL;
    int rc = child_spawn(
        &run->child, &(struct child_spec){.argv = exec->argv, .env = env, .nofile = exec->nofile});
    free(env);
    return rc;
}

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
    run->kill_ns = clock_deadline(run->exec->kill_after_ns);
    child_signal(&run->child, SIGTERM);
}

static void run_end(struct run *run)
{
    run->ended = true;
    run->kill_ns = CLOCK_NEVER;
    run->give_up_ns = clock_deadline(run->exec->drain_ns);
    child_close(&run->child.in);
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
        feed_write(&run->child.in, run->call->lease->body, &run->fed);
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

/* ---- the outcome ---- */

#define EXIT_RETRY 75 /* EX_TEMPFAIL of sysexits.h */
#define EXIT_BURY 100 /* as qmail's and others' "permanent failure" */

static void judge_exit(struct job_outcome *outcome, int status, const char *program)
{
    outcome->exit_status = status;
    if (status == 0) {
        outcome->kind = JOB_OUTCOME_DONE;
        return;
    }
    outcome->kind = JOB_OUTCOME_FAILED;
    const char *meaning = "";
    if (status == EXIT_RETRY) {
        outcome->kind = JOB_OUTCOME_RETRY;
        meaning = " (try again)";
    } else if (status == EXIT_BURY) {
        outcome->kind = JOB_OUTCOME_BURIED;
        meaning = " (don't try again)";
    } else if (status == 126)
        meaning = " (cannot be run)";
    else if (status == 127)
        meaning = " (not found)";
    job_outcome_reason(outcome, "exit status %d%s of %s", status, meaning, program);
}

static void judge_signal(struct job_outcome *outcome, int status, const char *program)
{
    outcome->kind = JOB_OUTCOME_FAILED;
    outcome->signal = WTERMSIG(status);
    const char *name = sigabbrev_np(outcome->signal);
    const char *dumped = WCOREDUMP(status) ? ", core dumped" : "";
    if (name != NULL)
        job_outcome_reason(outcome, "%s was killed by signal %d (SIG%s)%s", program,
                           outcome->signal, name, dumped);
    else
        job_outcome_reason(outcome, "%s was killed by signal %d%s", program, outcome->signal,
                           dumped);
}

static void judge_spawn(struct job_outcome *outcome, int rc, const char *program)
{
    bool transient = rc == EAGAIN || rc == EMFILE || rc == ENFILE || rc == ENOMEM;
    outcome->kind = transient ? JOB_OUTCOME_CRASHED : JOB_OUTCOME_FAILED;
    const char *text = strerrordesc_np(rc);
    const char *found = rc == ENOENT ? "program not found: " : "can't start ";
    job_outcome_reason(outcome, "%s%s (%s)", found, program, text != NULL ? text : "unknown error");
}

static void exec_run(void *state, struct handler_call *call)
{
    struct exec *exec = state;
    MAGIC_CHECK(exec, EXEC_MAGIC);
    struct job_outcome *outcome = call->outcome;
    struct run run = {
        .exec = exec, .call = call, .kill_ns = CLOCK_NEVER, .give_up_ns = CLOCK_NEVER};
    run.out = (struct capture){.fd = &run.child.out,
                               .into = &outcome->out,
                               .max = exec->output_max,
                               .truncated = &outcome->out_truncated};
    run.err = (struct capture){.fd = &run.child.err,
                               .into = &outcome->err,
                               .max = exec->output_max,
                               .truncated = &outcome->err_truncated,
                               .tail = &run.tail};
    int rc = run_spawn(&run);
    if (rc != 0) {
        judge_spawn(outcome, rc, exec->argv[0]);
        return;
    }
    hl_thread_wait_begin("process", exec->argv[0]);
    while (!run_is_over(&run))
        run_step(&run);
    hl_thread_wait_end();
    int status = child_collect(&run.child, &outcome->usage);
    if (run.stopped)
        outcome->kind = JOB_OUTCOME_RETURNED;
    else if (WIFSIGNALED(status))
        judge_signal(outcome, status, exec->argv[0]);
    else
        judge_exit(outcome, WEXITSTATUS(status), exec->argv[0]);
    if (outcome->kind != JOB_OUTCOME_DONE && !run.stopped)
        tail_tell(&run.tail, outcome);
}

const struct handler handler_exec = {
    .name = "exec",
    .summary = "runs a program for each job, with the body as its standard input",
    .check = exec_check,
    .open = exec_open,
    .close = exec_close,
    .run = exec_run,
};
