// SPDX-License-Identifier: MIT
/*
 * The method `list`: the jobs that match, in order of id, a page at a time. A page ends after
 * `limit` jobs, and after so many looked at (broker/select.h), so it may be empty and not the last:
 * the last one is that whose "next" is null.
 */
#include "api/api_priv.h"

#include <errno.h>
#include <inttypes.h>

#define LIST_LIMIT_DEFAULT 100
#define LIST_LIMIT_MAX 500 /* about 200 KiB of JSON, and 20 milliseconds to make it */

const struct api_param params_list[] = {API_FILTER_PARAMS, {.name = NULL}};

static void list_visit(const struct job_view *view, void *arg)
{
    const struct out *jobs = arg;
    out_view(out_array_object(*jobs), view);
}

int run_list(struct api_call *call, const cJSON *params, struct out result)
{
    struct broker_filter filter;
    struct broker_page page;
    filter_read(params, &filter, &page);
    if (!params_given(params, "limit"))
        page.limit = LIST_LIMIT_DEFAULT;
    if (page.limit > LIST_LIMIT_MAX)
        return api_fail(call, EINVAL,
                        "parameter \"limit\" is %zu; a page has 1 to %d jobs, ask for the next one "
                        "with \"from\"",
                        page.limit, LIST_LIMIT_MAX);
    struct out jobs = out_array(result, "jobs");
    int rc = broker_list(call->api->links.broker, &filter, &page, list_visit, &jobs);
    out_page(result, &page);
    return rc;
}
