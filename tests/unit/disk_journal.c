// SPDX-License-Identifier: MIT
// A small journal on the disk in memory, and no messages about it.

#include "journal_disk.h"

#include "base/assert.h"
#include "base/log.h"
#include "journal/journal.h"

struct journal *disk_journal(void)
{
    const struct journal_settings settings = {.directory = "disk",
                                              .segment_size = JOURNAL_SEGMENT_MIN,
                                              .segment_size_max = JOURNAL_SEGMENT_MIN,
                                              .prepare_inline = true,
                                              .sys = &disk_sys};
    struct journal_error error = {""};
    struct journal *journal = NULL;
    MUST(journal_open(&journal, &settings, &error));
    MUST(journal_acquire(journal, &error));
    return journal;
}

static void log_drop(enum log_level severity, const char *line, void *arg)
{
    (void)severity;
    (void)line;
    (void)arg;
}

void disk_log_drop(void)
{
    log_set_sink(log_drop, NULL);
}
