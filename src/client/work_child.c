// SPDX-License-Identifier: MIT
/*
 * One run of a worker's command: a process in a session of its own, without a terminal, with the
 * body as its standard input and the job's facts in its environment. Its output is the worker's.
 *
 * Signals go to its group, which it leads from its first moments on; until then to itself. They are
 * blocked in it until its handlers are the default ones, so none of ours ever runs there. What was
 * ignored when hilera was started, of SIGHUP and SIGTSTP, is ignored in it, too.
 *
 * Its group has no terminal and no shell that could continue it, so the kernel keeps SIGTSTP from
 * stopping it. It is stopped by SIGSTOP.
 *
 * The kernel kills it when the worker dies, however that happens: the job is then nobody's, and is
 * ready again when its TTR is over. When it ends, what it left behind in its group is killed, too.
 */

#include "client/tool_lease_priv.h"
#include "client/work_priv.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CANNOT_RUN                                                                                 \
    126 /* exit status of a program that is there but can't be run, as a shell has it */
#define NOT_FOUND 127

/* For the handler: the one that runs and isn't collected yet; 0: none. */
static volatile sig_atomic_t child_running;

static void facts_export(uint64_t id, const struct lease_facts *facts)
{
    char number[24];
    snprintf(number, sizeof(number), "%" PRIu64, id);
    setenv("HILERA_JOB_ID", number, 1);
    setenv("HILERA_TUBE", facts->tube, 1);
    snprintf(number, sizeof(number), "%" PRIu64, facts->attempt);
    setenv("HILERA_ATTEMPT", number, 1);
}

/* In the child. */
static _Noreturn void child_become(char **argv, int in, pid_t parent)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGCHLD, SIGPIPE};
    static const int kept[] = {SIGHUP, SIGTSTP};
    sigset_t none;
    (void)setsid();
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it is dead already */
        _exit(CANNOT_RUN);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        (void)signal(signals[i], SIG_DFL);
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        if (!signal_ignored(kept[i]))
            (void)signal(kept[i], SIG_DFL);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (dup2(in, STDIN_FILENO) >= 0)
        (void)execvp(argv[0], argv);
    say("%s can't be run: %s", argv[0], strerrordesc_np(errno));
    _exit(errno == ENOENT ? NOT_FOUND : CANNOT_RUN);
}

/* It isn't collected yet, so nobody else has its number. */
static void child_signal(pid_t pid, int sig)
{
    if (kill(-pid, sig) != 0 && errno == ESRCH)
        (void)kill(pid, sig);
}

/* SIGTSTP. Nobody collects the child while this process is stopped, so it is the same afterwards.
 */
static void child_pause(int sig)
{
    int saved = errno;
    pid_t pid = child_running;
    (void)sig;
    if (pid != 0)
        child_signal(pid, SIGSTOP);
    (void)raise(SIGSTOP);
    if (pid != 0)
        child_signal(pid, SIGCONT);
    errno = saved;
}

void work_child_catch_pause(void)
{
    struct sigaction action = {.sa_handler = child_pause, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    if (!signal_ignored(SIGTSTP))
        (void)sigaction(SIGTSTP, &action, NULL);
}

int work_child_start(struct work_child *child, char **argv, uint64_t id,
                     const struct lease_facts *facts, const char *body, size_t len)
{
    int ends[2];
    sigset_t all, before;
    pid_t self = getpid();
    if (pipe2(ends, O_CLOEXEC) != 0)
        return errno;
    facts_export(id, facts);
    sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0)
        child_become(argv, ends[0], self);
    int rc = pid < 0 ? errno : 0;
    child_running = pid < 0 ? 0 : pid;
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    close(ends[0]);
    if (rc == 0) {
        (void)fcntl(ends[1], F_SETFL, O_NONBLOCK);
        *child = (struct work_child){.pid = pid, .in = ends[1], .body = body, .body_left = len};
        child->pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
        rc = child->pid_fd < 0 ? errno : 0;
        if (rc != 0) {
            child_signal(pid, SIGKILL);
            child_running = 0;
            (void)waitpid(pid, NULL, 0);
        }
    }
    if (rc != 0)
        close(ends[1]);
    else
        work_child_feed(child);
    return rc;
}

void work_child_feed(struct work_child *child)
{
    while (child->body_left > 0) {
        ssize_t took = write(child->in, child->body, child->body_left);
        if (took < 0 && errno == EINTR)
            continue;
        if (took < 0 && errno == EAGAIN)
            return;
        if (took < 0) /* it doesn't read any more */
            break;
        child->body += took;
        child->body_left -= (size_t)took;
    }
    child->body_left = 0;
    if (child->in >= 0)
        close(child->in);
    child->in = -1;
}

/* Whether it has ended by then. */
static bool child_await(const struct work_child *child, int64_t deadline_ns)
{
    struct pollfd fd = {.fd = child->pid_fd, .events = POLLIN};
    for (;;) {
        int64_t left_ns = deadline_ns - clock_now_ns();
        if (left_ns < 0)
            left_ns = 0;
        struct timespec left = {left_ns / HL_SECOND, left_ns % HL_SECOND};
        int ready = ppoll(&fd, 1, deadline_ns == CLOCK_NEVER ? NULL : &left, NULL);
        if (ready > 0)
            return true;
        if (ready == 0)
            return false;
    }
}

void work_child_stop(const struct work_child *child, int64_t grace_ns)
{
    child_signal(child->pid, SIGTERM);
    child_signal(child->pid, SIGCONT); /* one that is stopped wouldn't hear of it */
    if (child_await(child, clock_deadline(grace_ns)))
        return;
    child_signal(child->pid, SIGKILL);
    (void)child_await(child, CLOCK_NEVER);
}

int work_child_collect(struct work_child *child)
{
    int status = 0;
    (void)kill(-child->pid, SIGKILL);
    child_running = 0;
    while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (child->in >= 0)
        close(child->in);
    close(child->pid_fd);
    child->in = child->pid_fd = -1;
    return status;
}

int work_program_find(const char *name)
{
    if (strchr(name, '/'))
        return access(name, X_OK) == 0 ? 0 : errno;
    const char *path = getenv("PATH");
    int rc = ENOENT;
    for (const char *at = path ? path : "/usr/bin:/bin"; *at != '\0';) {
        size_t len = strcspn(at, ":");
        char file[4096];
        int printed = snprintf(file, sizeof(file), "%.*s/%s", (int)len, at, name);
        if (printed > 0 && (size_t)printed < sizeof(file) && access(file, X_OK) == 0)
            return 0;
        if (errno == EACCES)
            rc = EACCES;
        at += len;
        at += *at == ':';
    }
    return rc;
}
