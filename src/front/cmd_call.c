// SPDX-License-Identifier: MIT
/*
 * call <method> <bytes> CR LF <json> CR LF: the door to the admin API (api.h). Answers with
 * OK <bytes> CR LF <json> CR LF, or ERROR and an object with code and message.
 *
 * An answer may come later (pending.c). One that is made as it is read (api_answer_size) is a task,
 * which has the call then.
 */
#include "front/front_priv.h"
#include "front/incoming_priv.h"
#include "front/pending_priv.h"
#include "front/put_priv.h"
#include "front/reply_priv.h"
#include "front/task_priv.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CALL_MAGIC 0xca110005u
#define METHOD_MAX 64
#define CALL_COST 32 /* small commands; the answer costs beside that */
#define CALL_COST_BYTES 32
#define LOOKED_PER_COST 4 /* jobs that were looked at cost as much as a small command */
#define ROW_COST 32
#define PART_COST 8

struct pending_call {
    unsigned magic;
    struct api_call api;
    struct pending pending;
    struct task task;            /* of an answer in parts */
    bool sized;                  /* its head was written */
    size_t looked_at, rows_made; /* that were charged */
    char method[METHOD_MAX];
    size_t method_len;
    size_t len;
    char json[]; /* the parameters */
};

int parse_call(struct scan *scan, struct command_args *args)
{
    if (scan_word(scan, &args->name, &args->name_len) != 0 || args->name_len > METHOD_MAX ||
        scan->at == scan->end || *scan->at != ' ' || scan_u32(scan, &args->bytes) != 0)
        return EINVAL;
    return scan_ended(scan) ? 0 : EINVAL;
}

static void call_free(struct pending_call **pointer)
{
    struct pending_call *call;
    MAGIC_TAKE(call, pointer, CALL_MAGIC);
    MAGIC_WIPE(call);
    free(call);
}

/* ---- an answer in parts ---- */

static struct pending_call *call_of(struct task *task)
{
    struct pending_call *call = CONTAINER_OF(task, struct pending_call, task);
    MAGIC_CHECK(call, CALL_MAGIC);
    return call;
}

/* For what was looked at and made since it was asked last. */
static void call_charge(struct session *session, struct pending_call *call)
{
    const struct api_call *api = &call->api;
    conn_charge(session->conn, (api->looked_at - call->looked_at) / LOOKED_PER_COST +
                                   (api->rows_made - call->rows_made) * ROW_COST);
    call->looked_at = api->looked_at;
    call->rows_made = api->rows_made;
}

/* 0: that was all. EINPROGRESS. Others: the rest can't be had. */
static int part_write(struct session *session, struct pending_call *call)
{
    size_t size;
    if (!call->sized) {
        int rc = api_answer_size(&call->api, &size);
        call_charge(session, call);
        if (rc == 0 && call->api.rows == NULL)
            reply_text(session, "OK", &call->api.answer);
        if (rc != 0 || call->api.rows == NULL)
            return rc;
        call->sized = true;
        reply_number(session, "OK", size);
        return EINPROGRESS;
    }
    struct buf part = BUF_EMPTY;
    int rc = api_answer_next(&call->api, &part);
    conn_write(session->conn, part.data, part.len);
    conn_charge(session->conn, part.len / CALL_COST_BYTES);
    buf_fini(&part);
    return rc;
}

static bool parts_step(struct session *session, struct task *task)
{
    struct pending_call *call = call_of(task);
    int rc;
    do {
        rc = part_write(session, call);
        conn_charge(session->conn, PART_COST);
    } while (rc == EINPROGRESS && conn_has_turn(session->conn));
    if (rc == EINPROGRESS)
        return true;
    if (rc == 0 && call->sized)
        reply_word(session, "\r\n");
    else if (rc == 0)
        return false; /* it came as a whole */
    else if (call->sized)
        conn_finish(session->conn); /* half an answer can only be cut off */
    else
        reply_word(session, "OUT_OF_MEMORY\r\n");
    return false;
}

static void parts_release(struct task *task)
{
    struct pending_call *call = call_of(task);
    api_call_fini(&call->api);
    call_free(&call);
}

static const struct task_kind parts_kind = {.step = parts_step, .release = parts_release};

static void call_release(struct pending *pending)
{
    struct pending_call *call = CONTAINER_OF(pending, struct pending_call, pending);
    MAGIC_CHECK(call, CALL_MAGIC);
    api_call_fini(&call->api);
    call_free(&call);
}

/* Answers with what the call has, and frees it. */
static void call_reply(struct session *session, struct pending_call *call)
{
    struct api_call *api = &call->api;
    session_tells(session, &api->ticket);
    session_tells(session, &api->waiter.ticket);
    if (api->rows != NULL) {
        call->task.kind = &parts_kind;
        task_start(session, &call->task);
        return;
    }
    if (api->answer.len > 0)
        reply_text(session, api->error == 0 ? "OK" : "ERROR", &api->answer);
    else
        reply_word(session, "OUT_OF_MEMORY\r\n");
    call_release(&call->pending);
}

/* ---- later ---- */

/* Any thread. */
static void call_fire(struct later *later)
{
    pending_fire(&CONTAINER_OF(later, struct pending_call, api.later)->pending);
}

/* What waits for the journal has a patience of its own, and what waits for history comes. */
static bool call_endures(struct pending *pending, int why)
{
    const struct api_call *api = &CONTAINER_OF(pending, struct pending_call, pending)->api;
    return why == ECANCELED && (api->params != NULL || api->asks);
}

/* true: it waits once more. */
static bool call_goes_on(struct session *session, struct pending_call *call)
{
    pending_begin(session, &call->pending);
    int rc = api_call_finish(&call->api);
    call_charge(session, call);
    if (rc == EINPROGRESS)
        pending_wait(session, &call->pending, call->api.deadline_ns);
    else
        pending_drop(&call->pending);
    return rc == EINPROGRESS;
}

static void call_answer(struct session *session, struct pending *pending, int why)
{
    struct pending_call *call = CONTAINER_OF(pending, struct pending_call, pending);
    MAGIC_CHECK(call, CALL_MAGIC);
    if (why == 0 && call_goes_on(session, call))
        return;
    if (why == ETIMEDOUT)
        api_call_late(&call->api);
    else if (why != 0)
        api_call_refuse(&call->api, why,
                        "the connection's other side was closed while this was waited for");
    call_reply(session, call);
}

/* ---- now ---- */

static void call_body_arrived(struct session *session)
{
    struct pending_call *call = session->call;
    session->call = NULL;
    call->api.later.fire = call_fire;
    call->api.asker = &session->view;
    call->pending = (struct pending){.later = &call->api.later,
                                     .answer = call_answer,
                                     .endures = call_endures,
                                     .release = call_release};
    pending_begin(session, &call->pending);
    conn_charge(session->conn, CALL_COST + call->len / CALL_COST_BYTES);
    int rc = api_call_start(&call->api, session->front->api, call->method, call->method_len,
                            call->json, call->len);
    call_charge(session, call);
    if (rc == EINPROGRESS) {
        pending_wait(session, &call->pending, call->api.deadline_ns);
        return;
    }
    pending_drop(&call->pending);
    call_reply(session, call);
}

static void call_too_big(struct session *session)
{
    struct pending_call *call = session->call;
    session->call = NULL;
    api_call_refuse(&call->api, EMSGSIZE,
                    "the parameters of a call may have 1048576 bytes at most");
    call_reply(session, call);
}

static char *call_grow(struct session *session, size_t size)
{
    MAGIC_CHECK(session->call, CALL_MAGIC);
    struct pending_call *grown = realloc(session->call, sizeof(*grown) + size);
    if (grown == NULL)
        return NULL;
    session->call = grown;
    return grown->json;
}

void do_call(struct session *session, const struct command_args *args)
{
    bool too_big = args->bytes > FRONT_CALL_SIZE_MAX;
    size_t first = too_big ? 0 : incoming_first(session, args->bytes);
    struct pending_call *call = calloc(1, sizeof(*call) + first);
    if (call == NULL) {
        session_refuse_body(session, args->bytes, "OUT_OF_MEMORY\r\n");
        return;
    }
    MAGIC_INIT(call, CALL_MAGIC);
    session->call = call;
    memcpy(call->method, args->name, args->name_len);
    call->method_len = args->name_len;
    call->len = args->bytes;
    if (too_big)
        session_skip_body(session, args->bytes, call_too_big);
    else
        incoming_begin(session, call->json, first, args->bytes, call_grow, call_body_arrived);
}

void call_abandon(struct session *session)
{
    if (session->call != NULL)
        call_free(&session->call);
}
