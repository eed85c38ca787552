// SPDX-License-Identifier: MIT
/*
 * The options that say where and how surely jobs are kept: -b, -f, -F, -s of beanstalkd, and
 * --memory. Each becomes one or two parameters of the file.
 *
 * What beanstalkd's letters mean is kept where it can be: -f 0 is the level commit, -f MS the level
 * interval, the last of -f and -F counts, a relative directory begins where the daemon was started.
 * Two differ, and the log says so at the start: never to sync (-F) is an interval of a second here,
 * for that costs as little and loses no more than a second; and a size of files (-s) that the
 * journal can't have is the nearest that it can.
 */
#include "daemon/options_priv.h"

#include "base/assert.h"
#include "base/log.h"
#include "config/config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SEGMENT_LEAST UINT64_C(65536)
#define SEGMENT_MOST (UINT64_C(1) << 30)

static char word_commit[] = "commit", word_interval[] = "interval", word_none[] = CONFIG_PLACE_NONE;
static char interval_never[] = "1s";

/* As an absolute path. NULL: no memory, or no working directory. */
static char *path_absolute(const char *given)
{
    if (given[0] == '/')
        return strdup(given);
    char *here = getcwd(NULL, 0), *path = NULL;
    if (here == NULL || asprintf(&path, "%s/%s", here, given) < 0)
        path = NULL;
    free(here);
    return path;
}

int keep_directory(struct options_keep *keep, const char *given)
{
    free(keep->directory);
    keep->directory = path_absolute(given);
    return keep->directory != NULL ? 0 : ENOMEM;
}

/* -f: milliseconds, digits alone. */
int keep_sync(struct options_keep *keep, const char *given)
{
    free(keep->interval);
    keep->interval = NULL;
    keep->never = false;
    keep->sync = given;
    if (strtoul(given, NULL, 10) == 0)
        return 0;
    return asprintf(&keep->interval, "%sms", given) < 0 ? ENOMEM : 0;
}

void keep_never(struct options_keep *keep)
{
    free(keep->interval);
    keep->interval = NULL;
    keep->sync = NULL;
    keep->never = true;
}

/* -s: bytes, digits alone. */
int keep_segment(struct options_keep *keep, const char *given)
{
    uint64_t asked = strtoul(given, NULL, 10);
    uint64_t size = asked < SEGMENT_LEAST  ? SEGMENT_LEAST
                    : asked > SEGMENT_MOST ? SEGMENT_MOST
                                           : asked;
    keep->segment_asked = asked;
    keep->segment_given = size;
    free(keep->segment);
    return asprintf(&keep->segment, "%" PRIu64, size) < 0 ? ENOMEM : 0;
}

static void override_add(struct options *options, enum config_id id, const char *option,
                         char *const *text)
{
    if (options->override_count == OPTIONS_OVERRIDES_MAX)
        CANT_HAPPEN("more overrides than there are options");
    options->override[options->override_count++] =
        (struct config_override){.id = id, .option = option, .text = text, .count = 1};
}

void keep_override(struct options *options)
{
    static char *const commit = word_commit, *const interval = word_interval;
    static char *const none = word_none, *const never = interval_never;
    struct options_keep *keep = &options->keep;
    if (options->memory)
        override_add(options, CONFIG_DAEMON_data_dir, "--memory", &none);
    else if (keep->directory != NULL)
        override_add(options, CONFIG_DAEMON_data_dir, "-b", &keep->directory);
    if (keep->sync != NULL)
        override_add(options, CONFIG_DAEMON_durability, "-f",
                     keep->interval != NULL ? &interval : &commit);
    if (keep->interval != NULL)
        override_add(options, CONFIG_DAEMON_sync_interval, "-f", &keep->interval);
    if (keep->never) {
        override_add(options, CONFIG_DAEMON_durability, "-F", &interval);
        override_add(options, CONFIG_DAEMON_sync_interval, "-F", &never);
    }
    if (keep->segment != NULL) {
        override_add(options, CONFIG_DAEMON_segment_size, "-s", &keep->segment);
        override_add(options, CONFIG_DAEMON_segment_size_max, "-s", &keep->segment);
    }
}

void keep_log(const struct options *options)
{
    const struct options_keep *keep = &options->keep;
    if (options->memory) {
        if (keep->sync != NULL)
            log_notice("-f: says how often to sync the disk; no effect with --memory");
        if (keep->never)
            log_notice("-F: says never to sync the disk; no effect with --memory");
        if (keep->segment != NULL)
            log_notice("-s: the size of the journal's files; no effect with --memory");
        return;
    }
    if (keep->never)
        log_notice("-F: never to sync is taken as durability = interval, sync_interval = %s",
                   interval_never);
    if (keep->segment != NULL && keep->segment_asked != keep->segment_given)
        log_notice("-s %" PRIu64 ": the journal's files have %" PRIu64 " to %" PRIu64
                   " bytes, so they get %" PRIu64,
                   keep->segment_asked, SEGMENT_LEAST, SEGMENT_MOST, keep->segment_given);
}

void keep_fini(struct options_keep *keep)
{
    free(keep->directory);
    free(keep->interval);
    free(keep->segment);
    *keep = (struct options_keep){.directory = NULL};
}
