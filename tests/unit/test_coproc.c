// SPDX-License-Identifier: MIT
// What helpers write: bytes into lines and bodies, lines into messages; and helpers whose limits
// are too long, or whose jobs too large, for coproc.test, which has all others.

#include "worker/coproc_priv.h"

#include "engine.h"
#include "spawned.h"

#include "base/clock.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// ---- bytes ----

// What was heard, one after the other: "line(x)", "body(x)", "end".
static char heard[16384];
static size_t next_body; // of a line that begins with '#'

static void hear(const char *what, const char *bytes, size_t len)
{
    size_t used = strlen(heard);
    ck_assert_uint_lt(used + len + 16, sizeof(heard));
    snprintf(heard + used, sizeof(heard) - used, "%s(%.*s)", what, (int)len, bytes);
}

static int on_line(void *arg, char *text, size_t *body_len)
{
    (void)arg;
    hear("line", text, strlen(text));
    if (text[0] == '!')
        return EPROTO;
    if (text[0] == '#')
        *body_len = next_body;
    return 0;
}

static void on_body(void *arg, const char *bytes, size_t len)
{
    (void)arg;
    hear("body", bytes, len);
}

static void on_end(void *arg)
{
    (void)arg;
    hear("end", "", 0);
}

static const struct coproc_ear ear = {.line = on_line, .body = on_body, .body_end = on_end};
static struct coproc_reader reader;
static const char *why;

static void setup(void)
{
    memset(&reader, 0, sizeof(reader));
    heard[0] = '\0';
    why = NULL;
    next_body = 0;
}

static int say(const char *bytes, size_t len)
{
    return coproc_read(&reader, bytes, len, &ear, NULL, &why);
}

static int say_text(const char *text)
{
    return say(text, strlen(text));
}

START_TEST(lines_come_whole)
{
    ck_assert_int_eq(say_text("one\ntwo\nth"), 0);
    ck_assert_str_eq(heard, "line(one)line(two)");
    ck_assert(coproc_reader_is_inside(&reader));
    ck_assert_int_eq(say_text("ree"), 0);
    ck_assert_int_eq(say_text("\n\n"), 0);
    ck_assert_str_eq(heard, "line(one)line(two)line(three)line()");
    ck_assert(!coproc_reader_is_inside(&reader));
}
END_TEST

START_TEST(a_body_is_bytes)
{
    next_body = 5;
    ck_assert_int_eq(say_text("#\na\nb"), 0);
    ck_assert_int_eq(say_text("\nc"), 0);
    ck_assert_str_eq(heard, "line(#)body(a\nb)body(\nc)");
    ck_assert(coproc_reader_is_inside(&reader));
    ck_assert_int_eq(say_text("\nmore\n"), 0);
    ck_assert_str_eq(heard, "line(#)body(a\nb)body(\nc)end()line(more)");
}
END_TEST

START_TEST(a_body_may_be_empty)
{
    ck_assert_int_eq(say_text("#\n\n"), 0);
    ck_assert_str_eq(heard, "line(#)end()");
}
END_TEST

START_TEST(a_body_ends_with_a_line_feed)
{
    next_body = 1;
    ck_assert_int_eq(say_text("#\nxy\n"), EPROTO);
    ck_assert_str_eq(why, "behind a result there is no line feed; is its length in bytes?");
    ck_assert_str_eq(heard, "line(#)body(x)");
}
END_TEST

START_TEST(a_line_has_a_limit)
{
    char line[COPROC_LINE_MAX + 1];
    memset(line, 'x', sizeof(line));
    line[COPROC_LINE_MAX - 1] = '\n';
    ck_assert_int_eq(say(line, COPROC_LINE_MAX), 0);
    ck_assert_uint_eq(strlen(heard), strlen("line()") + COPROC_LINE_MAX - 1);
    line[COPROC_LINE_MAX - 1] = 'x';
    line[COPROC_LINE_MAX] = '\n';
    ck_assert_int_eq(say(line, COPROC_LINE_MAX + 1), EPROTO);
    ck_assert_str_eq(why, "it wrote a line of more than 4095 bytes");
}
END_TEST

START_TEST(the_limit_counts_pieces)
{
    char piece[1000];
    memset(piece, 'x', sizeof(piece));
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(say(piece, sizeof(piece)), 0);
    ck_assert_int_eq(say(piece, 95), 0);
    ck_assert_int_eq(say(piece, 1), EPROTO);
    ck_assert_str_eq(heard, "");
}
END_TEST

START_TEST(a_line_has_no_nul)
{
    ck_assert_int_eq(say("a\0b\n", 4), EPROTO);
    ck_assert_str_eq(why, "it wrote a line with a NUL in it");
    ck_assert_str_eq(heard, "");
}
END_TEST

// What the listener refuses is its own to explain, and nothing behind it is heard.
START_TEST(a_refused_line_is_the_last)
{
    ck_assert_int_eq(say_text("one\n!\ntwo\n"), EPROTO);
    ck_assert_ptr_null(why);
    ck_assert_str_eq(heard, "line(one)line(!)");
}
END_TEST

// ---- lines ----

static struct coproc_message message;
static char said[256], line[256];

static int take(const char *text, bool greeted)
{
    snprintf(line, sizeof(line), "%s", text);
    said[0] = '\0';
    return coproc_message_read(&message, line, greeted, said, sizeof(said));
}

static void check(const char *text, enum coproc_verb verb, uint64_t id, uint64_t number,
                  const char *words)
{
    ck_assert_msg(take(text, verb != COPROC_READY) == 0, "%s: %s", text, said);
    ck_assert_int_eq(message.verb, verb);
    ck_assert_uint_eq(message.id, id);
    ck_assert_uint_eq(message.number, number);
    ck_assert_str_eq(message.text, words);
}

static void refuse(const char *text, bool greeted, const char *words)
{
    ck_assert_int_eq(take(text, greeted), EPROTO);
    ck_assert_str_eq(said, words);
}

START_TEST(messages)
{
    check("ready 1", COPROC_READY, 0, 1, "");
    check("ready 1 16", COPROC_READY, 0, 16, "");
    check("begin 17", COPROC_BEGIN, 17, 0, "");
    check("back 17", COPROC_BACK, 17, 0, "");
    check("result 17 8", COPROC_RESULT, 17, 8, "");
    check("result 18446744073709551615 0", COPROC_RESULT, UINT64_MAX, 0, "");
    check("retry 17 86400 it is  busy", COPROC_RETRY, 17, 86400, "it is  busy");
    check("retry 17 0", COPROC_RETRY, 17, 0, "");
    check("fail 17 no good", COPROC_FAIL, 17, 0, "no good");
    check("fail 17", COPROC_FAIL, 17, 0, "");
    check("progress 17 50 half of it", COPROC_PROGRESS, 17, 50, "half of it");
    check("progress 17 4000000000", COPROC_PROGRESS, 17, 100, "");
    check("log 0 hello", COPROC_LOG, 0, 0, "hello");
    check("  log   3   hello", COPROC_LOG, 3, 0, "  hello");
}
END_TEST

START_TEST(what_comes_first)
{
    refuse("hello", false, "it said \"hello\" first; it must say \"ready 1\"");
    refuse("", false, "it said \"\" first; it must say \"ready 1\"");
    refuse("result 1 0", false, "it said \"result 1 0\" first; it must say \"ready 1\"");
    refuse("ready", false, "it said \"ready \"; this hilerad speaks version 1: \"ready 1\"");
    refuse("ready 2 9", false, "it said \"ready 2\"; this hilerad speaks version 1: \"ready 1\"");
    refuse("ready 1 0", false, "it said \"ready 1 0\"; a window is a number from 1");
    refuse("ready 1 x", false, "it said \"ready 1 x\"; a window is a number from 1");
}
END_TEST

START_TEST(what_is_none)
{
    refuse("", true,
           "it said \"\"; a line begins with begin, back, result, retry, fail, progress or log");
    refuse("ready 1", true,
           "it said \"ready 1\"; a line begins with begin, back, result, retry, fail, progress or "
           "log");
    refuse("results 1 0", true,
           "it said \"results 1 0\"; a line begins with begin, back, result, retry, fail, progress "
           "or log");
    refuse("result", true, "it said \"result\" without the id of a job");
    refuse("begin", true, "it said \"begin\" without the id of a job");
    refuse("back all", true, "it said \"back\" without the id of a job");
    refuse("fail -1 x", true, "it said \"fail\" without the id of a job");
    refuse("fail 18446744073709551616 x", true, "it said \"fail\" without the id of a job");
    refuse("result 1", true, "it said \"result\" without a length in bytes behind the id");
    refuse("result 1 18446744073709551615", true,
           "it said \"result\" without a length in bytes behind the id");
    refuse("retry 1 86401", true,
           "it said \"retry\" without whole seconds, 0 to 86400, behind the id");
    refuse("retry 1 soon", true,
           "it said \"retry\" without whole seconds, 0 to 86400, behind the id");
    refuse("progress 1 50%", true, "it said \"progress\" without a number behind the id");
}
END_TEST

// ---- helpers ----

static struct broker *broker;
static struct worker_pool *pool;
static struct engine_records records;

static void open_broker(void)
{
    engine_records_init(&records);
    struct broker_options options = {
        .ended = engine_records_add, .records_arg = &records, .body_max = 1 << 20};
    ck_assert_int_eq(broker_new(&broker, &options), 0);
}

static void close_broker(void)
{
    worker_pool_free(&pool);
    spawned_end();
    broker_free(&broker);
    engine_records_fini(&records);
}

// Runs one job, which has one try, with a helper. `meanwhile`, if it isn't NULL, is given the job.
static const struct job_record *run(const char *const *argv, const char *body,
                                    void (*meanwhile)(uint64_t id))
{
    static const char *const tubes[] = {"t"};
    struct worker_pool_settings settings = {.name = "p",
                                            .tubes = tubes,
                                            .tube_count = 1,
                                            .workers = 1,
                                            .handler = "coproc",
                                            .handler_settings = {.argv = argv},
                                            .rules = {.set = JOB_RULE_CRASHES, .crashes = 1}};
    char problem[512] = "";
    spawned_begin(&settings);
    ck_assert_msg(worker_pool_new(&pool, &settings, broker, problem, sizeof(problem)) == 0, "%s",
                  problem);
    ck_assert_int_eq(worker_pool_start(pool), 0);
    uint64_t id = engine_put(broker, "t", 0, 0, body);
    if (meanwhile != NULL)
        meanwhile(id);
    engine_records_await(&records, 1);
    worker_pool_stop(pool, HL_FOREVER);
    return records.record[0];
}

// The first one fails; the next one, which finds the folder, does not. The job has one try, and
// keeps it.
static void second_helper_does(const char *first, void (*meanwhile)(uint64_t id))
{
    char folder[] = "/tmp/test-coproc-XXXXXX", mark[64], script[512];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(mark, sizeof(mark), "%s/second", folder);
    snprintf(script, sizeof(script),
             "if mkdir %s; then %s; else echo ready 1; read -r _ id _; read -r _; "
             "printf 'result %%s 2\\nok\\n' $id; fi",
             mark, first);
    const char *const argv[] = {"sh", "-c", script, NULL};
    const struct job_record *record = run(argv, "x", meanwhile);
    ck_assert_int_eq(record->kind, JOB_OUTCOME_DONE);
    ck_assert_str_eq(record->out, "ok");
    ck_assert_uint_eq(record->tries.crashes, 0);
    struct worker_pool_stats stats;
    worker_pool_stats(pool, &stats);
    ck_assert_uint_eq(stats.crashed, 0);
    ck_assert_str_eq(stats.trouble, "");
    ck_assert_int_eq(rmdir(mark), 0);
    ck_assert_int_eq(rmdir(folder), 0);
}

// The first helper has written something, so the worker waits for it, and looks at the clock when
// it writes again. The second one is started after a pause.
static void let_time_pass(uint64_t id)
{
    struct worker_pool_stats stats;
    size_t got = 0;
    while (got == 0) {
        struct worker_output output = {.id = id};
        if (worker_output_read(broker, &output) == 0) {
            got = output.err.len;
            worker_output_fini(&output);
        }
        sched_yield();
    }
    clock_virtual_advance(COPROC_READY_NS);
    do {
        sched_yield();
        worker_pool_stats(pool, &stats);
    } while (stats.trouble[0] == '\0');
    ck_assert_ptr_nonnull(strstr(stats.trouble, "it did not say \"ready 1\" within 30 s"));
    clock_virtual_advance(HL_SECOND);
}

START_TEST(who_never_greets_costs_no_job_anything)
{
    clock_virtual_start(clock_now_ns());
    second_helper_does("while sleep 0.01; do echo I work >&2; done", let_time_pass);
    clock_virtual_stop();
}
END_TEST

START_TEST(who_ends_at_once_costs_no_job_anything)
{
    second_helper_does("exit 3", NULL);
}
END_TEST

// More than a pipe holds, by a helper that reads the first line only: its answer stands.
START_TEST(an_answer_before_the_whole_job)
{
    static const char *const argv[] = {
        "sh", "-c",
        "echo ready 1; read -r _ id _; printf 'result %s 2\\nok\\n' $id; tail -f /dev/null", NULL};
    static char body[1 << 20];
    memset(body, 'x', sizeof(body) - 1);
    const struct job_record *record = run(argv, body, NULL);
    ck_assert_int_eq(record->kind, JOB_OUTCOME_DONE);
    ck_assert_str_eq(record->out, "ok");
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("coproc");
    TCase *bytes = tcase_create("bytes");
    tcase_add_checked_fixture(bytes, setup, NULL);
    tcase_add_test(bytes, lines_come_whole);
    tcase_add_test(bytes, a_body_is_bytes);
    tcase_add_test(bytes, a_body_may_be_empty);
    tcase_add_test(bytes, a_body_ends_with_a_line_feed);
    tcase_add_test(bytes, a_line_has_a_limit);
    tcase_add_test(bytes, the_limit_counts_pieces);
    tcase_add_test(bytes, a_line_has_no_nul);
    tcase_add_test(bytes, a_refused_line_is_the_last);
    suite_add_tcase(suite, bytes);

    TCase *lines = tcase_create("lines");
    tcase_add_test(lines, messages);
    tcase_add_test(lines, what_comes_first);
    tcase_add_test(lines, what_is_none);
    suite_add_tcase(suite, lines);

    TCase *helpers = tcase_create("helpers");
    tcase_add_checked_fixture(helpers, open_broker, close_broker);
    tcase_add_test(helpers, who_never_greets_costs_no_job_anything);
    tcase_add_test(helpers, who_ends_at_once_costs_no_job_anything);
    tcase_add_test(helpers, an_answer_before_the_whole_job);
    suite_add_tcase(suite, helpers);
    return unit_main(suite);
}
