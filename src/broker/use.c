// SPDX-License-Identifier: MIT
/*
 * Using tubes: what the doors hold of one while they put into it.
 */
#include "broker/state_priv.h"

int broker_use(struct broker *broker, const char *name, size_t len, struct tube **out)
{
    int rc = job_tube_name_check(name, len);
    if (rc != 0)
        return rc;
    broker_lock(broker);
    rc = tube_need(&broker->ledger, name, len, out);
    if (rc == 0) {
        broker_tube(*out)->stats.using ++;
        broker->stats.using ++;
    }
    broker_unlock(broker);
    return rc;
}

void broker_unuse(struct broker *broker, struct tube **tube)
{
    if (*tube == NULL)
        return;
    broker_lock(broker);
    struct tube *mine;
    MAGIC_TAKE(mine, tube, TUBE_MAGIC);
    ASSERT(broker_of(mine) == broker && broker_tube(mine)->stats.using > 0);
    broker_tube(mine)->stats.using --;
    broker->stats.using --;
    tube_unref(mine);
    broker_unlock(broker);
}

const char *broker_tube_name(const struct tube *tube)
{
    MAGIC_CHECK(tube, TUBE_MAGIC);
    return tube->name;
}

uint16_t broker_tube_class(const struct tube *tube)
{
    MAGIC_CHECK(tube, TUBE_MAGIC);
    return tube->trust_class;
}
