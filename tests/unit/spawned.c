// SPDX-License-Identifier: MIT
// A spawner for the pools of a test. It is forked while the test has one thread, as a rule.

#include "spawned.h"

#include "spawn/spawn.h"
#include "unit.h"

#include <stdio.h>
#include <unistd.h>

static struct spawner *spawner;

void spawned_begin(struct worker_pool_settings *settings)
{
    const struct handler *handler = handler_find(settings->handler);
    struct worker_programs *programs;
    char why[256] = "";
    size_t count;
    if (handler == NULL || !handler->programs ||
        handler->check(&settings->handler_settings, why, sizeof(why)) != 0)
        return;
    ck_assert_int_eq(worker_programs_new(&programs, 1), 0);
    ck_assert_msg(
        worker_programs_add(programs, handler, &settings->handler_settings, why, sizeof(why)) == 0,
        "%s", why);
    const struct spawn_program *table = worker_programs_table(programs, &count);
    spawned_end();
    ck_assert_int_eq(spawner_start(&spawner, table, count), 0);
    worker_programs_free(&programs);
    settings->handler_settings.spawner = spawner;
    settings->handler_settings.row = 0;
}

// The number of processes below that one.
static unsigned below(long pid)
{
    char path[80];
    unsigned count = 0;
    long child;
    snprintf(path, sizeof(path), "/proc/%ld/task/%ld/children", pid, pid);
    FILE *file = fopen(path, "re");
    while (file != NULL && fscanf(file, "%ld", &child) == 1)
        count += 1 + below(child);
    if (file != NULL)
        fclose(file);
    return count;
}

void spawned_check_alone(void)
{
    unsigned keepers = 0, all = 0;
    char path[80];
    long pid = (long)getpid(), child, keeper;
    snprintf(path, sizeof(path), "/proc/%ld/task/%ld/children", pid, pid);
    FILE *file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "%ld", &child), 1); // the spawner
    fclose(file);
    snprintf(path, sizeof(path), "/proc/%ld/task/%ld/children", child, child);
    file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    while (fscanf(file, "%ld", &keeper) == 1)
        keepers++;
    fclose(file);
    all = below(child);
    ck_assert_uint_eq(all, keepers);
    ck_assert_uint_le(keepers, 1);
}

void spawned_end(void)
{
    spawner_end(&spawner);
}
