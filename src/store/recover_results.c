// SPDX-License-Identifier: MIT
/*
 * Records of finished jobs that history lost: gathered while the journal is replayed, and handed
 * over at the end, when nothing can fail any more.
 */
#include "store/recover_priv.h"

#include <errno.h>
#include <stdlib.h>

static int found_reserve(struct recovery *recovery)
{
    if (recovery->result_count < recovery->result_cap)
        return 0;
    size_t cap = recovery->result_cap > 0 ? recovery->result_cap * 2 : 64;
    struct recovered_result *results = realloc(recovery->results, cap * sizeof(*results));
    if (results == NULL)
        return ENOMEM;
    recovery->results = results;
    recovery->result_cap = cap;
    return 0;
}

int recover_result(struct recovery *recovery, const struct job_entry *entry)
{
    struct ledger *ledger = recovery->replay.ledger;
    if (entry->number > ledger->last_result)
        ledger->last_result = entry->number; /* it isn't given out again */
    if (entry->number <= recovery->store->results.durable)
        return 0;
    struct job_record *record;
    int rc = found_reserve(recovery);
    if (rc == 0)
        rc = job_record_decode(&record, entry->id, entry->body, entry->body_len);
    if (rc != 0)
        return rc;
    recovery->results[recovery->result_count++] = (struct recovered_result){
        .number = entry->number, .body_len = entry->body_len, .record = record};
    return 0;
}

static int by_number(const void *a, const void *b)
{
    const struct recovered_result *one = a, *other = b;
    return one->number < other->number ? -1 : one->number > other->number;
}

/* Those that compaction copied may be there twice. */
static void same_drop(struct recovery *recovery)
{
    size_t kept = 0;
    for (size_t i = 0; i < recovery->result_count; i++) {
        if (kept > 0 && recovery->results[kept - 1].number == recovery->results[i].number)
            job_record_unref(&recovery->results[i].record);
        else
            recovery->results[kept++] = recovery->results[i];
    }
    recovery->result_count = kept;
}

static void found_hand_over(struct recovery *recovery)
{
    struct store *store = recovery->store;
    ledger_lock(store->ledger);
    for (size_t i = 0; i < recovery->result_count; i++)
        result_note(store, recovery->results[i].number, recovery->results[i].body_len);
    ledger_unlock(store->ledger);
    for (size_t i = 0; i < recovery->result_count; i++)
        store->options.result_found(recovery->results[i].number, &recovery->results[i].record,
                                    store->options.arg);
    recovery->recovered->results = recovery->result_count;
}

void recover_results_end(struct recovery *recovery, bool well)
{
    if (recovery->result_count > 0) {
        qsort(recovery->results, recovery->result_count, sizeof(*recovery->results), by_number);
        same_drop(recovery);
        if (well)
            found_hand_over(recovery);
    }
    for (size_t i = 0; i < recovery->result_count; i++)
        job_record_unref(&recovery->results[i].record);
    free(recovery->results);
    recovery->results = NULL;
    recovery->result_count = recovery->result_cap = 0;
}
