// SPDX-License-Identifier: MIT
/*
 * The methods that change jobs: kick, bury, delete, move and clear those that nobody has reserved,
 * cancel any that isn't finished. Each takes the id of one job, or a filter.
 *
 * With a filter a call changes up to BULK_PAGE_MAX jobs and answers how many, and where to go on;
 * whoever wants all asks again until "next" is null. So no call keeps its thread, and who is
 * interrupted knows how far it came. A filter without any condition is refused: all jobs of all
 * tubes is what somebody gets who forgot something.
 */
#include "api/api_priv.h"
#include "api/filter_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BULK_PAGE_MAX 1024 /* some milliseconds: a record is made of each job that is buried */

#define PARAM_DRY_RUN                                                                              \
    {                                                                                              \
        .name = "dry_run", .type = API_BOOL, .what = "count only; nothing is changed"              \
    }
#define PARAMS_BULK                                                                                \
    {.name = "id", .type = API_ID, .what = "this job, instead of those that match"},               \
        API_FILTER_PARAMS, PARAM_DRY_RUN

const struct api_param params_kick[] = {
    {.name = "reset",
     .type = API_BOOL,
     .what =
         "failures, timeouts, crashes and losses begin anew; else a job whose attempts are used "
         "up gets one more"},
    PARAMS_BULK,
    {.name = NULL},
};
const struct api_param params_cancel[] = {PARAMS_BULK, {.name = NULL}};
const struct api_param params_bury[] = {PARAMS_BULK, {.name = NULL}};
const struct api_param params_delete[] = {PARAMS_BULK, {.name = NULL}};
const struct api_param params_move[] = {
    {.name = "to", .type = API_TUBE, .required = true, .what = "the tube to move them to"},
    PARAMS_BULK,
    {.name = NULL},
};
const struct api_param params_clear[] = {
    {.name = "tube", .type = API_TUBE, .required = true, .what = "the tube to clear"},
    {.name = "from", .type = API_ID, .what = "begin at this id: the \"next\" of a page"},
    {.name = "until", .type = API_ID, .what = "end at this id: the \"until\" of the first page"},
    {.name = "limit", .type = API_COUNT, .what = "so many jobs at most"},
    PARAM_DRY_RUN,
    {.name = NULL},
};

/* For which states a method is, in words. */
static const char *bulk_rule(enum broker_action action, enum job_state state)
{
    switch (action) {
    case BROKER_DO_CANCEL:
        return state == JOB_BURIED ? "so it is finished already; delete removes it, kick lets it "
                                     "run again"
                                   : "but its end is being recorded just now: it is too late";
    case BROKER_DO_KICK:
        return "only buried and delayed jobs can be kicked";
    case BROKER_DO_BURY:
        return "only ready and delayed jobs can be buried by others than their worker";
    default:
        return "it belongs to its worker until that is done with it or its time is over";
    }
}

static int bulk_failed(struct api_call *call, int rc, const struct broker_change *change)
{
    if (rc == ENOBUFS)
        return api_fail(call, rc, "the tube \"%s\" is full; raise its limit or move fewer jobs",
                        change->to);
    return rc;
}

static int bulk_one(struct api_call *call, uint64_t id, const struct broker_change *change,
                    struct out result)
{
    struct broker *broker = call->api->links.broker;
    enum job_state state = JOB_NEW;
    int rc = broker_apply_job(broker, call->asker, id, change, &state, &call->ticket);
    if (rc == ENOENT && api_had(call, id))
        return api_fail(call, rc, "job %" PRIu64 " is finished and gone", id);
    if (rc == ENOENT)
        return api_fail(call, rc, "there is no job %" PRIu64 ", and there never was", id);
    if (rc == EBUSY)
        return api_fail(call, rc, "job %" PRIu64 " is %s; %s", id, job_state_word(state),
                        bulk_rule(change->counts, state));
    if (rc != 0)
        return bulk_failed(call, rc, change);
    out_u64(result, "count", 1);
    return 0;
}

/* A page, or what is missing of it after the journal was busy. EAGAIN: it is, and call->page has
 * what was done. */
static int bulk_page(struct api_call *call, const struct broker_filter *filter,
                     struct broker_page *page, const struct broker_change *change)
{
    const struct broker_page before = call->page;
    if (call->gives_up) {
        *page = before;
        return 0;
    }
    if (before.next != 0) {
        page->from = before.next;
        page->until = before.until;
        page->limit -= before.found;
    }
    int rc = broker_apply(call->api->links.broker, call->asker, filter, page, change);
    call->looked_at += page->examined;
    ticket_add(&call->ticket, &page->ticket);
    if (rc == EAGAIN && page->found > 0)
        call->room.until_ns = 0; /* it gets on: its patience begins anew */
    page->found += before.found;
    if (rc == EAGAIN)
        call->page = *page;
    return rc;
}

static int bulk_run(struct api_call *call, const cJSON *params, enum broker_action action,
                    struct out result)
{
    struct broker_filter filter;
    struct broker_page page;
    const struct broker_change change = {
        .action = params_bool(params, "dry_run") ? BROKER_DO_COUNT : action,
        .counts = action,
        .to = params_tube(params, "to"),
        .reason = action == BROKER_DO_CANCEL ? "cancelled by request" : "buried by hand",
        .reset = params_bool(params, "reset")};
    filter_read(params, &filter, &page);
    if (params_given(params, "id") && filter_given(params))
        return api_fail(call, EINVAL,
                        "there is an \"id\" and a filter; give the id of one job, or the "
                        "conditions for many");
    if (params_given(params, "id"))
        return bulk_one(call, params_id(params, "id"), &change, result);
    if (!filter_given(params))
        return api_fail(call, EINVAL,
                        "neither an \"id\" nor a condition; choose jobs with \"tube\", \"state\", "
                        "\"older\" or \"younger\"");
    if (page.limit > BULK_PAGE_MAX)
        page.limit = BULK_PAGE_MAX;
    int rc = bulk_page(call, &filter, &page, &change);
    if (rc == EAGAIN)
        return rc;
    if (rc != 0)
        return bulk_failed(call, rc, &change);
    out_u64(result, "count", page.found);
    out_page(call, result, &page);
    return 0;
}

int run_kick(struct api_call *call, const cJSON *params, struct out result)
{
    return bulk_run(call, params, BROKER_DO_KICK, result);
}

int run_cancel(struct api_call *call, const cJSON *params, struct out result)
{
    return bulk_run(call, params, BROKER_DO_CANCEL, result);
}

int run_bury(struct api_call *call, const cJSON *params, struct out result)
{
    return bulk_run(call, params, BROKER_DO_BURY, result);
}

int run_delete(struct api_call *call, const cJSON *params, struct out result)
{
    return bulk_run(call, params, BROKER_DO_DELETE, result);
}

int run_move(struct api_call *call, const cJSON *params, struct out result)
{
    return bulk_run(call, params, BROKER_DO_MOVE, result);
}

int run_clear(struct api_call *call, const cJSON *params, struct out result)
{
    return bulk_run(call, params, BROKER_DO_DELETE, result);
}
