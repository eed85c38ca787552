// SPDX-License-Identifier: MIT
/*
 * hilerad, the program: what its files share.
 *
 * This is the one folder that knows all the others. It reads the command line and the
 * configuration, turns them into each module's plain settings, wires the modules together, starts
 * them in order and stops them in reverse.
 */
#ifndef DAEMON_PRIV_H
#define DAEMON_PRIV_H

#include "api/api.h"
#include "broker/broker.h"
#include "config/config.h"
#include "front/front.h"
#include "history/history.h"
#include "house/house.h"
#include "journal/journal.h"
#include "net/net.h"
#include "trust/trust.h"
#include "worker/worker.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* ---- options.c: the command line ---- */

/* Options that are tasks; others are letters, or options.c's own. */
enum { KEY_TASK_CHECK_CONFIG = 512, KEY_TASK_CHECK, KEY_TASK_SALVAGE, KEY_TASK_IMPORT };
#define TASK_ARGUMENTS_MAX 2

/* Parameters that options of the command line set: --listen, --threads, --log-level, -z,
 * --insecure, and at most five of options_keep.c. */
#define OPTIONS_OVERRIDES_MAX 10
/* beanstalkd's options that have nothing to set here: -n -c */
#define OPTIONS_LEGACY_COUNT 2

/* What -b, -f, -F and -s said; texts are owned. */
struct options_keep {
    char *directory;  /* absolute; NULL: not said */
    const char *sync; /* -f, of argv; NULL: not said, or -F came later */
    char *interval;   /* of -f as the configuration writes it; NULL: 0, or not said */
    bool never;       /* -F */
    char *segment;    /* NULL: not said */
    uint64_t segment_asked, segment_given;
};

struct task;

struct options {
    const char *config_file; /* NULL: where config_find_file says */
    char **listen; /* --listen and --port as the configuration writes them; owned, texts too */
    size_t listen_count;
    struct config_override override[OPTIONS_OVERRIDES_MAX];
    size_t override_count;
    const char *user;        /* NULL: whoever started it */
    unsigned verbosity;      /* how often -V was given */
    int ready_fd;            /* -1: none */
    const struct task *task; /* what to do in place of serving; NULL: serve */
    char *task_argument[TASK_ARGUMENTS_MAX];
    size_t task_arguments; /* given so far */
    bool memory;           /* --memory */
    struct options_keep keep;
    bool port_alone;
    bool legacy[OPTIONS_LEGACY_COUNT];
    /* of argv, as given: */
    char *log_level, *threads, *size, *port, *insecure;
    char **address; /* the array is ours */
    size_t address_count;
};

/* Reads argv. Prints and exits for --help, --version and mistakes (status 64). ENOMEM. */
int options_parse(struct options *options, int argc, char **argv);
void options_fini(struct options *options);
/* To the log: what options of beanstalkd mean here, one line each. */
void options_log(const struct options *options);

/* ---- memory.c ---- */

/* Sets the allocator; before there are threads. */
void memory_prepare(void);

/* ---- options_keep.c ---- */

/* For each option as it comes. ENOMEM. */
int keep_directory(struct options_keep *keep, const char *given);
int keep_sync(struct options_keep *keep, const char *given);
void keep_never(struct options_keep *keep);
int keep_segment(struct options_keep *keep, const char *given);
/* At the end: what they mean in the configuration. */
void keep_override(struct options *options);
void keep_log(const struct options *options);
void keep_fini(struct options_keep *keep);

/* ---- task.c: what hilerad does in place of serving ---- */

/* What a task has to do with. */
struct task_order {
    const struct config *config; /* NULL: of a task that does without */
    const struct user *user;
    char *const *argument;
};

/* One thing done once; its option is a row of options.c. */
struct task {
    int key;           /* of options.c */
    const char *name;  /* "--check" */
    const char *wants; /* its arguments, for messages */
    size_t arguments;  /* TASK_ARGUMENTS_MAX at most; the first is the option's own */
    bool configured;   /* needs the configuration, */
    int unconfigured;  /* and ends with this status when that can't be loaded */
    int (*run)(const struct task_order *order); /* its exit status */
};

/* The task of an option, or NULL. */
const struct task *task_find(int key);
/* A line of what a task has to say, to standard output; `arg` isn't used. */
void task_line(void *arg, const char *text);
/* One line, of whose text anything may be from outside: made printable. */
void line_print(FILE *to, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Flushes what was said: `status`, or 2 when it could not be written. */
int task_said(int status);

/* check.c, salvage.c, import.c */
int check_run(const struct task_order *order);
int salvage_run(const struct task_order *order);
int import_run(const struct task_order *order);

/* ---- process.c: what a process inherits, put in order before anything else ---- */

/*
 * Descriptors 0, 1 and 2 are open afterwards: what was closed is /dev/null, so that no socket ever
 * gets their numbers and takes what is meant for people. SIGXFSZ is ignored. An errno: /dev/null
 * can't be opened.
 */
int process_stdio(void);
/*
 * Closes all others that came along but `keep` (-1: none): a daemon that gives its rights up would
 * keep what it was never meant to have. Before anything is opened. Without /proc they are only
 * closed for the programs of jobs. An errno: the kernel is older than 5.11.
 */
int process_close(int keep);
/*
 * Signals: SIGPIPE ignored, SIGCHLD and the rest at their default, and those of signals.c blocked;
 * threads made later inherit that. SIGHUP and SIGINT stay ignored if they are. Before the first
 * thread.
 */
void process_signals(void);
/* Those of signals.c that process_signals blocked; as the first process SIGCHLD, too. */
const sigset_t *process_awaited(void);
/* Collects children that have ended. Only as the first process, to which everybody's orphans come:
 * whoever waits for one of its own then may be told that there is none. */
void process_collect(void);
/* Whether the process had a terminal then: SIGHUP says that this terminal is gone. */
bool process_on_terminal(void);
/*
 * Raises the soft limit on descriptors to the hard one, and, if that is less than `needed` and the
 * system lets us, the hard one too. The spawner, which was forked before, and so all programs, keep
 * what there was. That it doesn't reach is logged and no error.
 */
void process_descriptors(uint64_t needed);
/* When all is open that the daemon needs for itself: logs it if what is left isn't enough for `all`
 * programs at once, or for `one`. */
void process_descriptors_suffice(uint64_t one, uint64_t all);

/* ---- place.c: the usual socket ---- */

/*
 * The path of the usual socket and its directory, made if it isn't there (0755 for root, else
 * 0700): $RUNTIME_DIRECTORY (set by systemd), or /run/hilera for root, or $XDG_RUNTIME_DIR/hilera.
 * EACCES: it isn't to be trusted, as where XDG_RUNTIME_DIR is somebody else's. Any errno: the error
 * says what to do.
 */
int place_socket(char *path, size_t size, struct net_error *error);
/* The path alone; nothing is made. ENOENT, ENAMETOOLONG: "". */
int place_socket_path(char *path, size_t size);

/* ---- settings.c: the configuration as the modules want it ---- */

/* For config_load: what only the modules can say of the pools, and of who may what. */
void settings_check(const struct config *config, struct config_errors *errors);
/* The same; and users and groups that don't exist are mistakes, which a start only warns of. */
void settings_check_names(const struct config *config, struct config_errors *errors);
/* Of one pool; points into the configuration. programs_settle adds who starts its programs. */
void settings_of_pool(const struct config_pool *pool, struct worker_pool_settings *settings);
struct journal_settings settings_of_journal(const struct config *config, const char *directory);
/* Of an enum config_durability. */
enum broker_level settings_level(int64_t durability);
/* Those that the section says. */
struct job_rules settings_rules(const struct config_tube *tube);
struct job_rules settings_pool_rules(const struct config_pool *pool);
struct broker_options settings_of_broker(const struct config *config);
struct history_settings settings_of_history(const struct config *config);
/* As configured, or chosen from the processors this process may use: half of them, 1 to 8. */
unsigned settings_io_threads(const struct config *config);
/* Descriptors that may be open at once, with max_connections of them taken by connections. */
uint64_t settings_descriptors(const struct config *config);
/* Of one program while it is started: both ends of three pipes and of its keeper's channel. */
#define SETTINGS_DESCRIPTORS_PROGRAM 8
/* The same for all programs that pools may run at once; 0: they run none. */
uint64_t settings_descriptors_programs(const struct config *config);
/* max_connections, or as many as this process may have descriptors for. */
uint64_t settings_connections(const struct config *config);

/* ---- store.c: the journal's life in the daemon ---- */

struct store;

/* What the store tells, from any thread, without locks. */
struct store_hooks {
    void (*published)(void *arg);         /* more is durable than before; NULL: nobody waits */
    void (*failed)(int error, void *arg); /* nothing will be durable any more */
    struct history *history;              /* what its file misses comes from the journal */
    void *arg;
};

/*
 * Locks and opens the configured data directory, as that user. *out is NULL if nothing is kept, and
 * every function below takes that. Any errno: it was logged.
 */
int store_open(struct store **out, const struct config *config, const struct user *user);
/* Replays it into the new broker, and has what changes recorded from then on. Any errno: logged. */
int store_recover(struct store *store, struct broker *broker, const struct store_hooks *hooks);
/* When nobody changes anything any more: the last commit. EIO: something isn't durable; logged. */
int store_stop(struct store *store);
/* After the broker is freed. */
void store_close(struct store **store);
/* For `stats`; what is told of no store is zero. */
void store_tell(const struct store *store, struct api_store *out);
/* The data directory's descriptor, which stays the store's; -1: nothing is kept. */
int store_directory(const struct store *store);

/* ---- store_life.c: how the daemon before ended ---- */

/* Whether it was ended, and not told to end, since this machine was started. */
bool life_was_cut(int directory);
/* From now on; durable. Any errno: the end of this daemon will count as a stop. */
int life_begin(int directory);
/* This daemon stops by itself. */
void life_end(int directory);

/* ---- store_place.c: where jobs are kept ---- */

#define STORE_PATH_MAX 4096

/*
 * The data directory that is configured; "": nothing is kept. ENOENT, ENAMETOOLONG: the error says
 * what to do.
 */
int store_place(const struct config *config, char *path, size_t size, struct journal_error *error);
/*
 * Opens it as a descriptor, which is the caller's: made if it isn't there, and then the user's;
 * else it must be that already, on a way that nobody else can change, and so must be its files (see
 * base/trusted.h). Any errno: the error says what to do.
 */
struct user;
int store_directory_open(const char *path, const struct user *user, int *fd,
                         struct journal_error *error);
/* Takes away what others may do with it, and says so. As its user. */
void store_directory_narrow(int fd, const char *path);

/* ---- user.c: -u ---- */

/* Who the daemon becomes. */
struct user {
    bool change; /* false: it stays who it is, the rest doesn't count */
    const char *name;
    uid_t uid;
    gid_t gid; /* the user's primary group */
};

/* Looks the user up; NULL: nobody. EPERM, ENOENT, others: it was said on standard error. */
int user_find(struct user *user, const char *name);
/* Whether root's programs are root's. Any errno: it was said on standard error. */
int user_check(const struct user *user, const struct config *config);
/*
 * Files that this thread, and threads that it makes, open from here on are opened and made as that
 * user, until user_resume. EPERM: the error tells more.
 */
int user_assume(const struct user *user, struct journal_error *error);
void user_resume(const struct user *user);
/*
 * Becomes that user with all of its groups, for good. While there is one thread. Any errno: it was
 * logged; what it is by then is undefined, so end.
 */
int user_become(const struct user *user);

/* ---- program.c ---- */

/* Whether the program can be found and run, as far as can be seen. An errno: `why` says why not. */
int program_check(const char *name, char *why, size_t why_size);
struct user;
/* Whom the programs of the pool run as; false: there is no such user. On the main thread. */
bool program_uid(const struct config_pool *pool, const struct user *user, uid_t *uid);
/* Whether the programs of the pool run as root. */
bool program_is_roots(const struct config_pool *pool, const struct user *user);
/* For such a pool: whether only root can change what an absolute path leads to. An errno: `why`. */
int program_trust(const char *name, char *why, size_t why_size);

/* ---- kin.c: jobs of the daemon's own user ---- */

/*
 * With -u: whether a job of one pool could become root, through the rights of the daemon's user and
 * another pool. EPERM: it was said on standard error, for each such pool.
 */
int kin_check(const struct user *user, const struct config *config);
/* Warns in the log of pools whose jobs could become the user of another pool so. */
void kin_warn(const struct user *user, const struct config *config);
/* A mistake in a pool, to standard error. */
void pool_complain(const struct config *config, const struct config_pool *pool, enum config_id id,
                   const char *text);

/* ---- programs.c: who starts the programs of pools ---- */

struct programs;
struct daemon;

/* Forks the spawner, if a pool runs programs: while there is one thread, before files are opened
 * and rights are given up. Any errno: it was logged. */
int programs_start(struct programs **out, const struct config *config, const struct user *user);
/* Completes the settings of a pool; for each pool once, in the order of the configuration. */
void programs_settle(struct programs *programs, struct worker_pool_settings *settings);
/* With the data directory's descriptor (-1: nothing is kept). Any errno: it was logged. */
int programs_lock(struct programs *programs, int directory);
/* Starts all pools; those with programs as soon as none of a daemon before is left, perhaps later,
 * on a thread. Any errno: it was logged. */
int programs_run(struct programs *programs, struct daemon *daemon);
/* No pool is started from here on. NULL: nothing happens. */
void programs_wait_no_more(struct programs *programs);
/* When all pools are freed. */
void programs_end(struct programs **programs);

/* ---- acl.c: acl sections as rules ---- */

#define ACL_GROUP "hilera" /* its members are operators */

/* Rules, and what they point to beside the configuration. */
struct acl_rules {
    struct trust_rule *rule; /* of each section */
    size_t count;
    uint32_t *command_users;
    size_t command_user_count;
    gid_t *command_groups;
    size_t command_group_count;
};

/* Every mistake; `names`: users and groups that don't exist are mistakes, too. On the main thread,
 * as all here. */
void acl_check(const struct config *config, bool names, struct config_errors *errors);
/* Of a configuration that was checked; names that don't exist are warned of in the log. ENOMEM. */
int acl_rules_make(struct acl_rules *rules, const struct config *config);
void acl_rules_free(struct acl_rules *rules);

/* ---- access.c: who may what ---- */

/* Whether this daemon is a user's own: not started by root, and not the system's service. */
bool access_is_personal(void);
/* The table. Any errno: why was logged. */
int access_build(struct trust **out, const struct config *config, const struct user *user);
/* What a start says of it. */
void access_log(const struct config *config);
/* The table to standard output. */
void access_print(const struct config *config, const struct trust *trust, const struct user *user);
/* The mode of the Unix sockets. */
mode_t access_socket_mode(const struct config *config, const struct trust *trust,
                          const struct user *user);
/* The group of the Unix sockets, and whose process they are to serve. */
struct net_owner access_socket_owner(const struct user *user);

/* ---- guard.c: where jobs are commands ---- */

/* Whether a pool that runs commands serves that tube. */
bool guard_has(const struct config *config, const char *tube, size_t len);

/* ---- boot.c: start and stop ---- */

struct daemon {
    unsigned magic;
    const struct config *config; /* borrowed */
    struct programs *programs;   /* borrowed */
    struct trust *trust;
    struct history *history;
    struct store *store; /* NULL: nothing is kept */
    struct broker *broker;
    struct worker_pool **pool;
    size_t pool_count;
    struct house *house;
    struct api *api;
    struct front *front;
    struct net *net;
    hl_lock *rest_lock;  /* who tells the broker whether its consumers rest */
    hl_lock *drain_lock; /* NULL: not built that far */
    bool draining;       /* covered by drain_lock, with the next */
    bool stopping;
    _Atomic(struct net *) gated; /* whose answers wait for the journal; NULL: none yet */
    int failed_fd; /* an eventfd: readable when the journal has failed; -1: not built that far */
    _Atomic int failed; /* why; 0: it hasn't */
};

/* Builds and starts all of it. Any errno: what failed was logged, nothing is left running. */
int daemon_start(struct daemon **out, const struct config *config, const struct user *user,
                 struct programs *programs);
/*
 * The stop, in three steps, in this order. drain: no new connections and jobs, at once. finish:
 * waits for running jobs, `grace_ns` at most, then ends them; daemon_hurry, from another thread,
 * ends that waiting. free: stops the rest, answers first, and frees everything; EIO: not all that
 * was changed is durable (logged).
 */
void daemon_drain(struct daemon *daemon);
void daemon_finish(struct daemon *daemon, int64_t grace_ns);
void daemon_hurry(struct daemon *daemon);
int daemon_free(struct daemon **daemon);

/* ---- drain.c ---- */

/* Whether puts are refused; idempotent. ESHUTDOWN: the daemon is stopping, so they stay refused.
 * From any thread. */
int daemon_set_draining(struct daemon *daemon, bool draining);
/* The stop's: puts are refused, and nothing changes that any more. */
void daemon_drain_for_good(struct daemon *daemon);

/* ---- log_thread.c ---- */

/* From here on that thread writes the log, and nobody else waits for who reads it. An errno of
 * pthread_create, ENOMEM. */
int log_thread_start(void);
/* Lets it write the last lines, for 2 s at most. */
void log_thread_stop(void);

/* ---- ending.c: an exit() that isn't main's ---- */

/* From here on an exit() ends the process at once, with a line and status 1; until the other.
 * ENOMEM. */
int ending_watch(void);
void ending_expected(void);

/* ---- signals.c: the main thread's life between start and stop ---- */

/* The signals the main thread waits for, which process_signals blocks. */
#define SIGNALS_AWAITED                                                                            \
    {                                                                                              \
        SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1                                                  \
    }

/*
 * Waits for signals until the daemon has finished its jobs: SIGQUIT prints the threads, SIGUSR1
 * drains; the first of the others begins the stop, a second one ends its patience. SIGHUP counts
 * where there was a terminal. `ready` is called when it waits for them, which is the last that a
 * start does. EIO: it has stopped because the journal failed. Another errno (logged): it can't wait
 * for signals, and has ended what ran.
 */
int signals_serve(struct daemon *daemon, void (*ready)(struct daemon *daemon, void *arg),
                  void *arg);

/* ---- threads.c ---- */

/* Every thread of the program to the log, a line each. */
void threads_log(void);

/* ---- notify.c: telling the service manager ---- */

/*
 * Takes $NOTIFY_SOCKET out of the environment, so that child processes don't speak in the daemon's
 * name, and remembers it. Once, before the first thread.
 */
void notify_init(void);
/* Sends a state, such as "READY=1"; see sd_notify(3) for the words. Waits so long at most for a
 * manager that doesn't read; 0: not at all. Nobody there, or a failure (logged): nothing happens.
 */
#define NOTIFY_PATIENCE_MS 5000
void notify_send(const char *state, int patience_ms);
/* For --ready-fd: writes the listeners' names, a line each, and closes the descriptor. On a thread
 * of its own, so that nobody waits for who reads it. */
void notify_ready_fd(int fd, const struct net *net);

#endif
