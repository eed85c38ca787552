// SPDX-License-Identifier: MIT
// The life of a thread, measured against Python's threading.Thread: starting, joining, the daemon
// flag, names, idents, stacks. Who is current, main or foreign, and what can be seen of all of
// them, is in test_registry.c.

#include "base/clock.h"
#include "thr/thr.h"
#include "thr_wait.h"
#include "unit.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

// Sanitizers reserve far more address space than a limit that makes starts fail.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

static void nothing(void *arg)
{
    (void)arg;
}

static void wait_for_event(void *arg)
{
    MUST(hl_event_wait(arg, HL_FOREVER));
}

static void count_one(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
}

START_TEST(runs_its_target_once_and_only_after_start)
{
    atomic_int count = 0;
    hl_thread *thread;
    struct hl_thread_options options = {.target = count_one, .arg = &count};
    ck_assert_int_eq(hl_thread_new(&thread, &options), 0);
    ck_assert(!hl_thread_is_alive(thread));
    ck_assert_int_eq(atomic_load(&count), 0);
    ck_assert_int_eq(hl_thread_start(thread), 0);
    ck_assert_int_eq(hl_thread_join(thread, HL_FOREVER), 0);
    ck_assert_int_eq(atomic_load(&count), 1);
    ck_assert(!hl_thread_is_alive(thread));
    hl_thread_free(&thread);
    ck_assert_ptr_null(thread);
    hl_thread_free(&thread);
}
END_TEST

START_TEST(options_of_zero_are_a_thread_that_does_nothing)
{
    hl_thread *thread;
    ck_assert_int_eq(hl_thread_new(&thread, &(struct hl_thread_options){0}), 0);
    ck_assert_int_eq(hl_thread_start(thread), 0);
    ck_assert_int_eq(hl_thread_join(thread, HL_FOREVER), 0);
    hl_thread_free(&thread);
}
END_TEST

START_TEST(a_second_start_is_refused_while_it_runs_and_after)
{
    hl_event *go;
    MUST(hl_event_new(&go, NULL));
    hl_thread *thread = thread_launch(NULL, wait_for_event, go);
    ck_assert_int_eq(hl_thread_start(thread), EALREADY);
    hl_event_set(go);
    ck_assert_int_eq(hl_thread_join(thread, HL_FOREVER), 0);
    ck_assert_int_eq(hl_thread_start(thread), EALREADY);
    ck_assert(!hl_thread_is_alive(thread));
    hl_thread_free(&thread);
    hl_event_free(&go);
}
END_TEST

START_TEST(it_is_alive_from_start_to_end)
{
    hl_event *go;
    MUST(hl_event_new(&go, NULL));
    hl_thread *thread = thread_launch(NULL, wait_for_event, go);
    ck_assert(hl_thread_is_alive(thread));
    await_blocked(thread, "event");
    ck_assert(hl_thread_is_alive(thread));
    hl_event_set(go);
    ck_assert_int_eq(hl_thread_join(thread, HL_FOREVER), 0);
    ck_assert(!hl_thread_is_alive(thread));
    hl_thread_free(&thread);
    hl_event_free(&go);
}
END_TEST

// ---- join ----

START_TEST(join_before_start_is_refused)
{
    hl_thread *thread;
    MUST(hl_thread_new(&thread, &(struct hl_thread_options){.target = nothing}));
    ck_assert_int_eq(hl_thread_join(thread, HL_FOREVER), EINVAL);
    ck_assert_int_eq(hl_thread_join(thread, 0), EINVAL);
    ck_assert_int_eq(hl_thread_start(thread), 0);
    ck_assert_int_eq(hl_thread_join(thread, HL_FOREVER), 0);
    hl_thread_free(&thread);
}
END_TEST

static void join_self(void *arg)
{
    atomic_int *rc = arg;
    atomic_store(&rc[0], hl_thread_join(hl_thread_current(), HL_FOREVER));
    atomic_store(&rc[1], hl_thread_join(hl_thread_current(), 0));
}

START_TEST(a_thread_cannot_join_itself)
{
    atomic_int rc[2] = {0, 0};
    hl_thread *thread = thread_launch(NULL, join_self, rc);
    thread_finish(&thread);
    ck_assert_int_eq(atomic_load(&rc[0]), EDEADLK);
    ck_assert_int_eq(atomic_load(&rc[1]), EDEADLK);
}
END_TEST

static void join_main(void *arg)
{
    atomic_store((atomic_int *)arg, hl_thread_join(hl_thread_main(), HL_FOREVER));
}

START_TEST(the_main_thread_cannot_be_joined)
{
    atomic_int rc = 0;
    hl_thread *thread = thread_launch(NULL, join_main, &rc);
    thread_finish(&thread);
    ck_assert_int_eq(atomic_load(&rc), EINVAL);
    ck_assert_int_eq(hl_thread_join(hl_thread_main(), 0), EINVAL);
}
END_TEST

START_TEST(join_with_no_time_only_looks)
{
    hl_event *go;
    MUST(hl_event_new(&go, NULL));
    hl_thread *thread = thread_launch(NULL, wait_for_event, go);
    ck_assert_int_eq(hl_thread_join(thread, 0), ETIMEDOUT);
    ck_assert_int_eq(hl_thread_join(thread, -1), ETIMEDOUT);
    ck_assert_int_eq(hl_thread_join(thread, INT64_MIN), ETIMEDOUT);
    hl_event_set(go);
    ck_assert_int_eq(hl_thread_join(thread, HL_FOREVER), 0);
    ck_assert_int_eq(hl_thread_join(thread, 0), 0);
    ck_assert_int_eq(hl_thread_join(thread, -1), 0);
    ck_assert_int_eq(hl_thread_join(thread, HL_FOREVER), 0);
    hl_thread_free(&thread);
    hl_event_free(&go);
}
END_TEST

struct joining {
    hl_thread *thread;
    int64_t timeout_ns;
    int rc;
    atomic_bool over;
};

static void join_other(void *arg)
{
    struct joining *joining = arg;
    joining->rc = hl_thread_join(joining->thread, joining->timeout_ns);
    atomic_store(&joining->over, true);
}

START_TEST(join_times_out_to_the_nanosecond_and_can_be_repeated)
{
    hl_event *go;
    MUST(hl_event_new(&go, NULL));
    clock_virtual_start(HL_SECOND);
    hl_thread *thread = thread_launch(NULL, wait_for_event, go);
    struct joining joining = {.thread = thread, .timeout_ns = 5 * HL_SECOND};
    hl_thread *joiner = thread_launch("joiner", join_other, &joining);
    park_await_sleepers(1);
    clock_virtual_advance(5 * HL_SECOND - 1);
    ck_assert(!atomic_load(&joining.over));
    park_await_sleepers(1);
    clock_virtual_advance(1);
    thread_finish(&joiner);
    ck_assert_int_eq(joining.rc, ETIMEDOUT);

    joiner = thread_launch("joiner", join_other, &joining);
    park_await_sleepers(1);
    hl_event_set(go);
    thread_finish(&joiner);
    ck_assert_int_eq(joining.rc, 0);
    thread_finish(&thread);
    clock_virtual_stop();
    hl_event_free(&go);
}
END_TEST

START_TEST(several_may_join_one)
{
    enum { JOINERS = 4 };
    hl_event *go;
    MUST(hl_event_new(&go, NULL));
    hl_thread *thread = thread_launch(NULL, wait_for_event, go);
    struct joining joining[JOINERS];
    hl_thread *joiner[JOINERS];
    for (int i = 0; i < JOINERS; i++) {
        joining[i] = (struct joining){.thread = thread, .timeout_ns = HL_FOREVER, .rc = -1};
        joiner[i] = thread_launch(NULL, join_other, &joining[i]);
    }
    for (int i = 0; i < JOINERS; i++)
        await_blocked(joiner[i], "thread join");
    hl_event_set(go);
    for (int i = 0; i < JOINERS; i++) {
        thread_finish(&joiner[i]);
        ck_assert_int_eq(joining[i].rc, 0);
    }
    thread_finish(&thread);
    hl_event_free(&go);
}
END_TEST

// ---- run ----

struct subclass {
    int before, after;
    atomic_int target;
    bool self_is_current;
};

static void subclass_run(hl_thread *self)
{
    struct subclass *data = hl_thread_self_data(self);
    data->before++;
    data->self_is_current = self == hl_thread_current();
    hl_thread_run(self);
    data->after = data->before + atomic_load(&data->target);
}

static void run_nothing(hl_thread *self)
{
    (void)self;
}

START_TEST(an_overriding_run_stands_in_front_of_the_target)
{
    struct subclass data = {0};
    hl_thread *thread;
    struct hl_thread_options options = {
        .target = count_one, .arg = &data.target, .run = subclass_run, .data = &data};
    MUST(hl_thread_new(&thread, &options));
    ck_assert_ptr_eq(hl_thread_self_data(thread), &data);
    MUST(hl_thread_start(thread));
    thread_finish(&thread);
    ck_assert_int_eq(data.before, 1);
    ck_assert_int_eq(data.after, 2);
    ck_assert_int_eq(atomic_load(&data.target), 1);
    ck_assert(data.self_is_current);

    // One that doesn't call hl_thread_run leaves the target out.
    options.run = run_nothing;
    MUST(hl_thread_new(&thread, &options));
    MUST(hl_thread_start(thread));
    thread_finish(&thread);
    ck_assert_int_eq(atomic_load(&data.target), 1);
}
END_TEST

// ---- daemon ----

static bool daemon_of(enum hl_thread_daemon daemon)
{
    hl_thread *thread;
    MUST(hl_thread_new(&thread, &(struct hl_thread_options){.daemon = daemon}));
    bool answer = hl_thread_get_daemon(thread);
    hl_thread_free(&thread);
    return answer;
}

static void children_flags(void *arg)
{
    bool *flags = arg;
    flags[0] = daemon_of(HL_DAEMON_INHERIT);
    flags[1] = daemon_of(HL_DAEMON_NO);
    flags[2] = daemon_of(HL_DAEMON_YES);
}

START_TEST(the_daemon_flag_is_inherited_from_the_creating_thread)
{
    ck_assert(!hl_thread_get_daemon(hl_thread_main()));
    ck_assert(!daemon_of(HL_DAEMON_INHERIT));
    ck_assert(daemon_of(HL_DAEMON_YES));
    for (int daemon = 0; daemon <= 1; daemon++) {
        bool flags[3] = {false, true, false};
        hl_thread *thread;
        struct hl_thread_options options = {
            .target = children_flags,
            .arg = flags,
            .daemon = daemon ? HL_DAEMON_YES : HL_DAEMON_NO,
        };
        MUST(hl_thread_new(&thread, &options));
        MUST(hl_thread_start(thread));
        thread_finish(&thread);
        ck_assert_int_eq(flags[0], daemon);
        ck_assert(!flags[1]);
        ck_assert(flags[2]);
    }
}
END_TEST

START_TEST(the_daemon_flag_is_fixed_by_start)
{
    hl_event *go;
    MUST(hl_event_new(&go, NULL));
    hl_thread *thread;
    MUST(hl_thread_new(&thread, &(struct hl_thread_options){.target = wait_for_event, .arg = go}));
    ck_assert_int_eq(hl_thread_set_daemon(thread, true), 0);
    ck_assert(hl_thread_get_daemon(thread));
    ck_assert_int_eq(hl_thread_set_daemon(thread, false), 0);
    MUST(hl_thread_start(thread));
    ck_assert_int_eq(hl_thread_set_daemon(thread, true), EBUSY);
    ck_assert_int_eq(hl_thread_set_daemon(thread, false), EBUSY);
    hl_event_set(go);
    MUST(hl_thread_join(thread, HL_FOREVER));
    ck_assert_int_eq(hl_thread_set_daemon(thread, true), EBUSY);
    ck_assert(!hl_thread_get_daemon(thread));
    ck_assert_int_eq(hl_thread_set_daemon(hl_thread_main(), true), EBUSY);
    hl_thread_free(&thread);
    hl_event_free(&go);
}
END_TEST

// ---- names and numbers ----

static void name_of(const char *given, char name[HL_THREAD_NAME_MAX])
{
    hl_thread *thread;
    MUST(hl_thread_new(&thread, &(struct hl_thread_options){.name = given}));
    hl_thread_get_name(thread, name, HL_THREAD_NAME_MAX);
    hl_thread_free(&thread);
}

START_TEST(names_are_counted_copied_and_cut)
{
    char name[HL_THREAD_NAME_MAX];
    int first;
    int second;
    name_of(NULL, name);
    ck_assert_int_eq(sscanf(name, "Thread-%d", &first), 1);
    name_of("reader", name);
    ck_assert_str_eq(name, "reader");
    name_of("", name); // as in Python, no name at all
    ck_assert_int_eq(sscanf(name, "Thread-%d", &second), 1);
    ck_assert_int_eq(second, first + 1);

    char longest[HL_THREAD_NAME_MAX + 10];
    memset(longest, 'x', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    name_of(longest, name);
    ck_assert_uint_eq(strlen(name), HL_THREAD_NAME_MAX - 1);

    hl_thread *thread;
    MUST(hl_thread_new(&thread, &(struct hl_thread_options){.name = "abcdef"}));
    char small[4] = "???";
    ck_assert_ptr_eq(hl_thread_get_name(thread, small, sizeof(small)), small);
    ck_assert_str_eq(small, "abc");
    small[0] = '?';
    hl_thread_get_name(thread, small, 0);
    ck_assert_int_eq(small[0], '?');
    ck_assert_int_eq(hl_thread_set_name(thread, "z"), 0);
    ck_assert_str_eq(hl_thread_get_name(thread, name, sizeof(name)), "z");
    ck_assert_int_eq(hl_thread_set_name(thread, ""), EINVAL);
    ck_assert_int_eq(hl_thread_set_name(thread, NULL), EINVAL);
    ck_assert_str_eq(hl_thread_get_name(thread, name, sizeof(name)), "z");
    hl_thread_free(&thread);
}
END_TEST

static void read_comm(pid_t native_id, char comm[32])
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/self/task/%d/comm", (int)native_id);
    FILE *file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    ck_assert_ptr_nonnull(fgets(comm, 32, file));
    comm[strcspn(comm, "\n")] = '\0';
    (void)fclose(file);
}

START_TEST(names_appear_in_proc)
{
    char comm[32];
    hl_event *go;
    MUST(hl_event_new(&go, NULL));
    hl_thread *thread = thread_launch("compress-eleven-files", wait_for_event, go);
    await_blocked(thread, "event");
    read_comm(hl_thread_get_native_id(thread), comm);
    ck_assert_str_eq(comm, "compress-eleven");
    ck_assert_int_eq(hl_thread_set_name(thread, "second-name"), 0);
    read_comm(hl_thread_get_native_id(thread), comm);
    ck_assert_str_eq(comm, "second-name");
    hl_event_set(go);
    MUST(hl_thread_join(thread, HL_FOREVER));
    ck_assert_int_eq(hl_thread_set_name(thread, "after its end"), 0);
    hl_thread_free(&thread);
    hl_event_free(&go);
}
END_TEST

struct numbers {
    uint64_t ident;
    pid_t native_id;
    pid_t gettid;
};

static void note_numbers(void *arg)
{
    struct numbers *numbers = arg;
    numbers->ident = hl_thread_get_ident(hl_thread_current());
    numbers->native_id = hl_thread_get_native_id(hl_thread_current());
    numbers->gettid = (pid_t)syscall(SYS_gettid);
}

START_TEST(idents_are_never_used_again)
{
    uint64_t last = hl_thread_get_ident(hl_thread_main());
    ck_assert_uint_gt(last, 0);
    for (int i = 0; i < 20; i++) {
        struct numbers numbers;
        hl_thread *thread;
        MUST(hl_thread_new(&thread,
                           &(struct hl_thread_options){.target = note_numbers, .arg = &numbers}));
        ck_assert_uint_eq(hl_thread_get_ident(thread), 0);
        ck_assert_int_eq(hl_thread_get_native_id(thread), 0);
        MUST(hl_thread_start(thread));
        MUST(hl_thread_join(thread, HL_FOREVER));
        ck_assert_uint_gt(numbers.ident, last);
        ck_assert_uint_eq(hl_thread_get_ident(thread), numbers.ident);
        ck_assert_int_eq(numbers.native_id, numbers.gettid);
        last = numbers.ident;
        hl_thread_free(&thread);
    }
}
END_TEST

// ---- stacks, and starts that fail ----

static void note_stack(void *arg)
{
    pthread_attr_t attr;
    MUST(pthread_getattr_np(pthread_self(), &attr));
    MUST(pthread_attr_getstacksize(&attr, arg));
    MUST(pthread_attr_destroy(&attr));
}

START_TEST(the_stack_has_the_size_asked_for)
{
    const size_t large = (size_t)24 << 20; // more than any default
    size_t size = 0;
    hl_thread *thread = NULL;
    struct hl_thread_options options = {.target = note_stack, .arg = &size, .stack_size = 1};
    ck_assert_int_eq(hl_thread_new(&thread, &options), EINVAL);
    ck_assert_ptr_null(thread);
    options.stack_size = large;
    MUST(hl_thread_new(&thread, &options));
    MUST(hl_thread_start(thread));
    thread_finish(&thread);
    ck_assert_uint_ge(size, large);
}
END_TEST

START_TEST(a_start_that_failed_leaves_it_unstarted)
{
    // No address space has room for this stack.
    hl_thread *thread;
    struct hl_thread_options options = {.target = nothing, .stack_size = (size_t)1 << 60};
    MUST(hl_thread_new(&thread, &options));
    size_t active = hl_thread_active_count();
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(hl_thread_start(thread), EAGAIN);
        ck_assert(!hl_thread_is_alive(thread));
        ck_assert_uint_eq(hl_thread_get_ident(thread), 0);
        ck_assert_uint_eq(hl_thread_active_count(), active);
        ck_assert_int_eq(hl_thread_join(thread, HL_FOREVER), EINVAL);
        ck_assert_int_eq(hl_thread_set_daemon(thread, i == 0), 0);
    }
    hl_thread_free(&thread);
}
END_TEST

START_TEST(a_start_that_failed_can_be_made_good)
{
    atomic_int count = 0;
    hl_thread *thread;
    struct hl_thread_options options = {
        .target = count_one, .arg = &count, .stack_size = (size_t)64 << 20};
    MUST(hl_thread_new(&thread, &options));
    struct rlimit before;
    ck_assert_int_eq(getrlimit(RLIMIT_AS, &before), 0);
    struct rlimit tight = {.rlim_cur = (rlim_t)32 << 20, .rlim_max = before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &tight), 0);
    ck_assert_int_eq(hl_thread_start(thread), EAGAIN);
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &before), 0);
    ck_assert_int_eq(hl_thread_start(thread), 0);
    thread_finish(&thread);
    ck_assert_int_eq(atomic_load(&count), 1);
}
END_TEST

START_TEST(the_version_is_the_headers)
{
    ck_assert_str_eq(hl_version(), HL_VERSION);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("thread");
    TCase *tcase = tcase_create("life");
    tcase_add_test(tcase, runs_its_target_once_and_only_after_start);
    tcase_add_test(tcase, options_of_zero_are_a_thread_that_does_nothing);
    tcase_add_test(tcase, a_second_start_is_refused_while_it_runs_and_after);
    tcase_add_test(tcase, it_is_alive_from_start_to_end);
    tcase_add_test(tcase, join_before_start_is_refused);
    tcase_add_test(tcase, a_thread_cannot_join_itself);
    tcase_add_test(tcase, the_main_thread_cannot_be_joined);
    tcase_add_test(tcase, join_with_no_time_only_looks);
    tcase_add_test(tcase, join_times_out_to_the_nanosecond_and_can_be_repeated);
    tcase_add_test(tcase, several_may_join_one);
    tcase_add_test(tcase, an_overriding_run_stands_in_front_of_the_target);
    tcase_add_test(tcase, the_daemon_flag_is_inherited_from_the_creating_thread);
    tcase_add_test(tcase, the_daemon_flag_is_fixed_by_start);
    tcase_add_test(tcase, names_are_counted_copied_and_cut);
    tcase_add_test(tcase, names_appear_in_proc);
    tcase_add_test(tcase, idents_are_never_used_again);
    tcase_add_test(tcase, the_stack_has_the_size_asked_for);
    tcase_add_test(tcase, a_start_that_failed_leaves_it_unstarted);
    if (!SANITIZED)
        tcase_add_test(tcase, a_start_that_failed_can_be_made_good);
    tcase_add_test(tcase, the_version_is_the_headers);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
