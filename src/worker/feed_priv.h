// SPDX-License-Identifier: MIT
/*
 * What goes through the pipes of a child: a body in, outputs out (feed.c), and the last lines of an
 * output for the reason (tail.c).
 */
#ifndef WORKER_FEED_PRIV_H
#define WORKER_FEED_PRIV_H

#include "job/job.h"

#include <stdbool.h>
#include <stddef.h>

struct live;

/* The last of what was written. Empty: all zero. */
#define TAIL_MAX 256 /* no reason holds more */
struct tail {
    size_t len;
    char bytes[TAIL_MAX];
};

/* tail.c */
void tail_add(struct tail *tail, const char *bytes, size_t len);
/* Appends its last lines to the outcome's reason, as many as have room: ": " and them, as
 * job_reason_text has it. */
void tail_tell(const struct tail *tail, struct job_outcome *outcome);

/* One output, captured up to a limit; what comes beyond is read and dropped. */
struct capture {
    int *fd;
    struct buf *into;
    size_t max;
    bool *truncated;
    struct tail *tail; /* NULL: its end doesn't matter */
    struct live *live; /* NULL: nobody can follow */
};

/* Reads once. Closes the pipe at its end. */
void capture_read(struct capture *capture);

/* Writes once from the body at *at. Closes the pipe when all is written or nobody reads any more.
 */
void feed_write(int *fd, const struct job_body *body, size_t *at);

#endif
