// SPDX-License-Identifier: MIT
/*
 * Segments ahead of need: the thread "prepare" keeps some ready, so that a commit never waits for a
 * file to be made, and takes away those that are too many.
 *
 * Ready segments are used first in, first out. Three of them are kept back: puts leave all, state
 * changes leave two, compaction may take the last (enum journal_class). Two for compaction, because
 * the oldest segment is gone only when all that lives in it was copied, and the copies may take
 * more than it does: what happened to a job since its put is in them. With one, a full disk of
 * living jobs could fill it with half of a segment, and nothing would ever be gained again. When
 * the disk is full the thread tries again once a second, and at once when something was trimmed or
 * removed.
 *
 * Sizes follow the journal: a segment is about a 64th of it, so that a large backlog is hundreds of
 * files and not thousands, and an empty journal is small. A ready segment that is no longer of a
 * suitable size is replaced.
 */
#include "base/clock.h"
#include "base/log.h"
#include "journal/file_priv.h"

#include <errno.h>
#include <string.h>

#define RETRY_NS INT64_C(1000000000)
/* What a ready segment may be larger than wanted, before it is replaced. */
#define OVERSIZE 4
#define READY_MIN (SEGMENTS_KEPT_BACK + SEGMENTS_AHEAD)
/* More than these are removed: room for a burst, in place of making new ones for it. */
#define READY_MAX (READY_MIN + 2)

/* Ready segments that a class leaves. */
static const size_t left_by[JOURNAL_COMPACT + 1] = {[JOURNAL_PUT] = SEGMENTS_KEPT_BACK,
                                                    [JOURNAL_STATE] = SEGMENTS_KEPT_BACK - 1,
                                                    [JOURNAL_LAST] = SEGMENTS_KEPT_BACK - 1};

uint64_t prepare_size(const struct file_journal *file)
{
    uint64_t size = file->settings.segment_size;
    while (size < file->settings.segment_size_max && size * SEGMENTS_GROWTH <= file->bytes_used)
        size *= 2;
    return size < file->settings.segment_size_max ? size : file->settings.segment_size_max;
}

void prepare_count(struct file_journal *file)
{
    int64_t room = 0;
    size_t behind = file->ready_count;
    int64_t by_class[JOURNAL_COMPACT + 1] = {0};
    struct list_node *node = list_first(&file->ready);
    for (; node != NULL; node = list_next(&file->ready, node)) {
        const struct segment *segment = CONTAINER_OF(node, struct segment, node);
        behind--; /* how many stay behind this one */
        room += (int64_t)(segment->size - FORMAT_FRAMES_AT - FORMAT_FRAME_HEAD);
        for (int class = JOURNAL_PUT; class <= JOURNAL_COMPACT; class ++)
            if (behind >= left_by[class])
                by_class[class] = room;
    }
    /* Changes leave half a segment to the ends of jobs: a quarter of the two that compaction has
     * beyond both. On a full disk that is theirs alone, and once it is used up so much has died
     * that compaction gains it back. */
    by_class[JOURNAL_STATE] -= (by_class[JOURNAL_COMPACT] - by_class[JOURNAL_LAST]) / 4;
    for (int class = JOURNAL_PUT; class <= JOURNAL_COMPACT; class ++)
        atomic_store(&file->room_ready[class], by_class[class]);
}

void line_count(struct file_journal *file)
{
    /* In this order: who sees that something is used finds a unit, too. */
    atomic_store(&file->unit, file->line.len > 0 ? file->bytes_used / file->line.len : 0);
    atomic_store(&file->used, file->bytes_used);
}

void prepare_give(struct file_journal *file, struct segment *segment)
{
    segment->retired = false;
    segment->generation = 0;
    list_append(&file->ready, &segment->node);
    file->ready_count++;
    file->stat.recycled++;
    prepare_count(file);
}

void prepare_wake(struct file_journal *file)
{
    if (file->preparer == NULL)
        return;
    atomic_fetch_add(&file->preparer_bell, 1);
    park_wake(&file->preparer_bell, 1);
}

static void prepared_tell(struct file_journal *file)
{
    atomic_fetch_add(&file->prepared, 1);
    park_wake(&file->prepared, INT32_MAX);
}

/* One new ready segment. */
static int prepare_make(struct file_journal *file)
{
    hl_lock_acquire(file->lock);
    uint64_t size = prepare_size(file);
    uint32_t number = file->next_number++;
    hl_lock_release(file->lock);
    struct segment *segment;
    int rc = segment_create(file, number, size, true, &segment);
    hl_lock_acquire(file->lock);
    if (rc == 0) {
        list_append(&file->ready, &segment->node);
        file->ready_count++;
        file->stat.created++;
        file->bytes_total += size;
        prepare_count(file);
    }
    hl_lock_release(file->lock);
    bool was_full = atomic_exchange(&file->full, rc != 0);
    if (rc != 0 && !was_full)
        log_warning("journal: no space for another segment in %s (%s): puts are refused until "
                    "there is",
                    file->path, strerrordesc_np(rc));
    if (rc == 0 && was_full)
        log_notice("journal: there is space again in %s", file->path);
    prepared_tell(file);
    return rc;
}

/* [lock] A ready segment that should go: one too many, or of an unsuitable size while there are
 * enough. NULL: none. */
static struct segment *prepare_surplus(struct file_journal *file)
{
    uint64_t size = prepare_size(file);
    if (file->ready_count <= READY_MIN)
        return NULL;
    struct list_node *node = list_first(&file->ready);
    for (; node != NULL; node = list_next(&file->ready, node)) {
        struct segment *segment = CONTAINER_OF(node, struct segment, node);
        if (segment->size < size || segment->size / OVERSIZE > size)
            return segment;
    }
    node = list_first(&file->ready);
    return file->ready_count > READY_MAX ? CONTAINER_OF(node, struct segment, node) : NULL;
}

/* [lock] */
static bool prepare_unsuitable(const struct file_journal *file)
{
    uint64_t size = prepare_size(file);
    struct list_node *node = list_first(&file->ready);
    for (; node != NULL; node = list_next(&file->ready, node)) {
        const struct segment *segment = CONTAINER_OF(node, struct segment, node);
        if (segment->size < size || segment->size / OVERSIZE > size)
            return true;
    }
    return false;
}

static void prepare_drop(struct file_journal *file, struct segment *segment)
{
    uint64_t size = segment->size;
    int rc = segment_remove(file, &segment);
    if (rc == 0)
        rc = file->sys->sync(file->directory);
    if (rc != 0)
        log_warning("journal: a segment that isn't needed can't be removed from %s: %s", file->path,
                    strerrordesc_np(rc));
    hl_lock_acquire(file->lock);
    file->stat.removed++;
    file->bytes_total -= size;
    hl_lock_release(file->lock);
}

/* Does one thing that is to be done. false: there was none, or it failed. */
static bool prepare_one(struct file_journal *file)
{
    hl_lock_acquire(file->lock);
    struct segment *surplus = prepare_surplus(file);
    if (surplus != NULL) {
        list_remove(&surplus->node);
        file->ready_count--;
        prepare_count(file);
    }
    bool make = file->ready_count < READY_MIN ||
                (file->ready_count == READY_MIN && prepare_unsuitable(file));
    hl_lock_release(file->lock);
    if (surplus != NULL) {
        prepare_drop(file, surplus);
        return true;
    }
    return make && prepare_make(file) == 0;
}

static void prepare_run(void *arg)
{
    struct file_journal *file = arg;
    for (;;) {
        uint32_t seen = atomic_load(&file->preparer_bell);
        while (!atomic_load(&file->preparer_stop) && prepare_one(file)) {
        }
        if (atomic_load(&file->preparer_stop))
            return;
        int64_t until = atomic_load(&file->full) ? clock_deadline(RETRY_NS) : CLOCK_NEVER;
        hl_thread_wait_begin("journal", "work");
        (void)park_wait(&file->preparer_bell, seen, until);
        hl_thread_wait_end();
    }
}

/* Without the thread: as many as there should be, as far as the disk has space. */
static void prepare_fill(struct file_journal *file)
{
    while (file->ready_count < READY_MIN && prepare_make(file) == 0) {
    }
}

int prepare_start(struct file_journal *file)
{
    /* What is kept back comes first, while nobody waits; a full disk is no reason not to start. */
    prepare_fill(file);
    hl_lock_acquire(file->lock);
    prepare_count(file);
    line_count(file);
    hl_lock_release(file->lock);
    if (file->settings.prepare_inline)
        return 0;
    struct hl_thread_options options = {
        .target = prepare_run, .arg = file, .name = "prepare", .daemon = HL_DAEMON_NO};
    hl_thread *thread;
    int rc = hl_thread_new(&thread, &options);
    if (rc != 0)
        return rc;
    rc = hl_thread_start(thread);
    if (rc != 0)
        hl_thread_free(&thread);
    else
        file->preparer = thread;
    return rc;
}

void prepare_stop(struct file_journal *file)
{
    if (file->preparer == NULL)
        return;
    atomic_store(&file->preparer_stop, true);
    prepare_wake(file);
    MUST(hl_thread_join(file->preparer, HL_FOREVER));
    hl_thread_free(&file->preparer);
}

/* [lock] The first ready one that is large enough, if the class leaves as many as it must. */
static struct segment *ready_take(struct file_journal *file, enum journal_class class,
                                  uint64_t size)
{
    if (file->ready_count <= left_by[class])
        return NULL;
    struct list_node *node = list_first(&file->ready);
    for (; node != NULL; node = list_next(&file->ready, node)) {
        struct segment *segment = CONTAINER_OF(node, struct segment, node);
        if (segment->size - FORMAT_FRAMES_AT >= size) {
            list_remove(node);
            file->ready_count--;
            prepare_count(file);
            return segment;
        }
    }
    return NULL;
}

/* A segment for what fits into none. */
static int take_special(struct file_journal *file, uint64_t size, struct segment **out)
{
    hl_lock_acquire(file->lock);
    uint32_t number = file->next_number++;
    hl_lock_release(file->lock);
    const uint64_t page = 4096;
    size = (size + FORMAT_FRAMES_AT + page - 1) / page * page;
    int rc = segment_create(file, number, size, false, out);
    if (rc != 0)
        return rc == ENOMEM ? ENOMEM : ENOSPC;
    hl_lock_acquire(file->lock);
    file->stat.created++;
    file->bytes_total += size;
    hl_lock_release(file->lock);
    return 0;
}

int prepare_take(struct file_journal *file, enum journal_class class, uint64_t size,
                 struct segment **out)
{
    bool waited = false;
    for (;;) {
        uint32_t seen = atomic_load(&file->prepared);
        hl_lock_acquire(file->lock);
        *out = ready_take(file, class, size);
        bool special = size > prepare_size(file) - FORMAT_FRAMES_AT;
        if (waited && *out != NULL)
            file->stat.waits++;
        hl_lock_release(file->lock);
        if (*out != NULL || special)
            break;
        if (file->preparer == NULL) {
            if (prepare_make(file) != 0)
                return ENOSPC;
            continue;
        }
        if (atomic_load(&file->full))
            return ENOSPC;
        waited = true;
        prepare_wake(file);
        hl_thread_wait_begin("journal", "segment");
        (void)park_wait(&file->prepared, seen, CLOCK_NEVER);
        hl_thread_wait_end();
    }
    if (file->preparer == NULL)
        prepare_fill(file);
    else
        prepare_wake(file);
    return *out != NULL ? 0 : take_special(file, size, out);
}
