// SPDX-License-Identifier: MIT
/*
 * The journal's life in the daemon (store.c), where it is (store_place.c), and how the daemon
 * before ended (store_life.c).
 */
#ifndef DAEMON_STORE_PRIV_H
#define DAEMON_STORE_PRIV_H

#include "config/config.h"
#include "journal/journal.h"

#include <stdbool.h>
#include <stddef.h>

struct api_store;
struct broker;
struct history;
struct user;

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
int store_directory_open(const char *path, const struct user *user, int *fd,
                         struct journal_error *error);
/* Takes away what others may do with it, and says so. As its user. */
void store_directory_narrow(int fd, const char *path);

#endif
