// SPDX-License-Identifier: MIT
/*
 * The clock. Every deadline of hilera is in nanoseconds of the monotonic clock; wall-clock time is
 * for people and for what must survive a restart. Tests replace the monotonic clock by one that
 * stands still until it is moved, so they never sleep: whoever waits with a deadline is told when
 * it moves.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define CLOCK_NEVER INT64_MAX /* a deadline that doesn't come; the same number as HL_FOREVER */

/* Nanoseconds of CLOCK_MONOTONIC, or of the virtual clock. */
int64_t clock_now_ns(void);

/* Nanoseconds since 1970 of CLOCK_REALTIME (under the virtual clock: a fixed start plus the virtual
 * time). */
int64_t clock_wall_ns(void);

/* now + timeout; CLOCK_NEVER for CLOCK_NEVER and wherever the sum would overflow; now for timeout
 * <= 0. */
int64_t clock_deadline(int64_t timeout_ns);

/* Tests only. Start: time stands at `now_ns`. Advance: moves it forward and calls the listeners, in
 * order of listening. */
void clock_virtual_start(int64_t now_ns);
void clock_virtual_advance(int64_t by_ns);
/* Sets the wall clock alone, by so much; until the virtual clock starts anew. */
void clock_virtual_step(int64_t by_ns);
void clock_virtual_stop(void);
bool clock_is_virtual(void);

/*
 * Called (without locks, on the moving thread) after each move of the virtual clock, its start and
 * stop included. Registered once, for ever; at most CLOCK_LISTENERS_MAX. A listener returns when
 * those it woke have seen the new time, where it can.
 */
#define CLOCK_LISTENERS_MAX 8
void clock_listen(void (*moved)(void));

#endif
