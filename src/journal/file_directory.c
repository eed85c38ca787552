// SPDX-License-Identifier: MIT
/*
 * Takes a directory: locks it, looks at every file, and finds out which segments are the line.
 *
 * The newest segment decides. Its header, and every frame in it, say which generation is the oldest
 * that counts; the last frame says it best. Segments before that are free, whatever is in them. A
 * generation that is missing in between is damage, which replay reports.
 *
 * A segment of which both headers are damaged is not lost: the tag at the beginning of its first
 * frame is tried against the generations that are missing.
 */
#include "journal/file_priv.h"
#include "journal/file_walk_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOCK_NAME "journal.lock"

static const char *open_fault(int rc)
{
    return rc == EINVAL ? "it is not a regular file" : strerrordesc_np(rc);
}

/* ---- the lock ---- */

static long lock_holder(const struct file_journal *file)
{
    char text[32] = "";
    size_t got = 0;
    if (file->sys->read(file->lock_fd, text, sizeof(text) - 1, 0, &got) != 0)
        return 0;
    text[got] = '\0';
    return strtol(text, NULL, 10);
}

static int lock_take(struct file_journal *file, struct journal_error *error)
{
    bool shared = file->settings.read_only;
    int rc = file->sys->open(file->directory, LOCK_NAME, shared ? O_RDONLY : O_RDWR | O_CREAT, 0600,
                             &file->lock_fd);
    if (rc == ENOENT && shared)
        return 0; /* nobody was ever here */
    if (rc != 0)
        return journal_error_set(error, rc, "%s/" LOCK_NAME " can't be opened: %s", file->path,
                                 open_fault(rc));
    rc = file->sys->lock(file->lock_fd, shared);
    if (rc == EBUSY)
        return journal_error_set(error, EBUSY,
                                 "%s is in use by another hilerad, process %ld; each needs a "
                                 "directory of its own",
                                 file->path, lock_holder(file));
    if (rc != 0 || shared)
        return rc == 0 ? 0
                       : journal_error_set(error, rc, "%s/" LOCK_NAME " can't be locked: %s",
                                           file->path, strerrordesc_np(rc));
    char text[32];
    int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    rc = file->sys->truncate(file->lock_fd, 0);
    /* On a full disk this may fail: the lock counts, the number is for people. */
    if (rc == 0)
        (void)file->sys->write(file->lock_fd, text, (size_t)len, 0);
    return 0;
}

/* ---- what is there ---- */

struct names {
    uint32_t *numbers; /* of segments */
    size_t count, cap;
    char leftover[SEGMENT_NAME_MAX + 4]; /* one that was being made; "": none */
    bool binlog;                         /* beanstalkd's */
};

static int name_add(struct names *names, uint32_t number)
{
    if (names->count == names->cap) {
        size_t cap = names->cap > 0 ? names->cap * 2 : 64;
        uint32_t *numbers = realloc(names->numbers, cap * sizeof(*numbers));
        if (numbers == NULL)
            return ENOMEM;
        names->numbers = numbers;
        names->cap = cap;
    }
    names->numbers[names->count++] = number;
    return 0;
}

static int name_each(const char *name, void *arg)
{
    struct names *names = arg;
    uint32_t number;
    size_t len = strlen(name);
    if (segment_number(name, &number))
        return name_add(names, number);
    if (strncmp(name, "segment-", 8) == 0 && len > 4 && strcmp(name + len - 4, ".new") == 0)
        snprintf(names->leftover, sizeof(names->leftover), "%s", name);
    if (strncmp(name, "binlog.", 7) == 0 && name[7] >= '0' && name[7] <= '9')
        names->binlog = true;
    return 0;
}

static int names_read(struct file_journal *file, struct names *names, struct journal_error *error)
{
    free(names->numbers);
    *names = (struct names){0};
    int rc = file->sys->list(file->directory, name_each, names);
    if (rc != 0)
        return journal_error_set(error, rc, "%s can't be listed: %s", file->path,
                                 strerrordesc_np(rc));
    return 0;
}

/* What a crash left half made. */
static int leftovers_remove(struct file_journal *file, struct names *names,
                            struct journal_error *error)
{
    while (names->leftover[0] != '\0' && !file->settings.read_only) {
        int rc = file->sys->unlink(file->directory, names->leftover);
        if (rc != 0 && rc != ENOENT)
            return journal_error_set(error, rc, "%s/%s can't be removed: %s", file->path,
                                     names->leftover, strerrordesc_np(rc));
        rc = names_read(file, names, error);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* ---- one segment ---- */

/* What its header says; see format_header_read. */
static int segment_look(struct file_journal *file, struct segment *segment,
                        struct format_header *header)
{
    unsigned char bytes[FORMAT_FRAMES_AT] = {0};
    size_t got = 0;
    if (segment->size < FORMAT_FRAMES_AT ||
        file->sys->read(segment->fd, bytes, sizeof(bytes), 0, &got) != 0 || got != sizeof(bytes))
        return EBADMSG;
    return format_header_read(header, bytes);
}

static int segment_begun(struct file_journal *file, struct segment *segment,
                         const struct format_header *header, struct journal_error *error)
{
    char name[SEGMENT_NAME_MAX];
    segment_name(segment->number, name);
    if (file->id != 0 && file->id != header->journal_id)
        return journal_error_set(error, EEXIST,
                                 "%s/%s is of another journal than its neighbours; move one of "
                                 "them away",
                                 file->path, name);
    file->id = header->journal_id;
    segment->generation = header->generation;
    segment->first_sequence = header->first_sequence;
    segment->key = format_key_of(file->id, header->generation);
    const struct segment *twin = idmap_get(&file->line, header->generation);
    if (twin != NULL)
        return journal_error_set(error, EEXIST,
                                 "%s/%s is a copy of segment-%06" PRIu32 "; move one of them away",
                                 file->path, name, twin->number);
    int rc = idmap_put(&file->line, header->generation, segment);
    if (rc == 0 && header->generation > file->newest) {
        file->newest = header->generation;
        file->oldest = header->oldest;
    }
    return rc;
}

static int segment_load(struct file_journal *file, uint32_t number, struct journal_error *error)
{
    char name[SEGMENT_NAME_MAX];
    segment_name(number, name);
    int fd;
    uint64_t size = 0;
    int rc = file->sys->open(file->directory, name, file->settings.read_only ? O_RDONLY : O_RDWR, 0,
                             &fd);
    if (rc == 0) {
        rc = file->sys->size(fd, &size);
        if (rc != 0)
            (void)file->sys->close(fd);
    }
    if (rc != 0)
        return journal_error_set(error, rc, "%s/%s can't be opened: %s", file->path, name,
                                 open_fault(rc));
    if (size > SEGMENT_SIZE_MAX) {
        (void)file->sys->close(fd);
        return journal_error_set(error, EFBIG,
                                 "%s/%s has %" PRIu64 " bytes, more than a segment can have; it "
                                 "isn't hilera's, so move it away",
                                 file->path, name, size);
    }
    struct segment *segment = segment_new(number, fd, size);
    if (segment == NULL) {
        (void)file->sys->close(fd);
        return ENOMEM;
    }
    file->bytes_total += size;
    if (number >= file->next_number)
        file->next_number = number + 1;
    struct format_header header;
    rc = segment_look(file, segment, &header);
    if (rc == 0) {
        rc = segment_begun(file, segment, &header, error);
        if (rc != 0)
            segment_free(file, &segment);
    } else if (rc == ENOENT && size >= JOURNAL_SEGMENT_MIN) {
        list_append(&file->ready, &segment->node);
        file->ready_count++;
        rc = 0;
    } else if (rc == EOPNOTSUPP) {
        segment_free(file, &segment);
        return journal_error_set(error, EOPNOTSUPP,
                                 "%s/%s was written by a newer hilera; this one would lose what "
                                 "it doesn't know. Install that version, or another directory",
                                 file->path, name);
    } else {
        list_append(&file->strays, &segment->node);
        rc = 0;
    }
    return rc;
}

/* ---- the line ---- */

/* Whether the segment without header has good frames of that generation. */
static bool stray_is(struct file_journal *file, struct segment *segment, uint32_t generation)
{
    struct walk walk;
    struct format_frame first = {0}, last;
    segment->key = format_key_of(file->id, generation);
    segment->generation = generation;
    walk_init(&walk, file, segment, "");
    bool is = segment->size > FORMAT_FRAMES_AT && walk_edges(&walk, &first, &last) == 0;
    walk_fini(&walk);
    segment->first_sequence = first.sequence;
    return is;
}

/* Finds out which missing generation a segment without header is. */
static int strays_adopt(struct file_journal *file)
{
    struct list_node *node = list_first(&file->strays), *next;
    for (; node != NULL && file->id != 0; node = next) {
        next = list_next(&file->strays, node);
        struct segment *segment = CONTAINER_OF(node, struct segment, node);
        uint64_t generation = file->oldest;
        while (generation <= (uint64_t)file->newest + 1 &&
               (idmap_get(&file->line, generation) != NULL ||
                !stray_is(file, segment, (uint32_t)generation)))
            generation++;
        if (generation > (uint64_t)file->newest + 1)
            continue;
        int rc = idmap_put(&file->line, generation, segment);
        if (rc != 0)
            return rc;
        list_remove(node);
        segment->header_lost = true;
        if (generation > file->newest)
            file->newest = (uint32_t)generation;
    }
    return 0;
}

/* What the last good frame says about what counts, and about what was synced. */
static int line_end(struct file_journal *file)
{
    struct segment *newest = idmap_get(&file->line, file->newest);
    if (newest == NULL)
        return 0;
    file->synced = newest->first_sequence - 1;
    struct walk walk;
    struct format_frame first, last;
    walk_init(&walk, file, newest, "");
    int rc = walk_edges(&walk, &first, &last);
    walk_fini(&walk);
    if (rc == ENODATA)
        return 0;
    if (rc != 0)
        return rc;
    if (last.back < file->newest && file->newest - last.back > file->oldest)
        file->oldest = file->newest - last.back;
    uint64_t synced = last.sequence - 1 - last.unsynced;
    if (last.sequence > last.unsynced && synced > file->synced)
        file->synced = synced;
    return 0;
}

/* Those before the line are free. */
static int line_cut(struct file_journal *file)
{
    size_t cursor = 0;
    struct segment *segment;
    for (;;) { /* the map must not change while it is walked: once more for each */
        cursor = 0;
        while ((segment = idmap_next(&file->line, &cursor)) != NULL &&
               segment->generation >= file->oldest) {
        }
        if (segment == NULL)
            return 0;
        idmap_remove(&file->line, segment->generation);
        segment->generation = 0;
        list_append(&file->ready, &segment->node);
        file->ready_count++;
    }
}

int directory_acquire(struct journal *journal, struct journal_error *error)
{
    struct file_journal *file = file_journal_of(journal);
    ASSERT(!file->acquired);
    struct names names = {0};
    int rc = names_read(file, &names, error);
    if (rc == 0 && names.binlog)
        rc = journal_error_set(error, EEXIST,
                               "%s has a binlog of beanstalkd, which hilerad doesn't write to: "
                               "use another directory, and take the jobs over with "
                               "--import-beanstalkd %s",
                               file->path, file->path);
    if (rc == 0)
        rc = lock_take(file, error);
    if (rc == 0)
        rc = names_read(file, &names, error);
    if (rc == 0)
        rc = leftovers_remove(file, &names, error);
    for (size_t i = 0; rc == 0 && i < names.count; i++)
        rc = segment_load(file, names.numbers[i], error);
    free(names.numbers);
    if (rc == 0)
        rc = strays_adopt(file);
    if (rc == 0 && file->newest == 0 && !list_empty(&file->strays))
        rc = journal_error_set(error, EBADMSG,
                               "%s has segments, but in none of them is a header that can be "
                               "read; nothing was changed",
                               file->path);
    if (rc == 0)
        rc = line_end(file);
    if (rc == 0)
        rc = line_cut(file);
    if (rc != 0 && error->text[0] == '\0')
        return journal_error_set(error, rc, "%s can't be read: %s", file->path,
                                 strerrordesc_np(rc));
    file->acquired = rc == 0;
    return rc;
}
