// SPDX-License-Identifier: MIT
/*
 * The inside of the worker folder: the handlers by name, and a child process
 * with its pipes.
 */
#ifndef WORKER_WORKER_PRIV_H
#define WORKER_WORKER_PRIV_H

#include "spawn/spawn.h"
#include "worker/worker.h"

#include <sys/types.h>

#define HANDLER(name) extern const struct handler handler_##name;
#include "worker/handlers.def"
#undef HANDLER

/* ---- strings.c ---- */

/* `count` strings, then NULL; freed by one free. NULL: out of memory. */
char **strings_copy(const char *const *list, size_t count);

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

/* ---- feed.c: what goes through the pipes of a child ---- */

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

/* ---- identity.c: who programs are ---- */

#define IDENTITY_GROUPS_MAX 256

struct identity {
    uid_t uid;
    gid_t gid;
    gid_t groups[IDENTITY_GROUPS_MAX];
    size_t group_count;
    char name[64], home[512], shell[512]; /* "": not known */
};

/* USER or USER:GROUP, and the groups that USER has now. EINVAL: `why` says what is wrong. ENOMEM.
 */
int identity_find(const char *text, struct identity *identity, char *why, size_t why_size);
/* Of this process; what isn't known of it stays empty. */
void identity_own(struct identity *identity);

/* ---- environment.c ---- */

/* EINVAL: `why` says what is wrong with the list, which may be NULL. */
int environment_check(const char *const *list, char *why, size_t why_size);
/*
 * The variables of a pool's programs, without those of a run; *out is freed by one free. `list` is
 * the pool's; where it is NULL or empty all of the daemon's variables pass. With an identity: of
 * the daemon's only what `list` names, and beside that what everybody has who logs in. `variable`
 * is one more; NULL: none. ENOMEM.
 */
int environment_make(char ***out, const char *const *list, const struct identity *apart,
                     const char *variable);
/* Whether a run sets this one ("NAME=value") itself. */
bool environment_is_own(const char *variable);

/* ---- programs.c ---- */

/* Directory, environment, umask, limits, run_as. EINVAL: `why` says what is wrong. */
int programs_check(const struct handler_settings *settings, char *why, size_t why_size);

/* ---- program.c ---- */

/* How long output of a process that ended may still come from others that hold its pipes. */
#define HANDLER_DRAIN_NS (HL_SECOND / 4)

struct program {
    const char *name; /* for messages */
    struct keepers *keepers;
    struct spawn_job job;
    const struct job_body *input;
    size_t output_max;
    int64_t kill_after_ns;
};

/* What of it the settings say, defaults filled in; the rest is empty. */
struct program program_of(const struct handler_settings *settings, struct keepers *keepers);
/* What a run says of its job. */
struct spawn_job program_job(const struct broker_lease *lease);
/* From its start to call->outcome. */
void program_run(const struct program *program, struct handler_call *call);

/* ---- verdict.c ---- */

/* `status` is wait's. */
void verdict_end(struct job_outcome *outcome, int status, const char *program);
/* It couldn't be started. Where that isn't the job's trouble, call->rest says so. */
void verdict_no_start(struct handler_call *call, const struct spawn_news *failed,
                      const char *program);

/* ---- command.c: a job that is a command ---- */

struct command {
    char **argv;
    char **env; /* NULL: none is given, which means the pool's */
    size_t env_count;
    char *directory; /* NULL: not given */
    char *input;     /* NULL: not given; may have any bytes */
    size_t input_len;
    bool has_umask;
    mode_t umask;
};

/* Takes a body apart. EINVAL: `why` has what is wrong and what would be right. ENOMEM. Free with
 * command_fini after 0 only. */
int command_read(struct command *command, const char *bytes, size_t len, char *why,
                 size_t why_size);
void command_fini(struct command *command);
/* Whether the system would run it. E2BIG: `why` says how much is too much. */
int command_weigh(const struct command *command, char *why, size_t why_size);

#endif
