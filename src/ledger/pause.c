// SPDX-License-Identifier: MIT
/*
 * Pauses: for a while nothing is taken from a tube by those who ask or wait for any job of it. Its
 * queue core is held, and lets go of its items when the tube's deadline comes or a pause of nothing
 * replaces the present one; those who waited are then served in their order.
 *
 * A pause that is in the journal would come back with the next start, so it keeps its tube until it
 * is over. Such tubes are counted.
 */
#include "ledger/tube.h"

#include "base/clock.h"

void tube_resume(struct tube *tube)
{
    bool kept = tube->pause_kept;
    tube->pause_end_ns = CLOCK_NEVER;
    tube->pause_ns = 0;
    tube->pause_kept = false;
    tube->ledger->hooks->tube_times(tube);
    queue_core_hold(&tube->ready, false);
    tube->ledger->pauses_kept -= kept;
    if (kept)
        tube_unref(tube);
}

void tube_pause(struct tube *tube, int64_t pause_ns, int64_t end_ns, bool kept)
{
    tube->pause_ns = pause_ns;
    tube->pause_end_ns = end_ns;
    if (kept && !tube->pause_kept) {
        tube_ref(tube);
        tube->ledger->pauses_kept++;
    }
    tube->pause_kept = tube->pause_kept || kept;
    queue_core_hold(&tube->ready, true);
    tube->ledger->hooks->tube_times(tube);
}
