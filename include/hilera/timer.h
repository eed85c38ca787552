// SPDX-License-Identifier: MIT
/*
 * Timer: a thread that calls a function after an interval, unless cancelled; Python's
 * threading.Timer. And a form that repeats without drift, for housekeeping.
 *
 * A timer is a thread with its run overridden and an event inside: hl_timer_thread gives that
 * thread for name, daemon flag, join and is_alive. It starts once.
 */
#ifndef HILERA_TIMER_H
#define HILERA_TIMER_H

#include <hilera/thread.h>

HL_BEGIN_DECLS

typedef struct hl_timer hl_timer;

/* Calls function(arg) once, `interval_ns` after start (0 or less: at once). `name` NULL: "Timer-N".
 * ENOMEM. */
HL_API int hl_timer_new(hl_timer **out, const char *name, int64_t interval_ns,
                        hl_thread_target function, void *arg);

/*
 * Calls function(arg) at start + 1, 2, 3 ... intervals, on time even if a call took long; a moment
 * that passed while a call was running is left out, not made up for. EINVAL: the interval is not
 * positive. ENOMEM.
 */
HL_API int hl_timer_new_repeating(hl_timer **out, const char *name, int64_t interval_ns,
                                  hl_thread_target function, void *arg);

/* As hl_thread_start: EALREADY, EAGAIN. */
HL_API int hl_timer_start(hl_timer *timer);

/*
 * The function isn't called (again) if it isn't running now. Before start: it starts and ends at
 * once, calling nothing. During the call, or after: no effect on that call. Does not wait; join
 * does.
 */
HL_API void hl_timer_cancel(hl_timer *timer);

/* As hl_thread_join. */
HL_API int hl_timer_join(hl_timer *timer, int64_t timeout_ns);

/* Its thread; not a new reference, valid until hl_timer_free. */
HL_API hl_thread *hl_timer_thread(hl_timer *timer);

/* Drops the caller's hold; a running timer goes on and cleans up when it ends. Doesn't cancel. */
HL_API void hl_timer_free(hl_timer **timer);

HL_END_DECLS

#endif
