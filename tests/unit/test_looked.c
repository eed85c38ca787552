// SPDX-License-Identifier: MIT
/*
 * What calls of the API look at: how many jobs, which their door is told, and what they say where
 * that weren't all.
 */
#include "base/clock.h"
#include "served.h"
#include "unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MANY 5000

static void up(void)
{
    served_up(&(struct served_options){.without_net = true});
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

/* The answer has that part; how many jobs were looked at. */
static size_t looked_at(const char *method, const char *json, const char *part)
{
    struct api_call call = {.asker = &trust_all};
    ck_assert_int_eq(api_call_start(&call, served.api, method, strlen(method), json, strlen(json)),
                     0);
    ck_assert_int_eq(call.error, 0);
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

int main(void)
{
    Suite *suite = suite_create("looked");
    TCase *tcase = tcase_create("looked");
    tcase_add_checked_fixture(tcase, up, served_down);
    tcase_add_test(tcase, why_looks_at_those_that_go_first);
    tcase_add_test(tcase, why_says_at_least);
    tcase_add_test(tcase, lists_tell_what_they_looked_at);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
