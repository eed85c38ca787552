// SPDX-License-Identifier: MIT
// What the tests of the queue share: numbers as items, and threads that take, give or join once.
#ifndef THR_QUEUE_H
#define THR_QUEUE_H

#include "base/assert.h"

#include <hilera/queue.h>

#include <stdint.h>

static inline void *item_of(int64_t number)
{
    return (void *)(intptr_t)number;
}

static inline hl_queue *queue_made(int64_t maxsize)
{
    hl_queue *queue;
    MUST(hl_queue_new(&queue, &(struct hl_queue_options){.maxsize = maxsize}));
    return queue;
}

struct taking {
    hl_queue *queue;
    int64_t timeout_ns;
    int rc;
    intptr_t number;
};

static inline void take_one(void *arg)
{
    struct taking *taking = arg;
    void *item = item_of(-1);
    taking->rc = hl_queue_get(taking->queue, &item, taking->timeout_ns);
    taking->number = (intptr_t)item;
}

struct giving {
    hl_queue *queue;
    int64_t timeout_ns;
    intptr_t number;
    int rc;
};

static inline void give_one(void *arg)
{
    struct giving *giving = arg;
    giving->rc = hl_queue_put(giving->queue, item_of(giving->number), giving->timeout_ns);
}

struct joining {
    hl_queue *queue;
    int64_t timeout_ns;
    int rc;
};

static inline void join_here(void *arg)
{
    struct joining *joining = arg;
    joining->rc = hl_queue_join(joining->queue, joining->timeout_ns);
}

#endif
