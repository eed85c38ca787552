// SPDX-License-Identifier: MIT
/*
 * What a process inherits from whoever started it, put in order.
 *
 * A daemon may be started with closed standard descriptors, with signals ignored (nohup) or blocked
 * (a careless supervisor), and with a low limit on descriptors. None of that is to be seen by the
 * rest of the program, or by the processes it starts.
 */
#include "daemon/daemon_priv.h"

#include "base/assert.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

int process_stdio(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            continue;
        /* The lowest free number is the one that is missing. */
        int null = open("/dev/null", O_RDWR | O_NOCTTY);
        if (null < 0)
            return errno;
        ASSERT(null == fd);
    }
    /* Whatever else came along is for nobody: not for the jobs' programs. */
    return close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) != 0 ? errno : 0;
}

void process_signals(void)
{
    static const int awaited[] = SIGNALS_AWAITED;
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t blocked;
    sigemptyset(&action.sa_mask);
    sigemptyset(&blocked);
    /* Ignored by an ancestor, they would be ignored here and in every handler's process too; and
     * with SIGCHLD ignored no exit status could be collected. */
    static const int inherited[] = {SIGCHLD, SIGALRM, SIGUSR2, SIGTTIN, SIGTTOU, SIGTSTP};
    for (size_t i = 0; i < sizeof(inherited) / sizeof(inherited[0]); i++)
        MUST(sigaction(inherited[i], &action, NULL));
    for (size_t i = 0; i < sizeof(awaited) / sizeof(awaited[0]); i++) {
        MUST(sigaction(awaited[i], &action, NULL));
        sigaddset(&blocked, awaited[i]);
    }
    action.sa_handler = SIG_IGN;
    MUST(sigaction(SIGPIPE, &action, NULL));
    MUST(pthread_sigmask(SIG_SETMASK, &blocked, NULL));
}

void process_descriptors(uint64_t needed, uint64_t *before)
{
    struct rlimit limit;
    MUST(getrlimit(RLIMIT_NOFILE, &limit) != 0 ? errno : 0);
    *before = limit.rlim_cur;
    struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
    if (raised.rlim_max < needed)
        raised.rlim_cur = raised.rlim_max = needed; /* root may */
    if (setrlimit(RLIMIT_NOFILE, &raised) != 0) {
        raised.rlim_cur = raised.rlim_max = limit.rlim_max;
        MUST(setrlimit(RLIMIT_NOFILE, &raised) != 0 ? errno : 0);
    }
    if (raised.rlim_cur < needed)
        log_warning("the limit on descriptors is %" PRIu64 ", and max_connections with the rest "
                    "may need %" PRIu64 ": past the limit, callers wait; raise it (LimitNOFILE=, "
                    "ulimit -n), or lower max_connections",
                    (uint64_t)raised.rlim_cur, needed);
}
