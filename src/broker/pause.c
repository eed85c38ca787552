// SPDX-License-Identifier: MIT
/*
 * Pausing a tube. A pause that is in the journal would come back with the next start, so it keeps
 * its tube until it is over. Such tubes are counted, for who makes and pauses one after the other.
 * Root and the daemon's own user may have a share more than all others: who has to stop a tube
 * still can.
 */
#include "base/clock.h"
#include "broker/make_priv.h"
#include "broker/owner_priv.h"
#include "broker/verbs_priv.h"

#include <errno.h>

HELD static int pause(struct tube *tube, const struct trust_view *asker, int64_t pause_ns)
{
    const struct broker *broker = broker_of(tube);
    bool more = pause_ns > 0 && tube_is_logged(tube) && !tube->pause_kept;
    size_t max = BROKER_PAUSES_MAX + (asker_is_owner(broker, asker) ? BROKER_PAUSES_SHARE : 0);
    if (more && broker->ledger.pauses_kept >= max)
        return EDQUOT;
    int rc = store_admit_pause(tube);
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
    struct tube *tube = tube_find(&broker->ledger, op->tube.name, op->tube.len);
    return tube != NULL ? pause(tube, op->asker, op->tube.pause_ns) : ENOENT;
}
