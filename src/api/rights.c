// SPDX-License-Identifier: MIT
/*
 * What who calls a method may: each row of methods.def names a right and where it is needed, and
 * the dispatcher asks here before the method runs. Nothing is allowed that no rule allows
 * (trust.h).
 *
 * Where a row says that a method is about jobs, the broker asks, with the job in hand; what such a
 * method tells of jobs that are in history only is asked for by rights_on.
 */
#include "api/api_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool view_may_on(const struct trust_view *view, const char *tube, uint32_t submitter,
                        trust_rights need)
{
    uint16_t tube_class = trust_tube_class(view->trust, tube, strlen(tube));
    return trust_ask(view, tube_class, need, submitter) == TRUST_MAY;
}

bool view_may_record(const struct trust_view *view, const struct job_record *record,
                     trust_rights need)
{
    return view_may_on(view, record->tube, record->submitter, need);
}

bool api_may_on(const struct api_call *call, const char *tube, uint32_t submitter,
                trust_rights need)
{
    return view_may_on(call->asker, tube, submitter, need);
}

bool api_may_in(const struct api_call *call, const char *tube, trust_rights need)
{
    return api_may_on(call, tube, JOB_NOBODY, need);
}

bool api_may_any(const struct api_call *call, const char *tube, trust_rights any)
{
    return trust_may_any(call->asker, trust_tube_class(call->asker->trust, tube, strlen(tube)),
                         any);
}

bool api_may_record(const struct api_call *call, const struct job_record *record, trust_rights need)
{
    return api_may_on(call, record->tube, record->submitter, need);
}

bool api_sees_all(const struct api_call *call)
{
    return (trust_rights_everywhere(call->asker) & TRUST_see) != 0;
}

bool api_had(const struct api_call *call, uint64_t id)
{
    return api_sees_all(call) && broker_had(call->api->links.broker, id);
}

int api_refuse(struct api_call *call, trust_rights need, const char *tube)
{
    char why[2 * TRUST_WHY_MAX];
    trust_denied(call->asker, need, tube);
    trust_deny_text(why, sizeof(why), call->asker, need, tube);
    return api_fail(call, EACCES, "%s", why);
}

/* Where the job is, if the caller may know. */
static bool job_whereabouts(const struct api_call *call, char *tube, size_t size,
                            uint32_t *submitter)
{
    struct job_view view;
    if (call->id == 0 ||
        broker_peek(call->api->links.broker, call->asker, call->id, &view, NULL) != 0)
        return false;
    snprintf(tube, size, "%s", view.tube);
    *submitter = view.submitter;
    return true;
}

int api_refuse_job(struct api_call *call)
{
    char tube[JOB_TUBE_NAME_MAX + 1];
    uint32_t submitter = JOB_NOBODY;
    trust_rights need = call->method->right;
    if (!job_whereabouts(call, tube, sizeof(tube), &submitter))
        return api_refuse(call, need, NULL);
    if (call->method->scope != API_SCOPE_JOBS_TO || !api_may_on(call, tube, submitter, need))
        return api_refuse(call, need, tube);
    /* Who may take it away there may still not bring it where it is to go; no section can help. */
    return api_fail(call, EACCES,
                    "job %" PRIu64 " can't be moved into a guarded tube by others than who put it, "
                    "root and the daemon's user",
                    call->id);
}

/* An unknown pool has no tubes, and only who may all of that kind learns that there is none.
 * One with a tube that the caller can't see doesn't name it. */
static int pool_check(struct api_call *call, const char *name)
{
    const struct api_links *links = &call->api->links;
    trust_rights need = call->method->right;
    if (trust_may_server(call->asker, TRUST_admin))
        return 0;
    for (size_t i = 0; i < links->pool_count; i++) {
        if (strcmp(worker_pool_name(links->pools[i]), name) != 0)
            continue;
        struct worker_pool_stats stats;
        worker_pool_stats(links->pools[i], &stats);
        for (size_t k = 0; k < stats.tube_count; k++)
            if (!api_may_in(call, stats.tubes[k], need))
                return api_may_in(call, stats.tubes[k], TRUST_see)
                           ? api_refuse(call, need, stats.tubes[k])
                           : api_refuse(call, TRUST_admin, NULL);
        return 0;
    }
    return api_refuse(call, TRUST_admin, NULL);
}

static int server_check(struct api_call *call, trust_rights need)
{
    return trust_may_server(call->asker, need) ? 0 : api_refuse(call, need, NULL);
}

static int tube_check(struct api_call *call, const char *tube, trust_rights need)
{
    return api_may_in(call, tube, need) ? 0 : api_refuse(call, need, tube);
}

int api_may_run(struct api_call *call, const cJSON *params)
{
    const struct api_method *method = call->method;
    switch (method->scope) {
    case API_SCOPE_NONE:
    case API_SCOPE_SEEN:
    case API_SCOPE_JOBS:
        return 0;
    case API_SCOPE_SERVER:
        return server_check(call, method->right);
    case API_SCOPE_TUBE:
        return tube_check(call, params_tube(params, "tube"), method->right);
    case API_SCOPE_TUBE_OR_ALL:
        if (params_given(params, "tube"))
            return tube_check(call, params_tube(params, "tube"), method->right);
        /* a group is asked for by the broker */
        return params_given(params, "group") ? 0 : server_check(call, TRUST_monitor);
    case API_SCOPE_POOL:
        return pool_check(call, params_tube(params, "pool"));
    case API_SCOPE_JOBS_TO:
        return tube_check(call, params_tube(params, "to"), TRUST_put);
    }
    return api_refuse(call, TRUST_admin, NULL);
}
