// SPDX-License-Identifier: MIT
/*
 * The methods pool_list, pool_resize, pool_pause, pool_resume and pool_drain: what can be changed
 * of a pool while the daemon runs. It lasts until the daemon ends; the next one starts with what
 * its configuration says.
 *
 * pool_drain is the pause and a wait for the last job; who gives up waiting leaves the pool paused.
 */
#include "api/api_priv.h"
#include "api/result_priv.h"

#include "base/nearest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PARAM_POOL                                                                                 \
    {                                                                                              \
        .name = "pool", .type = API_POOL, .required = true, .what = "the name of the pool"         \
    }

const struct api_param params_pool_list[] = {{.name = NULL}};
const struct api_param params_pool_resize[] = {
    PARAM_POOL,
    {.name = "workers",
     .type = API_WORKERS,
     .required = true,
     .what = "how many workers it has from now on, 0 to 1024"},
    {.name = NULL},
};
const struct api_param params_pool_pause[] = {PARAM_POOL, {.name = NULL}};
const struct api_param params_pool_resume[] = {PARAM_POOL, {.name = NULL}};
const struct api_param params_pool_drain[] = {
    PARAM_POOL,
    {.name = "timeout",
     .type = API_SECONDS,
     .what = "how long to wait at most, in seconds; without it, until it happens"},
    {.name = NULL},
};

static int pool_unknown(struct api_call *call, const char *name)
{
    const struct api_links *links = &call->api->links;
    struct nearest nearest;
    nearest_init(&nearest, name);
    for (size_t i = 0; i < links->pool_count; i++)
        nearest_offer(&nearest, worker_pool_name(links->pools[i]));
    const char *near = nearest_best(&nearest);
    if (links->pool_count == 0)
        return api_fail(call, ENOENT, "there is no pool \"%.80s\"; the daemon has no pools", name);
    return api_fail(call, ENOENT, "there is no pool \"%.80s\"%s%s%s; 'hilera pool list' shows them",
                    name, near != NULL ? ", did you mean \"" : "", near != NULL ? near : "",
                    near != NULL ? "\"?" : "");
}

/* ENOENT: the call has failed. */
static int pool_find(struct api_call *call, const cJSON *params, struct worker_pool **pool)
{
    const struct api_links *links = &call->api->links;
    const char *name = params_tube(params, "pool");
    for (size_t i = 0; i < links->pool_count; i++)
        if (strcmp(worker_pool_name(links->pools[i]), name) == 0) {
            *pool = links->pools[i];
            return 0;
        }
    return pool_unknown(call, name);
}

int run_pool_list(struct api_call *call, const cJSON *params, struct out result)
{
    const struct api_links *links = &call->api->links;
    struct out pools = out_array(result, "pools");
    (void)params;
    for (size_t i = 0; i < links->pool_count; i++)
        out_pool(call, out_array_object(pools), links->pools[i]);
    return 0;
}

static int resize_failed(struct api_call *call, const struct worker_pool *pool, unsigned wanted,
                         int rc)
{
    struct worker_pool_stats stats;
    worker_pool_stats(pool, &stats);
    if (rc == ESHUTDOWN)
        return api_fail(call, rc, "the daemon is stopping; its pools can't be changed any more");
    if (rc == EBUSY)
        return api_fail(call, rc,
                        "pool %s has %u workers now and can't have %u yet: %u others still end "
                        "their jobs, and there are %d places in all; try again later",
                        stats.name, stats.workers, wanted, stats.leaving, WORKER_POOL_MAX);
    return api_fail(call, rc, "pool %s has %u workers now; the others can't be made: %s",
                    stats.name, stats.workers, strerrordesc_np(rc));
}

int run_pool_resize(struct api_call *call, const cJSON *params, struct out result)
{
    struct worker_pool *pool;
    unsigned workers = (unsigned)params_u64(params, "workers", 0);
    int rc = pool_find(call, params, &pool);
    if (rc != 0)
        return rc;
    rc = worker_pool_resize(pool, workers);
    if (rc != 0)
        return resize_failed(call, pool, workers, rc);
    out_pool(call, result, pool);
    return 0;
}

static int pool_pause(struct api_call *call, const cJSON *params, bool paused, struct out result)
{
    struct worker_pool *pool;
    int rc = pool_find(call, params, &pool);
    if (rc != 0)
        return rc;
    worker_pool_pause(pool, paused);
    out_pool(call, result, pool);
    return 0;
}

int run_pool_pause(struct api_call *call, const cJSON *params, struct out result)
{
    return pool_pause(call, params, true, result);
}

int run_pool_resume(struct api_call *call, const cJSON *params, struct out result)
{
    return pool_pause(call, params, false, result);
}

/* ---- pool_drain ---- */

static void quiet_fired(struct later *later)
{
    struct api_call *call = CONTAINER_OF(later, struct api_call, quiet.later);
    MAGIC_CHECK(call, API_CALL_MAGIC);
    later_tell(&call->later, 0);
}

static bool quiet_cancel(struct later *later)
{
    return later_cancel(&api_call_of(later)->quiet.later) && later_leave(later);
}

static int resumed(struct api_call *call, const struct worker_pool *pool)
{
    return api_fail(call, ECANCELED, "pool %s was resumed meanwhile, so it is not drained",
                    worker_pool_name(pool));
}

int run_pool_drain(struct api_call *call, const cJSON *params, struct out result)
{
    struct worker_pool *pool;
    int rc = pool_find(call, params, &pool);
    if (rc != 0)
        return rc;
    call->timeout_ns = params_seconds(params, "timeout");
    call->deadline_ns = clock_deadline(call->timeout_ns);
    call->quiet = (struct worker_quiet){.later.fire = quiet_fired, .pool = pool};
    call->later.cancel = quiet_cancel;
    worker_pool_pause(pool, true);
    rc = worker_pool_quiet_async(pool, &call->quiet);
    if (rc == 0)
        out_pool(call, result, pool);
    return rc == ECANCELED ? resumed(call, pool) : rc;
}

int finish_pool_drain(struct api_call *call, struct out result)
{
    if (call->quiet.later.result != 0)
        return resumed(call, call->quiet.pool);
    out_pool(call, result, call->quiet.pool);
    return 0;
}

void late_pool_drain(const struct api_call *call, char *text, size_t size)
{
    struct worker_pool_stats stats;
    worker_pool_stats(call->quiet.pool, &stats);
    snprintf(text, size,
             "pool %s is paused, but %u of its workers still had a job after %.3f s; it stays "
             "paused",
             stats.name, stats.busy, (double)call->timeout_ns / (double)HL_SECOND);
}
