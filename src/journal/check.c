// SPDX-License-Identifier: MIT
/*
 * Check and salvage: what is in a directory, and what of it can be saved. Both read it as a start
 * would, but change nothing there.
 *
 * Check follows every job from its PUT to its end, without bodies, so that it can say how many
 * would be there after a start. Salvage copies records as they are, in their order, and leaves out
 * what isn't whole.
 */
#include "journal/check.h"

#include "base/map.h"
#include "journal/file_sys.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the census ---- */

struct taking {
    struct journal_census *census;
    struct idmap jobs; /* id to what job_note made of it */
    void (*line)(void *arg, const char *text);
    void *arg;
};

static void tell(const struct taking *taking, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void tell(const struct taking *taking, const char *format, ...)
{
    char text[512];
    if (taking->line == NULL)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    taking->line(taking->arg, text);
}

/* A job's body length and whether it is buried, in place of a pointer; never NULL. */
static void *job_note(uint64_t body_len, bool buried)
{
    return (void *)(uintptr_t)(body_len << 2 | (uint64_t)buried << 1 | 1);
}

static void job_forget(struct taking *taking, uint64_t id)
{
    uintptr_t note = (uintptr_t)idmap_remove(&taking->jobs, id);
    if (note == 0)
        return;
    taking->census->jobs--;
    taking->census->jobs_buried -= note >> 1 & 1;
    taking->census->job_bytes -= note >> 2;
}

static int job_remember(struct taking *taking, uint64_t id, uint64_t body_len, bool buried)
{
    job_forget(taking, id); /* a copy that compaction made takes the place of the job */
    int rc = idmap_put(&taking->jobs, id, job_note(body_len, buried));
    if (rc != 0)
        return rc;
    taking->census->jobs++;
    taking->census->jobs_buried += buried;
    taking->census->job_bytes += body_len;
    return 0;
}

static int job_state_change(struct taking *taking, uint64_t id, bool buried)
{
    uintptr_t note = (uintptr_t)idmap_get(&taking->jobs, id);
    return note == 0 ? 0 : job_remember(taking, id, note >> 2, buried);
}

/* EBADMSG, EOPNOTSUPP: it is none that can be read. */
static int result_look(const struct job_entry *entry)
{
    struct job_record *record = NULL;
    int rc = job_record_decode(&record, entry->id, entry->body, entry->body_len);
    job_record_unref(&record);
    return rc;
}

static int entry_take(struct taking *taking, const struct job_entry *entry)
{
    struct journal_census *census = taking->census;
    if (entry->id > census->last_id)
        census->last_id = entry->id;
    switch (entry->type) {
    case JOB_ENTRY_PUT:
        return job_remember(taking, entry->id, entry->body_len, entry->state == JOB_BURIED);
    case JOB_ENTRY_DELETE:
        job_forget(taking, entry->id);
        return 0;
    case JOB_ENTRY_BURY:
        return job_state_change(taking, entry->id, true);
    case JOB_ENTRY_KICK:
    case JOB_ENTRY_LEASE:
    case JOB_ENTRY_RELEASE:
    case JOB_ENTRY_RETRY:
        return job_state_change(taking, entry->id, false);
    case JOB_ENTRY_LIMITS:
        census->id_limit = entry->id_limit;
        return 0;
    case JOB_ENTRY_TIMEOUT:
    case JOB_ENTRY_MOVE:
    case JOB_ENTRY_GROUP:
    case JOB_ENTRY_RESULT:
    case JOB_ENTRY_PAUSE:
        return 0;
    }
    return 0;
}

static int record_take(void *arg, uint64_t locator, const void *bytes, size_t len)
{
    struct taking *taking = arg;
    struct journal_census *census = taking->census;
    struct job_entry entry;
    int rc = job_entry_decode(&entry, bytes, len);
    if (rc == 0 && entry.type == JOB_ENTRY_RESULT)
        rc = result_look(&entry);
    if (rc == ENOMEM)
        return rc;
    if (rc == EOPNOTSUPP) {
        census->newer++;
        tell(taking, "an entry of type %u at %" PRIx64 " is of a newer hilera", entry.type,
             locator);
        return 0;
    }
    if (rc != 0) {
        census->unreadable++;
        tell(taking, "a record at %" PRIx64 " is whole, but no entry of a journal", locator);
        return 0;
    }
    const size_t types = sizeof(census->entries) / sizeof(census->entries[0]);
    census->entries[entry.type < types ? entry.type : 0]++;
    return entry_take(taking, &entry);
}

static void damage_tell(void *arg, const struct journal_damage *damage)
{
    const struct taking *taking = arg;
    if (damage->file[0] == '\0')
        tell(taking, "damage: %s", damage->text);
    else
        tell(taking, "damage: %s, byte %" PRIu64 ", %" PRIu64 " bytes: %s", damage->file,
             damage->offset, damage->size, damage->text);
}

static void summary(const struct taking *taking)
{
    const struct journal_census *census = taking->census;
    tell(taking,
         "%" PRIu64 " segments, %" PRIu64 " commits, %" PRIu64 " records, %" PRIu64 " bytes",
         census->replayed.segments, census->replayed.frames, census->replayed.records,
         census->replayed.bytes);
    tell(taking, "%" PRIu64 " jobs of %" PRIu64 " bytes, %" PRIu64 " of them buried", census->jobs,
         census->job_bytes, census->jobs_buried);
    if (census->replayed.torn_bytes > 0)
        tell(taking, "%" PRIu64 " bytes of a commit that nobody was told of; a start cuts them off",
             census->replayed.torn_bytes);
    tell(taking, "%" PRIu64 " damaged places, %" PRIu64 " unreadable records",
         census->replayed.damages, census->unreadable);
}

static int open_to_read(struct journal **out, const struct journal_settings *settings,
                        struct journal_error *error)
{
    struct journal_settings mine = *settings;
    mine.read_only = true;
    int rc = journal_open(out, &mine, error);
    if (rc != 0)
        return rc;
    rc = journal_acquire(*out, error);
    if (rc != 0)
        (void)journal_close(out);
    return rc;
}

enum journal_verdict journal_check(const struct journal_settings *settings,
                                   struct journal_census *census,
                                   void (*line)(void *arg, const char *text), void *arg)
{
    struct taking taking = {.census = census, .line = line, .arg = arg};
    struct journal_error error;
    struct journal *journal;
    *census = (struct journal_census){0};
    int rc = open_to_read(&journal, settings, &error);
    if (rc == 0) {
        const struct journal_visitor visitor = {record_take, damage_tell, &taking};
        idmap_init(&taking.jobs);
        rc = journal_replay(journal, &visitor, &census->replayed, &error);
        idmap_fini(&taking.jobs);
        (void)journal_close(&journal);
    }
    if (rc != 0) {
        tell(&taking, "%s", error.text);
        return JOURNAL_NOT_READ;
    }
    summary(&taking);
    if (census->newer > 0)
        return JOURNAL_NOT_READ;
    return census->replayed.damages > 0 || census->unreadable > 0 ? JOURNAL_DAMAGED : JOURNAL_WHOLE;
}

/* ---- salvage ---- */

/* Copied at once. */
#define SALVAGE_FRAME ((size_t)512 * 1024)

struct salvage {
    struct journal *to;
    uint64_t sequence, copied;
    struct buf bytes; /* of the records that are not appended yet */
    uint32_t *lens;
    size_t count, cap;
    int result;
};

static void salvage_done(struct journal_append *append)
{
    struct salvage *salvage = append->arg;
    salvage->result = append->result;
    salvage->sequence = append->sequence;
}

static int salvage_flush(struct salvage *salvage)
{
    if (salvage->count == 0)
        return 0;
    struct journal_record *records = calloc(salvage->count, sizeof(*records));
    if (records == NULL)
        return ENOMEM;
    const char *at = salvage->bytes.data;
    for (size_t i = 0; i < salvage->count; i++) {
        records[i] = (struct journal_record){.head = at, .head_len = salvage->lens[i]};
        at += salvage->lens[i];
    }
    struct journal_append append = {.records = records,
                                    .count = salvage->count,
                                    .class = JOURNAL_COMPACT,
                                    .expected = salvage->sequence,
                                    .done = salvage_done,
                                    .arg = salvage};
    journal_append(salvage->to, &append);
    free(records);
    if (salvage->result == 0)
        salvage->copied += salvage->count;
    salvage->count = 0;
    buf_clear(&salvage->bytes);
    return salvage->result;
}

static int salvage_record(void *arg, uint64_t locator, const void *bytes, size_t len)
{
    struct salvage *salvage = arg;
    (void)locator;
    if (salvage->bytes.len + len > SALVAGE_FRAME) {
        int rc = salvage_flush(salvage);
        if (rc != 0)
            return rc;
    }
    if (salvage->count == salvage->cap) {
        size_t cap = salvage->cap > 0 ? salvage->cap * 2 : 1024;
        uint32_t *lens = realloc(salvage->lens, cap * sizeof(*lens));
        if (lens == NULL)
            return ENOMEM;
        salvage->lens = lens;
        salvage->cap = cap;
    }
    int rc = buf_append(&salvage->bytes, bytes, len);
    if (rc == 0)
        salvage->lens[salvage->count++] = (uint32_t)len;
    return rc;
}

/* The copy looks whole, so a start on it leaves no gap of its own: it has to be in there. */
static int salvage_limits(struct salvage *salvage, const struct journal_census *census)
{
    uint64_t next = census->last_id + 1 > census->id_limit ? census->last_id + 1 : census->id_limit;
    const struct job_entry entry = {.type = JOB_ENTRY_LIMITS,
                                    .id_limit = job_serial_add(next, JOURNAL_GAP_AFTER_DAMAGE)};
    char head[JOB_ENTRY_HEAD_MAX];
    int rc = salvage_record(salvage, 0, head, job_entry_encode(&entry, head));
    if (rc == 0)
        rc = salvage_flush(salvage);
    salvage->copied -= rc == 0; /* that one is no copy */
    return rc;
}

static int name_refuse(const char *name, void *arg)
{
    (void)name;
    (void)arg;
    return EEXIST;
}

/* A new journal in a directory that has nothing in it. */
static int open_empty(struct journal **out, const struct journal_settings *settings,
                      struct journal_error *error)
{
    const struct journal_sys *sys = settings->sys != NULL ? settings->sys : &journal_sys_real;
    int directory;
    int rc = directory_open(settings, sys, &directory);
    if (rc == 0) {
        rc = sys->list(directory, name_refuse, NULL);
        (void)sys->close(directory);
    }
    if (rc != 0)
        return journal_error_set(error, rc, rc == EEXIST ? "%s isn't empty (%s)" : "%s: %s",
                                 settings->directory, strerrordesc_np(rc));
    rc = journal_open(out, settings, error);
    if (rc != 0)
        return rc;
    static const struct journal_visitor nothing = {.record = NULL};
    struct journal_replayed replayed;
    rc = journal_acquire(*out, error);
    if (rc == 0)
        rc = journal_replay(*out, &nothing, &replayed, error);
    if (rc != 0)
        (void)journal_close(out);
    return rc;
}

/* With limits if something is damaged. */
static int copy(struct journal *source, struct journal *to, struct taking *taking, bool damaged,
                uint64_t *copied, struct journal_error *error)
{
    struct salvage salvage = {.to = to};
    struct journal_replayed replayed;
    /* Damage is told of with the lines of a check, all else is the copy's. */
    struct journal_visitor visitor = {.record = salvage_record, .arg = &salvage};
    int rc = journal_replay(source, &visitor, &replayed, error);
    if (rc == 0)
        rc = salvage_flush(&salvage);
    if (rc == 0 && damaged)
        rc = salvage_limits(&salvage, taking->census);
    if (rc == 0)
        rc = journal_sync(to);
    if (rc != 0)
        journal_error_set(error, rc, "copying ended after %" PRIu64 " records: %s", salvage.copied,
                          strerrordesc_np(rc));
    tell(taking, "%" PRIu64 " records copied", salvage.copied);
    *copied = salvage.copied;
    buf_fini(&salvage.bytes);
    free(salvage.lens);
    return rc;
}

int journal_salvage(const struct journal_settings *from, const struct journal_settings *to,
                    uint64_t *copied, void (*line)(void *arg, const char *text), void *arg,
                    struct journal_error *error)
{
    struct journal_census census;
    struct taking taking = {.census = &census, .line = line, .arg = arg};
    struct journal *source, *target;
    *copied = 0;
    bool damaged = journal_check(from, &census, line, arg) != JOURNAL_WHOLE;
    int rc = open_to_read(&source, from, error);
    if (rc != 0)
        return rc;
    rc = open_empty(&target, to, error);
    if (rc == 0) {
        rc = copy(source, target, &taking, damaged, copied, error);
        int closed = journal_close(&target);
        if (rc == 0 && closed != 0)
            rc = journal_error_set(error, closed, "%s can't be synced: %s", to->directory,
                                   strerrordesc_np(closed));
    }
    (void)journal_close(&source);
    return rc;
}
