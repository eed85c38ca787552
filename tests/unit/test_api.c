// SPDX-License-Identifier: MIT
/*
 * The methods, called without a door: what they answer, what they refuse and in which words, and
 * calls that are answered later, in time, too late, or not at all.
 */
#include "base/clock.h"
#include "base/jsonobj.h"
#include "blocking.h"
#include "served.h"
#include "unit.h"

#include <hilera/event.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static hl_event *woken;

static void up(void)
{
    served_up(&(struct served_options){.without_net = true});
    ck_assert_int_eq(hl_event_new(&woken, "woken"), 0);
}

static void up_forgetful(void)
{
    served_up(&(struct served_options){.without_net = true, .forgets = true});
    ck_assert_int_eq(hl_event_new(&woken, "woken"), 0);
}

static void down(void)
{
    hl_event_free(&woken);
    served_down();
}

static void wake(struct later *later)
{
    (void)later;
    hl_event_set(woken);
}

static int start(struct api_call *call, const char *method, const char *json)
{
    *call = (struct api_call){.later.fire = wake, .asker = &trust_all};
    return api_call_start(call, served.api, method, strlen(method), json, strlen(json));
}

/* The answer to a call that is answered at once; the caller frees it. */
static char *ask(const char *method, const char *json, int error)
{
    struct api_call call;
    ck_assert_int_eq(start(&call, method, json), 0);
    ck_assert_msg(call.error == error, "%s %s: error %d, not %d: %s", method, json, call.error,
                  error, call.answer.data);
    ck_assert_uint_gt(call.answer.len, 0);
    cJSON *parsed;
    ck_assert_int_eq(jsonobj_parse(&parsed, call.answer.data, call.answer.len, NULL), 0);
    ck_assert(cJSON_IsObject(parsed));
    cJSON_Delete(parsed);
    char *text = strdup(call.answer.data);
    ck_assert_ptr_nonnull(text);
    api_call_fini(&call);
    return text;
}

static void has(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) != NULL, "\"%s\" is not in %s", part, text);
}

static void answers(const char *method, const char *json, int error, const char *part)
{
    char *text = ask(method, json, error);
    has(text, part);
    free(text);
}

static uint64_t put(const char *name, int64_t delay_ns, const char *text)
{
    struct broker_put_spec spec = {
        .submitter = JOB_NOBODY, .pri = 7, .delay_ns = delay_ns, .ttr_ns = 60 * HL_SECOND};
    struct job_body *body;
    uint64_t id;
    ck_assert_int_eq(job_body_new(&body, strlen(text)), 0);
    memcpy(body->bytes, text, strlen(text));
    ck_assert_int_eq(broker_use(served.broker, name, strlen(name), &spec.tube), 0);
    ck_assert_int_eq(broker_put(served.broker, &spec, &body, &id), 0);
    broker_unuse(served.broker, &spec.tube);
    return id;
}

/* ---- refusals ---- */

struct refusal {
    const char *method, *json;
    int error;
    const char *part;
};

static const struct refusal refusals[] = {
    {"stat", "{}", ENOSYS, "there is no method \\\"stat\\\"; did you mean \\\"stats\\\"?"},
    {"frobnicate", "{}", ENOSYS, "the method \\\"methods\\\" lists them"},
    {"", "{}", ENOSYS, "there is no method"},
    {"show", "{}", EINVAL, "parameter \\\"id\\\" is missing; it is the id of the job"},
    {"show", "{\"id\":null}", EINVAL, "parameter \\\"id\\\" is missing"},
    {"show", "", EINVAL, "parameter \\\"id\\\" is missing"},
    {"show", "{\"id\":0}", EINVAL, "parameter \\\"id\\\" is 0; it must be the id of a job"},
    {"show", "{\"id\":-1}", EINVAL, "parameter \\\"id\\\" is -1;"},
    {"show", "{\"id\":1.5}", EINVAL, "parameter \\\"id\\\" is 1.5;"},
    {"show", "{\"id\":\"x\"}", EINVAL, "parameter \\\"id\\\" is \\\"x\\\";"},
    {"show", "{\"id\":[1]}", EINVAL, "parameter \\\"id\\\" is [1];"},
    {"show", "{\"id\":18446744073709551616}", EINVAL, "parameter \\\"id\\\" is"},
    {"show", "{\"id\":1,\"id\":2}", EINVAL, "parameter \\\"id\\\" is there twice"},
    {"show", "{\"id\":1,\"name\":2}", EINVAL,
     "\\\"name\\\" is not a parameter of \\\"show\\\"; they are: \\\"id\\\""},
    {"ping", "{\"x\":1}", EINVAL, "\\\"x\\\" is not a parameter of \\\"ping\\\"; it has none"},
    {"wait", "{\"id\":1,\"timeout\":-1}", EINVAL,
     "parameter \\\"timeout\\\" is -1; it must be a number"},
    {"wait", "{\"id\":1,\"timeout\":\"1\"}", EINVAL, "parameter \\\"timeout\\\" is \\\"1\\\";"},
    {"wait", "{\"id\":1,\"timeout\":1e10}", EINVAL, "parameter \\\"timeout\\\" is"},
    {"join", "{\"tube\":\"-x\"}", EINVAL, "it must be the name of a tube: "},
    {"join", "{\"tube\":\"\"}", EINVAL, "parameter \\\"tube\\\" is \\\"\\\";"},
    {"join", "{\"so_far\":1}", EINVAL, "it must be true or false"},
    {"join", "{\"tube\":3}", EINVAL, "parameter \\\"tube\\\" is 3;"},
    {"list", "{\"state\":\"done\"}", EINVAL,
     "parameter \\\"state\\\" is \\\"done\\\"; it must be \\\"ready\\\", \\\"delayed\\\", "},
    {"list", "{\"state\":1}", EINVAL, "parameter \\\"state\\\" is 1;"},
    {"list", "{\"limit\":0}", EINVAL, "it must be a whole number from 1"},
    {"list", "{\"limit\":501}", EINVAL, "a page has 1 to 500 jobs"},
    {"ping", "[]", EINVAL, "not an object"},
    {"ping", "1", EINVAL, "not an object"},
    {"ping", "{", EINVAL, "are not JSON: error at byte"},
    {"ping", "{}x", EINVAL, "are not JSON"},
    {"ping", "{\"a\xff\":1}", EINVAL, "are not JSON: error at byte 3 of 8"},
    {"show", "{\"id\":12345}", ENOENT, "there is no job 12345,"},
    {"show", "{\"id\":18446744073709551615}", ENOENT, "there is no job 18446744073709551615,"},
    {"wait", "{\"id\":9007199254740993}", ENOENT, "there is no job 9007199254740993,"},
    {"output", "{\"id\":12345,\"wait\":1}", ENOENT, "there is no job 12345,"},
    {"output", "{\"id\":1,\"stdout\":-1}", EINVAL,
     "parameter \\\"stdout\\\" is -1; it must be a whole number from 0"},
    {"output", "{\"id\":1,\"attempt\":4294967296}", EINVAL, "it must be a whole number from 0"},
};

START_TEST(refusals_name_what_is_wrong_and_what_is_right)
{
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
        answers(refusals[i].method, refusals[i].json, refusals[i].error, refusals[i].part);
    answers("show", "{\"id\":3}", ENOENT, "{\"code\":\"not_found\",\"message\":\"");
    answers("show", "{}", EINVAL, "{\"code\":\"bad_request\",\"message\":\"");
    answers("nothing", "{}", ENOSYS, "{\"code\":\"unknown_method\",\"message\":\"");
}
END_TEST

/* ---- answers ---- */

START_TEST(ping_says_who)
{
    char part[128];
    snprintf(part, sizeof(part), "{\"version\":\"" HL_VERSION "\",\"pid\":%d,\"uptime\":0.",
             getpid());
    answers("ping", "{}", 0, part);
    answers("ping", "{}", 0, ",\"health\":\"green\"}");
}
END_TEST

START_TEST(methods_lists_every_one)
{
    char *text = ask("methods", "{}", 0);
    static const char *const names[] = {
        "kick",       "cancel",      "bury",       "delete",  "move",      "clear",
        "pause",      "resume",      "why",        "ping",    "pool_list", "pool_resize",
        "pool_pause", "pool_resume", "pool_drain", "methods", "show",      "list",
        "wait",       "join",        "stats",      "drain",   "undrain",   "threads"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char part[64];
        snprintf(part, sizeof(part), "{\"name\":\"%s\",\"summary\":\"", names[i]);
        has(text, part);
        /* and each of them is there */
        struct api_call call;
        (void)start(&call, names[i], "{\"no\":1}");
        ck_assert_int_eq(call.error, EINVAL);
        api_call_fini(&call);
    }
    has(text, "{\"name\":\"timeout\",\"type\":\"seconds\",\"required\":false,");
    free(text);
}
END_TEST

START_TEST(show_tells_of_a_job_on_its_way)
{
    clock_virtual_start(1000 * HL_SECOND);
    uint64_t id = put("gzip", 30 * HL_SECOND, "abc");
    clock_virtual_advance(12 * HL_SECOND + HL_SECOND / 4);
    char json[64];
    snprintf(json, sizeof(json), "{\"id\":\"%" PRIu64 "\"}", id);
    answers("show", json, 0,
            "{\"job\":{\"id\":1,\"tube\":\"gzip\",\"state\":\"delayed\",\"priority\":7,"
            "\"delay\":30.000000,\"ttr\":60.000000,\"age\":12.250000,\"time_left\":17.750000,"
            "\"size\":3,\"reserves\":0,\"releases\":0,\"buries\":0,\"kicks\":0,"
            "\"timeouts\":0,\"failures\":0,\"crashes\":0,\"losses\":0}}");
    clock_virtual_stop();
}
END_TEST

START_TEST(show_tells_of_a_finished_job)
{
    (void)put("gzip", 0, "abc");
    (void)put("gzip", 0, "abc");
    (void)put("gzip", 0, "abc");
    (void)served_work("gzip", JOB_OUTCOME_DONE);
    (void)served_work("gzip", JOB_OUTCOME_FAILED);
    ck_assert_int_eq(broker_delete(served.broker, &trust_all, 3), 0);
    char *text = ask("show", "{\"id\":1}", 0);
    has(text, "\"state\":\"done\"");
    has(text, "\"result\":{\"outcome\":\"done\",\"exit_status\":0,\"stdout\":\"caf\xc3\xa9\\n\"");
    has(text, "\"stderr\":\"\\\\xff\\n\",\"stderr_base64\":\"/wo=\",\"stderr_truncated\":false");
    has(text, "\"duration\":");
    free(text);
    text = ask("show", "{\"id\":2}", 0);
    has(text, "\"state\":\"buried\"");
    has(text, "\"reason\":\"because\",\"result\":{\"outcome\":\"failed\"");
    free(text);
    text = ask("show", "{\"id\":3}", 0);
    has(text, "{\"job\":{\"id\":3,\"state\":\"finished\"}}"); // nobody waited for it
    free(text);
    answers("wait", "{\"id\":1}", 0, "\"state\":\"done\"");
    answers("wait", "{\"id\":3}", 0, "{\"job\":{\"id\":3,\"state\":\"finished\"}}");
    answers("wait", "{\"id\":4}", ENOENT, "there is no job 4, and there never was");
}
END_TEST

START_TEST(stats_have_every_group)
{
    (void)put("gzip", 0, "abc");
    (void)put("gzip", 0, "abcd");
    (void)served_work("gzip", JOB_OUTCOME_DONE);
    char *text = ask("stats", "{}", 0);
    has(text, "{\"daemon\":{\"version\":\"" HL_VERSION "\",\"pid\":");
    has(text, "\"draining\":false,\"health\":\"green\",\"log_dropped\":0}");
    has(text, "\"jobs\":{\"ready\":1,\"urgent\":1,\"reserved\":0,\"delayed\":0,\"buried\":0,"
              "\"unfinished\":1,\"bytes\":4,\"waiting\":0,\"put\":2,\"done\":1,\"failed\":0,"
              "\"deleted\":0,\"cancelled\":0,\"retries\":0,\"unrecorded\":0}");
    has(text, "{\"name\":\"default\",\"ready\":0,");
    has(text, "{\"name\":\"gzip\",\"ready\":1,");
    has(text, "\"pools\":[]");
    has(text, "\"history\":{\"count\":1,");
    free(text);
}
END_TEST

START_TEST(list_answers_pages)
{
    clock_virtual_start(1000 * HL_SECOND);
    answers("list", "{}", 0, "{\"jobs\":[],\"next\":null,\"until\":0,\"examined\":0}");
    (void)put("gzip", 0, "abc");
    clock_virtual_advance(10 * HL_SECOND);
    (void)put("mail", 0, "abc");
    (void)put("gzip", HL_SECOND, "abc");
    char *text = ask("list", "{\"limit\":2}", 0);
    has(text, "{\"jobs\":[{\"id\":1,\"tube\":\"gzip\",\"state\":\"ready\",");
    has(text, "{\"id\":2,\"tube\":\"mail\",");
    has(text, "],\"next\":3,\"until\":3,\"examined\":2}");
    free(text);
    (void)put("mail", 0, "late");
    text = ask("list", "{\"from\":3,\"until\":3,\"limit\":500}", 0);
    has(text, "{\"jobs\":[{\"id\":3,");
    has(text, "\"state\":\"delayed\"");
    has(text, "}],\"next\":null,\"until\":3,\"examined\":1}");
    free(text);
    answers("list", "{\"tube\":\"gzip\",\"state\":\"ready\"}", 0, "[{\"id\":1,");
    answers("list", "{\"older\":10}", 0, "[{\"id\":1,");
    answers("list", "{\"older\":10}", 0, "}],\"next\":null,\"until\":4,\"examined\":4}");
    answers("list", "{\"younger\":10,\"limit\":1}", 0, "[{\"id\":2,");
    answers("list", "{\"state\":\"buried\"}", 0,
            "{\"jobs\":[],\"next\":null,\"until\":4,\"examined\":0}");
    answers("list", "{\"tube\":\"none\"}", 0, "{\"jobs\":[],\"next\":null,");
    answers("list", "{\"from\":9}", 0, "{\"jobs\":[],\"next\":null,");
    clock_virtual_stop();
}
END_TEST

static void setup_many(void)
{
    (void)put("a", 0, "1");
    (void)put("a", HL_SECOND, "2");
    (void)put("b", 0, "3");
    (void)put("a", 0, "4");
}

START_TEST(jobs_are_changed_one_by_one_or_by_filter)
{
    setup_many();
    answers("bury", "{\"id\":1}", 0, "{\"count\":1}");
    answers("bury", "{\"id\":1}", EBUSY,
            "{\"code\":\"busy\",\"message\":\"job 1 is buried; only ready and delayed jobs can be");
    answers("kick", "{\"id\":3}", EBUSY, "job 3 is ready; only buried and delayed jobs");
    answers("kick", "{\"tube\":\"a\",\"dry_run\":true}", 0,
            "{\"count\":2,\"next\":null,\"until\":4,\"examined\":4}");
    answers("kick", "{\"tube\":\"a\",\"dry_run\":false}", 0, "{\"count\":2,\"next\":null");
    answers("kick", "{\"tube\":\"a\"}", 0, "{\"count\":0,\"next\":null");
    answers("move", "{\"tube\":\"a\",\"to\":\"c\",\"limit\":2}", 0,
            "{\"count\":2,\"next\":3,\"until\":4,");
    answers("list", "{\"tube\":\"c\"}", 0, "[{\"id\":1,");
    answers("delete", "{\"id\":3}", 0, "{\"count\":1}");
    answers("delete", "{\"id\":3}", ENOENT, "job 3 is finished and gone");
    answers("delete", "{\"id\":99}", ENOENT, "there is no job 99, and there never was");
    answers("clear", "{\"tube\":\"c\",\"dry_run\":true}", 0, "{\"count\":2,");
    answers("clear", "{\"tube\":\"c\"}", 0, "{\"count\":2,\"next\":null");
    answers("list", "{}", 0, "{\"jobs\":[{\"id\":4,");
}
END_TEST

static const struct refusal change_refusals[] = {
    {"delete", "{}", EINVAL, "neither an \\\"id\\\" nor a condition"},
    {"delete", "{\"limit\":3,\"dry_run\":true}", EINVAL, "neither an \\\"id\\\" nor a condition"},
    {"delete", "{\"id\":1,\"tube\":\"a\"}", EINVAL, "give the id of one job, or"},
    {"delete", "{\"id\":1,\"dry_run\":1}", EINVAL, "it must be true or false"},
    {"move", "{\"id\":1}", EINVAL, "parameter \\\"to\\\" is missing"},
    {"clear", "{}", EINVAL, "parameter \\\"tube\\\" is missing"},
    {"clear", "{\"tube\":\"a\",\"id\":1}", EINVAL, "\\\"id\\\" is not a parameter of"},
    {"pause", "{\"tube\":\"none\"}", ENOENT, "there is no tube \\\"none\\\"; a tube exists while"},
    {"resume", "{\"tube\":\"none\"}", ENOENT, "there is no tube"},
    {"pause", "{\"tube\":\"a\",\"time\":-1}", EINVAL, "it must be a number of seconds"},
};

START_TEST(changes_are_refused_with_reasons)
{
    setup_many();
    for (size_t i = 0; i < sizeof(change_refusals) / sizeof(change_refusals[0]); i++)
        answers(change_refusals[i].method, change_refusals[i].json, change_refusals[i].error,
                change_refusals[i].part);
    ck_assert_uint_eq(served_stats().unfinished, 4);
}
END_TEST

START_TEST(tubes_are_paused_and_resumed)
{
    clock_virtual_start(1000 * HL_SECOND);
    setup_many();
    answers("pause", "{\"tube\":\"a\",\"time\":2.5}", 0, "{\"tube\":\"a\",\"pause_left\":2.5");
    answers("stats", "{}", 0, "\"pause_left\":2.5");
    served_later(3 * HL_SECOND);
    answers("resume", "{\"tube\":\"a\"}", 0, "{\"tube\":\"a\",\"pause_left\":0");
    answers("pause", "{\"tube\":\"a\"}", 0, "{\"tube\":\"a\",\"pause_left\":1000000000.0");
    served_later(100000 * HL_SECOND);
    answers("stats", "{}", 0, "\"pause_left\":999900000.0");
    answers("resume", "{\"tube\":\"a\"}", 0, "\"pause_left\":0");
    clock_virtual_stop();
}
END_TEST

START_TEST(why_tells_what_keeps_a_job)
{
    clock_virtual_start(1000 * HL_SECOND);
    setup_many();
    (void)broker_delete(served.broker, &trust_all, 3);
    answers("why", "{\"id\":9}", ENOENT, "there is no job 9,");
    answers("why", "{\"id\":3}", 0, "\"reasons\":[{\"code\":\"finished\",");
    answers(
        "why", "{\"id\":2}", 0,
        "[{\"code\":\"delayed\",\"message\":\"it is delayed for another 1.000 s; 'hilera kick 2'");
    answers("why", "{\"id\":1}", 0,
            "[{\"code\":\"no_worker\",\"message\":\"nobody takes jobs from the tube a:");
    answers("why", "{\"id\":1}", 0,
            "{\"code\":\"next\",\"message\":\"it is the next one of its tube\"}]");
    answers("why", "{\"id\":4}", 0,
            "{\"code\":\"behind\",\"message\":\"1 ready job of its tube goes first");
    answers("why", "{\"id\":4}", 0, "\"ahead\":1,\"ahead_is_exact\":true,\"workers\":0,");
    answers("pause", "{\"tube\":\"a\",\"time\":60}", 0, "60");
    answers("why", "{\"id\":4}", 0,
            "[{\"code\":\"paused\",\"message\":\"the tube a is paused for another 60 s");
    answers("bury", "{\"id\":4}", 0, "1");
    answers("why", "{\"id\":4}", 0,
            "[{\"code\":\"buried\",\"message\":\"it is buried: buried by hand; 'hilera kick 4'");
    clock_virtual_stop();
}
END_TEST

START_TEST(draining_is_set_and_taken_back)
{
    (void)put("t", 0, "x");
    for (int round = 0; round < 2; round++) {
        answers("drain", "{}", 0, "{\"draining\":true,\"unfinished\":1}");
        ck_assert(broker_is_draining(served.broker));
    }
    answers("stats", "{}", 0, "\"draining\":true");
    for (int round = 0; round < 2; round++) {
        answers("undrain", "{}", 0, "{\"draining\":false,\"unfinished\":1}");
        ck_assert(!broker_is_draining(served.broker));
    }
}
END_TEST

START_TEST(threads_are_listed)
{
    char *text = ask("threads", "{}", 0);
    has(text, "{\"threads\":[{\"name\":\"");
    char part[64];
    snprintf(part, sizeof(part), "\"native_id\":%d,", (int)gettid());
    has(text, part);
    has(text, "\"alive\":true,\"waits_for\":null}");
    free(text);
}
END_TEST

/* ---- later ---- */

static void finish_and_expect(struct api_call *call, int error, const char *part)
{
    ck_assert_int_eq(hl_event_wait(woken, 200 * HL_SECOND), 0);
    hl_event_clear(woken);
    api_call_finish(call);
    ck_assert_int_eq(call->error, error);
    has(call->answer.data, part);
    api_call_fini(call);
}

static void late_and_expect(struct api_call *call, const char *part)
{
    ck_assert(later_cancel(&call->later));
    api_call_late(call);
    ck_assert_int_eq(call->error, ETIMEDOUT);
    has(call->answer.data, part);
    api_call_fini(call);
}

START_TEST(wait_answers_when_it_is_done)
{
    struct api_call call;
    (void)put("gzip", 0, "abc");
    ck_assert_int_eq(start(&call, "wait", "{\"id\":1}"), EINPROGRESS);
    ck_assert_int_eq(call.deadline_ns, CLOCK_NEVER);
    ck_assert(!hl_event_is_set(woken));
    (void)served_work("gzip", JOB_OUTCOME_DONE);
    ck_assert(hl_event_is_set(woken));
    ck_assert(!later_cancel(&call.later));
    finish_and_expect(&call, 0, "\"state\":\"done\"");
}
END_TEST

START_TEST(wait_for_a_buried_job_answers_at_once)
{
    struct api_call call;
    (void)put("gzip", 0, "abc");
    (void)served_work("gzip", JOB_OUTCOME_FAILED);
    ck_assert_int_eq(start(&call, "wait", "{\"id\":1}"), EINPROGRESS);
    ck_assert(hl_event_is_set(woken));
    finish_and_expect(&call, 0, "\"state\":\"buried\"");
}
END_TEST

// Who waits for a job of which no record is kept learns from its end how it ended.
START_TEST(wait_without_history_still_answers)
{
    struct api_call call;
    (void)put("gzip", 0, "abc");
    ck_assert_int_eq(start(&call, "wait", "{\"id\":1}"), EINPROGRESS);
    (void)served_work("gzip", JOB_OUTCOME_DONE);
    ck_assert_int_eq(hl_event_wait(woken, HL_FOREVER), 0);
    api_call_finish(&call);
    ck_assert_int_eq(call.error, 0);
    has(call.answer.data, "\"state\":\"done\"");
    has(call.answer.data,
        "\"result\":{\"outcome\":\"done\",\"exit_status\":0,\"stdout\":\"caf\xc3\xa9\\n\",");
    api_call_fini(&call);
    ck_assert_int_eq(start(&call, "show", "{\"id\":1}"), 0); /* it is gone */
    has(call.answer.data, "{\"job\":{\"id\":1,\"state\":\"finished\"}}");
    api_call_fini(&call);
}
END_TEST

START_TEST(output_answers_when_there_is_an_end)
{
    struct api_call call;
    char json[64];
    uint64_t id = put("t", 0, "x");
    snprintf(json, sizeof(json), "{\"id\":%" PRIu64 ",\"wait\":60}", id);
    ck_assert_int_eq(start(&call, "output", json), EINPROGRESS);
    ck_assert_uint_eq(served_work("t", JOB_OUTCOME_FAILED), id);
    ck_assert_int_eq(hl_event_wait(woken, HL_FOREVER), 0);
    api_call_finish(&call);
    ck_assert_int_eq(call.error, 0);
    has(call.answer.data, "\"state\":\"buried\",\"finished\":true,\"attempt\":1,");
    api_call_fini(&call);
    snprintf(json, sizeof(json), "{\"id\":%" PRIu64 ",\"attempt\":2,\"stdout\":5,\"wait\":60}", id);
    answers("output", json, 0, "\"finished\":true"); // an attempt that never came
}
END_TEST

START_TEST(output_is_cancelled_and_times_out)
{
    struct api_call call;
    put("t", 0, "x");
    answers("output", "{\"id\":1}", 0, "\"finished\":false,\"attempt\":0,");
    ck_assert_int_eq(start(&call, "output", "{\"id\":1,\"wait\":2}"), EINPROGRESS);
    ck_assert(later_cancel(&call.later));
    api_call_fini(&call);
    ck_assert_int_eq(start(&call, "output", "{\"id\":1,\"wait\":2}"), EINPROGRESS);
    late_and_expect(&call, "job 1 has written nothing new within 2.000 s");
    ck_assert(!hl_event_is_set(woken));
}
END_TEST

START_TEST(wait_is_cancelled)
{
    struct api_call call;
    (void)put("gzip", 0, "abc");
    ck_assert_int_eq(start(&call, "wait", "{\"id\":1}"), EINPROGRESS);
    ck_assert(later_cancel(&call.later));
    (void)served_work("gzip", JOB_OUTCOME_DONE);
    ck_assert(!hl_event_is_set(woken));
    api_call_fini(&call);
}
END_TEST

START_TEST(wait_times_out)
{
    struct api_call call;
    clock_virtual_start(1000 * HL_SECOND);
    (void)put("gzip", 0, "abc");
    ck_assert_int_eq(start(&call, "wait", "{\"id\":1,\"timeout\":2.5}"), EINPROGRESS);
    ck_assert_int_eq(call.deadline_ns, 1002 * HL_SECOND + HL_SECOND / 2);
    late_and_expect(&call, "{\"code\":\"timed_out\",\"message\":\"job 1 was not finished "
                           "within 2.500 s\"}");
    clock_virtual_stop();
}
END_TEST

START_TEST(join_answers_with_the_counts)
{
    struct api_call call;
    ck_assert_int_eq(start(&call, "join", "{\"tube\":\"gzip\"}"), EINPROGRESS);
    finish_and_expect(
        &call, 0,
        "{\"tube\":\"gzip\",\"put\":0,\"done\":0,\"failed\":0,\"deleted\":0,\"cancelled\":0}");
    (void)put("gzip", 0, "a");
    (void)put("gzip", 0, "b");
    (void)put("other", 0, "c");
    ck_assert_int_eq(start(&call, "join", "{\"tube\":\"gzip\",\"timeout\":7}"), EINPROGRESS);
    (void)served_work("gzip", JOB_OUTCOME_DONE);
    ck_assert(!hl_event_is_set(woken));
    ck_assert_int_eq(broker_delete(served.broker, &trust_all, 2), 0);
    finish_and_expect(
        &call, 0,
        "{\"tube\":\"gzip\",\"put\":2,\"done\":1,\"failed\":0,\"deleted\":1,\"cancelled\":0}");
    ck_assert_int_eq(start(&call, "join", "{\"so_far\":true}"), EINPROGRESS);
    (void)put("other", 0, "d");
    ck_assert_int_eq(broker_delete(served.broker, &trust_all, 3), 0);
    finish_and_expect(
        &call, 0,
        "{\"tube\":null,\"put\":4,\"done\":1,\"failed\":0,\"deleted\":2,\"cancelled\":0}");
    ck_assert_int_eq(start(&call, "join", "{\"timeout\":7}"), EINPROGRESS);
    ck_assert(!hl_event_is_set(woken));
    late_and_expect(&call, "all tubes: 1 jobs were still unfinished after 7.000 s");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api");
    TCase *methods = tcase_create("methods");
    tcase_add_checked_fixture(methods, up, down);
    tcase_add_test(methods, refusals_name_what_is_wrong_and_what_is_right);
    tcase_add_test(methods, ping_says_who);
    tcase_add_test(methods, methods_lists_every_one);
    tcase_add_test(methods, show_tells_of_a_job_on_its_way);
    tcase_add_test(methods, show_tells_of_a_finished_job);
    tcase_add_test(methods, stats_have_every_group);
    tcase_add_test(methods, list_answers_pages);
    tcase_add_test(methods, jobs_are_changed_one_by_one_or_by_filter);
    tcase_add_test(methods, changes_are_refused_with_reasons);
    tcase_add_test(methods, tubes_are_paused_and_resumed);
    tcase_add_test(methods, why_tells_what_keeps_a_job);
    tcase_add_test(methods, draining_is_set_and_taken_back);
    tcase_add_test(methods, threads_are_listed);
    suite_add_tcase(suite, methods);

    TCase *later = tcase_create("later");
    tcase_add_checked_fixture(later, up, down);
    tcase_add_test(later, wait_answers_when_it_is_done);
    tcase_add_test(later, wait_for_a_buried_job_answers_at_once);
    tcase_add_test(later, output_answers_when_there_is_an_end);
    tcase_add_test(later, output_is_cancelled_and_times_out);
    tcase_add_test(later, wait_is_cancelled);
    tcase_add_test(later, wait_times_out);
    tcase_add_test(later, join_answers_with_the_counts);
    suite_add_tcase(suite, later);

    TCase *forgetful = tcase_create("forgetful");
    tcase_add_checked_fixture(forgetful, up_forgetful, down);
    tcase_add_test(forgetful, wait_without_history_still_answers);
    suite_add_tcase(suite, forgetful);
    return unit_main(suite);
}
