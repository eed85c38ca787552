// SPDX-License-Identifier: MIT
// Many requests at a time: the pipeline of the client library and put_many, against a server that
// plays a script.

#include "scripted.h"
#include "unit.h"

#include <hilera/client.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

static const struct hl_client_put hello = {.tube = "mail",
                                           .priority = 7,
                                           .delay_ns = 1,
                                           .ttr_ns = 90 * HL_SECOND,
                                           .body = "hello",
                                           .len = 5};
static const struct hl_client_put plain = {.body = "x", .len = 1};

START_TEST(pipelined_requests_are_answered_in_order)
{
    static const struct scripted_step steps[] = {
        EXPECT("use mail\r\n"),
        SEND("USING mail\r\n"),
        EXPECT("put 7 1 90 5\r\nhello\r\ncall ping 2\r\n{}\r\nput 7 1 90 5\r\nhello\r\n"
               "call show 2\r\n{}\r\n"),
        SEND("INSERTED 1\r\nOK 2\r\n{}\r\nDRAINING\r\n"
             "ERROR 34\r\n{\"code\":\"not_found\",\"message\":\"N\"}\r\n"),
        DRAIN,
        END};
    scripted_begin(steps);
    struct hl_client_reply reply;
    ck_assert_int_eq(hl_client_receive(client, &reply, 0), ENODATA);
    ck_assert_int_eq(hl_client_use(client, "mail", PATIENCE), 0);
    ck_assert_int_eq(hl_client_send_put(client, &hello), 0);
    ck_assert_int_eq(hl_client_send_call(client, "ping", NULL), 0);
    ck_assert_int_eq(hl_client_send_put(client, &hello), 0);
    ck_assert_int_eq(hl_client_send_call(client, "show", NULL), 0);
    ck_assert_uint_eq(hl_client_pending(client), 4);
    ck_assert_uint_gt(hl_client_unsent(client), 0);
    uint64_t id = 0;
    ck_assert_int_eq(hl_client_put(client, &hello, PATIENCE, &id), EBUSY);

    ck_assert_int_eq(hl_client_receive(client, &reply, PATIENCE), 0);
    ck_assert(reply.result == 0 && reply.id == 1 && !reply.text);
    ck_assert_int_eq(hl_client_receive(client, &reply, PATIENCE), 0);
    ck_assert(reply.result == 0 && reply.id == 0 && reply.len == 2);
    ck_assert_str_eq(reply.text, "{}");
    ck_assert_int_eq(hl_client_receive(client, &reply, PATIENCE), 0);
    ck_assert(reply.result == EHOSTDOWN && reply.id == 0);
    ck_assert_int_eq(hl_client_receive(client, &reply, PATIENCE), 0);
    ck_assert(reply.result == ENOENT && !reply.text);
    ck_assert_str_eq(hl_client_error(client), "N");
    ck_assert_int_eq(hl_client_receive(client, &reply, PATIENCE), ENODATA);
    scripted_finish();
}
END_TEST

START_TEST(an_event_loop_never_waits_in_the_client)
{
    static const struct scripted_step steps[] = {EXPECT("call ping 2\r\n{}\r\n"),
                                                 TRICKLE("OK 2\r\n{}\r\n"), DRAIN, END};
    scripted_begin(steps);
    struct hl_client_reply reply;
    ck_assert_int_eq(hl_client_send_call(client, "ping", NULL), 0);
    ck_assert_int_eq(hl_client_events(client), POLLIN | POLLOUT);
    int rc;
    while ((rc = hl_client_receive(client, &reply, 0)) == ETIMEDOUT) {
        struct pollfd fd = {.fd = hl_client_fd(client), .events = hl_client_events(client)};
        ck_assert_int_eq(poll(&fd, 1, (int)(PATIENCE / HL_MILLISECOND)), 1);
    }
    ck_assert_int_eq(rc, 0);
    ck_assert_str_eq(reply.text, "{}");
    scripted_finish();
}
END_TEST

START_TEST(put_many_tells_every_id)
{
    static const struct scripted_step steps[] = {EXPECT("put 0 0 1 1\r\nx\r\nput 0 0 1 1\r\nx\r\n"),
                                                 SEND("INSERTED 1\r\nJOB_TOO_BIG\r\n"),
                                                 EXPECT("use mail\r\n"),
                                                 SEND("USING mail\r\n"),
                                                 EXPECT("put 7 1 90 5\r\nhello\r\n"),
                                                 SEND("INSERTED 3\r\n"),
                                                 DRAIN,
                                                 END};
    scripted_begin(steps);
    const struct hl_client_put puts[] = {plain, plain, hello};
    uint64_t ids[] = {7, 7, 7};
    ck_assert_int_eq(hl_client_put_many(client, puts, 3, PATIENCE, ids), EMSGSIZE);
    ck_assert_str_eq(hl_client_error_code(client), "too_big");
    ck_assert(ids[0] == 1 && ids[1] == 0 && ids[2] == 3);
    ck_assert_int_eq(hl_client_put_many(client, puts, 0, PATIENCE, ids), 0);
    scripted_finish();
}
END_TEST

// Far more than the sockets hold, with a server that answers nothing before it has read all of a
// window: neither side may wait for the other.
START_TEST(put_many_keeps_a_window)
{
    enum { WINDOW = 1024, WINDOWS = 20, COUNT = WINDOW * WINDOWS, REQUEST = 16 };
    struct scripted_step steps[2 * WINDOWS + 2];
    for (int i = 0; i < WINDOWS; i++) {
        steps[2 * i] = (struct scripted_step){SCRIPTED_COUNT, NULL, WINDOW * REQUEST};
        steps[2 * i + 1] = (struct scripted_step){SCRIPTED_REPEAT, "INSERTED 77777\r\n", WINDOW};
    }
    steps[2 * WINDOWS] = (struct scripted_step)DRAIN;
    steps[2 * WINDOWS + 1] = (struct scripted_step)END;
    struct hl_client_put *puts = calloc(COUNT, sizeof(*puts));
    uint64_t *ids = calloc(COUNT, sizeof(*ids));
    ck_assert(puts && ids);
    for (int i = 0; i < COUNT; i++)
        puts[i] = plain;
    scripted_begin(steps);
    ck_assert_int_eq(hl_client_put_many(client, puts, COUNT, PATIENCE, ids), 0);
    for (int i = 0; i < COUNT; i++)
        ck_assert_uint_eq(ids[i], 77777);
    scripted_finish();
    free(puts);
    free(ids);
}
END_TEST

START_TEST(put_many_given_up_is_skipped)
{
    static const struct scripted_step steps[] = {EXPECT("put 0 0 1 1\r\nx\r\nput 0 0 1 1\r\nx\r\n"),
                                                 SEND("INSERTED 1\r\n"),
                                                 EXPECT("call ping 2\r\n{}\r\n"),
                                                 SEND("INSERTED 2\r\nOK 2\r\n{}\r\n"),
                                                 DRAIN,
                                                 END};
    scripted_begin(steps);
    const struct hl_client_put puts[] = {plain, plain};
    uint64_t ids[2];
    // The first answer must be there, or the test would say nothing about the second.
    ck_assert_int_eq(hl_client_send_put(client, &plain), 0);
    ck_assert_int_eq(hl_client_send_put(client, &plain), 0);
    struct hl_client_reply reply;
    ck_assert_int_eq(hl_client_receive(client, &reply, PATIENCE), 0);
    ck_assert_int_eq(hl_client_put_many(client, puts, 2, BLINK, ids), EBUSY);
    ck_assert_int_eq(hl_client_receive(client, &reply, BLINK), ETIMEDOUT);
    ck_assert_uint_eq(hl_client_pending(client), 1);
    ck_assert_int_eq(hl_client_send_call(client, "ping", NULL), 0);
    ck_assert_int_eq(hl_client_receive(client, &reply, PATIENCE), 0);
    ck_assert_uint_eq(reply.id, 2);
    ck_assert_int_eq(hl_client_receive(client, &reply, PATIENCE), 0);
    ck_assert_str_eq(reply.text, "{}");
    scripted_finish();
}
END_TEST

START_TEST(too_many_pending_are_refused)
{
    static const struct scripted_step steps[] = {DRAIN, END};
    scripted_begin(steps);
    for (int i = 0; i < HL_CLIENT_PENDING_MAX; i++)
        ck_assert_int_eq(hl_client_send_put(client, &plain), 0);
    ck_assert_int_eq(hl_client_send_put(client, &plain), ENOBUFS);
    ck_assert_uint_eq(hl_client_pending(client), HL_CLIENT_PENDING_MAX);
    scripted_finish();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pipeline");
    TCase *many = tcase_create("many");
    tcase_add_test(many, pipelined_requests_are_answered_in_order);
    tcase_add_test(many, an_event_loop_never_waits_in_the_client);
    tcase_add_test(many, put_many_tells_every_id);
    tcase_add_test(many, put_many_keeps_a_window);
    tcase_add_test(many, put_many_given_up_is_skipped);
    tcase_add_test(many, too_many_pending_are_refused);
    suite_add_tcase(suite, many);

    return unit_main(suite);
}
