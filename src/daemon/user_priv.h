// SPDX-License-Identifier: MIT
/*
 * Who the daemon becomes, by -u. user.c does it.
 */
#ifndef DAEMON_USER_PRIV_H
#define DAEMON_USER_PRIV_H

#include "config/config.h"
#include "journal/journal.h"

#include <stdbool.h>
#include <sys/types.h>

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

#endif
