// SPDX-License-Identifier: MIT
/*
 * The ring of a run. The first and the last slot in use are never holes, so both ends are found at
 * once; holes between them go when the ring is full: with half of it holes it is pushed together,
 * else it doubles. So it has at most two slots an item (or RISING_FIRST_SLOTS), and each push pays
 * for at most one move of an item.
 */
#include "base/rising.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

#define RISING_FIRST_SLOTS 16
#define RISING_KEEP_SLOTS 64 /* not worth shrinking below */
#define RISING_NUMBER_MASK (RISING_NUMBERS - 1)

void rising_init(struct rising *rising, void (*moved)(void *item, size_t pos))
{
    *rising = (struct rising){.moved = moved};
}

void rising_fini(struct rising *rising)
{
    free(rising->slot);
    rising_init(rising, rising->moved);
}

static size_t number_pos(uint32_t number)
{
    return ((size_t)number << 1) | 1;
}

static uint32_t next(uint32_t number)
{
    return (number + 1) & RISING_NUMBER_MASK;
}

static uint32_t previous(uint32_t number)
{
    return (number - 1) & RISING_NUMBER_MASK;
}

/* Slots from the first to the last, holes counted. */
static uint32_t span(const struct rising *rising)
{
    return (rising->tail - rising->head) & RISING_NUMBER_MASK;
}

static void **slot_of(const struct rising *rising, uint32_t number)
{
    return &rising->slot[number & (rising->cap - 1)];
}

void *rising_first(const struct rising *rising)
{
    return rising->len > 0 ? *slot_of(rising, rising->head) : NULL;
}

void *rising_last(const struct rising *rising)
{
    return rising->len > 0 ? *slot_of(rising, previous(rising->tail)) : NULL;
}

size_t rising_first_pos(const struct rising *rising)
{
    ASSERT(rising->len > 0);
    return number_pos(rising->head);
}

size_t rising_last_pos(const struct rising *rising)
{
    ASSERT(rising->len > 0);
    return number_pos(previous(rising->tail));
}

void *rising_at(const struct rising *rising, size_t pos)
{
    if (!rising_has(pos) || pos >> 1 > RISING_NUMBER_MASK)
        return NULL;
    uint32_t number = (uint32_t)(pos >> 1);
    return ((number - rising->head) & RISING_NUMBER_MASK) < span(rising) ? *slot_of(rising, number)
                                                                         : NULL;
}

void rising_replace(struct rising *rising, size_t pos, void *item)
{
    ASSERT(rising_at(rising, pos) != NULL);
    *slot_of(rising, (uint32_t)(pos >> 1)) = item;
}

void *rising_next(const struct rising *rising, size_t *cursor)
{
    while (*cursor < span(rising)) {
        void *item = *slot_of(rising, (rising->head + (uint32_t)(*cursor)++) & RISING_NUMBER_MASK);
        if (item != NULL)
            return item;
    }
    return NULL;
}

bool rising_has_holes(const struct rising *rising)
{
    return span(rising) != rising->len;
}

/* Numbers stay, so nobody is told. */
static bool resize(struct rising *rising, uint32_t cap)
{
    ASSERT(span(rising) <= cap);
    void **slots = reallocarray(NULL, cap, sizeof(*slots));
    if (slots == NULL)
        return false;
    for (uint32_t number = rising->head; number != rising->tail; number = next(number))
        slots[number & (cap - 1)] = *slot_of(rising, number);
    free(rising->slot);
    rising->slot = slots;
    rising->cap = cap;
    return true;
}

static void place(struct rising *rising, uint32_t number, void *item)
{
    *slot_of(rising, number) = item;
    if (rising->moved != NULL)
        rising->moved(item, number_pos(number));
}

static void close_holes(struct rising *rising)
{
    uint32_t to = rising->head;
    for (uint32_t from = rising->head; from != rising->tail; from = next(from)) {
        void *item = *slot_of(rising, from);
        if (item == NULL)
            continue;
        if (from != to)
            place(rising, to, item);
        to = next(to);
    }
    rising->tail = to;
}

static bool make_room(struct rising *rising)
{
    uint32_t used = span(rising);
    if (used < rising->cap)
        return true;
    if (used > 0 && rising->len <= used / 2) {
        close_holes(rising);
        return true;
    }
    return rising->cap < RISING_NUMBERS / 2 &&
           resize(rising, rising->cap == 0 ? RISING_FIRST_SLOTS : rising->cap * 2);
}

bool rising_push(struct rising *rising, void *item)
{
    ASSERT(item != NULL);
    if (!make_room(rising))
        return false;
    place(rising, rising->tail, item);
    rising->tail = next(rising->tail);
    rising->len++;
    return true;
}

static void trim(struct rising *rising)
{
    while (rising->head != rising->tail && *slot_of(rising, rising->head) == NULL)
        rising->head = next(rising->head);
    while (rising->head != rising->tail && *slot_of(rising, previous(rising->tail)) == NULL)
        rising->tail = previous(rising->tail);
}

void *rising_remove(struct rising *rising, size_t pos)
{
    void *item = rising_at(rising, pos);
    ASSERT(item != NULL);
    *slot_of(rising, (uint32_t)(pos >> 1)) = NULL;
    rising->len--;
    trim(rising);
    if (rising->cap > RISING_KEEP_SLOTS && span(rising) < rising->cap / 4)
        (void)resize(rising, rising->cap / 2); /* that it couldn't be is no error */
    return item;
}
