// SPDX-License-Identifier: MIT
/*
 * What a session may do with its connection: answer, pause, receive a body, end.
 *
 * None of it acts on the socket but conn_flush: a session only leaves marks, and conn_settle does
 * what they ask for when the session has returned. So a session never finds its connection gone
 * while it runs, and the order of answers is the order of writing.
 */
#include "net/conn_priv.h"
#include "net/loop_priv.h"
#include "net/net_priv.h"
#include "net/output_priv.h"

#include <errno.h>

void conn_flush(struct conn *conn)
{
    if (conn->out.bytes == 0 || conn->write_blocked || conn->broken || conn_is_held(conn))
        return;
    size_t written;
    int rc = outqueue_flush(&conn->out, &conn->loop->pool, conn->fd, &written);
    counter_add(&conn->loop->bytes_out, written);
    if (rc == EAGAIN)
        conn->write_blocked = true;
    else if (rc != 0)
        conn->broken = true;
}

void conn_write(struct conn *conn, const void *bytes, size_t len)
{
    MAGIC_CHECK(conn, CONN_MAGIC);
    if (outqueue_append(&conn->out, &conn->loop->pool, bytes, len) != 0)
        conn->broken = true;
}

char *conn_space(struct conn *conn, size_t size)
{
    MAGIC_CHECK(conn, CONN_MAGIC);
    ASSERT(size <= CONN_SPACE_MAX);
    char *space = outqueue_space(&conn->out, &conn->loop->pool, size);
    if (space != NULL)
        return space;
    conn->broken = true;
    return conn->loop->scratch;
}

void conn_space_used(struct conn *conn, size_t len)
{
    MAGIC_CHECK(conn, CONN_MAGIC);
    if (!conn->broken)
        outqueue_used(&conn->out, len);
}

void conn_write_ref(struct conn *conn, const void *data, size_t len, void (*release)(void *arg),
                    void *arg)
{
    MAGIC_CHECK(conn, CONN_MAGIC);
    int rc = outqueue_append_ref(&conn->out, &conn->loop->pool, data, len, release, arg);
    if (rc != 0) {
        release(arg);
        conn->broken = true;
    }
}

size_t conn_output_max(const struct conn *conn)
{
    MAGIC_CHECK(conn, CONN_MAGIC);
    return conn->loop->output_high;
}

bool conn_may_run(struct conn *conn)
{
    if (conn->paused || conn->going || conn->finishing || conn->broken || conn_is_held(conn) ||
        conn_turn_over(conn))
        return false;
    conn->budget--;
    return true;
}

bool conn_has_turn(const struct conn *conn)
{
    MAGIC_CHECK(conn, CONN_MAGIC);
    return !conn->finishing && !conn->broken && !conn_turn_over(conn);
}

void conn_charge(struct conn *conn, size_t commands)
{
    MAGIC_CHECK(conn, CONN_MAGIC);
    if (conn->budget > 0)
        conn->budget -= (int)(commands < NET_TURN_COMMANDS ? commands : NET_TURN_COMMANDS);
}

void conn_go_on(struct conn *conn)
{
    MAGIC_CHECK(conn, CONN_MAGIC);
    ASSERT(conn->loop->net->protocol->go_on != NULL);
    conn->going = true;
    conn_make_ready(conn);
}

void conn_receive(struct conn *conn, void *memory, size_t len)
{
    MAGIC_CHECK(conn, CONN_MAGIC);
    ASSERT(conn->sink_left == 0 && len > 0);
    conn->sink = memory;
    conn->sink_left = len;
}

void conn_pause(struct conn *conn)
{
    MAGIC_CHECK(conn, CONN_MAGIC);
    conn->paused = true;
    conn->hangup_told = false;
}

void conn_resume(struct conn *conn)
{
    MAGIC_CHECK(conn, CONN_MAGIC);
    conn->paused = false;
    if (conn->pending.len > 0)
        conn_make_ready(conn);
}

void conn_finish(struct conn *conn)
{
    MAGIC_CHECK(conn, CONN_MAGIC);
    conn->finishing = true;
}

unsigned conn_loop_index(const struct conn *conn)
{
    MAGIC_CHECK(conn, CONN_MAGIC);
    return conn->loop->index;
}

struct conn_handle conn_get_handle(const struct conn *conn)
{
    MAGIC_CHECK(conn, CONN_MAGIC);
    return (struct conn_handle){.loop = conn->loop, .id = conn->id};
}
