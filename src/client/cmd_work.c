// SPDX-License-Identifier: MIT
/*
 * hilera work: a worker for any host that can reach the daemon: jobs are reserved under a token,
 * and a command is run for each.
 *
 * Each worker is a process of its own with a connection of its own; this one keeps their number:
 * one that is killed is replaced (its job is ready again when its TTR is over). They are in groups
 * of their own, so that Ctrl-C comes here only, and is passed on as a request to end; a second one
 * kills them. They end with this process, however it ends.
 *
 * Ctrl-Z comes here only, too. The workers stop their commands and themselves; when all of them
 * have, this process stops. So what continues this process can't overtake what stops a worker.
 */

#include "client/tool_lease_priv.h"
#include "client/work_priv.h"

#include "base/json.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PARALLEL_MAX 256

static const struct argp_option work_argp_options[] = {
    {"tube", 't', "TUBE", 0, "A tube to take from, may be given several times (default: default)",
     0},
    {"parallel", 'P', "NUMBER", 0, "So many jobs at a time (default: 1)", 0},
    {"retry", 'r', "TIME", 0, "Delay of a job whose command ends with status 75 (default: 1s)", 0},
    {"grace", 'g', "TIME", 0, "From SIGTERM to SIGKILL, when a command has to stop (default: 5s)",
     0},
    {0}};

static const char work_doc[] =
    "The body is the command's standard input; HILERA_JOB_ID, HILERA_TUBE and HILERA_ATTEMPT are "
    "in "
    "its environment. Status 0: the job is done. 75: it is released, to run again. 100 and all "
    "others, or a signal: it is buried. While the command runs its time (TTR) is prolonged. "
    "SIGTERM "
    "and Ctrl-C stop the commands, and their jobs go back at once.\n\n"
    "  hilera --host queue.example work -t thumbnails -P 4 -- ./thumbnail --size 200";

static error_t work_parse(int key, char *arg, struct argp_state *state)
{
    struct work *work = state->input;
    switch (key) {
    case 't':
        tubes_add(&work->tubes, arg, state);
        return 0;
    case 'P':
        work->parallel = number_option("parallel", arg, state);
        if (work->parallel > PARALLEL_MAX)
            argp_error(state, "--parallel is 1 to %d, not %s", PARALLEL_MAX, arg);
        return 0;
    case 'r':
        work->retry_ns = duration_option("retry", arg, state);
        return 0;
    case 'g':
        work->grace_ns = duration_option("grace", arg, state);
        return 0;
    case ARGP_KEY_INIT:
        return tubes_init(&work->tubes, state);
    case ARGP_KEY_ARGS:
        work->argv = state->argv + state->next;
        return 0;
    case ARGP_KEY_END:
        if (!work->argv)
            argp_error(state, "it wants the command to run for each job, behind --");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- the processes ---- */

struct crew {
    const struct work *work;
    pid_t *pid; /* 0: none in that place */
    sigset_t signals;
    bool stopping;
    enum exit_code code;
};

static _Noreturn void worker_process(const struct crew *crew, pid_t parent)
{
    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    enum exit_code code = EXIT_CODE_OK;
    interrupt_catch();
    interrupt_catch_also(SIGTERM);
    if (!signal_ignored(SIGHUP))
        interrupt_catch_also(SIGHUP);
    work_child_catch_pause();
    (void)sigprocmask(SIG_UNBLOCK, &crew->signals, NULL);
    if (getppid() == parent)
        code = work_loop(crew->work);
    exit((int)code);
}

static void crew_fill(struct crew *crew)
{
    pid_t self = getpid();
    for (uint64_t i = 0; i < crew->work->parallel && !crew->stopping; i++) {
        if (crew->pid[i] != 0)
            continue;
        pid_t pid = fork();
        if (pid == 0)
            worker_process(crew, self);
        if (pid > 0)
            crew->pid[i] = pid;
        else
            say("a worker can't be started: %s", strerrordesc_np(errno));
    }
}

static void crew_signal(const struct crew *crew, int sig)
{
    for (uint64_t i = 0; i < crew->work->parallel; i++)
        if (crew->pid[i] != 0)
            (void)kill(crew->pid[i], sig);
}

static void crew_stop(struct crew *crew, enum exit_code code)
{
    if (!crew->stopping)
        crew->code = code;
    crew->stopping = true;
    crew_signal(crew, SIGTERM);
}

/* A request to end. SIGHUP often comes along with SIGTERM, so it is never a second request. */
static void crew_asked(struct crew *crew, int sig)
{
    if (!crew->stopping)
        crew_stop(crew, sig == SIGINT ? EXIT_CODE_INTERRUPTED : EXIT_CODE_OK);
    else if (sig != SIGHUP)
        crew_signal(crew, SIGKILL);
}

/* SIGTSTP. It returns when this process is continued; at once if there is no shell to do so, since
 * SIGTSTP stops nothing then. */
static void crew_pause(const struct crew *crew)
{
    sigset_t stop;
    crew_signal(crew, SIGTSTP);
    for (uint64_t i = 0; i < crew->work->parallel; i++) {
        siginfo_t info;
        while (crew->pid[i] != 0 &&
               waitid(P_PID, (id_t)crew->pid[i], &info, WSTOPPED | WEXITED | WNOWAIT) != 0 &&
               errno == EINTR)
            continue;
    }
    sigemptyset(&stop);
    sigaddset(&stop, SIGTSTP);
    (void)raise(SIGTSTP);
    (void)sigprocmask(SIG_UNBLOCK, &stop, NULL);
    (void)sigprocmask(SIG_BLOCK, &stop, NULL);
    crew_signal(crew, SIGCONT);
}

/* Those that have ended. A worker that ends by itself can't work; one that was killed is to be
 * replaced. */
static void crew_collect(struct crew *crew)
{
    for (uint64_t i = 0; i < crew->work->parallel; i++) {
        int status = 0;
        if (crew->pid[i] == 0 || waitpid(crew->pid[i], &status, WNOHANG) != crew->pid[i])
            continue;
        crew->pid[i] = 0;
        if (WIFEXITED(status) && !crew->stopping)
            crew_stop(crew, (enum exit_code)WEXITSTATUS(status));
        else if (WIFSIGNALED(status))
            say("a worker was killed by signal %d%s", WTERMSIG(status),
                crew->stopping ? "" : "; another one takes its place");
    }
}

static uint64_t crew_count(const struct crew *crew)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i < crew->work->parallel; i++)
        count += crew->pid[i] != 0;
    return count;
}

/* A blocked signal is kept even where it is ignored, so what is ignored must stay out. */
static void crew_block(struct crew *crew)
{
    static const int unless_ignored[] = {SIGINT, SIGHUP, SIGTSTP};
    sigemptyset(&crew->signals);
    sigaddset(&crew->signals, SIGCHLD);
    sigaddset(&crew->signals, SIGTERM);
    for (size_t i = 0; i < sizeof(unless_ignored) / sizeof(unless_ignored[0]); i++)
        if (!signal_ignored(unless_ignored[i]))
            sigaddset(&crew->signals, unless_ignored[i]);
    (void)sigprocmask(SIG_BLOCK, &crew->signals, NULL);
}

static enum exit_code crew_run(struct crew *crew)
{
    static const struct timespec second = {1, 0};
    crew_block(crew);
    crew_fill(crew);
    while (!crew->stopping || crew_count(crew) > 0) {
        /* An empty place is filled a second later, so that what dies at once doesn't spin. */
        bool empty = !crew->stopping && crew_count(crew) < crew->work->parallel;
        int sig = sigtimedwait(&crew->signals, NULL, empty ? &second : NULL);
        if (sig == SIGINT || sig == SIGTERM || sig == SIGHUP)
            crew_asked(crew, sig);
        if (sig == SIGTSTP)
            crew_pause(crew);
        crew_collect(crew);
        if (sig < 0 && errno == EAGAIN)
            crew_fill(crew);
    }
    return crew->code;
}

enum exit_code command_work(struct tool *tool, int argc, char **argv)
{
    struct work work = {
        .tool = tool, .parallel = 1, .retry_ns = HL_SECOND, .grace_ns = 5 * HL_SECOND};
    command_parse(tool, "work", work_argp_options, work_parse, &work, work_doc, argc, argv);
    int rc = work_program_find(work.argv[0]);
    struct crew crew = {.work = &work, .code = EXIT_CODE_OK};
    enum exit_code code = EXIT_CODE_FAILED;
    if (rc != 0) {
        say("%s can't be run: %s", work.argv[0], strerrordesc_np(rc));
        code = EXIT_CODE_USAGE;
    } else if (!(crew.pid = calloc(work.parallel, sizeof(*crew.pid)))) {
        say("not enough memory");
    } else {
        code = crew_run(&crew);
    }
    free(crew.pid);
    tubes_fini(&work.tubes);
    return code;
}
