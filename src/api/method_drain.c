// SPDX-License-Identifier: MIT
/*
 * The methods `drain` and `undrain`: whether puts are taken. Each may be called again without harm;
 * what it answers is the state and how much work is left, which is what somebody waits for who
 * drains.
 */
#include "api/api_priv.h"

const struct api_param params_drain[] = {{.name = NULL}};
const struct api_param params_undrain[] = {{.name = NULL}};

static int draining_set(struct api_call *call, bool draining, struct out result)
{
    const struct api_links *links = &call->api->links;
    int rc = 0;
    if (links->drain != NULL)
        rc = links->drain(draining, links->arg);
    else
        broker_drain(links->broker, draining);
    if (rc != 0)
        return api_fail(call, rc,
                        "the daemon is stopping and takes no more jobs; start it again instead");
    struct broker_stats stats;
    broker_stats(links->broker, &stats);
    out_bool(result, "draining", draining);
    out_u64(result, "unfinished", stats.unfinished);
    return 0;
}

int run_drain(struct api_call *call, const cJSON *params, struct out result)
{
    (void)params;
    return draining_set(call, true, result);
}

int run_undrain(struct api_call *call, const cJSON *params, struct out result)
{
    (void)params;
    return draining_set(call, false, result);
}
