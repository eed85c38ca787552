// SPDX-License-Identifier: MIT
/*
 * The store: the journal's life in the daemon, from the lock on its directory to the last sync.
 *
 * Order of the start: the directory is locked first, before anything else is built, so that a
 * second daemon leaves at once and names the first. Then the new broker is filled from it, before
 * pools and listeners are made: nobody ever sees a part of the jobs. Damage that is found doesn't
 * stop the start (what is whole is served), but is logged, place by place, and stays in the
 * statistics.
 *
 * A daemon that was ended without being told to may have been ended by a job: those that its
 * workers had are charged with it then (store_life.c, broker_take_over).
 *
 * History is open before: results that its file lacks go to it at the end of the recovery.
 *
 * Order of the stop: whoever changes jobs, compaction (the house) too, the network last; the last
 * commit with the exact counters; the broker is freed; the journal is closed, which marks a clean
 * end.
 *
 * With -u the directory and its files belong to that user, though it isn't yet that user who opens
 * them; see user.c. The directory is held as a descriptor (store_place.c).
 */
#include "daemon/settings_priv.h"
#include "daemon/store_priv.h"
#include "daemon/user_priv.h"

#include "api/api.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/magic.h"
#include "broker/broker.h"
#include "config/config.h"
#include "history/history.h"
#include "journal/journal.h"
#include "thr/thr.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STORE_MAGIC 0x5704ea11u

struct store {
    unsigned magic;
    char directory[STORE_PATH_MAX];
    const struct config *config;
    const struct user *user;
    struct store_hooks hooks;
    int held; /* the directory; -1: not opened */
    struct journal *journal;
    struct broker *broker; /* NULL: not recovered */
    struct broker_recovered recovered;
    int64_t recovery_ns;
    struct job_rules rules; /* of the pool that charge_rules was asked for last */
    bool lives;             /* life_begin was called */
};

static int refused(const struct store *store, int rc, const struct journal_error *error)
{
    if (rc != 0)
        log_error("data directory: %s", error->text[0] != '\0' ? error->text : strerrordesc_np(rc));
    if (rc == EOPNOTSUPP)
        log_error("data directory %s: start a newer hilerad on it, or name another one with -b DIR",
                  store->directory);
    return rc;
}

/* ---- the start ---- */

static int journal_get(struct store *store, struct journal_error *error)
{
    struct journal_settings settings = settings_of_journal(store->config, store->directory);
    int rc = store_directory_open(store->directory, store->user, &store->held, error);
    if (rc == 0)
        rc = user_assume(store->user, error);
    if (rc != 0)
        return rc;
    settings.held = store->held;
    rc = journal_open(&store->journal, &settings, error);
    if (rc == 0)
        rc = journal_acquire(store->journal, error);
    if (rc == 0)
        store_directory_narrow(store->held, store->directory);
    user_resume(store->user);
    return rc;
}

int store_open(struct store **out, const struct config *config, const struct user *user)
{
    struct journal_error error = {""};
    struct store *store = calloc(1, sizeof(*store));
    *out = NULL;
    if (store == NULL) {
        log_error("data directory: %s", strerrordesc_np(ENOMEM));
        return ENOMEM;
    }
    MAGIC_INIT(store, STORE_MAGIC);
    store->config = config;
    store->user = user;
    store->held = -1;
    int rc = store_place(config, store->directory, sizeof(store->directory), &error);
    if (rc == 0 && store->directory[0] == '\0') {
        MAGIC_WIPE(store);
        free(store);
        return 0;
    }
    if (rc == 0)
        rc = journal_get(store, &error);
    if (refused(store, rc, &error) != 0)
        store_close(&store);
    *out = store;
    return rc;
}

static void published_tell(void *arg)
{
    const struct store *store = arg;
    store->hooks.published(store->hooks.arg);
}

static void result_found(uint64_t number, struct job_record **record, void *arg)
{
    const struct store *store = arg;
    int rc = history_restore(store->hooks.history, number, record);
    if (rc != 0)
        log_error("history: record %" PRIu64 ", which only the journal had, is lost: %s", number,
                  strerrordesc_np(rc));
}

static void failure_tell(int error, void *arg)
{
    const struct store *store = arg;
    store->hooks.failed(error, store->hooks.arg);
}

static void damage_log(const char *text, void *arg)
{
    const struct store *store = arg;
    log_error("data directory %s: %s", store->directory, text);
}

static void recovered_log(const struct store *store)
{
    const struct broker_recovered *found = &store->recovered;
    char reserved[40] = "";
    if (found->reserved > 0)
        snprintf(reserved, sizeof(reserved), ", %" PRIu64 " reserved", found->reserved);
    log_notice("data directory %s: %" PRIu64 " jobs (%" PRIu64 " ready, %" PRIu64
               " delayed, %" PRIu64 " buried%s) from %" PRIu64 " bytes in %.3f s, after %s",
               store->directory, found->jobs, found->ready, found->delayed, found->buried, reserved,
               found->replayed.bytes, (double)store->recovery_ns / HL_SECOND,
               found->replayed.frames == 0 ? "nothing: it is new"
               : found->replayed.clean     ? "a clean stop"
                                           : "a crash");
    if (found->results > 0)
        log_notice("data directory %s: %" PRIu64 " results of finished jobs were not in the file "
                   "of the history yet",
                   store->directory, found->results);
    if (found->replayed.torn_bytes > 0)
        log_notice("data directory %s: cut off %" PRIu64
                   " bytes of a commit that was never answered",
                   store->directory, found->replayed.torn_bytes);
    if (found->replayed.damages + found->unreadable > 0)
        log_error("data directory %s is damaged in %" PRIu64 " places; what is whole is served, "
                  "and \"hilerad --check\" tells more when this daemon has stopped",
                  store->directory, found->replayed.damages + found->unreadable);
}

/* ---- taking over ---- */

static const struct job_rules *charge_rules(const char *tube, void *arg)
{
    struct store *store = arg;
    for (size_t i = 0; i < store->config->pool_count; i++) {
        const struct config_pool *pool = &store->config->pool[i];
        for (size_t k = 0; k < pool->tubes.count; k++)
            if (strcmp(pool->tubes.item[k], tube) == 0) {
                store->rules = settings_pool_rules(pool);
                return &store->rules;
            }
    }
    return NULL;
}

static void taken_log(const struct store *store, const struct broker_taken *taken)
{
    if (taken->tokens > 0)
        log_notice("data directory %s: %" PRIu64 " jobs are reserved under a token still",
                   store->directory, taken->tokens);
    if (taken->returned > 0)
        log_notice("data directory %s: %" PRIu64 " jobs that ran then are ready again",
                   store->directory, taken->returned);
    if (taken->charged > 0)
        log_warning(
            "data directory %s: the daemon was ended while %" PRIu64
            " jobs ran, each of which may have done it: that was a crash of each, and %" PRIu64
            " are buried by their rules",
            store->directory, taken->charged, taken->buried);
}

/* With the rights of the user. What can't be recorded is no reason not to start. */
static void take_over(struct store *store, struct broker *broker)
{
    const struct broker_charge charge = {.rules = charge_rules, .arg = store};
    struct broker_taken taken;
    bool cut = !store->recovered.replayed.clean && life_was_cut(store->held);
    int rc = broker_take_over(broker, cut ? &charge : NULL, &taken);
    taken_log(store, &taken);
    if (rc == 0)
        rc = life_begin(store->held);
    store->lives = true;
    if (rc != 0)
        log_warning("data directory %s: %s; jobs that end this daemon will not be charged with it",
                    store->directory, strerrordesc_np(rc));
}

static int levels_set(const struct store *store, struct broker *broker)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < store->config->tube_count; i++) {
        const struct config_tube *tube = &store->config->tube[i];
        rc = broker_tube_level(broker, tube->name, strlen(tube->name),
                               settings_level(tube->durability), tube->sync_interval);
    }
    return rc;
}

int store_recover(struct store *store, struct broker *broker, const struct store_hooks *hooks)
{
    if (store == NULL)
        return 0;
    MAGIC_CHECK(store, STORE_MAGIC);
    struct journal_error error = {""};
    struct broker_log_options options = {.journal = store->journal,
                                         .thread = true,
                                         .cache_size = (size_t)store->config->cache_size,
                                         .published =
                                             hooks->published != NULL ? published_tell : NULL,
                                         .failed = failure_tell,
                                         .damaged = damage_log,
                                         .arg = store};
    if (history_is_on(hooks->history))
        options.result_found = result_found;
    int64_t began_ns = clock_now_ns();
    store->hooks = *hooks;
    int rc = levels_set(store, broker);
    if (rc == 0)
        rc = user_assume(store->user, &error);
    if (rc == 0) {
        rc = broker_recover(broker, &options, &store->recovered, &error);
        if (rc == 0)
            take_over(store, broker);
        user_resume(store->user);
    }
    store->recovery_ns = clock_now_ns() - began_ns;
    if (rc != 0)
        return refused(store, rc, &error);
    store->broker = broker;
    recovered_log(store);
    return 0;
}

/* ---- the stop ---- */

int store_stop(struct store *store)
{
    if (store == NULL || store->broker == NULL)
        return 0;
    MAGIC_CHECK(store, STORE_MAGIC);
    int rc = broker_stop(store->broker);
    store->broker = NULL;
    if (rc != 0)
        log_error("data directory %s: the last changes are not durable: %s", store->directory,
                  strerrordesc_np(rc));
    return rc;
}

void store_close(struct store **store_p)
{
    if (*store_p == NULL)
        return;
    struct store *store;
    MAGIC_TAKE(store, store_p, STORE_MAGIC);
    if (store->journal != NULL) {
        int rc = journal_close(&store->journal);
        if (rc != 0)
            log_error("data directory %s: %s", store->directory, strerrordesc_np(rc));
    }
    if (store->lives)
        life_end(store->held);
    if (store->held >= 0)
        close(store->held);
    MAGIC_WIPE(store);
    free(store);
}

int store_directory(const struct store *store)
{
    if (store == NULL)
        return -1;
    MAGIC_CHECK(store, STORE_MAGIC);
    return store->held;
}

void store_tell(const struct store *store, struct api_store *out)
{
    *out = (struct api_store){.directory = NULL};
    if (store == NULL)
        return;
    MAGIC_CHECK(store, STORE_MAGIC);
    out->directory = store->directory;
    out->recovered_jobs = store->recovered.jobs;
    out->damages = store->recovered.replayed.damages + store->recovered.unreadable;
    out->torn_bytes = store->recovered.replayed.torn_bytes;
    out->recovery_ns = store->recovery_ns;
}
