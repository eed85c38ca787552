// SPDX-License-Identifier: MIT
/*
 * Questions for records: what memory answers at once, and what is read from the file for them.
 *
 * Memory has the latest records, without gaps, and the file all that came before. So memory is
 * asked first, on the thread that asks, and what it doesn't know the thread "records" looks for in
 * the file (reader.c); a page that begins in memory goes on in the file. What leaves memory between
 * the two is in the file already. A key that the file can't have, as the filter says (keys.c),
 * needs no look.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/magic.h"
#include "history/reader_priv.h"
#include "history/writer_priv.h"

#include <errno.h>

/* ---- a record ---- */

/* EINPROGRESS: the file is to be asked; what it gives counts more than what is found here. */
static int record_remember(struct history *history, struct history_question *question)
{
    bool in_file = history->database != NULL;
    question->record.record = NULL;
    HL_LOCK_SCOPE(history->lock);
    const struct entry *entry = recent_by_id(&history->recent, question->record.id);
    if (entry != NULL) {
        const struct job_record *found = entry->record;
        question->record.record = job_record_ref(entry->record);
        /* Only the file knows all attempts of one that was there before. */
        in_file = in_file && entry->number <= history->written &&
                  (found->reserves > 1 || found->kicks > 0);
    }
    if (in_file)
        return EINPROGRESS;
    return question->record.record != NULL ? 0 : ENOENT;
}

static int record_read(struct history *history, struct history_question *question)
{
    struct job_record *read = NULL;
    int rc = rows_get(history->database, question->record.id, &read);
    if (rc == 0) {
        job_record_unref(&question->record.record);
        question->record.record = read;
    }
    return question->record.record != NULL ? 0 : rc;
}

/* ---- a page ---- */

/* The part that is in memory. *through: what is below `next` isn't here. */
static void page_look(struct history *history, struct history_question *question, bool *through)
{
    const struct history_query *query = &question->page.query;
    struct recent *recent = &history->recent;
    size_t *count = &question->page.count, *examined = &question->page.examined;
    HL_LOCK_SCOPE(history->lock);
    (void)recent_first(recent);
    uint64_t at = query->before != 0 && query->before < recent->next ? query->before : recent->next;
    while (at > recent->first && *count < question->page.max && *examined < HISTORY_EXAMINED_MAX) {
        const struct entry *entry = recent_at(recent, --at);
        (*examined)++;
        if (entry != NULL && !entry->replaced && query_matches(query, entry->record))
            question->page.records[(*count)++] = job_record_ref(entry->record);
    }
    *through = at <= recent->first;
    question->page.next = at;
}

static int page_remember(struct history *history, struct history_question *question)
{
    bool through;
    ASSERT(question->page.max > 0 && question->page.max <= HISTORY_PAGE_MAX);
    question->page.count = question->page.examined = 0;
    page_look(history, question, &through);
    if (through && history->database == NULL)
        question->page.next = 0;
    bool is_full = question->page.count == question->page.max ||
                   question->page.examined == HISTORY_EXAMINED_MAX;
    return through && history->database != NULL && !is_full ? EINPROGRESS : 0;
}

/* Records read from the file, from `first` on, that are in memory anew: they were replaced. */
static void replaced_leave_out(struct history *history, struct job_record **records, size_t first,
                               size_t *count)
{
    size_t kept = first;
    HL_LOCK_SCOPE(history->lock);
    for (size_t i = first; i < *count; i++) {
        if (recent_by_id(&history->recent, records[i]->id) != NULL)
            job_record_unref(&records[i]);
        else
            records[kept++] = records[i];
    }
    *count = kept;
}

static int page_read(struct history *history, struct history_question *question)
{
    struct job_record **records = question->page.records;
    size_t *count = &question->page.count, in_memory = *count;
    int rc =
        rows_list(history->database, &question->page.query, question->page.next, question->page.max,
                  records, count, &question->page.examined, &question->page.next);
    if (rc == 0)
        replaced_leave_out(history, records, in_memory, count);
    while (rc != 0 && *count > 0)
        job_record_unref(&records[--*count]);
    return rc;
}

/* ---- a key ---- */

static int key_remember(struct history *history, struct history_question *question)
{
    const char *tube = question->key.tube, *key = question->key.key;
    uint32_t submitter = question->key.submitter;
    HL_LOCK_SCOPE(history->lock);
    const struct entry *entry = recent_by_key(&history->recent, tube, submitter, key);
    question->key.id = entry != NULL ? entry->record->id : 0;
    return entry == NULL && history->database != NULL && key[0] != '\0' &&
                   keys_may_have(history, tube, submitter, key)
               ? EINPROGRESS
               : 0;
}

static int key_read(struct history *history, struct history_question *question)
{
    int rc = rows_by_key(history->database, question->key.tube, question->key.submitter,
                         question->key.key, &question->key.id);
    return rc == ENOENT ? 0 : rc;
}

/* ---- any ---- */

static int question_remember(struct history *history, struct history_question *question)
{
    switch (question->asks) {
    case HISTORY_ASK_RECORD:
        return record_remember(history, question);
    case HISTORY_ASK_PAGE:
        return page_remember(history, question);
    case HISTORY_ASK_KEY:
        return key_remember(history, question);
    }
    CANT_HAPPEN("a question for nothing");
}

static int question_look(struct history *history, struct history_question *question)
{
    switch (question->asks) {
    case HISTORY_ASK_RECORD:
        return record_read(history, question);
    case HISTORY_ASK_PAGE:
        return page_read(history, question);
    case HISTORY_ASK_KEY:
        return key_read(history, question);
    }
    CANT_HAPPEN("a question for nothing");
}

int question_read(struct history *history, struct history_question *question)
{
    static struct log_limit limit;
    int rc = question_look(history, question);
    if (rc == EIO)
        log_limited(&limit, LOG_LEVEL_ERROR, "history: %s can't be read", history->database->path);
    return rc;
}

/* What memory had for it. */
static void question_drop(struct history_question *question)
{
    if (question->asks == HISTORY_ASK_RECORD)
        job_record_unref(&question->record.record);
    while (question->asks == HISTORY_ASK_PAGE && question->page.count > 0)
        job_record_unref(&question->page.records[--question->page.count]);
}

static bool question_cancel(struct later *later)
{
    struct history_question *question = CONTAINER_OF(later, struct history_question, later);
    struct history *history = question->history;
    hl_lock_acquire(history->lock);
    bool cancelled = !question->is_read && later_leave(later);
    hl_lock_release(history->lock);
    if (cancelled)
        question_drop(question);
    return cancelled;
}

int history_ask(struct history *history, struct history_question *question)
{
    MAGIC_CHECK(history, HISTORY_MAGIC);
    ends_settle(history);
    int rc = question_remember(history, question);
    if (rc != EINPROGRESS)
        return rc;
    if (question->later.fire == NULL) {
        question_drop(question);
        return EAGAIN;
    }
    question->history = history;
    question->is_read = false;
    hl_lock_acquire(history->lock);
    later_wait(&question->later, question_cancel);
    list_append(&history->asked, &question->later.node);
    hl_lock_release(history->lock);
    reader_wake(history);
    return rc;
}

/* ---- for threads that may block ---- */

static int ask_blocking(struct history *history, struct history_question *question)
{
    question->later = (struct later){.fire = later_wake};
    int rc = history_ask(history, question);
    if (rc != EINPROGRESS)
        return rc;
    MUST(later_block(&question->later, CLOCK_NEVER, "history", "records"));
    return question->later.result;
}

int history_get(struct history *history, uint64_t id, struct job_record **record)
{
    struct history_question question = {.asks = HISTORY_ASK_RECORD, .record = {.id = id}};
    int rc = ask_blocking(history, &question);
    if (rc == 0)
        *record = question.record.record;
    return rc;
}

int history_list(struct history *history, const struct history_query *query, size_t max,
                 struct job_record **records, size_t *count, uint64_t *next)
{
    struct history_question question = {.asks = HISTORY_ASK_PAGE,
                                        .page = {.query = *query, .max = max, .records = records}};
    int rc = ask_blocking(history, &question);
    *count = question.page.count;
    *next = question.page.next;
    return rc;
}

uint64_t history_key(struct history *history, const char *tube, uint32_t submitter, const char *key)
{
    struct history_question question = {.asks = HISTORY_ASK_KEY,
                                        .key = {.tube = tube, .key = key, .submitter = submitter}};
    return ask_blocking(history, &question) == 0 ? question.key.id : 0;
}
