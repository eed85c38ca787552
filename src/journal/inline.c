// SPDX-License-Identifier: MIT
/*
 * Inline commits: who waits for a commit leads it where that takes about as long as it would take
 * to wake the thread "commit" and be woken by it, and leaves it to the thread otherwise.
 *
 * Both shapes were measured (doc/figures.md has the figures). An io loop that leads itself
 * saves two wake-ups a commit, and its batches are whole turns; but while it does, it does nothing
 * else. So it leaves a commit to the thread if
 *
 *   - a sync or a write took long a moment ago: then the disk may do so again, and one is enough
 *     (commit_pace.c);
 *   - more than PACE_BYTES wait for the sync: copying, checksums and writing then take longer
 *     than the wake-ups, and the loop had better receive the next bodies meanwhile;
 *   - small commits take longer than PACE_QUICK_NS here, as on a disk that turns: then the wake-ups
 *     are a twentieth of it at most, and the loop serves who doesn't wait for the disk;
 *   - it is more than a frame, or the journal says that the next one is slow: where that begins a
 *     segment, it takes three syncs, and a wait if there is none;
 *   - a trim comes first, which is a sync more;
 *   - the last try found no room: the thread tries again each second;
 *   - the journal is distant, or has as much under way as it takes.
 *
 * What needs no sync (level INTERVAL) is one write into the page cache and led at once, unless it
 * would begin a segment: a loop doesn't wait for a disk on behalf of who asked not to wait.
 *
 * What the disk takes doesn't depend on who led, so the choice has no effect on its own reason and
 * can't swing; where a small commit takes about the limit, either choice is as good.
 *
 * Who asks nothing of the disk shouldn't wait for it at all: a loop that serves such connections,
 * too, calls commit_lead_elsewhere (net/gate.c).
 */
#include "base/clock.h"
#include "journal/commit_priv.h"

#include <errno.h>

static bool is_quick(const struct commit *commit, bool sync)
{
    size_t bytes = atomic_load_explicit(&commit->pending_bytes, memory_order_relaxed);
    if (commit->facts.distant || atomic_load(&commit->stuck) ||
        atomic_load(&commit->trim_wanted) != 0 || !flights_have_free(commit) ||
        pace_is_slow(commit))
        return false;
    struct journal_room room;
    journal_room(commit->options.journal, &room);
    if (room.slow_next || bytes > room.frame)
        return false;
    return !sync || (bytes <= PACE_BYTES && pace_is_quick(commit));
}

bool commit_may_gather(const struct commit *commit)
{
    return commit->options.thread && !atomic_load(&commit->led) && is_quick(commit, true);
}

int commit_lead_elsewhere(struct commit *commit)
{
    MAGIC_CHECK(commit, COMMIT_MAGIC);
    if (!commit->options.thread)
        return commit_lead(commit);
    if (atomic_load(&commit->failed) != 0)
        return EIO;
    if (commit_wanted(commit))
        commit_leave(commit);
    return EBUSY;
}

int commit_lead_inline(struct commit *commit)
{
    MAGIC_CHECK(commit, COMMIT_MAGIC);
    if (!commit->options.thread)
        return commit_lead(commit);
    if (atomic_load(&commit->failed) != 0)
        return EIO;
    if (!is_quick(commit, atomic_load(&commit->wanted[COMMIT_DURABLE]))) {
        commit_leave(commit);
        return EBUSY;
    }
    int rc = commit_round(commit, false);
    /* Others found the role taken, or there is no space. If it was EBUSY, who has the role looks
     * at the wants when he has given it up. */
    if (rc != EBUSY && rc != EIO && commit_wanted(commit))
        commit_leave(commit);
    if (rc == ENODATA)
        rc = 0;
    return rc == 0 && commit->facts.window > 1 && flights_out(commit) ? EBUSY : rc;
}
