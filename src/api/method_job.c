// SPDX-License-Identifier: MIT
/*
 * The methods about one job: `show` and `wait`.
 *
 * A job that failed is in the broker, buried, with its result in history. Who waited learns from
 * the end itself what no record is kept of. A job that is in neither, but was there, is finished;
 * how it ended isn't kept (any more).
 */
#include "api/api_priv.h"
#include "api/result_priv.h"
#include "api/sight_priv.h"

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

static int job_show(struct api_call *call, uint64_t id, struct out result)
{
    int rc = sight_take(call, id);
    if (rc != 0)
        return rc;
    const struct api_sight *sight = call->sight;
    const struct job_record *record = sight->record;
    if (!sight->here && record == NULL) {
        if (!api_had(call, id))
            return not_found(call, id);
        out_forgotten(result, id);
        return 0;
    }
    struct out job = out_object(result, "job");
    bool read = record != NULL && api_may_record(call, record, TRUST_read);
    if (sight->here) {
        out_view(call, job, &sight->view);
        out_running(call, job, &sight->view);
    } else
        out_record(job, record, read);
    if (record != NULL)
        out_result(job, record, read);
    else
        out_past(call, job, &sight->view);
    return 0;
}

int run_show(struct api_call *call, const cJSON *params, struct out result)
{
    return job_show(call, params_id(params, "id"), result);
}

int finish_show(struct api_call *call, struct out result)
{
    return job_show(call, call->id, result);
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
    return job_show(call, call->id, result);
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
