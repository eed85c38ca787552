// SPDX-License-Identifier: MIT
// Beginning and end are the same for all; what a row is, and what is asked of the keeper, is the
// test's.
#include "keeper_kit.h"

#include "unit.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct keeper_kit keeper_kit;

void keeper_kit_up(void)
{
    ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
    ck_assert_int_eq(pipe2(keeper_kit.pipes, O_CLOEXEC), 0);
}

void keeper_kit_down(void)
{
    spawn_keeper_free(&keeper_kit.keeper);
    spawner_end(&keeper_kit.spawner);
    close(keeper_kit.pipes[0]);
    if (keeper_kit.pipes[1] >= 0)
        close(keeper_kit.pipes[1]);
    while (waitpid(-1, NULL, 0) > 0)
        continue;
}

void keeper_kit_begin(const struct spawn_program *row)
{
    ck_assert_int_eq(spawner_start(&keeper_kit.spawner, row, 1), 0);
    ck_assert_int_eq(spawn_keeper_new(&keeper_kit.keeper, keeper_kit.spawner, 0), 0);
}

int keeper_kit_start(const struct spawn_job *job)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    ck_assert_int_ge(null, 0);
    int rc =
        spawn_keeper_start(keeper_kit.keeper, job, (const int[3]){null, keeper_kit.pipes[1], null});
    close(null);
    return rc;
}

int keeper_kit_hear_or_end(struct spawn_news *news)
{
    struct pollfd fd = {.fd = spawn_keeper_fd(keeper_kit.keeper), .events = POLLIN};
    ck_assert_int_eq(poll(&fd, 1, -1), 1);
    return spawn_keeper_hear(keeper_kit.keeper, news);
}

struct spawn_news keeper_kit_hear(void)
{
    struct spawn_news news = {.word = 0};
    ck_assert_int_eq(keeper_kit_hear_or_end(&news), 0);
    return news;
}
