// SPDX-License-Identifier: MIT
/*
 * The space that the journal takes: when compaction is due, and who has to wait for it.
 *
 * Due is what compact_is_due says: more than twice the living is used, and some units. A unit is
 * what the journal gives back at a time (struct journal_room); of its inside nothing is known here.
 * It can become due with a commit only, so it is looked at after each one (space_look, an instant),
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
#include "broker/broker_priv.h"

#include <errno.h>

/* What may lie about beyond three times the living before puts wait: so many units, one of which is
 * being written to. */
#define CEILING_UNITS 9

/* ---- the ceiling ---- */

HELD static bool somebody_compacts(const struct broker_log *log)
{
    return log->broker->hooks->crowded != NULL;
}

/* Nobody makes room: then puts don't wait for it. */
HELD static bool is_helpless(const struct broker_log *log)
{
    return !somebody_compacts(log) || log->compact_stuck;
}

/* What the journal may take by what lives now. */
HELD static uint64_t bound_of(const struct broker_log *log, const struct journal_room *room)
{
    return 3 * log->live_bytes + CEILING_UNITS * room->unit;
}

/* The ceiling and what follows from it; the figures are of now. */
HELD static void ceiling_set(struct broker_log *log, const struct journal_room *room)
{
    uint64_t bound = bound_of(log, room);
    /* It sinks by itself too, when compaction was faster than puts. */
    uint64_t lowest = room->used + CEILING_UNITS * room->unit;
    if (log->ceiling > lowest || log->ceiling == 0)
        log->ceiling = lowest;
    if (log->ceiling < bound)
        log->ceiling = bound;
    atomic_store(&log->puts_wait, room->used > log->ceiling && !is_helpless(log));
}

void space_look(struct broker_log *log, bool *due)
{
    struct journal_room room;
    journal_room(log->journal, &room);
    ceiling_set(log, &room);
    *due = !atomic_load(&log->compacting) && somebody_compacts(log) &&
           compact_is_due_with(&room, log->live_bytes);
}

/* The put itself doesn't count: so one comes in whatever its size, and then the next commit
 * tells. */
bool space_line_waits(const struct broker_log *log)
{
    if (space_puts_wait(log))
        return true;
    struct journal_room room;
    journal_room(log->journal, &room);
    uint64_t bound = bound_of(log, &room);
    uint64_t ceiling = log->ceiling > bound ? log->ceiling : bound;
    uint64_t taken = room.used + commit_unwritten(log->commit);
    return taken > ceiling && !is_helpless(log);
}

/* ---- compaction ---- */

/*
 * On a full disk every dead byte counts, but copying costs as much as it brings when little is
 * dead. So it is one pass over all of the journal, and another when half a unit has died since.
 */
enum due { NOT_DUE, DUE, DUE_IN_PASS, DUE_NEW_PASS };

HELD static enum due due(const struct broker_log *log, const struct journal_room *room)
{
    if (!compact_is_due_with(room, log->live_bytes))
        return NOT_DUE;
    if (!room->full || room->used > 2 * (log->live_bytes + room->unit))
        return DUE;
    if (log->pass_left > 0)
        return DUE_IN_PASS;
    return log->died_bytes - log->pass_died < room->unit / 2 ? NOT_DUE : DUE_NEW_PASS;
}

static bool is_due(struct broker_log *log)
{
    struct journal_room room;
    journal_room(log->journal, &room);
    broker_lock(log->broker);
    enum due is = due(log, &room);
    if (is == DUE_NEW_PASS) {
        log->pass_died = log->died_bytes;
        log->pass_left = room.used / room.unit;
    }
    if (is == DUE_NEW_PASS || is == DUE_IN_PASS)
        log->pass_left--;
    broker_unlock(log->broker);
    return is != NOT_DUE;
}

bool space_may_come(struct broker_log *log)
{
    struct journal_room room;
    if (!somebody_compacts(log))
        return false;
    if (atomic_load(&log->compacting))
        return true;
    journal_room(log->journal, &room);
    return due(log, &room) != NOT_DUE;
}

bool space_is_full(const struct broker_log *log)
{
    struct journal_room room;
    journal_room(log->journal, &room);
    return room.full;
}

/* A unit was given back, or nothing can be gained. */
static void tell(struct broker_log *log, bool stuck, bool retired)
{
    broker_lock(log->broker);
    log->compact_stuck = stuck;
    if (retired) {
        struct journal_room room;
        journal_room(log->journal, &room);
        uint64_t half = room.unit / 2;
        log->ceiling -= half < log->ceiling ? half : log->ceiling;
    }
    broker_unlock(log->broker);
    log_published(log);
}

/* The step waits for a commit. */
static int step_wait(struct broker_log *log, uint32_t seen)
{
    int rc = commit_lead_inline(log->commit); /* it has said what it wants */
    if (rc != EBUSY)
        return rc;
    log_park(log, seen);
    return commit_failed(log->commit) != 0 ? EIO : 0;
}

int broker_compact(struct broker *broker)
{
    MAGIC_CHECK(broker, BROKER_MAGIC);
    struct broker_log *log = broker->log;
    if (log == NULL)
        return ENOENT;
    if (!atomic_load(&log->compacting) && !is_due(log))
        return ENOENT;
    atomic_store(&log->compacting, true);
    uint32_t seen = atomic_load(&log->published);
    uint64_t retired = log->retired;
    int rc = compact_step(log->compact);
    if (rc == EAGAIN)
        return step_wait(log, seen);
    if (rc != 0) {
        struct compact_stat stat;
        compact_stat(log->compact, &stat);
        log->retired = stat.trims;
        /* Before it is asked again whether it is due: a commit that finds it due from here on
         * calls. */
        if (rc == ENOENT)
            atomic_store(&log->compacting, false);
        tell(log, stat.trims == retired, stat.trims > retired);
    }
    return rc == ENOENT && log->retired > retired ? 0 : rc;
}
