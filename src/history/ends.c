// SPDX-License-Identifier: MIT
/*
 * Ends of jobs on their way to records.
 *
 * Who ends a job appends its end to a list, under the lock that covers the job: so nobody can learn
 * of an end that isn't in the list. Making the record copies what the job wrote, and is done
 * without that lock. One thread at a time does it, so records come in the order of their numbers;
 * who finds another one at it leaves its own ends to that one, which looks again before it goes.
 * Whoever reads first waits until what was offered is taken in, which takes no longer than the
 * copying.
 */
#include "history/history.h"

#include "history/writer_priv.h"

/* Records made in one hold of `taking`. */
#define TAKE_MAX 64

int ends_init(struct offered *offered)
{
    list_init(&offered->ends);
    int rc = hl_lock_new(&offered->lock, "ends", lock_class(LOCK_CLASS_ends));
    return rc == 0 ? hl_lock_new(&offered->taking, "taking", lock_class(LOCK_CLASS_taking)) : rc;
}

void ends_fini(struct history *history)
{
    struct offered *offered = &history->offered;
    if (offered->taking != NULL)
        ends_settle(history);
    hl_lock_free(&offered->lock);
    hl_lock_free(&offered->taking);
}

void history_offer(struct history *history, struct list *ends)
{
    struct offered *offered = &history->offered;
    uint64_t more = 0;
    struct list_node *node;
    HL_LOCK_SCOPE(offered->lock);
    while ((node = list_pop(ends)) != NULL) {
        list_append(&offered->ends, node);
        more++;
    }
    atomic_fetch_add(&offered->count, more);
}

/* The first; NULL: none. */
static struct job_end *first_take(struct offered *offered)
{
    HL_LOCK_SCOPE(offered->lock);
    struct list_node *node = list_pop(&offered->ends);
    return node != NULL ? CONTAINER_OF(node, struct job_end, node) : NULL;
}

static void record_make(struct history *history, const struct job_end *end, bool *tell)
{
    struct job_record *record = NULL;
    uint64_t number = end->number;
    if (job_end_record(end, &record) == 0) {
        /* It counts what it loses. */
        (void)history_keep(history, &record, &number, &end->ticket, tell);
        return;
    }
    HL_LOCK_SCOPE(history->lock);
    history->stats.lost++;
}

/* Some. wait: for who is at it; else false: somebody is. */
static bool take_some(struct history *history, bool wait)
{
    struct offered *offered = &history->offered;
    struct job_end *end;
    bool tell = false;
    if (wait)
        hl_lock_acquire(offered->taking);
    else if (hl_lock_try_acquire(offered->taking) != 0)
        return false;
    for (int i = 0; i < TAKE_MAX && (end = first_take(offered)) != NULL; i++) {
        record_make(history, end, &tell);
        atomic_fetch_sub(&offered->count, 1);
        job_end_unref(&end);
    }
    hl_lock_release(offered->taking);
    if (tell)
        rest_tell(history);
    return true;
}

void history_take_in(struct history *history)
{
    /* What comes while another one is at it, that one sees, or this loop does. */
    while (atomic_load(&history->offered.count) > 0 && take_some(history, false)) {
    }
}

void ends_settle(struct history *history)
{
    const struct offered *offered = &history->offered;
    uint64_t left = atomic_load(&offered->count); /* what comes later isn't waited for */
    while (left > 0) {
        (void)take_some(history, true);
        uint64_t now = atomic_load(&offered->count);
        left = left > TAKE_MAX ? left - TAKE_MAX : 0;
        left = now < left ? now : left;
    }
}
