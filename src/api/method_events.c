// SPDX-License-Identifier: MIT
/*
 * The method `events`: what happens to jobs and tubes, as it happens (broker/events.h), a page at a
 * time.
 *
 * A client asks again and again, with the `next` of the answer before, and misses nothing: what it
 * listens to is kept for a minute while nobody asks. With `wait` a call is answered when there is
 * something; when the time is over the answer is a page without events, and not an error, since its
 * `next` says how far everything was looked at. Where something may be missing, before its first
 * event or between two, a page says `gap`.
 *
 * The listener lives in the call, and goes with it.
 */
#include "api/api_priv.h"

#include <errno.h>
#include <inttypes.h>

#define EVENTS_LIMIT_DEFAULT 100
#define EVENTS_LIMIT_MAX 500
#define EVENTS_PART 16 /* copied at once: 7 KiB on the stack */

const struct api_param params_events[] = {
    {.name = "tube", .type = API_TUBE, .what = "events of this tube and its jobs only"},
    {.name = "group", .type = API_TEXT, .what = "events of the jobs of this group only"},
    {.name = "id", .type = API_ID, .what = "events of this job only"},
    {.name = "after",
     .type = API_COUNT,
     .what = "those behind the event of this number: the \"next\" of the answer before; without "
             "it, from now on"},
    {.name = "wait",
     .type = API_SECONDS,
     .what = "how long to wait for the first at most, in seconds; without it, not at all"},
    {.name = "limit", .type = API_COUNT, .what = "so many events at most (100; 500 at most)"},
    {.name = NULL},
};

static void out_event(struct out row, const struct broker_event *event)
{
    out_u64(row, "number", event->number);
    out_seconds(row, "time", event->wall_ns);
    out_str(row, "event", broker_event_word(event->type));
    if (event->id != 0)
        out_u64(row, "id", event->id);
    if (event->tube[0] != '\0')
        out_str(row, "tube", event->tube);
    if (event->from_tube[0] != '\0')
        out_str(row, "from_tube", event->from_tube);
    if (event->id == 0)
        return;
    out_str(row, "from", job_state_word(event->from));
    out_str(row, "to", job_state_word(event->to));
    if (event->has_outcome)
        out_str(row, "outcome", job_outcome_word(event->outcome));
    if (event->type != BROKER_EVENT_PUT)
        out_seconds(row, "waited", event->waited_ns);
    if (event->ran_ns >= 0)
        out_seconds(row, "ran", event->ran_ns);
}

/* What has come, as far as there is room for it in the page. */
static int page_fill(struct api_call *call, struct out rows, size_t *sum, bool *gap)
{
    struct broker_event events[EVENTS_PART];
    size_t count;
    bool lost;
    *sum = 0;
    *gap = false;
    do {
        size_t left = call->limit - *sum;
        int rc = broker_events_read(&call->listener, events,
                                    left < EVENTS_PART ? left : EVENTS_PART, &count, &lost);
        if (rc != 0)
            return *sum > 0 ? 0 : rc;
        for (size_t i = 0; i < count; i++)
            out_event(out_array_object(rows), &events[i]);
        *sum += count;
        *gap = *gap || lost;
    } while (count > 0 && *sum < call->limit);
    return 0;
}

/* *news: there is something to tell. */
static int answer(struct api_call *call, struct out result, bool *news)
{
    size_t count;
    bool gap;
    struct out rows = out_array(result, "events");
    int rc = page_fill(call, rows, &count, &gap);
    if (rc == EIO)
        return api_fail(call, rc, "the journal has failed, so nothing more is certain");
    out_u64(result, "next", broker_events_seen(&call->listener));
    out_bool(result, "gap", gap);
    *news = count > 0 || gap;
    call->rows_made += count;
    return rc;
}

/* ---- waiting ---- */

static void events_fired(struct later *later)
{
    struct api_call *call = CONTAINER_OF(later, struct api_call, listener.later);
    MAGIC_CHECK(call, API_CALL_MAGIC);
    later_tell(&call->later, 0);
}

static bool events_cancel(struct later *later)
{
    return later_cancel(&api_call_of(later)->listener.later) && later_leave(later);
}

static int listen_failed(struct api_call *call, int error)
{
    if (error == ENOENT)
        return api_fail(call, error,
                        "there is no job %" PRIu64 " here; one that is finished has no more events",
                        call->id);
    if (error == EDQUOT)
        return api_fail(call, error,
                        "%d tubes, groups and jobs are listened to, and no more may be",
                        BROKER_LISTENED_MAX);
    return error;
}

static int begin(struct api_call *call, const cJSON *params)
{
    const struct broker_listen what = {.tube = params_tube(params, "tube"),
                                       .group = params_text(params, "group"),
                                       .id = call->id,
                                       .asker = call->asker,
                                       .after = params_u64(params, "after", 0)};
    if ((what.tube != NULL) + (what.group != NULL) + (what.id != 0) > 1)
        return api_fail(call, EINVAL, "give \"tube\", \"group\" or \"id\", one of them only");
    uint64_t limit = params_u64(params, "limit", EVENTS_LIMIT_DEFAULT);
    call->limit = limit < EVENTS_LIMIT_MAX ? (size_t)limit : EVENTS_LIMIT_MAX;
    call->listener.later.fire = events_fired;
    int rc = broker_listen(call->api->links.broker, &what, &call->listener);
    return rc == 0 ? 0 : listen_failed(call, rc);
}

int run_events(struct api_call *call, const cJSON *params, struct out result)
{
    bool news = false;
    int rc = begin(call, params);
    if (rc == 0)
        rc = answer(call, result, &news);
    if (rc != 0 || news || !params_given(params, "wait"))
        return rc;
    call->timeout_ns = params_seconds(params, "wait");
    call->deadline_ns = clock_deadline(call->timeout_ns);
    call->later.cancel = events_cancel;
    while ((rc = broker_events_wait(&call->listener)) == 0) {
        cJSON_Delete(result.object->child);
        result.object->child = NULL;
        rc = answer(call, result, &news);
        if (rc != 0 || news)
            return rc;
    }
    return rc;
}

int finish_events(struct api_call *call, struct out result)
{
    bool news;
    return answer(call, result, &news);
}
