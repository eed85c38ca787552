// SPDX-License-Identifier: MIT
/*
 * Health: one word for monitors, and a sentence when it isn't good.
 *
 *   green    all is well
 *   yellow   it serves, but somebody should look: the disk is full, the start has found damage, a
 *            program can't be killed
 *   red      nothing is durable any more; the daemon is about to stop
 *
 * The worst counts. A new concern is a branch of health_get, the worst first.
 */
#include "api/api_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct health {
    const char *word;
    char reason[WORKER_TROUBLE_MAX + 128]; /* "": all is well */
};

/* A pool whose handler can't run any job just now. */
static void health_of_pools(const struct api *api, struct health *health)
{
    for (size_t i = 0; i < api->links.pool_count; i++) {
        struct worker_pool_stats pool;
        worker_pool_stats(api->links.pools[i], &pool);
        if (pool.trouble[0] == '\0')
            continue;
        health->word = "yellow";
        snprintf(health->reason, sizeof(health->reason), "the pool %s can't run jobs now: %s",
                 pool.name, pool.trouble);
        return;
    }
}

/* A worker that is held by a program. */
static void health_of_programs(const struct api *api, struct health *health)
{
    uint64_t id = 0;
    pid_t pid = worker_stuck(api->links.broker, &id);
    if (pid == 0)
        return;
    health->word = "yellow";
    snprintf(health->reason, sizeof(health->reason),
             "the program of job %" PRIu64 ", pid %d, is to be stopped and can't be killed; root "
             "can: kill -KILL %d",
             id, (int)pid, (int)pid);
}

static void health_get(const struct api *api, struct health *health)
{
    struct store_stats stats;
    struct api_store store = {.directory = NULL};
    broker_store_stats(api->links.broker, &stats);
    if (api->links.store != NULL)
        api->links.store(&store, api->links.arg);
    *health = (struct health){.word = "green"};
    int error = stats.journal.broken != 0 ? stats.journal.broken : stats.commit.failed;
    if (error != 0) {
        health->word = "red";
        snprintf(health->reason, sizeof(health->reason),
                 "the journal has failed (%s): nothing is durable any more",
                 strerrordesc_np(error));
    } else if (stats.journal.full) {
        health->word = "yellow";
        snprintf(health->reason, sizeof(health->reason),
                 "the disk is full: puts are refused, everything else goes on");
    } else if (store.damages > 0) {
        health->word = "yellow";
        snprintf(health->reason, sizeof(health->reason),
                 "the data directory was found damaged in %" PRIu64 " places: see the log",
                 store.damages);
    } else {
        health_of_programs(api, health);
        health_of_pools(api, health);
    }
}

void out_health(struct out out, const struct api *api)
{
    struct health health;
    health_get(api, &health);
    out_str(out, "health", health.word);
    if (health.reason[0] != '\0')
        out_str(out, "health_reason", health.reason);
}
