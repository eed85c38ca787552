// SPDX-License-Identifier: MIT
/*
 * A child process: made with posix_spawn, waited for by its own pid, never by any.
 *
 * It leads a process group of its own, so that everything it starts can be signalled together. It
 * is collected last: as long as it is a zombie its number, and so that of its group, can't be given
 * to somebody else, and the group can be killed without fear of hitting a stranger.
 *
 * Its descriptors are the three pipes; all others of the daemon are close-on-exec. Its signal mask
 * is empty and its handlers are the default ones (the daemon ignores SIGPIPE and its workers block
 * everything).
 *
 * The limit of descriptors is set on the running child, at once after the spawn: posix_spawn has no
 * attribute for it, and lowering the daemon's own for the moment of the spawn would hit its other
 * threads. A program that reads its limit in its very first instructions may still see the daemon's
 * soft limit; the hard limit is the same for both, so nothing depends on it. A limit that a pool
 * asks for goes through the launcher instead, and is there from the first instruction.
 *
 * A job may ask for a umask. A child gets that of the thread which starts it, and a thread that has
 * unshared its file system attributes has one of its own: it sets it for the moment of the spawn,
 * and no other thread of the daemon notices. (A pool's umask goes through the launcher, like the
 * rest of what a pool asks for.)
 *
 * With a launcher (hilera-exec) two programs start in one process, and the first may fail where
 * posix_spawn no longer sees it; so the daemon listens at a pipe until the second one runs.
 */
#include "worker/exec_fault_priv.h"
#include "worker/worker_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PIPE_READ 0
#define PIPE_WRITE 1

void child_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Below that it would be in the way of the child's own three, or of the launcher's ear. */
static int above_stdio(int *fd)
{
    if (*fd > EXEC_FAULT_FD)
        return 0;
    int moved = fcntl(*fd, F_DUPFD_CLOEXEC, EXEC_FAULT_FD + 1);
    if (moved < 0)
        return errno;
    child_close(fd);
    *fd = moved;
    return 0;
}

/* Ours doesn't block; the child's does, as programs expect. */
static int pipe_make(int fds[2], int ours)
{
    if (pipe2(fds, O_CLOEXEC) != 0) {
        fds[0] = fds[1] = -1;
        return errno;
    }
    int rc = above_stdio(&fds[0]);
    if (rc == 0)
        rc = above_stdio(&fds[1]);
    if (rc == 0 && fcntl(fds[ours], F_SETFL, O_NONBLOCK) != 0)
        rc = errno;
    return rc;
}

/* `theirs`: input, output, errors, and the launcher's ear, -1 without one. */
#define THEIRS 4

static int actions_fill(posix_spawn_file_actions_t *actions, const struct child_spec *spec,
                        const int theirs[THEIRS])
{
    int rc = 0;
    for (int fd = 0; rc == 0 && fd < THEIRS; fd++)
        if (theirs[fd] >= 0)
            rc = posix_spawn_file_actions_adddup2(actions, theirs[fd], fd);
    if (rc == 0 && spec->directory != NULL)
        rc = posix_spawn_file_actions_addchdir_np(actions, spec->directory);
    return rc;
}

static int attributes_fill(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int rc = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                                      POSIX_SPAWN_SETSIGDEF);
    if (rc == 0)
        rc = posix_spawnattr_setpgroup(attributes, 0);
    if (rc == 0)
        rc = posix_spawnattr_setsigmask(attributes, &none);
    if (rc == 0)
        rc = posix_spawnattr_setsigdefault(attributes, &all);
    return rc;
}

static int spawn_now(struct child *child, const struct child_spec *spec, char *const *argv,
                     const int theirs[THEIRS])
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int rc = posix_spawn_file_actions_init(&actions);
    if (rc != 0)
        return rc;
    rc = posix_spawnattr_init(&attributes);
    if (rc != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return rc;
    }
    rc = actions_fill(&actions, spec, theirs);
    if (rc == 0)
        rc = attributes_fill(&attributes);
    if (rc == 0 && spec->path != NULL && argv == spec->argv)
        rc = posix_spawn(&child->pid, spec->path, &actions, &attributes, argv, spec->env);
    else if (rc == 0)
        rc = posix_spawnp(&child->pid, argv[0], &actions, &attributes, argv, spec->env);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return rc;
}

/* Under a umask of its own: see above. */
static int spawn(struct child *child, const struct child_spec *spec, char *const *argv,
                 const int theirs[THEIRS])
{
    static _Thread_local bool own;
    if (!spec->has_umask)
        return spawn_now(child, spec, argv, theirs);
    if (!own && unshare(CLONE_FS) != 0)
        return errno;
    own = true;
    mode_t before = umask(spec->umask);
    int rc = spawn_now(child, spec, argv, theirs);
    (void)umask(before);
    return rc;
}

/* What follows the spawn. Programs that changed their user may not be touched: they keep ours. */
static int adopt(struct child *child, const struct child_spec *spec)
{
    struct rlimit limit;
    if (spec->nofile != 0 && prlimit(child->pid, RLIMIT_NOFILE, NULL, &limit) == 0) {
        limit.rlim_cur = spec->nofile < limit.rlim_max ? spec->nofile : limit.rlim_max;
        (void)prlimit(child->pid, RLIMIT_NOFILE, &limit, NULL);
    }
    child->pid_fd = pidfd_open(child->pid, 0);
    return child->pid_fd >= 0 ? 0 : errno;
}

/* ---- the launcher ---- */

static size_t count_of(char *const *list)
{
    size_t count = 0;
    while (list[count] != NULL)
        count++;
    return count;
}

/* The launcher's arguments, and then the program's. */
static char **launched_argv(const struct child_spec *spec)
{
    size_t own = count_of(spec->launcher), program = count_of(spec->argv);
    char **argv = malloc((own + program + 1) * sizeof(*argv));
    if (argv == NULL)
        return NULL;
    memcpy(argv, spec->launcher, own * sizeof(*argv));
    memcpy(argv + own, spec->argv, (program + 1) * sizeof(*argv));
    /* The launcher has one name for the file and for argv[0]. */
    if (spec->path != NULL)
        argv[own] = (char *)(uintptr_t)spec->path;
    return argv;
}

/* Waits until the program has begun or can't: the launcher says which, by closing its end. */
static int launcher_listen(int fd, char doing[CHILD_DOING_MAX])
{
    struct exec_fault fault;
    ssize_t got;
    do
        got = read(fd, &fault, sizeof(fault));
    while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof(fault))
        return 0; /* it began, or was killed, which its status tells */
    snprintf(doing, CHILD_DOING_MAX, "%.*s", (int)sizeof(fault.doing), fault.doing);
    return fault.error;
}

static int spawn_launched(struct child *child, const struct child_spec *spec,
                          const int theirs[THEIRS - 1], char doing[CHILD_DOING_MAX])
{
    int ear[2] = {-1, -1};
    char **argv = launched_argv(spec);
    int rc = argv == NULL ? ENOMEM : pipe_make(ear, PIPE_WRITE);
    if (rc == 0)
        rc = spawn(child, spec, argv,
                   (const int[THEIRS]){theirs[0], theirs[1], theirs[2], ear[PIPE_WRITE]});
    child_close(&ear[PIPE_WRITE]);
    if (rc == 0) {
        rc = launcher_listen(ear[PIPE_READ], doing);
        if (rc != 0)
            (void)child_collect(child, NULL);
    }
    child_close(&ear[PIPE_READ]);
    free(argv);
    return rc;
}

int child_spawn(struct child *child, const struct child_spec *spec, char doing[CHILD_DOING_MAX])
{
    doing[0] = '\0';
    int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1};
    *child =
        (struct child){.pid = -1, .pid_fd = -1, .in = -1, .out = -1, .err = -1, .theirs = {-1, -1}};
    int rc = pipe_make(in, PIPE_WRITE);
    if (rc == 0)
        rc = pipe_make(out, PIPE_READ);
    if (rc == 0)
        rc = pipe_make(err, PIPE_READ);
    if (rc == 0)
        rc = spec->launcher != NULL
                 ? spawn_launched(
                       child, spec,
                       (const int[THEIRS - 1]){in[PIPE_READ], out[PIPE_WRITE], err[PIPE_WRITE]},
                       doing)
                 : spawn(child, spec, spec->argv,
                         (const int[THEIRS]){in[PIPE_READ], out[PIPE_WRITE], err[PIPE_WRITE], -1});
    child_close(&in[PIPE_READ]);
    child->in = in[PIPE_WRITE];
    child->out = out[PIPE_READ];
    child->err = err[PIPE_READ];
    child->theirs[0] = out[PIPE_WRITE];
    child->theirs[1] = err[PIPE_WRITE];
    if (rc != 0 || !spec->keep)
        child_let_go(child);
    if (rc != 0) {
        child_close(&child->in);
        child_close(&child->out);
        child_close(&child->err);
        return rc;
    }
    rc = adopt(child, spec);
    if (rc != 0)
        (void)child_collect(child, NULL);
    return rc;
}

void child_let_go(struct child *child)
{
    child_close(&child->theirs[0]);
    child_close(&child->theirs[1]);
}

void child_signal(const struct child *child, int sig)
{
    /* ESRCH can't be: the leader isn't collected. EPERM: all of them changed their user. */
    (void)kill(-child->pid, sig);
}

static int64_t time_ns(const struct timeval *time)
{
    return (int64_t)time->tv_sec * HL_SECOND + (int64_t)time->tv_usec * 1000;
}

int child_collect(struct child *child, struct job_usage *usage)
{
    child_signal(child, SIGKILL);
    int status = 0;
    struct rusage used;
    while (wait4(child->pid, &status, 0, &used) < 0)
        ASSERT(errno == EINTR);
    if (usage != NULL)
        *usage = (struct job_usage){.user_ns = time_ns(&used.ru_utime),
                                    .system_ns = time_ns(&used.ru_stime),
                                    .max_rss = (uint64_t)used.ru_maxrss * 1024}; /* it is in KiB */
    child_close(&child->in);
    child_close(&child->out);
    child_close(&child->err);
    child_let_go(child);
    child_close(&child->pid_fd);
    return status;
}
