// SPDX-License-Identifier: MIT
/*
 * Calls: from a method's name and JSON text to an answer, now or later.
 *
 * A call is on its door's thread all the time; the one thing that happens elsewhere is that what it
 * waits for fires, which does nothing but fire the call's own later. So a call has no lock: what it
 * waits for decides between that and a cancel, and the door's own hand-over between threads orders
 * everything else.
 *
 * The answer is one line of JSON text, taken from cJSON without a copy.
 *
 * To add a method: a row in methods.def, and run_NAME and params_NAME in the file of its family.
 */
#include "api/api_priv.h"
#include "api/rows_priv.h"
#include "api/sight_priv.h"

#include "base/errtab.h"
#include "base/json.h"
#include "base/nearest.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct api_method methods[] = {
#define METHOD(method, finish_or_null, late_or_null, needs, where, text)                           \
    {.name = #method,                                                                              \
     .summary = (text),                                                                            \
     .right = (needs),                                                                             \
     .scope = API_SCOPE_##where,                                                                   \
     .params = params_##method,                                                                    \
     .run = run_##method,                                                                          \
     .finish = (finish_or_null),                                                                   \
     .late = (late_or_null)},
#include "api/methods.def"
#undef METHOD
};

static const size_t method_count = sizeof(methods) / sizeof(methods[0]);

const struct api_method *method_at(size_t index)
{
    return index < method_count ? &methods[index] : NULL;
}

int api_new(struct api **out, const struct api_links *links)
{
    struct api *api = calloc(1, sizeof(*api));
    if (api == NULL)
        return ENOMEM;
    MAGIC_INIT(api, API_MAGIC);
    api->links = *links;
    api->started_ns = clock_now_ns();
    *out = api;
    return 0;
}

void api_free(struct api **pointer)
{
    if (*pointer == NULL)
        return;
    struct api *api;
    MAGIC_TAKE(api, pointer, API_MAGIC);
    MAGIC_WIPE(api);
    free(api);
}

int api_admit(const struct api *api, const char *tube, const char *bytes, size_t len, char *why,
              size_t why_size)
{
    MAGIC_CHECK(api, API_MAGIC);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < api->links.pool_count; i++)
        rc = worker_pool_admit(api->links.pools[i], tube, bytes, len, why, why_size);
    return rc;
}

/* ---- answering ---- */

/* {"code":...,"message":...}; without memory the answer stays empty, which the door knows. */
static void answer_error(struct api_call *call, int error, const char *message)
{
    struct buf *answer = &call->answer;
    rows_end(call);
    buf_clear(answer);
    call->error = error;
    if (buf_append_str(answer, "{\"code\":\"") != 0 ||
        buf_append_str(answer, error_code(error)) != 0 ||
        buf_append_str(answer, "\",\"message\":") != 0 ||
        json_append_string(answer, message, strlen(message)) != 0 ||
        buf_append_char(answer, '}') != 0)
        buf_clear(answer);
}

/* Where nobody has found better words. */
static void answer_plain(struct api_call *call, int error)
{
    const char *room = api_no_room(error);
    answer_error(call, error, room != NULL ? room : error_text(error));
}

int api_fail(struct api_call *call, int error, const char *format, ...)
{
    char message[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    answer_error(call, error, message);
    return error;
}

/* Ends a run or a finish: prints the result, or leaves the error that was answered. */
static void answer_result(struct api_call *call, int rc, const cJSON *result)
{
    if (rc != 0) {
        if (call->answer.len == 0 && rc == EACCES)
            (void)api_refuse_job(call);
        else if (call->answer.len == 0)
            answer_plain(call, rc);
        return;
    }
    char *text = cJSON_PrintUnformatted(result);
    if (text == NULL) {
        answer_error(call, ENOMEM, error_text(ENOMEM));
        return;
    }
    size_t len = strlen(text);
    call->answer = (struct buf){.data = text, .len = len, .cap = len + 1};
    call->error = 0;
    rc = rows_start(call);
    if (rc != 0)
        answer_plain(call, rc);
}

/* ---- finding the method ---- */

/* `name` isn't terminated and may be any bytes; what is shown of it is escaped by JSON. */
static int unknown_method(struct api_call *call, const char *name, size_t len)
{
    char typed[NEAREST_MAX + 1];
    snprintf(typed, sizeof(typed), "%.*s", (int)(len < NEAREST_MAX ? len : NEAREST_MAX), name);
    struct nearest nearest;
    nearest_init(&nearest, typed);
    for (size_t i = 0; i < method_count; i++)
        nearest_offer(&nearest, methods[i].name);
    const char *best = nearest_best(&nearest);
    if (best != NULL)
        return api_fail(call, ENOSYS, "there is no method \"%s\"; did you mean \"%s\"?", typed,
                        best);
    return api_fail(call, ENOSYS, "there is no method \"%s\"; the method \"methods\" lists them",
                    typed);
}

static const struct api_method *method_find(const char *name, size_t len)
{
    for (size_t i = 0; i < method_count; i++)
        if (strlen(methods[i].name) == len && memcmp(methods[i].name, name, len) == 0)
            return &methods[i];
    return NULL;
}

/* ---- a call's life ---- */

struct api_call *api_call_of(struct later *later)
{
    struct api_call *call = CONTAINER_OF(later, struct api_call, later);
    MAGIC_CHECK(call, API_CALL_MAGIC);
    return call;
}

/* What most methods wait with. */
static bool waiter_cancel(struct later *later)
{
    return later_cancel(&api_call_of(later)->waiter.later) && later_leave(later);
}

static void waiter_fired(struct later *later)
{
    struct api_call *call = CONTAINER_OF(later, struct api_call, waiter.later);
    MAGIC_CHECK(call, API_CALL_MAGIC);
    later_tell(&call->later, 0);
}

static int call_parse(struct api_call *call, const char *json, size_t len, cJSON **given)
{
    if (len == 0) {
        json = "{}";
        len = 2;
    }
    size_t where = 0;
    int rc = jsonobj_parse(given, json, len, &where);
    if (rc == EINVAL)
        return api_fail(call, rc,
                        "the parameters are not JSON: error at byte %zu of %zu; an object such as "
                        "{\"id\":1} would be right",
                        where, len);
    if (rc != 0)
        return rc;
    if (!cJSON_IsObject(*given))
        return api_fail(
            call, EINVAL,
            "the parameters are JSON, but not an object; {} or {\"id\":1} would be right");
    return 0;
}

/* ---- a journal that is busy ---- */

static void room_fired(struct later *later)
{
    struct api_call *call = CONTAINER_OF(later, struct api_call, room.later);
    MAGIC_CHECK(call, API_CALL_MAGIC);
    later_tell(&call->later, 0);
}

static bool room_cancel(struct later *later)
{
    return later_cancel(&api_call_of(later)->room.later) && later_leave(later);
}

/* EINPROGRESS: it waits. 0: there is room. */
static int room_wait(struct api_call *call)
{
    if (call->later.state != LATER_WAITS)
        later_wait(&call->later, room_cancel);
    call->later.cancel = room_cancel;
    call->room.verb = BROKER_ROOM;
    call->room.flags = OP_STANDS;
    call->room.later.fire = room_fired;
    return broker_run(call->api->links.broker, &call->room);
}

/* ---- running ---- */

/* EINPROGRESS, EAGAIN: it isn't answered. */
static int run_once(struct api_call *call, const cJSON *params)
{
    int out_rc = 0;
    struct out result = {.object = cJSON_CreateObject(), .rc = &out_rc};
    int rc = result.object == NULL ? ENOMEM : call->method->run(call, params, result);
    if (rc == 0)
        rc = out_rc;
    if (rc != EINPROGRESS && rc != EAGAIN)
        answer_result(call, rc, result.object);
    cJSON_Delete(result.object);
    return rc == EINPROGRESS || rc == EAGAIN ? rc : 0;
}

/* What the journal has no room for just now is run again when it has. Keeps the parameters then;
 * EINPROGRESS. */
static int run(struct api_call *call, cJSON **params)
{
    int rc;
    while ((rc = run_once(call, *params)) == EAGAIN) {
        rc = room_wait(call);
        if (rc == EINPROGRESS) {
            call->params = *params;
            *params = NULL;
            return rc;
        }
        if (rc != 0) {
            answer_plain(call, rc);
            return 0;
        }
    }
    return rc;
}

static int run_again(struct api_call *call)
{
    int rc = call->room.later.result;
    cJSON *params = call->params;
    call->params = NULL;
    call->gives_up = rc != 0;
    if (rc != 0 && call->page.found == 0) {
        answer_plain(call, rc);
        rc = 0;
    } else
        rc = run(call, &params);
    cJSON_Delete(params);
    if (rc != EINPROGRESS)
        (void)later_leave(&call->later);
    return rc;
}

static int call_run(struct api_call *call, const char *json, size_t json_len)
{
    cJSON *given = NULL;
    int rc = call_parse(call, json, json_len, &given);
    if (rc == 0)
        rc = params_check(call, call->method->params, given);
    if (rc == 0 && params_given(given, "id"))
        call->id = params_id(given, "id");
    if (rc == 0)
        rc = api_may_run(call, given);
    if (rc == 0)
        rc = run(call, &given);
    else {
        answer_result(call, rc, NULL);
        rc = 0;
    }
    cJSON_Delete(given);
    return rc;
}

int api_call_start(struct api_call *call, struct api *api, const char *method, size_t method_len,
                   const char *json, size_t json_len)
{
    MAGIC_CHECK(api, API_MAGIC);
    ASSERT(call->asker != NULL);
    MAGIC_INIT(call, API_CALL_MAGIC);
    call->api = api;
    call->error = 0;
    call->answer = BUF_EMPTY;
    call->rows = NULL;
    call->looked_at = 0;
    call->rows_made = 0;
    call->deadline_ns = CLOCK_NEVER;
    call->timeout_ns = HL_FOREVER;
    call->listener = (struct broker_listener){.broker = NULL};
    call->waiter = (struct broker_waiter){.later.fire = waiter_fired};
    call->room = (struct broker_op){.verb = BROKER_ROOM};
    call->params = NULL;
    call->ticket = (struct ticket){0};
    call->gives_up = false;
    call->page = (struct broker_page){.found = 0};
    call->question = (struct history_question){.asks = HISTORY_ASK_RECORD};
    call->sight = NULL;
    call->asks = call->waits = false;
    later_wait(&call->later, waiter_cancel);
    call->method = method_find(method, method_len);
    int rc = 0;
    if (call->method == NULL)
        (void)unknown_method(call, method, method_len);
    else
        rc = call_run(call, json, json_len);
    if (rc != EINPROGRESS)
        (void)later_leave(&call->later);
    return rc;
}

int api_call_finish(struct api_call *call)
{
    MAGIC_CHECK(call, API_CALL_MAGIC);
    if (call->params != NULL)
        return run_again(call);
    int out_rc = 0;
    struct out result = {.object = cJSON_CreateObject(), .rc = &out_rc};
    later_wait(&call->later, waiter_cancel); /* it may have to wait once more */
    int rc = result.object == NULL ? ENOMEM : call->method->finish(call, result);
    if (rc != EINPROGRESS) {
        (void)later_leave(&call->later);
        answer_result(call, rc == 0 ? out_rc : rc, result.object);
    }
    cJSON_Delete(result.object);
    return rc == EINPROGRESS ? rc : 0;
}

void api_call_late(struct api_call *call)
{
    MAGIC_CHECK(call, API_CALL_MAGIC);
    char text[512];
    if (call->method->late == NULL) {
        api_call_finish(call);
        return;
    }
    call->method->late(call, text, sizeof(text));
    (void)api_fail(call, ETIMEDOUT, "%s", text);
}

void api_call_refuse(struct api_call *call, int error, const char *message)
{
    MAGIC_INIT(call, API_CALL_MAGIC);
    answer_error(call, error, message);
}

void api_call_fini(struct api_call *call)
{
    MAGIC_CHECK(call, API_CALL_MAGIC);
    sight_drop(call);
    rows_end(call);
    broker_unlisten(&call->listener);
    job_end_unref(&call->waiter.end);
    cJSON_Delete(call->params);
    buf_fini(&call->answer);
    MAGIC_WIPE(call);
}
