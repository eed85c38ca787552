// SPDX-License-Identifier: MIT
/*
 * Bodies that come: how much memory one has while it isn't whole.
 *
 * Who announces a body has sent a line, and may send no more. So a body gets all its memory at once
 * only where that is little, or where a part of it has arrived: in the input, or in the socket. Any
 * other is received in parts, and its memory grows with what arrives: it never has more than the
 * larger of INCOMING_FIRST and INCOMING_TIMES as much. Mostly that is all of it, for who sends a
 * body mostly sends it right behind its line.
 */
#include "front/incoming_priv.h"

#include <sys/ioctl.h>

#define INCOMING_FIRST ((size_t)16 * 1024) /* as much as a client costs in any case */
#define INCOMING_TIMES 4

/* Bytes that nobody has read yet. */
static size_t in_socket(const struct session *session)
{
    int bytes = 0;
    (void)ioctl(conn_descriptor(session->conn), FIONREAD, &bytes);
    return bytes > 0 ? (size_t)bytes : 0;
}

/* For a body of `len` bytes of which `arrived` are there, and those behind them. */
static size_t size_now(const struct session *session, size_t arrived, size_t len)
{
    arrived += session->behind;
    if (arrived < len / INCOMING_TIMES)
        arrived += in_socket(session);
    size_t size = INCOMING_TIMES * arrived;
    return len < size ? len : size;
}

size_t incoming_first(const struct session *session, size_t len)
{
    if (len <= INCOMING_FIRST)
        return len;
    size_t size = size_now(session, 0, len);
    return size > INCOMING_FIRST ? size : INCOMING_FIRST;
}

/* What the parser has memory for is full, and there is more to come. */
static void incoming_goes_on(struct session *session)
{
    struct incoming *incoming = &session->incoming;
    size_t left = incoming->len - incoming->have;
    size_t more = size_now(session, incoming->have, incoming->len) - incoming->have;
    char *bytes = incoming->grow(session, incoming->have + more);
    if (bytes == NULL) {
        session_abandon_body(session);
        session_refuse_body(session, left, "OUT_OF_MEMORY\r\n");
        return;
    }
    char *next = bytes + incoming->have;
    incoming->have += more;
    if (more == left)
        session_body(session, next, more, incoming->done);
    else
        session_part(session, next, more, incoming_goes_on);
}

void incoming_begin(struct session *session, char *bytes, size_t have, size_t len,
                    incoming_grow *grow, void (*done)(struct session *session))
{
    if (have == len) {
        session_body(session, bytes, len, done);
        return;
    }
    session->incoming = (struct incoming){.len = len, .have = have, .grow = grow, .done = done};
    session_part(session, bytes, have, incoming_goes_on);
}
