// SPDX-License-Identifier: MIT
/*
 * Answers that come later: join, puts that wait for room, reserve-batch, and one line for worker
 * threads and connections. What ends each wait: what it is for, time, a half-close, the connection,
 * draining, the stop. (reserve itself is in test_verbs.c.)
 */
#include "base/clock.h"
#include "blocking.h"
#include "front/front_priv.h"
#include "front/reserve_priv.h"
#include "front/session_priv.h"
#include "served.h"
#include "unit.h"

#include <hilera/thread.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Room for two jobs, and puts wait. */
static void up_two(void)
{
    served_up(&(struct served_options){.loops = 1, .tube_jobs_max = 2, .put_waits = true});
}

static void up_two_on_three(void)
{
    served_up(&(struct served_options){.loops = 3, .jobs_max = 2, .put_waits = true});
}

/* Until the only loop has handled what other connections sent before: it takes what is there in one
 * go, so it has when it answers for the second time. */
static void settled(int fd)
{
    served_ask(fd, "peek 99999\r\n", "NOT_FOUND\r\n");
    served_ask(fd, "peek 99999\r\n", "NOT_FOUND\r\n");
}

static void put(int fd, int count)
{
    char line[64];
    for (int i = 0; i < count; i++) {
        peer_say(fd, "put 0 0 100 1\r\nx\r\n");
        ck_assert_int_eq(strncmp(peer_line(fd, line, sizeof(line)), "INSERTED ", 9), 0);
    }
}

/* ---- join ---- */

START_TEST(join_answers_when_all_is_finished)
{
    int fd = served_connect(), joiner = served_connect();
    put(fd, 4);
    peer_say(joiner, "join default 100\r\nlist-tube-used\r\n");
    settled(fd);
    (void)served_work("default", JOB_OUTCOME_DONE);
    (void)served_work("default", JOB_OUTCOME_FAILED);
    (void)served_work("default", JOB_OUTCOME_DELETED);
    settled(fd);
    served_ask(fd, "join default 0\r\n", "TIMED_OUT\r\n");
    served_ask(fd, "delete 4\r\n", "DELETED\r\n");
    peer_expect(joiner, "JOINED 1 1 2 0\r\nUSING default\r\n");
    served_ask(fd, "join default 0\r\njoin default 100\r\n",
               "JOINED 1 1 2 0\r\nJOINED 1 1 2 0\r\n");
    served_ask(fd, "kick 1\r\njoin default 0\r\n", "KICKED 1\r\nTIMED_OUT\r\n");
    peer_close(&fd);
    peer_close(&joiner);
}
END_TEST

START_TEST(join_ends_in_time)
{
    int fd = served_connect(), joiner = served_connect();
    put(fd, 1);
    peer_say(joiner, "join default 5\r\nlist-tube-used\r\n");
    settled(fd);
    served_later(5 * HL_SECOND - 1);
    settled(fd);
    served_later(1);
    settled(fd); /* the loop looks after its timers when it is awake */
    peer_expect(joiner, "TIMED_OUT\r\nUSING default\r\n");
    peer_close(&fd);
    peer_close(&joiner);
}
END_TEST

START_TEST(half_close_ends_a_join)
{
    int fd = served_connect(), joiner = served_connect();
    put(fd, 1);
    peer_say(joiner, "join default 100\r\npeek 9\r\njoin default 100\r\njoin other 100\r\n");
    settled(fd);
    shutdown(joiner, SHUT_WR);
    peer_expect(joiner, "TIMED_OUT\r\nNOT_FOUND\r\nTIMED_OUT\r\nJOINED 0 0 0 0\r\n");
    peer_expect_eof(joiner);
    peer_close(&joiner);

    joiner = served_connect();
    peer_say(joiner, "join default 100\r\n");
    settled(fd);
    peer_close(&joiner);
    served_until_connections(1);
    served_ask(fd, "delete 1\r\n", "DELETED\r\n");
    peer_close(&fd);
}
END_TEST

/* Joins of every kind of end at once: the job goes, the time is over, the client leaves. */
START_TEST(joins_race_with_their_ends)
{
    int fd = served_connect();
    for (int round = 0; round < 60; round++) {
        int joiners[8];
        char line[64], text[64];
        uint64_t id;
        peer_say(fd, "put 0 0 100 0\r\n\r\n");
        ck_assert_int_eq(sscanf(peer_line(fd, line, sizeof(line)), "INSERTED %" SCNu64, &id), 1);
        for (int i = 0; i < 8; i++) {
            joiners[i] = served_connect();
            peer_say(joiners[i], i % 2 ? "join default 0\r\njoin default 100\r\n"
                                       : "join default 100\r\npeek 99999\r\n");
        }
        snprintf(text, sizeof(text), "delete %" PRIu64 "\r\n", id);
        peer_say(fd, text);
        for (int i = 0; i < 8; i++) {
            if (i % 4 == 3)
                shutdown(joiners[i], SHUT_WR);
            else if (i % 4 != 0)
                peer_close(&joiners[i]);
        }
        peer_expect(fd, "DELETED\r\n");
        for (int i = 0; i < 8; i += 4) {
            ck_assert_int_eq(strncmp(peer_line(joiners[i], line, sizeof(line)), "JOINED 0 0 ", 11),
                             0);
            peer_expect(joiners[i], "NOT_FOUND\r\n");
            peer_close(&joiners[i]);
            peer_close(&joiners[i + 3]);
        }
    }
    peer_close(&fd);
    served_until_connections(0);
}
END_TEST

START_TEST(stopping_ends_joins)
{
    int fd = served_connect(), joiners[10];
    put(fd, 1);
    for (int i = 0; i < 10; i++) {
        joiners[i] = served_connect();
        peer_say(joiners[i], "join default 100\r\n");
    }
    served_until_connections(11);
    net_stop(served.net, 0);
    for (int i = 0; i < 10; i++) {
        peer_expect_eof(joiners[i]);
        peer_close(&joiners[i]);
    }
    peer_close(&fd);
}
END_TEST

/* ---- puts that wait ---- */

START_TEST(puts_wait_for_room_in_line)
{
    int fd = served_connect(), first = served_connect(), second = served_connect();
    put(fd, 2);
    peer_say(first, "put 7 0 100 1\r\na\r\nlist-tube-used\r\n");
    served_until(putting, 1);
    peer_say(second, "put-in-tube default 0 0 100 1\r\nb\r\nlist-tube-used\r\n");
    served_until(putting, 2);
    served_ask(fd, "stats-tube other\r\n", "NOT_FOUND\r\n");
    /* another tube has room */
    served_ask(fd, "put-in-tube other 0 0 100 1\r\nc\r\n", "INSERTED 3\r\n");
    served_ask(fd, "delete 1\r\n", "DELETED\r\n");
    peer_expect(first, "INSERTED 4\r\nUSING default\r\n");
    served_until(putting, 1);
    served_ask(fd, "delete 2\r\n", "DELETED\r\n");
    peer_expect(second, "INSERTED 5\r\nUSING default\r\n");
    served_ask(fd, "peek 4\r\npeek 5\r\n", "FOUND 4 1\r\na\r\nFOUND 5 1\r\nb\r\n");
    served_ask(fd, "clear-tube other\r\nstats-tube other\r\n", "CLEARED 1\r\nNOT_FOUND\r\n");
    peer_close(&fd);
    peer_close(&first);
    peer_close(&second);
}
END_TEST

START_TEST(who_holds_jobs_may_not_wait)
{
    int fd = served_connect();
    put(fd, 2);
    served_ask(fd, "reserve\r\nput 0 0 100 1\r\nx\r\n", "RESERVED 1 1\r\nx\r\nOUT_OF_MEMORY\r\n");
    served_ask(fd, "delete 1\r\nput 0 0 100 1\r\nx\r\n", "DELETED\r\nINSERTED 4\r\n");
    /* 3 was given to the put that was refused, as beanstalkd does. */
    peer_close(&fd);
}
END_TEST

START_TEST(leaving_ends_the_wait_of_a_put)
{
    int fd = served_connect(), waiter = served_connect(), small = served_connect();
    put(fd, 2);
    peer_say(waiter, "put 0 0 100 1\r\na\r\npeek 9\r\nput-in-tube default 0 0 0 1\r\nb\r\n");
    served_until(putting, 1);
    shutdown(waiter, SHUT_WR);
    peer_expect(waiter, "OUT_OF_MEMORY\r\nNOT_FOUND\r\nOUT_OF_MEMORY\r\n");
    peer_expect_eof(waiter);
    peer_close(&waiter);

    waiter = served_connect();
    peer_say(waiter, "put 0 0 100 1\r\na\r\n");
    served_until(putting, 1);
    peer_say(small, "put-in-tube default 0 0 100 1\r\nb\r\n");
    served_until(putting, 2);
    peer_close(&waiter);
    served_until(putting, 1);
    served_ask(fd, "delete 1\r\n", "DELETED\r\n");
    peer_expect(small, "INSERTED 3\r\n");
    served_ask(fd, "peek 3\r\n", "FOUND 3 1\r\nb\r\n");
    peer_close(&fd);
    peer_close(&small);
}
END_TEST

START_TEST(leaving_ends_every_wait_of_a_batch)
{
    int fd = served_connect(), waiter = served_connect();
    put(fd, 2);
    peer_say(waiter, "put 0 0 100 1\r\na\r\nput 0 0 100 1\r\nb\r\nput 0 0 100 1\r\nc\r\n");
    served_until(putting, 1);
    shutdown(waiter, SHUT_WR);
    peer_expect(waiter, "OUT_OF_MEMORY\r\nOUT_OF_MEMORY\r\nOUT_OF_MEMORY\r\n");
    peer_expect_eof(waiter);
    peer_close(&waiter);
    peer_close(&fd);
}
END_TEST

START_TEST(draining_ends_the_wait_of_puts)
{
    int fd = served_connect(), waiters[5];
    put(fd, 2);
    for (int i = 0; i < 5; i++) {
        waiters[i] = served_connect();
        peer_say(waiters[i], "put 0 0 100 1\r\na\r\npeek 9\r\n");
    }
    served_until(putting, 5);
    broker_drain(served.broker, true);
    for (int i = 0; i < 5; i++) {
        peer_expect(waiters[i], "DRAINING\r\nNOT_FOUND\r\n");
        peer_close(&waiters[i]);
    }
    broker_drain(served.broker, false);
    peer_close(&fd);
}
END_TEST

START_TEST(stopping_ends_the_wait_of_puts)
{
    int fd = served_connect(), waiters[5];
    put(fd, 2);
    for (int i = 0; i < 5; i++) {
        waiters[i] = served_connect();
        peer_say(waiters[i], "put 0 0 100 1\r\na\r\n");
    }
    served_until(putting, 5);
    net_stop(served.net, 0);
    ck_assert_uint_eq(served_stats().putting, 0);
    ck_assert_uint_eq(served_stats().totals.put, 2);
    for (int i = 0; i < 5; i++) {
        peer_expect_eof(waiters[i]);
        peer_close(&waiters[i]);
    }
    peer_close(&fd);
}
END_TEST

/* Takes and finishes jobs until its consumer is stopped. */
static void take_all(void *arg)
{
    struct broker_consumer *consumer = arg;
    struct broker_lease lease;
    struct job_outcome outcome;
    job_outcome_init(&outcome);
    outcome.kind = JOB_OUTCOME_DELETED;
    while (broker_take(consumer, &lease, HL_FOREVER) == 0) {
        ck_assert_int_eq(broker_settle(served.broker, lease.id, lease.token, &outcome), 0);
        broker_lease_fini(&lease);
    }
    job_outcome_fini(&outcome);
}

/* A worker makes room while those who wait for it come, go, and half go: each put that was answered
 * INSERTED was a job, and no job comes of one that was refused. */
START_TEST(waiting_puts_race_with_leaving)
{
    enum { ROUNDS = 100, CROWD = 6 };
    uint64_t answered = 0;
    const char *tube = "default";
    struct broker_consumer *consumer;
    hl_thread *worker;
    ck_assert_int_eq(broker_consumer_new(&consumer, served.broker, "worker", &tube, 1), 0);
    const struct hl_thread_options options = {
        .target = take_all, .arg = consumer, .name = "worker"};
    ck_assert_int_eq(hl_thread_new(&worker, &options), 0);
    ck_assert_int_eq(hl_thread_start(worker), 0);
    for (int round = 0; round < ROUNDS; round++) {
        int fds[CROWD];
        char line[64];
        for (int i = 0; i < CROWD; i++) {
            fds[i] = served_connect();
            peer_say(fds[i], "put 0 0 100 1\r\nx\r\n");
            if (i == 3)
                shutdown(fds[i], SHUT_WR);
            else if (i > 0)
                peer_close(&fds[i]);
        }
        ck_assert_int_eq(strncmp(peer_line(fds[0], line, sizeof(line)), "INSERTED ", 9), 0);
        answered++;
        peer_line(fds[3], line, sizeof(line));
        if (strncmp(line, "INSERTED ", 9) == 0)
            answered++;
        else
            ck_assert_str_eq(line, "OUT_OF_MEMORY");
        peer_close(&fds[0]);
        peer_close(&fds[3]);
    }
    served_until_connections(0);
    broker_consumer_stop(consumer);
    ck_assert_int_eq(hl_thread_join(worker, HL_FOREVER), 0);
    hl_thread_free(&worker);
    broker_consumer_free(&consumer);
    struct broker_stats stats = served_stats();
    ck_assert_uint_eq(stats.putting, 0);
    ck_assert_uint_ge(stats.totals.put, answered);
    ck_assert_uint_eq(stats.totals.put, stats.count[JOB_READY] + stats.totals.deleted);
}
END_TEST

/* ---- batches ---- */

START_TEST(a_batch_is_what_is_there)
{
    int fd = served_connect(), other = served_connect();
    served_ask(fd, "put 5 0 9 1\r\na\r\nput 3 0 9 2\r\nbb\r\nput 4 0 9 0\r\n\r\n",
               "INSERTED 1\r\nINSERTED 2\r\nINSERTED 3\r\n");
    served_ask(fd, "reserve-batch 2 100\r\n",
               "RESERVED_BATCH 2\r\nRESERVED 2 2\r\nbb\r\nRESERVED 3 0\r\n\r\n");
    served_ask(fd, "reserve-batch 2 100\r\n", "RESERVED_BATCH 1\r\nRESERVED 1 1\r\na\r\n");
    served_ask(fd, "reserve-batch 2 0\r\n", "TIMED_OUT\r\n");
    peer_say(fd, "reserve-batch 1000 100\r\nlist-tube-used\r\n");
    served_until(waiting, 1);
    served_ask(other, "put 0 0 9 1\r\nd\r\nput 0 0 9 1\r\ne\r\n", "INSERTED 4\r\nINSERTED 5\r\n");
    /* the second may be there when the batch is filled, or come later */
    peer_expect(fd, "RESERVED_BATCH ");
    char line[16];
    peer_line(fd, line, sizeof(line));
    peer_expect(fd, "RESERVED 4 1\r\nd\r\n");
    if (strcmp(line, "2") == 0)
        peer_expect(fd, "RESERVED 5 1\r\ne\r\n");
    else
        ck_assert_str_eq(line, "1");
    peer_expect(fd, "USING default\r\n");
    served_ask(other, "delete 5\r\n", strcmp(line, "2") == 0 ? "NOT_FOUND\r\n" : "DELETED\r\n");
    peer_say(fd, "reserve-batch 9 100\r\n");
    served_until(waiting, 1);
    served_later(8 * HL_SECOND);
    peer_expect(fd, "DEADLINE_SOON\r\n");
    served_ask(fd, "reserve-batch 9 0\r\n", "DEADLINE_SOON\r\n");
    served_ask(fd, "delete 1\r\ndelete 2\r\ndelete 3\r\ndelete 4\r\n",
               "DELETED\r\nDELETED\r\nDELETED\r\nDELETED\r\n");
    if (strcmp(line, "2") == 0)
        served_ask(fd, "delete 5\r\n", "DELETED\r\n");
    peer_say(fd, "reserve-batch 9 5\r\n");
    served_until(waiting, 1);
    served_later(5 * HL_SECOND);
    peer_expect(fd, "TIMED_OUT\r\n");
    peer_say(fd, "reserve-batch 9 5\r\n");
    served_until(waiting, 1);
    shutdown(fd, SHUT_WR);
    peer_expect(fd, "TIMED_OUT\r\n");
    peer_expect_eof(fd);
    peer_close(&fd);
    peer_close(&other);
}
END_TEST

/* Puts `count` jobs with bodies of `len` bytes, each of one letter by its id. */
static void put_bodies(int count, size_t len)
{
    struct tube *tube;
    ck_assert_int_eq(broker_use(served.broker, "default", 7, &tube), 0);
    for (int i = 0; i < count; i++) {
        struct job_body *body;
        uint64_t id;
        const struct broker_put_spec spec = {
            .submitter = JOB_NOBODY, .tube = tube, .ttr_ns = 1000 * HL_SECOND};
        ck_assert_int_eq(job_body_new(&body, len), 0);
        memset(body->bytes, 'a' + (int)(served_stats().totals.put % 26), len);
        ck_assert_int_eq(broker_put(served.broker, &spec, &body, &id), 0);
    }
    broker_unuse(served.broker, &tube);
}

/* Reads a batch whose jobs follow job `*last` in order; how many they are. */
static int read_batch(int fd, uint64_t *last, size_t len)
{
    char line[64];
    int count;
    char *body = malloc(len + 1);
    ck_assert_ptr_nonnull(body);
    ck_assert_int_eq(sscanf(peer_line(fd, line, sizeof(line)), "RESERVED_BATCH %d", &count), 1);
    for (int i = 0; i < count; i++) {
        uint64_t id;
        size_t bytes;
        ck_assert_int_eq(
            sscanf(peer_line(fd, line, sizeof(line)), "RESERVED %" SCNu64 " %zu", &id, &bytes), 2);
        ck_assert_uint_eq(id, ++*last);
        ck_assert_uint_eq(bytes, len);
        peer_read(fd, body, len);
        ck_assert(len == 0 || body[len - 1] == (char)('a' + (id - 1) % 26));
        peer_expect(fd, "\r\n");
    }
    free(body);
    return count;
}

START_TEST(a_batch_is_bounded)
{
    int fd = served_connect();
    uint64_t last = 0;
    put_bodies(FRONT_BATCH_MAX + 500, 3);
    peer_say(fd, "reserve-batch 4294967295 0\r\n");
    ck_assert_int_eq(read_batch(fd, &last, 3), FRONT_BATCH_MAX);
    peer_say(fd, "reserve-batch 4294967295 0\r\n");
    ck_assert_int_eq(read_batch(fd, &last, 3), 500);

    enum { LARGE = 60, BODY = 60000 };
    put_bodies(LARGE, BODY);
    int left = LARGE;
    while (left > 0) {
        peer_say(fd, "reserve-batch 1000 0\r\n");
        int count = read_batch(fd, &last, BODY);
        /* no fewer than fit, and no more than a step beyond */
        ck_assert_int_ge(count, left < 5 ? left : 5);
        ck_assert_int_le(count, 5 + 16);
        left -= count;
    }
    served_ask(fd, "reserve-batch 1000 0\r\n", "TIMED_OUT\r\n");
    peer_close(&fd);
}
END_TEST

/* ---- one line ---- */

struct taker {
    struct broker_consumer *consumer;
    uint64_t id;
};

static void take_one(void *arg)
{
    struct taker *taker = arg;
    struct broker_lease lease;
    struct job_outcome outcome;
    ck_assert_int_eq(broker_take(taker->consumer, &lease, 20 * HL_SECOND), 0);
    taker->id = lease.id;
    job_outcome_init(&outcome);
    outcome.kind = JOB_OUTCOME_DELETED;
    ck_assert_int_eq(broker_settle(served.broker, lease.id, lease.token, &outcome), 0);
    job_outcome_fini(&outcome);
    broker_lease_fini(&lease);
}

/* Threads and connections take turns in standing in line; who came first gets the first job. */
START_TEST(threads_and_connections_stand_in_one_line)
{
    enum { PAIRS = 6 };
    int fds[PAIRS], putter = served_connect();
    struct taker takers[PAIRS];
    hl_thread *threads[PAIRS];
    const char *tube = "default";
    char text[128];
    for (unsigned i = 0; i < PAIRS; i++) {
        const struct hl_thread_options options = {
            .target = take_one, .arg = &takers[i], .name = "taker"};
        fds[i] = served_connect();
        peer_say(fds[i], i % 2 ? "reserve\r\n" : "reserve-batch 1 100\r\n");
        served_until(waiting, 2 * i + 1);
        ck_assert_int_eq(broker_consumer_new(&takers[i].consumer, served.broker, "taker", &tube, 1),
                         0);
        ck_assert_int_eq(hl_thread_new(&threads[i], &options), 0);
        ck_assert_int_eq(hl_thread_start(threads[i]), 0);
        served_until(waiting, 2 * i + 2);
    }
    /* in stats, those of connections only */
    ck_assert_uint_eq(served_stats().waiting_consumers, PAIRS);
    peer_say(putter, "stats-tube default\r\n");
    for (int i = 0; i < 12; i++)
        peer_line(putter, text, sizeof(text));
    ck_assert_str_eq(text, "current-waiting: 6");
    peer_expect(putter, "cmd-delete: 0\ncmd-pause-tube: 0\npause: 0\npause-time-left: 0\n\r\n");
    put(putter, 2 * PAIRS);
    for (unsigned i = 0; i < PAIRS; i++) {
        snprintf(text, sizeof(text), "%sRESERVED %u 1\r\nx\r\n",
                 i % 2 ? "" : "RESERVED_BATCH 1\r\n", 2 * i + 1);
        peer_expect(fds[i], text);
        ck_assert_int_eq(hl_thread_join(threads[i], HL_FOREVER), 0);
        ck_assert_uint_eq(takers[i].id, 2 * i + 2);
        hl_thread_free(&threads[i]);
        broker_consumer_free(&takers[i].consumer);
        peer_close(&fds[i]);
    }
    peer_close(&putter);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pending");
    TCase *join = tcase_create("join");
    tcase_add_checked_fixture(join, served_setup, served_teardown);
    tcase_add_test(join, join_answers_when_all_is_finished);
    tcase_add_test(join, join_ends_in_time);
    tcase_add_test(join, half_close_ends_a_join);
    suite_add_tcase(suite, join);

    TCase *batch = tcase_create("batch");
    tcase_add_checked_fixture(batch, served_setup, served_teardown);
    tcase_add_test(batch, a_batch_is_what_is_there);
    tcase_add_test(batch, a_batch_is_bounded);
    suite_add_tcase(suite, batch);

    TCase *puts = tcase_create("puts");
    tcase_add_checked_fixture(puts, up_two, served_down);
    tcase_add_test(puts, puts_wait_for_room_in_line);
    tcase_add_test(puts, who_holds_jobs_may_not_wait);
    tcase_add_test(puts, leaving_ends_the_wait_of_a_put);
    tcase_add_test(puts, leaving_ends_every_wait_of_a_batch);
    tcase_add_test(puts, draining_ends_the_wait_of_puts);
    tcase_add_test(puts, stopping_ends_the_wait_of_puts);
    suite_add_tcase(suite, puts);

    TCase *many = tcase_create("many");
    tcase_add_checked_fixture(many, served_setup_three, served_down);
    tcase_add_test(many, joins_race_with_their_ends);
    tcase_add_test(many, stopping_ends_joins);
    tcase_add_test(many, threads_and_connections_stand_in_one_line);
    suite_add_tcase(suite, many);

    TCase *full = tcase_create("full");
    tcase_add_checked_fixture(full, up_two_on_three, served_down);
    tcase_add_test(full, waiting_puts_race_with_leaving);
    suite_add_tcase(suite, full);
    return unit_main(suite);
}
