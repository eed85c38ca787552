// SPDX-License-Identifier: MIT
/*
 * The ledger: one entry of 32 bytes a job, in chunks that never move, so that an entry's address
 * stays good and growing costs nothing per job.
 *
 * RESERVED may be read before INSERTED, when another connection is quicker to hear than the one
 * that put; then the id is entered at the first of the two and compared at the second. No other
 * order is turned round: a delete is sent only for a job that was reserved.
 */
#include "load/ledger.h"

#include "base/magic.h"
#include "load/fault.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>

#define LEDGER_MAGIC 0x1ed6e2b1u
#define CHUNK_BITS 16
#define CHUNK ((size_t)1 << CHUNK_BITS)

enum { STEP_INSERTED = 1, STEP_RESERVED = 2, STEP_DELETED = 4 };

struct ledger {
    unsigned magic;
    struct ledger_counts counts;
    struct entry **chunks;
    size_t chunk_count, chunk_cap;
};

struct ledger *ledger_new(void)
{
    struct ledger *ledger = need(calloc(1, sizeof(*ledger)));
    MAGIC_INIT(ledger, LEDGER_MAGIC);
    return ledger;
}

void ledger_free(struct ledger **ledger_p)
{
    struct ledger *ledger;
    MAGIC_TAKE(ledger, ledger_p, LEDGER_MAGIC);
    for (size_t i = 0; i < ledger->chunk_count; i++)
        free(ledger->chunks[i]);
    free(ledger->chunks);
    MAGIC_WIPE(ledger);
    free(ledger);
}

static void chunk_add(struct ledger *ledger)
{
    if (ledger->chunk_count == ledger->chunk_cap) {
        ledger->chunk_cap = ledger->chunk_cap ? 2 * ledger->chunk_cap : 64;
        ledger->chunks =
            need(reallocarray(ledger->chunks, ledger->chunk_cap, sizeof(*ledger->chunks)));
    }
    ledger->chunks[ledger->chunk_count++] = need(calloc(CHUNK, sizeof(struct entry)));
}

uint64_t ledger_put(struct ledger *ledger, struct entry **entry)
{
    uint64_t serial = ledger->counts.put++;
    if (serial >> CHUNK_BITS == ledger->chunk_count)
        chunk_add(ledger);
    *entry = &ledger->chunks[serial >> CHUNK_BITS][serial & (CHUNK - 1)];
    return serial;
}

struct entry *ledger_entry(struct ledger *ledger, uint64_t serial)
{
    MAGIC_CHECK(ledger, LEDGER_MAGIC);
    if (serial >= ledger->counts.put)
        wrong("there is a body that this run has not put");
    return &ledger->chunks[serial >> CHUNK_BITS][serial & (CHUNK - 1)];
}

static void id_enter(struct entry *entry, uint64_t serial, uint64_t id)
{
    if (id == 0)
        wrong("job number %" PRIu64 " of this run was given the id 0", serial);
    if (entry->id != 0 && entry->id != id)
        wrong("job number %" PRIu64 " of this run was inserted and reserved under two ids, %" PRIu64
              " and %" PRIu64,
              serial, entry->id, id);
    entry->id = id;
}

void ledger_inserted(struct ledger *ledger, uint64_t serial, uint64_t id)
{
    struct entry *entry = ledger_entry(ledger, serial);
    id_enter(entry, serial, id);
    entry->steps |= STEP_INSERTED;
    ledger->counts.inserted++;
}

struct entry *ledger_reserved(struct ledger *ledger, uint64_t serial, uint64_t id, int64_t now_ns)
{
    struct entry *entry = ledger_entry(ledger, serial);
    id_enter(entry, serial, id);
    if (entry->steps & STEP_DELETED)
        wrong("job %" PRIu64 " was reserved after it had been deleted", id);
    if (entry->steps & STEP_RESERVED)
        wrong("job %" PRIu64 " was reserved twice at once", id);
    if (now_ns < entry->due_ns)
        wrong("job %" PRIu64 " was reserved %" PRId64 " us before its delay or its lease was over",
              id, (entry->due_ns - now_ns) / 1000);
    entry->steps |= STEP_RESERVED;
    if (entry->reserves < UINT8_MAX)
        entry->reserves++;
    ledger->counts.reserved++;
    return entry;
}

void ledger_released(struct ledger *ledger, uint64_t serial)
{
    struct entry *entry = ledger_entry(ledger, serial);
    ASSERT(entry->steps & STEP_RESERVED);
    entry->steps &= (uint8_t)~STEP_RESERVED;
    ledger->counts.released++;
}

void ledger_deleted(struct ledger *ledger, uint64_t serial)
{
    struct entry *entry = ledger_entry(ledger, serial);
    if (entry->steps & STEP_DELETED)
        wrong("job %" PRIu64 " was deleted twice", entry->id);
    entry->steps |= STEP_DELETED;
    ledger->counts.deleted++;
}

const struct ledger_counts *ledger_counts(const struct ledger *ledger)
{
    return &ledger->counts;
}

uint64_t ledger_left(const struct ledger *ledger)
{
    return ledger->counts.put - ledger->counts.deleted;
}

void ledger_all_deleted(const struct ledger *ledger)
{
    const uint8_t all = STEP_INSERTED | STEP_RESERVED | STEP_DELETED;
    for (uint64_t i = 0; i < ledger->counts.put; i++) {
        const struct entry *entry = &ledger->chunks[i >> CHUNK_BITS][i & (CHUNK - 1)];
        if ((entry->steps & all) != all)
            wrong("job %" PRIu64 " was %s", entry->id,
                  !(entry->steps & STEP_INSERTED)   ? "never inserted"
                  : !(entry->steps & STEP_RESERVED) ? "never reserved: it is lost"
                                                    : "never deleted");
    }
}
