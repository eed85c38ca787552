// SPDX-License-Identifier: MIT
/*
 * A loop's inbox: how other threads reach its connections.
 *
 * Posting is one exchange on a stack of messages without a lock; the loop takes the whole stack and
 * turns it round, so messages of one poster arrive in their order. The eventfd is written only when
 * the loop sleeps. Neither side can miss the other: the loop says "I sleep" and then looks into the
 * box, the poster puts into the box and then looks whether the loop sleeps; both steps are
 * sequentially consistent, so at least one of them sees the other.
 *
 * A moved virtual clock rings every loop: a registry of them, for tests only, under its own lock.
 */
#include "net/conn_priv.h"
#include "net/loop_priv.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct {
    pthread_once_t once;
    hl_lock *lock;
    struct list loops;
    int error;
} registry = {.once = PTHREAD_ONCE_INIT};

static void clock_moved(void)
{
    HL_LOCK_SCOPE(registry.lock);
    struct list_node *node = list_first(&registry.loops);
    for (; node != NULL; node = list_next(&registry.loops, node))
        inbox_ring(CONTAINER_OF(node, struct loop, registry_node));
}

static void registry_make(void)
{
    list_init(&registry.loops);
    registry.error = hl_lock_new(&registry.lock, "io loops", lock_class(LOCK_CLASS_loops));
    if (registry.error == 0)
        clock_listen(clock_moved);
}

static void wake_event_fired(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    loop_awake(arg);
    eventfd_t count;
    (void)eventfd_read(fd, &count); /* EAGAIN: nothing to take back */
}

int inbox_init(struct loop *loop)
{
    list_node_init(&loop->registry_node);
    atomic_init(&loop->inbox, NULL);
    atomic_init(&loop->sleeping, false);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->wake_fd < 0)
        return errno;
    loop->wake_event =
        event_new(loop->base, loop->wake_fd, EV_READ | EV_PERSIST, wake_event_fired, loop);
    if (loop->wake_event == NULL || event_add(loop->wake_event, NULL) != 0)
        return ENOMEM;
    MUST(pthread_once(&registry.once, registry_make));
    if (registry.error != 0)
        return registry.error;
    HL_LOCK_SCOPE(registry.lock);
    list_append(&registry.loops, &loop->registry_node);
    return 0;
}

void inbox_fini(struct loop *loop)
{
    while (atomic_load(&loop->posters) > 0)
        sched_yield(); /* for the few instructions that a poster has left */
    if (list_node_linked(&loop->registry_node)) {
        HL_LOCK_SCOPE(registry.lock);
        list_remove(&loop->registry_node);
    }
    if (loop->wake_event != NULL)
        event_free(loop->wake_event);
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
}

void inbox_ring(struct loop *loop)
{
    /* It can only fail when the counter is full, and then the loop is woken anyway. */
    (void)eventfd_write(loop->wake_fd, 1);
}

void loop_post(struct loop_message *message)
{
    struct loop *loop = message->to.loop;
    MAGIC_CHECK(loop, LOOP_MAGIC);
    atomic_fetch_add(&loop->posters, 1);
    struct loop_message *top = atomic_load_explicit(&loop->inbox, memory_order_relaxed);
    do
        message->next = top;
    while (!atomic_compare_exchange_weak(&loop->inbox, &top, message));
    /* From here on only the count of posters keeps the loop: its hold may be dropped already. */
    if (atomic_load(&loop->sleeping) && atomic_exchange(&loop->sleeping, false))
        inbox_ring(loop);
    atomic_fetch_sub(&loop->posters, 1);
}

bool inbox_may_sleep(struct loop *loop)
{
    atomic_store(&loop->sleeping, true);
    if (atomic_load(&loop->inbox) == NULL && !gate_is_open(loop)) {
        loop->asleep = true;
        return true;
    }
    atomic_store(&loop->sleeping, false);
    return false;
}

static void message_deliver(struct loop *loop, struct loop_message *message)
{
    struct conn *conn = message->to.id != 0 ? idmap_get(&loop->ids, message->to.id) : NULL;
    message->deliver(message, conn != NULL ? conn->session : NULL);
    if (conn != NULL)
        conn_settle(conn);
}

void inbox_drain(struct loop *loop)
{
    if (atomic_load_explicit(&loop->inbox, memory_order_relaxed) == NULL)
        return;
    struct loop_message *top = atomic_exchange(&loop->inbox, NULL);
    struct loop_message *oldest = NULL;
    while (top != NULL) {
        struct loop_message *below = top->next;
        top->next = oldest;
        oldest = top;
        top = below;
    }
    while (oldest != NULL) {
        struct loop_message *message = oldest;
        oldest = message->next;
        message_deliver(loop, message);
    }
}

void loop_hold(struct conn_handle handle)
{
    MAGIC_CHECK(handle.loop, LOOP_MAGIC);
    handle.loop->holds++;
}

void loop_drop(struct conn_handle handle)
{
    MAGIC_CHECK(handle.loop, LOOP_MAGIC);
    ASSERT(handle.loop->holds > 0);
    handle.loop->holds--;
}
