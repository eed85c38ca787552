// SPDX-License-Identifier: MIT
/*
 * The methods about one job: `show` and `wait`.
 *
 * A job is looked for in the broker first and in history second: the broker lets go of a finished
 * job only when history has its record, so in this order nothing falls between the two. A job that
 * failed is in both: buried in the broker, with its result in history. Who waited learns from the
 * end itself what no record is kept of. A job that is in neither, but was there, is finished; how
 * it ended isn't kept (any more).
 */
#include "api/api_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define PARAM_ID                                                                                   \
    {                                                                                              \
        .name = "id", .type = API_ID, .required = true,                                            \
        .what = "the id of the job, as put told it"                                                \
    }

const struct api_param params_show[] = {PARAM_ID, {.name = NULL}};
const struct api_param params_wait[] = {
    PARAM_ID,
    {.name = "timeout",
     .type = API_SECONDS,
     .what = "how long to wait at most, in seconds; without it, until it happens"},
    {.name = NULL},
};

static int not_found(struct api_call *call, uint64_t id)
{
    return api_fail(call, ENOENT, "there is no job %" PRIu64 ", and there never was", id);
}

static void out_forgotten(struct out result, uint64_t id)
{
    struct out job = out_object(result, "job");
    out_u64(job, "id", id);
    out_str(job, "state", job_state_word(JOB_FINISHED));
}

/* ENOENT: there never was such a job. */
static int job_show(struct api_call *call, uint64_t id, struct out result)
{
    struct job_view view;
    struct job_record *record = NULL;
    int here = broker_peek(call->api->links.broker, call->asker, id, &view, NULL);
    int past = api_record_get(call, id, &record);
    if (past == 0 && !api_may_record(call, record, TRUST_see)) {
        job_record_unref(&record);
        past = ENOENT;
    }
    if (here != 0 && past != 0) {
        if (!api_had(call, id))
            return ENOENT;
        out_forgotten(result, id);
        return 0;
    }
    struct out job = out_object(result, "job");
    if (here == 0) {
        out_view(call, job, &view);
        out_running(call, job, &view);
    } else
        out_record(job, record, api_may_record(call, record, TRUST_read));
    /* A record of a job that is on its way again is about its last life. */
    if (past == 0 && (here != 0 || view.state == JOB_BURIED))
        out_result(job, record, api_may_record(call, record, TRUST_read));
    else if (here == 0)
        out_past(call, job, &view);
    job_record_unref(&record);
    return 0;
}

int run_show(struct api_call *call, const cJSON *params, struct out result)
{
    uint64_t id = params_id(params, "id");
    int rc = job_show(call, id, result);
    return rc == ENOENT ? not_found(call, id) : rc;
}

int run_wait(struct api_call *call, const cJSON *params, struct out result)
{
    call->id = params_id(params, "id");
    call->timeout_ns = params_seconds(params, "timeout");
    call->deadline_ns = clock_deadline(call->timeout_ns);
    call->waiter.wants_end = true;
    int rc = broker_wait_async(call->api->links.broker, call->asker, call->id, &call->waiter);
    if (rc == 0)
        return EINPROGRESS;
    if (rc != ENOENT)
        return rc;
    rc = job_show(call, call->id, result);
    return rc == ENOENT ? not_found(call, call->id) : rc;
}

int finish_wait(struct api_call *call, struct out result)
{
    return job_show(call, call->id, result);
}

void late_wait(const struct api_call *call, char *text, size_t size)
{
    snprintf(text, size, "job %" PRIu64 " was not finished within %.3f s", call->id,
             (double)call->timeout_ns / (double)HL_SECOND);
}
