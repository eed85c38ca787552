// SPDX-License-Identifier: MIT
/*
 * hilerad, the program: what is built and taken down as one (boot.c), the main thread's life
 * between (signals.c), and who starts the programs of pools (programs.c).
 *
 * This is the one folder that knows all the others. It reads the command line (options_priv.h) and
 * the configuration, turns them into each module's plain settings (settings_priv.h), wires the
 * modules together, starts them in order and stops them in reverse.
 */
#ifndef DAEMON_PRIV_H
#define DAEMON_PRIV_H

#include "config/config.h"
#include "worker/worker.h"

#include <hilera/lock.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct user;

/* ---- boot.c: start and stop ---- */

struct daemon {
    unsigned magic;
    const struct config *config; /* borrowed */
    struct programs *programs;   /* borrowed */
    struct trust *trust;
    struct history *history;
    struct datadir *datadir; /* NULL: nothing is kept */
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

/* ---- programs.c: who starts the programs of pools ---- */

struct programs;

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

#endif
