// SPDX-License-Identifier: MIT
/*
 * Firing laters, and the thread that blocks for one.
 *
 * A blocked thread is a later whose fire sets a word and wakes the thread. If its time runs out it
 * cancels. When that comes too late, what it asked for is already its own: it waits for the fire,
 * which is on its way, and succeeds.
 */
#include "thr/later.h"
#include "thr/park_priv.h"
#include "thr/thr.h"

#include "base/clock.h"

#include <errno.h>

/*
 * Looks at the word before the thread sleeps: about two microseconds. A partner that runs on the
 * other processor answers within that, and both are spared the sleep and the wake, which cost
 * several times more.
 */
#define BLOCK_SPINS 60

enum { AWAKE = 0, ASLEEP, FIRED }; /* of `sleeper` */

/* ---- firing ---- */

/*
 * What this thread has still to fire, the next one first; NULL outside of a fire. What is fired
 * inside of a fire is added here.
 */
static _Thread_local struct list *to_fire;

static void fire_all(struct list *laters)
{
    struct list_node *node;
    while ((node = list_pop(laters)) != NULL) {
        struct later *later = CONTAINER_OF(node, struct later, node);
        later->fire(later);
    }
}

void later_fire_taken(struct list_node *first)
{
    struct list own;
    list_init(&own);
    struct list *list = to_fire != NULL ? to_fire : &own;
    while (first != NULL) {
        struct later *later = CONTAINER_OF(first, struct later, node);
        first = first->next;
        list_node_init(&later->node);
        if (later->fire == later_wake)
            later_wake(later);
        else
            list_append(list, &later->node);
    }
    if (to_fire != NULL || list_empty(&own))
        return; /* inside of a fire: who called it goes on with these */
    to_fire = &own;
    fire_all(&own);
    to_fire = NULL;
}

void later_tell(struct later *later, int result)
{
    ASSERT(later->state == LATER_WAITS);
    list_remove(&later->node);
    later->state = LATER_READY;
    later->result = result;
    later->node.next = NULL;
    later_fire_taken(&later->node);
}

/* ---- a blocked thread ---- */

void later_wake(struct later *later)
{
    _Atomic uint32_t *word = &later->sleeper;
    if (atomic_exchange_explicit(word, FIRED, memory_order_release) == ASLEEP)
        park_wake(word, 1);
}

static bool has_fired(struct later *later)
{
    return atomic_load_explicit(&later->sleeper, memory_order_acquire) == FIRED;
}

static bool spin_until_fired(struct later *later)
{
    for (int i = 0; i < BLOCK_SPINS; i++) {
        if (has_fired(later))
            return true;
        park_relax();
    }
    return has_fired(later);
}

/* ETIMEDOUT, or 0 once it was fired. */
static int sleep_until_fired(struct later *later, int64_t deadline_ns)
{
    uint32_t expected = AWAKE;
    (void)atomic_compare_exchange_strong(&later->sleeper, &expected, ASLEEP);
    while (!has_fired(later))
        if (park_wait(&later->sleeper, ASLEEP, deadline_ns) == ETIMEDOUT && !has_fired(later))
            return ETIMEDOUT;
    return 0;
}

int later_block(struct later *later, int64_t deadline_ns, const char *what, const char *object)
{
    ASSERT(later->fire == later_wake);
    if (spin_until_fired(later))
        return 0;
    if (to_fire != NULL)
        fire_all(to_fire); /* what it is going to wait for may be their doing */
    hl_thread_wait_begin(what, object);
    int rc = sleep_until_fired(later, deadline_ns);
    /* Too late to cancel: whoever made it ready is about to fire it. */
    if (rc != 0 && !later_cancel(later))
        rc = sleep_until_fired(later, CLOCK_NEVER);
    hl_thread_wait_end();
    return rc;
}
