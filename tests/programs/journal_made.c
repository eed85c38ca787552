// SPDX-License-Identifier: MIT
/*
 * For tests/scenario/data-dir.test: makes data directories that a daemon of today doesn't make by
 * itself.
 *
 *     journal_made newer DIR          two entries: a job, and one of a type that only a newer
 *                                     version knows
 *     journal_made jobs DIR COUNT     jobs 1 to COUNT with 64 bytes each ("body ID xxx..."), each
 *                                     in a commit of its own
 */
#include "base/clock.h"
#include "journal/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY 64
#define NEWER_TYPE 99

_Noreturn static void give_up(const char *what, const char *detail)
{
    fprintf(stderr, "journal_made: %s: %s\n", what, detail);
    exit(1);
}

static struct journal *journal;
static uint64_t sequence;

static int seen(void *arg, uint64_t locator, const void *bytes, size_t len)
{
    (void)arg;
    (void)locator;
    (void)bytes;
    (void)len;
    return EEXIST;
}

static void make(const char *directory)
{
    const struct journal_settings settings = {.directory = directory, .prepare_inline = true};
    const struct journal_visitor visitor = {.record = seen};
    struct journal_replayed replayed;
    struct journal_error error = {""};
    if (journal_open(&journal, &settings, &error) != 0 || journal_acquire(journal, &error) != 0 ||
        journal_replay(journal, &visitor, &replayed, &error) != 0)
        give_up(directory, error.text);
    sequence = replayed.last_sequence;
}

static void appended(struct journal_append *append)
{
    (void)append;
}

static void append_record(const void *head, size_t head_len, const void *body, size_t body_len)
{
    struct journal_record record = {
        .head = head, .head_len = (uint32_t)head_len, .body = body, .body_len = (uint32_t)body_len};
    struct journal_append append = {
        .records = &record, .count = 1, .expected = sequence, .done = appended};
    journal_append(journal, &append);
    if (append.result != 0)
        give_up("append", strerror(append.result));
    sequence = append.sequence;
}

static void append_job(uint64_t id)
{
    char head[JOB_ENTRY_HEAD_MAX], body[BODY + 1];
    int len = snprintf(body, sizeof(body), "body %" PRIu64 " ", id);
    memset(body + len, 'x', sizeof(body) - (size_t)len);
    const struct job_entry entry = {.type = JOB_ENTRY_PUT,
                                    .state = JOB_READY,
                                    .id = id,
                                    .ttr_s = 60,
                                    .created_wall_ns = clock_wall_ns(),
                                    .tube = "default",
                                    .tube_len = strlen("default"),
                                    .body_len = BODY};
    append_record(head, job_entry_encode(&entry, head), body, BODY);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "newer") == 0) {
        const unsigned char newer[] = {NEWER_TYPE, 1, 2, 0}; /* type, version, id 2, no options */
        make(argv[2]);
        append_job(1);
        append_record(newer, sizeof(newer), NULL, 0);
    } else if (argc == 4 && strcmp(argv[1], "jobs") == 0) {
        uint64_t count = strtoull(argv[3], NULL, 10);
        make(argv[2]);
        for (uint64_t id = 1; id <= count; id++)
            append_job(id);
    } else
        give_up("usage", "journal_made newer DIR | jobs DIR COUNT");
    int rc = journal_close(&journal);
    if (rc != 0)
        give_up("close", strerror(rc));
    return 0;
}
