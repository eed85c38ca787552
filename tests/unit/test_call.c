// SPDX-License-Identifier: MIT
/*
 * `call` through the beanstalk port: answers that come at once, later, too late or to nobody, while
 * threads finish jobs and clients come and go.
 */
#include "base/clock.h"
#include "served.h"
#include "unit.h"

#include <hilera/thread.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void up(void)
{
    served_up(&(struct served_options){.loops = 1});
}

static void up_three(void)
{
    served_up(&(struct served_options){.loops = 3});
}

static int connect_new(void)
{
    return peer_unix(served.path);
}

static char *call_answer(int fd, const char *word, char *text, size_t size)
{
    char line[64];
    size_t len;
    peer_line(fd, line, sizeof(line));
    ck_assert_msg(strncmp(line, word, strlen(word)) == 0, "\"%s\" is not %s", line, word);
    ck_assert_int_eq(sscanf(line + strlen(word), "%zu", &len), 1);
    ck_assert_uint_lt(len, size);
    peer_read(fd, text, len);
    text[len] = '\0';
    peer_expect(fd, "\r\n");
    return text;
}

static void has(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) != NULL, "\"%s\" is not in %s", part, text);
}

static void work_gzip(void *arg)
{
    (void)served_work("gzip", *(enum job_outcome_kind *)arg);
}

static void work_elsewhere(enum job_outcome_kind kind)
{
    hl_thread *worker;
    const struct hl_thread_options options = {.target = work_gzip, .arg = &kind, .name = "worker"};
    ck_assert_int_eq(hl_thread_new(&worker, &options), 0);
    ck_assert_int_eq(hl_thread_start(worker), 0);
    ck_assert_int_eq(hl_thread_join(worker, HL_FOREVER), 0);
    hl_thread_free(&worker);
}

/* Until the front has begun `count` calls: they wait, since nothing else is said. */
static void count_call(const char *name, uint64_t count, void *arg)
{
    if (strcmp(name, "call") == 0)
        *(uint64_t *)arg = count;
}

static bool calls_are(void *arg)
{
    uint64_t count = 0;
    front_each_command(served.front, count_call, &count);
    return count >= *(uint64_t *)arg;
}

static void until_calls(uint64_t count)
{
    peer_until(calls_are, &count);
}

START_TEST(wait_is_answered_when_it_happened)
{
    char text[4096];
    int fd = connect_new();
    peer_say(fd, "use gzip\r\nput 0 0 0 1\r\na\r\nput 0 0 0 1\r\nb\r\n");
    peer_expect(fd, "USING gzip\r\nINSERTED 1\r\nINSERTED 2\r\n");
    peer_say(fd, "call wait 8\r\n{\"id\":1}\r\npeek 2\r\ncall wait 8\r\n{\"id\":2}\r\n");
    until_calls(1);
    work_elsewhere(JOB_OUTCOME_DONE);
    call_answer(fd, "OK ", text, sizeof(text));
    has(text, "\"state\":\"done\"");
    has(text, "\"outcome\":\"done\",\"exit_status\":0,");
    has(text, "\"stdout\":\"caf\xc3\xa9\\n\"");
    has(text, "\"stderr\":\"\\\\xff\\n\",\"stderr_base64\":\"/wo=\"");
    peer_expect(fd, "FOUND 2 1\r\nb\r\n");
    work_elsewhere(JOB_OUTCOME_FAILED);
    call_answer(fd, "OK ", text, sizeof(text));
    has(text, "\"state\":\"buried\"");
    has(text, "\"reason\":\"because\"");
    has(text, "\"result\":{\"outcome\":\"failed\"");
    peer_close(&fd);
}
END_TEST

START_TEST(join_is_answered_when_all_is_finished)
{
    char text[4096];
    int fd = connect_new(), all = connect_new();
    peer_say(fd, "use gzip\r\nput 0 0 0 1\r\na\r\nput 0 0 0 1\r\nb\r\n");
    peer_expect(fd, "USING gzip\r\nINSERTED 1\r\nINSERTED 2\r\n");
    peer_say(fd, "call join 15\r\n{\"tube\":\"gzip\"}\r\n");
    peer_say(all, "call join 0\r\n\r\n");
    until_calls(2);
    work_elsewhere(JOB_OUTCOME_DONE);
    work_elsewhere(JOB_OUTCOME_FAILED);
    ck_assert_str_eq(
        call_answer(fd, "OK ", text, sizeof(text)),
        "{\"tube\":\"gzip\",\"put\":2,\"done\":1,\"failed\":1,\"deleted\":0,\"cancelled\":0}");
    ck_assert_str_eq(
        call_answer(all, "OK ", text, sizeof(text)),
        "{\"tube\":null,\"put\":2,\"done\":1,\"failed\":1,\"deleted\":0,\"cancelled\":0}");
    peer_close(&fd);
    peer_close(&all);
}
END_TEST

START_TEST(wait_times_out)
{
    char text[4096];
    clock_virtual_start(1000 * HL_SECOND);
    int fd = connect_new();
    peer_say(fd, "put 0 0 0 1\r\na\r\ncall wait 20\r\n{\"id\":1,\"timeout\":2}\r\npeek 9\r\n");
    peer_expect(fd, "INSERTED 1\r\n");
    until_calls(1);
    for (int i = 0; i < 2; i++) {
        /* one connection more, so that the loop has been round and the first one waits */
        int other = connect_new();
        peer_say(other, "peek 9\r\n");
        peer_expect(other, "NOT_FOUND\r\n");
        peer_close(&other);
        clock_virtual_advance(HL_SECOND);
    }
    ck_assert_str_eq(
        call_answer(fd, "ERROR ", text, sizeof(text)),
        "{\"code\":\"timed_out\",\"message\":\"job 1 was not finished within 2.000 s\"}");
    peer_expect(fd, "NOT_FOUND\r\n");
    peer_say(fd, "call join 13\r\n{\"timeout\":0}\r\n");
    call_answer(fd, "ERROR ", text, sizeof(text));
    has(text, "\"message\":\"all tubes: 1 jobs were still unfinished after 0.000 s\"");
    peer_close(&fd);
    clock_virtual_stop();
}
END_TEST

START_TEST(leaving_cancels_a_wait)
{
    for (uint64_t id = 1; id <= 20; id++) {
        char text[128];
        int fd = connect_new();
        snprintf(text, sizeof(text),
                 "use gzip\r\nput 0 0 0 1\r\na\r\ncall wait %d\r\n{\"id\":%" PRIu64 "}\r\n",
                 id < 10 ? 8 : 9, id);
        peer_say(fd, text);
        snprintf(text, sizeof(text), "USING gzip\r\nINSERTED %" PRIu64 "\r\n", id);
        peer_expect(fd, text);
        if (id % 2)
            until_calls(id);
        peer_close(&fd);
        if (id % 3 == 0)
            served_until_connections(0);
        ck_assert_uint_eq(served_work("gzip", JOB_OUTCOME_DONE), id);
    }
    served_until_connections(0);
}
END_TEST

static void work_many(void *arg)
{
    for (int i = 0; i < *(int *)arg; i++)
        (void)served_work("gzip", JOB_OUTCOME_DONE);
}

/* Waits end on one thread while their connections go on another: each answer comes or its
 * connection has gone, and nothing is left over. */
START_TEST(leaving_races_with_the_answer)
{
    enum { COUNT = 200 };
    static int count = COUNT;
    hl_thread *worker;
    const struct hl_thread_options options = {.target = work_many, .arg = &count, .name = "worker"};
    ck_assert_int_eq(hl_thread_new(&worker, &options), 0);
    ck_assert_int_eq(hl_thread_start(worker), 0);
    for (uint64_t id = 1; id <= COUNT; id++) {
        char text[128], params[64];
        int len = snprintf(params, sizeof(params), "{\"id\":%" PRIu64 "}", id);
        int fd = connect_new();
        snprintf(text, sizeof(text), "use gzip\r\nput 0 0 0 1\r\na\r\ncall wait %d\r\n%s\r\n", len,
                 params);
        peer_say(fd, text);
        snprintf(text, sizeof(text), "USING gzip\r\nINSERTED %" PRIu64 "\r\n", id);
        peer_expect(fd, text);
        if (id % 4 == 0) {
            char answer[4096];
            has(call_answer(fd, "OK ", answer, sizeof(answer)), "\"state\":\"done\"");
        }
        peer_close(&fd);
    }
    ck_assert_int_eq(hl_thread_join(worker, HL_FOREVER), 0);
    hl_thread_free(&worker);
    served_until_connections(0);
}
END_TEST

START_TEST(stopping_cancels_waits)
{
    int fds[30];
    for (int i = 0; i < 30; i++) {
        fds[i] = connect_new();
        peer_say(fds[i], i % 2 ? "put 0 0 0 1\r\na\r\ncall join 0\r\n\r\n"
                               : "put 0 0 0 1\r\na\r\ncall wait 8\r\n{\"id\":1}\r\n");
    }
    until_calls(30);
    net_stop(served.net, 0);
    for (int i = 0; i < 30; i++)
        peer_close(&fds[i]);
}
END_TEST

START_TEST(calls_have_a_limit)
{
    char text[1024];
    int fd = connect_new();
    char *json = malloc(FRONT_CALL_SIZE_MAX + 1);
    ck_assert_ptr_nonnull(json);
    memset(json, ' ', FRONT_CALL_SIZE_MAX + 1);
    json[0] = '{';
    json[FRONT_CALL_SIZE_MAX - 1] = '}';
    peer_say(fd, "call ping 1048577\r\n");
    peer_send(fd, json, FRONT_CALL_SIZE_MAX + 1);
    peer_say(fd, "\r\npeek 1\r\ncall ping 1048576\r\n");
    peer_send(fd, json, FRONT_CALL_SIZE_MAX);
    peer_say(fd, "\r\n");
    has(call_answer(fd, "ERROR ", text, sizeof(text)), "\"code\":\"too_big\"");
    peer_expect(fd, "NOT_FOUND\r\n");
    has(call_answer(fd, "OK ", text, sizeof(text)), "\"version\"");
    free(json);
    peer_close(&fd);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("call");
    TCase *one = tcase_create("one loop");
    tcase_add_checked_fixture(one, up, served_down);
    tcase_add_test(one, wait_is_answered_when_it_happened);
    tcase_add_test(one, join_is_answered_when_all_is_finished);
    tcase_add_test(one, wait_times_out);
    tcase_add_test(one, leaving_cancels_a_wait);
    tcase_add_test(one, leaving_races_with_the_answer);
    tcase_add_test(one, stopping_cancels_waits);
    tcase_add_test(one, calls_have_a_limit);
    suite_add_tcase(suite, one);

    TCase *many = tcase_create("three loops");
    tcase_add_checked_fixture(many, up_three, served_down);
    tcase_add_test(many, leaving_races_with_the_answer);
    tcase_add_test(many, stopping_cancels_waits);
    suite_add_tcase(suite, many);
    return unit_main(suite);
}
