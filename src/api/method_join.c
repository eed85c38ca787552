// SPDX-License-Identifier: MIT
/*
 * The method `join`: as queue.join, it answers when everything that was put is finished, for one
 * tube, one group or for all. A tube or group that nobody knows has nothing unfinished and is
 * joined at once.
 */
#include "api/api_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const struct api_param params_join[] = {
    {.name = "tube", .type = API_TUBE, .what = "the tube; without it, all of them"},
    {.name = "group", .type = API_TEXT, .what = "the group, in place of a tube"},
    {.name = "so_far",
     .type = API_BOOL,
     .what = "true: don't wait for jobs that are put from now on"},
    {.name = "timeout",
     .type = API_SECONDS,
     .what = "how long to wait at most, in seconds; without it, until it happens"},
    {.name = NULL},
};

int run_join(struct api_call *call, const cJSON *params, struct out result)
{
    (void)result;
    const char *tube = params_tube(params, "tube");
    const char *group = params_text(params, "group");
    snprintf(call->tube, sizeof(call->tube), "%s", tube != NULL ? tube : "");
    snprintf(call->group, sizeof(call->group), "%s", group != NULL ? group : "");
    call->timeout_ns = params_seconds(params, "timeout");
    call->deadline_ns = clock_deadline(call->timeout_ns);
    if (tube != NULL && group != NULL)
        return api_fail(call, EINVAL, "give \"tube\" or \"group\", not both");
    struct broker *broker = call->api->links.broker;
    call->waiter.so_far = params_bool(params, "so_far");
    int rc = group != NULL ? broker_join_group_async(broker, call->asker, group, &call->waiter)
                           : broker_join_async(broker, tube, &call->waiter);
    return rc == 0 ? EINPROGRESS : rc;
}

int finish_join(struct api_call *call, struct out result)
{
    const struct broker_totals *totals = &call->waiter.totals;
    if (call->tube[0] != '\0')
        out_str(result, "tube", call->tube);
    else
        out_null(result, "tube");
    if (call->group[0] != '\0')
        out_str(result, "group", call->group);
    out_u64(result, "put", totals->put);
    out_u64(result, "done", totals->done);
    out_u64(result, "failed", totals->failed);
    out_u64(result, "deleted", totals->deleted);
    out_u64(result, "cancelled", totals->cancelled);
    return 0;
}

void late_join(const struct api_call *call, char *text, size_t size)
{
    struct broker_stats stats = {.unfinished = 0};
    struct broker_totals totals;
    if (call->group[0] != '\0') {
        (void)broker_group_stats(call->api->links.broker, call->asker, call->group,
                                 &stats.unfinished, &totals);
        snprintf(text, size, "group %s: %llu jobs were still unfinished after %.3f s", call->group,
                 (unsigned long long)stats.unfinished,
                 (double)call->timeout_ns / (double)HL_SECOND);
        return;
    }
    if (call->tube[0] == '\0')
        broker_stats(call->api->links.broker, &stats);
    else
        (void)broker_tube_stats(call->api->links.broker, call->tube, strlen(call->tube), &stats);
    snprintf(text, size, "%s%s: %llu jobs were still unfinished after %.3f s",
             call->tube[0] != '\0' ? "tube " : "all tubes", call->tube,
             (unsigned long long)stats.unfinished, (double)call->timeout_ns / (double)HL_SECOND);
}
