// SPDX-License-Identifier: MIT
/*
 * Tubes whose jobs say what the daemon does as its own user (struct handler, guarded), and who may
 * put into them.
 *
 * The doors ask before a job goes into a tube: put, submit and move do. The list is made once,
 * since pools don't change their tubes; without such a pool asking costs a comparison.
 */
#include "api/api_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int guard_fill(struct api *api)
{
    size_t most = 0;
    struct worker_pool_stats stats;
    for (size_t i = 0; i < api->links.pool_count; i++) {
        worker_pool_stats(api->links.pools[i], &stats);
        most += stats.tube_count;
    }
    api->guarded = calloc(most + 1, sizeof(*api->guarded));
    if (api->guarded == NULL)
        return ENOMEM;
    for (size_t i = 0; i < api->links.pool_count; i++) {
        worker_pool_stats(api->links.pools[i], &stats);
        if (handler_find(stats.handler)->guarded)
            for (size_t k = 0; k < stats.tube_count; k++)
                api->guarded[api->guarded_count++] = stats.tubes[k];
    }
    return 0;
}

bool api_guards(const struct api *api, const char *tube, size_t len)
{
    MAGIC_CHECK(api, API_MAGIC);
    for (size_t i = 0; i < api->guarded_count; i++)
        if (strlen(api->guarded[i]) == len && memcmp(api->guarded[i], tube, len) == 0)
            return true;
    return false;
}

bool api_trusts(const struct api *api, uid_t uid)
{
    MAGIC_CHECK(api, API_MAGIC);
    if (uid == 0 || uid == geteuid())
        return true;
    for (size_t i = 0; i < api->links.command_user_count; i++)
        if (api->links.command_users[i] == uid)
            return true;
    return false;
}

int api_guard_refuse(char *why, size_t why_size, const char *tube)
{
    snprintf(why, why_size,
             "jobs of the tube \"%s\" are commands, which are run; they are taken over the "
             "daemon's Unix socket only, from its own user, root, and the command_users of its "
             "configuration",
             tube);
    return EACCES;
}
