// SPDX-License-Identifier: MIT
/*
 * One event loop: a thread that serves its share of the connections.
 *
 * A turn: messages, connections that have input left over from the last turn, timers that are due,
 * answers that had to wait (gate.c), then libevent: with events at hand they are handled, without
 * any, and with nothing left over, it sleeps (unless the gate gathers). Left-over work is taken as
 * it stands at the start of the turn, so what a connection adds to it waits until the sockets of
 * the others were looked at; and no more of it than READY_WORK, so they are looked at soon, however
 * many have work left over. Messages are looked for after each event, too.
 *
 * Ending: told to stop, it lets each connection write what was answered, closes it, and goes on
 * until the last one is gone and the last message that was promised (loop_hold) has come.
 */
#include "net/conn_priv.h"
#include "net/loop_priv.h"
#include "net/net_priv.h"
#include "net/output_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Small commands that are executed for those who have input left over, between two looks at the
 * sockets: a few milliseconds. */
#define READY_WORK 4096

static void loop_ready(struct loop *loop)
{
    struct list_node *last = &loop->ready_last;
    list_append(&loop->ready, last);
    loop->ready_work = READY_WORK;
    struct list_node *node;
    while (loop->ready_work > 0 && (node = list_first(&loop->ready)) != NULL && node != last) {
        list_remove(node);
        conn_run_ready(CONTAINER_OF(node, struct conn, ready));
    }
    list_remove(last);
    loop->crowd /= 2;
}

static bool loop_done(const struct loop *loop)
{
    return loop->stopping && list_empty(&loop->conns) && loop->holds == 0;
}

static void loop_run(void *arg)
{
    struct loop *loop = arg;
    MAGIC_CHECK(loop, LOOP_MAGIC);
    for (;;) {
        loop->now_ns = 0;
        inbox_drain(loop);
        loop_ready(loop);
        timers_run(loop);
        gate_turn(loop);
        if (loop_done(loop))
            return;
        counter_add(&loop->turns, 1);
        if (list_empty(&loop->ready) && !loop->gathering && inbox_may_sleep(loop)) {
            timers_arm(loop);
            hl_thread_wait_begin("network", loop->name);
            (void)event_base_loop(loop->base, EVLOOP_ONCE);
            loop_awake(loop);
        } else {
            (void)event_base_loop(loop->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
        }
    }
}

/* ---- ending ---- */

static void loop_close_all(struct loop_timer *timer)
{
    struct loop *loop = CONTAINER_OF(timer, struct loop, stop_timer);
    struct list_node *node;
    while ((node = list_first(&loop->conns)) != NULL)
        conn_close(CONTAINER_OF(node, struct conn, node));
}

static void loop_stop_here(struct loop_message *message, void *session)
{
    (void)session;
    struct loop *loop = CONTAINER_OF(message, struct loop, stop_message);
    loop->stopping = true;
    if (timer_set(loop, &loop->stop_timer, clock_deadline(loop->stop_grace_ns)) != 0)
        loop_close_all(&loop->stop_timer);
    struct list_node *next;
    for (struct list_node *node = list_first(&loop->conns); node != NULL; node = next) {
        next = list_next(&loop->conns, node);
        struct conn *conn = CONTAINER_OF(node, struct conn, node);
        conn_finish(conn);
        conn_settle(conn);
    }
}

void loop_stop(struct loop *loop, int64_t grace_ns)
{
    MAGIC_CHECK(loop, LOOP_MAGIC);
    loop->stop_grace_ns = grace_ns;
    loop->stop_message = (struct loop_message){.to = {.loop = loop}, .deliver = loop_stop_here};
    loop_post(&loop->stop_message);
}

void loop_join(struct loop *loop)
{
    MAGIC_CHECK(loop, LOOP_MAGIC);
    if (loop->thread != NULL)
        MUST(hl_thread_join(loop->thread, HL_FOREVER));
}

/* ---- making ---- */

/* What libevent said last, for when it gives up. */
static _Thread_local char libevent_said[256];

/* libevent speaks of what the system refused it; else it would write to stderr itself. */
static void libevent_says(int severity, const char *text)
{
    if (severity == EVENT_LOG_WARN)
        log_warning("libevent: %s", text);
    else if (severity > EVENT_LOG_WARN)
        snprintf(libevent_said, sizeof(libevent_said), "%s", text);
}

/* It would call exit() or abort(), with threads of ours around. What is acknowledged is in the
 * journal: the end at once loses nothing. */
static void libevent_gives_up(int error)
{
    (void)error;
    log_error("libevent gave up: %s", libevent_said);
    log_flush(HL_SECOND);
    _exit(EXIT_FAILURE);
}

static int base_make(struct loop *loop)
{
    event_set_log_callback(libevent_says);
    event_set_fatal_callback(libevent_gives_up);
    struct event_config *config = event_config_new();
    if (config == NULL)
        return ENOMEM;
    /* One thread uses it: no locks. Its cached time would cost a clock call a turn. */
    (void)event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    (void)event_config_set_flag(config, EVENT_BASE_FLAG_NO_CACHE_TIME);
    (void)event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV);
    loop->base = event_base_new_with_config(config);
    event_config_free(config);
    return loop->base == NULL ? ENOMEM : 0;
}

static int loop_make(struct loop *loop)
{
    int rc = base_make(loop);
    if (rc == 0)
        rc = timers_init(loop);
    if (rc == 0)
        rc = inbox_init(loop);
    if (rc == 0 && (loop->in = malloc(2 * NET_READ_SIZE)) == NULL)
        rc = ENOMEM;
    const struct hl_thread_options options = {
        .target = loop_run, .arg = loop, .name = loop->name, .daemon = HL_DAEMON_NO};
    return rc == 0 ? hl_thread_new(&loop->thread, &options) : rc;
}

int loop_new(struct loop **out, struct net *net, unsigned index)
{
    struct loop *loop = calloc(1, sizeof(*loop));
    if (loop == NULL)
        return ENOMEM;
    MAGIC_INIT(loop, LOOP_MAGIC);
    loop->net = net;
    size_t output_max = net->settings.output_max;
    loop->output_high = output_max != 0 ? output_max : NET_OUTPUT_HIGH;
    loop->output_low = loop->output_high / 4;
    loop->index = index;
    loop->wake_fd = -1;
    snprintf(loop->name, sizeof(loop->name), "io-%u", index);
    list_init(&loop->conns);
    list_init(&loop->ready);
    list_node_init(&loop->ready_last);
    list_init(&loop->held);
    list_node_init(&loop->registry_node);
    idmap_init(&loop->ids);
    timer_init(&loop->stop_timer, loop_close_all);
    int rc = loop_make(loop);
    if (rc != 0) {
        loop_free(&loop);
        return rc;
    }
    *out = loop;
    return 0;
}

void loop_free(struct loop **pointer)
{
    if (*pointer == NULL)
        return;
    struct loop *loop;
    MAGIC_TAKE(loop, pointer, LOOP_MAGIC);
    ASSERT(list_empty(&loop->conns));
    if (loop->thread != NULL)
        hl_thread_free(&loop->thread);
    inbox_fini(loop);
    timers_fini(loop);
    if (loop->base != NULL)
        event_base_free(loop->base);
    idmap_fini(&loop->ids);
    outpool_fini(&loop->pool);
    free(loop->in);
    MAGIC_WIPE(loop);
    free(loop);
}

int loop_start(struct loop *loop)
{
    MAGIC_CHECK(loop, LOOP_MAGIC);
    return hl_thread_start(loop->thread);
}
