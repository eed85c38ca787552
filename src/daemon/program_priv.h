// SPDX-License-Identifier: MIT
/*
 * Programs of pools: whether they can be run, and as whom (program.c), and what a job could become
 * that way (kin.c).
 */
#ifndef DAEMON_PROGRAM_PRIV_H
#define DAEMON_PROGRAM_PRIV_H

#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct user;

/* ---- program.c ---- */

/* Whether the program can be found and run, as far as can be seen. An errno: `why` says why not. */
int program_check(const char *name, char *why, size_t why_size);
/* Whom the programs of the pool run as; false: there is no such user. On the main thread. */
bool program_uid(const struct config_pool *pool, const struct user *user, uid_t *uid);
/* Whether the programs of the pool run as root. */
bool program_is_roots(const struct config_pool *pool, const struct user *user);
/* For such a pool: whether only root can change what an absolute path leads to. An errno: `why`. */
int program_trust(const char *name, char *why, size_t why_size);
/* A mistake in a pool, to standard error. */
void pool_complain(const struct config *config, const struct config_pool *pool, enum config_id id,
                   const char *text);

/* ---- kin.c: jobs of the daemon's own user ---- */

/*
 * With -u: whether a job of one pool could become root, through the rights of the daemon's user and
 * another pool. EPERM: it was said on standard error, for each such pool.
 */
int kin_check(const struct user *user, const struct config *config);
/* Warns in the log of pools whose jobs could become the user of another pool so. */
void kin_warn(const struct user *user, const struct config *config);

#endif
