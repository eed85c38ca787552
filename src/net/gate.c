// SPDX-License-Identifier: MIT
/*
 * The gate of a loop: connections whose answers must wait.
 *
 * A held connection is like one whose answers aren't read: it keeps its output, executes nothing,
 * and goes on reading into memory up to its limit, so that nothing about it changes in epoll. Once
 * a turn, when all events of it were handled, the loop tells the gate how far it wants to be, which
 * is how one commit serves all connections of a turn; then it lets go of those that it was reached
 * for, in the order in which they came.
 *
 * Gathering: clients that were answered together ask again one after the other, while the loop is
 * already through with those that were quick; the rest would miss the commit by a few microseconds
 * and wait for two. So the gate may look at the sockets again before it asks, as long as each look
 * finds more to hold, but LOOKS_MAX times at most. A look is one system call; it saves a sync to
 * those who would have come late.
 *
 * Bystanders: what a gate does may take long, and it may do it on the loop's thread. Those who wait
 * for it wait in any case; who only looks (a probe, a list) shouldn't. So the loop notes when it
 * answered a connection that has had nothing to do with the gate for a while.
 *
 * Sleeping: the loop says that it sleeps, then looks at the gate once more; who has reached
 * something publishes it, then looks who sleeps. Both are sequentially consistent, so one of them
 * sees the other. (The same as with the inbox.)
 */
#include "net/conn_priv.h"
#include "net/loop_priv.h"
#include "net/net_priv.h"

#include "base/clock.h"

/* After the third nearly everybody is there (measured with 8 to 256 connections), and who was first
 * waits no longer than it takes to execute what came meanwhile. */
#define LOOKS_MAX 3

static bool mark_reached(const struct net_mark *mark, const struct net_mark *reached)
{
    bool all = true;
    for (int i = 0; i < NET_GATE_LINES; i++)
        all = all && mark->line[i] <= reached->line[i];
    return all;
}

static void mark_raise(struct net_mark *mark, const struct net_mark *by)
{
    for (int i = 0; i < NET_GATE_LINES; i++)
        if (by->line[i] > mark->line[i])
            mark->line[i] = by->line[i];
}

static int64_t loop_now(struct loop *loop)
{
    if (loop->now_ns == 0)
        loop->now_ns = clock_now_ns();
    return loop->now_ns;
}

void conn_asks(struct conn *conn)
{
    MAGIC_CHECK(conn, CONN_MAGIC);
    if (conn->loop->net->settings.gate != NULL)
        conn->asked_ns = loop_now(conn->loop);
}

void gate_look(struct conn *conn)
{
    struct loop *loop = conn->loop;
    if (loop->net->settings.gate == NULL || conn->paused || conn_is_held(conn))
        return;
    int64_t now_ns = loop_now(loop);
    if (now_ns - conn->asked_ns >= NET_BYSTANDER_NS)
        loop->bystander_ns = now_ns;
}

void conn_hold_until(struct conn *conn, const struct net_mark *mark)
{
    MAGIC_CHECK(conn, CONN_MAGIC);
    struct loop *loop = conn->loop;
    ASSERT(loop->net->settings.gate != NULL);
    if (!conn_is_held(conn)) {
        conn_asks(conn);
        conn->until = (struct net_mark){0};
        list_append(&loop->held, &conn->held_node);
        counter_add(&loop->held_count, 1);
        if (!atomic_load_explicit(&loop->gated, memory_order_relaxed))
            atomic_store(&loop->gated, true);
    }
    mark_raise(&conn->until, mark);
    mark_raise(&loop->want, mark);
}

static int gate_reached(const struct loop *loop, struct net_mark *reached)
{
    const struct net_settings *settings = &loop->net->settings;
    return settings->gate->reached(reached, settings->gate_arg);
}

bool gate_is_open(struct loop *loop)
{
    struct net_mark reached;
    if (list_empty(&loop->held))
        return false;
    if (gate_reached(loop, &reached) != 0)
        return true;
    const struct list_node *node = list_first(&loop->held);
    for (; node != NULL; node = list_next(&loop->held, node)) {
        const struct conn *conn =
            CONTAINER_OF((struct list_node *)(void *)(uintptr_t)node, struct conn, held_node);
        if (mark_reached(&conn->until, &reached))
            return true;
    }
    return false;
}

/* Its answers go out, and it goes on with what it has received meanwhile. It may be gone after. */
static void conn_let_go(struct conn *conn)
{
    list_remove(&conn->held_node);
    if (conn->pending.len > 0 || conn->going)
        conn_make_ready(conn);
    conn_settle(conn);
}

static void gate_open(struct loop *loop, const struct net_mark *reached, bool failed)
{
    struct list round; /* for who is let go of may be held again */
    list_init(&round);
    struct list_node *node;
    while ((node = list_pop(&loop->held)) != NULL)
        list_append(&round, node);
    loop->want = (struct net_mark){0};
    while ((node = list_first(&round)) != NULL) {
        struct conn *conn = CONTAINER_OF(node, struct conn, held_node);
        if (mark_reached(&conn->until, reached)) {
            conn_let_go(conn);
        } else if (failed) {
            conn->broken = true;
            conn_settle(conn);
        } else {
            list_remove(node);
            list_append(&loop->held, node);
            mark_raise(&loop->want, &conn->until);
        }
    }
    if (list_empty(&loop->held))
        atomic_store(&loop->gated, false);
}

/* Whether this turn held connections that the one before hadn't, and another look is allowed. */
static bool gate_found_more(struct loop *loop)
{
    uint64_t held = counter_get(&loop->held_count);
    bool more = held != loop->looked_at && loop->looks < LOOKS_MAX;
    loop->looked_at = held;
    loop->looks++;
    return more;
}

void gate_turn(struct loop *loop)
{
    loop->gathering = false;
    if (list_empty(&loop->held))
        return;
    const struct net_settings *settings = &loop->net->settings;
    struct net_mark reached;
    bool failed = gate_reached(loop, &reached) != 0;
    if (!failed && !mark_reached(&loop->want, &reached)) {
        const struct net_turn turn = {.mark = loop->want,
                                      .more = gate_found_more(loop),
                                      .bystander =
                                          loop->bystander_ns != 0 &&
                                          loop_now(loop) - loop->bystander_ns < NET_BYSTANDER_NS};
        loop->gathering = !settings->gate->turn_end(&turn, settings->gate_arg) && turn.more;
        if (!loop->gathering)
            loop->looks = 0;
        failed = gate_reached(loop, &reached) != 0;
    }
    gate_open(loop, &reached, failed);
}

void net_reached(struct net *net)
{
    MAGIC_CHECK(net, NET_MAGIC);
    for (unsigned i = 0; i < net->loop_count; i++) {
        struct loop *loop = net->loops[i];
        if (atomic_load(&loop->gated) && atomic_load(&loop->sleeping) &&
            atomic_exchange(&loop->sleeping, false))
            inbox_ring(loop);
    }
}
