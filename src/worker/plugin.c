// SPDX-License-Identifier: MIT
/*
 * The bridge between a plug-in and the pools: the methods of a handler on one side, the functions
 * of <hilera/plugin.h> on the other.
 *
 * A run lives on the stack of its worker. Only where the plug-in has a function to cancel with are
 * runs also in a list, under a lock, from before the plug-in's run is called until after it
 * returned; stopping walks that list. The lock is held while cancel is called, which is what keeps
 * a run from ending under it. A run that enters after the stop is refused, so none is missed.
 *
 * What the plug-in says of a run goes straight into the outcome, which is its worker's until it is
 * settled: the reason without a lock, output and progress as others may follow them (live.c).
 *
 * What comes from a plug-in is checked: a verdict that is none is a failure with a name.
 */
#include "base/log.h"
#include "base/magic.h"
#include "worker/live_priv.h"
#include "worker/plugin_priv.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLUGIN_MAGIC 0x3e3e9102u

struct plugin {
    unsigned magic;
    const struct hl_plugin *table;
    void *library; /* NULL: compiled in */
    struct hl_plugin_host host;
    void *state; /* the plug-in's */
    size_t output_max;
    hl_lock *lock;    /* NULL: it can't cancel */
    struct list runs; /* covered by lock, as is what follows */
    bool stopping;
};

struct hl_plugin_run {
    struct plugin *plugin;
    struct job_outcome *outcome;
    struct live *live;
    struct list_node node; /* covered by the plug-in's lock */
    _Atomic bool cancelled;
    uint64_t token; /* of its lease */
    int stop_fd;
};

static bool stop_is_set(int stop_fd)
{
    struct pollfd look = {.fd = stop_fd, .events = POLLIN};
    return poll(&look, 1, 0) > 0;
}

/* ---- the host: what a plug-in may call ---- */

static void host_log(const struct hl_plugin_host *host, enum hl_plugin_level level,
                     const char *text)
{
    static const enum log_level levels[] = {[HL_PLUGIN_ERROR] = LOG_LEVEL_ERROR,
                                            [HL_PLUGIN_WARNING] = LOG_LEVEL_WARNING,
                                            [HL_PLUGIN_NOTICE] = LOG_LEVEL_NOTICE,
                                            [HL_PLUGIN_INFO] = LOG_LEVEL_INFO,
                                            [HL_PLUGIN_DEBUG] = LOG_LEVEL_DEBUG};
    const struct plugin *plugin =
        (const void *)((const char *)host - offsetof(struct plugin, host));
    MAGIC_CHECK(plugin, PLUGIN_MAGIC);
    bool known = (unsigned)level < sizeof(levels) / sizeof(levels[0]);
    log_message(known ? levels[level] : LOG_LEVEL_DEBUG, "plug-in %s: %s", plugin->table->name,
                text != NULL ? text : "");
}

static int host_output(struct hl_plugin_run *run, const void *bytes, size_t len)
{
    struct job_outcome *outcome = run->outcome;
    return live_keep(run->live, &outcome->out, run->plugin->output_max, &outcome->out_truncated,
                     bytes, len);
}

static int host_note(struct hl_plugin_run *run, const char *text)
{
    struct job_outcome *outcome = run->outcome;
    size_t max = run->plugin->output_max;
    int rc = live_keep(run->live, &outcome->err, max, &outcome->err_truncated, text, strlen(text));
    return rc != 0 ? rc
                   : live_keep(run->live, &outcome->err, max, &outcome->err_truncated, "\n", 1);
}

static void host_progress(struct hl_plugin_run *run, unsigned percent, const char *text)
{
    live_progress(run->live, run->outcome, percent > 100 ? 100 : (int)percent,
                  text != NULL ? text : "");
}

static void host_reason(struct hl_plugin_run *run, const char *text)
{
    if (text != NULL && text[0] != '\0')
        job_outcome_reason(run->outcome, JOB_REASON_SAID "%s", text);
    else
        run->outcome->reason[0] = '\0';
}

static void host_retry_in(struct hl_plugin_run *run, int64_t delay_ns)
{
    run->outcome->retry_ns = delay_ns > 0 ? delay_ns : 0;
}

static bool host_cancelled(const struct hl_plugin_run *run)
{
    return atomic_load_explicit(&run->cancelled, memory_order_acquire) || stop_is_set(run->stop_fd);
}

/* ---- open, close ---- */

void plugin_close(void **state)
{
    if (*state == NULL)
        return;
    struct plugin *plugin = *state;
    MAGIC_CHECK(plugin, PLUGIN_MAGIC);
    *state = NULL;
    ASSERT(list_empty(&plugin->runs));
    if (plugin->table->fini != NULL)
        plugin->table->fini(plugin->state);
    hl_lock_free(&plugin->lock);
    plugin_unload(&plugin->library);
    MAGIC_WIPE(plugin);
    free(plugin);
}

static int plugin_init(struct plugin *plugin, const struct handler_settings *settings, char *why,
                       size_t why_size)
{
    static const char *const none[] = {NULL};
    const struct hl_plugin *table = plugin->table;
    const char *const *argument = settings->arguments != NULL ? settings->arguments : none;
    int count = 0;
    while (argument[count] != NULL)
        count++;
    if (table->init == NULL)
        return 0;
    char words[256] = "";
    int rc = table->init(&plugin->host, count, argument, &plugin->state, words, sizeof(words));
    words[sizeof(words) - 1] = '\0';
    if (rc == 0)
        return 0;
    const char *said = rc > 0 ? strerrordesc_np(rc) : NULL;
    snprintf(why, why_size, "the plug-in %s does not start: %s", table->name,
             words[0] != '\0' ? words
             : said != NULL   ? said
                              : "it gives no reason");
    return said != NULL ? rc : EINVAL;
}

int plugin_open(const struct hl_plugin *table, void **library,
                const struct handler_settings *settings, void **state, char *why, size_t why_size)
{
    struct plugin *plugin = calloc(1, sizeof(*plugin));
    if (plugin == NULL) {
        plugin_unload(library);
        return ENOMEM;
    }
    MAGIC_INIT(plugin, PLUGIN_MAGIC);
    plugin->table = table;
    plugin->library = *library;
    *library = NULL;
    plugin->output_max = settings->output_max != 0 ? settings->output_max : HANDLER_OUTPUT_MAX;
    plugin->host = (struct hl_plugin_host){.abi = HL_PLUGIN_ABI,
                                           .size = sizeof(struct hl_plugin_host),
                                           .log = host_log,
                                           .output = host_output,
                                           .note = host_note,
                                           .progress = host_progress,
                                           .reason = host_reason,
                                           .retry_in = host_retry_in,
                                           .cancelled = host_cancelled};
    list_init(&plugin->runs);
    int rc = table->cancel == NULL
                 ? 0
                 : hl_lock_new(&plugin->lock, table->name, lock_class(LOCK_CLASS_plugin));
    if (rc == 0)
        rc = plugin_init(plugin, settings, why, why_size);
    if (rc == 0) {
        *state = plugin;
        return 0;
    }
    hl_lock_free(&plugin->lock);
    plugin_unload(&plugin->library);
    MAGIC_WIPE(plugin);
    free(plugin);
    return rc;
}

bool plugin_is_brief(const void *state)
{
    const struct plugin *plugin = state;
    MAGIC_CHECK(plugin, PLUGIN_MAGIC);
    const struct hl_plugin *table = plugin->table;
    return table->size >= offsetof(struct hl_plugin, traits) + sizeof(table->traits) &&
           (table->traits & HL_PLUGIN_BRIEF) != 0;
}

/* ---- runs ---- */

/* false: it must not begin, the pool stops. */
static bool run_enter(struct hl_plugin_run *run)
{
    struct plugin *plugin = run->plugin;
    if (plugin->lock == NULL)
        return true;
    HL_LOCK_SCOPE(plugin->lock);
    /* A stop sets the descriptor first: who comes too late for its walk sees that. */
    if (plugin->stopping || stop_is_set(run->stop_fd))
        return false;
    list_append(&plugin->runs, &run->node);
    return true;
}

static void run_leave(struct hl_plugin_run *run)
{
    if (run->plugin->lock == NULL)
        return;
    HL_LOCK_SCOPE(run->plugin->lock);
    list_remove(&run->node);
}

void plugin_stop(void *state, uint64_t token)
{
    struct plugin *plugin = state;
    MAGIC_CHECK(plugin, PLUGIN_MAGIC);
    if (plugin->lock == NULL)
        return;
    HL_LOCK_SCOPE(plugin->lock);
    plugin->stopping = plugin->stopping || token == 0;
    for (struct list_node *node = list_first(&plugin->runs); node != NULL;
         node = list_next(&plugin->runs, node)) {
        struct hl_plugin_run *run = CONTAINER_OF(node, struct hl_plugin_run, node);
        if ((token == 0 || run->token == token) &&
            !atomic_exchange_explicit(&run->cancelled, true, memory_order_acq_rel))
            plugin->table->cancel(plugin->state, run);
    }
}

static void judge(const struct hl_plugin_run *run, enum hl_plugin_verdict verdict)
{
    struct job_outcome *outcome = run->outcome;
    const char *name = run->plugin->table->name;
    if (verdict == HL_PLUGIN_DONE) {
        outcome->kind = JOB_OUTCOME_DONE;
        outcome->reason[0] = '\0';
    } else if (host_cancelled(run)) {
        outcome->kind = JOB_OUTCOME_RETURNED;
        outcome->retry_ns = -1;
    } else if (verdict == HL_PLUGIN_RETRY)
        outcome->kind = JOB_OUTCOME_RETRY;
    else {
        outcome->kind = JOB_OUTCOME_FAILED;
        if (verdict != HL_PLUGIN_FAILED)
            job_outcome_reason(outcome,
                               "the plug-in %s answered %d, which is none of DONE (0), FAILED (1) "
                               "and RETRY (2)",
                               name, (int)verdict);
    }
    if (verdict != HL_PLUGIN_DONE && outcome->reason[0] == '\0')
        job_outcome_reason(outcome, "the plug-in %s gives no reason", name);
}

void plugin_run(void *state, struct handler_call *call)
{
    struct plugin *plugin = state;
    MAGIC_CHECK(plugin, PLUGIN_MAGIC);
    const struct broker_lease *lease = call->lease;
    struct hl_plugin_run run = {.plugin = plugin,
                                .outcome = call->outcome,
                                .live = call->live,
                                .token = lease->token,
                                .stop_fd = call->stop_fd};
    list_node_init(&run.node);
    if (!run_enter(&run)) {
        call->outcome->kind = JOB_OUTCOME_RETURNED;
        return;
    }
    const struct hl_plugin_job job = {.size = sizeof(job),
                                      .id = lease->id,
                                      .tube = lease->tube,
                                      .body = lease->body->bytes,
                                      .body_len = lease->body->len,
                                      .priority = lease->pri,
                                      .attempt = lease->attempt};
    enum hl_plugin_verdict verdict = plugin->table->run(plugin->state, &plugin->host, &run, &job);
    run_leave(&run);
    judge(&run, verdict);
}
