// SPDX-License-Identifier: MIT
/*
 * Bytes out, bytes in, and the only place where the library waits.
 *
 * While it waits for an answer it also sends what is still queued, so that two sides with full
 * buffers never wait for each other: the daemon stops reading when its answers aren't taken. The
 * socket stays in blocking mode and every call says MSG_DONTWAIT; waiting is ppoll's, with what is
 * left of the deadline, and with the caller's interrupt descriptor beside the socket. Data wins
 * over the interrupt: what is there is taken without waiting.
 *
 * A failed send isn't an error yet: what the daemon answered before it closed is read first, and
 * the end of that tells the story.
 */

#include "client/client_priv.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* ppoll takes no deadline; far ones are cut, the loop around comes back. */
#define WAIT_MAX_NS (3600 * HL_SECOND)

int stream_wait(const struct hl_client *client, int fd, short events, int64_t deadline_ns)
{
    struct pollfd fds[] = {{.fd = fd, .events = events},
                           {.fd = client->interrupt_fd, .events = POLLIN}};
    for (;;) {
        struct timespec left = {0, 0};
        int64_t now_ns = clock_now_ns(), left_ns = 0;
        if (deadline_ns > now_ns) {
            left_ns = deadline_ns - now_ns < WAIT_MAX_NS ? deadline_ns - now_ns : WAIT_MAX_NS;
            left = (struct timespec){left_ns / HL_SECOND, left_ns % HL_SECOND};
        }
        int ready = ppoll(fds, 2, &left, NULL);
        if (ready < 0 && errno != EINTR)
            return errno;
        if (ready > 0 && fds[0].revents != 0)
            return 0;
        if (ready > 0)
            return EINTR;
        if (left_ns == 0)
            return ETIMEDOUT;
    }
}

void stream_send(struct hl_client *client)
{
    struct buf *out = &client->out;
    while (!client->send_broken && client->out_at < out->len) {
        ssize_t sent = send(client->fd, out->data + client->out_at, out->len - client->out_at,
                            MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent >= 0)
            client->out_at += (size_t)sent;
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            break;
        else if (errno != EINTR)
            client->send_broken = true;
    }
    if (client->out_at == out->len || client->send_broken) {
        buf_clear(out);
        client->out_at = 0;
    } else if (client->out_at >= out->len / 2) {
        buf_consume(out, client->out_at);
        client->out_at = 0;
    }
}

/* One read; 0 when something came. */
static int stream_read(struct hl_client *client)
{
    struct buf *in = &client->in;
    /* Once a read, not once an answer: hundreds of them come with one. */
    if (client->in_at == in->len)
        buf_clear(in);
    else
        buf_consume(in, client->in_at);
    client->in_at = 0;
    if (buf_reserve(in, CLIENT_READ_SIZE + 1) != 0)
        return client_break(client, ENOMEM, "not enough memory for the daemon's answer");
    ssize_t got = recv(client->fd, in->data + in->len, CLIENT_READ_SIZE, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return EAGAIN;
    if (got > 0) {
        in->len += (size_t)got;
        in->data[in->len] = '\0';
        return 0;
    }
    if (got < 0 && errno != ECONNRESET)
        return client_break(client, errno, "reading from %s failed: %s", client->address.data,
                            strerrordesc_np(errno));
    return client_break(
        client, ECONNRESET, "the daemon at %s closed the connection %s", client->address.data,
        in->len > client->in_at ? "in the middle of an answer" : "before it answered");
}

int stream_receive(struct hl_client *client, int64_t deadline_ns)
{
    for (;;) {
        stream_send(client);
        int rc = stream_wait(client, client->fd, hl_client_events(client), deadline_ns);
        if (rc == ETIMEDOUT || rc == EINTR)
            return rc;
        if (rc != 0)
            return client_break(client, rc, "waiting for %s failed: %s", client->address.data,
                                strerrordesc_np(rc));
        rc = stream_read(client);
        if (rc != EAGAIN)
            return rc;
    }
}
