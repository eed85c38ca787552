// SPDX-License-Identifier: MIT
/*
 * What a pool's settings say of its programs, checked and made: who they are (identity.c), their
 * variables (environment.c), lists of strings (strings.c), and all of it together (programs.c).
 */
#ifndef WORKER_PROGRAMS_PRIV_H
#define WORKER_PROGRAMS_PRIV_H

#include "worker/worker.h"

#include <sys/types.h>

/* ---- strings.c ---- */

/* `count` strings, then NULL; freed by one free. NULL: out of memory. */
char **strings_copy(const char *const *list, size_t count);

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

#endif
