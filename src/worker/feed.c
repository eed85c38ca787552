// SPDX-License-Identifier: MIT
/*
 * What goes through the pipes of a child: the body in, stdout and stderr out.
 *
 * Each call does one system call on a descriptor that poll called ready, so that none of the three
 * can starve the others: a child that writes without end is still fed, and still stopped.
 */
#include "worker/child_priv.h"
#include "worker/feed_priv.h"
#include "worker/live_priv.h"

#include <errno.h>
#include <unistd.h>

#define READ_MAX ((size_t)64 * 1024) /* a pipe holds as much by default */

static void capture_keep(struct capture *capture, const char *bytes, size_t len)
{
    if (capture->tail != NULL)
        tail_add(capture->tail, bytes, len);
    /* No memory: as if it had not fitted. */
    (void)live_keep(capture->live, capture->into, capture->max, capture->truncated, bytes, len);
}

void capture_read(struct capture *capture)
{
    char bytes[READ_MAX];
    ssize_t got = read(*capture->fd, bytes, sizeof(bytes));
    if (got > 0)
        capture_keep(capture, bytes, (size_t)got);
    else if (got == 0 || (errno != EAGAIN && errno != EINTR))
        child_close(capture->fd);
}

void feed_write(int *fd, const struct job_body *body, size_t *at)
{
    if (*at < body->len) {
        ssize_t put = write(*fd, body->bytes + *at, body->len - *at);
        if (put < 0) {
            if (errno != EAGAIN && errno != EINTR)
                child_close(fd); /* EPIPE: it doesn't want more, which is its right */
            return;
        }
        *at += (size_t)put;
    }
    if (*at == body->len)
        child_close(fd);
}
