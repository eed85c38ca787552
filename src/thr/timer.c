// SPDX-License-Identifier: MIT
/*
 * Timers, built as Python builds them: a thread whose run is overridden, and an event that cancel
 * sets.
 *
 * The run waits for the event with the interval as timeout: time gone by means "call", the event
 * means "cancelled". The repeating form counts its moments from the start, not from the end of the
 * last call, so it does not drift.
 *
 * A timer is counted like a thread: one reference is the caller's, one the running thread's.
 */
#include "thr/thread_priv.h"

#include "thr/thr.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>

#define TIMER_MAGIC 0x74696d72u

struct hl_timer {
    unsigned magic;
    atomic_uint refs;
    hl_thread *thread;
    hl_event *finished; /* cancelled, or called for the last time */
    int64_t interval_ns;
    bool repeating;
    hl_thread_target function;
    void *arg;
};

static void timer_unref(hl_timer *timer)
{
    if (atomic_fetch_sub_explicit(&timer->refs, 1, memory_order_acq_rel) != 1)
        return;
    hl_thread_free(&timer->thread);
    hl_event_free(&timer->finished);
    MAGIC_WIPE(timer);
    free(timer);
}

/* Calls the function unless the timer was cancelled while it waited for that moment. */
static bool call_at(hl_timer *timer, int64_t moment_ns)
{
    (void)hl_event_wait(timer->finished,
                        moment_ns == CLOCK_NEVER ? HL_FOREVER : moment_ns - clock_now_ns());
    if (hl_event_is_set(timer->finished))
        return false;
    timer->function(timer->arg);
    return true;
}

static void run_once(hl_thread *self)
{
    hl_timer *timer = hl_thread_self_data(self);
    (void)call_at(timer, clock_deadline(timer->interval_ns));
    hl_event_set(timer->finished);
    timer_unref(timer);
}

/* The n-th moment of a repeating timer. One beyond all time is waited for like any other, until
 * cancel. */
static int64_t moment_after(int64_t start_ns, int64_t interval_ns, int64_t n)
{
    int64_t moment_ns;
    if (__builtin_mul_overflow(n, interval_ns, &moment_ns) ||
        __builtin_add_overflow(moment_ns, start_ns, &moment_ns))
        return CLOCK_NEVER;
    return moment_ns;
}

static void run_repeating(hl_thread *self)
{
    hl_timer *timer = hl_thread_self_data(self);
    int64_t start_ns = clock_now_ns();
    int64_t done = 0; /* intervals since the start that are behind us */
    while (call_at(timer, moment_after(start_ns, timer->interval_ns, done + 1))) {
        int64_t passed = (clock_now_ns() - start_ns) / timer->interval_ns;
        done = passed > done ? passed : done + 1;
    }
    hl_event_set(timer->finished);
    timer_unref(timer);
}

static int timer_new(hl_timer **out, const char *name, const struct hl_timer *like)
{
    hl_timer *timer = malloc(sizeof(*timer));
    if (timer == NULL)
        return ENOMEM;
    *timer = *like;
    MAGIC_INIT(timer, TIMER_MAGIC);
    atomic_init(&timer->refs, 1);

    char numbered[HL_THREAD_NAME_MAX];
    if (name == NULL) {
        thread_number_name(numbered, sizeof(numbered), "Timer");
        name = numbered;
    }
    struct hl_thread_options options = {
        .name = name, .run = timer->repeating ? run_repeating : run_once, .data = timer};
    int rc = hl_event_new(&timer->finished, name);
    if (rc == 0)
        rc = hl_thread_new(&timer->thread, &options);
    if (rc != 0) {
        timer_unref(timer);
        return rc;
    }
    *out = timer;
    return 0;
}

int hl_timer_new(hl_timer **out, const char *name, int64_t interval_ns, hl_thread_target function,
                 void *arg)
{
    return timer_new(out, name,
                     &(hl_timer){.interval_ns = interval_ns, .function = function, .arg = arg});
}

int hl_timer_new_repeating(hl_timer **out, const char *name, int64_t interval_ns,
                           hl_thread_target function, void *arg)
{
    if (interval_ns <= 0)
        return EINVAL;
    return timer_new(
        out, name,
        &(hl_timer){
            .interval_ns = interval_ns, .repeating = true, .function = function, .arg = arg});
}

int hl_timer_start(hl_timer *timer)
{
    MAGIC_CHECK(timer, TIMER_MAGIC);
    atomic_fetch_add(&timer->refs, 1);
    int rc = hl_thread_start(timer->thread);
    if (rc != 0)
        timer_unref(timer);
    return rc;
}

void hl_timer_cancel(hl_timer *timer)
{
    MAGIC_CHECK(timer, TIMER_MAGIC);
    hl_event_set(timer->finished);
}

int hl_timer_join(hl_timer *timer, int64_t timeout_ns)
{
    MAGIC_CHECK(timer, TIMER_MAGIC);
    return hl_thread_join(timer->thread, timeout_ns);
}

hl_thread *hl_timer_thread(hl_timer *timer)
{
    MAGIC_CHECK(timer, TIMER_MAGIC);
    return timer->thread;
}

void hl_timer_free(hl_timer **timer_ptr)
{
    if (*timer_ptr == NULL)
        return;
    hl_timer *timer;
    MAGIC_TAKE(timer, timer_ptr, TIMER_MAGIC);
    timer_unref(timer);
}
