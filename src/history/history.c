// SPDX-License-Identifier: MIT
/*
 * History: the face of the folder, over records in memory and, where there is one, their file.
 *
 * In memory alone, each bound is kept when a record comes, by taking from the oldest. With a file,
 * what comes waits in memory for the thread (writer.c), which also keeps the bounds. Memory always
 * has the latest records, without gaps, and the file all that came before; so who asks is answered
 * from here first and from there second (question.c).
 *
 * Memory is freed without the lock.
 */
#include "history/history.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/magic.h"
#include "history/reader_priv.h"
#include "history/writer_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Entries a purge takes in one hold of the lock. */
#define PURGE_MAX 256
/* At the start nobody waits for who restores. */
#define RESTORE_PATIENCE_NS (10 * HL_SECOND)

/* ---- life ---- */

/* A damaged one is put aside, once. */
static int file_open(struct history *history, const char *path, struct history_error *error)
{
    char aside[4096];
    int rc = database_open(&history->database, path, error);
    if (rc != EBADMSG)
        return rc;
    int renamed = database_set_aside(path, aside, sizeof(aside));
    if (renamed != 0) {
        size_t len = strlen(error->text);
        snprintf(error->text + len, sizeof(error->text) - len, "; and it can't be renamed: %s",
                 strerrordesc_np(renamed));
        return rc;
    }
    log_error("history: %s; it is now %s, and a new one is begun", error->text, aside);
    return database_open(&history->database, path, error);
}

static int file_begin(struct history *history, const char *path, struct history_error *error)
{
    int rc = file_open(history, path, error);
    if (rc != 0)
        return rc;
    const struct database *database = history->database;
    history->recent.first = history->recent.next = database->last + 1;
    history->written = history->opened_last = database->last;
    history->stats.file = history->stats.healthy = true;
    history->stats.count = database->count;
    history->stats.bytes = database->bytes;
    history->stats.file_bytes = database_file_bytes(history->database);
    rc = writer_start(history);
    if (rc == 0)
        rc = reader_start(history);
    if (rc != 0)
        snprintf(error->text, sizeof(error->text), "the threads of the history: %s",
                 strerrordesc_np(rc));
    return rc;
}

int history_new(struct history **out, const struct history_settings *settings,
                struct history_error *error)
{
    struct history *history = calloc(1, sizeof(*history));
    int rc = ENOMEM;
    if (history != NULL) {
        MAGIC_INIT(history, HISTORY_MAGIC);
        history->settings = *settings;
        history->settings.path = NULL;
        if (settings->queue_bytes == 0)
            history->settings.queue_bytes = HISTORY_QUEUE_BYTES;
        if (settings->linger_ns == 0)
            history->settings.linger_ns = HISTORY_LINGER_NS;
        keys_init(&history->keys);
        list_init(&history->asked);
        recent_init(&history->recent, settings->path == NULL, settings->keep_ns);
        history->on = settings->keep_ns > 0 && settings->keep_count > 0 && settings->keep_bytes > 0;
        rc = hl_lock_new(&history->lock, "history", lock_class(LOCK_CLASS_history));
        if (rc == 0)
            rc = ends_init(&history->offered);
    }
    if (rc != 0)
        snprintf(error->text, sizeof(error->text), "%s", strerrordesc_np(rc));
    else if (history->on && settings->path != NULL)
        rc = file_begin(history, settings->path, error);
    if (rc != 0)
        history_free(&history);
    *out = history;
    return rc;
}

void history_free(struct history **history)
{
    if (*history == NULL)
        return;
    struct history *mine = *history;
    MAGIC_CHECK(mine, HISTORY_MAGIC);
    ends_fini(mine);
    reader_stop(mine);
    writer_stop(mine); /* what it tells until then may be asked about by the caller's pointer */
    *history = NULL;
    keys_fini(&mine->keys);
    database_close(&mine->database);
    recent_fini(&mine->recent);
    hl_lock_free(&mine->lock);
    MAGIC_WIPE(mine);
    free(mine);
}

bool history_is_on(const struct history *history)
{
    MAGIC_CHECK(history, HISTORY_MAGIC);
    return history->on;
}

/* ---- adding ---- */

/* [held] */
static int queue_add(struct history *history, struct job_record **record,
                     const struct ticket *ticket, struct entry **gone)
{
    const struct entry *before = recent_by_id(&history->recent, (*record)->id);
    bool waited = before != NULL && before->number > history->written;
    bool keep = waited && !ticket_is_none(ticket), instead = waited && !keep;
    size_t had = instead ? entry_bytes(before) : 0;
    int rc = recent_add(&history->recent, record, ticket, keep, gone);
    if (rc != 0)
        return rc;
    history->stats.pending += instead ? 0 : 1;
    history->pending_bytes -= had;
    history->pending_bytes += entry_bytes(recent_at(&history->recent, history->recent.next - 1));
    if (history->stats.pending == 1)
        history->pending_since_ns = clock_now_ns();
    return 0;
}

/* [held] */
static void bounds_keep(struct history *history, struct entry **gone)
{
    const struct history_settings *settings = &history->settings;
    struct recent *recent = &history->recent;
    while (recent->count > settings->keep_count || recent->bytes > settings->keep_bytes) {
        recent_take(recent, recent_first(recent), gone);
        history->stats.dropped++;
    }
}

/* [held] */
static int memory_add(struct history *history, struct job_record **record, struct entry **gone)
{
    const struct ticket none = {0}; /* nothing is written */
    int rc = recent_add(&history->recent, record, &none, false, gone);
    if (rc == 0)
        bounds_keep(history, gone);
    return rc;
}

/* [held] Numbers between are nobody's. */
static int number_skip_to(struct history *history, uint64_t number)
{
    struct recent *recent = &history->recent;
    if (number < recent->next || number > HISTORY_NUMBER_MAX)
        return EINVAL;
    if (history->stats.pending == 0)
        history->written = number - 1;
    recent->next = number;
    return 0;
}

/* [held] *number: as history_add. */
static int add(struct history *history, struct job_record **record, uint64_t *number,
               const struct ticket *ticket, struct entry **gone)
{
    bool file = history->database != NULL;
    int rc = *number != 0 ? number_skip_to(history, *number) : 0;
    if (rc == 0 && file && rest_is_over(history, (*record)->memory))
        rc = ENOBUFS;
    if (rc == 0 && file)
        keys_add(history, *record);
    if (rc == 0)
        rc = file ? queue_add(history, record, ticket, gone) : memory_add(history, record, gone);
    if (rc == 0)
        *number = history->recent.next - 1;
    else if (*number != 0 && rc != EINVAL)
        history->recent.next = *number + 1; /* nobody else's */
    history->stats.added += rc == 0;
    history->stats.lost += rc != 0;
    return rc;
}

int history_keep(struct history *history, struct job_record **record, uint64_t *number,
                 const struct ticket *ticket, bool *tell)
{
    struct entry *gone = NULL;
    bool wake = false;
    int rc = 0;
    if (history->on) {
        hl_lock_acquire(history->lock);
        rc = add(history, record, number, ticket, &gone);
        if (rc == 0 && history->database != NULL) {
            wake = writer_wanted(history);
            *tell |= rest_look(history);
        }
        hl_lock_release(history->lock);
    }
    if (wake)
        writer_wake(history);
    job_record_unref(record);
    entries_free(&gone);
    return rc;
}

int history_add(struct history *history, struct job_record **record, uint64_t *number)
{
    MAGIC_CHECK(history, HISTORY_MAGIC);
    bool tell = false;
    int rc = history_keep(history, record, number, &(struct ticket){0}, &tell);
    if (tell)
        rest_tell(history);
    return rc;
}

uint64_t history_last(const struct history *history)
{
    MAGIC_CHECK(history, HISTORY_MAGIC);
    return history->database != NULL ? history->opened_last : 0;
}

/* [held; lets go of the lock while it waits] For a record to fit, as long as writing gets on. */
static void room_await(struct history *history, size_t memory)
{
    int64_t deadline = clock_deadline(RESTORE_PATIENCE_NS);
    int rc = 0;
    while (rc != ETIMEDOUT && history->stats.healthy && history->stats.pending > 0 &&
           history->pending_bytes + memory > history->settings.queue_bytes) {
        uint32_t seen = atomic_load(&history->room);
        hl_lock_release(history->lock);
        hl_thread_wait_begin("history", "room");
        rc = park_wait(&history->room, seen, deadline);
        hl_thread_wait_end();
        hl_lock_acquire(history->lock);
    }
}

int history_restore(struct history *history, uint64_t number, struct job_record **record)
{
    MAGIC_CHECK(history, HISTORY_MAGIC);
    if (history->database != NULL) {
        HL_LOCK_SCOPE(history->lock);
        room_await(history, (*record)->memory);
    } else
        job_record_unref(record);
    return *record != NULL ? history_add(history, record, &number) : EINVAL;
}

/* ---- time, figures ---- */

static size_t memory_purge(struct history *history, int64_t now)
{
    struct entry *gone = NULL;
    struct entry *oldest;
    size_t some = 0;
    hl_lock_acquire(history->lock);
    while (some < PURGE_MAX && (oldest = recent_aged(&history->recent, now)) != NULL) {
        recent_take(&history->recent, oldest, &gone);
        some++;
    }
    history->stats.dropped += some;
    hl_lock_release(history->lock);
    entries_free(&gone);
    return some;
}

void history_purge(struct history *history)
{
    MAGIC_CHECK(history, HISTORY_MAGIC);
    if (history->database == NULL) {
        int64_t now = clock_now_ns();
        while (memory_purge(history, now) == PURGE_MAX) {
        }
        return;
    }
    hl_lock_acquire(history->lock);
    history->purge = true;
    bool wake = writer_wanted(history), fill = keys_wanted(history);
    bool hangs;
    bool tell = rest_tick(history, &hangs);
    hl_lock_release(history->lock);
    if (wake)
        writer_wake(history);
    if (fill)
        reader_wake(history);
    if (hangs)
        log_warning("history: nothing could be written to %s for %d s; records past %zu bytes of "
                    "them are lost until it can, jobs go on",
                    history->database->path, (int)(HISTORY_REST_NS / HL_SECOND),
                    history->settings.queue_bytes);
    if (tell)
        rest_tell(history);
}

uint64_t history_durable(struct history *history)
{
    MAGIC_CHECK(history, HISTORY_MAGIC);
    HL_LOCK_SCOPE(history->lock);
    return history->database != NULL ? history->written : history->recent.next - 1;
}

void history_stats(struct history *history, struct history_stats *stats)
{
    MAGIC_CHECK(history, HISTORY_MAGIC);
    ends_settle(history);
    HL_LOCK_SCOPE(history->lock);
    *stats = history->stats;
    bool file = history->database != NULL;
    stats->count = file ? stats->count + stats->pending : history->recent.count;
    stats->bytes = file ? stats->bytes + history->pending_bytes : history->recent.bytes;
}
