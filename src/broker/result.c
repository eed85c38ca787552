// SPDX-License-Identifier: MIT
/*
 * Results: the record of a finished job stays in the journal until history has it on the disk.
 *
 * History gathers records for a while before it syncs them; the end of a job is durable sooner, for
 * somebody waits for it. So that no crash in between costs a record, the journal gets it, too: an
 * entry RESULT, added in the same hold of the lock as the end and before it. Who is told of the end
 * waits for a ticket that is higher than the record's. If a commit is torn between the two, the job
 * is there and has a record; it runs again, and then the record has both attempts.
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
#include "broker/finish_priv.h"
#include "broker/replay_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What a result takes in the journal beside its body, about. */
#define RESULT_BYTES 64

/* Whether the journal keeps results of that tube's jobs. */
HELD static bool keeps_results(const struct broker_tube *tube)
{
    const struct broker_log *log = tube->broker->log;
    return log != NULL && log->options.result_found != NULL;
}

bool result_is_tied(const struct job *job)
{
    if (!keeps_results(job->tube))
        return false;
    /* The end of one that was cancelled while it ran is in the journal already. */
    return job_is_logged(job) ||
           (job->rare != NULL && job->rare->cancelled && tube_is_logged(job->tube));
}

/* ---- a job ends ---- */

int result_admit(struct broker_log *log, const struct job_end *end, size_t *most)
{
    size_t most_bytes = job_end_encoded_most(end), bytes = most_bytes + RESULT_BYTES;
    /* Two changes: it, and the end that was admitted before. */
    int rc = bytes < JOB_BODY_MAX ? commit_admit(log->commit, JOURNAL_PUT, 2, bytes) : EMSGSIZE;
    *most = rc == 0 ? most_bytes : 0;
    if (rc == EIO || (rc == EAGAIN && !space_is_full(log)))
        return rc;
    log->results.untied += rc != 0;
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

/* It is in the journal, and alive. */
static void note(struct broker_log *log, uint64_t number, size_t body_len);

void result_log(struct job *job, struct job_end *end, size_t most)
{
    const struct broker_tube *tube = job->tube;
    struct broker_log *log = tube->broker->log;
    const struct job_entry entry = {.type = JOB_ENTRY_RESULT, .id = job->id, .number = end->number};
    const struct commit_change change = {.entry = &entry,
                                         .late = job_end_ref(end),
                                         .late_most = most,
                                         .within_ns = tube->within_ns,
                                         .class = JOURNAL_PUT};
    log_told(log, tube->level, commit_add(log->commit, &change));
    note(log, end->number, most);
}

/* ---- those that live ---- */

/* For one more. ENOMEM. */
static int notes_reserve(struct log_results *results)
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

static void note(struct broker_log *log, uint64_t number, size_t body_len)
{
    struct log_results *results = &log->results;
    if (notes_reserve(results) != 0)
        return; /* its bytes don't count, no more */
    const struct result_note one = {number, body_len + RESULT_BYTES};
    results->notes[(results->first + results->count++) & (results->cap - 1)] = one;
    results->bytes += one.bytes;
    log->live_bytes += one.bytes;
}

static void notes_drop(struct broker_log *log)
{
    struct log_results *results = &log->results;
    while (results->count > 0 && results->notes[results->first].number <= results->durable) {
        uint64_t bytes = results->notes[results->first].bytes;
        results->first = (results->first + 1) & (results->cap - 1);
        results->count--;
        results->bytes -= bytes;
        log->live_bytes -= bytes;
        log->died_bytes += bytes;
    }
}

void broker_results_durable(struct broker *broker, uint64_t number)
{
    MAGIC_CHECK(broker, BROKER_MAGIC);
    broker_lock(broker);
    struct broker_log *log = broker->log;
    if (log != NULL && number > log->results.durable) {
        log->results.durable = number;
        notes_drop(log);
    }
    broker_unlock(broker);
}

int result_living(struct broker_log *log, const struct job_entry *entry)
{
    if (entry->number <= log->results.durable)
        return 0;
    int rc = commit_admit(log->commit, JOURNAL_COMPACT, 1, entry->body_len + (size_t)RESULT_BYTES);
    struct job_body *body = NULL;
    if (rc == 0)
        rc = job_body_new(&body, entry->body_len);
    if (rc != 0)
        return rc;
    memcpy(body->bytes, entry->body, entry->body_len);
    const struct commit_change change = {.entry = entry, .body = body, .class = JOURNAL_COMPACT};
    (void)commit_add(log->commit, &change);
    job_body_unref(&body);
    log->copied++;
    return 0;
}

void results_free(struct broker_log *log)
{
    free(log->results.notes);
    log->results.notes = NULL;
}

/* ---- after a start ---- */

static int found_reserve(struct replay *replay)
{
    if (replay->result_count < replay->result_cap)
        return 0;
    size_t cap = replay->result_cap > 0 ? replay->result_cap * 2 : 64;
    struct replay_result *results = realloc(replay->results, cap * sizeof(*results));
    if (results == NULL)
        return ENOMEM;
    replay->results = results;
    replay->result_cap = cap;
    return 0;
}

int replay_result(struct replay *replay, const struct job_entry *entry)
{
    struct broker *broker = replay->broker;
    if (entry->number > broker->last_result)
        broker->last_result = entry->number; /* it isn't given out again */
    if (entry->number <= replay->log->results.durable)
        return 0;
    struct job_record *record;
    int rc = found_reserve(replay);
    if (rc == 0)
        rc = job_record_decode(&record, entry->id, entry->body, entry->body_len);
    if (rc != 0)
        return rc;
    replay->results[replay->result_count++] = (struct replay_result){
        .number = entry->number, .body_len = entry->body_len, .record = record};
    return 0;
}

static int by_number(const void *a, const void *b)
{
    const struct replay_result *one = a, *other = b;
    return one->number < other->number ? -1 : one->number > other->number;
}

/* Those that compaction copied may be there twice. */
static void same_drop(struct replay *replay)
{
    size_t kept = 0;
    for (size_t i = 0; i < replay->result_count; i++) {
        if (kept > 0 && replay->results[kept - 1].number == replay->results[i].number)
            job_record_unref(&replay->results[i].record);
        else
            replay->results[kept++] = replay->results[i];
    }
    replay->result_count = kept;
}

static void found_hand_over(struct replay *replay)
{
    struct broker_log *log = replay->log;
    broker_lock(replay->broker);
    for (size_t i = 0; i < replay->result_count; i++)
        note(log, replay->results[i].number, replay->results[i].body_len);
    broker_unlock(replay->broker);
    for (size_t i = 0; i < replay->result_count; i++)
        log->options.result_found(replay->results[i].number, &replay->results[i].record,
                                  log->options.arg);
    replay->recovered->results = replay->result_count;
}

void replay_results_end(struct replay *replay, bool well)
{
    if (replay->result_count > 0) {
        qsort(replay->results, replay->result_count, sizeof(*replay->results), by_number);
        same_drop(replay);
        if (well)
            found_hand_over(replay);
    }
    for (size_t i = 0; i < replay->result_count; i++)
        job_record_unref(&replay->results[i].record);
    free(replay->results);
    replay->results = NULL;
    replay->result_count = replay->result_cap = 0;
}
