// SPDX-License-Identifier: MIT
/*
 * What is known of one job: what the broker has of it, and how it ended.
 *
 * A job is looked for in the broker first and in history second: the broker lets go of a finished
 * job only when history has its record, so in this order nothing falls between the two. A job that
 * failed is in both: buried in the broker, with its result in history. Of one that is on its way
 * again the record is about its last life, and isn't asked for.
 *
 * History may have to read its file. Then the call waits, with what the broker has told kept, and
 * is finished when the answer is there.
 */
#include "api/api_priv.h"
#include "api/sight_priv.h"

#include <errno.h>
#include <stdlib.h>

#define SIGHT_MAGIC 0xa7100f05u

/* ---- asking ---- */

static bool question_cancel(struct later *later)
{
    return later_cancel(&api_call_of(later)->question.later) && later_leave(later);
}

static void question_fired(struct later *later)
{
    struct api_call *call = CONTAINER_OF(later, struct api_call, question.later);
    MAGIC_CHECK(call, API_CALL_MAGIC);
    later_tell(&call->later, 0);
}

int api_ask(struct api_call *call)
{
    bool (*cancel)(struct later * later) = call->later.cancel;
    int64_t deadline_ns = call->deadline_ns;
    call->question.later = (struct later){.fire = question_fired};
    call->later.cancel = question_cancel;
    call->deadline_ns = CLOCK_NEVER;
    call->asks = true;
    int rc = history_ask(call->api->links.history, &call->question);
    if (rc == EINPROGRESS)
        return rc;
    call->later.cancel = cancel;
    call->deadline_ns = deadline_ns;
    call->asks = false;
    return rc;
}

int api_asked(struct api_call *call)
{
    call->asks = false;
    return call->question.later.result;
}

/* ---- a job ---- */

static void sight_free(struct api_sight **sight)
{
    if (*sight == NULL)
        return;
    struct api_sight *mine;
    MAGIC_TAKE(mine, sight, SIGHT_MAGIC);
    job_record_unref(&mine->record);
    MAGIC_WIPE(mine);
    free(mine);
}

void sight_drop(struct api_call *call)
{
    struct history_question *question = &call->question;
    if (question->asks == HISTORY_ASK_RECORD)
        job_record_unref(&question->record.record);
    while (question->asks == HISTORY_ASK_PAGE && question->page.count > 0)
        job_record_unref(&question->page.records[--question->page.count]);
    sight_free(&call->sight);
}

/* Of a job that has no record: what the call was told that waited for it, or what is known of one
 * that ended a moment ago. */
static struct job_record *record_of_end(const struct api_call *call, uint64_t id)
{
    struct job_record *record = NULL;
    struct job_end *told = call->waiter.end;
    struct job_end *end = told != NULL && told->view.id == id
                              ? job_end_ref(told)
                              : broker_last_end(call->api->links.broker, id);
    if (end == NULL)
        return NULL;
    int rc = job_end_record(end, &record);
    job_end_unref(&end);
    return rc == 0 ? record : NULL;
}

/* That is what history says. */
static int record_take(struct api_call *call, int rc)
{
    struct job_record **record = &call->sight->record;
    *record =
        rc == 0 ? call->question.record.record : record_of_end(call, call->question.record.id);
    call->question.record.record = NULL;
    if (*record != NULL && !api_may_record(call, *record, TRUST_see))
        job_record_unref(record);
    return 0;
}

int sight_take(struct api_call *call, uint64_t id)
{
    if (call->asks)
        return record_take(call, api_asked(call));
    sight_free(&call->sight);
    struct api_sight *sight = calloc(1, sizeof(*sight));
    if (sight == NULL)
        return ENOMEM;
    MAGIC_INIT(sight, SIGHT_MAGIC);
    call->sight = sight;
    sight->here = broker_peek(call->api->links.broker, call->asker, id, &sight->view, NULL) == 0;
    if (sight->here && sight->view.state != JOB_BURIED)
        return 0;
    call->question = (struct history_question){.asks = HISTORY_ASK_RECORD, .record = {.id = id}};
    int rc = api_ask(call);
    return rc == EINPROGRESS ? rc : record_take(call, rc);
}
