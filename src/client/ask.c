// SPDX-License-Identifier: MIT
/*
 * The plain functions: one request, one answer; the pipelined sends; and put_many, which is a
 * window moved over an array.
 *
 * The plain ones need an empty pipeline (EBUSY otherwise): their answer would come behind others
 * that only the caller can take. What they give up waiting for is abandoned, see client.c. put_many
 * sends until the window is full, then takes one answer and goes on: answers come in bursts, so in
 * practice it writes hundreds of jobs at a time.
 */

#include "client/client_priv.h"

#include "base/clock.h"

#include <errno.h>
#include <string.h>

int ask_begin(struct hl_client *client)
{
    int rc = client_begin(client);
    if (rc != 0)
        return rc;
    if (client->pending_len > client->skip)
        return client_fail(client, EBUSY, "%zu answers were not received yet",
                           client->pending_len - client->skip);
    return 0;
}

int ask_answer(struct hl_client *client, struct reply *reply, int64_t deadline_ns)
{
    int rc = client_next(client, reply, deadline_ns);
    if (rc != 0)
        client_abandon(client);
    return rc != 0 ? rc : client_settle(client, reply);
}

static int ask_use(struct hl_client *client, const char *tube, int64_t deadline_ns)
{
    if (!hl_client_tube_valid(tube))
        return client_fail(client, EINVAL,
                           "that is no name for a tube: it has 1 to %d characters of A-Z a-z 0-9 "
                           "- + / ; . $ _ ( ) and does not begin with -",
                           HL_CLIENT_TUBE_MAX);
    if (strcmp(client->tube, tube) == 0)
        return 0;
    struct reply reply = {0};
    int rc = request_use(client, tube);
    if (rc == 0)
        rc = ask_answer(client, &reply, deadline_ns);
    if (rc == 0 && strcmp(client->tube, tube) != 0)
        rc =
            client_break(client, EPROTO, "the daemon at %s was asked for one tube and uses another",
                         client->address.data);
    return rc;
}

int hl_client_use(hl_client *client, const char *tube, int64_t timeout_ns)
{
    int rc = ask_begin(client);
    return rc != 0 ? rc : ask_use(client, tube, clock_deadline(timeout_ns));
}

int hl_client_put(hl_client *client, const struct hl_client_put *put, int64_t timeout_ns,
                  uint64_t *id)
{
    int64_t deadline_ns = clock_deadline(timeout_ns);
    struct reply reply = {0};
    int rc = ask_begin(client);
    if (rc == 0)
        rc = ask_use(client, put->tube ? put->tube : "default", deadline_ns);
    if (rc == 0)
        rc = request_put(client, put);
    if (rc == 0)
        rc = ask_answer(client, &reply, deadline_ns);
    if (rc == 0)
        *id = reply.id;
    return rc;
}

int hl_client_call(hl_client *client, const char *method, const char *json, int64_t timeout_ns,
                   const char **text, size_t *len)
{
    int64_t deadline_ns = clock_deadline(timeout_ns);
    struct reply reply = {0};
    int rc = ask_begin(client);
    if (rc == 0)
        rc = request_call(client, method, json);
    if (rc == 0)
        rc = ask_answer(client, &reply, deadline_ns);
    if (rc == 0) {
        *text = reply.text;
        *len = reply.text_len;
    }
    return rc;
}

int hl_client_peek(hl_client *client, uint64_t id, int64_t timeout_ns, const char **body,
                   size_t *len)
{
    int64_t deadline_ns = clock_deadline(timeout_ns);
    struct reply reply = {0};
    int rc = ask_begin(client);
    if (rc == 0)
        rc = request_peek(client, id);
    if (rc == 0)
        rc = ask_answer(client, &reply, deadline_ns);
    if (rc == 0 && reply.id != id)
        rc = client_break(client, EPROTO, "the daemon at %s was asked for one job and sent another",
                          client->address.data);
    if (rc == 0) {
        *body = reply.text;
        *len = reply.text_len;
    }
    return rc;
}

/* ---- pipelined ---- */

int hl_client_send_put(hl_client *client, const struct hl_client_put *put)
{
    int rc = client_begin(client);
    if (rc != 0)
        return rc;
    if (put->tube && strcmp(put->tube, client->tube) != 0)
        return client_fail(client, EINVAL, "the tube of a pipelined put must be the used one");
    if (client->tube[0] == '\0')
        return client_fail(client, EINVAL, "no tube is chosen: the last choice was not answered");
    return request_put(client, put);
}

int hl_client_send_call(hl_client *client, const char *method, const char *json)
{
    int rc = client_begin(client);
    return rc != 0 ? rc : request_call(client, method, json);
}

/* ---- put_many ---- */

/* The first refusal of many, which is what the caller is told at the end. */
struct refusal {
    int err;
    char code[CLIENT_CODE_MAX];
    struct buf message;
};

static void refusal_note(struct refusal *first, const struct hl_client *client, int err)
{
    if (first->err != 0)
        return;
    first->err = err;
    memcpy(first->code, client->code, sizeof(first->code));
    (void)buf_append_str(&first->message, hl_client_error(client));
}

/* Puts puts[from] to puts[to - 1], all of one tube, which is used already. */
static int many_run(struct hl_client *client, const struct hl_client_put *puts, size_t from,
                    size_t to, int64_t deadline_ns, uint64_t *ids, struct refusal *first)
{
    size_t sent = from, answered = from;
    while (answered < to) {
        int rc = 0;
        while (rc == 0 && sent < to && sent - answered < CLIENT_WINDOW_PUTS &&
               client->pending_len < HL_CLIENT_PENDING_MAX &&
               hl_client_unsent(client) < CLIENT_WINDOW_BYTES) {
            rc = request_put(client, &puts[sent]);
            sent += rc == 0;
        }
        if (rc != 0 && sent == answered)
            return rc;
        struct reply reply = {0};
        rc = client_next(client, &reply, deadline_ns);
        if (rc != 0)
            return rc;
        rc = client_settle(client, &reply);
        if (client->broken)
            return rc;
        if (rc == 0)
            ids[answered] = reply.id;
        else
            refusal_note(first, client, rc);
        answered++;
    }
    return 0;
}

static const char *put_tube(const struct hl_client_put *put)
{
    return put->tube ? put->tube : "default";
}

/* Nothing is sent if one of them can't be. */
static int many_check(struct hl_client *client, const struct hl_client_put *puts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int rc = request_check_put(client, &puts[i]);
        if (rc == 0 && !hl_client_tube_valid(put_tube(&puts[i])))
            rc = client_fail(client, EINVAL, "job %zu of %zu: that is no name for a tube", i + 1,
                             count);
        if (rc != 0)
            return rc;
    }
    return 0;
}

int hl_client_put_many(hl_client *client, const struct hl_client_put *puts, size_t count,
                       int64_t timeout_ns, uint64_t *ids)
{
    int64_t deadline_ns = clock_deadline(timeout_ns);
    int rc = ask_begin(client);
    if (rc == 0)
        rc = many_check(client, puts, count);
    if (rc != 0)
        return rc;
    memset(ids, 0, count * sizeof(*ids));
    struct refusal first = {.message = BUF_EMPTY};
    for (size_t from = 0, to; rc == 0 && from < count; from = to) {
        for (to = from + 1; to < count && strcmp(put_tube(&puts[to]), put_tube(&puts[from])) == 0;)
            to++;
        rc = ask_use(client, put_tube(&puts[from]), deadline_ns);
        if (rc == 0)
            rc = many_run(client, puts, from, to, deadline_ns, ids, &first);
    }
    if (rc != 0)
        client_abandon(client);
    else if (first.err != 0)
        rc = client_refused(client, first.err, first.code,
                            first.message.data ? first.message.data : "");
    buf_fini(&first.message);
    return rc;
}
