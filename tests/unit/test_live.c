// SPDX-License-Identifier: MIT
// What running attempts write, followed: pieces, ends, what remains of a failed attempt, waiting in
// line, and a follower beside a writer, at full speed.

#include "worker/live_priv.h"

#include "base/clock.h"
#include "unit.h"

#include <hilera/event.h>
#include <hilera/thread.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID 7
#define KEEP_MAX ((size_t)200 * 1024)

static char somewhere; // brokers are only told apart by where they are
static const struct broker *const broker = (const void *)&somewhere;
static struct job_outcome outcome;
static struct live live;

static void begin(uint32_t attempt)
{
    const struct broker_lease lease = {.id = ID, .attempt = attempt};
    job_outcome_init(&outcome);
    live_begin(&live, broker, &lease, &outcome);
}

static int out(const char *text)
{
    return live_keep(&live, &outcome.out, KEEP_MAX, &outcome.out_truncated, text, strlen(text));
}

static void end(enum job_outcome_kind kind)
{
    outcome.kind = kind;
    live_end(&live);
    job_outcome_fini(&outcome);
}

static void teardown(void)
{
    live_forget(broker);
}

// Reads on, and expects that of stdout.
static void reads(struct worker_output *output, const char *text)
{
    ck_assert_int_eq(worker_output_read(broker, output), 0);
    ck_assert_uint_eq(output->out.len, strlen(text));
    ck_assert(text[0] == '\0' || memcmp(output->out.data, text, strlen(text)) == 0);
    worker_output_fini(output);
}

START_TEST(nothing_is_known_before_something_is_written)
{
    struct worker_output output = {.id = ID};
    begin(1);
    ck_assert_int_eq(worker_output_read(broker, &output), ENOENT);
    ck_assert_int_eq(out("a"), 0);
    reads(&output, "a");
    ck_assert_uint_eq(output.attempt, 1);
    ck_assert(!output.ended && !output.more);
    reads(&output, "");
    ck_assert_int_eq(out("bc"), 0);
    reads(&output, "bc");
    ck_assert_uint_eq(output.out_at, 3);
    ck_assert_int_eq(worker_output_read((const void *)&live, &(struct worker_output){.id = ID}),
                     ENOENT); // another broker's job of that id
    end(JOB_OUTCOME_DONE);
}
END_TEST

START_TEST(who_followed_gets_the_rest_after_the_end)
{
    struct worker_output output = {.id = ID};
    begin(1);
    ck_assert_int_eq(out("a"), 0);
    reads(&output, "a");
    ck_assert_int_eq(out("rest"), 0);
    end(JOB_OUTCOME_DONE);
    reads(&output, "rest");
    ck_assert(output.ended);
    ck_assert_uint_eq(output.attempt, 1);
}
END_TEST

START_TEST(who_did_its_job_unfollowed_leaves_nothing)
{
    struct worker_output output = {.id = ID, .attempt = 1};
    begin(1);
    ck_assert_int_eq(out("a"), 0);
    end(JOB_OUTCOME_DONE);
    ck_assert_int_eq(worker_output_read(broker, &output), ENOENT);
}
END_TEST

START_TEST(failed_attempts_are_read_one_after_the_other)
{
    struct worker_output output = {.id = ID, .attempt = 1};
    begin(1);
    ck_assert_int_eq(out("one"), 0);
    end(JOB_OUTCOME_FAILED);
    begin(2); // writes nothing
    end(JOB_OUTCOME_FAILED);
    begin(3);
    ck_assert_int_eq(out("three"), 0);
    end(JOB_OUTCOME_FAILED);
    begin(4);
    ck_assert_int_eq(out("four"), 0);
    reads(&output, "one");
    ck_assert(output.ended);
    output.attempt++; // its offsets mean nothing for the third
    reads(&output, "three");
    ck_assert(output.ended);
    ck_assert_uint_eq(output.attempt, 3);
    output.attempt++;
    output.out_at = 0;
    reads(&output, "four");
    ck_assert(!output.ended);
    output.attempt = 5;
    ck_assert_int_eq(worker_output_read(broker, &output), ENOENT);
    end(JOB_OUTCOME_FAILED);
}
END_TEST

START_TEST(pieces_are_bounded_and_what_is_kept_too)
{
    char *large = malloc(KEEP_MAX + 1);
    ck_assert_ptr_nonnull(large);
    memset(large, 'x', KEEP_MAX);
    large[KEEP_MAX] = '\0';
    begin(1);
    ck_assert_int_eq(out(large), 0);
    ck_assert_int_eq(out("y"), ENOSPC);
    struct worker_output output = {.id = ID};
    size_t got = 0;
    do {
        ck_assert_int_eq(worker_output_read(broker, &output), 0);
        ck_assert_uint_le(output.out.len, WORKER_OUTPUT_MAX);
        got += output.out.len;
        ck_assert_uint_eq(output.out_at, got);
        worker_output_fini(&output);
    } while (output.more);
    ck_assert_uint_eq(got, KEEP_MAX);
    ck_assert(output.out_truncated);
    output.out_at = SIZE_MAX; // as if more was known than there is
    reads(&output, "");
    ck_assert_uint_eq(output.out_at, KEEP_MAX);
    end(JOB_OUTCOME_DONE);
    free(large);
}
END_TEST

START_TEST(remains_are_bounded)
{
    char *large = malloc(KEEP_MAX + 1);
    ck_assert_ptr_nonnull(large);
    memset(large, 'x', KEEP_MAX);
    large[KEEP_MAX] = '\0';
    for (uint32_t attempt = 1; attempt <= 100; attempt++) {
        begin(attempt);
        ck_assert_int_eq(out(large), 0);
        end(JOB_OUTCOME_FAILED);
    }
    struct worker_output output = {.id = ID, .attempt = 1};
    ck_assert_int_eq(worker_output_read(broker, &output), 0);
    worker_output_fini(&output);
    ck_assert_uint_eq(output.attempt, 100 - ((size_t)4 << 20) / KEEP_MAX + 1); // the latest 4 MiB
    free(large);
}
END_TEST

START_TEST(progress_is_the_latest)
{
    int percent;
    char text[JOB_PROGRESS_MAX];
    begin(1);
    ck_assert(!worker_output_progress(broker, ID, &percent, text));
    live_progress(&live, &outcome, 20, "a fifth");
    live_progress(&live, &outcome, 40, "two fifths");
    ck_assert(worker_output_progress(broker, ID, &percent, text));
    ck_assert_int_eq(percent, 40);
    ck_assert_str_eq(text, "two fifths");
    end(JOB_OUTCOME_DONE);
    ck_assert(!worker_output_progress(broker, ID, &percent, text));
}
END_TEST

START_TEST(without_a_live_all_is_kept_as_well)
{
    job_outcome_init(&outcome);
    ck_assert_int_eq(live_keep(NULL, &outcome.err, 3, &outcome.err_truncated, "abcd", 4), ENOSPC);
    live_progress(NULL, &outcome, 5, "x");
    live_end(NULL);
    ck_assert_uint_eq(outcome.err.len, 3);
    ck_assert(outcome.err_truncated);
    ck_assert_int_eq(outcome.progress, 5);
    job_outcome_fini(&outcome);
}
END_TEST

START_TEST(what_is_kept_costs_no_more_than_it_may_be)
{
    char piece[1001];
    memset(piece, 'x', sizeof(piece) - 1);
    piece[sizeof(piece) - 1] = '\0';
    begin(1);
    while (out(piece) == 0)
        ck_assert_uint_le(outcome.out.cap, KEEP_MAX + 1); // and a NUL
    ck_assert_uint_eq(outcome.out.len, KEEP_MAX);
    ck_assert_uint_eq(outcome.out.cap, KEEP_MAX + 1);
    ck_assert(outcome.out_truncated);
    end(JOB_OUTCOME_DONE);
}
END_TEST

// ---- waiting ----

static unsigned fired;

static void count(struct later *later)
{
    (void)later;
    fired++;
}

START_TEST(a_follower_waits_for_what_is_new)
{
    struct worker_output output = {.id = ID};
    struct worker_output_wait waiter = {.later.fire = count};
    fired = 0;
    ck_assert_int_eq(worker_output_async(broker, &output, &waiter), EINPROGRESS);
    begin(1);
    ck_assert_uint_eq(fired, 0);
    ck_assert_int_eq(out("a"), 0);
    ck_assert_uint_eq(fired, 1);
    ck_assert(!worker_output_cancel(&waiter));
    waiter = (struct worker_output_wait){.later.fire = count};
    ck_assert_int_eq(worker_output_async(broker, &output, &waiter), 0); // "a" isn't known yet
    ck_assert(!worker_output_cancel(&waiter));
    reads(&output, "a");
    waiter = (struct worker_output_wait){.later.fire = count};
    ck_assert_int_eq(worker_output_async(broker, &output, &waiter), EINPROGRESS);
    live_progress(&live, &outcome, 1, "");
    ck_assert_uint_eq(fired, 2);
    waiter = (struct worker_output_wait){.later.fire = count};
    ck_assert_int_eq(worker_output_async(broker, &output, &waiter), EINPROGRESS);
    end(JOB_OUTCOME_FAILED);
    ck_assert_uint_eq(fired, 3);
    waiter = (struct worker_output_wait){.later.fire = count};
    ck_assert_int_eq(worker_output_async(broker, &output, &waiter), 0); // the end is news
}
END_TEST

START_TEST(a_cancel_counts_once_and_also_before)
{
    struct worker_output output = {.id = ID};
    struct worker_output_wait waiter = {.later.fire = count};
    fired = 0;
    ck_assert_int_eq(worker_output_async(broker, &output, &waiter), EINPROGRESS);
    ck_assert(worker_output_cancel(&waiter));
    ck_assert(!worker_output_cancel(&waiter));
    struct worker_output_wait early = {.later.fire = count};
    ck_assert(worker_output_cancel(&early));
    ck_assert_int_eq(worker_output_async(broker, &output, &early), ECANCELED);
    begin(1);
    ck_assert_int_eq(out("a"), 0);
    end(JOB_OUTCOME_DONE);
    ck_assert_uint_eq(fired, 0);
}
END_TEST

// ---- a follower beside a writer ----

#define ATTEMPTS 20
#define NUMBERS 500 // in each attempt

static hl_event *news;

static void tell(struct later *later)
{
    (void)later;
    hl_event_set(news);
}

// Attempt a writes the numbers from 0, each on a line; the last says "end".
static void writer(void *arg)
{
    (void)arg;
    for (uint32_t attempt = 1; attempt <= ATTEMPTS; attempt++) {
        char text[32];
        begin(attempt);
        for (unsigned i = 0; i < NUMBERS; i++) {
            snprintf(text, sizeof(text), "%u\n", i);
            ck_assert_int_eq(out(text), 0);
        }
        ck_assert_int_eq(out(attempt == ATTEMPTS ? "end\n" : "\n"), 0);
        end(JOB_OUTCOME_FAILED); // of a last one that is done history has the rest
    }
}

static void follow_once(struct worker_output *output, struct buf *all)
{
    struct worker_output_wait waiter = {.later.fire = tell};
    hl_event_clear(news);
    if (worker_output_async(broker, output, &waiter) == EINPROGRESS)
        ck_assert_int_eq(hl_event_wait(news, HL_FOREVER), 0);
    if (worker_output_read(broker, output) != 0)
        return;
    ck_assert_int_eq(buf_append(all, output->out.data, output->out.len), 0);
    worker_output_fini(output);
    if (output->ended && !output->more) {
        output->attempt++;
        output->out_at = output->err_at = 0;
    }
}

START_TEST(a_follower_misses_nothing)
{
    struct buf expected = BUF_EMPTY, all = BUF_EMPTY;
    struct worker_output output = {.id = ID, .attempt = 1};
    for (unsigned attempt = 1; attempt <= ATTEMPTS; attempt++) {
        for (unsigned i = 0; i < NUMBERS; i++)
            ck_assert_int_eq(buf_printf(&expected, "%u\n", i), 0);
        ck_assert_int_eq(buf_append_str(&expected, attempt == ATTEMPTS ? "end\n" : "\n"), 0);
    }
    hl_thread *thread;
    ck_assert_int_eq(hl_event_new(&news, "news"), 0);
    ck_assert_int_eq(
        hl_thread_new(&thread, &(struct hl_thread_options){.target = writer, .name = "writer"}), 0);
    struct worker_output_wait waiter = {.later.fire = tell};
    ck_assert_int_eq(worker_output_async(broker, &output, &waiter), EINPROGRESS);
    ck_assert_int_eq(hl_thread_start(thread), 0);
    ck_assert_int_eq(hl_event_wait(news, HL_FOREVER), 0);
    while (all.len < expected.len)
        follow_once(&output, &all);
    ck_assert_uint_eq(all.len, expected.len);
    ck_assert_int_eq(memcmp(all.data, expected.data, all.len), 0);
    ck_assert_int_eq(hl_thread_join(thread, HL_FOREVER), 0);
    hl_thread_free(&thread);
    hl_event_free(&news);
    buf_fini(&all);
    buf_fini(&expected);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("live");
    TCase *tcase = tcase_create("live");
    tcase_add_checked_fixture(tcase, NULL, teardown);
    tcase_add_test(tcase, nothing_is_known_before_something_is_written);
    tcase_add_test(tcase, who_followed_gets_the_rest_after_the_end);
    tcase_add_test(tcase, who_did_its_job_unfollowed_leaves_nothing);
    tcase_add_test(tcase, failed_attempts_are_read_one_after_the_other);
    tcase_add_test(tcase, pieces_are_bounded_and_what_is_kept_too);
    tcase_add_test(tcase, remains_are_bounded);
    tcase_add_test(tcase, progress_is_the_latest);
    tcase_add_test(tcase, without_a_live_all_is_kept_as_well);
    tcase_add_test(tcase, what_is_kept_costs_no_more_than_it_may_be);
    tcase_add_test(tcase, a_follower_waits_for_what_is_new);
    tcase_add_test(tcase, a_cancel_counts_once_and_also_before);
    tcase_add_test(tcase, a_follower_misses_nothing);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
