// SPDX-License-Identifier: MIT
/*
 * The methods `pause` and `resume` of a tube: for a while, or until somebody resumes it, nothing is
 * taken from it. What is running goes on, and puts are taken.
 */
#include "api/api_priv.h"

#include <errno.h>
#include <string.h>

/* Without a time: as long as a pause can be, about 31 years. */
#define PAUSE_MAX_NS (INT64_C(1000000000) * HL_SECOND)

#define PARAM_TUBE                                                                                 \
    {                                                                                              \
        .name = "tube", .type = API_TUBE, .required = true, .what = "the name of the tube"         \
    }

const struct api_param params_pause[] = {
    PARAM_TUBE,
    {.name = "time",
     .type = API_SECONDS,
     .what = "for how long, in seconds; without it, until it is resumed"},
    {.name = NULL},
};
const struct api_param params_resume[] = {PARAM_TUBE, {.name = NULL}};

static int pause_set(struct api_call *call, const char *tube, int64_t pause_ns, struct out result)
{
    struct broker *broker = call->api->links.broker;
    struct broker_stats stats = {.pause_left_ns = 0};
    struct broker_op op;
    broker_op_init(&op, BROKER_PAUSE, 0, 0);
    op.asker = call->asker;
    op.tube.name = tube;
    op.tube.len = strlen(tube);
    op.tube.pause_ns = pause_ns;
    int rc = broker_run(broker, &op);
    ticket_add(&call->ticket, &op.ticket);
    if (rc == ENOENT)
        return api_fail(call, rc,
                        "there is no tube \"%s\"; a tube exists while it has jobs, or somebody "
                        "uses or watches it",
                        tube);
    if (rc == EDQUOT)
        return api_fail(call, rc,
                        "as many tubes are paused as may be, %d and %d more for root and the "
                        "daemon's user; resume one of them first",
                        BROKER_PAUSES_MAX, BROKER_PAUSES_SHARE);
    if (rc != 0)
        return rc;
    /* Gone with its pause, if that was all that kept it. */
    (void)broker_tube_stats(broker, tube, strlen(tube), &stats);
    out_str(result, "tube", tube);
    out_seconds(result, "pause_left", stats.pause_left_ns);
    return 0;
}

int run_pause(struct api_call *call, const cJSON *params, struct out result)
{
    int64_t time_ns = params_seconds(params, "time");
    return pause_set(call, params_tube(params, "tube"),
                     time_ns == HL_FOREVER ? PAUSE_MAX_NS : time_ns, result);
}

int run_resume(struct api_call *call, const cJSON *params, struct out result)
{
    return pause_set(call, params_tube(params, "tube"), 0, result);
}
