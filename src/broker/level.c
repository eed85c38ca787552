// SPDX-License-Identifier: MIT
/*
 * Levels: how durable the jobs of a tube are; and a tube's rules. A setting belongs to a name and
 * outlives the tube, which comes and goes; a tube without one has the level of the broker's
 * options.
 */
#include "broker/broker_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void level_apply(struct broker_tube *tube)
{
    const struct broker *broker = tube->broker;
    const struct tube_level *own = strmap_get(&broker->levels, tube->name, tube->name_len);
    tube->level = own != NULL ? own->level : broker->options.level;
    int64_t interval_ns = own != NULL ? own->interval_ns : broker->options.interval_ns;
    tube->rules = own != NULL ? own->rules : (struct job_rules){.set = 0};
    tube->within_ns = tube->level == BROKER_INTERVAL ? interval_ns : 0;
}

static struct tube_level *level_make(const struct broker *broker, const char *name, size_t len)
{
    struct tube_level *setting = calloc(1, sizeof(*setting) + len + 1);
    if (setting == NULL)
        return NULL;
    MAGIC_INIT(setting, BROKER_LEVEL_MAGIC);
    memcpy(setting->name, name, len);
    setting->name_len = len;
    setting->level = broker->options.level;
    setting->interval_ns = broker->options.interval_ns;
    return setting;
}

static void level_free(struct tube_level *setting)
{
    MAGIC_CHECK(setting, BROKER_LEVEL_MAGIC);
    MAGIC_WIPE(setting);
    free(setting);
}

HELD static int level_need(struct broker *broker, const char *name, size_t len,
                           struct tube_level **out)
{
    *out = strmap_get(&broker->levels, name, len);
    if (*out != NULL)
        return 0;
    struct tube_level *setting = level_make(broker, name, len);
    if (setting == NULL)
        return ENOMEM;
    int rc = strmap_put(&broker->levels, setting->name, len, setting);
    if (rc != 0)
        level_free(setting);
    else
        *out = setting;
    return rc;
}

int broker_tube_level(struct broker *broker, const char *name, size_t len, enum broker_level level,
                      int64_t interval_ns)
{
    int rc = job_tube_name_check(name, len);
    if (rc != 0)
        return rc;
    struct tube_level *setting;
    broker_lock(broker);
    rc = level_need(broker, name, len, &setting);
    if (rc == 0) {
        setting->level = level;
        setting->interval_ns = interval_ns;
        struct broker_tube *tube = tube_find(broker, name, len);
        if (tube != NULL)
            level_apply(tube);
    }
    broker_unlock(broker);
    return rc;
}

int broker_tube_rules(struct broker *broker, const char *name, size_t len,
                      const struct job_rules *rules)
{
    int rc = job_tube_name_check(name, len);
    if (rc != 0)
        return rc;
    struct tube_level *setting;
    broker_lock(broker);
    rc = level_need(broker, name, len, &setting);
    if (rc == 0) {
        setting->rules = *rules;
        struct broker_tube *tube = tube_find(broker, name, len);
        if (tube != NULL)
            level_apply(tube);
    }
    broker_unlock(broker);
    return rc;
}

void levels_free(struct broker *broker)
{
    size_t cursor = 0;
    struct tube_level *setting;
    while ((setting = strmap_next(&broker->levels, &cursor)) != NULL)
        level_free(setting);
    strmap_fini(&broker->levels);
}
