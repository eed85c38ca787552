// SPDX-License-Identifier: MIT
// Questions that the thread "records" answers: each is answered once, or cancelled, also while its
// answer comes; and those for which nobody has read yet when history ends.

#include "history/history_priv.h"
#include "history_kit.h"

#include <hilera/thread.h>

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define IDS 50

static atomic_uint fires;

static void count_fire(struct later *later)
{
    (void)later;
    atomic_fetch_add(&fires, 1);
    hl_event_set(kit.event);
}

static hl_thread *thread_run(void (*target)(void *arg), void *arg)
{
    hl_thread *thread = NULL;
    const struct hl_thread_options options = {
        .target = target, .arg = arg, .name = "asks", .daemon = HL_DAEMON_NO};
    if (hl_thread_new(&thread, &options) != 0 || hl_thread_start(thread) != 0)
        ck_abort_msg("no thread");
    return thread;
}

static void thread_end(hl_thread **thread)
{
    ck_assert_int_eq(hl_thread_join(*thread, HL_FOREVER), 0);
    hl_thread_free(thread);
}

// Until the thread has nothing of its own to do.
static void until_filled(void)
{
    for (bool filled = false; !filled;) {
        HL_LOCK_SCOPE(kit.history->lock);
        filled = kit.history->keys.now != NULL;
    }
}

// Records of the file alone: what memory has is gone with a start.
static void up(void)
{
    db_up();
    db_open();
    db_fill(1, IDS);
    db_close();
    db_open();
    until_filled();
    atomic_store(&fires, 0);
}

static void await_fires(unsigned count)
{
    while (atomic_load(&fires) < count) {
        hl_event_clear(kit.event);
        if (atomic_load(&fires) < count)
            (void)hl_event_wait(kit.event, HL_FOREVER);
    }
}

static struct history_question record_question(uint64_t id)
{
    return (struct history_question){
        .later.fire = count_fire, .asks = HISTORY_ASK_RECORD, .record = {.id = id}};
}

// The file stands still for whoever reads it: another thread has it.
static struct {
    hl_lock *lock;
    hl_thread *thread;
    hl_event *begun, *over;
} stop;

static void file_hold(void *arg)
{
    (void)arg;
    HL_LOCK_SCOPE(stop.lock);
    hl_event_set(stop.begun);
    (void)hl_event_wait(stop.over, HL_FOREVER);
}

static void file_stop(void)
{
    stop.lock = kit.history->database->read_lock;
    ck_assert_int_eq(hl_event_new(&stop.begun, "begun"), 0);
    ck_assert_int_eq(hl_event_new(&stop.over, "over"), 0);
    stop.thread = thread_run(file_hold, NULL);
    (void)hl_event_wait(stop.begun, HL_FOREVER);
}

static void file_go_on(void)
{
    hl_event_set(stop.over);
    thread_end(&stop.thread);
    hl_event_free(&stop.begun);
    hl_event_free(&stop.over);
}

// Until the thread has that question in its hands.
static void until_read(const struct history_question *question)
{
    for (bool read = false; !read;) {
        HL_LOCK_SCOPE(kit.history->lock);
        read = question->is_read;
    }
}

static void check_record(struct history_question *question, uint64_t id)
{
    ck_assert_int_eq(question->later.result, 0);
    db_check(question->record.record, id);
    job_record_unref(&question->record.record);
}

START_TEST(each_kind_is_answered)
{
    struct job_record *records[IDS];
    struct history_question record = record_question(7), none = record_question(IDS + 1);
    struct history_question page = {
        .later.fire = count_fire,
        .asks = HISTORY_ASK_PAGE,
        .page = {.query = {.any_kind = true}, .max = IDS, .records = records}};
    struct history_question key = {.later.fire = count_fire,
                                   .asks = HISTORY_ASK_KEY,
                                   .key = {.tube = "two", .key = "of 4", .submitter = JOB_NOBODY}};
    ck_assert_int_eq(history_ask(kit.history, &record), EINPROGRESS);
    ck_assert_int_eq(history_ask(kit.history, &none), EINPROGRESS);
    ck_assert_int_eq(history_ask(kit.history, &page), EINPROGRESS);
    ck_assert_int_eq(history_ask(kit.history, &key), EINPROGRESS);
    await_fires(4);
    check_record(&record, 7);
    ck_assert_int_eq(none.later.result, ENOENT);
    ck_assert_ptr_null(none.record.record);
    ck_assert_int_eq(page.later.result, 0);
    ck_assert_uint_eq(page.page.count, IDS);
    for (uint64_t i = 0; i < IDS; i++) {
        ck_assert_uint_eq(records[i]->id, IDS - i);
        job_record_unref(&records[i]);
    }
    ck_assert_int_eq(key.later.result, 0);
    ck_assert_uint_eq(key.key.id, 4);
}
END_TEST

// What memory knows is told at once, whatever the file does.
START_TEST(memory_answers_at_once)
{
    struct job_record *records[1];
    struct history_question page = {
        .later.fire = count_fire,
        .asks = HISTORY_ASK_PAGE,
        .page = {.query = {.any_kind = true}, .max = 1, .records = records}};
    db_fill(IDS + 1, IDS + 1);
    file_stop();
    struct history_question record = record_question(IDS + 1);
    ck_assert_int_eq(history_ask(kit.history, &record), 0);
    db_check(record.record.record, IDS + 1);
    job_record_unref(&record.record.record);
    ck_assert_int_eq(history_ask(kit.history, &page), 0);
    ck_assert_uint_eq(page.page.count, 1);
    job_record_unref(&records[0]);
    file_go_on();
    ck_assert_uint_eq(atomic_load(&fires), 0);
}
END_TEST

// The one that is read for can't be cancelled, those behind it can.
START_TEST(a_question_in_line_is_cancelled)
{
    struct history_question first = record_question(1), second = record_question(2);
    file_stop();
    ck_assert_int_eq(history_ask(kit.history, &first), EINPROGRESS);
    until_read(&first);
    ck_assert_int_eq(history_ask(kit.history, &second), EINPROGRESS);
    ck_assert(!later_cancel(&first.later));
    ck_assert(later_cancel(&second.later));
    ck_assert(!later_cancel(&second.later));
    file_go_on();
    await_fires(1);
    check_record(&first, 1);
    ck_assert(!later_cancel(&first.later));
    second = record_question(2);
    ck_assert_int_eq(history_ask(kit.history, &second), EINPROGRESS);
    await_fires(2);
    check_record(&second, 2);
}
END_TEST

// ---- cancel against fire ----

#define ASKERS 3
#define ANSWERED_EVERY 16

static int rounds;
static atomic_uint answered, cancelled;

static void count_answer(struct later *later)
{
    struct history_question *question = CONTAINER_OF(later, struct history_question, later);
    if (question->asks == HISTORY_ASK_RECORD)
        job_record_unref(&question->record.record);
    atomic_fetch_add(&answered, 1);
    later_wake(later);
}

// Its fire is the last that touches it.
static void until_answered(struct history_question *question)
{
    while (atomic_load(&question->later.sleeper) == 0)
        (void)sched_yield();
}

// Each asks and takes it back at once, or a little later, and now and then when it is answered;
// what comes too late for that is answered.
static void ask_and_cancel(void *arg)
{
    uint64_t random = (uintptr_t)arg * 7919;
    for (int i = 0; i < rounds; i++) {
        struct history_question *question = calloc(1, sizeof(*question));
        ASSERT(question != NULL);
        random = random * 6364136223846793005u + 1442695040888963407u;
        question->asks = HISTORY_ASK_RECORD;
        question->record.id = random >> 40 & 63; // some aren't there
        question->later.fire = count_answer;
        if (history_ask(kit.history, question) == EINPROGRESS) {
            for (uint64_t turns = random >> 50 & 255; turns > 0; turns--)
                (void)atomic_load(&answered);
            if (i % ANSWERED_EVERY == 0)
                until_answered(question);
            if (later_cancel(&question->later))
                atomic_fetch_add(&cancelled, 1);
            else
                until_answered(question);
        }
        free(question); // whoever still had it would touch what is freed
    }
}

START_TEST(cancel_against_fire)
{
    hl_thread *threads[ASKERS];
    rounds = unit_rounds(30000);
    atomic_store(&answered, 0);
    atomic_store(&cancelled, 0);
    for (uintptr_t i = 0; i < ASKERS; i++)
        threads[i] = thread_run(ask_and_cancel, (void *)(i + 1));
    for (size_t i = 0; i < ASKERS; i++)
        thread_end(&threads[i]);
    ck_assert_uint_eq(atomic_load(&answered) + atomic_load(&cancelled), (unsigned)rounds * ASKERS);
    ck_assert_uint_ge(atomic_load(&answered), (unsigned)(rounds / ANSWERED_EVERY * ASKERS));
}
END_TEST

// ---- the end ----

static void close_history(void *arg)
{
    (void)arg;
    history_free(&kit.history);
}

// What the thread reads for is answered, the others hear that nobody will.
START_TEST(the_end_with_questions)
{
    struct history *history = kit.history;
    struct history_question questions[IDS];
    for (uint64_t i = 0; i < IDS; i++)
        questions[i] = record_question(i + 1);
    file_stop();
    ck_assert_int_eq(history_ask(history, &questions[0]), EINPROGRESS);
    until_read(&questions[0]);
    for (uint64_t i = 1; i < IDS; i++)
        ck_assert_int_eq(history_ask(history, &questions[i]), EINPROGRESS);
    hl_thread *closing = thread_run(close_history, NULL);
    await_fires(IDS - 1);
    for (uint64_t i = 1; i < IDS; i++) {
        ck_assert_int_eq(questions[i].later.result, ECANCELED);
        ck_assert(!later_cancel(&questions[0].later));
    }
    file_go_on();
    thread_end(&closing);
    ck_assert_uint_eq(atomic_load(&fires), IDS);
    check_record(&questions[0], 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("history_ask");
    TCase *all = tcase_create("ask");
    tcase_add_checked_fixture(all, up, db_down);
    tcase_set_timeout(all, 60);
    tcase_add_test(all, each_kind_is_answered);
    tcase_add_test(all, memory_answers_at_once);
    tcase_add_test(all, a_question_in_line_is_cancelled);
    tcase_add_test(all, cancel_against_fire);
    tcase_add_test(all, the_end_with_questions);
    suite_add_tcase(suite, all);
    return unit_main(suite);
}
