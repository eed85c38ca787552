// SPDX-License-Identifier: MIT
/*
 * What comes between: the turns of a kick or clear of very many jobs, and a job's match and its
 * delivery. There is one loop, halted where it matters (halt.h), so that what happens in which
 * order is the test's choice. While it halts, several sockets become ready; it then handles them in
 * that order, in one turn.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "halt.h"
#include "served.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define MANY ((unsigned)unit_rounds(200000))
#define LOOK_COMMANDS (2 * NET_TURN_COMMANDS + 10)

/* ---- very many jobs ---- */

static void put_many(int64_t delay_ns)
{
    struct broker_tube *tube;
    ck_assert_int_eq(broker_use(served.broker, "default", 7, &tube), 0);
    const struct broker_put_spec spec = {
        .submitter = JOB_NOBODY, .tube = tube, .ttr_ns = HL_SECOND, .delay_ns = delay_ns};
    for (unsigned i = 0; i < MANY; i++) {
        struct job_body *body;
        uint64_t id;
        ck_assert_int_eq(job_body_new(&body, 1), 0);
        body->bytes[0] = 'x';
        ck_assert_int_eq(broker_put(served.broker, &spec, &body, &id), 0);
    }
    broker_unuse(served.broker, &tube);
}

/* The loop halts in the input of that connection, which gets one answer for it. */
static void halt_in(int fd)
{
    halt_next(HALT_INPUT);
    peer_say(fd, "list-tube-used\r\n");
    halt_wait();
}

/* Two turns full of commands, and then how many jobs are ready and delayed; all in one piece. */
static void look_in_the_third_turn(int fd)
{
    struct buf say = BUF_EMPTY;
    for (int i = 0; i < LOOK_COMMANDS; i++)
        ck_assert_int_eq(buf_printf(&say, "list-tube-used\r\n"), 0);
    ck_assert_int_eq(buf_printf(&say, "stats-tube default\r\n"), 0);
    peer_send(fd, say.data, say.len);
    buf_fini(&say);
}

static void read_look(int fd, unsigned *ready, unsigned *delayed)
{
    char line[100];
    for (int i = 0; i < 1 + LOOK_COMMANDS; i++)
        peer_expect(fd, "USING default\r\n");
    do {
        peer_line(fd, line, sizeof(line));
        (void)sscanf(line, "current-jobs-ready: %u", ready);
        (void)sscanf(line, "current-jobs-delayed: %u", delayed);
    } while (strncmp(line, "pause-time-left", 15) != 0);
    peer_expect(fd, "\r\n");
}

static unsigned count_in(int fd, const char *word)
{
    char line[100];
    size_t len = strlen(word);
    ck_assert_int_eq(strncmp(peer_line(fd, line, sizeof(line)), word, len), 0);
    return (unsigned)strtoul(line + len, NULL, 10);
}

START_TEST(others_are_served_during_a_kick)
{
    unsigned ready = 0, delayed = 0;
    int kicker = served_connect(), other = served_connect();
    put_many(HL_SECOND);
    halt_in(other);
    peer_say(kicker, "kick 4294967295\r\nlist-tube-used\r\n");
    look_in_the_third_turn(other);
    halt_end();
    read_look(other, &ready, &delayed);
    ck_assert_uint_gt(ready, 0);          /* it had begun, */
    ck_assert_uint_gt(delayed, MANY / 2); /* and a few slices were between that and the answer */
    ck_assert_uint_eq(ready + delayed, MANY);
    ck_assert_uint_eq(count_in(kicker, "KICKED "), MANY);
    peer_expect(kicker, "USING default\r\n"); /* what stood behind it */
    ck_assert_uint_eq(served_stats().ready, MANY);
    peer_close(&kicker);
    peer_close(&other);
}
END_TEST

START_TEST(others_are_served_during_a_clear)
{
    unsigned ready = 0, delayed = 0;
    int clearer = served_connect(), other = served_connect();
    put_many(0);
    halt_in(other);
    peer_say(clearer, "clear-tube default\r\n");
    look_in_the_third_turn(other);
    halt_end();
    read_look(other, &ready, &delayed);
    ck_assert_uint_gt(ready, MANY / 2);
    ck_assert_uint_lt(ready, MANY);
    /* What comes meanwhile may take the place of another, but isn't counted beside it. */
    peer_say(other, "put 0 0 1 1\r\nx\r\n");
    ck_assert_uint_gt(count_in(other, "INSERTED "), MANY);
    ck_assert_uint_eq(count_in(clearer, "CLEARED "), MANY);
    ck_assert_uint_eq(served_stats().ready, 1);
    peer_close(&clearer);
    peer_close(&other);
}
END_TEST

/* The loop has read the kick, and halts before its second turn is over. */
static int halt_in_a_kick(int kicker)
{
    int other = served_connect();
    halt_in(other);
    peer_say(kicker, "list-tube-used\r\nkick 4294967295\r\n");
    halt_next(HALT_OPEN);
    int last = served_connect();
    halt_end();
    halt_wait();
    uint64_t ready = served_stats().ready;
    ck_assert_uint_gt(ready, 0);
    ck_assert_uint_lt(ready, MANY / 2);
    peer_close(&other);
    return last;
}

START_TEST(who_goes_ends_a_kick)
{
    int kicker = served_connect();
    put_many(HL_SECOND);
    int last = halt_in_a_kick(kicker);
    peer_close(&kicker); /* an answer unread: the other end sees a reset */
    halt_end();
    served_until_connections(1);
    struct broker_stats stats = served_stats();
    ck_assert_uint_lt(stats.ready, MANY / 2);
    ck_assert_uint_eq(stats.ready + stats.delayed, MANY);
    peer_close(&last);
}
END_TEST

START_TEST(who_sends_no_more_gets_the_answer)
{
    int kicker = served_connect();
    put_many(HL_SECOND);
    int last = halt_in_a_kick(kicker);
    ck_assert_int_eq(shutdown(kicker, SHUT_WR), 0);
    halt_end();
    peer_expect(kicker, "USING default\r\n");
    ck_assert_uint_eq(count_in(kicker, "KICKED "), MANY);
    peer_expect_eof(kicker);
    peer_close(&kicker);
    peer_close(&last);
}
END_TEST

START_TEST(stopping_ends_a_kick)
{
    int kicker = served_connect();
    put_many(HL_SECOND);
    int last = halt_in_a_kick(kicker);
    halt_end(); /* the fixture goes down now */
    peer_close(&kicker);
    peer_close(&last);
}
END_TEST

/* ---- between match and delivery ---- */

/*
 * A reserve waits. In one turn the loop sees, in this order, a new connection, where it halts, and
 * that the waiting client sends no more. While it halts, a job is matched to the reserve, and its
 * lease runs out before the loop has delivered it. So the hang-up comes when a job is on its way,
 * and the delivery finds none: the reserve would wait again, for a client that will say nothing.
 */
START_TEST(a_hangup_between_match_and_delivery_ends_the_wait)
{
    int waiter = served_connect(), other = served_connect(), last;
    peer_say(waiter, "reserve\r\n");
    served_until(waiting, 1);
    halt_in(other);
    halt_next(HALT_OPEN);
    last = served_connect();
    ck_assert_int_eq(shutdown(waiter, SHUT_WR), 0);
    halt_end();
    peer_expect(other, "USING default\r\n");
    halt_wait();

    struct broker_tube *tube;
    struct job_body *body;
    uint64_t id;
    ck_assert_int_eq(broker_use(served.broker, "default", 7, &tube), 0);
    const struct broker_put_spec spec = {
        .submitter = JOB_NOBODY, .tube = tube, .ttr_ns = HL_SECOND};
    ck_assert_int_eq(job_body_new(&body, 0), 0);
    ck_assert_int_eq(broker_put(served.broker, &spec, &body, &id), 0);
    broker_unuse(served.broker, &tube);
    ck_assert_uint_eq(served_stats().reserved, 1);
    ck_assert_int_eq(broker_pause(served.broker, "default", 7, 100 * HL_SECOND), 0);
    served_later(HL_SECOND);
    ck_assert_uint_eq(served_stats().ready, 1);
    halt_end();

    peer_expect(waiter, "TIMED_OUT\r\n");
    peer_expect_eof(waiter);
    served_until(waiting, 0);
    peer_close(&waiter);
    peer_close(&other);
    peer_close(&last);
}
END_TEST

static TCase *case_of(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, served_setup, served_teardown);
    tcase_set_timeout(tcase, 60);
    suite_add_tcase(suite, tcase);
    return tcase;
}

int main(void)
{
    Suite *suite = suite_create("turns");
    TCase *many = case_of(suite, "very many jobs");
    tcase_add_test(many, others_are_served_during_a_kick);
    tcase_add_test(many, others_are_served_during_a_clear);
    tcase_add_test(many, who_goes_ends_a_kick);
    tcase_add_test(many, who_sends_no_more_gets_the_answer);
    tcase_add_test(many, stopping_ends_a_kick);
    TCase *match = case_of(suite, "between match and delivery");
    tcase_add_test(match, a_hangup_between_match_and_delivery_ends_the_wait);
    return unit_main(suite);
}
