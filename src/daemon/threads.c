// SPDX-License-Identifier: MIT
/*
 * Every thread to the log: what SIGQUIT prints. The same picture as `hilera threads`, for when no
 * client gets through.
 */
#include "daemon/process_priv.h"

#include "base/log.h"
#include "thr/thr.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void thread_log(const struct hl_thread_info *info, void *arg)
{
    size_t *count = arg;
    (*count)++;
    char waits[sizeof(info->waits_for) + sizeof(info->object) + 64] = "runs";
    if (info->waits_for[0] != '\0')
        snprintf(waits, sizeof(waits), "waits for %s%s%s since %" PRId64 ".%03" PRId64 " s",
                 info->waits_for, info->object[0] != '\0' ? " " : "", info->object,
                 info->waiting_ns / HL_SECOND, info->waiting_ns % HL_SECOND / HL_MILLISECOND);
    log_notice("thread %s id %" PRIu64 " tid %d%s%s %s", info->name, info->ident,
               (int)info->native_id, info->daemon ? " daemon" : "", info->alive ? "" : " ended",
               waits);
}

void threads_log(void)
{
    size_t count = 0;
    log_notice("threads:");
    int rc = hl_thread_enumerate(thread_log, &count);
    if (rc != 0)
        log_error("the threads can't be listed: %s", strerrordesc_np(rc));
    else
        log_notice("%zu threads", count);
}
