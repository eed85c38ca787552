// SPDX-License-Identifier: MIT
// Helpers of the tests of the file of finished jobs; see history_kit.h.

#include "history_kit.h"

#include "base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct kit kit;

static void durable_tell(uint64_t number, void *arg)
{
    (void)arg;
    atomic_store(&kit.durable, number);
    hl_event_set(kit.event);
}

void db_up(void)
{
    kit = (struct kit){.settings = {.keep_ns = 3600 * HL_SECOND,
                                    .keep_count = 1000000,
                                    .keep_bytes = (uint64_t)1 << 30,
                                    .linger_ns = HL_SECOND / 1000,
                                    .durable = durable_tell}};
    strcpy(kit.directory, "/tmp/hilera-history.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(kit.directory));
    snprintf(kit.path, sizeof(kit.path), "%s/history.db", kit.directory);
    kit.settings.path = kit.path;
    ck_assert_int_eq(hl_event_new(&kit.event, "durable"), 0);
}

void db_down(void)
{
    db_close();
    hl_event_free(&kit.event);
    DIR *dir = opendir(kit.directory);
    ck_assert_ptr_nonnull(dir);
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL)
        (void)unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
    ck_assert_int_eq(rmdir(kit.directory), 0);
}

void db_open(void)
{
    struct history_error error = {""};
    atomic_store(&kit.durable, 0);
    int rc = history_new(&kit.history, &kit.settings, &error);
    ck_assert_msg(rc == 0, "%s", error.text);
}

void db_close(void)
{
    history_free(&kit.history);
    ck_assert_ptr_null(kit.history);
}

void db_offer(struct list *ends, void *arg)
{
    (void)arg;
    history_offer(kit.history, ends);
}

void db_take_in(void *arg)
{
    (void)arg;
    history_take_in(kit.history);
}

int db_open_refused(char text[512])
{
    struct history_error error = {""};
    int rc = history_new(&kit.history, &kit.settings, &error);
    ck_assert_int_ne(rc, 0);
    ck_assert_ptr_null(kit.history);
    memcpy(text, error.text, sizeof(error.text));
    return rc;
}

// ---- records ----

struct job_record *db_record_sized(uint64_t id, size_t size)
{
    static const char *const tubes[] = {"one", "two", "three"};
    char reason[64], *out = malloc(size + 1);
    if (out == NULL)
        ck_abort_msg("no memory");
    memset(out, (int)(id & 0xff), size);
    snprintf(reason, sizeof(reason), "because of %llu", (unsigned long long)id);
    struct job_record like = {.id = id,
                              .kind = id % 10 == 0 ? JOB_OUTCOME_FAILED : JOB_OUTCOME_DONE,
                              .exit_status = (int)(id % 10 == 0),
                              .signal = (int)(id % 3),
                              .pri = (uint32_t)(id * 3),
                              .submitter = id % 2 == 0 ? JOB_NOBODY : (uint32_t)(id % 3 * 1000),
                              .reserves = 1,
                              .tries.timeouts = (uint32_t)(id % 4),
                              .releases = (uint32_t)(id % 5),
                              .buries = (uint32_t)(id % 6),
                              .tries.failures = (uint32_t)(id % 7),
                              .tries.crashes = (uint32_t)(id % 8),
                              .tries.losses = (uint32_t)(id % 9),
                              .delay_ns = (int64_t)id * 7,
                              .ttr_ns = (int64_t)id * 8,
                              .size = id * 9,
                              .finished_ns = clock_now_ns(),
                              .created_wall_ns = 1000 + (int64_t)id,
                              .started_wall_ns = 2000 + (int64_t)id,
                              .ended_wall_ns = clock_wall_ns(),
                              .waited_ns = 1000,
                              .duration_ns = (int64_t)id * 11,
                              .tube = tubes[id % 3],
                              .reason = reason,
                              .name = id % 2 == 0 ? "even" : "",
                              .group = id % 7 == 0 ? "week" : "",
                              .key = reason + 8,
                              .tags = "red\0blue",
                              .tags_size = id % 3 == 0   ? 9
                                           : id % 3 == 1 ? 4
                                                         : 0,
                              .retention_ns = -1,
                              .out = out,
                              .out_len = size,
                              .err = "e\0rr",
                              .err_len = 4,
                              .out_truncated = id % 2 == 0,
                              .err_truncated = id % 2 == 1,
                              .usage = {.user_ns = 5, .system_ns = (int64_t)id, .max_rss = 4096},
                              .progress = (int)(id % 101),
                              .progress_text = "so far"};
    struct job_record *record;
    int rc = job_record_copy(&record, &like);
    free(out);
    if (rc != 0)
        ck_abort_msg("job_record_copy: %d", rc);
    return record;
}

struct job_record *db_record(uint64_t id)
{
    return db_record_sized(id, id % 50);
}

// The first field that differs, or NULL. One assertion for all: each is a message to another
// process.
static const char *difference(const struct job_record *got, const struct job_record *want)
{
#define SAME(field)                                                                                \
    if (got->field != want->field)                                                                 \
        return #field;
#define SAME_TEXT(field)                                                                           \
    if (strcmp(got->field, want->field) != 0)                                                      \
        return #field;
#define SAME_BYTES(field)                                                                          \
    if (got->field##_len != want->field##_len ||                                                   \
        memcmp(got->field, want->field, want->field##_len + 1) != 0)                               \
        return #field;
    SAME(id)
    SAME(kind)
    SAME(exit_status)
    SAME(signal)
    SAME(pri)
    SAME(submitter)
    SAME(reserves)
    SAME(tries.timeouts)
    SAME(releases)
    SAME(buries)
    SAME(kicks)
    SAME(tries.failures)
    SAME(tries.crashes)
    SAME(tries.losses)
    SAME(delay_ns)
    SAME(ttr_ns)
    SAME(size)
    SAME(created_wall_ns)
    SAME(started_wall_ns)
    SAME(waited_ns)
    SAME(duration_ns)
    SAME(out_truncated)
    SAME(err_truncated)
    SAME(usage.user_ns)
    SAME(usage.system_ns)
    SAME(usage.max_rss)
    SAME(progress)
    SAME_TEXT(tube)
    SAME_TEXT(reason)
    SAME_TEXT(name)
    SAME_TEXT(group)
    SAME_TEXT(key)
    SAME(retention_ns)
    SAME(tags_size)
    if (memcmp(got->tags, want->tags, want->tags_size + 1) != 0)
        return "tags";
    SAME_TEXT(progress_text)
    SAME_BYTES(out)
    SAME_BYTES(err)
    return NULL;
}

void db_check(const struct job_record *record, uint64_t id)
{
    struct job_record *want = db_record_sized(id, record->out_len);
    const char *field = difference(record, want);
    job_record_unref(&want);
    if (field != NULL)
        ck_abort_msg("job %llu came back with another %s", (unsigned long long)id, field);
}

// ---- adding and waiting ----

uint64_t db_add_record(struct job_record *record)
{
    uint64_t number = 0;
    int rc = ENOBUFS;
    for (;;) {
        struct job_record *mine = job_record_ref(record);
        hl_event_clear(kit.event);
        rc = history_add(kit.history, &mine, &number);
        if (rc != ENOBUFS)
            break;
        (void)hl_event_wait(kit.event, HL_FOREVER); // a batch makes room
    }
    job_record_unref(&record);
    if (rc != 0 || number == 0)
        ck_abort_msg("history_add: %d", rc);
    return number;
}

uint64_t db_add(uint64_t id)
{
    return db_add_record(db_record(id));
}

// The test's own time limit ends a wait that would last for ever.
void db_await(uint64_t number)
{
    while (atomic_load(&kit.durable) < number) {
        hl_event_clear(kit.event);
        if (atomic_load(&kit.durable) < number)
            (void)hl_event_wait(kit.event, HL_FOREVER);
    }
    if (history_durable(kit.history) < number)
        ck_abort_msg("told as durable, but it isn't");
}

void db_fill(uint64_t first, uint64_t last)
{
    uint64_t number = 0;
    for (uint64_t id = first; id <= last; id++)
        number = db_add(id);
    db_await(number);
}

bool db_has(uint64_t id)
{
    struct job_record *record = NULL;
    int rc = history_get(kit.history, id, &record);
    if (rc == ENOENT)
        return false;
    if (rc != 0)
        ck_abort_msg("history_get: %d", rc);
    db_check(record, id);
    job_record_unref(&record);
    return true;
}

struct history_stats db_stats(void)
{
    struct history_stats stats;
    history_stats(kit.history, &stats);
    return stats;
}

void db_await_stat(size_t offset, uint64_t value)
{
    for (;;) {
        struct history_stats stats = db_stats();
        uint64_t now;
        memcpy(&now, (const char *)&stats + offset, sizeof(now));
        if (now == value)
            return;
        sched_yield();
    }
}

// ---- the file ----

int64_t db_sql(const char *text)
{
    sqlite3 *connection = NULL;
    sqlite3_stmt *statement = NULL;
    ck_assert_int_eq(sqlite3_open(kit.path, &connection), SQLITE_OK);
    ck_assert_int_eq(sqlite3_busy_timeout(connection, 10000), SQLITE_OK);
    int rc = sqlite3_prepare_v2(connection, text, -1, &statement, NULL);
    ck_assert_msg(rc == SQLITE_OK, "%s: %s", text, sqlite3_errmsg(connection));
    rc = sqlite3_step(statement);
    ck_assert_msg(rc == SQLITE_ROW || rc == SQLITE_DONE, "%s", sqlite3_errmsg(connection));
    int64_t number = rc == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_finalize(statement);
    sqlite3_close(connection);
    return number;
}

uint64_t db_file_size(void)
{
    static const char *const parts[] = {"", "-wal"};
    uint64_t size = 0;
    for (size_t i = 0; i < 2; i++) {
        char path[96];
        struct stat status;
        snprintf(path, sizeof(path), "%s%s", kit.path, parts[i]);
        if (stat(path, &status) == 0)
            size += (uint64_t)status.st_size;
    }
    return size;
}

unsigned db_files(const char *prefix)
{
    DIR *dir = opendir(kit.directory);
    ck_assert_ptr_nonnull(dir);
    const struct dirent *entry;
    unsigned count = 0;
    while ((entry = readdir(dir)) != NULL)
        count += strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
    closedir(dir);
    return count;
}
