// SPDX-License-Identifier: MIT
// A pool of the handler exec and what its tests look at.
//
// The test makes itself the subreaper of what it starts, so a process that a job left behind comes
// to it and can be waited for: what isn't killed makes the test hang, and so fail.

#include "exec_fixture.h"

#include "spawned.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2) /* linux/close_range.h */
#endif

struct broker *broker;
struct worker_pool *pool;
struct engine_records records;
struct handler_settings handler_settings;
struct job_rules pool_rules;
char folder[64];

void exec_setup(void)
{
    ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
    snprintf(folder, sizeof(folder), "/tmp/hilera-exec-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    engine_records_init(&records);
    struct broker_options options = {
        .body_max = 1 << 20, .ended = engine_records_add, .records_arg = &records};
    ck_assert_int_eq(broker_new(&broker, &options), 0);
    handler_settings = (struct handler_settings){0};
    pool_rules = (struct job_rules){.set = 0};
}

void exec_teardown(void)
{
    worker_pool_free(&pool);
    spawned_end();
    broker_free(&broker);
    engine_records_fini(&records);
    char path[128];
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/fifo%d", folder, i);
        unlink(path);
    }
    rmdir(folder);
    while (waitpid(-1, NULL, 0) > 0) // until nobody is left, dead or alive
        continue;
    ck_assert_int_eq(errno, ECHILD);
}

void start_pool(const char *const *argv, unsigned workers)
{
    static const char *const tubes[] = {"t"};
    // What the harness has open isn't the handler's fault.
    ck_assert_int_eq(close_range(3, ~0U, CLOSE_RANGE_CLOEXEC), 0);
    handler_settings.argv = argv;
    struct worker_pool_settings settings = {.name = "exec",
                                            .tubes = tubes,
                                            .tube_count = 1,
                                            .workers = workers,
                                            .handler = "exec",
                                            .handler_settings = handler_settings,
                                            .rules = pool_rules};
    char why[256] = "";
    spawned_begin(&settings);
    ck_assert_msg(worker_pool_new(&pool, &settings, broker, why, sizeof(why)) == 0, "%s", why);
    ck_assert_int_eq(worker_pool_start(pool), 0);
}

// Runs one job to its end; the record is the caller's only until the test ends.
const struct job_record *run(const char *const *argv, const char *body)
{
    start_pool(argv, 1);
    engine_put(broker, "t", 0, 0, body);
    engine_records_await(&records, 1);
    worker_pool_stop(pool, HL_FOREVER);
    return records.record[0];
}

const struct job_record *run_shell(const char *script, const char *body)
{
    const char *argv[] = {"/bin/sh", "-c", script, NULL};
    return run(argv, body);
}

void check_done(const struct job_record *record, const char *out, const char *err)
{
    ck_assert_msg(record->kind == JOB_OUTCOME_DONE, "%s", record->reason);
    ck_assert_int_eq(record->exit_status, 0);
    ck_assert_int_eq(record->signal, 0);
    ck_assert_str_eq(record->reason, "");
    ck_assert_str_eq(record->out, out);
    ck_assert_str_eq(record->err, err);
    ck_assert(!record->out_truncated && !record->err_truncated);
}

void check_failed(const struct job_record *record, int exit_status, int sig, const char *words)
{
    ck_assert_int_eq(record->kind, JOB_OUTCOME_FAILED);
    ck_assert_int_eq(record->exit_status, exit_status);
    ck_assert_int_eq(record->signal, sig);
    ck_assert_msg(strstr(record->reason, words) != NULL, "\"%s\" doesn't say \"%s\"",
                  record->reason, words);
}
