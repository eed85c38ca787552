// SPDX-License-Identifier: MIT
/*
 * Programs of jobs: who starts them, and how the broker asks for it.
 *
 *     broker --control--> spawner (the table) --fork--> keeper --vfork, exec--> program
 *        \________________ a keeper's channel _____________/
 *
 * The spawner is forked from the daemon before anything else is there, and keeps the rights that
 * the broker may give up. It has the table: a row for each pool, with who its programs are and what
 * they may use. For each program that shall run at a time it forks a keeper, a short blocking loop
 * around one program. What a row says can't be said otherwise by a message: of a pool whose
 * programs are in the table the broker can't name another one.
 *
 * The broker's side here is plain descriptors and calls. A keeper belongs to one thread at a time;
 * the spawner's functions may be called by any.
 */
#ifndef SPAWN_SPAWN_H
#define SPAWN_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* ---- the table ---- */

#define SPAWN_LIMITS_MAX 8

struct spawn_limit {
    const char *name; /* for messages: "nofile" */
    int resource;     /* setrlimit's */
    uint64_t soft, hard;
};

/* One row: what all programs of a pool have. Borrowed until spawner_start returns. */
struct spawn_program {
    char *const *argv;     /* NULL: each job says it, and may say directory, environment, umask */
    char *const *env;      /* "NAME=value", ended by NULL */
    const char *socket;    /* "HILERA_SOCKET=path" for all of them; NULL: there is none */
    const char *places;    /* the PATH for those whose environment has none; NULL: the usual one */
    const char *directory; /* where they begin; NULL: home */
    const char *home;      /* if it can be entered, else "/"; NULL: where the spawner began */
    bool change_user;      /* else they are the spawner's user */
    uid_t uid;
    gid_t gid;
    const gid_t *groups;
    size_t group_count;
    bool no_new_privs;
    bool has_umask;
    mode_t umask;
    bool leave; /* what left its program's group outlives a job that ends by itself */
    size_t limit_count;
    struct spawn_limit limit[SPAWN_LIMITS_MAX];
};

/* ---- the spawner ---- */

struct spawner;

/* Forks it; while there is one thread. ENOMEM, EMFILE, EAGAIN. */
int spawner_start(struct spawner **out, const struct spawn_program *table, size_t count);
/* It and its keepers hold this descriptor from now on, for as long as any program may run; no
 * program gets it. The caller keeps its own. Before the first keeper. EPIPE: it is gone. */
int spawner_hold(struct spawner *spawner, int fd);
/*
 * All keepers must have been freed: it ends, and this waits for that. 0; or, of an orphan that may
 * not be killed, the pid: the spawner goes on without the caller, with the descriptor that it
 * holds, until that has ended.
 */
pid_t spawner_end(struct spawner **spawner);

/* ---- a keeper ---- */

struct spawn_keeper;

/* EPIPE: the spawner is gone. EMFILE, EAGAIN, ENOMEM, ENFILE: not now; ETIMEDOUT. */
int spawn_keeper_new(struct spawn_keeper **out, struct spawner *spawner, unsigned row);
/* It has no program. NULL: nothing happens. */
void spawn_keeper_free(struct spawn_keeper **keeper);
/* Readable when there is news. */
int spawn_keeper_fd(const struct spawn_keeper *keeper);

/* The facts of a run, which become HILERA_JOB_ID and the like. */
struct spawn_job {
    uint64_t id; /* 0: it isn't one job's, and has no such facts */
    uint32_t attempt, pri;
    int64_t submitted_ns; /* since 1970 */
    const char *tube;
    bool tell; /* that it has begun (SPAWN_STARTED) */
    /* of rows without argv only: */
    char *const *argv;
    char *const *env;      /* NULL: the row's */
    const char *directory; /* NULL: the row's */
    bool has_umask;        /* else the row's */
    mode_t umask;
};

/* Asks it to start a program with these as its input, output and errors, which stay the caller's.
 * EPIPE: the keeper has gone, nothing was started. E2BIG: more than can be sent. ENOMEM, EMFILE. */
int spawn_keeper_start(struct spawn_keeper *keeper, const struct spawn_job *job, const int fds[3]);
/* To the program's group; a TERM is followed by a CONT. 0: only asks for SPAWN_ALIVE, which is the
 * answer to all, and tells when the program itself may not be signalled. A keeper that is gone is
 * seen by the next spawn_keeper_hear. */
void spawn_keeper_signal(const struct spawn_keeper *keeper, int sig);
/* After SPAWN_ENDED with others: kills what the program left behind, which SPAWN_CLEANED answers.
 * `all`: what would be left alone, too. `again`: the next daemon runs the job again, and must wait
 * for what may not be killed. */
void spawn_keeper_clean(const struct spawn_keeper *keeper, bool all, bool again);

enum spawn_word {
    SPAWN_STARTED = 1, /* if it was asked for */
    SPAWN_ALIVE,       /* the answer to a signal: the keeper isn't held up by a start */
    SPAWN_FAILED,      /* it wasn't started: step and error */
    SPAWN_ENDED,       /* the program, and `others` tells whether to clean behind it */
    SPAWN_CLEANED,     /* `others`: some are left, and the keeper stays with them: free it */
    SPAWN_BYE          /* it had nothing to do for long, and has read no start since: free it */
};

/* The steps of a start, in order. */
enum spawn_step {
    SPAWN_STEP_NONE = 0,
#define STEP(name, verb) SPAWN_STEP_##name,
#include "spawn/steps.def"
#undef STEP
    SPAWN_STEP_COUNT
};

struct spawn_news {
    enum spawn_word word;
    enum spawn_step step; /* FAILED */
    int error;            /* FAILED; CLEANED: why some could not be killed, 0; ALIVE: EPERM, 0 */
    bool own;             /* FAILED: the program's user was taken already */
    char what[128];       /* FAILED: which limit or directory */
    pid_t pid;            /* STARTED; with an EPERM: whose it is */
    bool others;          /* ENDED: it left processes behind; CLEANED: some still are */
    int status;           /* ENDED: wait's, as what follows */
    int64_t user_ns, system_ns;
    uint64_t max_rss; /* bytes */
};

/* One message. EAGAIN: there is none. EPIPE: the keeper is gone. */
int spawn_keeper_hear(const struct spawn_keeper *keeper, struct spawn_news *news);
/*
 * Has the spawner kill the keeper, if it lives, and all that its program left; returns when nothing
 * of that lives any more. Then it frees the keeper. 0; or the pid of one that may not be killed,
 * which lives on.
 */
pid_t spawn_keeper_bury(struct spawn_keeper **keeper);

/* "enter" for SPAWN_STEP_directory: for "can't VERB this or that". */
const char *spawn_step_verb(enum spawn_step step);

#endif
