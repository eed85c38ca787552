// SPDX-License-Identifier: MIT
/*
 * What calls of the API tell who may not do all: which right is missing, whether that is known
 * before the method runs, while it does, or when its answer comes later; and of many tubes those
 * that may be seen.
 */
#include "base/jsonobj.h"
#include "blocking.h"
#include "served.h"
#include "unit.h"

#include <errno.h>
#include <hilera/event.h>
#include <stdio.h>
#include <string.h>

enum { READER = 1000 };

static struct trust *trust;
static struct trust_view view;
static hl_event *woken;

/* Who reads what is written in "open", and sees more of "shut". */
static void up(void)
{
    static const uint32_t users[] = {READER};
    static const char *const open_tubes[] = {"open"}, *const shut_tubes[] = {"shut"};
    const struct trust_rule rules[] = {
        {.name = "read",
         .users = users,
         .user_count = 1,
         .tubes = open_tubes,
         .tube_count = 1,
         .may = TRUST_see | TRUST_read},
        {.name = "see",
         .users = users,
         .user_count = 1,
         .tubes = shut_tubes,
         .tube_count = 1,
         .may = TRUST_see},
    };
    const struct trust_settings settings = {.rules = rules, .rule_count = 2, .daemon_uid = 900};
    const struct trust_peer peer = {.door = TRUST_UNIX, .uid = READER};
    char why[256] = "";
    ck_assert_msg(trust_new(&trust, &settings, why, sizeof(why)) == 0, "%s", why);
    trust_view_of(&view, trust, &peer);
    served_up(&(struct served_options){.without_net = true, .trust = trust});
    ck_assert_int_eq(hl_event_new(&woken, "woken"), 0);
}

static void down(void)
{
    hl_event_free(&woken);
    served_down();
    trust_free(&trust);
}

static void wake(struct later *later)
{
    (void)later;
    hl_event_set(woken);
}

static int start(struct api_call *call, const char *method, const char *json)
{
    *call = (struct api_call){.later.fire = wake, .asker = &view};
    return api_call_start(call, served.api, method, strlen(method), json, strlen(json));
}

static void put(const char *name)
{
    struct tube *tube;
    struct job_body *body;
    uint64_t id;
    ck_assert_int_eq(broker_use(served.broker, name, strlen(name), &tube), 0);
    ck_assert_int_eq(job_body_new(&body, 0), 0);
    const struct broker_put_spec spec = {
        .tube = tube, .submitter = JOB_NOBODY, .ttr_ns = HL_SECOND};
    ck_assert_int_eq(broker_put(served.broker, &spec, &body, &id), 0);
    broker_unuse(served.broker, &tube);
}

/* JSON, as it stands in answers. */
#define IN_SHUT " in the tube \\\"shut\\\""

/* `where`: IN_SHUT, or nothing. Ends the call. */
static void expect_refusal(struct api_call *call, const char *right, const char *where)
{
    char text[96];
    snprintf(text, sizeof(text), "has no right to %s%s; what would allow it: ", right, where);
    ck_assert_int_eq(call->error, EACCES);
    ck_assert_msg(strstr(call->answer.data, text) != NULL, "%s", call->answer.data);
    ck_assert_ptr_nonnull(strstr(call->answer.data, "\"code\":\"not_allowed\""));
    api_call_fini(call);
}

START_TEST(before_and_while_it_runs)
{
    struct api_call call;
    put("shut");
    ck_assert_int_eq(start(&call, "threads", ""), 0);
    expect_refusal(&call, "admin", "");
    ck_assert_int_eq(start(&call, "output", "{\"id\":1}"), 0);
    expect_refusal(&call, "read", IN_SHUT);
    ck_assert_int_eq(start(&call, "kick", "{\"id\":1}"), 0);
    expect_refusal(&call, "edit", IN_SHUT);
}
END_TEST

/* The job is moved to where it may be seen and not be read, while its output is waited for. */
START_TEST(when_the_answer_comes_later)
{
    struct api_call call;
    put("open");
    ck_assert_int_eq(start(&call, "output", "{\"id\":1,\"wait\":60}"), EINPROGRESS);
    ck_assert_int_eq(broker_move(served.broker, &trust_all, 1, "shut", 4), 0);
    ck_assert_uint_eq(served_work("shut", JOB_OUTCOME_FAILED), 1);
    ck_assert_int_eq(hl_event_wait(woken, HL_FOREVER), 0);
    uint64_t before = trust_denials(TRUST_BIT_read);
    api_call_finish(&call);
    expect_refusal(&call, "read", IN_SHUT);
    ck_assert_uint_eq(trust_denials(TRUST_BIT_read), before + 1);
}
END_TEST

#define HIDDEN 300

START_TEST(of_many_tubes_those_that_may_be_seen)
{
    struct tube *tubes[HIDDEN];
    struct api_call call;
    struct buf text = BUF_EMPTY;
    size_t size;
    int rc;
    for (int i = 0; i < HIDDEN; i++) {
        char name[32];
        snprintf(name, sizeof(name), "hidden-%d", i);
        ck_assert_int_eq(broker_use(served.broker, name, strlen(name), &tubes[i]), 0);
    }
    put("open");
    put("hidden-7");
    put("shut");
    ck_assert_int_eq(start(&call, "stats", ""), 0);
    ck_assert_ptr_nonnull(call.rows);
    while ((rc = api_answer_size(&call, &size)) == EINPROGRESS)
        continue;
    ck_assert_int_eq(rc, 0);
    while ((rc = api_answer_next(&call, &text)) == EINPROGRESS)
        continue;
    ck_assert_int_eq(rc, 0);
    ck_assert_uint_eq(text.len, size);
    cJSON *stats;
    ck_assert_int_eq(jsonobj_parse(&stats, text.data, text.len, NULL), 0);
    ck_assert_ptr_nonnull(strstr(text.data, "{\"jobs\":{\"ready\":2,"));
    ck_assert_ptr_null(strstr(text.data, "hidden"));
    ck_assert_int_eq(cJSON_GetArraySize(cJSON_GetObjectItem(stats, "tubes")), 2);
    cJSON_Delete(stats);
    buf_fini(&text);
    api_call_fini(&call);
    for (int i = 0; i < HIDDEN; i++)
        broker_unuse(served.broker, &tubes[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("refusal");
    TCase *tcase = tcase_create("refusal");
    tcase_add_checked_fixture(tcase, up, down);
    tcase_add_test(tcase, before_and_while_it_runs);
    tcase_add_test(tcase, when_the_answer_comes_later);
    tcase_add_test(tcase, of_many_tubes_those_that_may_be_seen);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
