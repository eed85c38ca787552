// SPDX-License-Identifier: MIT
/*
 * The protocol for the tests of net: see echo.h. It counts what happens to its sessions, so that a
 * test can wait for that and compare.
 */
#include "echo.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/magic.h"

#include <hilera/version.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ECHO_LINE_MAX 256
#define ECHO_BIG_MAX (1 << 20)

struct echo_session {
    struct echo *echo;
    struct conn *conn;
    unsigned char *body;
    size_t body_len;
    bool waits_for_time;
};

struct release {
    unsigned magic;
    struct loop_message message;
    struct echo *echo;
};
#define RELEASE_MAGIC 0xec400001u

static const char big[ECHO_BIG_MAX]; /* zeros; written, never printed */

static int echo_open(void *memory, struct conn *conn, void *arg)
{
    struct echo_session *session = memory;
    session->echo = arg;
    session->conn = conn;
    atomic_fetch_add(&session->echo->counts.opened, 1);
    return 0;
}

static void big_release(void *arg)
{
    struct echo *echo = arg;
    atomic_fetch_sub(&echo->counts.refs, 1);
}

static void run_big(struct echo_session *session, size_t len)
{
    struct echo_counts *counts = &session->echo->counts;
    int refs = atomic_fetch_add(&counts->refs, 1) + 1;
    if (refs > atomic_load(&counts->refs_most))
        atomic_store(&counts->refs_most, refs);
    conn_write_ref(session->conn, big, len, big_release, session->echo);
}

/* ---- later ---- */

static void release_deliver(struct loop_message *message, void *memory)
{
    struct release *release = CONTAINER_OF(message, struct release, message);
    MAGIC_CHECK(release, RELEASE_MAGIC);
    struct echo_session *session = memory;
    if (session != NULL) {
        conn_write(session->conn, "released\n", 9);
        conn_resume(session->conn);
    } else {
        atomic_fetch_add(&release->echo->counts.released_late, 1);
    }
    loop_drop(message->to);
    MAGIC_WIPE(release);
    free(release);
}

static void run_later(struct echo_session *session)
{
    struct release *release = calloc(1, sizeof(*release));
    if (release == NULL)
        abort();
    MAGIC_INIT(release, RELEASE_MAGIC);
    release->echo = session->echo;
    release->message =
        (struct loop_message){.to = conn_get_handle(session->conn), .deliver = release_deliver};
    loop_hold(release->message.to);
    conn_pause(session->conn);
    int index = atomic_load(&session->echo->waiting_count);
    atomic_store(&session->echo->waiting[index], &release->message);
    atomic_fetch_add(&session->echo->waiting_count, 1);
    atomic_fetch_add(&session->echo->counts.paused, 1);
}

void echo_release(struct echo *echo, int index)
{
    struct loop_message *message = atomic_exchange(&echo->waiting[index], NULL);
    ASSERT(message != NULL);
    loop_post(message);
}

/* ---- lines ---- */

static void run_receive(struct echo_session *session, size_t len)
{
    session->body = malloc(len);
    session->body_len = len;
    if (session->body == NULL)
        abort();
    conn_receive(session->conn, session->body, len);
}

static void echo_received(void *memory)
{
    struct echo_session *session = memory;
    unsigned long sum = 0;
    for (size_t i = 0; i < session->body_len; i++)
        sum += session->body[i];
    char answer[64];
    conn_write(session->conn, answer, (size_t)snprintf(answer, sizeof(answer), "sum %lu\n", sum));
    free(session->body);
    session->body = NULL;
}

static void run_timer(struct echo_session *session, int64_t milliseconds)
{
    session->waits_for_time = true;
    conn_pause(session->conn);
    conn_timer_set(session->conn, clock_deadline(milliseconds * HL_MILLISECOND));
    atomic_fetch_add(&session->echo->counts.paused, 1);
}

static void run_hold(struct echo_session *session, const char *marks)
{
    char *end, answer[64];
    struct net_mark mark;
    mark.line[0] = strtoul(marks, &end, 10);
    mark.line[1] = strtoul(end, NULL, 10);
    int len = snprintf(answer, sizeof(answer), "held %s\n", marks);
    conn_write(session->conn, answer, (size_t)len);
    conn_hold_until(session->conn, &mark);
}

static void run_line(struct echo_session *session, const char *line, size_t len)
{
    char text[ECHO_LINE_MAX];
    snprintf(text, sizeof(text), "%.*s", (int)len, line);
    const char *blank = strchr(text, ' ');
    const char *rest = blank != NULL ? blank + 1 : "";
    unsigned long number = strtoul(rest, NULL, 10);
    if (strncmp(text, "echo ", 5) == 0) {
        char *space = conn_space(session->conn, len);
        memcpy(space, rest, len - 5);
        space[len - 5] = '\n';
        conn_space_used(session->conn, len - 4);
    } else if (strncmp(text, "big ", 4) == 0) {
        run_big(session, number);
    } else if (strncmp(text, "recv ", 5) == 0) {
        run_receive(session, number);
    } else if (strcmp(text, "later") == 0) {
        run_later(session);
    } else if (strncmp(text, "timer ", 6) == 0) {
        run_timer(session, (int64_t)number);
    } else if (strncmp(text, "hold ", 5) == 0) {
        run_hold(session, rest);
    } else if (strcmp(text, "asks") == 0) {
        conn_asks(session->conn);
    } else if (strcmp(text, "quit") == 0) {
        conn_finish(session->conn);
    } else {
        conn_write(session->conn, "what?\n", 6);
    }
}

static size_t echo_input(void *memory, const char *data, size_t len)
{
    struct echo_session *session = memory;
    size_t at = 0;
    const char *end;
    while (session->body == NULL && (end = memchr(data + at, '\n', len - at)) != NULL &&
           conn_may_run(session->conn)) {
        size_t line = (size_t)(end - (data + at));
        run_line(session, data + at, line);
        at += line + 1;
    }
    return at;
}

static void echo_hangup(void *memory)
{
    struct echo_session *session = memory;
    atomic_fetch_add(&session->echo->counts.hangups, 1);
}

static void echo_timeout(void *memory)
{
    struct echo_session *session = memory;
    ASSERT(session->waits_for_time);
    session->waits_for_time = false;
    conn_write(session->conn, "time\n", 5);
    conn_resume(session->conn);
}

static void echo_close(void *memory)
{
    struct echo_session *session = memory;
    free(session->body);
    atomic_fetch_add(&session->echo->counts.closed, 1);
}

const struct net_protocol echo_protocol = {
    .name = "echo",
    .refusal = "full\n",
    .session_size = sizeof(struct echo_session),
    .open = echo_open,
    .input = echo_input,
    .received = echo_received,
    .hangup = echo_hangup,
    .timeout = echo_timeout,
    .close = echo_close,
};
