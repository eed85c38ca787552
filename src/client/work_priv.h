// SPDX-License-Identifier: MIT
/*
 * What the files of `hilera work` share.
 *
 *   cmd_work.c    the command line, and the processes: one worker each, kept at their number
 *   work_loop.c   one worker: reserve, run, settle, reconnect
 *   work_child.c  one run of the command: its process, its standard input, its end
 */
#ifndef CLIENT_WORK_PRIV_H
#define CLIENT_WORK_PRIV_H

#include "client/tool_lease_priv.h"
#include "client/tool_priv.h"

#include <sys/types.h>

struct work {
    const struct tool *tool;
    struct tubes tubes;
    uint64_t parallel;
    char **argv;
    int64_t retry_ns; /* delay of a job that asks to run again */
    int64_t grace_ns; /* from TERM to KILL */
};

/* ---- work_loop.c ---- */

/* Works until a signal comes: EXIT_CODE_OK. Others: it could not even begin; said. */
enum exit_code work_loop(const struct work *work);

/* ---- work_child.c ---- */

/* From now on SIGTSTP stops the command that runs, if any, and this process; SIGCONT to this
 * process continues both. Not if SIGTSTP is ignored. */
void work_child_catch_pause(void);

/* A run; on its keeper's stack. */
struct work_child {
    pid_t pid;  /* also its group's id */
    int pid_fd; /* readable once it has ended */
    int in;     /* its standard input; -1: closed */
    const char *body;
    size_t body_left;
};

/* The body stays the caller's and must stay where it is. What fork, pipe and pidfd_open say. */
int work_child_start(struct work_child *child, char **argv, uint64_t id,
                     const struct lease_facts *facts, const char *body, size_t len);
/* Writes what the pipe takes now. */
void work_child_feed(struct work_child *child);
/* TERM to its group, CONT to those in it that are stopped, and KILL to what is left after
 * `grace_ns`. */
void work_child_stop(const struct work_child *child, int64_t grace_ns);
/* It has ended: kills what is left of its group, and collects it. Its wait status. */
int work_child_collect(struct work_child *child);
/* Whether the program is there: 0, or why not. */
int work_program_find(const char *name);

#endif
