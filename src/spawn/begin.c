// SPDX-License-Identifier: MIT
/*
 * A program's start: what the child of a keeper does between vfork and execve.
 *
 * The child has the keeper's memory until it has become the program, so it only makes system calls,
 * and those of identity raw: the C library's would signal threads. What fails it writes into the
 * shared page, with its step, and ends.
 *
 * The order is what counts. A session of its own, so that no terminal is ever its own. Here a child
 * may stand ready for its job, as the keeper's user still, so that nobody else can reach it: what
 * it shares with the keeper is the keeper's. The three pipes, and nothing else that is open. Mask
 * and limits, since root may raise them; then groups, group, user, and the way back tried: from
 * here on all is done with the rights of the program's user, so the kernel refuses what that user
 * may not enter or run, on the way to it too. Right behind it the death of the keeper (a change of
 * the user forgets it), before anything that could take long. Handlers are the default ones
 * already, as the keeper has none; its blocked signals are let through last, so that a TERM on the
 * way ends it.
 */
#include "spawn/spawn_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STATUS_NOT_BEGUN 126
#define OOM_FILE "/proc/self/oom_score_adj"

/*
 * ThreadSanitizer makes a fork of vfork, with which the keeper wouldn't wait for the begin; under
 * this name it doesn't know it. The child isn't instrumented: what it would count as its calls, the
 * keeper would take for its own.
 */
#ifdef __SANITIZE_THREAD__
pid_t __vfork(void); // NOLINT(bugprone-reserved-identifier): the C library's own name
#define vfork __vfork
#define IN_CHILD __attribute__((no_sanitize("thread")))
#else
#define IN_CHILD
#endif

IN_CHILD static _Noreturn void fail(const struct begin *begin, enum spawn_step step)
{
    begin->shared->error = errno;
    begin->shared->step = (int)step;
    _exit(STATUS_NOT_BEGUN);
}

IN_CHILD static void take_pipes(const struct begin *begin)
{
    for (int fd = 0; fd < 3; fd++)
        if (dup2(begin->fds[fd], fd) < 0)
            fail(begin, SPAWN_STEP_pipes);
    if (syscall(SYS_close_range, 3U, ~0U, 0U) != 0)
        fail(begin, SPAWN_STEP_pipes);
}

/*
 * What keeps the daemon alive when memory runs out isn't meant for programs: one that eats it up
 * should be the one that goes. A value that makes the end likelier stays, as it is inherited by
 * everything that its user starts. While the file is still the daemon's user's to write; raising it
 * is allowed to everybody, so it doesn't fail but where there is no /proc.
 */
IN_CHILD static void take_risk(const struct begin *begin)
{
    if (!begin->spared)
        return;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, OOM_FILE, O_WRONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return;
    (void)syscall(SYS_write, fd, "0", 1);
    (void)syscall(SYS_close, fd);
}

IN_CHILD static void take_limits(const struct begin *begin)
{
    const struct spawn_program *row = begin->row;
    if (begin->has_umask)
        (void)umask(begin->umask);
    for (size_t i = 0; i < row->limit_count; i++) {
        const struct spawn_limit *limit = &row->limit[i];
        const struct rlimit most = {.rlim_cur = limit->soft, .rlim_max = limit->hard};
        begin->shared->index = (int)i;
        if (syscall(SYS_prlimit64, 0, limit->resource, &most, NULL) != 0)
            fail(begin, SPAWN_STEP_limit);
    }
}

/* That the way back is closed is tried out, not assumed. */
IN_CHILD static void take_user(const struct begin *begin)
{
    const struct spawn_program *row = begin->row;
    if (!row->change_user)
        return;
    if (syscall(SYS_setgroups, row->group_count, row->groups) != 0)
        fail(begin, SPAWN_STEP_groups);
    if (syscall(SYS_setresgid, row->gid, row->gid, row->gid) != 0)
        fail(begin, SPAWN_STEP_group);
    if (syscall(SYS_setresuid, row->uid, row->uid, row->uid) != 0)
        fail(begin, SPAWN_STEP_user);
    if (row->uid == 0 || syscall(SYS_setuid, 0) != 0)
        return;
    errno = EPERM;
    fail(begin, SPAWN_STEP_user);
}

IN_CHILD static void tie(const struct begin *begin)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
        fail(begin, SPAWN_STEP_death);
    if (getppid() != begin->keeper) { /* it has died before this, and nobody tells us */
        errno = ESRCH;
        fail(begin, SPAWN_STEP_death);
    }
}

IN_CHILD static void take_privileges(const struct begin *begin)
{
    if (begin->row->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        fail(begin, SPAWN_STEP_privileges);
}

IN_CHILD static void enter(const struct begin *begin)
{
    if (begin->directory != NULL) {
        if (chdir(begin->directory) != 0)
            fail(begin, SPAWN_STEP_directory);
    } else if (begin->row->home != NULL && chdir(begin->row->home) != 0 && chdir("/") != 0)
        fail(begin, SPAWN_STEP_directory);
}

/* As execvp goes on: a place that hasn't got it, or one that may not be looked into. */
IN_CHILD static bool goes_on(int error)
{
    return error == ENOENT || error == ENOTDIR || error == EACCES || error == ESTALE ||
           error == ENODEV || error == ETIMEDOUT;
}

IN_CHILD static _Noreturn void become(const struct begin *begin)
{
    int best = ENOENT;
    for (size_t i = 0; begin->paths[i] != NULL; i++) {
        (void)execve(begin->paths[i], begin->argv, begin->env);
        if (errno == EACCES || !goes_on(errno))
            best = errno;
        if (!goes_on(errno))
            break;
    }
    errno = best;
    fail(begin, SPAWN_STEP_exec);
}

IN_CHILD static _Noreturn void child_main(const struct begin *begin)
{
    static const sigset_t none;
    if (setsid() < 0)
        fail(begin, SPAWN_STEP_session);
    if (begin->wait != NULL) {
        tie(begin);
        begin->wait(begin->arg);
    }
    take_pipes(begin);
    take_risk(begin);
    take_limits(begin);
    take_user(begin);
    tie(begin);
    take_privileges(begin);
    enter(begin);
    (void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, (size_t)8);
    become(begin);
}

bool begin_is_spared(void)
{
    char sign = '0';
    int fd = open(OOM_FILE, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool spared = read(fd, &sign, 1) == 1 && sign == '-';
    close(fd);
    return spared;
}

__attribute__((noinline)) IN_CHILD pid_t begin_program(const struct begin *begin)
{
    begin->shared->step = SPAWN_STEP_NONE;
    begin->shared->error = 0;
    pid_t pid = vfork(); // NOLINT(clang-analyzer-security.insecureAPI.vfork): it is for this
    if (pid == 0)
        child_main(begin);
    return pid;
}
