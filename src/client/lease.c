// SPDX-License-Identifier: MIT
/*
 * The functions of a worker: which tubes, a job under a token, and what becomes of it.
 *
 * A lease belongs to whoever knows its token, on any connection, so all that ends one may be tried
 * again on a new connection when the old one broke; the answer ESTALE then also means that the
 * first try was carried out.
 */

#include "client/client_priv.h"

#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define RESERVE_SECONDS_MAX INT32_MAX

/* ---- tubes ---- */

static int watch_one(struct hl_client *client, const char *verb, const char *tube,
                     int64_t deadline_ns)
{
    char line[CLIENT_LINE_MAX];
    struct reply reply = {0};
    snprintf(line, sizeof(line), "%s %s\r\n", verb, tube);
    int rc = request_line(client, REQUEST_WATCH, line);
    return rc != 0 ? rc : ask_answer(client, &reply, deadline_ns);
}

int hl_client_watch(hl_client *client, const char *const *tubes, size_t count, int64_t timeout_ns)
{
    int64_t deadline_ns = clock_deadline(timeout_ns);
    bool keeps_default = false;
    int rc = ask_begin(client);
    if (rc == 0 && count == 0)
        rc = client_fail(client, EINVAL, "a worker needs at least one tube");
    for (size_t i = 0; rc == 0 && i < count; i++) {
        if (!hl_client_tube_valid(tubes[i]))
            return client_fail(client, EINVAL, "tube %zu of %zu: that is no name for a tube", i + 1,
                               count);
        keeps_default = keeps_default || strcmp(tubes[i], "default") == 0;
    }
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = watch_one(client, "watch", tubes[i], deadline_ns);
    if (rc == 0 && !keeps_default)
        rc = watch_one(client, "ignore", "default", deadline_ns);
    return rc;
}

/* ---- reserve ---- */

static void job_fill(struct hl_client_job *job, const struct reply *reply)
{
    *job = (struct hl_client_job){
        .id = reply->id, .token = reply->token, .body = reply->text, .len = reply->text_len};
}

int hl_client_reserve(hl_client *client, int64_t wait_ns, int64_t timeout_ns,
                      struct hl_client_job *job)
{
    char line[CLIENT_LINE_MAX];
    struct reply reply = {0};
    uint32_t seconds;
    int rc = ask_begin(client);
    if (rc != 0)
        return rc;
    if (wait_ns > RESERVE_SECONDS_MAX * HL_SECOND)
        wait_ns = RESERVE_SECONDS_MAX * HL_SECOND;
    rc = request_seconds(client, "wait", wait_ns, 0, &seconds);
    if (rc != 0)
        return rc;
    snprintf(line, sizeof(line), "reserve-token %" PRIu32 "\r\n", seconds);
    rc = request_line(client, REQUEST_RESERVE, line);
    if (rc != 0)
        return rc;
    /* Not abandoned when it is interrupted: there may be a job in the answer. */
    rc = client_next(client, &reply, clock_deadline(timeout_ns));
    if (rc == 0)
        rc = client_settle(client, &reply);
    if (rc == 0)
        job_fill(job, &reply);
    return rc;
}

int hl_client_reserve_end(hl_client *client, int64_t timeout_ns, struct hl_client_job *job)
{
    struct reply reply = {0};
    int rc = client_begin(client);
    if (rc != 0)
        return rc;
    if (client->pending_len - client->skip != 1 ||
        client->pending[client->pending_first] != REQUEST_RESERVE)
        return client_fail(client, EINVAL, "no reserve is under way");
    client->interrupt_fd = -1;
    (void)shutdown(client->fd, SHUT_WR);
    rc = client_next(client, &reply, clock_deadline(timeout_ns));
    if (rc == 0)
        rc = client_settle(client, &reply);
    if (rc == 0)
        job_fill(job, &reply);
    return rc;
}

/* ---- what becomes of a lease ---- */

static int lease_ask(struct hl_client *client, enum request_kind kind, const char *line,
                     int64_t timeout_ns)
{
    struct reply reply = {0};
    int rc = request_line(client, kind, line);
    return rc != 0 ? rc : ask_answer(client, &reply, clock_deadline(timeout_ns));
}

int hl_client_touch(hl_client *client, uint64_t id, uint64_t token, int64_t timeout_ns)
{
    char line[CLIENT_LINE_MAX];
    int rc = ask_begin(client);
    snprintf(line, sizeof(line), "touch-token %" PRIu64 " %" PRIu64 "\r\n", id, token);
    return rc != 0 ? rc : lease_ask(client, REQUEST_TOUCH, line, timeout_ns);
}

int hl_client_done(hl_client *client, uint64_t id, uint64_t token, int64_t timeout_ns)
{
    char line[CLIENT_LINE_MAX];
    int rc = ask_begin(client);
    snprintf(line, sizeof(line), "delete-token %" PRIu64 " %" PRIu64 "\r\n", id, token);
    return rc != 0 ? rc : lease_ask(client, REQUEST_DELETE, line, timeout_ns);
}

int hl_client_release(hl_client *client, uint64_t id, uint64_t token, uint32_t priority,
                      int64_t delay_ns, int64_t timeout_ns)
{
    char line[CLIENT_LINE_MAX];
    uint32_t delay = 0;
    int rc = ask_begin(client);
    if (rc == 0)
        rc = request_seconds(client, "delay", delay_ns, 0, &delay);
    snprintf(line, sizeof(line),
             "release-token %" PRIu64 " %" PRIu64 " %" PRIu32 " %" PRIu32 "\r\n", id, token,
             priority, delay);
    return rc != 0 ? rc : lease_ask(client, REQUEST_RELEASE, line, timeout_ns);
}

int hl_client_bury(hl_client *client, uint64_t id, uint64_t token, uint32_t priority,
                   int64_t timeout_ns)
{
    char line[CLIENT_LINE_MAX];
    int rc = ask_begin(client);
    snprintf(line, sizeof(line), "bury-token %" PRIu64 " %" PRIu64 " %" PRIu32 "\r\n", id, token,
             priority);
    return rc != 0 ? rc : lease_ask(client, REQUEST_BURY, line, timeout_ns);
}
