// SPDX-License-Identifier: MIT
/*
 * hilerad --salvage DIR NEWDIR: every whole record of a damaged data directory, copied to a new
 * one. The old one is only read, so nothing is lost by trying.
 */
#include "daemon/datadir_priv.h"
#include "daemon/options_priv.h"
#include "daemon/user_priv.h"

#include "journal/journal.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

/* Also with -u: the copy is for looking at, first. */
static const struct user myself = {.change = false};

int salvage_run(const struct task_order *order)
{
    const struct journal_settings from = {.directory = order->argument[0], .read_only = true};
    struct journal_settings to = {.directory = order->argument[1]};
    struct journal_census census;
    struct journal_error error = {""};
    uint64_t copied;
    /* Its lines come with the copy; here only whether there is anything to regret. */
    enum journal_verdict verdict = journal_check(&from, &census, NULL, NULL);
    /* Where there is nothing to read, nothing is made. */
    bool hopeless = verdict == JOURNAL_NOT_READ && census.newer == 0;
    int rc = hopeless ? 0 : datadir_directory_open(to.directory, &myself, &to.held, &error);
    if (rc == 0)
        rc = journal_salvage(&from, &to, &copied, task_line, NULL, &error);
    if (to.held > 0)
        close(to.held);
    if (rc != 0) {
        (void)task_said(2);
        line_print(stderr, "hilerad: --salvage: %s", error.text);
        return 2;
    }
    printf("%s: has %" PRIu64 " records of %s; start with -b %s, or put it in its place\n",
           to.directory, copied, from.directory, to.directory);
    return task_said(verdict == JOURNAL_WHOLE ? 0 : 1);
}
