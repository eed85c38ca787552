// SPDX-License-Identifier: MIT
/*
 * hilerad --import-beanstalkd DIR: takes over what a beanstalkd has kept there, into the configured
 * data directory.
 *
 * The beanstalkd's files are opened as whoever started this, and the data directory is written as
 * the user of -u, so that root can move the one's files to the other.
 */
#include "daemon/datadir_priv.h"
#include "daemon/options_priv.h"
#include "daemon/settings_priv.h"
#include "daemon/user_priv.h"

#include "config/config.h"
#include "import/import.h"
#include "journal/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

static int refused(const char *text)
{
    (void)task_said(2);
    line_print(stderr, "hilerad: --import-beanstalkd: %s", text);
    return 2;
}

static void census_print(const struct import_census *census, const char *from, const char *to)
{
    printf("%s: %" PRIu64 " files, %" PRIu64 " records, %" PRIu64 " deleted jobs\n", from,
           census->files, census->records, census->deleted);
    printf("%" PRIu64 " jobs of %" PRIu64 " bytes: %" PRIu64 " ready, %" PRIu64 " delayed, %" PRIu64
           " buried\n",
           census->jobs, census->job_bytes, census->ready, census->delayed, census->buried);
    if (census->damages > 0)
        printf("%" PRIu64 " damaged places, %" PRIu64 " bytes lost\n", census->damages,
               census->lost_bytes);
    printf("%s: %" PRIu64 " jobs imported", to, census->written);
    if (census->passed_over > 0)
        printf(", %" PRIu64 " were there already", census->passed_over);
    printf("; the next id is above %" PRIu64 "\n", census->last_id);
}

static bool is_guarded(const char *tube, size_t len, const void *config)
{
    return guard_has(config, tube, len);
}

/* Whoever could put into the beanstalkd must not have had the last word on what is run here. */
static int guard_jobs(const struct import *import, const struct config *config,
                      struct journal_error *error)
{
    uint64_t count = import_count(import, is_guarded, config);
    if (count == 0)
        return 0;
    snprintf(error->text, sizeof(error->text),
             "%" PRIu64 " jobs are in tubes of pools with the handler command, and would be run as "
             "commands; nothing was imported. Take these tubes out of the configuration first",
             count);
    return EACCES;
}

int import_run(const struct task_order *order)
{
    struct journal_settings settings;
    struct journal_error error = {""};
    struct import *import;
    char directory[DATADIR_PATH_MAX];
    int rc = datadir_place(order->config, directory, sizeof(directory), &error);
    if (rc == 0 && directory[0] == '\0')
        return refused("nothing is kept here (data_dir = none, or --memory); say where with -b "
                       "DIR");
    if (rc == 0)
        rc = import_open(&import, order->argument[0], task_line, NULL, &error);
    if (rc != 0)
        return refused(error.text);
    rc = guard_jobs(import, order->config, &error);
    int held = -1;
    if (rc == 0)
        rc = datadir_directory_open(directory, order->user, &held, &error);
    if (rc == 0)
        rc = user_assume(order->user, &error);
    if (rc == 0) {
        settings = settings_of_journal(order->config, directory);
        settings.held = held;
        rc = import_write(import, &settings, &error);
    }
    if (rc == 0)
        datadir_directory_narrow(held, directory);
    if (held >= 0)
        close(held);
    struct import_census census;
    import_get_census(import, &census);
    import_free(&import);
    if (rc != 0)
        return refused(error.text);
    census_print(&census, order->argument[0], directory);
    return task_said(census.damages > 0 ? 1 : 0);
}
