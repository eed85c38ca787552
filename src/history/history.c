// SPDX-License-Identifier: MIT
/*
 * History in memory: a map from ids to records and a list in order of arrival.
 *
 * Records arrive in about the order in which jobs finish, so the front of the list is the oldest,
 * and each bound (age, number, bytes) is kept by taking from the front. Memory is freed without the
 * lock.
 */
#include "history/history.h"

#include "base/clock.h"
#include "base/magic.h"
#include "base/map.h"
#include "thr/thr.h"

#include <errno.h>
#include <stdlib.h>

#define HISTORY_MAGIC 0x4157047fu
#define HISTORY_ENTRY_MAGIC 0x415704e1u

/* Entries a purge takes in one hold of the lock. */
#define PURGE_MAX 256

struct entry {
    unsigned magic;
    struct list_node node;
    struct entry *next; /* once it is out of the history, to be freed */
    struct job_record *record;
};

struct history {
    unsigned magic;
    hl_lock *lock; /* covers all below */
    struct history_settings settings;
    struct idmap entries;
    struct list oldest_first;
    struct history_stats stats;
};

int history_new(struct history **out, const struct history_settings *settings)
{
    struct history *history = calloc(1, sizeof(*history));
    if (history == NULL)
        return ENOMEM;
    int rc = hl_lock_new(&history->lock, "history", lock_class(LOCK_CLASS_history));
    if (rc != 0) {
        free(history);
        return rc;
    }
    MAGIC_INIT(history, HISTORY_MAGIC);
    history->settings = *settings;
    idmap_init(&history->entries);
    list_init(&history->oldest_first);
    *out = history;
    return 0;
}

static void entry_free(struct entry *entry)
{
    MAGIC_CHECK(entry, HISTORY_ENTRY_MAGIC);
    job_record_unref(&entry->record);
    MAGIC_WIPE(entry);
    free(entry);
}

static void entries_free(struct entry *entries)
{
    while (entries != NULL) {
        struct entry *entry = entries;
        entries = entry->next;
        entry_free(entry);
    }
}

/* [held] Out of the history, to the front of *gone. */
static void entry_take(struct history *history, struct entry *entry, struct entry **gone)
{
    idmap_remove(&history->entries, entry->record->id);
    list_remove(&entry->node);
    entry->next = *gone;
    *gone = entry;
    history->stats.count--;
    history->stats.bytes -= entry->record->memory + sizeof(*entry);
}

void history_free(struct history **history)
{
    if (*history == NULL)
        return;
    struct history *mine;
    MAGIC_TAKE(mine, history, HISTORY_MAGIC);
    struct list_node *node;
    while ((node = list_pop(&mine->oldest_first)) != NULL)
        entry_free(CONTAINER_OF(node, struct entry, node));
    idmap_fini(&mine->entries);
    hl_lock_free(&mine->lock);
    MAGIC_WIPE(mine);
    free(mine);
}

/* [held] */
static bool over_bounds(const struct history *history)
{
    return history->stats.count > history->settings.keep_count ||
           history->stats.bytes > history->settings.keep_bytes;
}

/* [held] ENOMEM: not added. */
static int entry_add(struct history *history, struct entry *entry, struct entry **gone)
{
    uint64_t id = entry->record->id;
    struct entry *before = idmap_get(&history->entries, id);
    if (before != NULL)
        entry_take(history, before, gone);
    int rc = idmap_put(&history->entries, id, entry);
    if (rc != 0)
        return rc;
    list_append(&history->oldest_first, &entry->node);
    history->stats.count++;
    history->stats.bytes += entry->record->memory + sizeof(*entry);
    history->stats.added++;
    while (over_bounds(history)) {
        struct list_node *oldest = list_first(&history->oldest_first);
        entry_take(history, CONTAINER_OF(oldest, struct entry, node), gone);
        history->stats.dropped++;
    }
    return 0;
}

int history_add(struct history *history, struct job_record **record)
{
    MAGIC_CHECK(history, HISTORY_MAGIC);
    if (history->settings.keep_ns <= 0) {
        job_record_unref(record);
        return 0;
    }
    struct entry *gone = NULL;
    int rc = ENOMEM;
    struct entry *entry = calloc(1, sizeof(*entry));
    if (entry != NULL) {
        MAGIC_INIT(entry, HISTORY_ENTRY_MAGIC);
        list_node_init(&entry->node);
        entry->record = *record;
        *record = NULL;
    }
    hl_lock_acquire(history->lock);
    if (entry != NULL)
        rc = entry_add(history, entry, &gone);
    if (rc != 0)
        history->stats.dropped++;
    hl_lock_release(history->lock);
    if (entry != NULL && rc != 0)
        entry_free(entry);
    job_record_unref(record);
    entries_free(gone);
    return rc;
}

int history_get(struct history *history, uint64_t id, struct job_record **record)
{
    MAGIC_CHECK(history, HISTORY_MAGIC);
    HL_LOCK_SCOPE(history->lock);
    const struct entry *entry = idmap_get(&history->entries, id);
    if (entry == NULL)
        return ENOENT;
    *record = job_record_ref(entry->record);
    return 0;
}

size_t history_purge(struct history *history)
{
    MAGIC_CHECK(history, HISTORY_MAGIC);
    int64_t now = clock_now_ns();
    size_t purged = 0, some;
    do {
        struct entry *gone = NULL;
        hl_lock_acquire(history->lock);
        for (some = 0; some < PURGE_MAX; some++) {
            struct list_node *oldest = list_first(&history->oldest_first);
            if (oldest == NULL)
                break;
            struct entry *entry = CONTAINER_OF(oldest, struct entry, node);
            if (now - entry->record->finished_ns <= history->settings.keep_ns)
                break;
            entry_take(history, entry, &gone);
        }
        history->stats.dropped += some;
        hl_lock_release(history->lock);
        entries_free(gone);
        purged += some;
    } while (some == PURGE_MAX);
    return purged;
}

void history_stats(struct history *history, struct history_stats *stats)
{
    MAGIC_CHECK(history, HISTORY_MAGIC);
    HL_LOCK_SCOPE(history->lock);
    *stats = history->stats;
}
