// SPDX-License-Identifier: MIT
/*
 * The backend `file`: its object from open to close, its figures, and its table of methods. What it
 * does is in the files beside this one; file_priv.h is their map.
 */
#include "journal/file_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_LEAST ((size_t)1024) /* bytes of records that are worth a frame of their own */

static void segments_free(struct file_journal *file, struct list *list)
{
    struct list_node *node;
    while ((node = list_pop(list)) != NULL) {
        struct segment *segment = CONTAINER_OF(node, struct segment, node);
        segment_free(file, &segment);
    }
}

static void file_free(struct file_journal *file)
{
    size_t cursor = 0;
    struct segment *segment;
    while ((segment = idmap_next(&file->line, &cursor)) != NULL)
        segment_free(file, &segment);
    segments_free(file, &file->ready);
    segments_free(file, &file->retired);
    segments_free(file, &file->strays);
    idmap_fini(&file->line);
    if (file->lock_fd >= 0)
        (void)file->sys->close(file->lock_fd);
    if (file->directory >= 0)
        (void)file->sys->close(file->directory);
    if (file->lock != NULL)
        hl_lock_free(&file->lock);
    if (file->sync_lock != NULL)
        hl_lock_free(&file->sync_lock);
    free(file->frame);
    free(file->path);
    MAGIC_WIPE(&file->base);
    free(file);
}

static int file_close(struct journal *journal)
{
    struct file_journal *file = file_journal_of(journal);
    prepare_stop(file);
    int rc = file->replayed && !file->settings.read_only ? file_finish(file) : 0;
    file_free(file);
    return rc;
}

static void file_facts(const struct journal *journal, struct journal_facts *facts)
{
    (void)file_journal_of(journal);
    *facts = (struct journal_facts){.window = 1, .record_max = JOURNAL_RECORD_MAX};
}

/* What is left of a segment is used up, as long as it is worth a frame: on a full disk compaction
 * gains no more than a part of a segment with each one that it copies. */
static size_t frame_of(const struct file_journal *file, size_t left)
{
    size_t part = file->settings.segment_size / 4;
    return left >= FRAME_LEAST && left < part ? left : part;
}

static void file_room(const struct journal *journal, struct journal_room *room)
{
    const struct file_journal *file = file_journal_of(journal);
    const int64_t left = atomic_load(&file->room_active);
    const bool full = atomic_load(&file->full);
    const bool limited = file->preparer != NULL || full;
    room->put = limited ? left + atomic_load(&file->room_ready[JOURNAL_PUT]) : INT64_MAX;
    room->change = limited ? left + atomic_load(&file->room_ready[JOURNAL_STATE]) : INT64_MAX;
    room->last = limited ? left + atomic_load(&file->room_ready[JOURNAL_LAST]) : INT64_MAX;
    room->copy = limited ? left + atomic_load(&file->room_ready[JOURNAL_COMPACT]) : INT64_MAX;
    room->frame = frame_of(file, (size_t)left);
    room->slow_next = (size_t)left < FRAME_LEAST;
    room->full = full;
    room->used = atomic_load(&file->used);
    room->unit = atomic_load(&file->unit);
}

static void file_stat(const struct journal *journal, struct journal_stat *stat)
{
    struct file_journal *file = file_journal_of(journal);
    hl_lock_acquire(file->lock);
    *stat = file->stat;
    stat->segments = file->line.len;
    stat->segments_ready = file->ready_count;
    stat->segment_size = prepare_size(file);
    stat->bytes_total = file->bytes_total;
    stat->bytes_used = file->bytes_used;
    hl_lock_release(file->lock);
    stat->full = atomic_load(&file->full);
    stat->broken = atomic_load(&file->broken);
}

static const struct journal_backend file_backend = {
    .name = "file",
    .facts = file_facts,
    .acquire = directory_acquire,
    .replay = file_replay,
    .append = file_append,
    .sync_begin = file_sync_begin,
    .sync_run = file_sync_run,
    .room = file_room,
    .read = file_read,
    .pin = file_pin,
    .unpin = file_unpin,
    .scan_begin = file_scan_begin,
    .scan_next = file_scan_next,
    .scan_end = file_scan_end,
    .trim = file_trim,
    .stat = file_stat,
    .close = file_close,
};

static int settings_complete(struct journal_settings *settings, struct journal_error *error)
{
    if (settings->segment_size == 0)
        settings->segment_size = JOURNAL_SEGMENT_DEFAULT;
    if (settings->segment_size_max == 0)
        settings->segment_size_max = settings->segment_size > JOURNAL_SEGMENT_LARGE
                                         ? settings->segment_size
                                         : JOURNAL_SEGMENT_LARGE;
    if (settings->sys == NULL)
        settings->sys = &journal_sys_real;
    if (settings->segment_size < JOURNAL_SEGMENT_MIN ||
        settings->segment_size_max > JOURNAL_SEGMENT_MAX ||
        settings->segment_size_max < settings->segment_size)
        return journal_error_set(error, EINVAL,
                                 "a segment of the journal has %u bytes to %u, and a large one "
                                 "isn't smaller than the first",
                                 JOURNAL_SEGMENT_MIN, JOURNAL_SEGMENT_MAX);
    return 0;
}

int file_open(struct journal **out, const struct journal_settings *settings,
              struct journal_error *error)
{
    struct journal_settings complete = *settings;
    int rc = settings_complete(&complete, error);
    if (rc != 0)
        return rc;
    struct file_journal *file = calloc(1, sizeof(*file)); /* no magic: it is in `base` */
    if (file == NULL)
        return journal_error_set(error, ENOMEM, "there is not enough memory");
    MAGIC_INIT(&file->base, FILE_JOURNAL_MAGIC);
    file->base.backend = &file_backend;
    file->settings = complete;
    file->settings.directory = NULL;
    file->sys = complete.sys;
    file->directory = file->lock_fd = -1;
    file->oldest = 1;
    file->next_number = 1;
    idmap_init(&file->line);
    list_init(&file->ready);
    list_init(&file->retired);
    list_init(&file->strays);
    file->path = strdup(settings->directory);
    rc = file->path == NULL ? ENOMEM : 0;
    if (rc == 0)
        rc = hl_lock_new(&file->lock, "segments", lock_class(LOCK_CLASS_segments));
    if (rc == 0)
        rc = hl_lock_new(&file->sync_lock, "syncs", lock_class(LOCK_CLASS_syncs));
    if (rc == 0)
        rc = directory_open(settings, file->sys, &file->directory);
    if (rc != 0) {
        file_free(file);
        return journal_error_set(error, rc, "the directory %s can't be opened: %s",
                                 settings->directory, strerrordesc_np(rc));
    }
    *out = &file->base;
    return 0;
}
