// SPDX-License-Identifier: MIT
/*
 * The event: one word with a flag, a mark that somebody sleeps, and a count of sets.
 *
 * Python's event wakes everybody who waits at the moment of set, even if clear follows before they
 * have run. So a waiter remembers the count of sets it started with: a changed count is as good as
 * a set flag.
 */
#include "thr/thr.h"

#include "base/clock.h"
#include "base/magic.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define EVENT_MAGIC 0x65766e74u

#define EVENT_SET 1u     /* the flag */
#define EVENT_AWAITED 2u /* somebody may sleep on the word */
#define EVENT_COUNT 4u   /* one set; the count is in the bits from here up, and may wrap */

struct hl_event {
    unsigned magic;
    _Atomic uint32_t word;
    char name[HL_THREAD_NAME_MAX];
};

int hl_event_new(hl_event **out, const char *name)
{
    hl_event *event = calloc(1, sizeof(*event));
    if (event == NULL)
        return ENOMEM;
    MAGIC_INIT(event, EVENT_MAGIC);
    if (name == NULL)
        name = "event";
    memcpy(event->name, name, strnlen(name, sizeof(event->name) - 1));
    *out = event;
    return 0;
}

void hl_event_free(hl_event **event_ptr)
{
    if (*event_ptr == NULL)
        return;
    hl_event *event;
    MAGIC_TAKE(event, event_ptr, EVENT_MAGIC);
    MAGIC_WIPE(event);
    free(event);
}

void hl_event_set(hl_event *event)
{
    MAGIC_CHECK(event, EVENT_MAGIC);
    uint32_t old = atomic_load(&event->word);
    uint32_t with;
    do {
        if (old & EVENT_SET)
            return;
        with = ((old & ~EVENT_AWAITED) + EVENT_COUNT) | EVENT_SET;
    } while (!atomic_compare_exchange_weak(&event->word, &old, with));
    if (old & EVENT_AWAITED)
        park_wake(&event->word, INT_MAX);
}

void hl_event_clear(hl_event *event)
{
    MAGIC_CHECK(event, EVENT_MAGIC);
    atomic_fetch_and(&event->word, ~EVENT_SET);
}

bool hl_event_is_set(const hl_event *event)
{
    MAGIC_CHECK(event, EVENT_MAGIC);
    return atomic_load(&event->word) & EVENT_SET;
}

/* Set now, or set since the count was `start`. */
static bool happened(uint32_t word, uint32_t start)
{
    return (word & EVENT_SET) || word / EVENT_COUNT != start / EVENT_COUNT;
}

int hl_event_wait(hl_event *event, int64_t timeout_ns)
{
    MAGIC_CHECK(event, EVENT_MAGIC);
    uint32_t start = atomic_load(&event->word);
    if (start & EVENT_SET)
        return 0;
    if (timeout_ns <= 0)
        return ETIMEDOUT;
    int64_t deadline_ns = clock_deadline(timeout_ns);
    uint32_t word = start;
    bool late = false;
    hl_thread_wait_begin("event", event->name);
    while (!happened(word, start) && !late) {
        uint32_t awaited = word | EVENT_AWAITED;
        if (word == awaited || atomic_compare_exchange_weak(&event->word, &word, awaited))
            late = park_wait(&event->word, awaited, deadline_ns) == ETIMEDOUT;
        word = atomic_load(&event->word);
    }
    hl_thread_wait_end();
    return happened(word, start) ? 0 : ETIMEDOUT;
}
