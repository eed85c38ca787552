// SPDX-License-Identifier: MIT
/*
 * The journal's life in the daemon (datadir.c), where it is (datadir_place.c), and how the daemon
 * before ended (datadir_life.c).
 */
#ifndef DAEMON_DATADIR_PRIV_H
#define DAEMON_DATADIR_PRIV_H

#include "config/config.h"
#include "journal/journal.h"

#include <stdbool.h>
#include <stddef.h>

struct api_store;
struct broker;
struct history;
struct user;

/* ---- datadir.c: the journal's life in the daemon ---- */

struct datadir;

/* What it tells, from any thread, without locks. */
struct datadir_hooks {
    void (*published)(void *arg);         /* more is durable than before; NULL: nobody waits */
    void (*failed)(int error, void *arg); /* nothing will be durable any more */
    struct history *history;              /* what its file misses comes from the journal */
    void *arg;
};

/*
 * Locks and opens the configured data directory, as that user. *out is NULL if nothing is kept, and
 * every function below takes that. Any errno: it was logged.
 */
int datadir_open(struct datadir **out, const struct config *config, const struct user *user);
/* Replays it into the new broker, and has what changes recorded from then on. Any errno: logged. */
int datadir_recover(struct datadir *datadir, struct broker *broker,
                    const struct datadir_hooks *hooks);
/* When nobody changes anything any more: the last commit. EIO: something isn't durable; logged. */
int datadir_stop(struct datadir *datadir);
/* After the broker is freed. */
void datadir_close(struct datadir **datadir);
/* For `stats`; what is told of no directory is zero. */
void datadir_tell(const struct datadir *datadir, struct api_store *out);
/* The data directory's descriptor, which stays its own; -1: nothing is kept. */
int datadir_directory(const struct datadir *datadir);

/* ---- datadir_life.c: how the daemon before ended ---- */

/* Whether it was ended, and not told to end, since this machine was started. */
bool life_was_cut(int directory);
/* From now on; durable. Any errno: the end of this daemon will count as a stop. */
int life_begin(int directory);
/* This daemon stops by itself. */
void life_end(int directory);

/* ---- datadir_place.c: where jobs are kept ---- */

#define DATADIR_PATH_MAX 4096

/*
 * The data directory that is configured; "": nothing is kept. ENOENT, ENAMETOOLONG: the error says
 * what to do.
 */
int datadir_place(const struct config *config, char *path, size_t size,
                  struct journal_error *error);
/*
 * Opens it as a descriptor, which is the caller's: made if it isn't there, and then the user's;
 * else it must be that already, on a way that nobody else can change, and so must be its files (see
 * base/trusted.h). Any errno: the error says what to do.
 */
int datadir_directory_open(const char *path, const struct user *user, int *fd,
                           struct journal_error *error);
/* Takes away what others may do with it, and says so. As its user. */
void datadir_directory_narrow(int fd, const char *path);

#endif
