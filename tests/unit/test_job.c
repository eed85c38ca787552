// SPDX-License-Identifier: MIT
// Jobs on their own: names of tubes, the table of states, bodies and records that are shared,
// orders.

#include "job/job.h"

#include "base/clock.h"
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int check(const char *name)
{
    return job_tube_name_check(name, strlen(name));
}

START_TEST(tube_names)
{
    char longest[JOB_TUBE_NAME_MAX + 2];
    memset(longest, 'x', sizeof(longest));
    ck_assert_int_eq(check("default"), 0);
    ck_assert_int_eq(check("a"), 0);
    ck_assert_int_eq(check("AZaz09+/;.$_()-"), 0);
    ck_assert_int_eq(job_tube_name_check(longest, JOB_TUBE_NAME_MAX), 0);
    ck_assert_int_eq(job_tube_name_check(longest, JOB_TUBE_NAME_MAX + 1), ENAMETOOLONG);
    ck_assert_int_eq(check(""), EINVAL);
    ck_assert_int_eq(check("-x"), EINVAL);
    ck_assert_int_eq(check("a b"), EINVAL);
    ck_assert_int_eq(check("a\n"), EINVAL);
    ck_assert_int_eq(check("\xc3\xa4"), EINVAL);
    ck_assert_int_eq(job_tube_name_check("a\0b", 3), EINVAL);
    ck_assert_ptr_nonnull(strstr(job_tube_name_rule(), "200"));
}
END_TEST

START_TEST(every_byte_is_allowed_or_not)
{
    const char *allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-+/;.$_()";
    for (int c = 0; c < 256; c++) {
        char name[2] = {'x', (char)c};
        int expected = c != 0 && strchr(allowed, c) != NULL ? 0 : EINVAL;
        ck_assert_msg(job_tube_name_check(name, 2) == expected, "byte %d", c);
    }
}
END_TEST

START_TEST(state_decides_container)
{
    ck_assert_int_eq(job_container(JOB_NEW), JOB_IN_NONE);
    ck_assert_int_eq(job_container(JOB_READY), JOB_IN_READY);
    ck_assert_int_eq(job_container(JOB_DELAYED), JOB_IN_DELAYED);
    ck_assert_int_eq(job_container(JOB_RESERVED), JOB_IN_LEASES);
    ck_assert_int_eq(job_container(JOB_BURIED), JOB_IN_BURIED);
    ck_assert_int_eq(job_container(JOB_FINISHED), JOB_IN_NONE);
}
END_TEST

START_TEST(states_have_the_words_of_the_protocol)
{
    ck_assert_str_eq(job_state_word(JOB_READY), "ready");
    ck_assert_str_eq(job_state_word(JOB_DELAYED), "delayed");
    ck_assert_str_eq(job_state_word(JOB_RESERVED), "reserved");
    ck_assert_str_eq(job_state_word(JOB_BURIED), "buried");
}
END_TEST

// From anywhere a job can reach its end, and from its end nothing.
START_TEST(moves_lead_to_the_end)
{
    bool ends[JOB_STATE_COUNT] = {[JOB_FINISHED] = true};
    for (int round = 0; round < JOB_STATE_COUNT; round++)
        for (int from = 0; from < JOB_STATE_COUNT; from++)
            for (int to = 0; to < JOB_STATE_COUNT; to++)
                if (ends[to] && job_may_move((enum job_state)from, (enum job_state)to))
                    ends[from] = true;
    for (int state = 0; state < JOB_STATE_COUNT; state++) {
        ck_assert_msg(ends[state], "%s never ends", job_state_word((enum job_state)state));
        ck_assert(!job_may_move(JOB_FINISHED, (enum job_state)state));
        ck_assert(!job_may_move((enum job_state)state, JOB_NEW));
        ck_assert(!job_may_move((enum job_state)state, (enum job_state)state));
    }
}
END_TEST

static struct job *make_job(const char *text)
{
    struct job_body *body;
    ck_assert_int_eq(job_body_new(&body, strlen(text)), 0);
    memcpy(body->bytes, text, strlen(text));
    struct job *job = job_from_body(&body);
    ck_assert_ptr_null(body);
    return job;
}

START_TEST(illegal_move_stops)
{
    struct job *job = make_job("x");
    job->id = 42;
    job_move(job, JOB_FINISHED);
}
END_TEST

START_TEST(job_moves_along_the_table)
{
    struct job *job = make_job("x");
    ck_assert_int_eq(job->state, JOB_NEW);
    ck_assert_uint_eq(job->pos, JOB_NOWHERE);
    job_move(job, JOB_READY);
    job_move(job, JOB_RESERVED);
    job_move(job, JOB_BURIED);
    job_move(job, JOB_FINISHED);
    ck_assert_int_eq(job->state, JOB_FINISHED);
    job_free(&job);
    ck_assert_ptr_null(job);
}
END_TEST

START_TEST(extra_is_made_once)
{
    struct job *job = make_job("x");
    ck_assert_ptr_null(job->extra);
    struct job_extra *extra = job_extra_need(job);
    ck_assert_ptr_nonnull(extra);
    ck_assert_ptr_eq(job_extra_need(job), extra);
    extra->reason = strdup("because");
    job_free(&job);
}
END_TEST

START_TEST(orders)
{
    struct job_extra extra_a = {.key_ns = 5}, extra_b = {.key_ns = 5};
    struct job a = {.pri = 1, .id = 9, .extra = &extra_a},
               b = {.pri = 2, .id = 3, .extra = &extra_b};
    ck_assert(job_ready_less(&a, &b, NULL));
    ck_assert(!job_ready_less(&b, &a, NULL));
    ck_assert(job_key_less(&b, &a, NULL)); // the same key: by id
    b.pri = 1;
    ck_assert(job_ready_less(&b, &a, NULL)); // the same priority: by id
    ck_assert(!job_ready_less(&a, &a, NULL));
    extra_a.key_ns = 4;
    ck_assert(job_key_less(&a, &b, NULL));
}
END_TEST

static void *share_body(void *arg)
{
    struct job_body *body = arg;
    for (int i = 0; i < 10000; i++) {
        struct job_body *mine = job_body_ref(body);
        ck_assert_int_eq(mine->bytes[0], 'b');
        job_body_unref(&mine);
    }
    job_body_unref(&body);
    return NULL;
}

// The last client frees, whoever it is; the sanitizers see it if not.
START_TEST(body_is_shared_by_threads)
{
    struct job_body *body;
    ck_assert_int_eq(job_body_new(&body, 1), 0);
    body->bytes[0] = 'b';
    pthread_t thread[2];
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, share_body, job_body_ref(body)), 0);
    job_body_unref(&body);
    ck_assert_ptr_null(body);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_join(thread[i], NULL), 0);
    job_body_unref(&body); // nothing any more
}
END_TEST

START_TEST(body_too_large_for_memory)
{
    struct job_body *body = NULL;
    ck_assert_int_eq(job_body_new(&body, SIZE_MAX), ENOMEM);
    ck_assert_int_eq(job_body_new(&body, SIZE_MAX - sizeof(*body) + 1), ENOMEM);
    ck_assert_ptr_null(body);
    ck_assert_int_eq(job_body_new(&body, 0), 0);
    ck_assert_uint_eq(body->len, 0);
    job_body_unref(&body);
}
END_TEST

START_TEST(outcomes)
{
    ck_assert_str_eq(job_outcome_word(JOB_OUTCOME_DONE), "done");
    ck_assert_int_eq(job_outcome_fate(JOB_OUTCOME_DONE), JOB_FATE_LEAVES);
    ck_assert_int_eq(job_outcome_fate(JOB_OUTCOME_FAILED), JOB_FATE_RULED);
    ck_assert_int_eq(job_outcome_fate(JOB_OUTCOME_BURIED), JOB_FATE_BURIED);
    ck_assert_int_eq(job_outcome_fate(JOB_OUTCOME_DELETED), JOB_FATE_LEAVES);
    ck_assert_int_eq(job_outcome_fate(JOB_OUTCOME_RETURNED), JOB_FATE_RETURNED);
    struct job_outcome outcome;
    job_outcome_init(&outcome);
    ck_assert_int_eq(outcome.kind, JOB_OUTCOME_DONE);
    ck_assert_int_eq(outcome.exit_status, -1);
    char longer[2 * JOB_REASON_MAX];
    memset(longer, 'y', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    job_outcome_reason(&outcome, "%s", longer);
    ck_assert_uint_eq(strlen(outcome.reason), JOB_REASON_MAX - 1);
    job_outcome_fini(&outcome);
}
END_TEST

// The record of an end that is now; takes the outcome's output.
static struct job_record *record_new(const struct job_view *view, struct job_outcome *outcome)
{
    struct job_end *end;
    struct job_record *record = NULL;
    ck_assert_int_eq(job_end_new(&end), 0);
    end->view = *view;
    job_end_fill(end, outcome);
    ck_assert_int_eq(job_end_record(end, &record), 0);
    job_end_unref(&end);
    return record;
}

START_TEST(record_keeps_everything)
{
    clock_virtual_start(100 * INT64_C(1000000000));
    int64_t wall = clock_wall_ns();
    struct job_view view = {.id = 7, .tube = "t", .pri = 3, .reserves = 2, .size = 11};
    view.created_ns = clock_now_ns() - 30;
    struct job_outcome outcome;
    job_outcome_init(&outcome);
    outcome.kind = JOB_OUTCOME_FAILED;
    outcome.exit_status = 2;
    outcome.started_ns = view.created_ns + 10;
    outcome.ended_ns = view.created_ns + 25;
    job_outcome_reason(&outcome, "exit status 2");
    ck_assert_int_eq(buf_append(&outcome.out, "a\0b", 3), 0);
    outcome.out_truncated = true;
    outcome.usage = (struct job_usage){.user_ns = 5, .system_ns = 6, .max_rss = 4096};
    outcome.progress = 40;
    strcpy(outcome.progress_text, "nearly half");
    struct job_record *record = record_new(&view, &outcome);
    job_outcome_fini(&outcome);
    struct job_record *mine = job_record_ref(record);
    job_record_unref(&record);

    ck_assert_uint_eq(mine->id, 7);
    ck_assert_str_eq(mine->tube, "t");
    ck_assert_str_eq(mine->reason, "exit status 2");
    ck_assert_int_eq(mine->kind, JOB_OUTCOME_FAILED);
    ck_assert_int_eq(mine->exit_status, 2);
    ck_assert_uint_eq(mine->out_len, 3);
    ck_assert_mem_eq(mine->out, "a\0b", 4);
    ck_assert(mine->out_truncated && !mine->err_truncated);
    ck_assert_str_eq(mine->err, "");
    ck_assert_int_eq(mine->usage.user_ns, 5);
    ck_assert_int_eq(mine->usage.system_ns, 6);
    ck_assert_uint_eq(mine->usage.max_rss, 4096);
    ck_assert_int_eq(mine->progress, 40);
    ck_assert_str_eq(mine->progress_text, "nearly half");
    ck_assert_uint_eq(mine->earlier_count, 0);
    ck_assert_int_eq(mine->waited_ns, 10);
    ck_assert_int_eq(mine->duration_ns, 15);
    ck_assert_int_eq(mine->created_wall_ns, wall - 30);
    ck_assert_int_eq(mine->started_wall_ns, wall - 20);
    ck_assert_int_eq(mine->ended_wall_ns, wall - 5);
    ck_assert_uint_ge(mine->memory, sizeof(*mine) + 3);
    job_record_unref(&mine);
    clock_virtual_stop();
}
END_TEST

// A copy stands on its own, and has the latest of too many attempts.
START_TEST(record_is_copied)
{
    enum { ATTEMPTS = JOB_EARLIER_MAX + 5 };
    struct job_attempt earlier[ATTEMPTS];
    char reason[ATTEMPTS][32];
    for (int i = 0; i < ATTEMPTS; i++) {
        snprintf(reason[i], sizeof(reason[i]), "reason %d", i);
        earlier[i] = (struct job_attempt){.kind = JOB_OUTCOME_FAILED,
                                          .exit_status = i,
                                          .started_wall_ns = 10 * i,
                                          .ended_wall_ns = 10 * i + 5,
                                          .reason = reason[i]};
    }
    char tube[] = "tube", text[] = "text";
    const struct job_record like = {.id = 9,
                                    .exit_status = -1,
                                    .tube = tube,
                                    .reason = text,
                                    .out = "o\0o",
                                    .out_len = 3,
                                    .err = NULL,
                                    .progress_text = text,
                                    .earlier = earlier,
                                    .earlier_count = ATTEMPTS};
    struct job_record *copy, *again;
    ck_assert_int_eq(job_record_copy(&copy, &like), 0);
    memset(tube, 'x', 4);
    memset(text, 'x', 4);
    memset(reason, 'x', sizeof(reason));
    ck_assert_int_eq(job_record_copy(&again, copy), 0);
    ck_assert_uint_eq(copy->memory, again->memory);
    job_record_unref(&copy);
    ck_assert_uint_eq(again->id, 9);
    ck_assert_str_eq(again->tube, "tube");
    ck_assert_str_eq(again->reason, "text");
    ck_assert_str_eq(again->progress_text, "text");
    ck_assert_mem_eq(again->out, "o\0o", 4);
    ck_assert_uint_eq(again->err_len, 0);
    ck_assert_uint_eq(again->earlier_count, JOB_EARLIER_MAX);
    ck_assert_int_eq(again->earlier[0].exit_status, 5);
    ck_assert_str_eq(again->earlier[0].reason, "reason 5");
    ck_assert_str_eq(again->earlier[JOB_EARLIER_MAX - 1].reason, "reason 36");
    ck_assert_int_eq(again->earlier[JOB_EARLIER_MAX - 1].ended_wall_ns, 365);
    job_record_unref(&again);
}
END_TEST

// Deleted while it waited: no attempt, and its end is now.
START_TEST(record_without_attempt)
{
    clock_virtual_start(1000);
    struct job_view view = {.id = 1, .tube = "default", .created_ns = 400};
    struct job_outcome outcome;
    job_outcome_init(&outcome);
    outcome.kind = JOB_OUTCOME_DELETED;
    struct job_record *record = record_new(&view, &outcome);
    ck_assert_int_eq(record->started_wall_ns, 0);
    ck_assert_int_eq(record->usage.user_ns, -1);
    ck_assert_int_eq(record->progress, -1);
    ck_assert_str_eq(record->progress_text, "");
    ck_assert_int_eq(record->waited_ns, 600);
    ck_assert_int_eq(record->duration_ns, 0);
    ck_assert_int_eq(record->finished_ns, 1000);
    ck_assert_int_eq(record->ended_wall_ns, clock_wall_ns());
    job_record_unref(&record);
    clock_virtual_stop();
}
END_TEST

// An end is filled in at its moment; its record, and that as bytes, may be made at any time after.
START_TEST(end_has_a_record)
{
    clock_virtual_start(5000);
    struct job_end *end;
    ck_assert_int_eq(job_end_new(&end), 0);
    end->view = (struct job_view){.id = 4, .tube = "t", .created_ns = 4000, .past_count = 1};
    end->view.past[0] = (struct job_attempts_copy){.kind = JOB_OUTCOME_CRASHED, .reason = "again"};
    struct job_outcome outcome;
    const struct job_rules rules = {.set = 0};
    job_outcome_init(&outcome);
    outcome.started_ns = 4500;
    outcome.rules = &rules;
    ck_assert_int_eq(buf_append(&outcome.out, "a\0b", 3), 0);
    job_end_fill(end, &outcome);
    ck_assert_uint_eq(outcome.out.len, 0);
    ck_assert_ptr_null(end->outcome.rules);
    job_outcome_fini(&outcome);
    int64_t wall = clock_wall_ns();
    clock_virtual_advance(700);

    struct job_record *record, *decoded;
    struct job_body *bytes;
    struct job_end *mine = job_end_ref(end);
    job_end_unref(&end);
    ck_assert_int_eq(job_end_record(mine, &record), 0);
    ck_assert_int_eq(job_end_encode(mine, &bytes), 0);
    ck_assert_uint_le(bytes->len, job_end_encoded_most(mine));
    ck_assert_uint_ge(job_end_memory(mine), sizeof(*mine) + 3);
    job_end_unref(&mine);
    ck_assert_int_eq(job_record_decode(&decoded, 4, bytes->bytes, bytes->len), 0);
    const struct job_record *both[] = {record, decoded};
    for (int i = 0; i < 2; i++) {
        ck_assert_uint_eq(both[i]->id, 4);
        ck_assert_mem_eq(both[i]->out, "a\0b", 4);
        ck_assert_int_eq(both[i]->ended_wall_ns, wall);
        ck_assert_int_eq(both[i]->duration_ns, 500);
        ck_assert_uint_eq(both[i]->earlier_count, 1);
        ck_assert_str_eq(both[i]->earlier[0].reason, "again");
    }
    job_body_unref(&bytes);
    job_record_unref(&record);
    job_record_unref(&decoded);
    clock_virtual_stop();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("job");
    TCase *tube = tcase_create("tube");
    tcase_add_test(tube, tube_names);
    tcase_add_test(tube, every_byte_is_allowed_or_not);
    suite_add_tcase(suite, tube);

    TCase *state = tcase_create("state");
    tcase_add_test(state, state_decides_container);
    tcase_add_test(state, states_have_the_words_of_the_protocol);
    tcase_add_test(state, moves_lead_to_the_end);
    tcase_add_test(state, job_moves_along_the_table);
    unit_add_death(state, illegal_move_stops, SIGABRT);
    tcase_add_test(state, extra_is_made_once);
    tcase_add_test(state, orders);
    suite_add_tcase(suite, state);

    TCase *shared = tcase_create("shared");
    tcase_add_test(shared, body_is_shared_by_threads);
    tcase_add_test(shared, body_too_large_for_memory);
    tcase_add_test(shared, outcomes);
    tcase_add_test(shared, record_keeps_everything);
    tcase_add_test(shared, record_without_attempt);
    tcase_add_test(shared, end_has_a_record);
    tcase_add_test(shared, record_is_copied);
    suite_add_tcase(suite, shared);
    return unit_main(suite);
}
