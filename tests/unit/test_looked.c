// SPDX-License-Identifier: MIT
/*
 * What calls of the API look at: how many jobs, which their door is told, and what they say where
 * that weren't all.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "blocking.h"
#include "served.h"
#include "unit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MANY 5000

static void up(void)
{
    served_up(&(struct served_options){.without_net = true});
}

/* Ages stay what they are. */
static void up_at_a_moment(void)
{
    served_setup_with(&(struct served_options){.without_net = true});
}

static uint64_t put(const char *tube, uint32_t pri, int64_t delay_ns)
{
    struct broker_put_spec spec = {
        .submitter = JOB_NOBODY, .pri = pri, .delay_ns = delay_ns, .ttr_ns = 60 * HL_SECOND};
    struct job_body *body;
    uint64_t id;
    ck_assert_int_eq(job_body_new(&body, 0), 0);
    ck_assert_int_eq(broker_use(served.broker, tube, strlen(tube), &spec.tube), 0);
    ck_assert_int_eq(broker_put(served.broker, &spec, &body, &id), 0);
    broker_unuse(served.broker, &spec.tube);
    return id;
}

#define PART_MAX 8

/* Until the answer is complete, which is fini'd by the caller. Each part makes a few rows at most,
 * and looks at few jobs. */
static void call_do(struct api_call *call, const char *method, const char *json)
{
    size_t made = 0, looked = 0, size;
    int rc = 0;
    *call = (struct api_call){.asker = &trust_all};
    ck_assert_int_eq(api_call_start(call, served.api, method, strlen(method), json, strlen(json)),
                     0);
    while (call->rows != NULL) {
        ck_assert_uint_le(call->rows_made, made + PART_MAX);
        ck_assert_uint_le(call->looked_at, looked + HISTORY_EXAMINED_MAX);
        made = call->rows_made;
        looked = call->looked_at;
        rc = api_answer_size(call, &size);
        ck_assert(rc == (call->rows != NULL ? EINPROGRESS : 0));
    }
    ck_assert_uint_le(call->rows_made, made + PART_MAX);
    ck_assert_int_eq(call->error, 0);
}

/* The answer has that part; how many jobs were looked at. */
static size_t looked_at(const char *method, const char *json, const char *part)
{
    struct api_call call;
    call_do(&call, method, json);
    ck_assert_msg(strstr(call.answer.data, part) != NULL, "\"%s\" is not in %s", part,
                  call.answer.data);
    size_t looked = call.looked_at;
    api_call_fini(&call);
    return looked;
}

static size_t why(uint64_t id, const char *part)
{
    char json[40];
    snprintf(json, sizeof(json), "{\"id\":%" PRIu64 "}", id);
    return looked_at("why", json, part);
}

/* Jobs of other tubes, and others than ready ones, have nothing to do with it. */
START_TEST(why_looks_at_those_that_go_first)
{
    for (int i = 0; i < MANY; i++)
        (void)put(i % 2 == 0 ? "t" : "other", 1, 1000 * HL_SECOND);
    uint64_t first = put("t", 7, 0), last = first;
    for (int i = 0; i < MANY; i++)
        last = put("t", 7, 0);
    ck_assert_uint_le(why(first, "\"it is the next one of its tube\""), 20);
    ck_assert_uint_le(why(last, "\"5000 ready jobs of its tube go first: "), 20);
    ck_assert_uint_le(why(last, "\"ahead\":5000,\"ahead_is_exact\":true"), 20);
    ck_assert_uint_eq(why(1, "it is delayed"), 0);
}
END_TEST

/* Each goes before those that were there. */
START_TEST(why_says_at_least)
{
    uint64_t last = put("t", MANY, 0), next = last;
    for (uint32_t pri = MANY - 1; pri > 0; pri--)
        next = put("t", pri, 0);
    size_t looked = why(last, "{\"code\":\"behind\",\"message\":\"at least ");
    ck_assert_uint_ge(looked, BROKER_WHY_EXAMINED_MAX);
    ck_assert_uint_le(looked, BROKER_WHY_EXAMINED_MAX + 20);
    (void)why(last, "\"ahead_is_exact\":false");
    ck_assert_uint_le(why(next, "\"it is the next one of its tube\""), 20);
}
END_TEST

START_TEST(lists_tell_what_they_looked_at)
{
    for (int i = 0; i < MANY; i++)
        (void)put("t", 7, 0);
    ck_assert_uint_eq(looked_at("list", "{\"name\":\"no\"}", "{\"jobs\":[],\"next\":4097,"), 4096);
    ck_assert_uint_eq(looked_at("list", "{\"limit\":10}", "\"next\":11,"), 10);
    ck_assert_uint_eq(looked_at("list", "{\"from\":4991}", "\"next\":null,"), 10);
    ck_assert_uint_eq(looked_at("kick", "{\"name\":\"no\",\"dry_run\":true}", "\"count\":0,"), 0);
    ck_assert_uint_eq(looked_at("delete", "{\"name\":\"no\"}", "\"count\":0,\"next\":4097,"), 4096);
    ck_assert_uint_eq(looked_at("show", "{\"id\":1}", "\"id\":1"), 0);
    ck_assert_uint_gt(looked_at("list", "{\"state\":\"finished\"}", "\"jobs\":[]"), 0);
}
END_TEST

/* A page of so many rows, from there on; finished: the latest first. */
static void page_do(struct api_call *call, bool finished, int limit, uint64_t from)
{
    char json[100], place[40] = "";
    if (from != 0)
        snprintf(place, sizeof(place), ",\"from\":%" PRIu64, from);
    snprintf(json, sizeof(json), "{\"limit\":%d%s%s}", limit, place,
             finished ? ",\"state\":\"finished\"" : "");
    call_do(call, "list", json);
}

/* The row of a page that has one, and its "next"; 0: there is none. */
static uint64_t row_append(struct buf *rows, const char *page)
{
    static const char begins[] = "{\"jobs\":[";
    size_t begin = sizeof(begins) - 1;
    uint64_t next = 0;
    const char *end = strstr(page, "],\"next\":");
    ck_assert_int_eq(strncmp(page, begins, begin), 0);
    ck_assert_ptr_nonnull(end);
    (void)sscanf(end, "],\"next\":%" SCNu64, &next);
    ck_assert_int_eq(buf_printf(rows, "%s%.*s", rows->len > 0 ? "," : "",
                                (int)(end - page - (int)begin), page + begin),
                     0);
    return next;
}

/* A page of 500 has the bytes of 500 pages of one, and is made in as many parts as it takes. */
START_TEST(pages_are_made_a_part_at_a_time)
{
    bool finished = _i == 1;
    struct api_call all, one;
    struct buf rows = BUF_EMPTY;
    uint64_t next = 0;
    for (int i = 0; i < 500; i++)
        (void)put(i % 3 == 0 ? "t" : "a-tube", (uint32_t)i, finished ? 0 : i % 2 * HL_SECOND);
    for (int i = 0; finished && i < 500; i++)
        ck_assert_uint_gt(served_work(i % 3 == 0 ? "t" : "a-tube", JOB_OUTCOME_FAILED), 0);
    page_do(&all, finished, 500, 0);
    ck_assert_uint_eq(all.rows_made, 500);
    do {
        page_do(&one, finished, 1, next);
        next = row_append(&rows, one.answer.data);
        api_call_fini(&one);
    } while (next != 0);
    const char *begin = strchr(all.answer.data, '[') + 1;
    ck_assert_int_eq(strncmp(begin, rows.data, rows.len), 0);
    ck_assert_int_eq(strncmp(begin + rows.len, "],\"next\":null", 13), 0);
    api_call_fini(&all);
    buf_fini(&rows);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("looked");
    TCase *tcase = tcase_create("looked");
    tcase_add_checked_fixture(tcase, up, served_down);
    tcase_add_test(tcase, why_looks_at_those_that_go_first);
    tcase_add_test(tcase, why_says_at_least);
    tcase_add_test(tcase, lists_tell_what_they_looked_at);
    suite_add_tcase(suite, tcase);
    TCase *pages = tcase_create("pages");
    tcase_add_checked_fixture(pages, up_at_a_moment, served_teardown);
    tcase_add_loop_test(pages, pages_are_made_a_part_at_a_time, 0, 2);
    suite_add_tcase(suite, pages);
    return unit_main(suite);
}
