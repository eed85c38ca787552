// SPDX-License-Identifier: MIT
/*
 * The method `why`: what keeps a job from running, as sentences for people, each with a word for
 * programs, in the order in which they would have to go away. A job that nothing keeps has the one
 * reason "next" or "behind".
 */
#include "api/api_priv.h"

#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const struct api_param params_why[] = {
    {.name = "id", .type = API_ID, .required = true, .what = "the id of the job, as put told it"},
    {.name = NULL},
};

static void out_reason(struct out reasons, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void out_reason(struct out reasons, const char *code, const char *format, ...)
{
    char message[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    struct out row = out_array_object(reasons);
    out_str(row, "code", code);
    out_bytes(row, "message", message, strlen(message));
}

static double seconds(int64_t ns)
{
    return (double)ns / (double)HL_SECOND;
}

static bool pool_takes_from(const struct worker_pool_stats *pool, const char *tube)
{
    for (size_t i = 0; i < pool->tube_count; i++)
        if (strcmp(pool->tubes[i], tube) == 0)
            return true;
    return false;
}

/* Of pools that take from the tube. */
struct takers {
    uint64_t workers, busy; /* of those that aren't paused */
    uint64_t pools;
    const char *paused;   /* the first that is paused */
    const char *empty;    /* the first that has no workers */
    const char *troubled; /* the first that can't run any job, and why */
    char trouble[WORKER_TROUBLE_MAX];
};

static struct takers takers_of(const struct api_links *links, const char *tube)
{
    struct takers takers = {.workers = 0};
    for (size_t i = 0; i < links->pool_count; i++) {
        struct worker_pool_stats pool;
        worker_pool_stats(links->pools[i], &pool);
        if (!pool_takes_from(&pool, tube))
            continue;
        takers.pools++;
        if (pool.paused && takers.paused == NULL)
            takers.paused = pool.name;
        if (pool.workers == 0 && takers.empty == NULL)
            takers.empty = pool.name;
        if (pool.trouble[0] != '\0' && takers.troubled == NULL) {
            takers.troubled = pool.name;
            memcpy(takers.trouble, pool.trouble, sizeof(takers.trouble));
        }
        if (pool.paused)
            continue;
        takers.workers += pool.workers;
        takers.busy += pool.busy;
    }
    return takers;
}

static void why_ready(const struct api_links *links, const struct broker_why *why,
                      const struct takers *takers, struct out reasons)
{
    const char *tube = why->job.tube;
    bool paused = why->tube.pause_left_ns > 0;
    if (paused)
        out_reason(reasons, "paused",
                   "the tube %s is paused for another %.0f s; 'hilera resume %s' ends that", tube,
                   seconds(why->tube.pause_left_ns), tube);
    if (takers->workers > 0 && broker_is_resting(links->broker))
        out_reason(reasons, "resting",
                   "the results of finished jobs can't be written as fast as jobs finish, so the "
                   "pools rest until half of those that wait are written, for a few seconds at "
                   "most");
    if (takers->workers == 0 && takers->paused != NULL)
        out_reason(
            reasons, "pool_paused",
            "the pool %s, which takes from the tube, is paused; 'hilera pool resume %s' ends "
            "that",
            takers->paused, takers->paused);
    else if (takers->workers == 0 && takers->empty != NULL)
        out_reason(reasons, "pool_empty",
                   "the pool %s, which takes from the tube, has no workers; 'hilera pool resize %s "
                   "NUMBER' gives it some",
                   takers->empty, takers->empty);
    else if (why->tube.watching == 0 && takers->workers == 0)
        out_reason(reasons, "no_worker",
                   "nobody takes jobs from the tube %s: no pool has it, and no connection watches "
                   "it",
                   tube);
    else if (takers->workers > 0 && takers->busy >= takers->workers && why->tube.waiting == 0)
        out_reason(reasons, "busy", "all %" PRIu64 " workers of the tube's pools are busy",
                   takers->workers);
    else if (!paused && why->tube.waiting == 0)
        out_reason(reasons, "not_asked", "nobody who takes from the tube %s asks for a job now",
                   tube);
    if (why->ahead > 0 || !why->ahead_is_exact)
        out_reason(reasons, "behind",
                   "%s%" PRIu64 " ready job%s of its tube %s first: a lesser priority number, or "
                   "the same and a lesser id",
                   why->ahead_is_exact ? "" : "at least ", why->ahead, why->ahead == 1 ? "" : "s",
                   why->ahead == 1 ? "goes" : "go");
    else
        out_reason(reasons, "next", "it is the next one of its tube");
}

/* Whether it is ready or a worker has it already. */
static void why_trouble(const struct takers *takers, struct out reasons)
{
    if (takers->troubled != NULL)
        out_reason(reasons, "pool_trouble", "the pool %s can't run jobs now: %s", takers->troubled,
                   takers->trouble);
}

static void why_reserved(const struct job_view *job, struct out reasons)
{
    bool over = job->time_left_ns < 0;
    if (job->local)
        out_reason(reasons, "reserved", "a worker of the daemon has it: this is attempt %" PRIu32,
                   job->reserves);
    else
        out_reason(reasons, "reserved",
                   "a connection has reserved it: this is attempt %" PRIu32 ", %s%.3f s",
                   job->reserves, over ? "over its time by " : "its time ends in ",
                   seconds(over ? -job->time_left_ns : job->time_left_ns));
}

static void why_buried(const struct api_call *call, const struct job_view *job, struct out reasons)
{
    bool read = api_may_on(call, job->tube, job->submitter, TRUST_read);
    const char *text = read ? job_reason_text(job->reason) : job->reason;
    size_t len = read ? strlen(text) : job_reason_ours(text);
    out_reason(reasons, "buried", "it is buried%s%.*s; 'hilera kick %" PRIu64 "' tries it again",
               len > 0 ? ": " : "", (int)len, text, job->id);
}

/* Whether it is to be stopped, and its program goes on. */
static void why_stuck(const struct api_links *links, uint64_t id, struct out reasons)
{
    pid_t pid = worker_stuck(links->broker, &id);
    if (pid != 0)
        out_reason(reasons, "unkillable",
                   "it is to be stopped, but its program, pid %d, has become another user's and "
                   "can't be killed; root can: kill -KILL %d",
                   (int)pid, (int)pid);
}

static void why_here(const struct api_call *call, const struct broker_why *why,
                     const struct takers *takers, struct out reasons)
{
    const struct job_view *job = &why->job;
    switch (job->state) {
    case JOB_READY:
        why_trouble(takers, reasons);
        why_ready(&call->api->links, why, takers, reasons);
        break;
    case JOB_DELAYED:
        out_reason(reasons, "delayed",
                   "it is delayed for another %.3f s; 'hilera kick %" PRIu64 "' ends that",
                   seconds(job->time_left_ns > 0 ? job->time_left_ns : 0), job->id);
        break;
    case JOB_BURIED:
        why_buried(call, job, reasons);
        break;
    case JOB_RESERVED:
    default:
        why_trouble(takers, reasons);
        why_stuck(&call->api->links, job->id, reasons);
        why_reserved(job, reasons);
        break;
    }
}

int run_why(struct api_call *call, const cJSON *params, struct out result)
{
    const struct api_links *links = &call->api->links;
    uint64_t id = params_id(params, "id");
    struct broker_why why;
    int rc = broker_why(links->broker, call->asker, id, &why);
    if (rc == ENOENT && !api_had(call, id))
        return api_fail(call, rc, "there is no job %" PRIu64 ", and there never was", id);
    out_u64(result, "id", id);
    out_str(result, "state",
            rc == 0 ? job_state_word(why.job.state) : job_state_word(JOB_FINISHED));
    struct out reasons = out_array(result, "reasons");
    if (rc != 0) {
        out_reason(reasons, "finished", "it is finished; 'hilera show %" PRIu64 "' tells more", id);
        return 0;
    }
    call->looked_at = why.examined;
    struct takers takers = takers_of(links, why.job.tube);
    why_here(call, &why, &takers, reasons);
    out_str(result, "tube", why.job.tube);
    out_u64(result, "ahead", why.ahead);
    out_bool(result, "ahead_is_exact", why.ahead_is_exact);
    out_u64(result, "workers", takers.workers);
    out_u64(result, "busy", takers.busy);
    out_u64(result, "watching", why.tube.watching);
    out_u64(result, "waiting", why.tube.waiting);
    return 0;
}
