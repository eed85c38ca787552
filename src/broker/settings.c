// SPDX-License-Identifier: MIT
/*
 * What is set for the name of a tube: how durable its jobs are, and its rules (settings.c).
 */
#include "broker/state_priv.h"

/* Locked if the answer is 0. */
IS_LOCK static int settings_begin(struct broker *broker, const char *name, size_t len,
                                  struct tube_settings **settings)
{
    int rc = job_tube_name_check(name, len);
    if (rc != 0)
        return rc;
    broker_lock(broker);
    rc = settings_need(&broker->ledger, name, len, settings);
    if (rc != 0)
        broker_unlock(broker);
    return rc;
}

/* The tube of that name, if there is one, learns of it. */
IS_LOCK static void settings_end(struct broker *broker, const struct tube_settings *settings)
{
    struct tube *tube = tube_find(&broker->ledger, settings->name, settings->name_len);
    if (tube != NULL)
        settings_apply(tube);
    broker_unlock(broker);
}

int broker_tube_durability(struct broker *broker, const char *name, size_t len,
                           enum durability durability, int64_t interval_ns)
{
    struct tube_settings *settings;
    int rc = settings_begin(broker, name, len, &settings);
    if (rc != 0)
        return rc;
    settings->durability = durability;
    settings->interval_ns = interval_ns;
    settings_end(broker, settings);
    return 0;
}

int broker_tube_rules(struct broker *broker, const char *name, size_t len,
                      const struct job_rules *rules)
{
    struct tube_settings *settings;
    int rc = settings_begin(broker, name, len, &settings);
    if (rc != 0)
        return rc;
    settings->rules = *rules;
    settings_end(broker, settings);
    return 0;
}
