// SPDX-License-Identifier: MIT
/*
 * The import's jobs, written to a journal.
 *
 * First the journal is read: which ids it has, at which place, and below what ids may have been
 * given out. All jobs are compared with that before the first one is written, so that a clash
 * changes nothing. Then they are written in the order of their ids, many to a frame, and as the
 * last record the ceiling of ids; one sync makes it all durable. What is there already from an
 * import that was interrupted is known by being the same, byte for byte: nothing in a record
 * depends on when it is written.
 */
#include "import/import_priv.h"

#include "base/magic.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Records of a frame have so many bytes, unless one alone has more. */
#define FRAME_BYTES ((size_t)512 * 1024)
#define FRAME_RECORDS 4096

/* What the journal has of one job. */
struct present {
    uint64_t locator; /* of its PUT */
    bool changed;     /* it has more than that one record */
};

struct target {
    struct import *import;
    struct journal *journal;
    struct idmap present; /* by id; struct present, owned */
    uint64_t id_limit;
    uint64_t last_id;     /* of ids that the import doesn't have */
    uint64_t last_burial; /* likewise */
    uint64_t sequence;
    struct import_job **job; /* the import's, by id */
    size_t job_count;
    /* the frame that is being filled */
    struct buf bytes;
    uint32_t len[FRAME_RECORDS];
    size_t records, frame_jobs;
    int result;
};

/* ---- what the journal has ---- */

static int present_note(struct target *target, const struct job_entry *entry, uint64_t locator)
{
    struct present *present = idmap_get(&target->present, entry->id);
    if (present != NULL) {
        present->changed = true;
        return 0;
    }
    present = calloc(1, sizeof(*present)); /* no magic: never leaves this file */
    int rc = present == NULL ? ENOMEM : idmap_put(&target->present, entry->id, present);
    if (rc != 0) {
        free(present);
        return rc;
    }
    present->locator = locator;
    present->changed = entry->type != JOB_ENTRY_PUT;
    return 0;
}

static int present_record(void *arg, uint64_t locator, const void *bytes, size_t len)
{
    struct target *target = arg;
    struct job_entry entry;
    int rc = job_entry_decode(&entry, bytes, len);
    if (rc != 0)
        return rc;
    if (entry.type == JOB_ENTRY_LIMITS) {
        target->id_limit = entry.id_limit;
        return 0;
    }
    if (entry.id == 0)
        return 0; /* of a tube */
    if (idmap_get(&target->import->jobs, entry.id) != NULL)
        return present_note(target, &entry, locator);
    if (entry.id > target->last_id)
        target->last_id = entry.id;
    if (entry.burial > target->last_burial)
        target->last_burial = entry.burial;
    return 0;
}

static int target_open(struct target *target, const struct journal_settings *settings,
                       struct journal_error *error)
{
    const struct journal_visitor visitor = {.record = present_record, .arg = target};
    struct journal_settings mine = *settings;
    struct journal_replayed replayed;
    mine.prepare_inline = true; /* nothing else is to be done meanwhile */
    int rc = journal_open(&target->journal, &mine, error);
    if (rc == 0)
        rc = journal_acquire(target->journal, error);
    if (rc != 0)
        return rc;
    error->text[0] = '\0';
    rc = journal_replay(target->journal, &visitor, &replayed, error);
    if (rc == 0 && replayed.damages > 0)
        rc = EBADMSG;
    if ((rc == EBADMSG || rc == EOPNOTSUPP) && error->text[0] == '\0')
        journal_error_set(error, rc, "%s is %s", settings->directory,
                          rc == EBADMSG ? "damaged; --check tells more, and an import wants a "
                                          "directory that is whole"
                                        : "of a newer hilera");
    else if (rc != 0 && error->text[0] == '\0')
        journal_error_set(error, rc, "%s: %s", settings->directory, strerrordesc_np(rc));
    target->sequence = replayed.last_sequence;
    return rc;
}

/* ---- one job ---- */

static struct job_entry entry_of(const struct target *target, const struct import_job *job)
{
    bool delayed = job->state == BINLOG_DELAYED, buried = job->state == BINLOG_BURIED;
    return (struct job_entry){.type = JOB_ENTRY_PUT,
                              .state = buried    ? JOB_BURIED
                                       : delayed ? JOB_DELAYED
                                                 : JOB_READY,
                              .id = job->id,
                              .pri = job->pri,
                              .ttr_s = job->ttr_s,
                              .created_wall_ns = job->created_wall_ns,
                              .delay_ns = job->delay_ns,
                              .until_wall_ns = delayed ? job->deadline_wall_ns : 0,
                              .burial =
                                  buried ? job_serial_add(target->last_burial, job->burial) : 0,
                              .reserves = job->reserves,
                              .tries.timeouts = job->timeouts,
                              .releases = job->releases,
                              .buries = job->buries,
                              .kicks = job->kicks,
                              .tube = job->tube->name,
                              .tube_len = job->tube->len,
                              .body_len = job->body_len};
}

/* Its record, behind what is in *to. */
static int record_make(const struct target *target, const struct import_job *job, struct buf *to,
                       size_t *len)
{
    struct job_entry entry = entry_of(target, job);
    char head[JOB_ENTRY_HEAD_MAX];
    size_t head_len = job_entry_encode(&entry, head);
    *len = head_len + job->body_len;
    int rc = buf_reserve(to, *len);
    if (rc != 0)
        return rc;
    memcpy(to->data + to->len, head, head_len);
    rc = import_file_read_at(&target->import->file[job->file], to->data + to->len + head_len,
                             job->body_len, job->body_offset);
    if (rc == 0)
        to->len += *len;
    return rc;
}

/* EEXIST: its id isn't free. EALREADY: it is there, just so. */
static int job_judge(struct target *target, const struct import_job *job, struct buf *own,
                     struct buf *there)
{
    const struct present *present = idmap_get(&target->present, job->id);
    uint64_t given = target->id_limit > 0 ? target->id_limit - 1 : 0;
    if (target->last_id > given)
        given = target->last_id;
    if (present == NULL)
        return job->id > given ? 0 : EEXIST;
    if (present->changed)
        return EEXIST;
    size_t len;
    buf_clear(own);
    int rc = record_make(target, job, own, &len);
    if (rc == 0)
        rc = journal_read(target->journal, present->locator, there);
    if (rc != 0)
        return rc;
    bool same = own->len == there->len && memcmp(own->data, there->data, own->len) == 0;
    return same ? EALREADY : EEXIST;
}

static int job_compare(const void *a, const void *b)
{
    const struct import_job *const *left = a, *const *right = b;
    return (*left)->id < (*right)->id ? -1 : (*left)->id > (*right)->id;
}

/* All of them by id, and then only those that are to be written. */
static int jobs_judge(struct target *target, const char *directory, struct journal_error *error)
{
    size_t cursor = 0, left = 0;
    struct import_job *job;
    struct buf own = BUF_EMPTY, there = BUF_EMPTY;
    target->job = calloc(target->import->jobs.len + 1, sizeof(struct import_job *));
    if (target->job == NULL)
        return journal_error_set(error, ENOMEM, "%s", strerrordesc_np(ENOMEM));
    while ((job = idmap_next(&target->import->jobs, &cursor)) != NULL)
        target->job[target->job_count++] = job;
    if (target->job_count > 1)
        qsort(target->job, target->job_count, sizeof(struct import_job *), job_compare);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < target->job_count; i++) {
        job = target->job[i];
        rc = job_judge(target, job, &own, &there);
        if (rc == 0)
            target->job[left++] = job;
        else if (rc == EEXIST)
            journal_error_set(
                error, rc,
                "job %" PRIu64 " can't be taken over: %s has, or had, another one of "
                "that id; ids are kept, so import into an empty directory (-b NEWDIR)",
                job->id, directory);
        else if (rc != EALREADY)
            journal_error_set(error, rc, "job %" PRIu64 ": %s", job->id, strerrordesc_np(rc));
        if (rc == EALREADY) {
            target->import->census.passed_over++;
            rc = 0;
        }
    }
    target->job_count = left;
    buf_fini(&own);
    buf_fini(&there);
    return rc;
}

/* ---- frames ---- */

static void frame_done(struct journal_append *append)
{
    struct target *target = append->arg;
    target->result = append->result;
    target->sequence = append->sequence;
}

static int frame_write(struct target *target)
{
    if (target->records == 0)
        return 0;
    struct journal_record *records = calloc(target->records, sizeof(*records));
    if (records == NULL)
        return ENOMEM;
    const char *at = target->bytes.data;
    for (size_t i = 0; i < target->records; i++) {
        records[i] = (struct journal_record){.head = at, .head_len = target->len[i]};
        at += target->len[i];
    }
    struct journal_append append = {.records = records,
                                    .count = target->records,
                                    .class = JOURNAL_PUT,
                                    .expected = target->sequence,
                                    .done = frame_done,
                                    .arg = target};
    uint64_t before = target->sequence;
    journal_append(target->journal, &append);
    free(records);
    if (target->result != 0) {
        target->sequence = before;
        return target->result;
    }
    target->import->census.written += target->frame_jobs;
    target->records = target->frame_jobs = 0;
    buf_clear(&target->bytes);
    return 0;
}

static int job_write(struct target *target, const struct import_job *job)
{
    int rc = 0;
    if (target->records == FRAME_RECORDS || target->bytes.len + job->body_len > FRAME_BYTES)
        rc = frame_write(target);
    size_t len = 0;
    if (rc == 0)
        rc = record_make(target, job, &target->bytes, &len);
    if (rc != 0)
        return rc;
    target->len[target->records++] = (uint32_t)len;
    target->frame_jobs++;
    return 0;
}

/* Ids up to the import's highest were given out, deleted ones too. */
static int limits_write(struct target *target)
{
    struct job_entry entry = {.type = JOB_ENTRY_LIMITS,
                              .id_limit = job_serial_add(target->import->census.last_id, 1)};
    char head[JOB_ENTRY_HEAD_MAX];
    if (target->id_limit >= entry.id_limit)
        return 0;
    int rc = target->records == FRAME_RECORDS ? frame_write(target) : 0;
    if (rc != 0)
        return rc;
    size_t len = job_entry_encode(&entry, head);
    rc = buf_append(&target->bytes, head, len);
    if (rc == 0)
        target->len[target->records++] = (uint32_t)len;
    return rc;
}

static int jobs_write(struct target *target, const char *directory, struct journal_error *error)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < target->job_count; i++)
        rc = job_write(target, target->job[i]);
    if (rc == 0)
        rc = limits_write(target);
    if (rc == 0)
        rc = frame_write(target);
    if (rc == 0)
        rc = journal_sync(target->journal);
    if (rc != 0)
        journal_error_set(
            error, rc,
            "the import ended early: %s has %" PRIu64 " of %" PRIu64 " jobs: %s; once "
            "that is put right, import again: it goes on from there",
            directory, target->import->census.written + target->import->census.passed_over,
            target->import->census.jobs, strerrordesc_np(rc));
    return rc;
}

/* ---- the face ---- */

static void target_free(struct target *target)
{
    size_t cursor = 0;
    void *each;
    while ((each = idmap_next(&target->present, &cursor)) != NULL)
        free(each);
    idmap_fini(&target->present);
    buf_fini(&target->bytes);
    free(target->job);
    free(target);
}

int import_write(struct import *import, const struct journal_settings *settings,
                 struct journal_error *error)
{
    MAGIC_CHECK(import, IMPORT_MAGIC);
    struct target *target = calloc(1, sizeof(*target)); /* no magic: never leaves this file */
    if (target == NULL)
        return journal_error_set(error, ENOMEM, "%s", strerrordesc_np(ENOMEM));
    target->import = import;
    idmap_init(&target->present);
    int rc = target_open(target, settings, error);
    if (rc == 0)
        rc = jobs_judge(target, settings->directory, error);
    if (rc == 0)
        rc = jobs_write(target, settings->directory, error);
    if (target->journal != NULL) {
        int closed = journal_close(&target->journal);
        if (rc == 0 && closed != 0)
            rc = journal_error_set(error, closed, "%s can't be synced: %s", settings->directory,
                                   strerrordesc_np(closed));
    }
    target_free(target);
    return rc;
}
