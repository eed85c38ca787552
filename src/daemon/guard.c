// SPDX-License-Identifier: MIT
/*
 * In which tubes jobs are commands, as the configuration says it.
 */
#include "daemon/settings_priv.h"

#include "config/config.h"
#include "worker/worker.h"

#include <string.h>

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
