// SPDX-License-Identifier: MIT
/*
 * hilerad --check DIR: what is in a data directory, and what of it is damaged. Read-only and
 * offline: while a daemon has the directory it is refused, for what is there changes.
 */
#include "daemon/options_priv.h"

#include "journal/journal.h"

#include <inttypes.h>
#include <stdio.h>

static void entries_print(const struct journal_census *census)
{
    const size_t types = sizeof(census->entries) / sizeof(census->entries[0]);
    const char *between = "entries: ";
    for (size_t type = 1; type < types; type++) {
        if (census->entries[type] == 0)
            continue;
        printf("%s%" PRIu64 " %s", between, census->entries[type], job_entry_word((unsigned)type));
        between = ", ";
    }
    if (between[0] == ',')
        puts("");
}

/* The verdict of what was found, in a sentence. */
static const char *verdict_text(enum journal_verdict verdict)
{
    switch (verdict) {
    case JOURNAL_WHOLE:
        return "whole";
    case JOURNAL_DAMAGED:
        return "damaged; a start goes on with what is whole, --salvage copies it";
    case JOURNAL_NOT_READ:
        return "not read";
    }
    return "";
}

int check_run(const struct task_order *order)
{
    const struct journal_settings settings = {.directory = order->argument[0], .read_only = true};
    struct journal_census census;
    enum journal_verdict verdict = journal_check(&settings, &census, task_line, NULL);
    if (verdict != JOURNAL_NOT_READ)
        entries_print(&census);
    printf("%s: %s\n", order->argument[0], verdict_text(verdict));
    return task_said((int)verdict);
}
