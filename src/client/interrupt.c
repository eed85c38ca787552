// SPDX-License-Identifier: MIT
/*
 * Ctrl-C: the first one is a request to leave, the second one ends the program.
 *
 * The handler writes a byte to a pipe that nobody reads: its other end stays readable, so every
 * wait that looks at it, now or later, ends. No wait can miss it by a moment, as one with a flag
 * alone could. What doesn't look (a lookup of a host's name, a write to a full pipe) is left by the
 * second Ctrl-C.
 */

#include "client/tool_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

static int interrupt_pipe[2] = {-1, -1};
static volatile sig_atomic_t interrupt_came;

static void interrupt_ask(int sig)
{
    int saved = errno;
    (void)sig;
    if (interrupt_came)
        return;
    interrupt_came = 1;
    if (write(interrupt_pipe[1], "", 1) != 1)
        _exit(EXIT_CODE_INTERRUPTED);
    errno = saved;
}

static void interrupt_handle(int sig)
{
    if (interrupt_came)
        _exit(EXIT_CODE_INTERRUPTED);
    interrupt_ask(sig);
}

bool signal_ignored(int sig)
{
    struct sigaction now;
    return sigaction(sig, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

void interrupt_catch(void)
{
    struct sigaction action = {.sa_handler = interrupt_handle};
    if (interrupt_pipe[0] >= 0)
        return;
    /* A shell starts background jobs with SIGINT ignored; that is left so. */
    if (signal_ignored(SIGINT))
        return;
    /* Without the pipe SIGINT keeps its default, which also ends the program. */
    if (pipe2(interrupt_pipe, O_CLOEXEC) != 0)
        return;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
}

void interrupt_catch_also(int sig)
{
    struct sigaction action = {.sa_handler = interrupt_ask};
    interrupt_catch();
    if (interrupt_pipe[0] < 0 && pipe2(interrupt_pipe, O_CLOEXEC) != 0)
        return;
    sigemptyset(&action.sa_mask);
    sigaction(sig, &action, NULL);
}

void interrupt_forget(void)
{
    char byte;
    if (!interrupt_came)
        return;
    ssize_t got = read(interrupt_pipe[0], &byte, 1);
    (void)got; /* it came with a byte */
    interrupt_came = 0;
}

int interrupt_fd(void)
{
    return interrupt_pipe[0];
}

bool interrupted(void)
{
    return interrupt_came;
}

int interrupt_wait(int fd)
{
    struct pollfd fds[] = {{.fd = fd, .events = POLLIN},
                           {.fd = interrupt_pipe[0], .events = POLLIN}};
    for (;;) {
        int ready = poll(fds, 2, -1);
        if (ready < 0 && errno != EINTR)
            return errno;
        if (ready > 0 && fds[1].revents != 0)
            return EINTR;
        if (ready > 0)
            return 0;
    }
}
