// SPDX-License-Identifier: MIT
/*
 * What the tests of the journal share: a journal on the disk in memory, texts as records, and a
 * list of what a replay visits. Functions without a result fail the test when something goes wrong.
 */
#ifndef JOURNAL_KIT_H
#define JOURNAL_KIT_H

#include "journal/journal.h"
#include "journal_disk.h"
#include "unit.h"

#define KIT_SEGMENT ((uint64_t)JOURNAL_SEGMENT_MIN)

struct kit_seen {
    struct buf bytes; // of all records, one after the other
    size_t *at, *len; // of each
    uint64_t *locator;
    size_t count, cap;
    size_t damages;
    uint64_t kept;          // records of damaged frames
    char damage[256];       // the last one's text
    int stop_at, stop_with; // what `record` answers to that record (counted from 0); 0: never
};

struct kit {
    struct journal_settings settings;
    struct journal *journal; // NULL: closed
    struct journal_replayed replayed;
    struct journal_error error;
    struct kit_seen seen; // by the replay of the last open
    uint64_t sequence;
};

// Settings for the disk in memory, with the smallest segments, prepared inline.
void kit_init(struct kit *kit);
void kit_fini(struct kit *kit);

// open, acquire, replay; what the one that fails says.
int kit_open(struct kit *kit);
int kit_close(struct kit *kit);
// The process is killed, or (random not NULL) power fails.
void kit_kill(struct kit *kit, struct unit_random *random);

// One frame with that record (or these), synced. The result; *locator may be NULL.
int kit_append(struct kit *kit, const char *text, uint64_t *locator);
int kit_append_bytes(struct kit *kit, const void *bytes, size_t len, bool sync, uint64_t *locator);
int kit_append_many(struct kit *kit, const char *const *text, size_t count, bool sync);
int kit_append_records(struct kit *kit, struct journal_record *records, size_t count, bool sync,
                       enum journal_class class);
int kit_append_class(struct kit *kit, const char *text, enum journal_class class);

void kit_seen_init(struct kit_seen *seen);
void kit_seen_fini(struct kit_seen *seen);
struct journal_visitor kit_visitor(struct kit_seen *seen);
const char *kit_record(const struct kit_seen *seen, size_t index, size_t *len);
// Whether exactly these texts were seen.
bool kit_saw(const struct kit_seen *seen, const char *const *text, size_t count);

// The file that the newest frames are in, by its name; the disk's only begun segment.
const char *kit_file(void);

// Tests: a disk in memory, started and stopped.
void kit_setup(void);
void kit_teardown(void);

#endif
