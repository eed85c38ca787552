// SPDX-License-Identifier: MIT
/*
 * What spawner and keepers do first, and alike: what they inherit from whoever started the daemon
 * must not reach a program.
 */
#include "spawn/spawn_priv.h"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

/* SIGCHLD interrupts a sleep, and does no more. */
static void nothing(int sig)
{
    (void)sig;
}

void spawn_settle_in(const char *name, sigset_t *unblocked)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t all;
    (void)setsid();
    (void)prctl(PR_SET_NAME, name, 0, 0, 0);
    sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    /* What an ancestor ignored would stay so in every program. */
    for (int sig = 1; sig <= SIGRTMAX; sig++)
        (void)sigaction(sig, &action, NULL);
    action.sa_handler = nothing;
    (void)sigaction(SIGCHLD, &action, NULL);
    *unblocked = all;
    sigdelset(unblocked, SIGCHLD);
}
