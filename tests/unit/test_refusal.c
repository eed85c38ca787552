// SPDX-License-Identifier: MIT
/*
 * What calls of the API say who are refused: which right is missing, whether that is known before
 * the method runs, while it does, or when its answer comes later.
 */
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

static void wake(struct api_call *call)
{
    (void)call;
    hl_event_set(woken);
}

static int start(struct api_call *call, const char *method, const char *json)
{
    *call = (struct api_call){.wake = wake, .asker = &view};
    return api_call_start(call, served.api, method, strlen(method), json, strlen(json));
}

static void put(const char *name)
{
    struct broker_tube *tube;
    struct job_body *body;
    uint64_t id;
    ck_assert_int_eq(broker_use(served.broker, name, strlen(name), &tube), 0);
    ck_assert_int_eq(job_body_new(&body, 0), 0);
    const struct broker_put_spec spec = {
        .tube = tube, .submitter = JOB_NOBODY, .ttr_ns = HL_SECOND};
    ck_assert_int_eq(broker_put(served.broker, &spec, &body, &id), 0);
    broker_unuse(served.broker, &tube);
}

/* Ends the call. */
static void expect_refusal(struct api_call *call, const char *right)
{
    char text[64];
    snprintf(text, sizeof(text), "has no right to %s; what would allow it: ", right);
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
    expect_refusal(&call, "admin");
    ck_assert_int_eq(start(&call, "output", "{\"id\":1}"), 0);
    expect_refusal(&call, "read");
    ck_assert_int_eq(start(&call, "kick", "{\"id\":1}"), 0);
    expect_refusal(&call, "edit");
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
    expect_refusal(&call, "read");
    ck_assert_uint_eq(trust_denials(TRUST_BIT_read), before + 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("refusal");
    TCase *tcase = tcase_create("refusal");
    tcase_add_checked_fixture(tcase, up, down);
    tcase_add_test(tcase, before_and_while_it_runs);
    tcase_add_test(tcase, when_the_answer_comes_later);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
