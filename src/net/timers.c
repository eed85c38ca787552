// SPDX-License-Identifier: MIT
/*
 * Timers of one loop: a heap of deadlines by base/clock, and one timer of libevent for the
 * earliest.
 *
 * libevent's timer is left alone when the earliest deadline moves away: it then wakes the loop once
 * for nothing, which is cheaper than to re-arm it each time somebody sets and unsets a deadline. It
 * is coarse (some milliseconds): a loop that woke too early arms it again for what is left. Under
 * the virtual clock it isn't used at all; the moving clock rings the loop (inbox.c).
 */
#include "net/loop_priv.h"

#include <errno.h>

static bool timer_less(const void *a, const void *b, const void *arg)
{
    (void)arg;
    return ((const struct loop_timer *)a)->at_ns < ((const struct loop_timer *)b)->at_ns;
}

static void timer_moved(void *item, size_t pos)
{
    ((struct loop_timer *)item)->pos = pos;
}

static void tick_fired(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct loop *loop = arg;
    loop_awake(loop);
    loop->tick_at_ns = CLOCK_NEVER;
}

void timer_init(struct loop_timer *timer, void (*fire)(struct loop_timer *timer))
{
    *timer = (struct loop_timer){.at_ns = CLOCK_NEVER, .pos = HEAP_NOWHERE, .fire = fire};
}

int timer_set(struct loop *loop, struct loop_timer *timer, int64_t at_ns)
{
    timer->at_ns = at_ns;
    if (at_ns == CLOCK_NEVER) {
        if (timer->pos != HEAP_NOWHERE)
            heap_remove(&loop->timers, timer->pos);
        return 0;
    }
    if (timer->pos == HEAP_NOWHERE)
        return heap_insert(&loop->timers, timer);
    heap_update(&loop->timers, timer->pos);
    return 0;
}

int timers_init(struct loop *loop)
{
    heap_init(&loop->timers, timer_less, NULL, timer_moved);
    loop->tick_at_ns = CLOCK_NEVER;
    loop->tick = evtimer_new(loop->base, tick_fired, loop);
    return loop->tick == NULL ? ENOMEM : 0;
}

void timers_fini(struct loop *loop)
{
    if (loop->tick != NULL)
        event_free(loop->tick);
    heap_fini(&loop->timers);
}

void timers_run(struct loop *loop)
{
    struct loop_timer *timer = heap_first(&loop->timers);
    if (timer == NULL)
        return;
    int64_t now_ns = clock_now_ns();
    for (; timer != NULL && timer->at_ns <= now_ns; timer = heap_first(&loop->timers)) {
        heap_pop(&loop->timers);
        timer->at_ns = CLOCK_NEVER;
        timer->fire(timer);
    }
}

void timers_arm(struct loop *loop)
{
    const struct loop_timer *first = heap_first(&loop->timers);
    if (first == NULL || first->at_ns >= loop->tick_at_ns || clock_is_virtual())
        return;
    int64_t left_ns = first->at_ns - clock_now_ns();
    if (left_ns < 0)
        left_ns = 0;
    /* rounded up to what epoll can wait for, lest the last millisecond be spent spinning */
    int64_t left_us = left_ns / HL_MICROSECOND + 1000;
    struct timeval tv = {.tv_sec = left_us / 1000000, .tv_usec = left_us % 1000000};
    if (evtimer_add(loop->tick, &tv) == 0)
        loop->tick_at_ns = first->at_ns;
}
