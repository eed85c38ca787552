// SPDX-License-Identifier: MIT
/*
 * A protocol for the tests of net: lines that each ask for one thing a session can do.
 *
 *     echo TEXT     writes TEXT and LF
 *     big N         writes N zero bytes by reference
 *     recv N        receives N bytes behind the line; writes their sum
 *     later         pauses; echo_release answers "released"
 *     timer N       pauses for N milliseconds; answers "time"
 *     hold A B      writes "held A B"; held until the gate's two lines have reached A and B
 *     asks          is no bystander for a while
 *     quit          ends
 *
 * Who finds no place is told "full".
 */
#ifndef ECHO_H
#define ECHO_H

#include "net/net.h"

struct echo_counts {
    atomic_int opened, closed, hangups, refs, refs_most;
    atomic_int paused;
    atomic_int released_late; /* releases that found their connection gone */
};

struct echo {
    struct echo_counts counts;
    /* of those that said "later", in order of saying it; a hold on the loop each */
    struct loop_message *_Atomic waiting[16];
    atomic_int waiting_count;
};

extern const struct net_protocol echo_protocol;

/* From any thread: answers waiting connection number `index`. */
void echo_release(struct echo *echo, int index);

#endif
