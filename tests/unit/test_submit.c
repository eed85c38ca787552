// SPDX-License-Identifier: MIT
// The verb submit on a connection: where heads and bodies end, what heads ask for, what is said of
// those that aren't right, keys, and jobs that wait for a time of the wall clock.

#include "base/clock.h"
#include "blocking.h"
#include "front/front_priv.h"
#include "front/session_priv.h"
#include "served.h"
#include "unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void up(void)
{
    served_setup_with(&(struct served_options){.loops = 1, .body_max = 100});
}

static char line[4096];

static void say_submit(int fd, const char *head, const char *body, size_t piece)
{
    char text[2 * FRONT_HEAD_MAX];
    struct unit_random random = {7};
    int len = snprintf(text, sizeof(text), "submit %zu %zu\r\n%s%s\r\n", strlen(head), strlen(body),
                       head, body);
    peer_send_in_pieces(fd, text, (size_t)len, piece, &random);
}

// "INSERTED id": the id.
static uint64_t submit(int fd, const char *head, const char *body)
{
    uint64_t id;
    say_submit(fd, head, body, SIZE_MAX / 2);
    peer_line(fd, line, sizeof(line));
    ck_assert_msg(sscanf(line, "INSERTED %" SCNu64, &id) == 1, "%s: %s", head, line);
    return id;
}

// "ERROR bytes", and its text tells that.
static void refused(int fd, const char *head, const char *word)
{
    size_t bytes;
    say_submit(fd, head, "use x\r\n", SIZE_MAX / 2); // a body that would be answered as a command
    peer_line(fd, line, sizeof(line));
    ck_assert_msg(sscanf(line, "ERROR %zu", &bytes) == 1, "%s: %s", head, line);
    ck_assert_uint_lt(bytes, sizeof(line));
    peer_read(fd, line, bytes);
    line[bytes] = '\0';
    ck_assert_msg(strstr(line, "\"bad_request\"") != NULL, "%s", line);
    ck_assert_msg(strstr(line, word) != NULL, "%s: %s", head, line);
    peer_expect(fd, "\r\n");
    served_ask(fd, "peek 99\r\n", "NOT_FOUND\r\n");
}

static struct job_view view_of(uint64_t id)
{
    struct job_view view;
    ck_assert_int_eq(broker_peek(served.broker, &trust_all, id, &view, NULL), 0);
    return view;
}

START_TEST(ends_are_where_they_are)
{
    static const char head[] = "{\"tube\":\"b\",\"name\":\"n\"}";
    int fd = served_connect();
    for (size_t piece = 1; piece < 60; piece += 7) {
        char answer[64];
        say_submit(fd, head, "a\r\nb", piece);
        snprintf(answer, sizeof(answer), "INSERTED %zu\r\n", 1 + piece / 7);
        peer_expect(fd, answer);
    }
    served_ask(fd, "use b\r\npeek-ready\r\n", "USING b\r\nFOUND 1 4\r\na\r\nb\r\n");
    served_ask(fd, "submit 2 0\r\n{}\r\npeek 10\r\n", "INSERTED 10\r\nFOUND 10 0\r\n\r\n");
    served_ask(fd, "submit 2 1\r\n{}xxxpeek 99\r\n", "EXPECTED_CRLF\r\nNOT_FOUND\r\n");
    served_ask(fd, "submit 2\r\nsubmit 2 3 4\r\nsubmit 2 x\r\nsubmit\r\n",
               "BAD_FORMAT\r\nBAD_FORMAT\r\nBAD_FORMAT\r\nUNKNOWN_COMMAND\r\n");
    char big[101 + 64];
    int len = snprintf(big, sizeof(big), "submit 2 101\r\n{}%0101d\r\n", 1);
    peer_send(fd, big, (size_t)len);
    peer_expect(fd, "JOB_TOO_BIG\r\n");
    served_ask(fd, "peek 99\r\n", "NOT_FOUND\r\n");
    peer_close(&fd);
    ck_assert_uint_eq(served_stats().count[JOB_READY], 10);
}
END_TEST

START_TEST(a_lost_connection_leaves_nothing)
{
    static const char *const parts[] = {"submit 10 3\r\n", "submit 10 3\r\n{\"a\"",
                                        "submit 2 3\r\n{}a", "submit 2 3\r\n{}abc",
                                        "submit 7 3\r\n{\"a\":1}a"};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        int fd = served_connect();
        peer_say(fd, parts[i]);
        served_ask(fd, "", "");
        peer_close(&fd);
    }
    served_until_connections(0);
    ck_assert_uint_eq(served_stats().totals.put, 0);
    ck_assert_uint_eq(served_stats().tubes, 1);
}
END_TEST

START_TEST(everything_is_taken)
{
    int fd = served_connect();
    uint64_t id = submit(
        fd,
        "{\"tube\":\"t\",\"priority\":7,\"delay\":1.5,\"ttr\":90,\"key\":\"k\","
        "\"attempts\":3,\"crashes\":4,\"timeouts\":5,\"losses\":0,\"backoff\":{\"kind\":"
        "\"exponential\",\"base\":2,\"cap\":60.5,\"jitter\":10},\"timeout\":30,\"max_age\":3600,"
        "\"retention\":0,\"name\":\"n\xc3\xb6\",\"group\":\"g\",\"tags\":[\"a\",\"b\",\"a\"],"
        "\"at\":null}",
        "x");
    struct job_view view = view_of(id);
    ck_assert_str_eq(view.tube, "t");
    ck_assert_uint_eq(view.pri, 7);
    ck_assert_int_eq(view.state, JOB_DELAYED);
    ck_assert_int_eq(view.delay_ns, HL_SECOND + HL_SECOND / 2);
    ck_assert_int_eq(view.ttr_ns, 90 * HL_SECOND);
    const struct job_rule_row *row; // every rule has a member
    for (size_t i = 0; (row = job_rule_at(i)) != NULL; i++)
        ck_assert_msg((view.rules.set & row->bit) != 0, "%s", row->word);
    ck_assert_uint_eq(view.rules.attempts, 3);
    ck_assert_uint_eq(view.rules.crashes, 4);
    ck_assert_uint_eq(view.rules.timeouts, 5);
    ck_assert_uint_eq(view.rules.losses, 0);
    ck_assert_uint_eq(view.rules.backoff_kind, JOB_BACKOFF_EXPONENTIAL);
    ck_assert_int_eq(view.rules.backoff_ns, 2 * HL_SECOND);
    ck_assert_int_eq(view.rules.backoff_cap_ns, 60 * HL_SECOND + HL_SECOND / 2);
    ck_assert_uint_eq(view.rules.jitter, 10);
    ck_assert_int_eq(view.rules.timeout_ns, 30 * HL_SECOND);
    ck_assert_int_eq(view.rules.max_age_ns, 3600 * HL_SECOND);
    ck_assert_uint_eq(view.set, JOB_OPTION_RETENTION);
    ck_assert_int_eq(view.retention_ns, 0);
    ck_assert_str_eq(view.name, "n\xc3\xb6");
    ck_assert_str_eq(view.group, "g");
    ck_assert_str_eq(view.key, "k");
    ck_assert_uint_eq(view.tags_size, 4); // once each
    // Without anything: as hilera put, into the used tube.
    served_ask(fd, "use u\r\n", "USING u\r\n");
    view = view_of(submit(fd, "{}", ""));
    ck_assert_str_eq(view.tube, "u");
    ck_assert_uint_eq(view.pri, 1024);
    ck_assert_int_eq(view.ttr_ns, 60 * HL_SECOND);
    ck_assert_uint_eq(view.rules.set | view.set, 0);
    peer_close(&fd);
}
END_TEST

START_TEST(what_is_wrong_is_told)
{
    static const char *const wrong[][2] = {
        {"", "no JSON"},
        {"{", "no JSON"},
        {"[]", "one JSON object"},
        {"{\"attemps\":3}", "\\\"attemps\\\" is not a member of the head"},
        {"{\"attemps\":3}",
         "they are: \\\"tube\\\", \\\"priority\\\", \\\"delay\\\", \\\"at\\\", \\\"ttr\\\", "
         "\\\"key\\\", \\\"attempts\\\", \\\"crashes\\\", \\\"timeouts\\\", \\\"losses\\\", "
         "\\\"backoff\\\", \\\"timeout\\\", \\\"max_age\\\", \\\"retention\\\", "
         "\\\"awaited\\\", \\\"name\\\", \\\"group\\\", \\\"tags\\\""},
        {"{\"awaited\":1}", "\\\"awaited\\\" is 1; it must be true or false"},
        {"{\"backoff.cap\":1}", "is not a member of the head"},
        {"{\"backof\":1}", "is not a member of the head"},
        {"{\"timeout\":\"1s\"}", "\\\"timeout\\\" is \\\"1s\\\"; it must be a number of seconds"},
        {"{\"tube\":\"-\"}", "the name of a tube"},
        {"{\"tube\":3}", "the name of a tube"},
        {"{\"priority\":-1}", "whole number"},
        {"{\"priority\":1.5}", "whole number"},
        {"{\"priority\":4294967296}", "whole number"},
        {"{\"delay\":\"1s\"}", "number of seconds"},
        {"{\"delay\":1,\"at\":2}", "exclude each other"},
        {"{\"delay\":1,\"delay\":2}", "twice"},
        {"{\"at\":\"tomorrow\"}", "a moment such as"},
        {"{\"at\":-1}", "a moment such as"},
        {"{\"attempts\":0}", "attempts is 0"},
        {"{\"backoff\":3}", "an object of \\\"kind\\\", \\\"base\\\", \\\"cap\\\", \\\"jitter\\\""},
        {"{\"backoff\":{\"kind\":\"linear\"}}", "\\\"exponential\\\""},
        {"{\"backoff\":{\"step\":1}}",
         "is not a member of \\\"backoff\\\"; they are: \\\"kind\\\", \\\"base\\\", "
         "\\\"cap\\\", \\\"jitter\\\""},
        {"{\"backoff\":{\"cap\":-1}}", "\\\"backoff.cap\\\" is -1"},
        {"{\"backoff\":{\"cap\":1,\"cap\":1}}", "twice"},
        {"{\"backoff\":{\"jitter\":200}}", "0 to 100"},
        {"{\"retention\":-1}", "number of seconds"},
        {"{\"name\":\"\"}", "1 to 200 bytes"},
        {"{\"name\":\"a\\nb\"}", "control characters"},
        {"{\"tags\":\"a\"}", "array of texts"},
        {"{\"tags\":[\"a,b\"]}", "commas"},
        {"{\"tags\":[1]}", "array of texts"},
    };
    int fd = served_connect();
    refused(fd, wrong[_i][0], wrong[_i][1]);
    peer_close(&fd);
    ck_assert_uint_eq(served_stats().totals.put, 0);
}
END_TEST

START_TEST(a_head_has_its_limit)
{
    char head[FRONT_HEAD_MAX + 2];
    int fd = served_connect();
    memset(head, ' ', sizeof(head));
    head[0] = '{';
    head[1] = '}';
    head[FRONT_HEAD_MAX] = '\0';
    ck_assert_uint_eq(submit(fd, head, "x"), 1);
    head[FRONT_HEAD_MAX] = ' ';
    head[FRONT_HEAD_MAX + 1] = '\0';
    refused(fd, head, "the head has 4097 bytes");
    // As much as a number can say is skipped, not kept.
    peer_say(fd, "submit 4294967295 100\r\n");
    peer_close(&fd);
}
END_TEST

// ---- keys ----

START_TEST(a_key_is_answered_with_the_first)
{
    static const char head[] = "{\"tube\":\"t\",\"key\":\"k\"}";
    int fd = served_connect();
    uint64_t first = submit(fd, head, "one");
    ck_assert_uint_eq(submit(fd, head, "two"), first);
    ck_assert_uint_ne(submit(fd, "{\"tube\":\"u\",\"key\":\"k\"}", ""), first);
    ck_assert_uint_ne(submit(fd, "{\"tube\":\"t\",\"key\":\"l\"}", ""), first);
    ck_assert_uint_eq(served_stats().totals.put, 3);
    ck_assert_uint_eq(served_work("t", JOB_OUTCOME_FAILED), first);
    ck_assert_uint_eq(submit(fd, head, "two"), first); // buried, and there
    ck_assert_int_eq(broker_delete(served.broker, &trust_all, first), 0);
    uint64_t second = submit(fd, head, "two");
    ck_assert_uint_gt(second, first);
    // It goes along into another tube, but not where the key is taken.
    ck_assert_int_eq(broker_move(served.broker, &trust_all, second, "u", 1), 0);
    uint64_t third = submit(fd, head, "three");
    ck_assert_uint_gt(third, second);
    ck_assert_int_eq(broker_move(served.broker, &trust_all, second, "v", 1), 0);
    ck_assert_uint_eq(submit(fd, "{\"tube\":\"v\",\"key\":\"k\"}", ""), second);
    peer_close(&fd);
}
END_TEST

// ---- at ----

START_TEST(at_is_a_moment_of_the_wall_clock)
{
    char head[100];
    int fd = served_connect();
    int64_t wall_s = clock_wall_ns() / HL_SECOND;
    snprintf(head, sizeof(head), "{\"at\":%" PRId64 "}", wall_s + 100);
    uint64_t id = submit(fd, head, "");
    ck_assert_uint_eq(submit(fd, "{\"at\":\"2000-01-01T00:00:00Z\"}", ""), id + 1);
    ck_assert_int_eq(view_of(id + 1).state, JOB_READY); // long ago
    uint64_t delayed = submit(fd, "{\"delay\":100}", "");
    served_later(50 * HL_SECOND);
    clock_virtual_step(40 * HL_SECOND); // somebody sets the clock
    broker_clock_look(served.broker);
    ck_assert_int_eq(view_of(id).time_left_ns / HL_SECOND, 10);
    ck_assert_int_eq(view_of(delayed).time_left_ns / HL_SECOND, 50);
    clock_virtual_step(-60 * HL_SECOND); // and back, and nobody looks
    served_later(10 * HL_SECOND);
    ck_assert_int_eq(view_of(id).state, JOB_DELAYED);
    ck_assert_int_eq(view_of(id).time_left_ns / HL_SECOND, 60);
    broker_clock_look(served.broker);
    served_later(60 * HL_SECOND - 1);
    ck_assert_int_eq(view_of(id).state, JOB_DELAYED);
    ck_assert_int_eq(view_of(delayed).state, JOB_READY);
    served_later(HL_SECOND / 100);
    ck_assert_int_eq(view_of(id).state, JOB_READY);
    peer_close(&fd);
}
END_TEST

START_TEST(a_clock_that_is_set_moves_many)
{
    char head[100];
    int fd = served_connect();
    snprintf(head, sizeof(head), "{\"at\":%" PRId64 "}", clock_wall_ns() / HL_SECOND + 1000);
    for (int i = 0; i < 700; i++) // more than one hold of the lock
        (void)submit(fd, i % 7 == 0 ? "{}" : head, "");
    ck_assert_uint_eq(served_stats().count[JOB_DELAYED], 600);
    clock_virtual_step(1001 * HL_SECOND);
    served_later(0);
    ck_assert_uint_eq(served_stats().count[JOB_DELAYED], 600);
    broker_clock_look(served.broker);
    served_later(0);
    ck_assert_uint_eq(served_stats().count[JOB_DELAYED], 0);
    peer_close(&fd);
}
END_TEST

/* A put has one word for it, a submit says where. */
START_TEST(what_is_full_is_told_apart)
{
    served_teardown();
    served_setup_with(&(struct served_options){.loops = 1, .jobs_max = 3, .tube_jobs_max = 2});
    int fd = served_connect();
    char said[512];
    served_ask(fd, "put-in-tube a 0 0 9 1\r\nx\r\nput-in-tube a 0 0 9 1\r\nx\r\n",
               "INSERTED 1\r\nINSERTED 2\r\n");
    peer_say(fd, "submit 12 1\r\n{\"tube\":\"a\"}x\r\n");
    ck_assert_int_eq(strncmp(peer_line(fd, said, sizeof(said)), "ERROR ", 6), 0);
    ck_assert_ptr_nonnull(strstr(peer_line(fd, said, sizeof(said)), "{\"code\":\"full\","));
    served_ask(fd, "put-in-tube b 0 0 9 1\r\nx\r\n", "INSERTED 4\r\n");
    peer_say(fd, "submit 12 1\r\n{\"tube\":\"c\"}x\r\n");
    ck_assert_int_eq(strncmp(peer_line(fd, said, sizeof(said)), "ERROR ", 6), 0);
    ck_assert_ptr_nonnull(strstr(peer_line(fd, said, sizeof(said)), "{\"code\":\"all_full\","));
    served_ask(fd, "put-in-tube c 0 0 9 1\r\nx\r\n", "OUT_OF_MEMORY\r\n");
    peer_close(&fd);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("submit");
    TCase *all = tcase_create("submit");
    tcase_add_checked_fixture(all, up, served_teardown);
    tcase_add_test(all, ends_are_where_they_are);
    tcase_add_test(all, a_lost_connection_leaves_nothing);
    tcase_add_test(all, everything_is_taken);
    tcase_add_loop_test(all, what_is_wrong_is_told, 0, 31);
    tcase_add_test(all, a_head_has_its_limit);
    tcase_add_test(all, a_key_is_answered_with_the_first);
    tcase_add_test(all, at_is_a_moment_of_the_wall_clock);
    tcase_add_test(all, a_clock_that_is_set_moves_many);
    tcase_add_test(all, what_is_full_is_told_apart);
    suite_add_tcase(suite, all);
    return unit_main(suite);
}
