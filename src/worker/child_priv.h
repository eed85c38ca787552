// SPDX-License-Identifier: MIT
/*
 * A program that runs, and its keeper: who starts and keeps the programs of a pool (keepers.c), and
 * one of them with its pipes (child.c).
 */
#ifndef WORKER_CHILD_PRIV_H
#define WORKER_CHILD_PRIV_H

#include "job/job.h"
#include "spawn/spawn.h"

#include <hilera/lock.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct handler_settings;

/* ---- keepers.c: who starts and keeps the programs of a pool ---- */

/* The pipes of a program. Our ends don't block. */
struct pipes {
    int in[2], out[2], err[2];
};

#define KEEPERS_PIPES 2 /* sets of a pool that are made ahead */

struct keepers {
    struct spawner *spawner;
    unsigned row;
    hl_lock *lock;
    struct spawn_keeper **idle; /* covered by lock, as what follows; the one used last is last */
    size_t count, room;
    struct pipes pipes[KEEPERS_PIPES]; /* nobody has had them */
    size_t pipes_count;
    bool near_limit; /* of descriptors, once: none are made ahead any more */
};

/* EINVAL: the settings have no spawner. ENOMEM. */
int keepers_init(struct keepers *keepers, const struct handler_settings *settings);
void keepers_fini(struct keepers *keepers);
/* Has a keeper start the job's program; what comes of it, the keeper tells. EPIPE: the spawner is
 * gone. EMFILE, EAGAIN, ENOMEM, ENFILE, ETIMEDOUT: not now. E2BIG. */
int keepers_start(struct keepers *keepers, struct spawn_keeper **out, const struct spawn_job *job,
                  const int fds[3]);
/* Pipes for a program, which are the caller's then. EMFILE, ENFILE. */
int keepers_pipes(struct keepers *keepers, struct pipes *pipes);
/* Makes some for the next one, as there is time now; unless there are, or descriptors might become
 * few. */
void keepers_pipes_ahead(struct keepers *keepers);
/* One that has no program any more. */
void keepers_give(struct keepers *keepers, struct spawn_keeper **keeper);

/* ---- child.c ---- */

/* A program, its keeper, and our ends of its pipes (-1: closed). On the stack of who runs it. */
struct child {
    struct keepers *keepers;
    struct spawn_keeper *keeper; /* NULL: it has gone, and the program with it */
    int in, out, err;
    int theirs[2]; /* the other ends of out and err, with `keep`; else -1 */
    bool ended;    /* status and usage are there */
    bool others;   /* and it left processes behind */
    bool answered; /* the keeper, to the last signal */
    bool again;    /* the daemon ends, and the next one runs the job again */
    uint64_t id;   /* of the job; 0: it isn't one job's */
    pid_t stuck;   /* the program, which may not be killed; 0: as far as is known it may */
    int status;    /* wait's */
    struct job_usage usage;
};

/* Asks for the start. `keep`: the other ends of its outputs stay open until child_let_go. As
 * keepers_start; EMFILE of pipes. */
int child_start(struct child *child, struct keepers *keepers, const struct spawn_job *job,
                bool keep);
/* Readable when there is something for child_hear. */
int child_fd(const struct child *child);
/*
 * Hears one message. 0, with *news: ENDED is in the child by then, and only one of it and FAILED
 * comes. EAGAIN: there is none. EPIPE: the keeper has gone, and so has all that it kept.
 */
int child_hear(struct child *child, struct spawn_news *news);
/* Closes the ends that were kept. As long as they are open the outputs have no end, so that a
 * process that ends wakes who runs it once, by its keeper, and not also by each pipe. */
void child_let_go(struct child *child);
/* To every process of its group. */
void child_signal(struct child *child, int sig);
/* Hears what there is: whether it has ended, with its keeper or by itself. */
bool child_has_ended(struct child *child);
/* Waits for that, so long at most. CLOCK_NEVER: until it has. */
bool child_await(struct child *child, int64_t timeout_ns);
/* Kills it, unless it has ended, and finishes it; or abandons it. Its wait status; SIGKILL's if its
 * keeper is gone. */
int child_end(struct child *child);
/* It can't be killed, and isn't waited for: its keeper stays with it, and the lock of programs is
 * held until it has ended. */
void child_abandon(struct child *child);
/* It was asked to start or to stop, and its keeper doesn't answer: both are killed. */
void child_bury(struct child *child);
/* After its end, or when it couldn't be started: closes everything, kills what it left behind
 * (`all`: also what would be left alone), and gives the keeper back. */
void child_finish(struct child *child, bool all);
void child_close(int *fd);

#endif
