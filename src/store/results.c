// SPDX-License-Identifier: MIT
/*
 * Results: the record of a finished job stays in the journal until history has it on the disk.
 *
 * History gathers records for a while before it syncs them; the end of a job is durable sooner, for
 * somebody waits for it. So that no crash in between costs a record, the journal gets it, too: an
 * entry RESULT, added in the same hold of the lock as the end and before it. Who is told of the end
 * waits for a ticket that is higher than the record's. Both are in one frame, so a torn commit has
 * both or neither.
 *
 * A result lives, for compaction, until history tells that its number is durable there (or lost for
 * good), which also takes its bytes out of what counts as living. After a start, results above
 * history's last number are handed over, each under the number that it had; so a crash in the
 * middle of that changes nothing.
 *
 * Its bytes are made when its frame is, out of the end itself. What is not written yet is bounded
 * as for puts: who ends a job waits while too much is. Where there is no room, on a full disk, the
 * job ends all the same, its record is only history's, and is counted as untied.
 */
#include "store/store_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What a result takes in the journal beside its body, about. */
#define RESULT_BYTES 64

/* Whether the journal keeps results of that tube's jobs. */
HELD static bool keeps_results(const struct tube *tube)
{
    const struct store *store = tube->ledger->store;
    return store != NULL && store->options.result_found != NULL;
}

bool result_is_tied(const struct job *job)
{
    if (!keeps_results(job->tube))
        return false;
    /* The end of one that was cancelled while it ran is in the journal already. */
    return job_is_logged(job) ||
           (job->extra != NULL && job->extra->cancelled && tube_is_logged(job->tube));
}

/* ---- a job ends ---- */

int result_admit(struct store *store, const struct job_end *end, size_t *most)
{
    size_t most_bytes = job_end_encoded_most(end), bytes = most_bytes + RESULT_BYTES;
    /* Two changes: it, and the end that was admitted before. */
    int rc = bytes < JOB_BODY_MAX ? commit_admit(store->commit, JOURNAL_PUT, 2, bytes) : EMSGSIZE;
    *most = rc == 0 ? most_bytes : 0;
    if (rc == EIO || (rc == EAGAIN && !pressure_is_full(store)))
        return rc;
    store->results.untied += rc != 0;
    return 0;
}

int result_bytes_make(void *end, struct job_body **body)
{
    return job_end_encode(end, body) == 0 ? 0 : ENOMEM; /* it isn't too large: it was admitted */
}

void result_bytes_drop(void *arg)
{
    struct job_end *end = arg;
    job_end_unref(&end);
}

void result_log(struct job *job, struct job_end *end, size_t most)
{
    const struct tube *tube = job->tube;
    struct store *store = tube->ledger->store;
    const struct job_entry entry = {.type = JOB_ENTRY_RESULT, .id = job->id, .number = end->number};
    const struct commit_change change = {.entry = &entry,
                                         .late = job_end_ref(end),
                                         .late_most = most,
                                         .within_ns = tube->within_ns,
                                         .class = JOURNAL_PUT};
    store_told(store, tube->durability, commit_add(store->commit, &change));
    result_note(store, end->number, most);
}

/* ---- those that live ---- */

/* For one more. ENOMEM. */
static int notes_reserve(struct store_results *results)
{
    if (results->count < results->cap)
        return 0;
    size_t cap = results->cap > 0 ? results->cap * 2 : 64;
    struct result_note *notes = malloc(cap * sizeof(*notes));
    if (notes == NULL)
        return ENOMEM;
    for (size_t i = 0; i < results->count; i++)
        notes[i] = results->notes[(results->first + i) & (results->cap - 1)];
    free(results->notes);
    results->notes = notes;
    results->cap = cap;
    results->first = 0;
    return 0;
}

void result_note(struct store *store, uint64_t number, size_t body_len)
{
    struct store_results *results = &store->results;
    if (notes_reserve(results) != 0)
        return; /* its bytes don't count, no more */
    const struct result_note one = {number, body_len + RESULT_BYTES};
    results->notes[(results->first + results->count++) & (results->cap - 1)] = one;
    results->bytes += one.bytes;
    store->live_bytes += one.bytes;
}

static void notes_drop(struct store *store)
{
    struct store_results *results = &store->results;
    while (results->count > 0 && results->notes[results->first].number <= results->durable) {
        uint64_t bytes = results->notes[results->first].bytes;
        results->first = (results->first + 1) & (results->cap - 1);
        results->count--;
        results->bytes -= bytes;
        store->live_bytes -= bytes;
        store->died_bytes += bytes;
    }
}

void store_results_durable(struct store *store, uint64_t number)
{
    ledger_lock(store->ledger);
    if (number > store->results.durable) {
        store->results.durable = number;
        notes_drop(store);
    }
    ledger_unlock(store->ledger);
}

int result_living(struct store *store, const struct job_entry *entry)
{
    if (entry->number <= store->results.durable)
        return 0;
    int rc =
        commit_admit(store->commit, JOURNAL_COMPACT, 1, entry->body_len + (size_t)RESULT_BYTES);
    struct job_body *body = NULL;
    if (rc == 0)
        rc = job_body_new(&body, entry->body_len);
    if (rc != 0)
        return rc;
    memcpy(body->bytes, entry->body, entry->body_len);
    const struct commit_change change = {.entry = entry, .body = body, .class = JOURNAL_COMPACT};
    (void)commit_add(store->commit, &change);
    job_body_unref(&body);
    store->copied++;
    return 0;
}

void results_free(struct store *store)
{
    free(store->results.notes);
    store->results.notes = NULL;
}
