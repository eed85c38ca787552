// SPDX-License-Identifier: MIT
/*
 * Plug-ins inside the worker folder: a file that was loaded and checked, and the bridge between a
 * table of functions and the handlers' methods. The handlers null, echo and sleep are tables of the
 * same kind that are compiled in.
 */
#ifndef WORKER_PLUGIN_PRIV_H
#define WORKER_PLUGIN_PRIV_H

#include "worker/worker.h"

#include <hilera/plugin.h>

/* ---- plugin_load.c ---- */

/*
 * Loads the file and checks its table, which nothing of is called. *library: for plugin_unload.
 * EINVAL: `why` says what is wrong and what would be right.
 */
int plugin_load(const char *path, void **library, const struct hl_plugin **table, char *why,
                size_t why_size);
void plugin_unload(void **library);

/* ---- plugin.c ---- */

/*
 * The state of a handler, for a table that was checked; takes *library over (which may be NULL) and
 * nulls it, also when it fails. `settings` are read during the call only. What init answers, with
 * its words in `why`; ENOMEM.
 */
int plugin_open(const struct hl_plugin *table, void **library,
                const struct handler_settings *settings, void **state, char *why, size_t why_size);
/* The other methods of a handler; the state is of plugin_open. */
void plugin_close(void **state);
void plugin_run(void *state, struct handler_call *call);
void plugin_stop(void *state, uint64_t token);
bool plugin_is_brief(const void *state);

/* A handler that is a compiled-in plug-in: `table` is its struct hl_plugin. */
#define PLUGIN_BUILTIN(table)                                                                      \
    static int builtin_check(const struct handler_settings *settings, char *why, size_t why_size)  \
    {                                                                                              \
        (void)settings;                                                                            \
        (void)why;                                                                                 \
        (void)why_size;                                                                            \
        return 0;                                                                                  \
    }                                                                                              \
    static int builtin_open(const struct handler_settings *settings, void **state, char *why,      \
                            size_t why_size)                                                       \
    {                                                                                              \
        void *no_library = NULL;                                                                   \
        return plugin_open(&(table), &no_library, settings, state, why, why_size);                 \
    }

#endif
