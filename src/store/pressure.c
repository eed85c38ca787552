// SPDX-License-Identifier: MIT
/*
 * The space that the journal takes: when compaction is due, and who has to wait for it.
 *
 * Due is what compact_is_due says: more than twice the living is used, and some units. A unit is
 * what the journal gives back at a time (struct journal_room); of its inside nothing is known here.
 * It can become due with a commit only, so it is looked at after each one (store_look, an instant),
 * and whoever compacts is called then; nobody asks by the clock, but for a disk that became full.
 *
 * Compaction has to keep pace with those who write. Beyond three times the living and a few
 * units, puts wait (EAGAIN of the admission) until it has made room: the ceiling. When a large
 * backlog is dropped at once, the living are few from one moment to the next and the journal is
 * still large; then the ceiling is where it was, and sinks by half of each unit that is given back.
 * So the journal doesn't grow beyond the ceiling, puts get half of what compaction gains, and
 * neither stands still. It is looked at after each commit, so the puts that reach it are beyond it
 * by what one commit takes. From then on puts stand in line, and of those no more come in than fit
 * below it with all that isn't written yet: else each unit that is given back would let in as many
 * as there is room prepared for. Changes of jobs never wait, deletes least of all: each takes a few
 * dozen bytes, compaction passes over dead records faster than they are written, and they are what
 * makes room.
 *
 * On a full disk, and when nobody compacts, nobody waits: there the disk itself is the limit.
 */
#include "store/store_priv.h"

#include <errno.h>

/* What may lie about beyond three times the living before puts wait: so many units, one of which is
 * being written to. */
#define CEILING_UNITS 9

/* ---- the ceiling ---- */

void store_compacted(struct store *store, bool by_somebody)
{
    store->compacted = by_somebody;
}

/* Nobody makes room: then puts don't wait for it. */
HELD static bool is_helpless(const struct store *store)
{
    return !store->compacted || store->compact_stuck;
}

/* What the journal may take by what lives now. */
HELD static uint64_t bound_of(const struct store *store, const struct journal_room *room)
{
    return 3 * store->live_bytes + CEILING_UNITS * room->unit;
}

/* The ceiling and what follows from it; the figures are of now. */
HELD static void ceiling_set(struct store *store, const struct journal_room *room)
{
    uint64_t bound = bound_of(store, room);
    /* It sinks by itself too, when compaction was faster than puts. */
    uint64_t lowest = room->used + CEILING_UNITS * room->unit;
    if (store->ceiling > lowest || store->ceiling == 0)
        store->ceiling = lowest;
    if (store->ceiling < bound)
        store->ceiling = bound;
    atomic_store(&store->puts_wait, room->used > store->ceiling && !is_helpless(store));
}

bool store_look(struct store *store)
{
    struct journal_room room;
    journal_room(store->journal, &room);
    ceiling_set(store, &room);
    return !atomic_load(&store->compacting) && store->compacted &&
           compact_is_due_with(&room, store->live_bytes);
}

/* The put itself doesn't count: so one comes in whatever its size, and then the next commit
 * tells. */
bool pressure_line_waits(const struct store *store)
{
    if (pressure_puts_wait(store))
        return true;
    struct journal_room room;
    journal_room(store->journal, &room);
    uint64_t bound = bound_of(store, &room);
    uint64_t ceiling = store->ceiling > bound ? store->ceiling : bound;
    uint64_t taken = room.used + commit_unwritten(store->commit);
    return taken > ceiling && !is_helpless(store);
}

/* ---- compaction ---- */

/*
 * On a full disk every dead byte counts, but copying costs as much as it brings when little is
 * dead. So it is one pass over all of the journal, and another when half a unit has died since.
 */
enum due { NOT_DUE, DUE, DUE_IN_PASS, DUE_NEW_PASS };

HELD static enum due due(const struct store *store, const struct journal_room *room)
{
    if (!compact_is_due_with(room, store->live_bytes))
        return NOT_DUE;
    if (!room->full || room->used > 2 * (store->live_bytes + room->unit))
        return DUE;
    if (store->pass_left > 0)
        return DUE_IN_PASS;
    return store->died_bytes - store->pass_died < room->unit / 2 ? NOT_DUE : DUE_NEW_PASS;
}

static bool is_due(struct store *store)
{
    struct journal_room room;
    journal_room(store->journal, &room);
    ledger_lock(store->ledger);
    enum due is = due(store, &room);
    if (is == DUE_NEW_PASS) {
        store->pass_died = store->died_bytes;
        store->pass_left = room.used / room.unit;
    }
    if (is == DUE_NEW_PASS || is == DUE_IN_PASS)
        store->pass_left--;
    ledger_unlock(store->ledger);
    return is != NOT_DUE;
}

bool pressure_may_fall(struct store *store)
{
    struct journal_room room;
    if (!store->compacted)
        return false;
    if (atomic_load(&store->compacting))
        return true;
    journal_room(store->journal, &room);
    return due(store, &room) != NOT_DUE;
}

bool pressure_is_full(const struct store *store)
{
    struct journal_room room;
    journal_room(store->journal, &room);
    return room.full;
}

/* A unit was given back, or nothing can be gained. */
static void tell(struct store *store, bool stuck, bool retired)
{
    ledger_lock(store->ledger);
    store->compact_stuck = stuck;
    if (retired) {
        struct journal_room room;
        journal_room(store->journal, &room);
        uint64_t half = room.unit / 2;
        store->ceiling -= half < store->ceiling ? half : store->ceiling;
    }
    ledger_unlock(store->ledger);
    store_published(store);
}

/* The step waits for a commit. */
static int step_wait(struct store *store, uint32_t seen)
{
    int rc = commit_lead_inline(store->commit); /* it has said what it wants */
    if (rc != EBUSY)
        return rc;
    store_park(store, seen);
    return commit_failed(store->commit) != 0 ? EIO : 0;
}

int store_compact(struct store *store)
{
    if (!atomic_load(&store->compacting) && !is_due(store))
        return ENOENT;
    atomic_store(&store->compacting, true);
    uint32_t seen = atomic_load(&store->published);
    uint64_t retired = store->retired;
    int rc = compact_step(store->compact);
    if (rc == EAGAIN)
        return step_wait(store, seen);
    if (rc != 0) {
        struct compact_stat stat;
        compact_stat(store->compact, &stat);
        store->retired = stat.trims;
        /* Before it is asked again whether it is due: a commit that finds it due from here on
         * calls. */
        if (rc == ENOENT)
            atomic_store(&store->compacting, false);
        tell(store, stat.trims == retired, stat.trims > retired);
    }
    return rc == ENOENT && store->retired > retired ? 0 : rc;
}
