// SPDX-License-Identifier: MIT
/*
 * The thread "history": writes what waits in memory, and removes what is past its time.
 *
 * A batch is due when it is large enough, or when its first record has waited for `linger_ns`: one
 * sync, the costly part, then serves all that came meanwhile. After each batch as many old rows go
 * as could have come, so the file is bounded however fast records come.
 *
 * When a batch can't be written (the disk is full, or fails) its records stay where they are and it
 * is tried again once a second. The queue fills meanwhile, and what finds it full is lost, at once
 * (rest.c): nobody waits for a disk that doesn't write. A damaged file is put aside and a new one
 * begun.
 *
 * A record whose end the journal may take back is held until the ticket of that end is reached, and
 * so are those behind it. The thread wants that ticket: where nobody waits for an end, it would be
 * reached much later. No commit waits for history, so neither waits for the other for ever. If the
 * journal has failed the ticket is never reached; it holds until the stop, which gives up.
 *
 * The thread sleeps on an event. It clears it before it looks, so nothing that is told in between
 * is missed.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/magic.h"
#include "history/reader_priv.h"
#include "history/writer_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_NS HL_SECOND
/* A ticket is looked at again so often; a wake-up comes as a rule. */
#define HELD_NS (HL_SECOND / 10)
/* Slices after a batch: together more rows than a batch has. */
#define SLICES_MAX (2 * WRITER_BATCH / ROWS_SLICE)

enum work { WORK_NONE, WORK_HELD, WORK_BATCH, WORK_PURGE, WORK_GIVE_UP, WORK_END };

/* ---- what to do next ---- */

/* [held] */
static bool batch_is_large(const struct history *history)
{
    return history->stats.pending >= WRITER_BATCH || history->pending_bytes >= WRITER_BATCH_BYTES ||
           history->pending_bytes >= history->settings.queue_bytes / 2;
}

/* [held] The first for an empty queue begins the wait, a large batch ends it, unless the thread
 * waits for a ticket. */
bool writer_wanted(struct history *history)
{
    bool waits =
        history->stats.pending == 1 || (batch_is_large(history) && !atomic_load(&history->held));
    if (history->rung || (!waits && !history->purge && !history->stopping))
        return false;
    history->rung = true;
    return true;
}

void writer_wake(struct history *history)
{
    atomic_fetch_add(&history->bell, 1);
    park_wake(&history->bell, 1);
}

void history_reached(struct history *history)
{
    MAGIC_CHECK(history, HISTORY_MAGIC);
    if (atomic_load(&history->held) && atomic_exchange(&history->held, false))
        writer_wake(history);
}

/* [held] 0: its record may be written. EINPROGRESS. EIO: never. */
static int entry_state(const struct history *history, const struct entry *entry)
{
    const struct history_settings *settings = &history->settings;
    return settings->reached != NULL ? settings->reached(&entry->ticket, settings->arg) : 0;
}

/* [held] The first that waits; NULL: none. *number: as recent_from. */
static const struct entry *entry_waiting(struct history *history, uint64_t *number)
{
    *number = history->written + 1;
    return recent_from(&history->recent, number);
}

/* [held] Whether the first that waits may be written; else *ticket is what it waits for. */
static int first_state(struct history *history, struct ticket *ticket)
{
    uint64_t number;
    const struct entry *entry = entry_waiting(history, &number);
    if (entry == NULL)
        return 0;
    *ticket = entry->ticket;
    /* Before the look, so who reaches it after that sees that somebody waits. */
    atomic_store(&history->held, true);
    int rc = entry_state(history, entry);
    if (rc == 0)
        atomic_store(&history->held, false);
    return rc;
}

/* [held] */
static enum work work_last(struct history *history)
{
    struct ticket ticket;
    if (history->stats.pending == 0)
        return WORK_END;
    return first_state(history, &ticket) == 0 ? WORK_BATCH : WORK_GIVE_UP;
}

/* *until: when to look again, if there is nothing to do. *ticket: what is wanted, if HELD. */
static enum work work_next(struct history *history, int64_t *until, struct ticket *ticket)
{
    HL_LOCK_SCOPE(history->lock);
    int64_t now = clock_now_ns();
    bool waits = history->stats.pending > 0;
    int64_t due = waits ? history->pending_since_ns + history->settings.linger_ns : CLOCK_NEVER;
    history->rung = false;
    if (history->stopping)
        return work_last(history);
    if (waits && batch_is_large(history))
        due = now;
    *until = due < history->retry_ns ? history->retry_ns : due;
    bool due_now = waits && *until <= now;
    int state = due_now ? first_state(history, ticket) : 0;
    if (due_now && state == 0)
        return WORK_BATCH;
    if (history->purge && history->retry_ns <= now) {
        history->purge = false; /* who asks from now on means a later time */
        return WORK_PURGE;
    }
    if (state != 0)
        *until = state == EINPROGRESS ? clock_deadline(HELD_NS) : CLOCK_NEVER;
    return state != 0 ? WORK_HELD : WORK_NONE;
}

/* ---- success and failure ---- */

static void room_ring(struct history *history)
{
    atomic_fetch_add(&history->room, 1);
    park_wake(&history->room, INT32_MAX);
}

/* The figures of the file, after it changed. */
static void figures_tell(struct history *history)
{
    uint64_t size = database_file_bytes(history->database);
    HL_LOCK_SCOPE(history->lock);
    history->stats.file_bytes = size;
    history->stats.count = history->database->count;
    history->stats.bytes = history->database->bytes;
}

/* Whether what was done went well. */
static void health_tell(struct history *history, int rc)
{
    const struct database *database = history->database;
    hl_lock_acquire(history->lock);
    bool was_healthy = history->stats.healthy;
    uint64_t lost = history->stats.lost;
    history->stats.healthy = rc == 0;
    history->retry_ns = rc == 0 ? 0 : clock_deadline(RETRY_NS);
    hl_lock_release(history->lock);
    if (rc != 0 && was_healthy)
        log_warning("history: %s can't be written: %s; it is tried again every second, records "
                    "wait in memory meanwhile and are lost past %zu bytes of them, jobs go on",
                    database->path, strerrordesc_np(rc), history->settings.queue_bytes);
    if (rc == 0 && !was_healthy)
        log_notice("history: %s is written again; %" PRIu64 " records were lost since the start",
                   database->path, lost);
}

/* After EBADMSG, and when it couldn't be had the last time. */
static int database_mend(struct history *history)
{
    struct history_error error = {""};
    int rc = database_renew(history->database, &error);
    if (rc != 0)
        log_error("history: %s", error.text);
    HL_LOCK_SCOPE(history->lock);
    keys_all_forgotten(history);
    return rc;
}

/* ---- batches ---- */

/* The oldest that wait, referenced; returns how many. *last: the number of the last one. Those that
 * come later wait from now on, and those that are held; others that were left have waited already.
 */
static size_t batch_collect(struct history *history, uint64_t *last)
{
    size_t count = 0, bytes = 0;
    HL_LOCK_SCOPE(history->lock);
    uint64_t number;
    const struct entry *entry = entry_waiting(history, &number);
    bool held = false;
    while (entry != NULL && count < WRITER_BATCH && bytes < WRITER_BATCH_BYTES) {
        held = entry_state(history, entry) != 0;
        if (held)
            break;
        history->batch[count++] =
            (struct numbered){.number = number, .record = job_record_ref(entry->record)};
        number++;
        bytes += entry_bytes(entry);
        entry = recent_from(&history->recent, &number); /* past those that were replaced */
    }
    *last = entry == NULL ? history->recent.next - 1 : number - 1;
    if (entry == NULL || held)
        history->pending_since_ns = clock_now_ns();
    return count;
}

static void batch_release(struct history *history, size_t count)
{
    for (size_t i = 0; i < count; i++)
        job_record_unref(&history->batch[i].record);
}

/* [held] They don't wait any more, those of them that weren't replaced meanwhile. */
static void batch_settle(struct history *history, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct entry *entry = recent_at(&history->recent, history->batch[i].number);
        if (entry == NULL)
            continue;
        history->stats.pending--;
        history->pending_bytes -= entry_bytes(entry);
    }
}

/* [held] Written ones, down to what is to stay in memory. */
static void written_evict(struct history *history, struct entry **gone)
{
    struct entry *oldest;
    while (history->recent.bytes - history->pending_bytes > WRITER_RECENT_BYTES &&
           (oldest = recent_first(&history->recent)) != NULL && oldest->number <= history->written)
        recent_take(&history->recent, oldest, gone);
}

static void batch_written(struct history *history, size_t count, size_t refused, uint64_t last,
                          int64_t took_ns)
{
    struct entry *gone = NULL;
    struct history_stats *stats = &history->stats;
    hl_lock_acquire(history->lock);
    batch_settle(history, count);
    history->written = last;
    stats->count = history->database->count;
    stats->bytes = history->database->bytes;
    stats->lost += refused;
    stats->batches++;
    stats->batch_max = count > stats->batch_max ? count : stats->batch_max;
    stats->write_ns += took_ns;
    written_evict(history, &gone);
    bool tell = rest_written(history), fill = history->keys.next != NULL;
    hl_lock_release(history->lock);
    entries_free(&gone);
    if (fill)
        reader_wake(history);
    if (tell)
        rest_tell(history);
    if (history->settings.durable != NULL)
        history->settings.durable(last, history->settings.arg);
}

/* The stop's last word on what can't be written. */
static void pending_give_up(struct history *history)
{
    hl_lock_acquire(history->lock);
    uint64_t lost = history->stats.pending;
    history->stats.lost += lost;
    history->stats.pending = history->pending_bytes = 0;
    history->written = history->recent.next - 1;
    hl_lock_release(history->lock);
    if (history->settings.durable != NULL)
        log_error("history: the last %" PRIu64 " records couldn't be written; what the journal has "
                  "of them comes back with the next start",
                  lost);
    else
        log_error("history: the last %" PRIu64 " records are lost", lost);
}

static int batch_write(struct history *history)
{
    size_t refused = 0;
    uint64_t last;
    int rc = history->database->writer != NULL ? 0 : database_mend(history);
    if (rc != 0) {
        health_tell(history, rc);
        return rc;
    }
    size_t count = batch_collect(history, &last);
    int64_t began_ns = clock_now_ns();
    rc = rows_write(history->database, history->batch, count, &refused);
    if (rc == EBADMSG && database_mend(history) == 0)
        rc = rows_write(history->database, history->batch, count, &refused);
    health_tell(history, rc);
    if (rc == 0)
        batch_written(history, count, refused, last, clock_now_ns() - began_ns);
    batch_release(history, count);
    room_ring(history);
    return rc;
}

/* ---- the old ---- */

static struct retention retention_now(const struct history *history)
{
    int64_t oldest, now = clock_wall_ns();
    if (__builtin_sub_overflow(now, history->settings.keep_ns, &oldest))
        oldest = INT64_MIN;
    return (struct retention){.now_wall_ns = now,
                              .oldest_wall_ns = oldest,
                              .count = history->settings.keep_count,
                              .bytes = history->settings.keep_bytes};
}

/* What went from the file goes from memory. */
static void forgotten_take(struct history *history, size_t forgotten, size_t keyed)
{
    struct entry *gone = NULL;
    hl_lock_acquire(history->lock);
    for (size_t i = 0; i < forgotten; i++) {
        struct entry *entry = recent_at(&history->recent, history->forgotten[i]);
        if (entry != NULL)
            recent_take(&history->recent, entry, &gone);
    }
    history->stats.dropped += forgotten;
    keys_forgotten(history, keyed);
    hl_lock_release(history->lock);
    entries_free(&gone);
}

/* Some slices. Whether there is more. */
static int purge(struct history *history, bool *more)
{
    const struct retention retention = retention_now(history);
    size_t forgotten = 1, keyed;
    int rc = history->database->writer != NULL ? 0 : database_mend(history);
    for (int i = 0; rc == 0 && forgotten > 0 && i < SLICES_MAX; i++) {
        rc = rows_forget(history->database, &retention, history->forgotten, &forgotten, &keyed);
        if (rc == 0 && forgotten > 0)
            forgotten_take(history, forgotten, keyed);
    }
    *more = rc == 0 && forgotten > 0;
    return rc;
}

/* After a batch, which may have been one too many. Damage that it finds is mended at once. */
static int purge_some(struct history *history, bool *more)
{
    int rc = purge(history, more);
    if (rc == EBADMSG)
        rc = database_mend(history);
    figures_tell(history);
    return rc;
}

/* The housekeeping of a second: it also gives a slice of the file back, if much of it is free. */
static void purge_all(struct history *history)
{
    bool more;
    int rc = purge_some(history, &more);
    if (rc == 0 && !more)
        rc = database_shrink(history->database);
    hl_lock_acquire(history->lock);
    history->purge |= more;
    hl_lock_release(history->lock);
    figures_tell(history);
    health_tell(history, rc);
}

/* ---- the thread ---- */

static void writer_wait(struct history *history, uint32_t seen, int64_t until)
{
    hl_thread_wait_begin("history", "records");
    (void)park_wait(&history->bell, seen, until);
    hl_thread_wait_end();
}

static void writer_main(void *arg)
{
    struct history *history = arg;
    enum work work = WORK_NONE;
    while (work != WORK_END) {
        int64_t until = CLOCK_NEVER;
        struct ticket ticket;
        bool more;
        uint32_t seen = atomic_load(&history->bell);
        work = work_next(history, &until, &ticket);
        if (work == WORK_HELD && history->settings.want != NULL)
            history->settings.want(&ticket, history->settings.arg);
        if (work == WORK_NONE || work == WORK_HELD)
            writer_wait(history, seen, until);
        else if (work == WORK_PURGE)
            purge_all(history);
        else if (work == WORK_BATCH && batch_write(history) == 0)
            (void)purge_some(history, &more);
        else if (work == WORK_GIVE_UP || (work == WORK_BATCH && history->stopping))
            pending_give_up(history);
    }
}

int writer_start(struct history *history)
{
    history->batch = calloc(WRITER_BATCH, sizeof(struct numbered));
    history->forgotten = calloc(ROWS_SLICE, sizeof(uint64_t));
    int rc = ENOMEM;
    if (history->batch != NULL && history->forgotten != NULL)
        rc = hl_thread_new(&history->thread, &(struct hl_thread_options){.target = writer_main,
                                                                         .arg = history,
                                                                         .name = "history",
                                                                         .daemon = HL_DAEMON_NO});
    if (rc == 0)
        rc = hl_thread_start(history->thread);
    if (rc != 0)
        hl_thread_free(&history->thread);
    return rc;
}

void writer_stop(struct history *history)
{
    if (history->thread != NULL) {
        hl_lock_acquire(history->lock);
        history->stopping = true;
        hl_lock_release(history->lock);
        writer_wake(history);
        MUST(hl_thread_join(history->thread, HL_FOREVER));
        hl_thread_free(&history->thread);
    }
    free(history->batch);
    free(history->forgotten);
}
