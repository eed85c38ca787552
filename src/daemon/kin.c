// SPDX-License-Identifier: MIT
/*
 * Jobs that have the daemon's own user, beside jobs of other users.
 *
 * With -u the programs of a pool without run_as are the daemon's user, who may do everything
 * (builtin-owner): such a job can put jobs into the tubes of every pool, and take over what is
 * queued there. Where another pool has run_as it can become that user. Of root that is a mistake
 * and stops the start; of any other user it is a warning.
 *
 * A daemon that stays root has no such border: jobs of the daemon's user are root there already.
 */
#include "daemon/program_priv.h"
#include "daemon/user_priv.h"

#include "base/log.h"
#include "config/config.h"
#include "worker/worker.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* Whether its jobs are programs; *own: of the daemon's user, else of `uid`. */
static bool has_programs(const struct config_pool *pool, const struct user *user, uid_t *uid,
                         bool *own)
{
    if (!handler_find(pool->handler)->programs || !program_uid(pool, user, uid))
        return false;
    *own = *uid == user->uid;
    return true;
}

/* The first pool whose programs are root's, or that of another user. NULL: none. */
static const struct config_pool *other_find(const struct user *user, const struct config *config,
                                            bool roots)
{
    uid_t uid;
    bool own;
    for (size_t i = 0; i < config->pool_count; i++)
        if (has_programs(&config->pool[i], user, &uid, &own) && !own && (uid == 0) == roots)
            return &config->pool[i];
    return NULL;
}

static bool is_kin(const struct config_pool *pool, const struct user *user)
{
    uid_t uid;
    bool own = false;
    return has_programs(pool, user, &uid, &own) && own;
}

/* Whether the daemon gives root up: only then others than its user are worth more than it. */
static bool gives_up(const struct user *user)
{
    return user->change && user->uid != 0;
}

int kin_check(const struct user *user, const struct config *config)
{
    const struct config_pool *other = gives_up(user) ? other_find(user, config, true) : NULL;
    int rc = 0;
    for (size_t i = 0; other != NULL && i < config->pool_count; i++) {
        const struct config_pool *pool = &config->pool[i];
        char why[1024];
        if (!is_kin(pool, user))
            continue;
        snprintf(why, sizeof(why),
                 "its programs run as %s, the daemon's own user, who may put jobs into every tube; "
                 "the programs of pool \"%s\" run as root, so a job of \"%s\" could become root; "
                 "write run_as = \"USER\" in pool \"%s\", with another user than %s",
                 user->name, other->name, pool->name, pool->name, user->name);
        pool_complain(config, pool, CONFIG_POOL_run_as, why);
        rc = EPERM;
    }
    return rc;
}

void kin_warn(const struct user *user, const struct config *config)
{
    const struct config_pool *other = gives_up(user) ? other_find(user, config, false) : NULL;
    for (size_t i = 0; other != NULL && i < config->pool_count; i++) {
        const struct config_pool *pool = &config->pool[i];
        if (is_kin(pool, user))
            log_warning(
                "pool \"%s\" runs its programs as %s, the daemon's own user, who may put jobs into "
                "every tube; so a job of it could become %s, whom pool \"%s\" runs its programs "
                "as; run_as = \"USER\" in pool \"%s\", with another user than %s, is safer",
                pool->name, user->name, other->run_as, other->name, pool->name, user->name);
    }
}
