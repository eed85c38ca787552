// SPDX-License-Identifier: MIT
/*
 * Check and salvage of a journal that nobody uses. Part of journal/journal.h.
 *
 * Arrows: this includes frames.h, as all parts do.
 */
#ifndef JOURNAL_CHECK_H
#define JOURNAL_CHECK_H

#include "journal/frames.h"

/* What is in a directory, entry by entry. */
struct journal_census {
    struct journal_replayed replayed;
    uint64_t entries[32]; /* by enum job_entry_type; [0]: all others */
    uint64_t unreadable;  /* records that are whole but no entry: damaged when they were written */
    uint64_t newer;       /* entries of a newer hilera */
    uint64_t jobs, jobs_buried; /* that are there at the end */
    uint64_t job_bytes;         /* of their bodies */
    uint64_t last_id;           /* the highest seen */
    uint64_t id_limit;          /* of the last record of limits that is there; 0: none */
};

enum journal_verdict {
    JOURNAL_WHOLE = 0, /* exit status 0 */
    JOURNAL_DAMAGED,   /* 1: something that was synced is lost */
    JOURNAL_NOT_READ   /* 2: couldn't be read at all, is in use, or is of a newer hilera */
};

/*
 * Reads all of it and changes nothing. `line` gets each finding as a line of text, without line
 * end, then a summary; may be NULL. The census is valid unless NOT_READ.
 */
enum journal_verdict journal_check(const struct journal_settings *settings,
                                   struct journal_census *census,
                                   void (*line)(void *arg, const char *text), void *arg);

/*
 * Ids that may have been given out behind the highest that is known where something is damaged: a
 * record of their limit may be lost, and with it any number of blocks.
 */
#define JOURNAL_GAP_AFTER_DAMAGE (UINT64_C(1) << 32)

/*
 * Copies every whole record of `from` to a new journal in `to`, a directory that is empty or not
 * there; and if something is damaged, limits behind the gap, since the copy shows no damage.
 * EEXIST: it isn't empty. *copied: records. The lines are those of journal_check.
 */
int journal_salvage(const struct journal_settings *from, const struct journal_settings *to,
                    uint64_t *copied, void (*line)(void *arg, const char *text), void *arg,
                    struct journal_error *error);

#endif
