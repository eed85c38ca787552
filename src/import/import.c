// SPDX-License-Identifier: MIT
/*
 * The jobs of a beanstalkd's directory: records in, oldest first, jobs out.
 *
 * Each record replaces what was known of its job; one that says deleted takes it out. A short
 * record can only change a job that is known; what it says of a body and of when the job was
 * created must agree, which is the one check that finds damage inside of numbers. Changes of jobs
 * that nobody put are counted as damage at the end, since a later file may still have the whole
 * job.
 */
#include "import/import_priv.h"

#include "base/magic.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_NS INT64_C(1000000000)

void import_tell(const struct import *import, const char *format, ...)
{
    char text[512];
    if (import->line == NULL)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    import->line(import->arg, text);
}

/* ---- jobs ---- */

/* The one object of that name. NULL: out of memory. */
static const struct import_tube *tube_intern(struct import *import, const char *name, size_t len)
{
    struct import_tube *tube = strmap_get(&import->tubes, name, len);
    if (tube != NULL)
        return tube;
    tube = malloc(sizeof(*tube) + len);
    if (tube == NULL)
        return NULL;
    tube->len = len;
    memcpy(tube->name, name, len);
    if (strmap_put(&import->tubes, tube->name, len, tube) == 0)
        return tube;
    free(tube);
    return NULL;
}

static uint32_t ttr_seconds(int64_t ttr_ns)
{
    int64_t seconds = ttr_ns / SECOND_NS + (ttr_ns % SECOND_NS != 0);
    return seconds < 1 ? 1 : seconds > JOB_TTR_MAX_S ? JOB_TTR_MAX_S : (uint32_t)seconds;
}

/* What each record says, short or full. */
static void job_change(struct import *import, struct import_job *job,
                       const struct binlog_record *record)
{
    if (record->state != BINLOG_BURIED)
        job->burial = 0;
    else if (job->burial == 0)
        job->burial = ++import->last_burial;
    job->state = record->state;
    job->pri = record->pri;
    job->ttr_s = ttr_seconds(record->ttr_ns);
    job->delay_ns = record->delay_ns;
    job->created_wall_ns = record->created_wall_ns;
    job->deadline_wall_ns = record->deadline_wall_ns;
    job->reserves = record->reserves;
    job->timeouts = record->timeouts;
    job->releases = record->releases;
    job->buries = record->buries;
    job->kicks = record->kicks;
}

static int job_add(struct import *import, const struct binlog_record *record,
                   struct import_job **out)
{
    struct import_job *job = calloc(1, sizeof(*job)); /* no magic: never leaves the import */
    int rc = job == NULL ? ENOMEM : idmap_put(&import->jobs, record->id, job);
    if (rc != 0) {
        free(job);
        return rc;
    }
    job->id = record->id;
    *out = job;
    return 0;
}

/* Everything of a full record. */
static int job_place(struct import *import, struct import_job *job,
                     const struct binlog_record *record)
{
    job->tube = tube_intern(import, record->tube, record->tube_len);
    if (job->tube == NULL)
        return ENOMEM;
    job->file = import->census.files;
    job->body_offset = record->body_offset;
    job->body_len = record->body_len;
    return 0;
}

static int orphan_note(struct import *import, uint64_t id)
{
    static char note;
    int rc = idmap_put(&import->orphans, id, &note);
    return rc == EEXIST ? 0 : rc;
}

static int record_take(void *arg, const struct binlog_record *record)
{
    struct import *import = arg;
    struct import_job *job = idmap_get(&import->jobs, record->id);
    if (job != NULL &&
        (job->body_len != record->body_len || job->created_wall_ns != record->created_wall_ns))
        return EBADMSG;
    import->census.records++;
    if (record->id > import->census.last_id)
        import->census.last_id = record->id;
    if (record->state == BINLOG_DELETED) {
        import->census.deleted++;
        free(idmap_remove(&import->jobs, record->id));
        (void)idmap_remove(&import->orphans, record->id);
        return 0;
    }
    if (record->tube_len == 0 && job == NULL)
        return orphan_note(import, record->id);
    int rc = 0;
    if (job == NULL)
        rc = job_add(import, record, &job);
    if (rc == 0 && record->tube_len > 0) {
        (void)idmap_remove(&import->orphans, record->id);
        rc = job_place(import, job, record);
    }
    if (rc == 0)
        job_change(import, job, record);
    return rc;
}

/* ---- files ---- */

static int damage_tell(struct import *import, uint64_t number, const struct binlog_source *source,
                       const struct binlog_end *end)
{
    size_t last;
    int rc = binlog_last(source, end->offset, &last);
    if (rc != 0)
        return rc;
    import->census.damages++;
    import->census.lost_bytes += last - end->offset;
    import_tell(import,
                "damage: binlog.%" PRIu64 ", byte %zu: %s; %zu bytes to the end of the file can't "
                "be read",
                number, end->offset, end->why, last - end->offset);
    return 0;
}

static int file_take(struct import *import, const struct import_file *file,
                     struct journal_error *error)
{
    struct binlog_end end = {.why = NULL};
    const struct binlog_source source = import_file_source(file);
    int rc = binlog_read(&source, record_take, import, &end);
    if (rc == EBADMSG)
        rc = damage_tell(import, file->number, &source, &end);
    if (rc == EOPNOTSUPP)
        return journal_error_set(error, rc,
                                 "%s/binlog.%" PRIu64 " is %s; what beanstalkd 1.10 to 1.13 write "
                                 "can be imported (version %d)",
                                 import->path, file->number, end.why, BINLOG_VERSION);
    if (rc != 0)
        return journal_error_set(error, rc, "%s/binlog.%" PRIu64 ": %s", import->path, file->number,
                                 strerrordesc_np(rc));
    import->census.files++;
    return 0;
}

/* beanstalkd takes files away from the front only, so a number between is missing for a bad reason.
 */
static void gap_tell(struct import *import, size_t i)
{
    uint64_t before = import->file[i - 1].number, number = import->file[i].number;
    if (number == before + 1)
        return;
    import->census.damages++;
    import_tell(import, "damage: binlog.%" PRIu64 " is missing, up to binlog.%" PRIu64, before + 1,
                number - 1);
}

static int files_take(struct import *import, struct journal_error *error)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < import->file_count; i++) {
        if (i > 0)
            gap_tell(import, i);
        rc = file_take(import, &import->file[i], error);
    }
    return rc;
}

static void count(struct import *import)
{
    struct import_census *census = &import->census;
    size_t cursor = 0;
    const struct import_job *job;
    while ((job = idmap_next(&import->jobs, &cursor)) != NULL) {
        census->jobs++;
        census->job_bytes += job->body_len;
        if (job->state == BINLOG_BURIED)
            census->buried++;
        else if (job->state == BINLOG_DELAYED)
            census->delayed++;
        else
            census->ready++;
    }
    if (import->orphans.len == 0)
        return;
    census->damages++;
    import_tell(import, "damage: %zu jobs were changed that no file has: they are lost",
                import->orphans.len);
}

/* ---- the face ---- */

int import_open(struct import **out, const char *directory,
                void (*line)(void *arg, const char *text), void *arg, struct journal_error *error)
{
    struct import *import = calloc(1, sizeof(*import));
    if (import == NULL)
        return journal_error_set(error, ENOMEM, "%s", strerrordesc_np(ENOMEM));
    MAGIC_INIT(import, IMPORT_MAGIC);
    import->directory = import->lock = -1;
    import->line = line;
    import->arg = arg;
    idmap_init(&import->jobs);
    idmap_init(&import->orphans);
    strmap_init(&import->tubes);
    import->path = strdup(directory);
    int rc = import->path == NULL ? journal_error_set(error, ENOMEM, "%s", strerrordesc_np(ENOMEM))
                                  : import_files_open(import, error);
    if (rc == 0)
        rc = files_take(import, error);
    if (rc != 0) {
        import_free(&import);
        return rc;
    }
    count(import);
    import->line = NULL;
    *out = import;
    return 0;
}

void import_free(struct import **import_p)
{
    struct import *import;
    MAGIC_TAKE(import, import_p, IMPORT_MAGIC);
    size_t cursor = 0;
    void *each;
    import_files_close(import);
    while ((each = idmap_next(&import->jobs, &cursor)) != NULL)
        free(each);
    cursor = 0;
    while ((each = strmap_next(&import->tubes, &cursor)) != NULL)
        free(each);
    idmap_fini(&import->jobs);
    idmap_fini(&import->orphans);
    strmap_fini(&import->tubes);
    free(import->path);
    MAGIC_WIPE(import);
    free(import);
}

void import_get_census(const struct import *import, struct import_census *census)
{
    MAGIC_CHECK(import, IMPORT_MAGIC);
    *census = import->census;
}

uint64_t import_count(const struct import *import,
                      bool (*is)(const char *tube, size_t len, const void *arg), const void *arg)
{
    MAGIC_CHECK(import, IMPORT_MAGIC);
    const struct import_job *job;
    uint64_t count = 0;
    size_t cursor = 0;
    while ((job = idmap_next(&import->jobs, &cursor)) != NULL)
        count += is(job->tube->name, job->tube->len, arg) ? 1 : 0;
    return count;
}
