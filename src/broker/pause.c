// SPDX-License-Identifier: MIT
/*
 * Pauses: for a while nothing is taken from a tube by those who ask or wait for any job of it. Its
 * queue core is held, and lets go of its items when the tube's alarm goes off or a pause of nothing
 * replaces the present one; those who waited are then served in their order.
 *
 * A pause that is in the journal would come back with the next start, so it keeps its tube until it
 * is over. Such tubes are counted, for who makes and pauses one after the other. Root and the
 * daemon's own user may have a share more than all others: who has to stop a tube still can.
 */
#include "base/clock.h"
#include "broker/line_priv.h"

#include <errno.h>

void tube_resume(struct broker_tube *tube)
{
    bool kept = tube->pause_kept;
    tube->pause_end_ns = CLOCK_NEVER;
    tube->stats.pause_ns = 0;
    tube->pause_kept = false;
    tube_alarm_update(tube);
    queue_core_hold(&tube->ready, false);
    tube->broker->pauses_kept -= kept;
    if (kept)
        tube_unref(tube);
}

void tube_pause(struct broker_tube *tube, int64_t pause_ns, int64_t end_ns, bool kept)
{
    tube->stats.pause_ns = pause_ns;
    tube->pause_end_ns = end_ns;
    if (kept && !tube->pause_kept) {
        tube_ref(tube);
        tube->broker->pauses_kept++;
    }
    tube->pause_kept = tube->pause_kept || kept;
    queue_core_hold(&tube->ready, true);
    tube_alarm_update(tube);
}

HELD static int pause(struct broker_tube *tube, const struct trust_view *asker, int64_t pause_ns)
{
    const struct broker *broker = tube->broker;
    bool more = pause_ns > 0 && tube_is_logged(tube) && !tube->pause_kept;
    size_t max = BROKER_PAUSES_MAX + (asker_is_owner(broker, asker) ? BROKER_PAUSES_SHARE : 0);
    if (more && broker->pauses_kept >= max)
        return EDQUOT;
    int rc = log_admit_pause(tube);
    if (rc != 0)
        return rc;
    struct change change = {.type = JOB_ENTRY_PAUSE,
                            .to = pause_ns > 0 ? JOB_DELAYED : JOB_READY,
                            .flags = tube_is_logged(tube) ? CHANGE_LOGGED : 0,
                            .tube = tube,
                            .key_ns = clock_deadline(pause_ns),
                            .delay_ns = pause_ns > 0 ? pause_ns : 0};
    make_pause(&change);
    return 0;
}

int decide_pause(struct broker *broker, struct broker_op *op)
{
    struct broker_tube *tube = tube_find(broker, op->tube.name, op->tube.len);
    return tube != NULL ? pause(tube, op->asker, op->tube.pause_ns) : ENOENT;
}
