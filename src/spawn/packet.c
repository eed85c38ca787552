// SPDX-License-Identifier: MIT
/*
 * A packet with descriptors, sent and received.
 *
 * One that lost its descriptors on the way (the receiver has no room for them) is no packet: what
 * did come is closed, and the sender sees its end of the channel close or hears an error.
 */
#include "spawn/spawn_priv.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

union room {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(PACKET_FDS_MAX * sizeof(int))];
};

int packet_send(int fd, const void *head, size_t head_len, const void *text, size_t text_len,
                const int *fds, size_t fd_count)
{
    union room room;
    struct iovec parts[2] = {{(void *)(uintptr_t)head, head_len},
                             {(void *)(uintptr_t)text, text_len}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = text_len > 0 ? 2 : 1};
    if (fd_count > 0) {
        memset(&room, 0, sizeof(room));
        message.msg_control = room.bytes;
        message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        struct cmsghdr *control = &room.align; /* the first */
        control->cmsg_level = SOL_SOCKET;
        control->cmsg_type = SCM_RIGHTS;
        control->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(control), fds, fd_count * sizeof(int));
    }
    ssize_t sent;
    do
        sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0)
        return 0;
    return errno == ECONNRESET || errno == ENOTCONN ? EPIPE : errno;
}

static void fds_take(struct packet *packet, struct msghdr *message)
{
    for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control != NULL;
         control = CMSG_NXTHDR(message, control)) {
        if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count && packet->fd_count < PACKET_FDS_MAX; i++)
            memcpy(&packet->fds[packet->fd_count++], CMSG_DATA(control) + i * sizeof(int),
                   sizeof(int));
    }
}

int packet_receive(int fd, struct packet *packet, int flags)
{
    union room room;
    struct iovec part = {packet->bytes, sizeof(packet->bytes)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = room.bytes,
                             .msg_controllen = sizeof(room.bytes)};
    packet->len = packet->fd_count = 0;
    ssize_t got;
    do
        got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | flags);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return errno == ECONNRESET ? EPIPE : errno == EWOULDBLOCK ? EAGAIN : errno;
    fds_take(packet, &message);
    if (got == 0) /* no packet of ours is empty */
        return EPIPE;
    if ((message.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) != 0) {
        packet_close(packet);
        return EMFILE;
    }
    packet->len = (size_t)got;
    return 0;
}

void packet_close(struct packet *packet)
{
    for (size_t i = 0; i < packet->fd_count; i++)
        close(packet->fds[i]);
    packet->fd_count = 0;
}
