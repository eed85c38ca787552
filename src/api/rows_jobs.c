// SPDX-License-Identifier: MIT
/*
 * A page of `list`, a few jobs at a time.
 *
 * Nobody knows how long the texts of jobs are before they are written, and the size of an answer
 * stands before it. So the page is made as a whole, in the connection's turns, and then goes out. A
 * job takes some 7 microseconds, and several times as many with long options; a page of 500 made at
 * once would keep others waiting for 4 milliseconds and more. A short page is complete after its
 * first part, and is answered at once.
 *
 * Jobs may come, go and change between the parts, as they may between two pages. The rows are in
 * order of id, none twice, each as the job was at one moment. Finished jobs are asked for together,
 * which is one question to history, and one that it may have to read its file for; records don't
 * change, so only their texts are written a few at a time.
 */
#include "api/api_priv.h"
#include "api/filter_priv.h"
#include "api/result_priv.h"
#include "api/rows_priv.h"
#include "api/sight_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAST_PART BROKER_LIST_SOME

struct rows_jobs {
    struct api_rows rows;
    struct buf text; /* of the answer, as far as it is made */
    cJSON *params;   /* where the filter's texts are */
    struct api_call *call;
    struct trust_view asker; /* the call's: history asks, also when the call is about to go */
    struct broker_filter filter;
    struct broker_page page;
    int rc; /* of the visits */
    struct job_record *records[API_LIST_LIMIT_MAX];
    size_t at, count;
    uint64_t next;
};

static struct rows_jobs *jobs_of(struct api_rows *rows)
{
    return CONTAINER_OF(rows, struct rows_jobs, rows);
}

static void jobs_release(struct api_rows *rows)
{
    struct rows_jobs *jobs = jobs_of(rows);
    sight_drop(jobs->call); /* records that are in the array, too */
    while (jobs->at < jobs->count)
        job_record_unref(&jobs->records[jobs->at++]);
    cJSON_Delete(jobs->params);
    buf_fini(&jobs->text);
    free(jobs);
}

static const char page_begins[] = "{\"jobs\":[";

static int jobs_begin(struct api_call *call, const struct rows_kind *kind, struct rows_jobs **out)
{
    /* no magic: its first member has one */
    struct rows_jobs *jobs = calloc(1, sizeof(*jobs));
    if (jobs == NULL)
        return ENOMEM;
    rows_init(&jobs->rows, kind);
    jobs->text = BUF_EMPTY;
    jobs->call = call;
    call->rows = &jobs->rows;
    *out = jobs;
    return buf_append_str(&jobs->text, page_begins);
}

/* ---- the text ---- */

/* Ends what began with row_begin, if that had memory. */
static int text_add(struct rows_jobs *jobs, struct out out, bool last)
{
    char *text = *out.rc == 0 ? cJSON_PrintUnformatted(out.object) : NULL;
    int rc = text != NULL ? 0 : ENOMEM;
    cJSON_Delete(out.object);
    if (rc == 0 && last)
        rc = buf_append_str(&jobs->text, "],");
    else if (rc == 0 && jobs->call->rows_made > 0)
        rc = buf_append_char(&jobs->text, ',');
    if (rc == 0)
        rc = buf_append_str(&jobs->text, last ? text + 1 : text); /* it goes on with an object */
    free(text);
    return rc;
}

static struct out row_begin(int *rc)
{
    struct out out = {.object = cJSON_CreateObject(), .rc = rc};
    *rc = out.object != NULL ? 0 : ENOMEM;
    return out;
}

static int row_add(struct rows_jobs *jobs, struct out row)
{
    int rc = text_add(jobs, row, false);
    jobs->call->rows_made++;
    return rc;
}

/* The last of the page: the answer is complete. */
static int page_end(struct api_call *call, struct rows_jobs *jobs, struct out tail)
{
    int rc = text_add(jobs, tail, true);
    if (rc != 0)
        return rc;
    buf_fini(&call->answer);
    call->answer = jobs->text;
    jobs->text = BUF_EMPTY;
    return 0;
}

/* ---- jobs ---- */

static void job_visit(const struct job_view *view, void *arg)
{
    struct rows_jobs *jobs = arg;
    int rc;
    if (jobs->rc != 0)
        return;
    struct out row = row_begin(&rc);
    if (rc == 0) {
        out_view(jobs->call, row, view);
        out_running(jobs->call, row, view);
    }
    jobs->rc = row_add(jobs, row);
}

static int present_size(struct api_call *call, struct api_rows *rows, size_t *size)
{
    struct rows_jobs *jobs = jobs_of(rows);
    (void)size;
    int rc = broker_list_next(call->api->links.broker, call->asker, &jobs->filter, &jobs->page,
                              job_visit, jobs);
    call->looked_at = jobs->page.examined;
    if (jobs->rc != 0)
        return jobs->rc;
    if (rc != 0)
        return rc;
    struct out tail = row_begin(&rc);
    if (rc == 0)
        out_page(call, tail, &jobs->page);
    return page_end(call, jobs, tail);
}

static const struct rows_kind present_kind = {
    .whole = true, .size = present_size, .release = jobs_release};

int rows_jobs_begin(struct api_call *call, const cJSON *params, size_t limit)
{
    struct rows_jobs *jobs;
    int rc = jobs_begin(call, &present_kind, &jobs);
    if (rc != 0)
        return rc;
    jobs->params = cJSON_Duplicate(params, true);
    if (jobs->params == NULL)
        return ENOMEM;
    filter_read(jobs->params, &jobs->filter, &jobs->page);
    jobs->page.limit = limit;
    broker_list_begin(call->api->links.broker, &jobs->page);
    return 0;
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

/* Any thread. */
static bool record_is_seen(const struct job_record *record, void *arg)
{
    const struct rows_jobs *jobs = arg;
    return view_may_record(&jobs->asker, record, TRUST_see);
}

static int record_add(struct rows_jobs *jobs, const struct job_record *record)
{
    int rc;
    struct out row = row_begin(&rc);
    if (rc == 0)
        out_row(row, record, api_may_record(jobs->call, record, TRUST_read));
    return row_add(jobs, row);
}

static int past_size(struct api_call *call, struct api_rows *rows, size_t *size)
{
    struct rows_jobs *jobs = jobs_of(rows);
    int rc = 0;
    (void)size;
    for (size_t i = 0; rc == 0 && i < PAST_PART && jobs->at < jobs->count; i++) {
        rc = record_add(jobs, jobs->records[jobs->at]);
        job_record_unref(&jobs->records[jobs->at++]);
    }
    if (rc == 0 && jobs->at < jobs->count)
        return EINPROGRESS;
    if (rc != 0)
        return rc;
    struct out tail = row_begin(&rc);
    if (jobs->next != 0)
        out_u64(tail, "next", jobs->next);
    else
        out_null(tail, "next");
    return page_end(call, jobs, tail);
}

static const struct rows_kind past_kind = {
    .whole = true, .size = past_size, .release = jobs_release};

int rows_past_asked(struct api_call *call, int rc)
{
    struct rows_jobs *jobs = jobs_of(call->rows);
    if (rc == EIO)
        return api_fail(call, EIO, "the file of results can't be read; the daemon's log says why");
    if (rc != 0)
        return rc;
    jobs->count = call->question.page.count;
    jobs->next = call->question.page.next;
    call->question.page.count = 0; /* they are the rows' now */
    return 0;
}

int rows_past_begin(struct api_call *call, const cJSON *params, size_t limit)
{
    struct rows_jobs *jobs;
    int rc = jobs_begin(call, &past_kind, &jobs);
    if (rc != 0)
        return rc;
    jobs->params = cJSON_Duplicate(params, true);
    if (jobs->params == NULL)
        return ENOMEM;
    struct history_query query = query_read(jobs->params);
    jobs->asker = *call->asker;
    query.may = record_is_seen;
    query.arg = jobs;
    call->looked_at = HISTORY_EXAMINED_MAX; /* at most, and a query at least */
    if (query.tube != NULL && !api_may_any(call, query.tube, TRUST_see | TRUST_see_own))
        return 0; /* as if there were no such tube, however many records it has */
    call->question = (struct history_question){
        .asks = HISTORY_ASK_PAGE, .page = {.query = query, .max = limit, .records = jobs->records}};
    rc = api_ask(call);
    return rc == EINPROGRESS ? rc : rows_past_asked(call, rc);
}
