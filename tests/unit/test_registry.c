// SPDX-License-Identifier: MIT
// All threads together: who is current and who is main, the stand-ins of threads that the library
// did not start, what enumerate shows of waiting threads, and what is left of it all after a fork.

#include "base/clock.h"
#include "thr/thr.h"
#include "thr_wait.h"
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void wait_for_event(void *arg)
{
    MUST(hl_event_wait(arg, HL_FOREVER));
}

static void note_current(void *arg)
{
    *(hl_thread **)arg = hl_thread_current();
}

START_TEST(each_thread_finds_its_own_object)
{
    ck_assert_ptr_eq(hl_thread_current(), hl_thread_main());
    char name[HL_THREAD_NAME_MAX];
    ck_assert_str_eq(hl_thread_get_name(hl_thread_main(), name, sizeof(name)), "MainThread");
    ck_assert(hl_thread_is_alive(hl_thread_main()));
    ck_assert_int_eq(hl_thread_get_native_id(hl_thread_main()), (int)syscall(SYS_gettid));

    hl_thread *seen = NULL;
    hl_thread *thread = thread_launch(NULL, note_current, &seen);
    MUST(hl_thread_join(thread, HL_FOREVER));
    ck_assert_ptr_eq(seen, thread);
    hl_thread_free(&thread);
}
END_TEST

// ---- foreign threads ----

struct foreign {
    hl_thread *self; // a reference
    char name[HL_THREAD_NAME_MAX];
    int join_rc;
    int daemon_rc;
    size_t active;
    struct thread_look look;
};

static void *foreign_main(void *arg)
{
    struct foreign *foreign = arg;
    foreign->self = hl_thread_ref(hl_thread_current());
    ASSERT(hl_thread_current() == foreign->self);
    hl_thread_get_name(foreign->self, foreign->name, sizeof(foreign->name));
    foreign->join_rc = hl_thread_join(foreign->self, 0);
    foreign->daemon_rc = hl_thread_set_daemon(foreign->self, false);
    foreign->active = hl_thread_active_count();
    foreign->look.ident = hl_thread_get_ident(foreign->self);
    MUST(hl_thread_enumerate(thread_look_visit, &foreign->look));
    return NULL;
}

START_TEST(a_foreign_thread_has_a_stand_in_while_it_lives)
{
    size_t active = hl_thread_active_count();
    struct foreign foreign = {0};
    pthread_t handle;
    MUST(pthread_create(&handle, NULL, foreign_main, &foreign));
    MUST(pthread_join(handle, NULL));

    int number;
    ck_assert_int_eq(sscanf(foreign.name, "Dummy-%d", &number), 1);
    ck_assert_int_eq(foreign.join_rc, EINVAL);
    ck_assert_int_eq(foreign.daemon_rc, EBUSY);
    ck_assert_uint_eq(foreign.active, active + 1);
    ck_assert(foreign.look.found);
    ck_assert(foreign.look.info.daemon);
    ck_assert(foreign.look.info.alive);
    ck_assert_str_eq(foreign.look.info.name, foreign.name);

    ck_assert_uint_eq(hl_thread_active_count(), active);
    ck_assert(!hl_thread_is_alive(foreign.self));
    ck_assert(!thread_look(foreign.self, NULL));
    ck_assert_int_eq(hl_thread_start(foreign.self), EALREADY);
    ck_assert_int_eq(hl_thread_join(foreign.self, HL_FOREVER), EINVAL);
    ck_assert_int_eq(hl_thread_set_name(foreign.self, "late"), 0);
    hl_thread_free(&foreign.self);
}
END_TEST

static void *foreign_creates(void *arg)
{
    MUST(hl_thread_new(arg, &(struct hl_thread_options){0}));
    return NULL;
}

START_TEST(what_a_foreign_thread_creates_is_a_daemon)
{
    hl_thread *made = NULL;
    pthread_t handle;
    MUST(pthread_create(&handle, NULL, foreign_creates, &made));
    MUST(pthread_join(handle, NULL));
    ck_assert(hl_thread_get_daemon(made));
    hl_thread_free(&made);
}
END_TEST

struct at_end {
    hl_thread *current;
    hl_lock *lock;
    int rc;
};

static void at_the_end_of_a_thread(void *value)
{
    struct at_end *at_end = value;
    at_end->current = hl_thread_current();
    at_end->rc = hl_lock_acquire(at_end->lock);
    if (at_end->rc == 0)
        at_end->rc = hl_lock_release(at_end->lock);
}

static pthread_key_t at_end_key;

static void end_with_destructor(void *arg)
{
    MUST(pthread_setspecific(at_end_key, arg));
}

static void *foreign_ends_with_destructor(void *arg)
{
    (void)hl_thread_current();
    end_with_destructor(arg);
    return NULL;
}

START_TEST(the_library_works_in_thread_local_destructors)
{
    size_t active = hl_thread_active_count();
    MUST(pthread_key_create(&at_end_key, at_the_end_of_a_thread));
    struct at_end at_end = {.rc = -1};
    MUST(hl_lock_new(&at_end.lock, NULL, NULL));
    hl_thread *thread = thread_launch(NULL, end_with_destructor, &at_end);
    MUST(hl_thread_join(thread, HL_FOREVER));
    ck_assert_ptr_nonnull(at_end.current);
    ck_assert_int_eq(at_end.rc, 0);
    hl_thread_free(&thread);

    at_end.rc = -1;
    pthread_t handle;
    MUST(pthread_create(&handle, NULL, foreign_ends_with_destructor, &at_end));
    MUST(pthread_join(handle, NULL));
    ck_assert_int_eq(at_end.rc, 0);
    ck_assert_uint_eq(hl_thread_active_count(), active);
    MUST(pthread_key_delete(at_end_key));
    hl_lock_free(&at_end.lock);
}
END_TEST

// ---- enumerate ----

struct listing {
    uint64_t ident[64];
    size_t count;
};

static void list_ident(const struct hl_thread_info *info, void *arg)
{
    struct listing *listing = arg;
    if (listing->count < 64)
        listing->ident[listing->count++] = info->ident;
    // No lock of the library is held: looking again is allowed.
    ASSERT(hl_thread_active_count() > 0);
}

START_TEST(enumerate_visits_the_living_in_order)
{
    enum { THREADS = 5 };
    hl_event *go;
    MUST(hl_event_new(&go, NULL));
    hl_thread *thread[THREADS];
    hl_thread *unstarted;
    MUST(hl_thread_new(&unstarted, &(struct hl_thread_options){0}));
    struct listing before = {0};
    MUST(hl_thread_enumerate(list_ident, &before));
    for (int i = 0; i < THREADS; i++)
        thread[i] = thread_launch(NULL, wait_for_event, go);
    struct listing during = {0};
    MUST(hl_thread_enumerate(list_ident, &during));
    ck_assert_uint_eq(during.count, before.count + THREADS);
    ck_assert_uint_eq(during.count, hl_thread_active_count());
    for (size_t i = 0; i < before.count; i++)
        ck_assert_uint_eq(during.ident[i], before.ident[i]);
    for (size_t i = 0; i < THREADS; i++)
        ck_assert_uint_eq(during.ident[before.count + i], hl_thread_get_ident(thread[i]));
    hl_event_set(go);
    for (int i = 0; i < THREADS; i++)
        thread_finish(&thread[i]);
    struct listing after = {0};
    MUST(hl_thread_enumerate(list_ident, &after));
    ck_assert_uint_eq(after.count, before.count);
    hl_thread_free(&unstarted);
    hl_event_free(&go);
}
END_TEST

// A place to block in, and how to get out of it.
struct blocking {
    hl_event *event;
    hl_lock *lock;
    hl_queue *queue;
    hl_thread *thread;
};

static void block_in_lock(void *arg)
{
    struct blocking *blocking = arg;
    MUST(hl_lock_acquire(blocking->lock));
    MUST(hl_lock_release(blocking->lock));
}

static void block_in_get(void *arg)
{
    void *item;
    MUST(hl_queue_get(((struct blocking *)arg)->queue, &item, HL_FOREVER));
}

static void block_in_put(void *arg)
{
    MUST(hl_queue_put(((struct blocking *)arg)->queue, NULL, HL_FOREVER));
}

static void block_in_queue_join(void *arg)
{
    MUST(hl_queue_join(((struct blocking *)arg)->queue, HL_FOREVER));
}

static void block_in_thread_join(void *arg)
{
    MUST(hl_thread_join(((struct blocking *)arg)->thread, HL_FOREVER));
}

static void block_in_something_else(void *arg)
{
    hl_thread_wait_begin("event loop", "io-0");
    for (hl_event *event = ((struct blocking *)arg)->event; !hl_event_is_set(event);)
        sched_yield();
    hl_thread_wait_end();
}

static void expect_wait(hl_thread *thread, const char *what, const char *object)
{
    struct hl_thread_info info;
    await_blocked(thread, what);
    clock_virtual_advance(3 * HL_SECOND);
    ck_assert(thread_look(thread, &info));
    ck_assert_str_eq(info.waits_for, what);
    ck_assert_str_eq(info.object, object);
    ck_assert_int_eq(info.waiting_ns, 3 * HL_SECOND);
    ck_assert(info.alive);
    ck_assert_int_eq(info.native_id, hl_thread_get_native_id(thread));
}

START_TEST(what_a_thread_waits_for_can_be_seen)
{
    struct blocking blocking = {0};
    void *item;
    clock_virtual_start(HL_SECOND);
    MUST(hl_event_new(&blocking.event, "dinner"));
    MUST(hl_lock_new(&blocking.lock, "the-lock", NULL));
    MUST(hl_queue_new(&blocking.queue, &(struct hl_queue_options){.name = "row", .maxsize = 1}));

    hl_thread *sleeper = thread_launch("sleeper", wait_for_event, blocking.event);
    expect_wait(sleeper, "event", "dinner");
    blocking.thread = sleeper;
    hl_thread *joiner = thread_launch(NULL, block_in_thread_join, &blocking);
    expect_wait(joiner, "thread join", "sleeper");
    hl_thread *looper = thread_launch(NULL, block_in_something_else, &blocking);
    expect_wait(looper, "event loop", "io-0");
    hl_event_set(blocking.event);
    thread_finish(&joiner);
    thread_finish(&sleeper);
    thread_finish(&looper);

    MUST(hl_lock_acquire(blocking.lock));
    hl_thread *locker = thread_launch(NULL, block_in_lock, &blocking);
    expect_wait(locker, "lock", "the-lock");
    MUST(hl_lock_release(blocking.lock));
    thread_finish(&locker);

    hl_thread *getter = thread_launch(NULL, block_in_get, &blocking);
    expect_wait(getter, "queue get", "row");
    MUST(hl_queue_put_nowait(blocking.queue, NULL));
    thread_finish(&getter);
    MUST(hl_queue_put_nowait(blocking.queue, NULL));
    hl_thread *putter = thread_launch(NULL, block_in_put, &blocking);
    expect_wait(putter, "queue put", "row");
    MUST(hl_queue_get_nowait(blocking.queue, &item));
    thread_finish(&putter);
    joiner = thread_launch(NULL, block_in_queue_join, &blocking);
    expect_wait(joiner, "queue join", "row");
    for (int i = 0; i < 3; i++)
        MUST(hl_queue_task_done(blocking.queue));
    thread_finish(&joiner);

    struct hl_thread_info info;
    ck_assert(thread_look(hl_thread_main(), &info));
    ck_assert_str_eq(info.waits_for, "");
    ck_assert_str_eq(info.object, "");
    ck_assert_int_eq(info.waiting_ns, 0);
    clock_virtual_stop();
    hl_queue_free(&blocking.queue);
    hl_lock_free(&blocking.lock);
    hl_event_free(&blocking.event);
}
END_TEST

// ---- threads that nobody holds ----

static void wait_then_count(void *arg)
{
    struct {
        hl_event *go;
        atomic_int count;
    } *both = arg;
    MUST(hl_event_wait(both->go, HL_FOREVER));
    atomic_fetch_add(&both->count, 1);
}

START_TEST(a_thread_may_be_freed_at_any_time)
{
    hl_thread *thread;
    MUST(hl_thread_new(&thread, &(struct hl_thread_options){.target = note_current}));
    hl_thread_free(&thread);

    struct {
        hl_event *go;
        atomic_int count;
    } both = {0};
    MUST(hl_event_new(&both.go, NULL));
    size_t active = hl_thread_active_count();
    thread = thread_launch(NULL, wait_then_count, &both);
    hl_thread *second = hl_thread_ref(thread);
    ck_assert_ptr_eq(second, thread);
    hl_thread_free(&thread);
    ck_assert(hl_thread_is_alive(second));
    hl_thread_free(&second);
    hl_event_set(both.go);
    WAIT_UNTIL(hl_thread_active_count() == active);
    ck_assert_int_eq(atomic_load(&both.count), 1);
    hl_event_free(&both.go);
}
END_TEST

// Each is a thread of its own that starts and joins the next ones.
static void start_tree(void *arg)
{
    intptr_t depth = (intptr_t)arg;
    if (depth == 0)
        return;
    hl_thread *left = thread_launch(NULL, start_tree, (void *)(depth - 1));
    hl_thread *right = thread_launch(NULL, start_tree, (void *)(depth - 1));
    thread_finish(&left);
    hl_thread_free(&right); // ends by itself
}

START_TEST(many_come_and_go)
{
    size_t active = hl_thread_active_count();
    for (int i = 0; i < 4; i++) {
        hl_thread *root = thread_launch(NULL, start_tree, (void *)(intptr_t)5);
        thread_finish(&root);
    }
    WAIT_UNTIL(hl_thread_active_count() == active);
}
END_TEST

// ---- fork ----

static void count_visit(const struct hl_thread_info *info, void *arg)
{
    (void)info;
    ++*(size_t *)arg;
}

// In the child: the number of the first thing that is wrong, or 0.
static int child_is_right(hl_thread *other, const char *name)
{
    size_t visited = 0;
    char got[HL_THREAD_NAME_MAX];
    hl_lock *lock;
    if (hl_thread_current() != hl_thread_main())
        return 1;
    if (hl_thread_active_count() != 1)
        return 2;
    if (hl_thread_enumerate(count_visit, &visited) != 0 || visited != 1)
        return 3;
    if (hl_thread_get_native_id(hl_thread_current()) != (pid_t)syscall(SYS_gettid))
        return 4;
    if (strcmp(hl_thread_get_name(hl_thread_current(), got, sizeof(got)), name) != 0)
        return 5;
    if (hl_thread_is_alive(other) || hl_thread_join(other, HL_FOREVER) != 0)
        return 6;
    hl_thread_free(&other);
    if (hl_lock_new(&lock, NULL, NULL) != 0 || hl_lock_acquire(lock) != 0 ||
        hl_lock_release(lock) != 0)
        return 7;
    return 0;
}

#ifndef __SANITIZE_THREAD__
static void add_one(void *arg)
{
    ++*(int *)arg;
}

static int child_starts_threads(void)
{
    int count = 0;
    hl_thread *thread = thread_launch(NULL, add_one, &count);
    thread_finish(&thread);
    return count == 1 ? 0 : 8;
}
#else
// ThreadSanitizer can't start threads in the child of a program with several.
static int child_starts_threads(void)
{
    return 0;
}
#endif

struct forking {
    hl_thread *other;
    const char *name;
    int status;
};

static void fork_here(struct forking *forking)
{
    pid_t child = fork();
    ASSERT(child >= 0);
    if (child == 0) {
        int rc = child_is_right(forking->other, forking->name);
        _exit(rc != 0 ? rc : child_starts_threads());
    }
    ASSERT(waitpid(child, &forking->status, 0) == child);
}

static void fork_in_thread(void *arg)
{
    fork_here(arg);
}

static void *fork_in_foreign_thread(void *arg)
{
    fork_here(arg);
    return NULL;
}

static void *fork_in_known_foreign_thread(void *arg)
{
    struct forking *forking = arg;
    MUST(hl_thread_set_name(hl_thread_current(), forking->name));
    fork_here(forking);
    return NULL;
}

START_TEST(in_a_forked_child_the_forking_thread_is_alone_and_main)
{
    hl_event *go;
    MUST(hl_event_new(&go, NULL));
    hl_thread *other = thread_launch("other", wait_for_event, go);
    await_blocked(other, "event");

    struct forking forking = {.other = other, .name = "MainThread", .status = -1};
    fork_here(&forking);
    ck_assert_int_eq(forking.status, 0);

    forking = (struct forking){.other = other, .name = "forker", .status = -1};
    hl_thread *forker = thread_launch("forker", fork_in_thread, &forking);
    thread_finish(&forker);
    ck_assert_int_eq(forking.status, 0);

    // As in Python: a thread that the library never heard of becomes a plain main thread.
    forking = (struct forking){.other = other, .name = "MainThread", .status = -1};
    pthread_t handle;
    MUST(pthread_create(&handle, NULL, fork_in_foreign_thread, &forking));
    MUST(pthread_join(handle, NULL));
    ck_assert_int_eq(forking.status, 0);

    forking = (struct forking){.other = other, .name = "known", .status = -1};
    MUST(pthread_create(&handle, NULL, fork_in_known_foreign_thread, &forking));
    MUST(pthread_join(handle, NULL));
    ck_assert_int_eq(forking.status, 0);

    ck_assert(hl_thread_is_alive(other));
    hl_event_set(go);
    thread_finish(&other);
    hl_event_free(&go);
}
END_TEST

struct busy {
    atomic_bool stop;
    hl_thread *watched;
};

// Keeps the library's inner locks busy, so that many forks find them taken.
static void look_around(void *arg)
{
    struct busy *busy = arg;
    while (!atomic_load(&busy->stop)) {
        char name[HL_THREAD_NAME_MAX];
        const hl_lock_class *lock_class;
        hl_thread_get_name(busy->watched, name, sizeof(name));
        (void)hl_thread_active_count();
        MUST(hl_lock_class_register(&lock_class, "busy", 77));
        hl_lock_set_report(NULL, NULL);
    }
}

START_TEST(a_fork_finds_no_lock_of_the_library_taken)
{
    struct busy busy = {.watched = hl_thread_main()};
    hl_thread *thread = thread_launch(NULL, look_around, &busy);
    for (int i = 0; i < 100; i++) {
        pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0) {
            char name[HL_THREAD_NAME_MAX];
            const hl_lock_class *lock_class;
            hl_thread_get_name(hl_thread_main(), name, sizeof(name));
            hl_lock_set_report(NULL, NULL);
            _exit(hl_lock_class_register(&lock_class, "busy", 77));
        }
        int status = -1;
        WAIT_UNTIL(waitpid(child, &status, WNOHANG) == child);
        ck_assert_int_eq(status, 0);
    }
    atomic_store(&busy.stop, true);
    thread_finish(&thread);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("registry");
    TCase *tcase = tcase_create("all threads");
    tcase_add_test(tcase, each_thread_finds_its_own_object);
    tcase_add_test(tcase, a_foreign_thread_has_a_stand_in_while_it_lives);
    tcase_add_test(tcase, what_a_foreign_thread_creates_is_a_daemon);
    tcase_add_test(tcase, the_library_works_in_thread_local_destructors);
    tcase_add_test(tcase, enumerate_visits_the_living_in_order);
    tcase_add_test(tcase, what_a_thread_waits_for_can_be_seen);
    tcase_add_test(tcase, a_thread_may_be_freed_at_any_time);
    tcase_add_test(tcase, many_come_and_go);
    tcase_add_test(tcase, in_a_forked_child_the_forking_thread_is_alone_and_main);
    tcase_add_test(tcase, a_fork_finds_no_lock_of_the_library_taken);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
