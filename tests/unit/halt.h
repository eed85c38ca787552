// SPDX-License-Identifier: MIT
/*
 * Halting a loop at a known place, for tests of what happens in which order: while it halts, the
 * test sends what shall be there at once, and does what another thread could do at that moment.
 */
#ifndef HALT_H
#define HALT_H

#include "net/net.h"

enum halt_at {
    HALT_NOWHERE,
    HALT_OPEN, /* where a connection is accepted; messages are not looked at after it */
    HALT_INPUT /* where input is executed; messages are delivered after it */
};

/* That protocol, with the places in it. One at a time. */
const struct net_protocol *halt_protocol(const struct net_protocol *protocol);
/* The next connection, or the next input of any, halts its loop. Also while it halts elsewhere. */
void halt_next(enum halt_at at);
/* Until it halts; fails the test if it doesn't. */
void halt_wait(void);
/* It goes on. */
void halt_end(void);

#endif
