// SPDX-License-Identifier: MIT
/*
 * The client object: its life, its errors, and the pipeline of requests on the way.
 *
 * The protocol answers in the order of asking and doesn't name the question, so the client keeps
 * the kinds of all requests on the way in a ring. An answer is read as the answer to the first of
 * them. A wait that was given up doesn't break this order: its request stays in the ring and counts
 * into `skip`; its answer is read and dropped before the next one that somebody waits for.
 *
 * A broken connection is closed at once and remembered in `broken` with its message, so that
 * whoever asks again is told why and not just that there is none.
 */

#include "client/client_priv.h"

#include "base/clock.h"
#include "base/errtab.h"
#include "base/text.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How much of an answer that isn't one is shown. */
#define CLIENT_QUOTE_MAX 40

int hl_client_new(hl_client **out)
{
    struct hl_client *client = calloc(1, sizeof(*client));
    if (!client)
        return ENOMEM;
    MAGIC_INIT(client, CLIENT_MAGIC);
    client->fd = -1;
    client->interrupt_fd = -1;
    buf_init(&client->address);
    buf_init(&client->error);
    buf_init(&client->out);
    buf_init(&client->in);
    *out = client;
    return 0;
}

void hl_client_free(hl_client **client_ptr)
{
    if (!*client_ptr)
        return;
    struct hl_client *client;
    MAGIC_TAKE(client, client_ptr, CLIENT_MAGIC);
    hl_client_close(client);
    buf_fini(&client->address);
    buf_fini(&client->error);
    buf_fini(&client->out);
    buf_fini(&client->in);
    MAGIC_WIPE(client);
    free(client);
}

/* Everything but the error. */
static void client_reset(struct hl_client *client)
{
    if (client->fd >= 0)
        close(client->fd);
    client->fd = -1;
    client->send_broken = false;
    buf_fini(&client->out);
    buf_fini(&client->in);
    client->out_at = client->in_at = 0;
    client->pending_first = client->pending_len = client->skip = client->uses = 0;
    client->tube[0] = '\0';
}

void hl_client_close(hl_client *client)
{
    MAGIC_CHECK(client, CLIENT_MAGIC);
    client_reset(client);
    client->broken = 0;
    client->code[0] = '\0';
    buf_clear(&client->error);
}

bool hl_client_is_connected(const hl_client *client)
{
    MAGIC_CHECK(client, CLIENT_MAGIC);
    return client->fd >= 0;
}

void hl_client_set_interrupt(hl_client *client, int fd)
{
    MAGIC_CHECK(client, CLIENT_MAGIC);
    client->interrupt_fd = fd;
}

/* ---- errors ---- */

const char *hl_client_error(const hl_client *client)
{
    MAGIC_CHECK(client, CLIENT_MAGIC);
    return client->error.data && client->error.len > 0 ? client->error.data : "";
}

const char *hl_client_error_code(const hl_client *client)
{
    MAGIC_CHECK(client, CLIENT_MAGIC);
    return client->code;
}

int client_begin(struct hl_client *client)
{
    MAGIC_CHECK(client, CLIENT_MAGIC);
    if (client->broken)
        return client->broken;
    buf_clear(&client->error);
    client->code[0] = '\0';
    if (client->fd < 0)
        return client_fail(client, ENOTCONN, "not connected to a daemon");
    return 0;
}

int client_fail(struct hl_client *client, int err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_clear(&client->error);
    client->code[0] = '\0';
    /* Without memory for the message the errno value alone has to do. */
    (void)buf_vprintf(&client->error, format, args);
    va_end(args);
    return err;
}

int client_break(struct hl_client *client, int err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_clear(&client->error);
    client->code[0] = '\0';
    (void)buf_vprintf(&client->error, format, args);
    va_end(args);
    client_reset(client);
    client->broken = err;
    return err;
}

int client_refused(struct hl_client *client, int err, const char *code, const char *message)
{
    buf_clear(&client->error);
    (void)text_show(&client->error, message, strlen(message), TEXT_LINE);
    size_t len = strnlen(code, CLIENT_CODE_MAX - 1);
    memcpy(client->code, code, len);
    client->code[len] = '\0';
    return err;
}

/* ---- the pipeline ---- */

int client_reserve(struct hl_client *client, size_t len)
{
    if (client->pending_len == HL_CLIENT_PENDING_MAX)
        return client_fail(client, ENOBUFS, "%d requests wait for their answers already",
                           HL_CLIENT_PENDING_MAX);
    if (buf_reserve(&client->out, len) != 0)
        return client_fail(client, ENOMEM, "not enough memory for a request of %zu bytes", len);
    return 0;
}

void client_pend(struct hl_client *client, enum request_kind kind)
{
    ASSERT(client->pending_len < HL_CLIENT_PENDING_MAX);
    size_t last = (client->pending_first + client->pending_len) % HL_CLIENT_PENDING_MAX;
    client->pending[last] = (uint16_t)kind;
    client->pending_len++;
    if (kind == REQUEST_USE) {
        client->uses++;
        client->tube[0] = '\0';
    }
    if (client->out.len - client->out_at >= CLIENT_SEND_BATCH)
        stream_send(client);
}

void client_abandon(struct hl_client *client)
{
    client->skip = client->pending_len;
}

/* The connection's tube is known only when no other `use` is behind this one. */
static void client_used(struct hl_client *client, const struct reply *reply)
{
    client->uses--;
    client->tube[0] = '\0';
    if (client->uses == 0 && reply->err == 0 && reply->text_len <= HL_CLIENT_TUBE_MAX) {
        memcpy(client->tube, reply->text, reply->text_len);
        client->tube[reply->text_len] = '\0';
    }
}

static int client_garbled(struct hl_client *client, const char *why)
{
    size_t len = client->in.len - client->in_at;
    struct buf quote = BUF_EMPTY;
    (void)text_show(&quote, client->in.data + client->in_at,
                    len < CLIENT_QUOTE_MAX ? len : CLIENT_QUOTE_MAX, TEXT_LINE);
    int rc = client_break(client, EPROTO,
                          "the server at %s does not speak hilera's protocol: %s (\"%s%s\")",
                          client->address.data, why, quote.data ? quote.data : "",
                          len > CLIENT_QUOTE_MAX ? "..." : "");
    buf_fini(&quote);
    return rc;
}

/* The answer to the first request on the way, and the request is off the ring. */
static int client_pop(struct hl_client *client, struct reply *reply, int64_t deadline_ns)
{
    enum request_kind kind = client->pending[client->pending_first];
    const char *why;
    int rc;
    while ((rc = reply_read(client->in.data + client->in_at, client->in.len - client->in_at, kind,
                            reply, &why)) != 0) {
        if (rc == EPROTO)
            return client_garbled(client, why);
        rc = stream_receive(client, deadline_ns);
        if (rc != 0)
            return rc;
    }
    client->pending_first = (client->pending_first + 1) % HL_CLIENT_PENDING_MAX;
    client->pending_len--;
    client->in_at += reply->len;
    if (kind == REQUEST_USE)
        client_used(client, reply);
    if (reply->fatal)
        return client_break(client, reply->err, "%s answered %s: %s", client->address.data,
                            reply->word, reply->say);
    return 0;
}

int client_next(struct hl_client *client, struct reply *reply, int64_t deadline_ns)
{
    int rc = 0;
    for (; rc == 0 && client->skip > 0; client->skip -= rc == 0)
        rc = client_pop(client, reply, deadline_ns);
    if (rc == 0)
        rc = client_pop(client, reply, deadline_ns);
    if (rc == ETIMEDOUT && !client->broken)
        return client_fail(client, rc, "the daemon at %s has not answered in time",
                           client->address.data);
    if (rc == EINTR)
        return client_fail(client, rc, "interrupted while waiting for the daemon at %s",
                           client->address.data);
    if (rc == 0 && reply->text)
        client->in.data[reply->text + reply->text_len - client->in.data] = '\0';
    return rc;
}

int client_settle(struct hl_client *client, const struct reply *reply)
{
    if (!reply->refusal)
        return reply->err == 0
                   ? 0
                   : client_refused(client, reply->err, error_code(reply->err), reply->say);
    char code[CLIENT_CODE_MAX];
    struct buf message = BUF_EMPTY;
    int rc = refusal_read(reply->text, reply->text_len, code, &message);
    if (rc == 0) {
        int err = error_from_code(code);
        rc = client_refused(client, err != 0 ? err : ENOTRECOVERABLE, code, message.data);
    } else if (rc == EPROTO) {
        rc = client_break(client, EPROTO,
                          "the server at %s refused without a code and a message that hilera "
                          "can read",
                          client->address.data);
    } else {
        rc = client_fail(client, rc, "not enough memory for the daemon's answer");
    }
    buf_fini(&message);
    return rc;
}

int hl_client_receive(hl_client *client, struct hl_client_reply *reply, int64_t timeout_ns)
{
    int rc = client_begin(client);
    if (rc != 0)
        return rc;
    if (client->pending_len == client->skip)
        return client_fail(client, ENODATA, "no request waits for an answer");
    struct reply got = {0};
    rc = client_next(client, &got, clock_deadline(timeout_ns));
    if (rc != 0)
        return rc;
    rc = client_settle(client, &got);
    if (client->broken)
        return rc;
    *reply = (struct hl_client_reply){.result = rc, .id = got.id};
    if (rc == 0 && got.text) {
        reply->text = got.text;
        reply->len = got.text_len;
    }
    return 0;
}

size_t hl_client_pending(const hl_client *client)
{
    MAGIC_CHECK(client, CLIENT_MAGIC);
    return client->pending_len - client->skip;
}

size_t hl_client_unsent(const hl_client *client)
{
    MAGIC_CHECK(client, CLIENT_MAGIC);
    return client->out.len - client->out_at;
}

int hl_client_fd(const hl_client *client)
{
    MAGIC_CHECK(client, CLIENT_MAGIC);
    return client->fd;
}

short hl_client_events(const hl_client *client)
{
    MAGIC_CHECK(client, CLIENT_MAGIC);
    return client->out.len > client->out_at ? POLLIN | POLLOUT : POLLIN;
}
