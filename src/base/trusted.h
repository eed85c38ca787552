// SPDX-License-Identifier: MIT
/*
 * Opening what is trusted: files whose content decides what is run, and directories that nobody
 * else may have a hand in.
 *
 * A name proves nothing: whoever may write a directory on the way chooses what the name leads to.
 * So the way is walked from `/`, a part at a time, and each directory on it must belong to root or
 * to us and be written by nobody else, or be sticky and what follows root's or ours. Where root
 * opens for another user, the owner doesn't change again once a part isn't root's. Links are
 * followed where they belong to root or to us. What is decided in the end is decided by fstat, on
 * what was opened.
 *
 * A way that was found good stays good: nobody but root and us can change any part of it. So what
 * must be opened by name afterwards (by a loader, by SQLite) may be.
 *
 * "Us" is whoever uses what is opened: the user of this process, or the one that it becomes. "Root"
 * is uid 0; in a user namespace whose `/` belongs to nobody who has a uid there, nobody, too. A
 * group that may write counts as somebody else, but for the private group of the owner (of the
 * owner's name, without other members). Parts on procfs are refused: their links lead elsewhere
 * than they say.
 *
 * Any thread, though names of users are looked up for a group's rights and for messages.
 */
#ifndef BASE_TRUSTED_H
#define BASE_TRUSTED_H

#include <stdbool.h>
#include <sys/types.h>

enum trusted_kind {
    TRUSTED_CONFIGURATION, /* root's or ours; others may read it */
    TRUSTED_PLUGIN,        /* likewise */
    TRUSTED_PROGRAM,       /* likewise; the descriptor is no more than a place (O_PATH) */
    TRUSTED_STATE,         /* a directory that is ours, not written by others */
    TRUSTED_RUNTIME        /* a directory that is root's or ours, for sockets; may be sticky */
};

/* A sentence for people: what is wrong with which part of the way, and what would help. */
struct trusted_error {
    char text[512];
};

/*
 * Opens it. FIFOs, devices and what else isn't of the kind are refused without waiting for anybody.
 * *fd is closed at an exec. EACCES: not to be trusted. ENOENT, ENOTDIR, EISDIR, EINVAL (neither
 * file nor directory), ELOOP, ENAMETOOLONG, others as from the system. The error always says more.
 */
int trusted_open(const char *path, enum trusted_kind kind, uid_t us, int *fd,
                 struct trusted_error *error);

/* Who gets a directory that is made. */
struct trusted_owner {
    uid_t uid;
    gid_t gid;
    bool give;   /* they aren't those of this process, which is root's */
    mode_t mode; /* 0: 0700 */
};

/*
 * The same for a directory, which is made if it isn't there, with what is missing above it: that
 * for us alone (0700), or above one that is given away, for others to pass (0755). It is given by
 * its descriptor, never by name, and only where nobody but root could have put another in its
 * place.
 */
int trusted_make(const char *path, enum trusted_kind kind, const struct trusted_owner *owner,
                 int *fd, struct trusted_error *error);

/* A user for messages: "NAME (uid 7)", or "uid 7" where nobody has that name. */
const char *trusted_user_text(uid_t uid, char *text, size_t size);

#endif
