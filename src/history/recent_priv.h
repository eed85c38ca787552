// SPDX-License-Identifier: MIT
/*
 * Records in memory, by id, number and key; recent.c has the essay. Not thread-safe.
 */
#ifndef HISTORY_RECENT_PRIV_H
#define HISTORY_RECENT_PRIV_H

#include "base/heap.h"
#include "base/idtable.h"
#include "base/map.h"
#include "history/history.h"

struct entry {
    unsigned magic;
    uint64_t number;
    struct entry *next; /* once it is out, to be freed */
    size_t pos;         /* in recent->aging */
    int64_t until_ns;   /* how long it is kept (clock_now_ns time) */
    struct job_record *record;
    struct ticket ticket; /* to be reached before it is written */
    /* One of the same id came later and may be lost still. Found by number only, to be written. */
    bool replaced;
    size_t key_len;
    char *key; /* in by_key; its own: the tube's name, a NUL, the submitter, the key; NULL: it isn't
                  there */
};

struct recent {
    struct idmap by_id;
    struct idtable by_number;
    struct strmap by_key; /* the latest of each, of those that have one */
    uint64_t first;       /* none has a lower number */
    uint64_t next;        /* the number that the next one gets, 1 at first */
    uint64_t count, bytes;
    /* By until_ns, where records go from here for their age; where there is a file, that says. */
    bool ages;
    int64_t keep_ns; /* of those that asked for no time of their own */
    struct heap aging;
};

#define KEY_TEXT_MAX (JOB_TUBE_NAME_MAX + 1 + sizeof(uint32_t) + JOB_TEXT_MAX)
/* A key as it is looked up: the tube's name, a NUL, the submitter, the key. Returns the length; 0:
 * it is longer than any is. */
size_t key_write(char text[KEY_TEXT_MAX], const char *tube, uint32_t submitter, const char *key);

/* ages: recent_aged is wanted. */
void recent_init(struct recent *recent, bool ages, int64_t keep_ns);
void recent_fini(struct recent *recent);
/*
 * Adds it under the next number. A record of the same id goes to *gone, or (`keep`) stays as a
 * replaced one, and the new one has its attempt among the earlier ones. Takes the reference over
 * and nulls *record. ENOMEM: it is still the caller's, and nothing else has changed.
 */
int recent_add(struct recent *recent, struct job_record **record, const struct ticket *ticket,
               bool keep, struct entry **gone);
/* Out of it, to the front of *gone. */
void recent_take(struct recent *recent, struct entry *entry, struct entry **gone);
/* The one with the least number that is not below *number, which is set to it; NULL: none. */
struct entry *recent_from(struct recent *recent, uint64_t *number);
/* The one with the lowest number; NULL: it is empty. */
struct entry *recent_first(struct recent *recent);
/* The one whose time is over first, if that is before now; NULL: none. */
struct entry *recent_aged(const struct recent *recent, int64_t now_ns);
/* NULL: none. */
struct entry *recent_at(const struct recent *recent, uint64_t number);
struct entry *recent_by_id(const struct recent *recent, uint64_t id);
struct entry *recent_by_key(const struct recent *recent, const char *tube, uint32_t submitter,
                            const char *key);
/* Outside of any lock. */
void entries_free(struct entry **gone);
size_t entry_bytes(const struct entry *entry);

#endif
