// SPDX-License-Identifier: MIT
/*
 * Settings of tubes: how durable their jobs are, and their rules. A setting belongs to a name and
 * outlives the tube, which comes and goes; a tube without one is as durable as the ledger says, and
 * has no rules.
 */
#include "base/magic.h"
#include "ledger/tube.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SETTINGS_MAGIC 0xb40ce1e0u

void settings_apply(struct tube *tube)
{
    const struct ledger *ledger = tube->ledger;
    const struct tube_settings *own = strmap_get(&ledger->settings, tube->name, tube->name_len);
    tube->durability = own != NULL ? own->durability : ledger->durability;
    int64_t interval_ns = own != NULL ? own->interval_ns : ledger->interval_ns;
    tube->rules = own != NULL ? own->rules : (struct job_rules){.set = 0};
    tube->within_ns = tube->durability == DURABILITY_INTERVAL ? interval_ns : 0;
}

static struct tube_settings *settings_make(const struct ledger *ledger, const char *name,
                                           size_t len)
{
    struct tube_settings *settings = calloc(1, sizeof(*settings) + len + 1);
    if (settings == NULL)
        return NULL;
    MAGIC_INIT(settings, SETTINGS_MAGIC);
    memcpy(settings->name, name, len);
    settings->name_len = len;
    settings->durability = ledger->durability;
    settings->interval_ns = ledger->interval_ns;
    return settings;
}

static void settings_drop(struct tube_settings *settings)
{
    MAGIC_CHECK(settings, SETTINGS_MAGIC);
    MAGIC_WIPE(settings);
    free(settings);
}

int settings_need(struct ledger *ledger, const char *name, size_t len, struct tube_settings **out)
{
    *out = strmap_get(&ledger->settings, name, len);
    if (*out != NULL)
        return 0;
    struct tube_settings *settings = settings_make(ledger, name, len);
    if (settings == NULL)
        return ENOMEM;
    int rc = strmap_put(&ledger->settings, settings->name, len, settings);
    if (rc != 0)
        settings_drop(settings);
    else
        *out = settings;
    return rc;
}

void settings_free(struct ledger *ledger)
{
    size_t cursor = 0;
    struct tube_settings *settings;
    while ((settings = strmap_next(&ledger->settings, &cursor)) != NULL)
        settings_drop(settings);
    strmap_fini(&ledger->settings);
}
