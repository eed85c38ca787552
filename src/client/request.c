// SPDX-License-Identifier: MIT
/*
 * The requests: what is refused on this side, and the bytes of what is not.
 *
 * A request is checked whole before its first byte is queued, and room is reserved for all of it,
 * so the stream never holds half of one. The checks are strict because the protocol is not: after a
 * put line that the daemon refuses it reads the body as commands.
 */

#include "client/client_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Leaves room in a line for the word and a length. */
#define REQUEST_METHOD_MAX 180
#define REQUEST_HEAD_MAX 4096 /* hilerad's limit */

bool hl_client_tube_valid(const char *tube)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789-+/;.$_()";
    size_t len = strnlen(tube, HL_CLIENT_TUBE_MAX + 1);
    return len > 0 && len <= HL_CLIENT_TUBE_MAX && tube[0] != '-' && strspn(tube, allowed) == len;
}

int request_seconds(struct hl_client *client, const char *what, int64_t ns, uint32_t least,
                    uint32_t *seconds)
{
    if (ns < 0)
        return client_fail(client, EINVAL, "the %s is negative", what);
    int64_t whole = ns / HL_SECOND + (ns % HL_SECOND > 0);
    if (whole > UINT32_MAX)
        return client_fail(client, ERANGE,
                           "the %s is longer than the protocol's %" PRIu32 " seconds", what,
                           UINT32_MAX);
    *seconds = whole < least ? least : (uint32_t)whole;
    return 0;
}

static int request_check_times(struct hl_client *client, const struct hl_client_put *put,
                               uint32_t *delay, uint32_t *ttr)
{
    if (put->len > HL_CLIENT_BODY_MAX)
        return client_fail(client, EMSGSIZE, "the body has %zu bytes; the protocol carries %zu",
                           put->len, HL_CLIENT_BODY_MAX);
    if (!put->body && put->len > 0)
        return client_fail(client, EINVAL, "a body of %zu bytes is missing", put->len);
    int rc = request_seconds(client, "delay", put->delay_ns, 0, delay);
    return rc != 0 ? rc : request_seconds(client, "ttr", put->ttr_ns, 1, ttr);
}

int request_check_put(struct hl_client *client, const struct hl_client_put *put)
{
    uint32_t delay, ttr;
    return request_check_times(client, put, &delay, &ttr);
}

/* The line, then the data if there is any, each with its end. There is room. */
static int request_queue(struct hl_client *client, enum request_kind kind, const char *line,
                         const void *data, size_t len)
{
    bool has_data = data != NULL;
    int rc = client_reserve(client, strlen(line) + (has_data ? len + 2 : 0));
    if (rc != 0)
        return rc;
    MUST(buf_append_str(&client->out, line));
    if (has_data) {
        MUST(buf_append(&client->out, data, len));
        MUST(buf_append(&client->out, "\r\n", 2));
    }
    client_pend(client, kind);
    return 0;
}

/* The head stands between the line and the body. */
static int request_submit(struct hl_client *client, const struct hl_client_put *put)
{
    char line[CLIENT_LINE_MAX];
    size_t head_len = strlen(put->head);
    if (head_len > REQUEST_HEAD_MAX)
        return client_fail(client, EINVAL, "the head has %zu bytes; at most %d are sent", head_len,
                           REQUEST_HEAD_MAX);
    int line_len = snprintf(line, sizeof(line), "submit %zu %zu\r\n", head_len, put->len);
    int rc = client_reserve(client, (size_t)line_len + head_len + put->len + 2);
    if (rc != 0)
        return rc;
    MUST(buf_append(&client->out, line, (size_t)line_len));
    MUST(buf_append(&client->out, put->head, head_len));
    if (put->len > 0)
        MUST(buf_append(&client->out, put->body, put->len));
    MUST(buf_append(&client->out, "\r\n", 2));
    client_pend(client, REQUEST_SUBMIT);
    return 0;
}

int request_put(struct hl_client *client, const struct hl_client_put *put)
{
    uint32_t delay, ttr;
    int rc = request_check_times(client, put, &delay, &ttr);
    if (rc != 0)
        return rc;
    if (put->head)
        return request_submit(client, put);
    /* By hand: printf would be most of what a small job costs on this side. */
    const uint64_t numbers[] = {put->priority, delay, ttr, put->len};
    struct buf *out = &client->out;
    rc = client_reserve(client, CLIENT_LINE_MAX + put->len + 2);
    if (rc != 0)
        return rc;
    MUST(buf_append(out, "put", 3));
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        MUST(buf_append(out, " ", 1));
        MUST(buf_append_u64(out, numbers[i]));
    }
    MUST(buf_append(out, "\r\n", 2));
    MUST(buf_append(out, put->len > 0 ? put->body : "", put->len));
    MUST(buf_append(out, "\r\n", 2));
    client_pend(client, REQUEST_PUT);
    return 0;
}

int request_use(struct hl_client *client, const char *tube)
{
    char line[CLIENT_LINE_MAX];
    snprintf(line, sizeof(line), "use %s\r\n", tube);
    return request_queue(client, REQUEST_USE, line, NULL, 0);
}

int request_call(struct hl_client *client, const char *method, const char *json)
{
    size_t name_len = strnlen(method, REQUEST_METHOD_MAX + 1);
    if (name_len == 0 || name_len > REQUEST_METHOD_MAX ||
        strspn(method, "abcdefghijklmnopqrstuvwxyz0123456789_.-") != name_len)
        return client_fail(client, EINVAL, "a method's name is 1 to %d characters of a-z 0-9 _ . -",
                           REQUEST_METHOD_MAX);
    if (!json)
        json = "{}";
    size_t len = strlen(json);
    if (len > HL_CLIENT_BODY_MAX)
        return client_fail(client, EMSGSIZE, "the parameters have %zu bytes; at most %zu are sent",
                           len, HL_CLIENT_BODY_MAX);
    char line[CLIENT_LINE_MAX];
    snprintf(line, sizeof(line), "call %s %zu\r\n", method, len);
    return request_queue(client, REQUEST_CALL, line, json, len);
}

int request_peek(struct hl_client *client, uint64_t id)
{
    char line[CLIENT_LINE_MAX];
    snprintf(line, sizeof(line), "peek %" PRIu64 "\r\n", id);
    return request_queue(client, REQUEST_PEEK, line, NULL, 0);
}

int request_line(struct hl_client *client, enum request_kind kind, const char *line)
{
    return request_queue(client, kind, line, NULL, 0);
}
