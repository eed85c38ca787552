// SPDX-License-Identifier: MIT
/*
 * The process: what it inherits (process.c), its memory, its log, its threads, how it ends, and
 * what it tells the service manager (notify.c).
 */
#ifndef DAEMON_PROCESS_PRIV_H
#define DAEMON_PROCESS_PRIV_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct net;

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

/* ---- memory.c ---- */

/* Sets the allocator; before there are threads. */
void memory_prepare(void);

/* ---- ending.c: an exit() that isn't main's ---- */

/* From here on an exit() ends the process at once, with a line and status 1; until the other.
 * ENOMEM. */
int ending_watch(void);
void ending_expected(void);

/* ---- log_thread.c ---- */

/* From here on that thread writes the log, and nobody else waits for who reads it. An errno of
 * pthread_create, ENOMEM. */
int log_thread_start(void);
/* Lets it write the last lines, for 2 s at most. */
void log_thread_stop(void);

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
