// SPDX-License-Identifier: MIT
// Spawner and keepers by themselves: what they are told, what they refuse, and how everything ends
// with its parent. What programs get is test_exec's.

#include "keeper_kit.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define STRANGER 54321 // a user that nobody is

static char *const no_env[] = {NULL};

// ---- texts ----

static void check_places(const char *name, char *const *env, const char *fallback,
                         const char *expected)
{
    char text[512] = "";
    char **places = places_of(name, env, fallback);
    ck_assert_ptr_nonnull(places);
    for (size_t i = 0; places[i] != NULL; i++) {
        strcat(text, places[i]);
        strcat(text, "|");
    }
    ck_assert_str_eq(text, expected);
    free(places);
}

START_TEST(a_name_means_a_file_in_each_place)
{
    char *const path[] = {(char[]){"A=b"}, (char[]){"PATH=/a:b::/c"}, NULL};
    char *const empty[] = {(char[]){"PATH="}, NULL};
    check_places("tool", path, NULL, "/a/tool|b/tool|./tool|/c/tool|");
    check_places("tool", empty, NULL, "./tool|");
    check_places("tool", no_env, "/x:/y", "/x/tool|/y/tool|");
    check_places("tool", no_env, NULL, "/usr/local/bin/tool|/usr/bin/tool|/bin/tool|");
    check_places("./tool", path, NULL, "./tool|");
    check_places("/a/b", no_env, NULL, "/a/b|");
}
END_TEST

static void pack(const struct spawn_job *job, struct packet *packet)
{
    char *texts;
    size_t len;
    struct spawn_start head;
    ck_assert_int_eq(order_pack(job, &head, &texts, &len), 0);
    memcpy(packet->bytes, &head, sizeof(head));
    memcpy(packet->bytes + sizeof(head), texts, len);
    packet->len = sizeof(head) + len;
    packet->fd_count = 3;
    free(texts);
}

static char *const words[] = {(char[]){"a"}, (char[]){""}, (char[]){"\xff\x01"}, NULL};
static char *const vars[] = {(char[]){"X=1"}, NULL};

START_TEST(a_start_is_read_as_it_was_written)
{
    static struct packet packet;
    struct order order;
    pack(&(struct spawn_job){.id = 7, .tube = "t", .argv = words, .env = vars, .directory = "/d"},
         &packet);
    ck_assert_int_eq(order_read(&order, &packet), 0);
    ck_assert_str_eq(order.tube, "t");
    ck_assert_str_eq(order.directory, "/d");
    ck_assert_str_eq(order.argv[2], "\xff\x01");
    ck_assert_ptr_null(order.argv[3]);
    ck_assert_str_eq(order.env[0], "X=1");
    ck_assert_ptr_null(order.env[1]);
    order_fini(&order);
}
END_TEST

// Each byte of a start changed, and each length: it is read within its bounds, or refused.
START_TEST(a_spoilt_start_is_refused)
{
    static struct packet good, packet;
    struct order order;
    pack(&(struct spawn_job){.tube = "tube", .argv = words, .env = vars, .directory = "/"}, &good);
    for (size_t at = 0; at < good.len; at++)
        for (int to = 0; to < 256; to += 85) {
            packet = good;
            packet.bytes[at] = (char)to;
            (void)order_read(&order, &packet);
            order_fini(&order);
        }
    for (size_t len = 0; len < good.len; len++) {
        packet = good;
        packet.len = len;
        ck_assert_int_eq(order_read(&order, &packet), EPROTO);
        order_fini(&order);
    }
    packet = good;
    packet.fd_count = 2;
    ck_assert_int_eq(order_read(&order, &packet), EPROTO);
    order_fini(&order);
}
END_TEST

START_TEST(a_memory_file_without_seals_is_refused)
{
    static struct packet packet;
    struct order order;
    struct spawn_start head = {.verb = SPAWN_START, .len = 2};
    char path[] = "/tmp/test-spawn-XXXXXX";
    packet.fds[3] = mkstemp(path);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(write(packet.fds[3], "t", 2), 2);
    memcpy(packet.bytes, &head, sizeof(head));
    packet.len = sizeof(head);
    packet.fd_count = 4;
    ck_assert_int_eq(order_read(&order, &packet), EPROTO);
    order_fini(&order);
    close(packet.fds[3]);
    ck_assert_int_eq(order_seal("t", 2, &packet.fds[3]), 0);
    ck_assert_int_eq(order_read(&order, &packet), 0);
    ck_assert_str_eq(order.tube, "t");
    order_fini(&order);
    close(packet.fds[3]);
}
END_TEST

// ---- a begin by itself ----

static void score_set(const char *score)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, score, strlen(score)), (ssize_t)strlen(score));
    close(fd);
}

// What the program has whose keeper is spared, or isn't. A score that was raised may be lowered by
// everybody, which a test can do that isn't root's.
static void check_score(bool spared, const char *expected)
{
    const struct spawn_program row = {.argv = NULL};
    char *const argv[] = {(char[]){"cat"}, (char[]){"/proc/self/oom_score_adj"}, NULL};
    char *const paths[] = {(char[]){"/bin/cat"}, NULL};
    static struct spawn_shared shared;
    char text[16] = "";
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    const int fds[] = {ends[0], ends[1], ends[1]};
    const struct begin begin = {.row = &row,
                                .argv = argv,
                                .env = no_env,
                                .paths = paths,
                                .fds = fds,
                                .spared = spared,
                                .keeper = getpid(),
                                .shared = &shared};
    pid_t pid = begin_program(&begin);
    ck_assert_int_gt(pid, 0);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert_int_eq(shared.step, SPAWN_STEP_NONE);
    ck_assert_int_gt(read(ends[0], text, sizeof(text) - 1), 0);
    ck_assert_str_eq(text, expected);
    close(ends[0]);
    close(ends[1]);
}

START_TEST(what_spares_the_daemon_spares_no_program)
{
    score_set("300");
    ck_assert(!begin_is_spared());
    check_score(false, "300\n");
    check_score(true, "0\n");
    check_score(false, "300\n"); // the keeper's own is as it was
}
END_TEST

// ---- programs ----

// What the program wrote first, a number.
static pid_t read_pid(void)
{
    char text[32] = "";
    ck_assert_int_gt(read(keeper_kit.pipes[0], text, sizeof(text) - 1), 0);
    return (pid_t)atoi(text);
}

static char *const shell[] = {(char[]){"/bin/sh"}, (char[]){"-c"},
                              (char[]){"setsid sleep 1000 & echo $!; exec sleep 1000"}, NULL};
static const struct spawn_program shell_row = {.argv = shell, .env = no_env};
static const struct spawn_program open_row = {.env = no_env};

START_TEST(a_row_with_a_program_starts_no_other)
{
    const struct spawn_job wrong[] = {{.tube = "t", .argv = words},
                                      {.tube = "t", .env = vars},
                                      {.tube = "t", .directory = "/"},
                                      {.tube = "t", .has_umask = true}};
    keeper_kit_begin(&shell_row);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        ck_assert_int_eq(keeper_kit_start(&wrong[i]), 0);
        struct spawn_news news = keeper_kit_hear();
        ck_assert_int_eq(news.word, SPAWN_FAILED);
        ck_assert_int_eq(news.error, EPERM);
        ck_assert_int_eq(news.step, SPAWN_STEP_order);
    }
}
END_TEST

START_TEST(a_row_without_one_needs_one)
{
    keeper_kit_begin(&open_row);
    ck_assert_int_eq(keeper_kit_start(&(struct spawn_job){.tube = "t"}), 0);
    ck_assert_int_eq(keeper_kit_hear().error, EPERM);
    struct spawn_keeper *none = NULL;
    ck_assert_int_ne(spawn_keeper_new(&none, keeper_kit.spawner, 1), 0); // there is no such row
    ck_assert_ptr_null(none);
}
END_TEST

START_TEST(long_arguments_arrive)
{
    static char text[100001];
    char got[64] = "";
    memset(text, 'x', sizeof(text) - 1);
    char *const argv[] = {(char[]){"/bin/sh"},
                          (char[]){"-c"},
                          (char[]){"echo ${#1}-${#2}"},
                          (char[]){"sh"},
                          text,
                          text,
                          NULL};
    keeper_kit_begin(&open_row);
    ck_assert_int_eq(keeper_kit_start(&(struct spawn_job){.tube = "t", .argv = argv}), 0);
    struct spawn_news news = keeper_kit_hear();
    ck_assert_int_eq(news.word, SPAWN_ENDED);
    ck_assert_int_eq(news.status, 0);
    ck_assert(!news.others);
    ck_assert_int_gt(read(keeper_kit.pipes[0], got, sizeof(got) - 1), 0);
    ck_assert_str_eq(got, "100000-100000\n");
}
END_TEST

START_TEST(a_failed_step_is_told)
{
    char *const argv[] = {(char[]){"/nowhere/x"}, NULL}, *const same[] = {(char[]){"true"}, NULL};
    keeper_kit_begin(&open_row);
    ck_assert_int_eq(keeper_kit_start(&(struct spawn_job){.tube = "t", .argv = argv}), 0);
    struct spawn_news news = keeper_kit_hear();
    ck_assert_int_eq(news.word, SPAWN_FAILED);
    ck_assert_int_eq(news.step, SPAWN_STEP_exec);
    ck_assert_int_eq(news.error, ENOENT);
    ck_assert(news.own);
    ck_assert_int_eq(
        keeper_kit_start(&(struct spawn_job){.tube = "t", .argv = same, .directory = "/nowhere"}),
        0);
    news = keeper_kit_hear();
    ck_assert_int_eq(news.step, SPAWN_STEP_directory);
    ck_assert_str_eq(news.what, "/nowhere");
    // And the next one runs.
    ck_assert_int_eq(keeper_kit_start(&(struct spawn_job){.tube = "t", .argv = same, .tell = true}),
                     0);
    ck_assert_int_eq(keeper_kit_hear().word, SPAWN_STARTED);
    ck_assert_int_eq(keeper_kit_hear().word, SPAWN_ENDED);
}
END_TEST

// ---- ends ----

static void check_gone(pid_t pid)
{
    ck_assert_int_eq(kill(pid, 0), -1);
    ck_assert_int_eq(errno, ESRCH);
}

START_TEST(a_channel_that_closes_ends_all)
{
    keeper_kit_begin(&shell_row);
    ck_assert_int_eq(keeper_kit_start(&(struct spawn_job){.tube = "t"}), 0);
    pid_t pid = read_pid();
    spawn_keeper_free(&keeper_kit.keeper);
    spawner_end(&keeper_kit.spawner);
    check_gone(pid);
}
END_TEST

// Whoever has the lock knows that nothing of the one before runs any more.
START_TEST(a_broker_that_is_killed_leaves_nobody)
{
    char path[] = "/tmp/test-spawn-XXXXXX";
    int lock = mkstemp(path);
    ck_assert_int_ge(lock, 0);
    pid_t broker = fork();
    if (broker == 0) {
        int own = open(path, O_RDWR | O_CLOEXEC);
        close(lock);
        if (own < 0 || flock(own, LOCK_EX) != 0 ||
            spawner_start(&keeper_kit.spawner, &shell_row, 1) != 0 ||
            spawner_hold(keeper_kit.spawner, own) != 0 ||
            spawn_keeper_new(&keeper_kit.keeper, keeper_kit.spawner, 0) != 0 ||
            keeper_kit_start(&(struct spawn_job){.tube = "t"}) != 0)
            _exit(1);
        for (;;)
            pause();
    }
    pid_t pid = read_pid();
    ck_assert_int_eq(kill(pid, 0), 0);
    ck_assert_int_eq(kill(broker, SIGKILL), 0);
    ck_assert_int_eq(flock(lock, LOCK_EX), 0);
    check_gone(pid);
    unlink(path);
    close(lock);
}
END_TEST

START_TEST(a_keeper_that_is_killed_leaves_nobody)
{
    keeper_kit_begin(&shell_row);
    ck_assert_int_eq(keeper_kit_start(&(struct spawn_job){.tube = "t", .tell = true}), 0);
    pid_t program = keeper_kit_hear().pid, pid = read_pid();
    spawn_keeper_bury(&keeper_kit.keeper);
    check_gone(program);
    check_gone(pid);
    ck_assert_int_eq(spawn_keeper_new(&keeper_kit.keeper, keeper_kit.spawner, 0),
                     0); // and there is another one
}
END_TEST

// Stops all that the user runs, again and again: also what has become that user a moment ago and
// hasn't begun its program. Ends with its parent.
static pid_t stopper_start(void)
{
    pid_t self = getpid(), pid = fork();
    if (pid != 0)
        return pid;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != self ||
        setresgid(STRANGER, STRANGER, STRANGER) != 0 ||
        setresuid(STRANGER, STRANGER, STRANGER) != 0)
        _exit(1);
    for (;;) {
        (void)kill(-1, SIGSTOP);
        (void)poll(NULL, 0, 1); // others want the kernel's list of processes, too
    }
}

// Whoever is stopped on its way holds its keeper_kit.keeper; both go when they are to.
START_TEST(a_start_that_hangs_is_ended)
{
    char *const argv[] = {(char[]){"/bin/true"}, NULL};
    const struct spawn_program row = {.argv = argv,
                                      .env = no_env,
                                      .change_user = true,
                                      .uid = STRANGER,
                                      .gid = STRANGER,
                                      .groups = (const gid_t[]){STRANGER},
                                      .group_count = 1};
    unsigned held = 0;
    UNIT_NEEDS_ROOT("500 tries of a start that hangs");
    keeper_kit_begin(&row);
    pid_t stopper = stopper_start();
    for (unsigned i = 0; i < 500; i++) {
        struct spawn_news news;
        struct pollfd fd = {.fd = spawn_keeper_fd(keeper_kit.keeper), .events = POLLIN};
        ck_assert_int_eq(keeper_kit_start(&(struct spawn_job){.tube = "t", .tell = true}), 0);
        bool told = poll(&fd, 1, 5) == 1 && spawn_keeper_hear(keeper_kit.keeper, &news) == 0;
        held += !told;
        spawn_keeper_bury(&keeper_kit.keeper);
        ck_assert_int_eq(spawn_keeper_new(&keeper_kit.keeper, keeper_kit.spawner, 0), 0);
    }
    printf("# %u of 500 starts were held\n", held);
    kill(stopper, SIGKILL);
    ck_assert_int_eq(waitpid(stopper, NULL, 0), stopper);
}
END_TEST

// A look-up that never ends: the kernel asks whether the program may be run, and nobody answers.
START_TEST(a_look_up_that_blocks_is_ended)
{
    char folder[] = "/tmp/test-spawn-XXXXXX", path[64], copy[128];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/true", folder);
    snprintf(copy, sizeof(copy), "cp /bin/true %s", path);
    ck_assert_int_eq(system(copy), 0); // NOLINT(cert-env33-c): nobody else's words
    int watch = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC | FAN_NONBLOCK, O_RDONLY | O_CLOEXEC);
    if (watch < 0 || fanotify_mark(watch, FAN_MARK_ADD, FAN_OPEN_EXEC_PERM, AT_FDCWD, path) != 0)
        printf("# %s: a look-up that blocks isn't tried\n", strerrordesc_np(errno));
    else {
        char *const argv[] = {path, NULL};
        keeper_kit_begin(&open_row);
        ck_assert_int_eq(
            keeper_kit_start(&(struct spawn_job){.tube = "t", .argv = argv, .tell = true}), 0);
        struct pollfd asked = {.fd = watch, .events = POLLIN};
        ck_assert_int_eq(poll(&asked, 1, -1), 1);
        spawn_keeper_signal(keeper_kit.keeper, SIGTERM); // which it can't hear
        spawn_keeper_bury(&keeper_kit.keeper);
        ck_assert_int_eq(spawn_keeper_new(&keeper_kit.keeper, keeper_kit.spawner, 0), 0);
    }
    close(watch);
    unlink(path);
    rmdir(folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("spawn");
    TCase *texts = tcase_create("texts");
    tcase_add_test(texts, a_name_means_a_file_in_each_place);
    tcase_add_test(texts, a_start_is_read_as_it_was_written);
    tcase_add_test(texts, a_spoilt_start_is_refused);
    tcase_add_test(texts, a_memory_file_without_seals_is_refused);
    tcase_add_test(texts, what_spares_the_daemon_spares_no_program);
    suite_add_tcase(suite, texts);
    TCase *programs = tcase_create("programs");
    tcase_add_checked_fixture(programs, keeper_kit_up, keeper_kit_down);
    tcase_add_test(programs, a_row_with_a_program_starts_no_other);
    tcase_add_test(programs, a_row_without_one_needs_one);
    tcase_add_test(programs, long_arguments_arrive);
    tcase_add_test(programs, a_failed_step_is_told);
    tcase_add_test(programs, a_channel_that_closes_ends_all);
    tcase_add_test(programs, a_broker_that_is_killed_leaves_nobody);
    tcase_add_test(programs, a_keeper_that_is_killed_leaves_nobody);
    suite_add_tcase(suite, programs);
    TCase *hang = tcase_create("hang");
    tcase_add_checked_fixture(hang, keeper_kit_up, keeper_kit_down);
    tcase_add_test(hang, a_look_up_that_blocks_is_ended);
    tcase_add_test(hang, a_start_that_hangs_is_ended);
    suite_add_tcase(suite, hang);
    return unit_main(suite);
}
