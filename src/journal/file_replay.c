// SPDX-License-Identifier: MIT
/*
 * Replay: the line from its oldest segment to its newest, frame by frame, record by record.
 *
 * Sequence numbers run through. A segment's header says with which one it begins, so it is known of
 * each but the last with which one it ends, and what is missing is noticed wherever it is. The last
 * segment ends at the first frame that isn't good and was never known to be synced.
 *
 * What is read here is believed from now on, so it has to be durable, too. The last frames may be
 * in the kernel's memory only: the process before this one was killed before its sync, or stopped
 * because its sync failed, after which the kernel takes the pages for clean and a mere sync does
 * nothing. So they are written once more, as they are, and then synced.
 */
#include "base/clock.h"
#include "base/hash.h"
#include "journal/file_priv.h"
#include "journal/file_walk_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct replay {
    struct file_journal *file;
    const struct journal_visitor *visitor;
    struct journal_replayed *replayed;
    uint64_t expected; /* the next sequence number; 0: not known yet */
    uint64_t unsure;   /* where the first frame is that may not be synced; 0: none */
    uint64_t end;      /* behind the last frame of the newest segment */
};

static void damage_report(struct replay *replay, const struct journal_damage *damage)
{
    replay->replayed->damages++;
    if (replay->visitor->damaged != NULL)
        replay->visitor->damaged(replay->visitor->arg, damage);
}

/* Frames `from` to `to` - 1 are nowhere. */
static void damage_missing(struct replay *replay, uint64_t from, uint64_t to, uint32_t generation)
{
    char text[160];
    snprintf(text, sizeof(text),
             "the segment before generation %" PRIu32 " is missing, with the commits %" PRIu64
             " to %" PRIu64,
             generation, from, to - 1);
    damage_report(
        replay, &(struct journal_damage){.kind = JOURNAL_DAMAGE_SEGMENT, .file = "", .text = text});
}

/* The records of a good frame. */
static int frame_visit(struct replay *replay, struct walk *walk)
{
    struct walk_span span = walk_frame_span(walk);
    size_t all = SIZE_MAX;
    int rc = walk_records(walk, &span, replay->visitor, &all);
    if (rc == 0 && span.at != span.end)
        damage_report(replay, &(struct journal_damage){
                                  .file = walk->name,
                                  .offset = span.at,
                                  .size = span.end - span.at,
                                  .text = "a commit whose checksum is right was written wrongly"});
    if (walk->frame.sequence > replay->file->synced && replay->unsure == 0)
        replay->unsure = walk->records_at - FORMAT_FRAME_HEAD;
    replay->replayed->records += span.seen;
    replay->replayed->frames++;
    replay->replayed->bytes += FORMAT_FRAME_HEAD + (uint64_t)walk->frame.bytes;
    replay->replayed->clean = walk->frame.bytes == 0 && walk->frame.count == FORMAT_COUNT_CLOSED;
    return rc;
}

/* What is left of the frames between walk->at and `end`. */
static int damage_visit(struct replay *replay, struct walk *walk, uint64_t end, uint64_t first)
{
    struct walk_span span = walk_damage_span(walk, end);
    uint64_t from = span.at;
    size_t all = SIZE_MAX;
    int rc = walk_records(walk, &span, replay->visitor, &all);
    if (rc != 0)
        return rc;
    char text[160];
    snprintf(text, sizeof(text),
             "commits %" PRIu64 " to %" PRIu64 " are damaged or missing; %" PRIu64
             " of their records are whole",
             first, walk->expected - 1, span.seen);
    replay->replayed->records += span.seen;
    damage_report(replay, &(struct journal_damage){.file = walk->name,
                                                   .offset = from,
                                                   .size = end - from,
                                                   .kept = span.seen,
                                                   .text = text});
    return 0;
}

static int segment_walk(struct replay *replay, struct walk *walk)
{
    int rc;
    for (;;) {
        uint64_t end = 0, first = walk->expected;
        rc = walk_next(walk, &end);
        if (rc == 0)
            rc = frame_visit(replay, walk);
        else if (rc == EBADMSG)
            rc = damage_visit(replay, walk, end, first);
        if (rc != 0)
            return rc == ENODATA ? 0 : rc;
    }
}

/* The next segment of the line after that generation; NULL: it was the last. */
static const struct segment *line_after(const struct file_journal *file, uint32_t generation)
{
    const struct segment *segment = NULL;
    for (uint64_t next = (uint64_t)generation + 1; segment == NULL && next <= file->newest; next++)
        segment = idmap_get(&file->line, next);
    return segment;
}

static int segment_replay(struct replay *replay, struct segment *segment)
{
    struct file_journal *file = replay->file;
    const struct segment *after = line_after(file, segment->generation);
    char name[SEGMENT_NAME_MAX];
    segment_name(segment->number, name);
    if (segment->header_lost)
        damage_report(replay, &(struct journal_damage){
                                  .kind = JOURNAL_DAMAGE_SEGMENT,
                                  .file = name,
                                  .size = FORMAT_FRAMES_AT,
                                  .text = "both headers of the segment are damaged; what follows "
                                          "them was read all the same"});
    if (replay->expected == 0 && segment->generation != file->oldest)
        damage_report(replay, &(struct journal_damage){.kind = JOURNAL_DAMAGE_SEGMENT,
                                                       .file = "",
                                                       .text = "the oldest segment is missing"});
    if (replay->expected != 0 && segment->first_sequence > replay->expected)
        damage_missing(replay, replay->expected, segment->first_sequence, segment->generation);
    struct walk walk;
    walk_init(&walk, file, segment, name);
    walk.synced = file->synced;
    if (after != NULL)
        walk.limit = after->first_sequence - 1;
    int rc = segment_walk(replay, &walk);
    uint64_t torn;
    if (rc == 0 && after == NULL && walk_torn(&walk, &torn)) {
        replay->replayed->torn_bytes = torn;
        replay->replayed->clean = false;
    }
    segment->end = replay->end = walk.at;
    file->bytes_used += segment->end < segment->size ? segment->end : segment->size;
    replay->expected = walk.expected;
    replay->replayed->segments++;
    walk_fini(&walk);
    return rc;
}

static void strays_report(struct replay *replay)
{
    const struct list *strays = &replay->file->strays;
    struct list_node *node = list_first(strays);
    for (; node != NULL; node = list_next(strays, node)) {
        const struct segment *segment = CONTAINER_OF(node, struct segment, node);
        char name[SEGMENT_NAME_MAX];
        segment_name(segment->number, name);
        damage_report(replay, &(struct journal_damage){
                                  .kind = JOURNAL_DAMAGE_SEGMENT,
                                  .file = name,
                                  .size = segment->size,
                                  .text = "neither a header nor a commit can be read in this "
                                          "segment; it is left alone"});
    }
}

/* Writes those bytes once more. */
static int bytes_renew(const struct file_journal *file, int fd, uint64_t from, uint64_t to)
{
    const size_t piece = (size_t)256 * 1024;
    unsigned char *bytes = malloc(piece);
    if (bytes == NULL)
        return ENOMEM;
    int rc = 0;
    while (rc == 0 && from < to) {
        size_t len = to - from < piece ? (size_t)(to - from) : piece, got = 0;
        rc = file->sys->read(fd, bytes, len, from, &got);
        if (rc == 0)
            rc = got == len ? file->sys->write(fd, bytes, len, from) : EIO;
        from += len;
    }
    free(bytes);
    return rc;
}

/* Makes durable what was read, and the names of all files. */
static int tail_settle(const struct replay *replay)
{
    const struct file_journal *file = replay->file;
    const struct segment *newest = idmap_get(&file->line, file->newest);
    int rc = 0;
    if (newest != NULL && replay->unsure > 0) {
        uint64_t from = replay->unsure > FORMAT_FRAMES_AT ? replay->unsure : 0;
        rc = bytes_renew(file, newest->fd, from, replay->end);
    }
    if (rc == 0 && newest != NULL)
        rc = file->sys->sync_data(newest->fd);
    return rc == 0 ? file->sys->sync(file->directory) : rc;
}

int file_replay(struct journal *journal, const struct journal_visitor *visitor,
                struct journal_replayed *replayed, struct journal_error *error)
{
    struct file_journal *file = file_journal_of(journal);
    ASSERT(file->acquired && !file->replayed);
    *replayed = (struct journal_replayed){.clean = true};
    error->text[0] = '\0';
    struct replay replay = {.file = file, .visitor = visitor, .replayed = replayed};
    strays_report(&replay);
    int rc = 0;
    for (uint64_t generation = file->oldest; rc == 0 && generation <= file->newest; generation++) {
        struct segment *segment = idmap_get(&file->line, generation);
        if (segment != NULL)
            rc = segment_replay(&replay, segment);
    }
    if (rc == 0 && file->id == 0)
        file->id = hash_random_seed() | 1;
    file->sequence = replay.expected > 0 ? replay.expected - 1 : 0;
    if (file->sequence < file->synced)
        file->sequence = file->synced;
    replayed->last_sequence = file->sequence;
    atomic_store(&file->synced_to, file->sequence); /* by tail_settle */
    if (rc == 0 && !file->settings.read_only)
        rc = tail_settle(&replay);
    if (rc == 0 && !file->settings.read_only)
        rc = prepare_start(file);
    file->replayed = rc == 0;
    if (rc != 0 && error->text[0] == '\0') /* who visits may have said more */
        return journal_error_set(error, rc, "%s can't be replayed: %s", file->path,
                                 strerrordesc_np(rc));
    return rc;
}
