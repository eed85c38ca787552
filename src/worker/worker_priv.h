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
    int theirs[2]; /* the other ends of out and err, with child_spec.keep; else -1 */
};

struct child_spec {
    char *const *argv;
    const char *path; /* the file; NULL: argv[0], looked for in PATH if it has no slash */
    char **env;
    const char *directory; /* where it begins; NULL: where we are */
    char *const *launcher; /* hilera-exec and its arguments, in front of argv; NULL: none */
    uint64_t nofile;       /* soft limit of descriptors; 0: as ours */
    bool keep;             /* the other ends of its outputs stay open until child_let_go */
    bool has_umask;        /* else it has ours */
    mode_t umask;
};

#define CHILD_DOING_MAX 64

/*
 * Starts it with empty signal mask and default handlers. What posix_spawn says when the program
 * can't be run (ENOENT, EACCES, ENOEXEC ...), or EMFILE, EAGAIN, ENOMEM. `doing` gets the setting
 * of the launcher's that failed, "" for all else.
 */
int child_spawn(struct child *child, const struct child_spec *spec, char doing[CHILD_DOING_MAX]);
/* Closes the ends that were kept. As long as they are open the outputs have no end, so that a
 * process that ends wakes its keeper once, by pid_fd, and not also by each pipe. */
void child_let_go(struct child *child);
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
/* Appends its last lines to the outcome's reason, as many as have room: ": " and them, or them
 * alone if there is no reason yet. */
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

/* ---- environment.c ---- */

#define ENVIRONMENT_OWN 5 /* variables of a run */

struct environment;
struct environment_own {
    char id[40], tube[JOB_TUBE_NAME_MAX + 16], attempt[32], pri[32], submitted[48];
};

/* EINVAL: `why` says what is wrong with the list, which may be NULL. */
int environment_check(const char *const *list, char *why, size_t why_size);
/* `list` is copied; NULL or empty: all of the daemon's variables. ENOMEM. */
int environment_new(struct environment **out, const char *const *list);
void environment_free(struct environment **environment);
/* For one run, good as long as `own` and the environment; freed by one free. NULL: ENOMEM. */
char **environment_make(const struct environment *environment, struct environment_own *own,
                        const struct broker_lease *lease);

/* The same of other variables, of which those of a run must have been left out. */
char **environment_join(char *const *var, size_t count, struct environment_own *own,
                        const struct broker_lease *lease);
/* Whether a run sets this one ("NAME=value") itself. */
bool environment_is_own(const char *variable);

/* ---- launcher.c ---- */

/* hilera-exec, a row of each kind, "--". */
#define LAUNCHER_ARGUMENTS_MAX (8 + HANDLER_LIMIT_COUNT)

/* Directory, umask, limits, run_as, no_new_privs. EINVAL: `why` says what is wrong. */
int launcher_check(const struct handler_settings *settings, char *why, size_t why_size);
/* *out: for child_spec.launcher, freed by one free; NULL: it isn't needed. ENOMEM, EINVAL (why). */
int launcher_new(char ***out, const struct handler_settings *settings, char *why, size_t why_size);

/* ---- program.c ---- */

struct program {
    struct child_spec spec;
    const struct job_body *input;
    size_t output_max;
    int64_t kill_after_ns, drain_ns;
};

/* What of it the settings say, defaults filled in; spec is empty but for nofile. */
struct program program_of(const struct handler_settings *settings);
/* From its start to call->outcome. */
void program_run(const struct program *program, struct handler_call *call);

/* ---- verdict.c ---- */

/* `status` is wait's. */
void verdict_end(struct job_outcome *outcome, int status, const char *program);
/* It couldn't be started; rc and doing are child_spawn's. */
void verdict_no_start(struct job_outcome *outcome, int rc, const struct child_spec *spec,
                      const char *doing);

/* ---- find.c ---- */

/*
 * The file that a shell would run for `name`: *path, which is the caller's to free. NULL: the name
 * has a slash, and is the file. `places` is a PATH (NULL: the usual one), of which relative ones
 * are below `directory` (NULL: the daemon's). ENOENT; EACCES: there is one that can't be run;
 * ENOMEM.
 */
int program_find(char **path, const char *name, const char *places, const char *directory);

/* ---- command.c: a job that is a command ---- */

struct cJSON;

struct command {
    char **argv;
    char **env; /* NULL: none is given, which means the pool's */
    size_t env_count;
    const char *directory; /* NULL: not given */
    const char *input;     /* NULL: not given */
    bool has_umask;
    mode_t umask;
    struct cJSON *json; /* owns the texts */
};

/* Takes a body apart. EINVAL: `why` has what is wrong and what would be right. ENOMEM. Free with
 * command_fini after 0 only. */
int command_read(struct command *command, const char *bytes, size_t len, char *why,
                 size_t why_size);
void command_fini(struct command *command);

#endif
