// SPDX-License-Identifier: MIT
/*
 * The method `list`: the jobs that match, in order of id, a page at a time. A page ends after
 * `limit` jobs, and after so many looked at (broker/filter.h), so it may be empty and not the last:
 * the last one is that whose "next" is null.
 *
 * Finished jobs, which history has, are listed the latest first. Their "next" is a place in history
 * and no id, and ages count from their end.
 */
#include "api/api_priv.h"
#include "api/filter_priv.h"
#include "api/rows_priv.h"
#include "api/sight_priv.h"

#include <errno.h>
#include <inttypes.h>

#define LIST_LIMIT_DEFAULT 100

const struct api_param params_list[] = {
    API_FILTER_PARAMS_OF(API_ANY_STATE, "jobs of this state only: ready, delayed, reserved, buried "
                                        "or finished; without it, all that aren't finished"),
    {.name = "outcome",
     .type = API_OUTCOME,
     .what = "finished jobs that ended so only: done, failed and others"},
    {.name = NULL},
};

/* The result is made a part at a time (rows_jobs.c). */
int run_list(struct api_call *call, const cJSON *params, struct out result)
{
    (void)result;
    uint64_t limit = params_u64(params, "limit", LIST_LIMIT_DEFAULT);
    bool past = params_finished(params, "state");
    if (limit > API_LIST_LIMIT_MAX)
        return api_fail(call, EINVAL,
                        "parameter \"limit\" is %" PRIu64 "; a page has 1 to %d jobs, ask for the "
                        "next one with \"from\"",
                        limit, API_LIST_LIMIT_MAX);
    if (params_given(params, "outcome") && !past)
        return api_fail(call, EINVAL,
                        "parameter \"outcome\" is for finished jobs; give it with "
                        "\"state\": \"finished\"");
    return past ? rows_past_begin(call, params, (size_t)limit)
                : rows_jobs_begin(call, params, (size_t)limit);
}

/* History has answered. */
int finish_list(struct api_call *call, struct out result)
{
    (void)result;
    return rows_past_asked(call, api_asked(call));
}
