// SPDX-License-Identifier: MIT
/*
 * Which keys the file may have: a filter that lets a new key pass without a question.
 *
 * The key of each record goes into it when the record comes, long before it leaves memory; what the
 * file has from before is read in the background, a slice at a time. Until that is done there is no
 * filter, and any key may be in the file. A filter can't forget, so when half of it is stale, or
 * when more came than it is for, the next one is made in the same way; meanwhile records go into
 * both. The old one is good until then: it says yes too often, never no where yes is right.
 *
 * A record that comes after a filter was begun goes into it by itself, wherever in the file it is
 * written while that is read. What came before must be in the file first, so the walk begins when
 * all of it is written.
 */
#include "base/clock.h"
#include "history/filter_priv.h"
#include "history/history_priv.h"

#define CAPACITY_MIN 16384 /* 32 KiB */
/* Stale ones of fewer aren't worth a walk. */
#define STALE_MIN (CAPACITY_MIN / 2)
#define SLICE 512
/* When it failed for want of memory, or since the file can't be read. */
#define RETRY_NS HL_SECOND

void keys_init(struct keys *keys)
{
    keys->hash = (struct hash_key){hash_random_seed(), hash_random_seed()};
    keys->room = CAPACITY_MIN;
}

void keys_fini(struct keys *keys)
{
    filter_free(&keys->now);
    filter_free(&keys->next);
}

/* false: it is longer than any is. */
static bool hash_of(const struct keys *keys, const char *tube, uint32_t submitter, const char *key,
                    uint64_t *hash)
{
    char text[KEY_TEXT_MAX];
    size_t len = key_write(text, tube, submitter, key);
    *hash = hash_bytes(&keys->hash, text, len);
    return len > 0;
}

/* ---- what comes and goes ---- */

static bool is_stale(const struct keys *keys)
{
    return keys->stale >= STALE_MIN && keys->stale > filter_count(keys->now) / 2;
}

/* [held] Whether all that had come when the next one was begun is in the file. */
static bool next_may_walk(const struct history *history)
{
    return history->keys.next == NULL || history->stats.pending == 0 ||
           history->written >= history->keys.written_first;
}

bool keys_wanted(const struct history *history)
{
    const struct keys *keys = &history->keys;
    return keys->now == NULL || keys->next != NULL || filter_is_over(keys->now) || is_stale(keys);
}

int64_t keys_due(const struct history *history)
{
    return next_may_walk(history) ? history->keys.retry_ns : CLOCK_NEVER;
}

void keys_add(struct history *history, const struct job_record *record)
{
    struct keys *keys = &history->keys;
    uint64_t hash;
    if (record->key[0] == '\0' ||
        !hash_of(keys, record->tube, record->submitter, record->key, &hash))
        return;
    if (keys->now != NULL)
        filter_add(keys->now, hash);
    if (keys->next != NULL)
        filter_add(keys->next, hash);
}

void keys_forgotten(struct history *history, uint64_t count)
{
    history->keys.stale += count;
    history->keys.stale_next += count;
}

void keys_all_forgotten(struct history *history)
{
    struct keys *keys = &history->keys;
    keys->stale = keys->now != NULL ? filter_count(keys->now) : 0;
    keys->stale_next = keys->next != NULL ? filter_count(keys->next) : 0;
}

bool keys_may_have(const struct history *history, const char *tube, uint32_t submitter,
                   const char *key)
{
    const struct keys *keys = &history->keys;
    uint64_t hash;
    return hash_of(keys, tube, submitter, key, &hash) &&
           (keys->now == NULL || filter_may_have(keys->now, hash));
}

/* ---- filling ---- */

struct slice {
    const struct keys *keys;
    uint64_t hash[SLICE];
    size_t count;
};

static void key_visit(const char *tube, uint32_t submitter, const char *key, void *arg)
{
    struct slice *slice = arg;
    if (hash_of(slice->keys, tube, submitter, key, &slice->hash[slice->count]))
        slice->count++;
}

/* As many again as are there find room. */
static uint64_t capacity_next(struct history *history)
{
    const struct keys *keys = &history->keys;
    HL_LOCK_SCOPE(history->lock);
    uint64_t count = keys->now != NULL ? filter_count(keys->now) : 0;
    uint64_t alive = count > keys->stale ? count - keys->stale : 0;
    return alive * 2 > keys->room ? alive * 2 : keys->room;
}

/* The next filter, empty, and the cursor before all rows. false: no memory. */
static bool next_begin(struct history *history)
{
    struct keys *keys = &history->keys;
    struct filter *next = NULL;
    if (filter_new(&next, capacity_next(history)) != 0)
        return false;
    HL_LOCK_SCOPE(history->lock);
    keys->next = next;
    keys->at = (struct rows_cursor){.number = 0};
    keys->stale_next = 0;
    keys->written_first = history->recent.next - 1;
    return true;
}

/* All keys are in the next one. */
static void next_take(struct history *history)
{
    struct keys *keys = &history->keys;
    hl_lock_acquire(history->lock);
    struct filter *gone = keys->now;
    keys->now = keys->next;
    keys->next = NULL;
    keys->stale = keys->stale_next;
    hl_lock_release(history->lock);
    keys->room = CAPACITY_MIN;
    filter_free(&gone);
}

/* One that turned out to be too small begins anew, four times as large. */
static bool slice_add(struct history *history, const struct slice *slice)
{
    struct keys *keys = &history->keys;
    struct filter *gone = NULL;
    hl_lock_acquire(history->lock);
    for (size_t i = 0; i < slice->count; i++)
        filter_add(keys->next, slice->hash[i]);
    bool over = filter_is_over(keys->next);
    if (over) {
        gone = keys->next;
        keys->next = NULL;
    }
    hl_lock_release(history->lock);
    keys->room = over ? filter_capacity(gone) * 4 : keys->room;
    filter_free(&gone);
    return !over;
}

void keys_fill(struct history *history)
{
    struct keys *keys = &history->keys;
    struct slice slice = {.keys = keys};
    size_t rows = 0;
    keys->retry_ns = 0;
    if (keys->next == NULL) {
        keys->retry_ns = next_begin(history) ? 0 : clock_deadline(RETRY_NS);
        return;
    }
    if (rows_keys(history->database, &keys->at, SLICE, key_visit, &slice, &rows) != 0) {
        keys->retry_ns = clock_deadline(RETRY_NS);
        return;
    }
    if (slice_add(history, &slice) && rows < SLICE)
        next_take(history);
}
