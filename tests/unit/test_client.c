// SPDX-License-Identifier: MIT
// The client library against a server that plays a script: answers whole, in pieces, wrong, late
// and never; connections that break.

#include "scripted.h"
#include "unit.h"

#include <hilera/client.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static const struct hl_client_put hello = {.tube = "mail",
                                           .priority = 7,
                                           .delay_ns = 1,
                                           .ttr_ns = 90 * HL_SECOND,
                                           .body = "hello",
                                           .len = 5};
static const struct hl_client_put plain = {.body = "x", .len = 1};

// ---- one request at a time ----

START_TEST(put_tells_the_id)
{
    static const struct scripted_step steps[] = {EXPECT("use mail\r\n"),
                                                 SEND("USING mail\r\n"),
                                                 EXPECT("put 7 1 90 5\r\nhello\r\n"),
                                                 SEND("INSERTED 18446744073709551615\r\n"),
                                                 EXPECT("put 7 1 90 5\r\nhello\r\n"),
                                                 SEND("INSERTED 9007199254740993\r\n"),
                                                 DRAIN,
                                                 END};
    scripted_begin(steps);
    uint64_t id = 0;
    ck_assert_int_eq(hl_client_put(client, &hello, PATIENCE, &id), 0);
    ck_assert(id == UINT64_MAX);
    ck_assert_int_eq(hl_client_put(client, &hello, PATIENCE, &id), 0);
    ck_assert(id == UINT64_C(9007199254740993));
    ck_assert_str_eq(hl_client_error(client), "");
    scripted_finish();
}
END_TEST

START_TEST(put_rounds_up_and_has_a_least_ttr)
{
    static const struct scripted_step steps[] = {
        EXPECT("put 0 0 1 0\r\n\r\n"),
        SEND("INSERTED 1\r\n"),
        EXPECT("put 4294967295 4294967295 2 3\r\na\nb\r\n"),
        SEND("INSERTED 2\r\n"),
        DRAIN,
        END};
    scripted_begin(steps);
    uint64_t id = 0;
    struct hl_client_put put = {0};
    ck_assert_int_eq(hl_client_put(client, &put, PATIENCE, &id), 0);
    put = (struct hl_client_put){.priority = UINT32_MAX,
                                 .delay_ns = UINT32_MAX * HL_SECOND,
                                 .ttr_ns = HL_SECOND + 1,
                                 .body = "a\nb",
                                 .len = 3};
    ck_assert_int_eq(hl_client_put(client, &put, PATIENCE, &id), 0);
    ck_assert_uint_eq(id, 2);
    scripted_finish();
}
END_TEST

START_TEST(bad_puts_are_refused_here)
{
    static const struct scripted_step steps[] = {DRAIN, END};
    static const char *const tubes[] = {"", "-x", "a b", "a\r\ndelete 1", "\xc3\xa9", "a,b", "a%"};
    scripted_begin(steps);
    uint64_t id = 0;
    char name[HL_CLIENT_TUBE_MAX + 2];
    memset(name, 'a', sizeof(name));
    name[HL_CLIENT_TUBE_MAX + 1] = '\0';
    struct hl_client_put put = {.tube = name};
    ck_assert_int_eq(hl_client_put(client, &put, PATIENCE, &id), EINVAL);
    for (size_t i = 0; i < sizeof(tubes) / sizeof(tubes[0]); i++) {
        put.tube = tubes[i];
        ck_assert_int_eq(hl_client_put(client, &put, PATIENCE, &id), EINVAL);
        error_has("name for a tube");
        ck_assert_int_eq(hl_client_put_many(client, &put, 1, PATIENCE, &id), EINVAL);
    }
    put = (struct hl_client_put){.delay_ns = -1};
    ck_assert_int_eq(hl_client_put(client, &put, PATIENCE, &id), EINVAL);
    error_has("delay");
    put = (struct hl_client_put){.ttr_ns = (UINT32_MAX + INT64_C(1)) * HL_SECOND};
    ck_assert_int_eq(hl_client_put(client, &put, PATIENCE, &id), ERANGE);
    error_has("ttr");
    put = (struct hl_client_put){.body = "x", .len = HL_CLIENT_BODY_MAX + 1};
    ck_assert_int_eq(hl_client_put(client, &put, PATIENCE, &id), EMSGSIZE);
    ck_assert_str_eq(hl_client_error_code(client), "");
    ck_assert(hl_client_is_connected(client));
    scripted_finish();
}
END_TEST

static const struct {
    const char *reply;
    int err;
    const char *code, *text;
    int stays;
} put_refusals[] = {
    {"JOB_TOO_BIG\r\n", EMSGSIZE, "too_big", "larger", 1},
    {"DRAINING\r\n", EHOSTDOWN, "draining", "stopping", 1},
    {"OUT_OF_MEMORY\r\n", ENOMEM, "out_of_memory", "no room", 1},
    {"INTERNAL_ERROR\r\n", ENOTRECOVERABLE, "internal", "inside", 1},
    {"BURIED 5\r\n", ENOMEM, "out_of_memory", "buried", 1},
    {"EXPECTED_CRLF\r\n", EPROTO, "", "body", 0},
    {"BAD_FORMAT\r\n", EPROTO, "", "understand", 0},
    {"UNKNOWN_COMMAND\r\n", ENOSYS, "", "another program", 0},
    {"OK 2\r\n{}\r\n", EPROTO, "", "does not speak", 0},
    {"\x1b[2J\r\n", EPROTO, "", "\\x1b[2J", 0},
};

START_TEST(put_refused_says_why)
{
    const struct scripted_step steps[] = {EXPECT("put 0 0 1 1\r\nx\r\n"),
                                          SEND(put_refusals[_i].reply), DRAIN, END};
    scripted_begin(steps);
    uint64_t id = 0;
    int err = put_refusals[_i].err;
    ck_assert_int_eq(hl_client_put(client, &plain, PATIENCE, &id), err);
    ck_assert_uint_eq(id, 0);
    error_has(put_refusals[_i].text);
    ck_assert_str_eq(hl_client_error_code(client), put_refusals[_i].code);
    ck_assert_int_eq(hl_client_is_connected(client), put_refusals[_i].stays);
    if (!put_refusals[_i].stays) {
        // It keeps telling why.
        ck_assert_int_eq(hl_client_put(client, &plain, PATIENCE, &id), err);
        error_has(put_refusals[_i].text);
    }
    scripted_finish();
}
END_TEST

START_TEST(call_gives_the_json_as_it_is)
{
    static const struct scripted_step steps[] = {EXPECT("call ping 2\r\n{}\r\n"),
                                                 SEND("OK 22\r\n{\"n\":9007199254740993}\r\n"),
                                                 EXPECT("call a.b_c-1 7\r\n{\"a\":1}\r\n"),
                                                 SEND("OK 0\r\n\r\n"),
                                                 DRAIN,
                                                 END};
    scripted_begin(steps);
    const char *text;
    size_t len;
    ck_assert_int_eq(hl_client_call(client, "ping", NULL, PATIENCE, &text, &len), 0);
    ck_assert_str_eq(text, "{\"n\":9007199254740993}");
    ck_assert_uint_eq(len, 22);
    ck_assert_int_eq(hl_client_call(client, "a.b_c-1", "{\"a\":1}", PATIENCE, &text, &len), 0);
    ck_assert_uint_eq(len, 0);
    ck_assert_str_eq(text, "");
    ck_assert_int_eq(hl_client_call(client, "a b", NULL, PATIENCE, &text, &len), EINVAL);
    ck_assert_int_eq(hl_client_call(client, "", NULL, PATIENCE, &text, &len), EINVAL);
    ck_assert_int_eq(hl_client_call(client, "a\r\n", NULL, PATIENCE, &text, &len), EINVAL);
    scripted_finish();
}
END_TEST

static const struct {
    const char *reply;
    int err;
    const char *code, *text;
    int stays;
} call_refusals[] = {
    {"ERROR 42\r\n{\"code\":\"not_found\",\"message\":\"No job 7.\"}\r\n", ENOENT, "not_found",
     "No job 7.", 1},
    {"ERROR 36\r\n{\"code\":\"timed_out\",\"message\":\"Too\"}\r\n", ETIMEDOUT, "timed_out", "Too",
     1},
    {"ERROR 38\r\n{\"code\":\"new_in_0_9\",\"message\":\"Hm\\n\"}\r\n", ENOTRECOVERABLE,
     "new_in_0_9", "Hm\\n", 1},
    {"ERROR 2\r\n{}\r\n", EPROTO, "", "can read", 0},
    {"ERROR 0\r\n\r\n", EPROTO, "", "can read", 0},
    {"OK 3\r\n{}\r\n", EPROTO, "", "\"OK 3", 0},
    {"OK 1\r\n{}\r\n", EPROTO, "", "longer", 0},
    {"OK 9999999999\r\n{}\r\n", EPROTO, "", "more data", 0},
    {"UNKNOWN_COMMAND\r\nUNKNOWN_COMMAND\r\n", ENOSYS, "", "another program", 0},
    {"HTTP/1.1 400 Bad Request\r\nServer: x\r\n", EPROTO, "", "HTTP/1.1 400", 0},
};

// After the reply the server is done, so an answer that promised more is cut short.
START_TEST(call_refused_says_why)
{
    const struct scripted_step steps[] = {EXPECT("call ping 2\r\n{}\r\n"),
                                          SEND(call_refusals[_i].reply),
                                          SEND(call_refusals[_i].stays ? "" : "x\r\n"),
                                          {SCRIPTED_HANG_UP, NULL, 0},
                                          DRAIN,
                                          END};
    scripted_begin(steps);
    const char *text = NULL;
    size_t len;
    int err = call_refusals[_i].err;
    ck_assert_int_eq(hl_client_call(client, "ping", NULL, PATIENCE, &text, &len), err);
    ck_assert_ptr_null(text);
    ck_assert_str_eq(hl_client_error_code(client), call_refusals[_i].code);
    ck_assert_int_eq(hl_client_is_connected(client), call_refusals[_i].stays);
    error_has(call_refusals[_i].text);
    scripted_finish();
}
END_TEST

START_TEST(peek_gives_the_body)
{
    static const struct scripted_step steps[] = {EXPECT("peek 5\r\n"),
                                                 {SCRIPTED_SEND, "FOUND 5 4\r\na\0\r\n\r\n", 17},
                                                 EXPECT("peek 6\r\n"),
                                                 SEND("NOT_FOUND\r\n"),
                                                 EXPECT("peek 7\r\n"),
                                                 SEND("FOUND 8 0\r\n\r\n"),
                                                 DRAIN,
                                                 END};
    scripted_begin(steps);
    const char *body;
    size_t len;
    ck_assert_int_eq(hl_client_peek(client, 5, PATIENCE, &body, &len), 0);
    ck_assert_uint_eq(len, 4);
    ck_assert_mem_eq(body, "a\0\r\n", 4);
    ck_assert_int_eq(hl_client_peek(client, 6, PATIENCE, &body, &len), ENOENT);
    ck_assert_str_eq(hl_client_error_code(client), "not_found");
    ck_assert_int_eq(hl_client_peek(client, 7, PATIENCE, &body, &len), EPROTO);
    error_has("another");
    scripted_finish();
}
END_TEST

START_TEST(answers_byte_by_byte_are_put_together)
{
    static const struct scripted_step steps[] = {EXPECT("use mail\r\n"),
                                                 TRICKLE("USING mail\r\n"),
                                                 EXPECT("put 7 1 90 5\r\nhello\r\n"),
                                                 TRICKLE("INSERTED 12\r\n"),
                                                 EXPECT("call show 8\r\n{\"id\":1}\r\n"),
                                                 TRICKLE("OK 13\r\n{\"\\r\\n\":\"\r\n\"}\r\n"),
                                                 DRAIN,
                                                 END};
    scripted_begin(steps);
    uint64_t id = 0;
    ck_assert_int_eq(hl_client_put(client, &hello, PATIENCE, &id), 0);
    ck_assert_uint_eq(id, 12);
    const char *text;
    size_t len;
    ck_assert_int_eq(hl_client_call(client, "show", "{\"id\":1}", PATIENCE, &text, &len), 0);
    ck_assert_uint_eq(len, 13);
    scripted_finish();
}
END_TEST

START_TEST(a_large_answer_arrives_whole)
{
    enum { TIMES = 400000, UNIT = 10 };
    static const struct scripted_step steps[] = {EXPECT("call stats 2\r\n{}\r\n"),
                                                 SEND("OK 4000000\r\n"),
                                                 {SCRIPTED_REPEAT, "0123456789", TIMES},
                                                 SEND("\r\n"),
                                                 DRAIN,
                                                 END};
    scripted_begin(steps);
    const char *text;
    size_t len;
    ck_assert_int_eq(hl_client_call(client, "stats", NULL, PATIENCE, &text, &len), 0);
    ck_assert_uint_eq(len, TIMES * UNIT);
    ck_assert_uint_eq(strlen(text), len);
    ck_assert_str_eq(text + len - UNIT, "0123456789");
    scripted_finish();
}
END_TEST

// ---- connections that break ----

static const char *const cut_short[] = {"", "I", "INSERTED 1", "INSERTED 1\r"};

START_TEST(a_server_that_closes_is_noticed)
{
    const struct scripted_step steps[] = {EXPECT("put 0 0 1 1\r\nx\r\n"), SEND(cut_short[_i]), END};
    scripted_begin(steps);
    uint64_t id = 0;
    ck_assert_int_eq(hl_client_put(client, &plain, PATIENCE, &id), ECONNRESET);
    error_has(_i == 0 ? "before it answered" : "in the middle of an answer");
    ck_assert(!hl_client_is_connected(client));
    ck_assert_int_eq(hl_client_fd(client), -1);
    scripted_finish();
}
END_TEST

// A write to it would raise SIGPIPE.
START_TEST(a_server_that_is_gone_raises_no_signal)
{
    static const struct scripted_step steps[] = {END};
    signal(SIGPIPE, SIG_DFL);
    scripted_begin(steps);
    struct pollfd gone = {.fd = hl_client_fd(client), .events = POLLIN};
    ck_assert_int_eq(poll(&gone, 1, (int)(PATIENCE / HL_MILLISECOND)), 1);
    uint64_t id = 0;
    ck_assert_int_eq(hl_client_put(client, &plain, PATIENCE, &id), ECONNRESET);
    error_has(scripted_address(server));
    ck_assert_int_eq(hl_client_put(client, &plain, PATIENCE, &id), ECONNRESET);
    hl_client_close(client);
    ck_assert_int_eq(hl_client_put(client, &plain, PATIENCE, &id), ENOTCONN);
    scripted_finish();
}
END_TEST

START_TEST(what_was_answered_before_the_end_is_read)
{
    static const struct scripted_step steps[] = {EXPECT("put 0 0 1 1\r\nx\r\n"),
                                                 SEND("INSERTED 1\r\nINSERTED 2\r\n"), END};
    scripted_begin(steps);
    struct hl_client_reply reply;
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(hl_client_send_put(client, &plain), 0);
    for (uint64_t i = 1; i <= 2; i++) {
        ck_assert_int_eq(hl_client_receive(client, &reply, PATIENCE), 0);
        ck_assert_uint_eq(reply.id, i);
    }
    ck_assert_int_eq(hl_client_receive(client, &reply, PATIENCE), ECONNRESET);
    scripted_finish();
}
END_TEST

// ---- time ----

START_TEST(an_answer_that_comes_late_is_skipped)
{
    static const struct scripted_step steps[] = {
        EXPECT("call wait 2\r\n{}\r\n"), EXPECT("call ping 2\r\n{}\r\n"),
        SEND("OK 4\r\nlate\r\nOK 2\r\n{}\r\n"), DRAIN, END};
    scripted_begin(steps);
    const char *text = NULL;
    size_t len;
    ck_assert_int_eq(hl_client_call(client, "wait", NULL, BLINK, &text, &len), ETIMEDOUT);
    ck_assert_str_eq(hl_client_error_code(client), "");
    error_has("in time");
    ck_assert(hl_client_is_connected(client));
    ck_assert_uint_eq(hl_client_pending(client), 0);
    ck_assert_int_eq(hl_client_call(client, "ping", NULL, PATIENCE, &text, &len), 0);
    ck_assert_str_eq(text, "{}");
    scripted_finish();
}
END_TEST

// The tube that a connection uses is not known while an answer about it is on the way.
START_TEST(a_late_use_is_not_believed)
{
    static const struct scripted_step steps[] = {EXPECT("use a\r\n"),
                                                 EXPECT("use b\r\n"),
                                                 SEND("USING a\r\nUSING b\r\n"),
                                                 EXPECT("use a\r\n"),
                                                 SEND("USING a\r\n"),
                                                 EXPECT("put 0 0 1 1\r\nx\r\n"),
                                                 SEND("INSERTED 1\r\n"),
                                                 DRAIN,
                                                 END};
    scripted_begin(steps);
    ck_assert_int_eq(hl_client_use(client, "a", BLINK), ETIMEDOUT);
    ck_assert_int_eq(hl_client_send_put(client, &plain), EINVAL);
    ck_assert_int_eq(hl_client_use(client, "b", PATIENCE), 0);
    struct hl_client_put put = {.tube = "a", .body = "x", .len = 1};
    ck_assert_int_eq(hl_client_send_put(client, &put), EINVAL);
    uint64_t id = 0;
    ck_assert_int_eq(hl_client_put(client, &put, PATIENCE, &id), 0);
    scripted_finish();
}
END_TEST

START_TEST(a_readable_descriptor_interrupts)
{
    static const struct scripted_step steps[] = {EXPECT("call wait 2\r\n{}\r\n"),
                                                 SEND("OK 2\r\n{}\r\n"),
                                                 EXPECT("call wait 2\r\n{}\r\n"), DRAIN, END};
    scripted_begin(steps);
    const char *text;
    size_t len;
    int fd = eventfd(0, EFD_CLOEXEC);
    hl_client_set_interrupt(client, fd);
    ck_assert_int_eq(hl_client_call(client, "wait", NULL, HL_FOREVER, &text, &len), 0);
    ck_assert_int_eq(eventfd_write(fd, 1), 0);
    ck_assert_int_eq(hl_client_call(client, "wait", NULL, HL_FOREVER, &text, &len), EINTR);
    error_has("interrupted");
    ck_assert(hl_client_is_connected(client));
    close(fd);
    scripted_finish();
}
END_TEST

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof((array)[0])))

int main(void)
{
    Suite *suite = suite_create("client");
    TCase *one = tcase_create("one");
    tcase_add_test(one, put_tells_the_id);
    tcase_add_test(one, put_rounds_up_and_has_a_least_ttr);
    tcase_add_test(one, bad_puts_are_refused_here);
    tcase_add_loop_test(one, put_refused_says_why, 0, COUNT_OF(put_refusals));
    tcase_add_test(one, call_gives_the_json_as_it_is);
    tcase_add_loop_test(one, call_refused_says_why, 0, COUNT_OF(call_refusals));
    tcase_add_test(one, peek_gives_the_body);
    tcase_add_test(one, answers_byte_by_byte_are_put_together);
    tcase_add_test(one, a_large_answer_arrives_whole);
    suite_add_tcase(suite, one);

    TCase *broken = tcase_create("broken");
    tcase_add_loop_test(broken, a_server_that_closes_is_noticed, 0, COUNT_OF(cut_short));
    tcase_add_test(broken, a_server_that_is_gone_raises_no_signal);
    tcase_add_test(broken, what_was_answered_before_the_end_is_read);
    suite_add_tcase(suite, broken);

    TCase *times = tcase_create("time");
    tcase_add_test(times, an_answer_that_comes_late_is_skipped);
    tcase_add_test(times, a_late_use_is_not_believed);
    tcase_add_test(times, a_readable_descriptor_interrupts);
    suite_add_tcase(suite, times);

    return unit_main(suite);
}
