// SPDX-License-Identifier: MIT
/*
 * The method `list`: the jobs that match, in order of id, a page at a time. A page ends after
 * `limit` jobs, and after so many looked at (broker/select.h), so it may be empty and not the last:
 * the last one is that whose "next" is null.
 *
 * Finished jobs, which history has, are listed the latest first. Their "next" is a place in history
 * and no id, and ages count from their end.
 */
#include "api/api_priv.h"

#include <errno.h>
#include <inttypes.h>

#define LIST_LIMIT_DEFAULT 100
#define LIST_LIMIT_MAX 500 /* about 200 KiB of JSON, and 20 milliseconds to make it */

const struct api_param params_list[] = {
    API_FILTER_PARAMS_OF(API_ANY_STATE, "jobs of this state only: ready, delayed, reserved, buried "
                                        "or finished; without it, all that aren't finished"),
    {.name = "outcome",
     .type = API_OUTCOME,
     .what = "finished jobs that ended so only: done, failed and others"},
    {.name = NULL},
};

struct list_to {
    struct out jobs;
    const struct api_call *call;
};

static void list_visit(const struct job_view *view, void *arg)
{
    const struct list_to *to = arg;
    struct out job = out_array_object(to->jobs);
    out_view(to->call, job, view);
    out_running(to->call, job, view);
}

static int list_present(struct api_call *call, const cJSON *params, size_t limit, struct out result)
{
    struct broker_filter filter;
    struct broker_page page;
    filter_read(params, &filter, &page);
    page.limit = limit;
    struct list_to to = {.jobs = out_array(result, "jobs"), .call = call};
    int rc = broker_list(call->api->links.broker, call->asker, &filter, &page, list_visit, &to);
    call->looked_at = page.examined;
    out_page(result, &page);
    return rc;
}

/* ---- finished ones ---- */

static struct history_query query_read(const cJSON *params)
{
    int64_t now_ns = clock_wall_ns();
    int64_t older_ns = params_seconds(params, "older");
    int64_t younger_ns = params_seconds(params, "younger");
    enum job_outcome_kind kind = params_outcome(params, "outcome");
    return (struct history_query){.tube = params_tube(params, "tube"),
                                  .group = params_text(params, "group"),
                                  .name = params_text(params, "name"),
                                  .tag = params_text(params, "tag"),
                                  .any_kind = kind == JOB_OUTCOME_COUNT,
                                  .kind = kind,
                                  .until_ns = older_ns == HL_FOREVER ? 0 : now_ns - older_ns + 1,
                                  .since_ns =
                                      younger_ns == HL_FOREVER ? 0 : now_ns - younger_ns + 1,
                                  .before = params_u64(params, "from", 0)};
}

static int list_past(struct api_call *call, const cJSON *params, size_t limit, struct out result)
{
    struct history_query query = query_read(params);
    struct job_record *records[LIST_LIMIT_MAX];
    size_t count;
    uint64_t next;
    call->looked_at = HISTORY_EXAMINED_MAX; /* at most, and a query at least */
    int rc = history_list(call->api->links.history, &query, limit, records, &count, &next);
    if (rc == EIO)
        return api_fail(call, EIO, "the file of results can't be read; the daemon's log says why");
    if (rc != 0)
        return rc;
    struct out jobs = out_array(result, "jobs");
    for (size_t i = 0; i < count; i++) {
        if (api_may_record(call, records[i], TRUST_see))
            out_row(out_array_object(jobs), records[i],
                    api_may_record(call, records[i], TRUST_read));
        job_record_unref(&records[i]);
    }
    if (next != 0)
        out_u64(result, "next", next);
    else
        out_null(result, "next");
    return 0;
}

int run_list(struct api_call *call, const cJSON *params, struct out result)
{
    uint64_t limit = params_u64(params, "limit", LIST_LIMIT_DEFAULT);
    bool past = params_finished(params, "state");
    if (limit > LIST_LIMIT_MAX)
        return api_fail(call, EINVAL,
                        "parameter \"limit\" is %" PRIu64 "; a page has 1 to %d jobs, ask for the "
                        "next one with \"from\"",
                        limit, LIST_LIMIT_MAX);
    if (params_given(params, "outcome") && !past)
        return api_fail(call, EINVAL,
                        "parameter \"outcome\" is for finished jobs; give it with "
                        "\"state\": \"finished\"");
    return past ? list_past(call, params, (size_t)limit, result)
                : list_present(call, params, (size_t)limit, result);
}
