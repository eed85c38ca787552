// SPDX-License-Identifier: MIT
/*
 * The handler that runs jobs by the functions of a shared object; see <hilera/plugin.h> and
 * hilera-plugin(3).
 *
 * The check loads the file, too, and lets it go again: whether a plug-in is good is seen at
 * --check-config, with the line of the configuration.
 */
#include "worker/plugin_priv.h"
#include "worker/worker_priv.h"

static int file_check(const struct handler_settings *settings, char *why, size_t why_size)
{
    void *library = NULL;
    const struct hl_plugin *table;
    int rc = plugin_load(settings->plugin, &library, &table, why, why_size);
    plugin_unload(&library);
    return rc;
}

static int file_open(const struct handler_settings *settings, void **state, char *why,
                     size_t why_size)
{
    void *library = NULL;
    const struct hl_plugin *table;
    int rc = plugin_load(settings->plugin, &library, &table, why, why_size);
    return rc != 0 ? rc : plugin_open(table, &library, settings, state, why, why_size);
}

const struct handler handler_plugin = {
    .name = "plugin",
    .summary = "calls a function of a shared object for each job",
    .check = file_check,
    .open = file_open,
    .close = plugin_close,
    .run = plugin_run,
    .stop = plugin_stop,
    .is_brief = plugin_is_brief,
};
