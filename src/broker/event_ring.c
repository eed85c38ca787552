// SPDX-License-Identifier: MIT
/*
 * The ring of events: written under the broker's lock, read without.
 *
 * A slot is eight words. The writer takes the slot's number away, writes the others, and puts the
 * new number in. A reader copies the words between two looks at the number; if both saw the one it
 * wants, the copy is whole. Each word that the writer stores releases what it stored before, and
 * each that a reader loads acquires it: so who has read a word of a later event sees at its second
 * look that the number was taken away. On x86 these are plain moves.
 *
 * Numbers begin with the time of day, in parts of a second of which there are a quarter of a
 * million. So those of a later process are higher than those of an earlier one, unless that told of
 * more events than so many a second, and who comes back with an old number is told of a gap.
 */
#include "broker/events_priv.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((BROKER_EVENTS_KEPT & (BROKER_EVENTS_KEPT - 1)) == 0, "a power of two");

/* Numbers a second that are left free for a process; they have 15 digits until the year 2090, as
 * every reader of JSON takes them. */
#define NUMBERS_A_SECOND (UINT64_C(1) << 18)

static struct event_slot *slot_of(const struct event_ring *ring, uint64_t number)
{
    return &ring->slots[number & (BROKER_EVENTS_KEPT - 1)];
}

int event_ring_init(struct event_ring *ring)
{
    ring->slots = calloc(BROKER_EVENTS_KEPT, sizeof(*ring->slots));
    if (ring->slots == NULL)
        return ENOMEM;
    int64_t wall_s = clock_wall_ns() / HL_SECOND;
    atomic_init(&ring->last, wall_s > 0 ? (uint64_t)wall_s * NUMBERS_A_SECOND : 1);
    return 0;
}

void event_ring_fini(struct event_ring *ring)
{
    free(ring->slots);
    ring->slots = NULL;
}

void event_ring_put(struct event_ring *ring, struct event *event)
{
    uint64_t word[EVENT_WORDS];
    event->number = atomic_load_explicit(&ring->last, memory_order_relaxed) + 1;
    memcpy(word, event, sizeof(word));
    struct event_slot *slot = slot_of(ring, event->number);
    atomic_store_explicit(&slot->word[0], 0, memory_order_relaxed);
    for (size_t i = 1; i < EVENT_WORDS; i++)
        atomic_store_explicit(&slot->word[i], word[i], memory_order_release);
    atomic_store_explicit(&slot->word[0], word[0], memory_order_release);
    atomic_store_explicit(&ring->last, event->number, memory_order_release);
}

void event_ring_skip(struct event_ring *ring)
{
    uint64_t last = atomic_load_explicit(&ring->last, memory_order_relaxed);
    atomic_store_explicit(&ring->last, last + 1, memory_order_release);
}

int event_ring_get(const struct event_ring *ring, uint64_t number, struct event *event)
{
    uint64_t word[EVENT_WORDS];
    const struct event_slot *slot = slot_of(ring, number);
    word[0] = atomic_load_explicit(&slot->word[0], memory_order_acquire);
    if (word[0] != number)
        return ESTALE;
    for (size_t i = 1; i < EVENT_WORDS; i++)
        word[i] = atomic_load_explicit(&slot->word[i], memory_order_acquire);
    if (atomic_load_explicit(&slot->word[0], memory_order_relaxed) != number)
        return ESTALE;
    memcpy(event, word, sizeof(word));
    return 0;
}
