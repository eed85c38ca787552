// SPDX-License-Identifier: MIT
// The child that stands ready for a keeper's next program. Whether there is one at a moment is up
// to the machine: what is tried here holds with it and without, and is tried often enough to meet
// both.

#include "keeper_kit.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 60

static char *const no_env[] = {NULL};
static char *const tells_its_job[] = {(char[]){"/bin/sh"}, (char[]){"-c"},
                                      (char[]){"echo $HILERA_JOB_ID"}, NULL};
static const struct spawn_program row = {.argv = tells_its_job, .env = no_env};
static char *const words[] = {(char[]){"echo"}, NULL};

static void setup(void)
{
    keeper_kit_up();
    keeper_kit_begin(&row);
}

static int job_start(uint64_t id)
{
    return keeper_kit_start(&(struct spawn_job){.tube = "t", .id = id, .tell = true});
}

// What comes behind SPAWN_STARTED.
static void check_end(uint64_t id)
{
    char text[32] = "";
    struct spawn_news news = keeper_kit_hear();
    ck_assert_int_eq(news.word, SPAWN_ENDED);
    ck_assert_int_eq(news.status, 0);
    ck_assert(!news.others);
    ck_assert_int_gt(read(keeper_kit.pipes[0], text, sizeof(text) - 1), 0);
    ck_assert_uint_eq(strtoull(text, NULL, 10), id);
}

// A job from its start to its end; returns its program.
static pid_t run_one(uint64_t id)
{
    ck_assert_int_eq(job_start(id), 0);
    struct spawn_news news = keeper_kit_hear();
    ck_assert_int_eq(news.word, SPAWN_STARTED);
    check_end(id);
    return news.pid;
}

// A number that the next process doesn't get.
static pid_t used_pid(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    return pid;
}

// Until the number of a program is older than the question for it.
START_TEST(jobs_that_follow_have_a_child_ready)
{
    bool ahead = false;
    (void)run_one(1);
    for (uint64_t id = 2; !ahead || id < ROUNDS; id++) {
        pid_t used = used_pid(), pid = run_one(id);
        ahead = ahead || (pid < used && used - pid < 1000); // else they have begun anew
    }
}
END_TEST

START_TEST(a_ready_child_takes_no_wrong_start)
{
    for (uint64_t id = 1; id < ROUNDS; id++) {
        (void)run_one(id);
        ck_assert_int_eq(keeper_kit_start(&(struct spawn_job){.tube = "t", .argv = words}), 0);
        struct spawn_news news = keeper_kit_hear();
        ck_assert_int_eq(news.word, SPAWN_FAILED);
        ck_assert_int_eq(news.step, SPAWN_STEP_order);
        ck_assert_int_eq(news.error, EPERM);
    }
}
END_TEST

START_TEST(what_a_ready_child_hears_is_answered)
{
    for (uint64_t id = 1; id < ROUNDS; id++) {
        (void)run_one(id);
        spawn_keeper_signal(keeper_kit.keeper, SIGTERM); // for nobody
        struct spawn_news news = keeper_kit_hear();
        ck_assert_int_eq(news.word, SPAWN_ALIVE);
        ck_assert_int_eq(news.error, 0);
    }
}
END_TEST

// The first child of a process; 0: it has none.
static pid_t child_of(pid_t parent)
{
    char path[64], text[32] = "";
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)parent, (int)parent);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;
    if (fd >= 0)
        close(fd);
    return got > 0 ? (pid_t)atoi(text) : 0;
}

// Through a descriptor: the child may end by itself, and its number be another's.
static void kill_child_of(pid_t parent)
{
    pid_t child = child_of(parent);
    int fd = child > 0 ? pidfd_open(child, 0) : -1;
    if (fd >= 0 && child_of(parent) == child)
        (void)pidfd_send_signal(fd, SIGKILL, NULL, 0);
    if (fd >= 0)
        close(fd);
}

// It may have had a message, so its keeper goes; a job that was on its way is lost with that, and
// never just not heard of.
START_TEST(a_ready_child_that_is_killed_takes_its_keeper_along)
{
    struct spawn_news news;
    pid_t parent = child_of(child_of(getpid()));
    ck_assert_int_gt(parent, 0);
    for (uint64_t id = 1;; id += 2) {
        (void)run_one(id);
        kill_child_of(parent);
        if (job_start(id + 1) != 0 || keeper_kit_hear_or_end(&news) != 0)
            break;
        ck_assert_int_eq(news.word, SPAWN_STARTED); // there was none
        check_end(id + 1);
    }
    ck_assert_int_eq(spawn_keeper_hear(keeper_kit.keeper, &news), EPIPE);
}
END_TEST

START_TEST(a_channel_that_closes_ends_a_ready_child)
{
    pid_t parent = child_of(child_of(getpid()));
    for (uint64_t id = 1; id < 5; id++)
        (void)run_one(id);
    spawn_keeper_free(&keeper_kit.keeper);
    spawner_end(&keeper_kit.spawner); // waits for keepers
    ck_assert_int_eq(kill(parent, 0), -1);
    ck_assert_int_eq(errno, ESRCH);
    ck_assert_int_eq(waitpid(-1, NULL, 0), -1); // and nobody has come to us
    ck_assert_int_eq(errno, ECHILD);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("spawn_ahead");
    TCase *ahead = tcase_create("ahead");
    tcase_add_checked_fixture(ahead, setup, keeper_kit_down);
    tcase_add_test(ahead, jobs_that_follow_have_a_child_ready);
    tcase_add_test(ahead, a_ready_child_takes_no_wrong_start);
    tcase_add_test(ahead, what_a_ready_child_hears_is_answered);
    tcase_add_test(ahead, a_ready_child_that_is_killed_takes_its_keeper_along);
    tcase_add_test(ahead, a_channel_that_closes_ends_a_ready_child);
    suite_add_tcase(suite, ahead);
    return unit_main(suite);
}
