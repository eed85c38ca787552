// SPDX-License-Identifier: MIT
/*
 * Which keys the file may have; keys.c has the essay.
 */
#ifndef HISTORY_KEYS_PRIV_H
#define HISTORY_KEYS_PRIV_H

#include "base/hash.h"
#include "history/rows_priv.h"

struct filter;

/* Which keys the file may have; covered by the history's lock but where it says the reader's, who
 * is the thread "records". */
struct keys {
    struct hash_key hash;   /* set once */
    struct filter *now;     /* NULL: none is complete yet, any key may be there */
    struct filter *next;    /* the one that is being filled; the reader's beside; NULL: none is */
    uint64_t stale;         /* keys in `now` whose record is gone */
    uint64_t stale_next;    /* since `next` was begun */
    uint64_t written_first; /* records up to this number were there then */
    uint64_t room;          /* the capacity that the next one has at least, the reader's */
    int64_t retry_ns;       /* not to be filled before, the reader's; 0 */
    struct rows_cursor at;  /* how far `next` is, the reader's */
};

void keys_init(struct keys *keys);
void keys_fini(struct keys *keys);
/* [held] The record has come. */
void keys_add(struct history *history, const struct job_record *record);
/* [held] So many records with a key went from the file. */
void keys_forgotten(struct history *history, uint64_t count);
/* [held] All that the file had is gone. */
void keys_all_forgotten(struct history *history);
/* [held] false: the file has no record of that key which isn't in memory, too. */
bool keys_may_have(const struct history *history, const char *tube, uint32_t submitter,
                   const char *key);
/* [held] Whether a filter is to be made, or goes on being made. */
bool keys_wanted(const struct history *history);
/* [held] On the thread "records": not before then; CLOCK_NEVER: when more is written. */
int64_t keys_due(const struct history *history);
/* On the thread "records", without locks: a part of that. */
void keys_fill(struct history *history);

#endif
