// SPDX-License-Identifier: MIT
/*
 * The inside of a loop: what it turns over (loop.c), its timers (timers.c) and its inbox (inbox.c).
 *
 * Everything belongs to its thread, except what is marked "shared": the inbox, the wake flag,
 * counters (written by the loop, read by anybody), and what net_new fixed for good.
 *
 * Arrows: a connection and the whole stand on this; it knows only that they are there.
 */
#ifndef NET_LOOP_PRIV_H
#define NET_LOOP_PRIV_H

#include "base/clock.h"
#include "base/counter.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/magic.h"
#include "base/map.h"
#include "net/net.h"
#include "net/output_priv.h"
#include "thr/thr.h"

#include <event2/event.h>

#include <stdatomic.h>

/* ---- timers.c ---- */

struct loop_timer {
    int64_t at_ns;
    size_t pos; /* HEAP_NOWHERE: not set */
    void (*fire)(struct loop_timer *timer);
};

void timer_init(struct loop_timer *timer, void (*fire)(struct loop_timer *timer));
/* CLOCK_NEVER unsets. ENOMEM. */
int timer_set(struct loop *loop, struct loop_timer *timer, int64_t at_ns);

int timers_init(struct loop *loop);
void timers_fini(struct loop *loop);
/* Fires what is due. */
void timers_run(struct loop *loop);
/* Before sleeping: makes libevent wake the loop for the earliest. */
void timers_arm(struct loop *loop);

/* ---- inbox.c ---- */

int inbox_init(struct loop *loop);
void inbox_fini(struct loop *loop);
/* Delivers what is there. */
void inbox_drain(struct loop *loop);
/* Says that the loop is going to sleep; false: don't, something has come. */
bool inbox_may_sleep(struct loop *loop);
/* Wakes the loop in any case. From any thread. */
void inbox_ring(struct loop *loop);

/* ---- loop.c ---- */

#define LOOP_MAGIC 0x10093e01u

struct loop {
    unsigned magic;
    unsigned index;
    struct net *net;
    char name[16];
    hl_thread *thread;
    struct event_base *base;
    char *in; /* 2 * NET_READ_SIZE: what a connection kept, and what is read behind it */
    char scratch[CONN_SPACE_MAX]; /* where writes go that have no memory */
    struct outpool pool;
    struct list conns; /* of conn.node */
    struct list ready; /* of conn.ready: have input to execute without waiting for more */
    struct list_node
        ready_last;   /* behind those who were there when a turn began; others come behind */
    struct idmap ids; /* conn.id -> conn */
    uint64_t last_id;
    struct heap timers;
    struct event *tick; /* libevent's timer for the earliest of them */
    int64_t tick_at_ns;
    size_t holds;
    struct list held;     /* of conn.held_node: wait for the gate */
    struct net_mark want; /* the furthest of them; at least what they wait for */
    unsigned crowd;       /* turns that ended with more to do, lately */
    int ready_work;       /* commands that may still be executed for `ready` in this turn */
    bool gathering;       /* the gate wants one more look at the sockets before it does anything */
    unsigned looks;       /* it has had in a row */
    uint64_t looked_at;   /* held_count at the last look */
    int64_t now_ns;       /* clock_now_ns of this turn; 0: not looked at yet */
    int64_t bystander_ns; /* when a bystander was answered last; 0: never */
    size_t output_high;   /* net_settings.output_max */
    size_t output_low;    /* a reader that was too slow gets more when no more than this waits */
    bool asleep;          /* as `sleeping`, but nobody else clears it */
    bool stopping;
    struct loop_timer stop_timer;
    struct loop_message stop_message;
    int64_t stop_grace_ns;

    /* shared */
    _Atomic(struct loop_message *) inbox;
    atomic_bool sleeping;
    atomic_bool gated;   /* it holds connections */
    atomic_uint posters; /* threads inside loop_post */
    int wake_fd;
    struct event *wake_event;
    struct list_node registry_node; /* covered by the lock class loops */
    struct counter accepted, closed, bytes_in, bytes_out, turns, yields, stalls, held_count;
};

int loop_new(struct loop **out, struct net *net, unsigned index);
void loop_free(struct loop **loop);
int loop_start(struct loop *loop);
/* From another thread. */
void loop_stop(struct loop *loop, int64_t grace_ns);
void loop_join(struct loop *loop);

/* First thing in every callback of libevent: it isn't asleep any more. */
static inline void loop_awake(struct loop *loop)
{
    if (loop->asleep) {
        loop->asleep = false;
        loop->now_ns = 0;
        atomic_store(&loop->sleeping, false);
        hl_thread_wait_end();
    }
}

#endif
