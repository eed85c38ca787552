// SPDX-License-Identifier: MIT
/*
 * What a process inherits from whoever started it, put in order.
 *
 * A daemon may be started with closed standard descriptors, with others open that are nobody's
 * business, with signals ignored or blocked (a careless supervisor), and with a low limit on
 * descriptors. None of that is to be seen by the rest
 * of the program, or by the processes it starts. But who starts it with nohup, or in the background
 * of a script, means that it ignores SIGHUP or SIGINT: it does, and its jobs' programs don't.
 *
 * In a container it may be the first process. Then whoever loses its parent there becomes its
 * child, and stays as a zombie until it is collected. What jobs leave behind isn't among these: it
 * comes to keepers and the spawner. The spawner is the daemon's only child of its own, and nobody
 * asks how that ended.
 */
#include "daemon/daemon_priv.h"
#include "daemon/process_priv.h"

#include "base/assert.h"
#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_PROCESS 1 /* of the system, or of a container */

int process_stdio(void)
{
    /* A limit on the size of files is a full disk: EFBIG, and no end of the process. */
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    MUST(sigaction(SIGXFSZ, &ignore, NULL) != 0 ? errno : 0);
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            continue;
        /* The lowest free number is the one that is missing. */
        int null = open("/dev/null", O_RDWR | O_NOCTTY);
        if (null < 0)
            return errno;
        ASSERT(null == fd);
    }
    return 0;
}

int process_close(int keep)
{
    DIR *list = opendir("/proc/self/fd");
    if (list == NULL) /* they are nobody's at least */
        return close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) != 0 ? errno : 0;
    const struct dirent *entry;
    while ((entry = readdir(list)) != NULL) {
        int fd = atoi(entry->d_name);
        /* What has that flag didn't come through exec: a library has opened it in this process. */
        if (fd > STDERR_FILENO && fd != keep && fcntl(fd, F_GETFD) == 0)
            close(fd);
    }
    closedir(list);
    return 0;
}

static sigset_t awaited;
static bool on_terminal;

static bool is_ignored(int signal)
{
    struct sigaction action;
    MUST(sigaction(signal, NULL, &action) != 0 ? errno : 0);
    return action.sa_handler == SIG_IGN;
}

/* One that is ignored isn't queued for a descriptor either, as long as it isn't blocked. */
static void await_signal(int signal)
{
    const struct sigaction plain = {.sa_handler = SIG_DFL};
    if ((signal == SIGHUP || signal == SIGINT) && is_ignored(signal))
        return;
    MUST(sigaction(signal, &plain, NULL) != 0 ? errno : 0);
    sigaddset(&awaited, signal);
}

void process_signals(void)
{
    const struct sigaction plain = {.sa_handler = SIG_DFL}, ignore = {.sa_handler = SIG_IGN};
    /* Ignored by an ancestor, they would be ignored here and in every handler's process too; and
     * with SIGCHLD ignored no exit status could be collected. */
    static const int inherited[] = {SIGCHLD, SIGALRM, SIGUSR2, SIGTTIN, SIGTTOU, SIGTSTP, SIGABRT};
    static const int waited_for[] = SIGNALS_AWAITED;
    for (size_t i = 0; i < sizeof(inherited) / sizeof(inherited[0]); i++)
        MUST(sigaction(inherited[i], &plain, NULL) != 0 ? errno : 0);
    sigemptyset(&awaited);
    for (size_t i = 0; i < sizeof(waited_for) / sizeof(waited_for[0]); i++)
        await_signal(waited_for[i]);
    if (getpid() == FIRST_PROCESS)
        sigaddset(&awaited, SIGCHLD);
    MUST(sigaction(SIGPIPE, &ignore, NULL) != 0 ? errno : 0);
    MUST(pthread_sigmask(SIG_SETMASK, &awaited, NULL));
    int terminal = open("/dev/tty", O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    on_terminal = terminal >= 0;
    if (on_terminal)
        close(terminal);
}

void process_collect(void)
{
    if (getpid() != FIRST_PROCESS)
        return;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        continue;
}

const sigset_t *process_awaited(void)
{
    return &awaited;
}

bool process_on_terminal(void)
{
    return on_terminal;
}

/* Those that are open now. 0: it isn't known. */
static uint64_t descriptors_open(void)
{
    DIR *list = opendir("/proc/self/fd");
    uint64_t count = 0;
    if (list == NULL)
        return 0;
    const struct dirent *entry;
    while ((entry = readdir(list)) != NULL)
        count += entry->d_name[0] != '.';
    closedir(list);
    return count - 1; /* without the list's own */
}

void process_descriptors_suffice(uint64_t one, uint64_t all)
{
    struct rlimit limit;
    MUST(getrlimit(RLIMIT_NOFILE, &limit) != 0 ? errno : 0);
    uint64_t open = descriptors_open();
    uint64_t left = limit.rlim_cur > open ? limit.rlim_cur - open : 0;
    if (all == 0 || left >= all)
        return;
    log_warning("the pools need %" PRIu64
                " descriptors to run all their programs at once, and %" PRIu64
                " are left of %" PRIu64 "%s; raise the limit (LimitNOFILE=, ulimit -n)",
                all, left, (uint64_t)limit.rlim_cur,
                left < one ? ": no program can be started" : ", for connections, too");
}

void process_descriptors(uint64_t needed)
{
    struct rlimit limit;
    MUST(getrlimit(RLIMIT_NOFILE, &limit) != 0 ? errno : 0);
    struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
    if (raised.rlim_max < needed)
        raised.rlim_cur = raised.rlim_max = needed; /* root may */
    if (setrlimit(RLIMIT_NOFILE, &raised) != 0) {
        raised.rlim_cur = raised.rlim_max = limit.rlim_max;
        MUST(setrlimit(RLIMIT_NOFILE, &raised) != 0 ? errno : 0);
    }
    if (raised.rlim_cur < needed)
        log_warning("the limit on descriptors is %" PRIu64 ", and max_connections with the rest "
                    "may need %" PRIu64 ": fewer connections are taken; raise it (LimitNOFILE=, "
                    "ulimit -n), or lower max_connections",
                    (uint64_t)raised.rlim_cur, needed);
}
