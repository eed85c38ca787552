// SPDX-License-Identifier: MIT
/*
 * Pools of worker threads, and the handlers they run jobs with.
 *
 * A worker is a plain blocking thread: take a job, run the handler, settle, again. A handler is a
 * const table of methods; adding one is one file and a row of handlers.def.
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "broker/broker.h"

/* ---- handlers ---- */

/* Limits of programs, from limits.def. */
enum handler_limit {
#define LIMIT(name, which) HANDLER_LIMIT_##name,
#include "worker/limits.def"
#undef LIMIT
    HANDLER_LIMIT_COUNT
};

/* What becomes of processes that a program leaves behind and that have left its group. */
enum handler_leftovers {
    HANDLER_LEFTOVERS_AUTO, /* left alone where programs are whoever started the daemon */
    HANDLER_LEFTOVERS_KILL,
    HANDLER_LEFTOVERS_LEAVE
};
enum handler_choice { HANDLER_AUTO, HANDLER_YES, HANDLER_NO };

struct spawner;

/* What a pool's configuration says about its handler; each handler's check names what it needs. */
struct handler_settings {
    const char *const
        *argv;          /* exec, coproc: program and arguments, ended by NULL; copied by open */
    const char *plugin; /* plugin: path of the shared object; NULL: not said */
    const char *const *arguments; /* plugin: for its init, ended by NULL; NULL: none */
    size_t output_max;     /* bytes kept of stdout and of stderr each; 0: HANDLER_OUTPUT_MAX */
    int64_t kill_after_ns; /* from TERM to KILL when a job is stopped; 0: HANDLER_KILL_AFTER_NS */
    /* command: who may have commands run; outlives the pool. NULL: root and the daemon's user. */
    const struct trust *trust;
    /* Of those that run programs, the spawner's table (worker_programs); NULL or "" where nothing
     * is said: */
    const char *directory;          /* where programs begin; an absolute path */
    const char *const *environment; /* which variables they get, ended by NULL (environment.c) */
    const char *run_as;             /* USER or USER:GROUP; for root */
    const char *user;   /* whom they are without run_as, if not whoever the daemon is; for root */
    const char *socket; /* the daemon's, for HILERA_SOCKET */
    bool apart;         /* they aren't whoever started the daemon, and have nothing of it */
    enum handler_choice no_new_privs; /* AUTO: where they are apart */
    enum handler_leftovers leftovers;
    bool umask_set;
    unsigned umask;
    struct {
        bool set;
        uint64_t most; /* soft and hard, in setrlimit's unit */
    } limit[HANDLER_LIMIT_COUNT];
    /* Who starts them, from that row of its table on. */
    struct spawner *spawner;
    unsigned row;
};

#define HANDLER_OUTPUT_MAX ((size_t)64 * 1024)
#define HANDLER_KILL_AFTER_NS (5 * HL_SECOND)

#define WORKER_TROUBLE_MAX 256

/* One run of a job. */
struct handler_call {
    const struct broker_lease *lease;
    int stop_fd;                 /* becomes readable (never read it) when the job must stop now */
    struct live *live;           /* who follows it (live_priv.h); NULL: nobody can */
    const _Atomic bool *leaving; /* the daemon ends, and waits for nobody that can't be stopped;
                                    NULL: it never does */
    struct job_outcome
        *outcome; /* initialised as DONE; started_ns is set. Times aren't the handler's */
    /* Set by the handler: it is RETURNED since no job can be started at the moment, and why. The
     * pool rests a little. "": nothing of that kind. */
    char rest[WORKER_TROUBLE_MAX];
};

struct shift; /* shift_priv.h */

struct handler {
    const char *name;
    const char *summary; /* one line for people */
    /* Its jobs say what the daemon does as its own user: they may come only from those who may do
     * that anyway. The doors see to it (trust.h), and the handler asks again. */
    bool guarded;
    /* It is compiled in and does nothing that could end the daemon, whatever the job is. */
    bool harmless;
    bool programs;        /* it runs programs: the settings' spawner must be there to open it */
    const char *variable; /* one more that its programs have, "NAME=value"; NULL: none */
    /* Whether the settings are enough. EINVAL: `why` says what is wrong and what would be right. */
    int (*check)(const struct handler_settings *settings, char *why, size_t why_size);
    /* Whether a job of that body could be run at all, as far as it shows at a put. EMSGSIZE: `why`
     * says how much is too much. Any thread; mustn't wait. NULL: it takes all. */
    int (*admit)(const char *bytes, size_t len, char *why, size_t why_size);
    /* Once for each pool. *state is passed to run by all its workers at once. ENOMEM, ...; a
     * sentence in `why` if there is more to say than the errno value does. */
    int (*open)(const struct handler_settings *settings, void **state, char *why, size_t why_size);
    void (*close)(void **state);
    /* Runs the job to its end and says how it ended; when stopped: RETURNED, with nothing of it
     * left running. NULL: serve is there. */
    void (*run)(void *state, struct handler_call *call);
    /* In place of run (`stop` and `is_brief` are NULL then), for who may have several jobs at once:
     * begins with the first job of the shift, may take more, and returns when it has none. */
    void (*serve)(void *state, struct shift *shift);
    /* The run of the lease with that token must stop, if it (still) runs; 0: all must, and those to
     * come. stop_fd is readable already. From any thread, while run runs, also more than once; must
     * not wait. NULL: stop_fd is enough. */
    void (*stop)(void *state, uint64_t token);
    /* Whether run never waits and takes microseconds: then a worker takes several jobs at once and
     * runs them one after the other. Asked once, after open. NULL: no. */
    bool (*is_brief)(const void *state);
    /* Why no job can run at the moment, half a sentence into `text`; false: they can. Any thread.
     * NULL: it never knows. */
    bool (*trouble)(void *state, char *text, size_t size);
};

/* By name; NULL: none. */
const struct handler *handler_find(const char *name);
/* The row at that place, or NULL behind the last: for lists and messages. */
const struct handler *handler_at(size_t index);

/* ---- programs: the rows of the spawner's table ---- */

struct spawn_program;
struct worker_programs;

/* Room for so many rows. ENOMEM. */
int worker_programs_new(struct worker_programs **out, size_t count);
/* The next row, of a handler with `programs`. EINVAL: `why` says what is wrong. ENOMEM. */
int worker_programs_add(struct worker_programs *programs, const struct handler *handler,
                        const struct handler_settings *settings, char *why, size_t why_size);
/* For spawner_start; count of them so far. */
const struct spawn_program *worker_programs_table(const struct worker_programs *programs,
                                                  size_t *count);
/* When the spawner is there. NULL: nothing happens. */
void worker_programs_free(struct worker_programs **programs);

/* ---- pools ---- */

struct worker_pool;

struct worker_pool_settings {
    const char *name;         /* at most 32 bytes; threads are called "<name>-<n>" from 1 */
    const char *const *tubes; /* "NAME" or "NAME:WEIGHT"; copied, as everything here */
    size_t tube_count;
    unsigned workers; /* 1 to WORKER_POOL_MAX */
    const char *handler;
    struct handler_settings handler_settings;
    struct job_rules rules; /* for jobs whose own rules, and whose tube's, don't say */
};

#define WORKER_POOL_MAX 1024
#define WORKER_POOL_NAME_MAX 32
#define WORKER_WEIGHT_MAX QUEUE_SHARE_WEIGHT_MAX

/*
 * A tube of a pool: *name_len bytes of the text are its name; *weight 0: it has none. EINVAL, and a
 * sentence in `why`. Weights decide among ready jobs of the same priority (broker_shares_new); a
 * tube without one, beside others with, has 1.
 */
int worker_tube_parse(const char *text, size_t *name_len, uint32_t *weight, char *why,
                      size_t why_size);
/* All of them. EINVAL: one is wrong, is there twice, or there is none. */
int worker_tubes_check(const char *const *tubes, size_t count, char *why, size_t why_size);

/* Not started. EINVAL: a sentence in `why` says what is wrong with the settings. ENOMEM, EMFILE:
 * `why` says what failed. */
int worker_pool_new(struct worker_pool **out, const struct worker_pool_settings *settings,
                    struct broker *broker, char *why, size_t why_size);
/* A pool that isn't running: never started, or stopped. */
void worker_pool_free(struct worker_pool **pool);

/* EAGAIN: the system has no more threads; those that ran are stopped again. EALREADY. */
int worker_pool_start(struct worker_pool *pool);
/* It isn't started yet because of this, half a sentence for its trouble; any thread may look. NULL:
 * nothing keeps it. The text is copied. */
void worker_pool_hold(struct worker_pool *pool, const char *why);

/* No more jobs are taken; running ones go on. Returns at once. For stopping several pools together.
 */
void worker_pool_quiesce(struct worker_pool *pool);
/*
 * Quiesces, gives running jobs `grace_ns` to end, then stops them (exec: TERM, then KILL) and waits
 * for that; their jobs are ready again. Returns when all threads have ended. Again: does nothing.
 */
void worker_pool_stop(struct worker_pool *pool, int64_t grace_ns);

/*
 * The steps of a stop one by one, for who stops several pools side by side. await: quiesces, and
 * waits until all threads have ended; ETIMEDOUT. hurry: running jobs are stopped now; returns at
 * once, and may be called from any thread, also while another one is in await or stop.
 */
int worker_pool_await(struct worker_pool *pool, int64_t timeout_ns);
void worker_pool_hurry(struct worker_pool *pool);

/* ---- changed while it runs; from any thread ---- */

/*
 * So many workers from now on, 0 to WORKER_POOL_MAX. More are there when it returns. Fewer: who has
 * no job ends at once, the others when their job has. EINVAL. ESHUTDOWN: the pool is stopping.
 * EAGAIN, ENOMEM: not all of the new ones could be made; EBUSY: not yet, since too many still end.
 * Those that could are there (stats tell how many).
 */
int worker_pool_resize(struct worker_pool *pool, unsigned workers);

/* While paused its workers take nothing; what runs goes on. Ends by worker_pool_pause(false). */
void worker_pool_pause(struct worker_pool *pool, bool paused);

/* Waits until no worker of a paused pool has a job. */
struct worker_quiet {
    struct later later; /* result: 0; ECANCELED: the pause was ended */
    struct worker_pool *pool;
};
/* 0: none has one; it isn't waited for. EINPROGRESS. ECANCELED: the pool isn't paused. */
int worker_pool_quiet_async(struct worker_pool *pool, struct worker_quiet *quiet);

const char *worker_pool_name(const struct worker_pool *pool);
/* Whether its handler could run a job that is put into that tube. EMSGSIZE, as the handler's admit;
 * 0 for other pools' tubes. Any thread. */
int worker_pool_admit(const struct worker_pool *pool, const char *tube, const char *bytes,
                      size_t len, char *why, size_t why_size);
/* Whether its handler runs programs. */
bool worker_pool_has_programs(const struct worker_pool *pool);

struct worker_pool_stats {
    const char *name, *handler; /* valid as long as the pool */
    const char *const *tubes;   /* likewise, names only */
    const uint32_t *weights;    /* likewise; NULL: they have none */
    size_t tube_count;
    unsigned workers; /* as wanted */
    unsigned busy;    /* in a handler now */
    unsigned leaving; /* beside the wanted ones: have a job still, and end with it */
    bool paused;
    char trouble[WORKER_TROUBLE_MAX]; /* why its handler can't run any job now; "": it can */
    /* attempts */
    uint64_t done, failed, retried, timeouts, crashed, cancelled, returned;
};
void worker_pool_stats(const struct worker_pool *pool, struct worker_pool_stats *stats);

/* ---- what running jobs have written; from any thread ---- */

#define WORKER_OUTPUT_MAX ((size_t)64 * 1024) /* bytes of each stream in one read */

struct worker_output {
    /* asked and answered */
    uint64_t id;
    uint32_t attempt;      /* 0: the one that runs now. Answered: the one that this is of */
    size_t out_at, err_at; /* bytes known already; answered: those of this read included */
    /* answered */
    struct buf out, err;               /* freed with worker_output_fini */
    bool ended;                        /* the attempt */
    bool more;                         /* can be read at once */
    bool out_truncated, err_truncated; /* it wrote more than is kept */
    int progress;                      /* percent; -1: none */
    char progress_text[JOB_PROGRESS_MAX];
};

/*
 * What an attempt of the broker's pools has written beyond what is known. If the one that is asked
 * for is over, and gone, it is the running one, from its beginning. ENOENT: nothing is known here,
 * since none of the job runs, or has written anything. ENOMEM.
 */
int worker_output_read(const struct broker *broker, struct worker_output *output);
void worker_output_fini(struct worker_output *output);

/* false: it doesn't run, or has told none. */
bool worker_output_progress(const struct broker *broker, uint64_t id, int *percent,
                            char text[JOB_PROGRESS_MAX]);

/* A running attempt that is to be stopped, and whose program can't be killed. *id 0: of any job,
 * and it is told which. Its pid, or 0: there is none. */
pid_t worker_stuck(const struct broker *broker, uint64_t *id);

/* Waits until there is something new of a job: output, progress, the end of an attempt that wrote.
 * All zero but later.fire before. */
struct worker_output_wait {
    struct later later;
    const struct broker *broker;
    uint64_t id;
    bool over; /* fired, about to be, cancelled, or needless */
};
/* `known`: attempt, out_at and err_at as a read answered them. 0: there is something already; it
 * isn't waited for. EINPROGRESS. ECANCELED: it was cancelled before. ENOMEM. */
int worker_output_async(const struct broker *broker, const struct worker_output *known,
                        struct worker_output_wait *wait);
/* later_cancel, but also another thread may use it, before the wait was asked for or while it is:
 * then it will not be. */
bool worker_output_cancel(struct worker_output_wait *wait);

#endif
