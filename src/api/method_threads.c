// SPDX-License-Identifier: MIT
/*
 * The method `threads`: every thread of the daemon, from outside: who is there, and who waits for
 * what and since when. `waits_for` is null for one that runs.
 */
#include "api/api_priv.h"

#include <hilera/thread.h>

const struct api_param params_threads[] = {{.name = NULL}};

static void thread_visit(const struct hl_thread_info *info, void *arg)
{
    const struct out *threads = arg;
    struct out row = out_array_object(*threads);
    out_str(row, "name", info->name);
    out_u64(row, "ident", info->ident);
    out_i64(row, "native_id", info->native_id);
    out_bool(row, "daemon", info->daemon);
    out_bool(row, "alive", info->alive);
    if (info->waits_for[0] != '\0') {
        out_str(row, "waits_for", info->waits_for);
        out_str(row, "object", info->object);
        out_seconds(row, "waiting", info->waiting_ns);
    } else {
        out_null(row, "waits_for");
    }
}

int run_threads(struct api_call *call, const cJSON *params, struct out result)
{
    (void)call, (void)params;
    struct out threads = out_array(result, "threads");
    return hl_thread_enumerate(thread_visit, &threads);
}
