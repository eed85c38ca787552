// SPDX-License-Identifier: MIT
// What the tests of the queue's inner face share: a domain, cores in it, and waits that note when
// they fire. Everything here needs the domain held, which core_begin acquires and core_end
// releases.
#ifndef THR_CORE_H
#define THR_CORE_H

#include "base/assert.h"
#include "thr/thr.h"
#include "thr_queue.h"

#include <stddef.h>
#include <stdint.h>

static hl_queue_domain *core_domain;

static void core_domain_begin(void)
{
    MUST(queue_domain_new(&core_domain, "domain", lock_class(LOCK_CLASS_broker)));
}

static void core_domain_end(void)
{
    hl_queue_domain_free(&core_domain);
}

static inline bool number_less(const void *a, const void *b, const void *arg)
{
    (void)arg;
    return (intptr_t)a < (intptr_t)b;
}

// One more core, with the domain held already.
static inline void core_more(struct queue_core *core, enum hl_queue_order order, int64_t maxsize)
{
    struct queue_core_options options = {
        .name = "core", .order = order, .maxsize = maxsize, .less = number_less};
    queue_core_init(core, core_domain, &options);
}

static inline void core_begin(struct queue_core *core, enum hl_queue_order order, int64_t maxsize)
{
    core_more(core, order, maxsize);
    queue_domain_acquire(core_domain);
}

static inline void core_fini(struct queue_core *core)
{
    queue_core_fini(core);
}

static inline void core_end(struct queue_core *core)
{
    queue_domain_release(core_domain);
    queue_core_fini(core);
}

// Lets what is ready fire.
static inline void core_pass(const struct queue_core *core)
{
    queue_domain_release(core->domain);
    queue_domain_acquire(core->domain);
}

// ---- items that know their position ----

struct placed {
    int key;
    size_t pos;
};

static inline bool placed_less(const void *a, const void *b, const void *arg)
{
    (void)arg;
    return ((const struct placed *)a)->key < ((const struct placed *)b)->key;
}

static inline void placed_moved(void *item, size_t pos)
{
    ((struct placed *)item)->pos = pos;
}

static inline void core_begin_placed(struct queue_core *core, int64_t maxsize)
{
    struct queue_core_options options = {.name = "placed",
                                         .order = HL_QUEUE_PRIORITY,
                                         .maxsize = maxsize,
                                         .less = placed_less,
                                         .moved = placed_moved};
    queue_core_init(core, core_domain, &options);
    queue_domain_acquire(core_domain);
}

// ---- waits that note when they fire ----

#define NOTED_CORES 8

struct noted {
    struct queue_wait wait;
    struct queue_link link[NOTED_CORES];
    int fired;
    int order; // how many of all had fired before
};

static int noted_fired;

static inline void noted_fire(struct later *later)
{
    struct noted *noted = CONTAINER_OF(later, struct noted, wait.later);
    noted->fired++;
    noted->order = noted_fired++;
    // The domain is free, and the wait decided.
    queue_domain_acquire(core_domain);
    ASSERT(later->state == LATER_READY);
    queue_domain_release(core_domain);
}

static inline void noted_init(struct noted *noted)
{
    *noted = (struct noted){.wait = {.later.fire = noted_fire}};
}

static inline void noted_get(struct noted *noted, struct queue_core *core)
{
    noted_init(noted);
    queue_wait_get(&noted->wait, &core, noted->link, 1);
}

static inline void noted_put(struct noted *noted, struct queue_core *core, void *item)
{
    noted_init(noted);
    noted->wait.item = item;
    queue_wait_put(&noted->wait, core, noted->link);
}

#endif
