// SPDX-License-Identifier: MIT
/*
 * A batch: the changes of one commit, in an array that their tickets index.
 *
 * Heads are encoded when a change is added, because what they say (the name of a tube, a counter)
 * may be different or gone a moment later: the bytes are the snapshot, and shorter than any struct.
 * Bodies don't change, so they are only referred to. Checksums and the copying of bodies are left
 * to whoever commits.
 */
#include "journal/batch_priv.h"

#include <errno.h>
#include <stdlib.h>

/* Memory that a batch keeps for the next. */
#define BATCH_SLOTS_KEPT 16384
#define BATCH_HEADS_KEPT ((size_t)1024 * 1024)

void batch_init(struct batch *batch, void (*drop)(void *late))
{
    *batch = (struct batch){.base = 1, .within_ns = INT64_MAX, .drop = drop};
    buf_init(&batch->heads);
}

void batch_fini(struct batch *batch)
{
    batch_clear(batch);
    free(batch->slot);
    batch->slot = NULL;
    buf_fini(&batch->heads);
}

void batch_release(const struct batch *batch, struct slot *slot)
{
    if (slot->is_late) {
        batch->drop(slot->late);
        slot->is_late = false;
        slot->body = NULL;
    } else
        job_body_unref(&slot->body);
}

void batch_clear(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        batch_release(batch, &batch->slot[i]);
    batch->base += batch->count;
    batch->count = batch->gone = batch->bytes = 0;
    batch->within_ns = INT64_MAX;
    batch->copies = false;
    buf_clear(&batch->heads);
    if (batch->heads.cap > BATCH_HEADS_KEPT)
        buf_fini(&batch->heads);
    if (batch->cap > BATCH_SLOTS_KEPT) {
        free(batch->slot);
        batch->slot = NULL;
        batch->cap = 0;
    }
}

int batch_reserve(struct batch *batch, size_t changes)
{
    if (batch->cap - batch->count < changes) {
        size_t cap = batch->cap > 0 ? batch->cap : 256;
        while (cap - batch->count < changes)
            cap *= 2;
        struct slot *slot = realloc(batch->slot, cap * sizeof(*slot));
        if (slot == NULL)
            return ENOMEM;
        batch->slot = slot;
        batch->cap = cap;
    }
    size_t heads = changes * JOB_ENTRY_HEAD_MAX;
    if (batch->heads.len + heads > UINT32_MAX)
        return ENOMEM;
    return buf_reserve(&batch->heads, heads);
}

struct slot *batch_add(struct batch *batch, const struct job_entry *entry)
{
    ASSERT(batch->count < batch->cap);
    MUST(buf_reserve(&batch->heads, JOB_ENTRY_HEAD_MAX)); /* is there since batch_reserve */
    size_t len = job_entry_encode(entry, batch->heads.data + batch->heads.len);
    struct slot *slot = &batch->slot[batch->count++];
    *slot = (struct slot){.id = entry->id,
                          .head_at = (uint32_t)batch->heads.len,
                          .head_len = (uint16_t)len,
                          .type = (uint8_t)entry->type,
                          .stays = entry->group_count != JOB_COUNT_NONE};
    batch->heads.len += len;
    return slot;
}

struct slot *batch_find(const struct batch *batch, uint64_t ticket)
{
    if (ticket < batch->base || ticket - batch->base >= batch->count)
        return NULL;
    return &batch->slot[ticket - batch->base];
}

void batch_cancel(struct batch *batch, struct slot *slot)
{
    ASSERT(!slot->gone && !slot->is_late);
    slot->gone = true;
    batch->gone++;
    size_t body = slot->body != NULL ? slot->body->len : 0;
    batch->bytes -= COMMIT_RECORD_OVERHEAD + slot->head_len + body;
}
