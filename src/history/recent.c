// SPDX-License-Identifier: MIT
/*
 * Records in memory: all there are, where there is no file, else those that wait to be written and
 * the latest that were.
 *
 * A map by key finds the latest of each key of a tube and submitter, for who asks whether a job was
 * there already.
 *
 * Each gets the next number, so that "older" is a matter of numbers, here and in the file. A table
 * finds them by number, a map by id. Numbers that were taken out leave holes, which are passed over
 * once: `first` only rises.
 *
 * A record that waits to be written stays when one of the same id comes whose end may be lost: a
 * crash takes that end back, and must find the one before. Only who writes sees it then.
 */
#include "base/magic.h"
#include "history/recent_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ENTRY_MAGIC 0x415704e1u

static bool until_less(const void *a, const void *b, const void *arg)
{
    const struct entry *one = a, *other = b;
    (void)arg;
    return one->until_ns != other->until_ns ? one->until_ns < other->until_ns
                                            : one->number < other->number;
}

static void until_moved(void *item, size_t pos)
{
    struct entry *entry = item;
    entry->pos = pos;
}

void recent_init(struct recent *recent, bool ages, int64_t keep_ns)
{
    *recent = (struct recent){.first = 1, .next = 1, .ages = ages, .keep_ns = keep_ns};
    heap_init(&recent->aging, until_less, NULL, until_moved);
    idmap_init(&recent->by_id);
    idtable_init(&recent->by_number);
    strmap_init(&recent->by_key);
}

void recent_fini(struct recent *recent)
{
    struct entry *gone = NULL, *entry;
    while ((entry = recent_first(recent)) != NULL)
        recent_take(recent, entry, &gone);
    entries_free(&gone);
    heap_fini(&recent->aging);
    idmap_fini(&recent->by_id);
    idtable_fini(&recent->by_number);
    strmap_fini(&recent->by_key);
}

void entries_free(struct entry **gone)
{
    while (*gone != NULL) {
        struct entry *entry = *gone;
        MAGIC_CHECK(entry, ENTRY_MAGIC);
        *gone = entry->next;
        job_record_unref(&entry->record);
        MAGIC_WIPE(entry);
        free(entry);
    }
}

size_t entry_bytes(const struct entry *entry)
{
    return entry->record->memory + sizeof(*entry);
}

/* ---- keys ---- */

size_t key_write(char text[KEY_TEXT_MAX], const char *tube, uint32_t submitter, const char *key)
{
    size_t tube_len = strlen(tube), key_len = strlen(key);
    if (tube_len > JOB_TUBE_NAME_MAX || key_len > JOB_TEXT_MAX)
        return 0;
    char *at = text + tube_len + 1;
    memcpy(text, tube, tube_len + 1);
    memcpy(at, &submitter, sizeof(submitter));
    memcpy(at + sizeof(submitter), key, key_len);
    return tube_len + 1 + sizeof(submitter) + key_len;
}

/* ENOMEM. Nothing for a record without a key. */
static int key_text(const struct job_record *record, char **text, size_t *len)
{
    char mine[KEY_TEXT_MAX];
    *text = NULL;
    *len =
        record->key[0] != '\0' ? key_write(mine, record->tube, record->submitter, record->key) : 0;
    if (*len == 0)
        return 0;
    *text = malloc(*len);
    if (*text == NULL)
        return ENOMEM;
    memcpy(*text, mine, *len);
    return 0;
}

/* Not found by its key any more. */
static void entry_unkey(struct recent *recent, struct entry *entry)
{
    if (entry->key == NULL)
        return;
    (void)strmap_remove(&recent->by_key, entry->key, entry->key_len);
    free(entry->key);
    entry->key = NULL;
}

/* From now on it is the one that is found by the key of its record, and by no other. */
static int entry_key(struct recent *recent, struct entry *entry)
{
    char *text;
    size_t len;
    int rc = key_text(entry->record, &text, &len);
    if (rc != 0)
        return rc;
    struct entry *before = text != NULL ? strmap_get(&recent->by_key, text, len) : NULL;
    if (before == entry && text != NULL) {
        free(text);
        return 0;
    }
    entry_unkey(recent, entry);
    if (text == NULL)
        return 0;
    if (before != NULL)
        entry_unkey(recent, before);
    rc = strmap_put(&recent->by_key, text, len, entry);
    if (rc != 0) {
        free(text);
        return rc;
    }
    entry->key = text;
    entry->key_len = len;
    return 0;
}

struct entry *recent_by_key(const struct recent *recent, const char *tube, uint32_t submitter,
                            const char *key)
{
    char text[KEY_TEXT_MAX];
    size_t len = key_write(text, tube, submitter, key);
    return len > 0 ? strmap_get(&recent->by_key, text, len) : NULL;
}

/* ---- entries ---- */

/* *record gets the attempt of `before`, and those before it, unless it knows them itself, or is the
 * same record once more. A job that was deleted unreserved had none. */
static int attempts_join(struct job_record **record, const struct job_record *before)
{
    struct job_attempt all[JOB_EARLIER_MAX + 1];
    size_t count = before->earlier_count;
    if ((*record)->earlier_count > 0 || before->started_wall_ns == 0 ||
        before->started_wall_ns == (*record)->started_wall_ns)
        return 0;
    if (count > 0)
        memcpy(all, before->earlier, count * sizeof(*all));
    all[count++] = (struct job_attempt){.kind = before->kind,
                                        .exit_status = before->exit_status,
                                        .signal = before->signal,
                                        .started_wall_ns = before->started_wall_ns,
                                        .ended_wall_ns = before->ended_wall_ns,
                                        .reason = before->reason};
    struct job_record like = **record;
    like.earlier = all;
    like.earlier_count = count;
    struct job_record *joined;
    int rc = job_record_copy(&joined, &like);
    if (rc != 0)
        return rc;
    job_record_unref(record);
    *record = joined;
    return 0;
}

/* From the end of the job on, for as long as it asked for, or as all are. */
static void until_set(const struct recent *recent, struct entry *entry)
{
    const struct job_record *record = entry->record;
    int64_t keep_ns = record->retention_ns >= 0 ? record->retention_ns : recent->keep_ns;
    if (__builtin_add_overflow(record->finished_ns, keep_ns, &entry->until_ns))
        entry->until_ns = INT64_MAX;
}

/* The entry of that id gets the new number and record; `carrier` takes the old ones away, or stays
 * with them. */
static int entry_renew(struct recent *recent, struct entry *entry, struct entry *carrier, bool keep)
{
    const struct entry old = *entry;
    int rc = idtable_put(&recent->by_number, carrier->number, entry);
    if (rc != 0)
        return rc;
    if (keep)
        idtable_replace(&recent->by_number, old.number, carrier);
    else
        (void)idtable_remove(&recent->by_number, old.number);
    recent->bytes -= keep ? 0 : entry_bytes(entry);
    entry->record = carrier->record;
    entry->number = carrier->number;
    entry->ticket = carrier->ticket;
    carrier->record = old.record;
    carrier->number = old.number;
    carrier->ticket = old.ticket;
    carrier->replaced = keep;
    until_set(recent, entry);
    if (recent->ages)
        heap_update(&recent->aging, entry->pos);
    /* The key is nearly always the one it had. Without memory for another it is found in the file
     * only, once it is there. */
    (void)entry_key(recent, entry);
    return 0;
}

/* What entry_place did up to a step. */
static void entry_unplace(struct recent *recent, struct entry *entry)
{
    entry_unkey(recent, entry);
    if (recent->ages && entry->pos != HEAP_NOWHERE)
        (void)heap_remove(&recent->aging, entry->pos);
    (void)idtable_remove(&recent->by_number, entry->number);
}

static int entry_place(struct recent *recent, struct entry *entry)
{
    entry->pos = HEAP_NOWHERE;
    int rc = idtable_put(&recent->by_number, entry->number, entry);
    if (rc != 0)
        return rc;
    until_set(recent, entry);
    rc = recent->ages ? heap_insert(&recent->aging, entry) : 0;
    if (rc == 0)
        rc = entry_key(recent, entry);
    if (rc == 0)
        rc = idmap_put(&recent->by_id, entry->record->id, entry);
    if (rc != 0)
        entry_unplace(recent, entry);
    else
        recent->count++;
    return rc;
}

static void entry_discard(struct entry *entry)
{
    MAGIC_WIPE(entry);
    free(entry);
}

int recent_add(struct recent *recent, struct job_record **record, const struct ticket *ticket,
               bool keep, struct entry **gone)
{
    struct entry *before = recent_by_id(recent, (*record)->id);
    int rc = before != NULL ? attempts_join(record, before->record) : 0;
    if (rc != 0)
        return rc;
    struct entry *entry = calloc(1, sizeof(*entry));
    if (entry == NULL)
        return ENOMEM;
    MAGIC_INIT(entry, ENTRY_MAGIC);
    entry->number = recent->next;
    entry->record = *record;
    entry->ticket = *ticket;
    rc = before != NULL ? entry_renew(recent, before, entry, keep) : entry_place(recent, entry);
    if (rc != 0) {
        entry_discard(entry);
        return rc;
    }
    *record = NULL;
    recent->next++;
    recent->bytes += entry_bytes(before != NULL ? before : entry);
    if (before != NULL && !keep) {
        entry->next = *gone;
        *gone = entry;
    }
    return 0;
}

void recent_take(struct recent *recent, struct entry *entry, struct entry **gone)
{
    MAGIC_CHECK(entry, ENTRY_MAGIC);
    if (!entry->replaced) {
        (void)idmap_remove(&recent->by_id, entry->record->id);
        recent->count--;
    }
    entry_unplace(recent, entry);
    recent->bytes -= entry_bytes(entry);
    entry->next = *gone;
    *gone = entry;
}

struct entry *recent_from(struct recent *recent, uint64_t *number)
{
    return idtable_from(&recent->by_number, number);
}

struct entry *recent_first(struct recent *recent)
{
    struct entry *entry = recent_from(recent, &recent->first);
    if (entry == NULL)
        recent->first = recent->next;
    return entry;
}

struct entry *recent_aged(const struct recent *recent, int64_t now_ns)
{
    struct entry *entry = heap_first(&recent->aging);
    return entry != NULL && entry->until_ns < now_ns ? entry : NULL;
}

struct entry *recent_at(const struct recent *recent, uint64_t number)
{
    return idtable_get(&recent->by_number, number);
}

struct entry *recent_by_id(const struct recent *recent, uint64_t id)
{
    return idmap_get(&recent->by_id, id);
}
