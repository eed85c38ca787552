// SPDX-License-Identifier: MIT
/*
 * The data directory: the journal in the daemon, from the lock on its directory to the last sync.
 *
 * Order of the start: the directory is locked first, before anything else is built, so that a
 * second daemon leaves at once and names the first. Then the new broker is filled from it, before
 * pools and listeners are made: nobody ever sees a part of the jobs. Damage that is found doesn't
 * stop the start (what is whole is served), but is logged, place by place, and stays in the
 * statistics.
 *
 * A daemon that was ended without being told to may have been ended by a job: those that its
 * workers had are charged with it then (datadir_life.c, broker_take_over).
 *
 * History is open before: results that its file lacks go to it at the end of the recovery.
 *
 * Order of the stop: whoever changes jobs, compaction (the house) too, the network last; the last
 * commit with the exact counters; the broker is freed; the journal is closed, which marks a clean
 * end.
 *
 * With -u the directory and its files belong to that user, though it isn't yet that user who opens
 * them; see user.c. The directory is held as a descriptor (datadir_place.c).
 */
#include "daemon/datadir_priv.h"
#include "daemon/settings_priv.h"
#include "daemon/user_priv.h"

#include "api/api.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/magic.h"
#include "broker/broker.h"
#include "config/config.h"
#include "history/history.h"
#include "journal/journal.h"
#include "store/store.h"
#include "thr/thr.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DATADIR_MAGIC 0x5704ea11u

struct datadir {
    unsigned magic;
    char directory[DATADIR_PATH_MAX];
    const struct config *config;
    const struct user *user;
    struct datadir_hooks hooks;
    int held; /* the directory; -1: not opened */
    struct journal *journal;
    struct broker *broker; /* NULL: not recovered */
    struct store_recovered recovered;
    int64_t recovery_ns;
    struct job_rules rules; /* of the pool that charge_rules was asked for last */
    bool lives;             /* life_begin was called */
};

static int refused(const struct datadir *datadir, int rc, const struct journal_error *error)
{
    if (rc != 0)
        log_error("data directory: %s", error->text[0] != '\0' ? error->text : strerrordesc_np(rc));
    if (rc == EOPNOTSUPP)
        log_error("data directory %s: start a newer hilerad on it, or name another one with -b DIR",
                  datadir->directory);
    return rc;
}

/* ---- the start ---- */

static int journal_get(struct datadir *datadir, struct journal_error *error)
{
    struct journal_settings settings = settings_of_journal(datadir->config, datadir->directory);
    int rc = datadir_directory_open(datadir->directory, datadir->user, &datadir->held, error);
    if (rc == 0)
        rc = user_assume(datadir->user, error);
    if (rc != 0)
        return rc;
    settings.held = datadir->held;
    rc = journal_open(&datadir->journal, &settings, error);
    if (rc == 0)
        rc = journal_acquire(datadir->journal, error);
    if (rc == 0)
        datadir_directory_narrow(datadir->held, datadir->directory);
    user_resume(datadir->user);
    return rc;
}

int datadir_open(struct datadir **out, const struct config *config, const struct user *user)
{
    struct journal_error error = {""};
    struct datadir *datadir = calloc(1, sizeof(*datadir));
    *out = NULL;
    if (datadir == NULL) {
        log_error("data directory: %s", strerrordesc_np(ENOMEM));
        return ENOMEM;
    }
    MAGIC_INIT(datadir, DATADIR_MAGIC);
    datadir->config = config;
    datadir->user = user;
    datadir->held = -1;
    int rc = datadir_place(config, datadir->directory, sizeof(datadir->directory), &error);
    if (rc == 0 && datadir->directory[0] == '\0') {
        MAGIC_WIPE(datadir);
        free(datadir);
        return 0;
    }
    if (rc == 0)
        rc = journal_get(datadir, &error);
    if (refused(datadir, rc, &error) != 0)
        datadir_close(&datadir);
    *out = datadir;
    return rc;
}

static void published_tell(void *arg)
{
    const struct datadir *datadir = arg;
    datadir->hooks.published(datadir->hooks.arg);
}

static void result_found(uint64_t number, struct job_record **record, void *arg)
{
    const struct datadir *datadir = arg;
    int rc = history_restore(datadir->hooks.history, number, record);
    if (rc != 0)
        log_error("history: record %" PRIu64 ", which only the journal had, is lost: %s", number,
                  strerrordesc_np(rc));
}

static void failure_tell(int error, void *arg)
{
    const struct datadir *datadir = arg;
    datadir->hooks.failed(error, datadir->hooks.arg);
}

static void damage_log(const char *text, void *arg)
{
    const struct datadir *datadir = arg;
    log_error("data directory %s: %s", datadir->directory, text);
}

static void recovered_log(const struct datadir *datadir)
{
    const struct store_recovered *found = &datadir->recovered;
    char reserved[40] = "";
    if (found->reserved > 0)
        snprintf(reserved, sizeof(reserved), ", %" PRIu64 " reserved", found->reserved);
    log_notice("data directory %s: %" PRIu64 " jobs (%" PRIu64 " ready, %" PRIu64
               " delayed, %" PRIu64 " buried%s) from %" PRIu64 " bytes in %.3f s, after %s",
               datadir->directory, found->jobs, found->ready, found->delayed, found->buried,
               reserved, found->replayed.bytes, (double)datadir->recovery_ns / HL_SECOND,
               found->replayed.frames == 0 ? "nothing: it is new"
               : found->replayed.clean     ? "a clean stop"
                                           : "a crash");
    if (found->results > 0)
        log_notice("data directory %s: %" PRIu64 " results of finished jobs were not in the file "
                   "of the history yet",
                   datadir->directory, found->results);
    if (found->replayed.torn_bytes > 0)
        log_notice("data directory %s: cut off %" PRIu64
                   " bytes of a commit that was never answered",
                   datadir->directory, found->replayed.torn_bytes);
    if (found->replayed.damages + found->unreadable > 0)
        log_error("data directory %s is damaged in %" PRIu64 " places; what is whole is served, "
                  "and \"hilerad --check\" tells more when this daemon has stopped",
                  datadir->directory, found->replayed.damages + found->unreadable);
}

/* ---- taking over ---- */

static const struct job_rules *charge_rules(const char *tube, void *arg)
{
    struct datadir *datadir = arg;
    for (size_t i = 0; i < datadir->config->pool_count; i++) {
        const struct config_pool *pool = &datadir->config->pool[i];
        for (size_t k = 0; k < pool->tubes.count; k++)
            if (strcmp(pool->tubes.item[k], tube) == 0) {
                datadir->rules = settings_pool_rules(pool);
                return &datadir->rules;
            }
    }
    return NULL;
}

static void taken_log(const struct datadir *datadir, const struct broker_taken *taken)
{
    if (taken->tokens > 0)
        log_notice("data directory %s: %" PRIu64 " jobs are reserved under a token still",
                   datadir->directory, taken->tokens);
    if (taken->returned > 0)
        log_notice("data directory %s: %" PRIu64 " jobs that ran then are ready again",
                   datadir->directory, taken->returned);
    if (taken->charged > 0)
        log_warning(
            "data directory %s: the daemon was ended while %" PRIu64
            " jobs ran, each of which may have done it: that was a crash of each, and %" PRIu64
            " are buried by their rules",
            datadir->directory, taken->charged, taken->buried);
}

/* With the rights of the user. What can't be recorded is no reason not to start. */
static void take_over(struct datadir *datadir, struct broker *broker)
{
    const struct broker_charge charge = {.rules = charge_rules, .arg = datadir};
    struct broker_taken taken;
    bool cut = !datadir->recovered.replayed.clean && life_was_cut(datadir->held);
    int rc = broker_take_over(broker, cut ? &charge : NULL, &taken);
    taken_log(datadir, &taken);
    if (rc == 0)
        rc = life_begin(datadir->held);
    datadir->lives = true;
    if (rc != 0)
        log_warning("data directory %s: %s; jobs that end this daemon will not be charged with it",
                    datadir->directory, strerrordesc_np(rc));
}

static int levels_set(const struct datadir *datadir, struct broker *broker)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < datadir->config->tube_count; i++) {
        const struct config_tube *tube = &datadir->config->tube[i];
        rc = broker_tube_durability(broker, tube->name, strlen(tube->name),
                                    settings_durability(tube->durability), tube->sync_interval);
    }
    return rc;
}

int datadir_recover(struct datadir *datadir, struct broker *broker,
                    const struct datadir_hooks *hooks)
{
    if (datadir == NULL)
        return 0;
    MAGIC_CHECK(datadir, DATADIR_MAGIC);
    struct journal_error error = {""};
    struct store_options options = {.journal = datadir->journal,
                                    .thread = true,
                                    .cache_size = (size_t)datadir->config->cache_size,
                                    .published = hooks->published != NULL ? published_tell : NULL,
                                    .failed = failure_tell,
                                    .damaged = damage_log,
                                    .arg = datadir};
    if (history_is_on(hooks->history))
        options.result_found = result_found;
    int64_t began_ns = clock_now_ns();
    datadir->hooks = *hooks;
    int rc = levels_set(datadir, broker);
    if (rc == 0)
        rc = user_assume(datadir->user, &error);
    if (rc == 0) {
        rc = broker_recover(broker, &options, &datadir->recovered, &error);
        if (rc == 0)
            take_over(datadir, broker);
        user_resume(datadir->user);
    }
    datadir->recovery_ns = clock_now_ns() - began_ns;
    if (rc != 0)
        return refused(datadir, rc, &error);
    datadir->broker = broker;
    recovered_log(datadir);
    return 0;
}

/* ---- the stop ---- */

int datadir_stop(struct datadir *datadir)
{
    if (datadir == NULL || datadir->broker == NULL)
        return 0;
    MAGIC_CHECK(datadir, DATADIR_MAGIC);
    int rc = broker_stop(datadir->broker);
    datadir->broker = NULL;
    if (rc != 0)
        log_error("data directory %s: the last changes are not durable: %s", datadir->directory,
                  strerrordesc_np(rc));
    return rc;
}

void datadir_close(struct datadir **datadir_p)
{
    if (*datadir_p == NULL)
        return;
    struct datadir *datadir;
    MAGIC_TAKE(datadir, datadir_p, DATADIR_MAGIC);
    if (datadir->journal != NULL) {
        int rc = journal_close(&datadir->journal);
        if (rc != 0)
            log_error("data directory %s: %s", datadir->directory, strerrordesc_np(rc));
    }
    if (datadir->lives)
        life_end(datadir->held);
    if (datadir->held >= 0)
        close(datadir->held);
    MAGIC_WIPE(datadir);
    free(datadir);
}

int datadir_directory(const struct datadir *datadir)
{
    if (datadir == NULL)
        return -1;
    MAGIC_CHECK(datadir, DATADIR_MAGIC);
    return datadir->held;
}

void datadir_tell(const struct datadir *datadir, struct api_store *out)
{
    *out = (struct api_store){.directory = NULL};
    if (datadir == NULL)
        return;
    MAGIC_CHECK(datadir, DATADIR_MAGIC);
    out->directory = datadir->directory;
    out->recovered_jobs = datadir->recovered.jobs;
    out->damages = datadir->recovered.replayed.damages + datadir->recovered.unreadable;
    out->torn_bytes = datadir->recovered.replayed.torn_bytes;
    out->recovery_ns = datadir->recovery_ns;
}
