// SPDX-License-Identifier: MIT
/*
 * Who may have commands run, and in which tubes they are (api.h, api_guards), as the configuration
 * says it.
 */
#include "daemon/daemon_priv.h"

#include "base/json.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>

int guard_user(const char *text, uid_t *uid)
{
    uint64_t number;
    if (json_parse_u64(text, &number) == 0 && number < UINT32_MAX) {
        *uid = (uid_t)number;
        return 0;
    }
    const struct passwd *entry = getpwnam(text);
    if (entry == NULL)
        return ENOENT;
    *uid = entry->pw_uid;
    return 0;
}

bool guard_has(const struct config *config, const char *tube, size_t len)
{
    char why[512];
    for (size_t i = 0; i < config->pool_count; i++) {
        const struct config_pool *pool = &config->pool[i];
        if (!handler_find(pool->handler)->guarded)
            continue;
        for (size_t k = 0; k < pool->tubes.count; k++) {
            size_t name_len;
            uint32_t weight;
            if (worker_tube_parse(pool->tubes.item[k], &name_len, &weight, why, sizeof(why)) == 0 &&
                name_len == len && memcmp(pool->tubes.item[k], tube, len) == 0)
                return true;
        }
    }
    return false;
}
