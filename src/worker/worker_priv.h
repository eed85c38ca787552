// SPDX-License-Identifier: MIT
/*
 * The inside of the worker folder: the handlers by name, and a child process
 * with its pipes.
 */
#ifndef WORKER_WORKER_PRIV_H
#define WORKER_WORKER_PRIV_H

#include "worker/worker.h"

#include <sys/types.h>

#define HANDLER(name) extern const struct handler handler_##name;
#include "worker/handlers.def"
#undef HANDLER

/* ---- strings.c ---- */

/* `count` strings, then NULL; freed by one free. NULL: out of memory. */
char **strings_copy(const char *const *list, size_t count);

/* ---- child.c ---- */

/* A process in a group of its own, and our ends of its pipes (-1: closed). On its keeper's stack.
 */
struct child {
    pid_t pid;  /* also the group's id */
    int pid_fd; /* readable once it has ended */
    int in, out, err;
};

struct child_spec {
    char *const *argv; /* argv[0] is looked for in PATH if it has no slash */
    char *const *env;
    uint64_t nofile; /* soft limit of descriptors; 0: as ours */
};

/*
 * Starts it with empty signal mask and default handlers. What posix_spawn says when the program
 * can't be run (ENOENT, EACCES, ENOEXEC ...), or EMFILE, EAGAIN, ENOMEM.
 */
int child_spawn(struct child *child, const struct child_spec *spec);
/* To every process of its group. */
void child_signal(const struct child *child, int sig);
/* Kills what is left of the group, collects the process, which must have ended or been killed, and
 * closes everything. Returns its wait status; *usage, unless NULL, gets what it used. */
int child_collect(struct child *child, struct job_usage *usage);
void child_close(int *fd);

/* ---- feed.c: what goes through the pipes of a child ---- */

/* The last of what was written. Empty: all zero. */
#define TAIL_MAX 256 /* no reason holds more */
struct tail {
    size_t len;
    char bytes[TAIL_MAX];
};

/* tail.c */
void tail_add(struct tail *tail, const char *bytes, size_t len);
/* Appends its last lines to the outcome's reason, as many as have room. */
void tail_tell(const struct tail *tail, struct job_outcome *outcome);

/* One output, captured up to a limit; what comes beyond is read and dropped. */
struct capture {
    int *fd;
    struct buf *into;
    size_t max;
    bool *truncated;
    struct tail *tail; /* NULL: its end doesn't matter */
};

/* Reads once. Closes the pipe at its end. */
void capture_read(struct capture *capture);

/* Writes once from the body at *at. Closes the pipe when all is written or nobody reads any more.
 */
void feed_write(int *fd, const struct job_body *body, size_t *at);

#endif
