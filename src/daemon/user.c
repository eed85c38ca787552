// SPDX-License-Identifier: MIT
/*
 * -u USER: root's rights for binding and opening, and none of them after.
 *
 * The user is looked up first, so that a wrong name is found before anything was done; the change
 * itself comes when addresses are bound and files are open, and before the first thread and the
 * first job. Groups are set before the user, for afterwards it isn't allowed any more; and that the
 * way back is closed is tried out, not assumed.
 *
 * The data directory is opened before, and must be that user's all the same. So the thread that
 * opens it takes that user's place towards files alone (setfsuid(2), which is each thread's own and
 * is inherited by the threads it makes), and listens as root right after.
 */
#include "daemon/program_priv.h"
#include "daemon/user_priv.h"

#include "base/log.h"
#include "config/config.h"
#include "journal/journal.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <unistd.h>

int user_find(struct user *user, const char *name)
{
    *user = (struct user){.change = false};
    if (name == NULL)
        return 0;
    errno = 0;
    const struct passwd *entry = getpwnam(name); // NOLINT(concurrency-mt-unsafe): no threads yet
    if (entry == NULL) {
        int rc = errno != 0 ? errno : ENOENT;
        fprintf(stderr, "hilerad: -u %s: %s\n", name,
                rc == ENOENT ? "there is no such user" : strerrordesc_np(rc));
        return rc;
    }
    *user = (struct user){.change = entry->pw_uid != geteuid(),
                          .name = name,
                          .uid = entry->pw_uid,
                          .gid = entry->pw_gid};
    if (geteuid() == 0 || !user->change)
        return 0;
    fprintf(stderr,
            "hilerad: -u %s: only root can become another user; start it as root or as %s\n", name,
            name);
    return EPERM;
}

/* Plug-ins are looked at where they are loaded. */
static int programs_check(const struct user *user, const struct config *config)
{
    char why[512];
    int rc = 0;
    for (size_t i = 0; i < config->pool_count; i++) {
        const struct config_pool *pool = &config->pool[i];
        if (pool->argv.count == 0 || !program_is_roots(pool, user))
            continue;
        int refused = program_trust(pool->argv.item[0], why, sizeof(why));
        if (refused != 0)
            pool_complain(config, pool, CONFIG_POOL_argv, why);
        rc = rc == 0 ? refused : rc;
    }
    return rc;
}

int user_check(const struct user *user, const struct config *config)
{
    int rc = programs_check(user, config);
    int kin = kin_check(user, config);
    return rc != 0 ? rc : kin;
}

static int identity_set(const struct user *user)
{
    if (initgroups(user->name, user->gid) != 0 || setresgid(user->gid, user->gid, user->gid) != 0 ||
        setresuid(user->uid, user->uid, user->uid) != 0)
        return errno;
    return setuid(0) == 0 && user->uid != 0 ? EPERM : 0;
}

/* Both calls tell what was before, and nothing of failure; asked with -1 they change nothing. */
static int file_identity_set(uid_t uid, gid_t gid)
{
    /* The group first: it takes the rights that the other one may give up. */
    (void)setfsgid(gid);
    (void)setfsuid(uid);
    return (uid_t)setfsuid((uid_t)-1) == uid && (gid_t)setfsgid((gid_t)-1) == gid ? 0 : EPERM;
}

int user_assume(const struct user *user, struct journal_error *error)
{
    if (!user->change)
        return 0;
    int rc = file_identity_set(user->uid, user->gid);
    if (rc != 0)
        snprintf(error->text, sizeof(error->text), "-u %s: can't open files as this user: %s",
                 user->name, strerrordesc_np(rc));
    return rc;
}

void user_resume(const struct user *user)
{
    if (!user->change)
        return;
    (void)setfsuid(geteuid());
    (void)setfsgid(getegid());
}

int user_become(const struct user *user)
{
    if (!user->change)
        return 0;
    int rc = identity_set(user);
    if (rc != 0)
        log_error("-u %s: can't become this user: %s", user->name, strerrordesc_np(rc));
    else
        log_notice("runs as %s, user %u and group %u, from here on", user->name, user->uid,
                   user->gid);
    return rc;
}
