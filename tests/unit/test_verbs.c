// SPDX-License-Identifier: MIT
/*
 * The beanstalk verbs, byte for byte, through real sockets and with the real broker: what is
 * reserved and given back, who waits and what ends the wait, tubes, kicks, statistics. Time is
 * virtual where it matters, and what a daemon's housekeeping does is done by the test (due).
 */
#include "base/clock.h"
#include "blocking.h"
#include "served.h"
#include "unit.h"

#include <hilera/thread.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* ---- byte for byte ---- */

static const struct served_exchange reserving[] = {
    {"reserve-with-timeout 0\r\n", "TIMED_OUT\r\n"},
    {"reserve-with-timeout 0 junk\r\n", "TIMED_OUT\r\n"},
    {"reserve-with-timeout\r\n", "BAD_FORMAT\r\n"},
    {"reserve-with-timeout \r\n", "BAD_FORMAT\r\n"},
    {"reserve-with-timeout -1\r\n", "BAD_FORMAT\r\n"},
    {"reserve-with-timeout 2147483648\r\n", "BAD_FORMAT\r\n"},
    {"reserve \r\n", "BAD_FORMAT\r\n"},
    {"reserve-job\r\n", "BAD_FORMAT\r\n"},
    {"reserve-job x\r\n", "BAD_FORMAT\r\n"},
    {"reserve-job 1\r\n", "NOT_FOUND\r\n"},
    {"put 5 0 60 1\r\na\r\n", "INSERTED 1\r\n"},
    {"put 4 0 60 1\r\nb\r\n", "INSERTED 2\r\n"},
    {"put 5 0 60 0\r\n\r\n", "INSERTED 3\r\n"},
    {"reserve\r\n", "RESERVED 2 1\r\nb\r\n"},
    {"reserve-with-timeout 10\r\n", "RESERVED 1 1\r\na\r\n"},
    {"reserve-job 1\r\n", "NOT_FOUND\r\n"},
    {"reserve-job 3\r\n", "RESERVED 3 0\r\n\r\n"},
    {"reserve-with-timeout 0\r\n", "TIMED_OUT\r\n"},
    {"touch 1\r\n", "TOUCHED\r\n"},
    {"touch 9\r\n", "NOT_FOUND\r\n"},
    {"touch\r\n", "UNKNOWN_COMMAND\r\n"},
    {"touch 1 \r\n", "BAD_FORMAT\r\n"},
    {"release 2 9 0\r\n", "RELEASED\r\n"},
    {"release 2 9 0\r\n", "NOT_FOUND\r\n"},
    {"release 1 5 100\r\n", "RELEASED\r\n"},
    {"release 3 5\r\n", "BAD_FORMAT\r\n"},
    {"bury 3 7\r\n", "BURIED\r\n"},
    {"bury 3 7\r\n", "NOT_FOUND\r\n"},
    {"bury 3\r\n", "BAD_FORMAT\r\n"},
    {"touch 3\r\n", "NOT_FOUND\r\n"},
    {"peek-ready\r\n", "FOUND 2 1\r\nb\r\n"},
    {"peek-delayed\r\n", "FOUND 1 1\r\na\r\n"},
    {"peek-buried\r\n", "FOUND 3 0\r\n\r\n"},
    {"peek-buried x\r\n", "BAD_FORMAT\r\n"},
    {"kick 0\r\n", "KICKED 0\r\n"},
    {"kick 5x\r\n", "KICKED 1\r\n"},
    {"peek-buried\r\n", "NOT_FOUND\r\n"},
    {"kick  -1\r\n", "KICKED 1\r\n"},
    {"kick \t+4294967296\r\n", "KICKED 0\r\n"},
    {"kick - 1\r\n", "BAD_FORMAT\r\n"},
    {"kick 18446744073709551616\r\n", "BAD_FORMAT\r\n"},
    {"kick x\r\n", "BAD_FORMAT\r\n"},
    {"kick\r\n", "UNKNOWN_COMMAND\r\n"},
    {"kick-job 1\r\n", "NOT_FOUND\r\n"},
    {"kick-job x\r\n", "BAD_FORMAT\r\n"},
    {"reserve\r\nreserve\r\nreserve\r\n",
     "RESERVED 1 1\r\na\r\nRESERVED 3 0\r\n\r\nRESERVED 2 1\r\nb\r\n"},
    {"bury 1 0\r\nkick-job 1\r\nreserve-job 1\r\n", "BURIED\r\nKICKED\r\nRESERVED 1 1\r\na\r\n"},
    {"release 1 0 50\r\nreserve-job 1\r\n", "RELEASED\r\nRESERVED 1 1\r\na\r\n"},
    {"delete 1\r\ndelete 2\r\ndelete 3\r\ndelete 3\r\n",
     "DELETED\r\nDELETED\r\nDELETED\r\nNOT_FOUND\r\n"},
    {"put 0 0 0 1\r\nabcpeek-ready\r\n", "EXPECTED_CRLF\r\nNOT_FOUND\r\n"},
    {"put 0 0 0 1\r\na\r\ndelete 5\r\n", "INSERTED 5\r\nDELETED\r\n"},
};

static const struct served_exchange tubes[] = {
    {"list-tube-used\r\n", "USING default\r\n"},
    {"list-tube-used \r\n", "BAD_FORMAT\r\n"},
    {"list-tubes\r\n", "OK 14\r\n---\n- default\n\r\n"},
    {"list-tubes-watched\r\n", "OK 14\r\n---\n- default\n\r\n"},
    {"list-tubes-json\r\n", "BAD_FORMAT\r\n"},
    {"ignore default\r\n", "NOT_IGNORED\r\n"},
    {"ignore never\r\n", "WATCHING 1\r\n"},
    {"watch a\r\n", "WATCHING 2\r\n"},
    {"watch a\r\n", "WATCHING 2\r\n"},
    {"watch b\r\n", "WATCHING 3\r\n"},
    {"watch -b\r\n", "BAD_FORMAT\r\n"},
    {"watch \r\n", "BAD_FORMAT\r\n"},
    {"watch\r\n", "UNKNOWN_COMMAND\r\n"},
    {"use c\r\n", "USING c\r\n"},
    {"list-tube-used\r\n", "USING c\r\n"},
    {"list-tubes\r\n", "OK 26\r\n---\n- default\n- a\n- b\n- c\n\r\n"},
    {"list-tubes-watched\r\n", "OK 22\r\n---\n- default\n- a\n- b\n\r\n"},
    {"ignore default\r\n", "WATCHING 2\r\n"},
    {"list-tubes-watched\r\n", "OK 12\r\n---\n- b\n- a\n\r\n"},
    {"ignore b\r\nignore a\r\n", "WATCHING 1\r\nNOT_IGNORED\r\n"},
    {"list-tubes\r\n", "OK 22\r\n---\n- default\n- a\n- c\n\r\n"},
    {"pause-tube a 10\r\n", "PAUSED\r\n"},
    {"pause-tubea 10\r\n", "PAUSED\r\n"},
    {"pause-tube b 10\r\n", "NOT_FOUND\r\n"},
    {"pause-tube a\r\n", "BAD_FORMAT\r\n"},
    {"pause-tube a 1 \r\n", "BAD_FORMAT\r\n"},
    {"pause-tube\r\n", "BAD_FORMAT\r\n"},
    {"use a\r\nput 0 0 9 1\r\nx\r\n", "USING a\r\nINSERTED 1\r\n"},
    {"reserve-with-timeout 0\r\n", "TIMED_OUT\r\n"},
    {"peek-ready\r\n", "FOUND 1 1\r\nx\r\n"},
    {"stats-tube a\r\n",
     "OK 263\r\n---\nname: \"a\"\ncurrent-jobs-urgent: 1\ncurrent-jobs-ready: 1\n"
     "current-jobs-reserved: 0\ncurrent-jobs-delayed: 0\ncurrent-jobs-buried: 0\ntotal-jobs: 1\n"
     "current-using: 1\ncurrent-watching: 1\ncurrent-waiting: 0\ncmd-delete: 0\n"
     "cmd-pause-tube: 2\npause: 10\npause-time-left: 10\n\r\n"},
    {"pause-tube   a  0\r\n", "PAUSED\r\n"},
    {"reserve\r\ndelete 1\r\n", "RESERVED 1 1\r\nx\r\nDELETED\r\n"},
    {"stats-tube a\r\n",
     "OK 261\r\n---\nname: \"a\"\ncurrent-jobs-urgent: 0\ncurrent-jobs-ready: 0\n"
     "current-jobs-reserved: 0\ncurrent-jobs-delayed: 0\ncurrent-jobs-buried: 0\ntotal-jobs: 1\n"
     "current-using: 1\ncurrent-watching: 1\ncurrent-waiting: 0\ncmd-delete: 1\n"
     "cmd-pause-tube: 3\npause: 0\npause-time-left: 0\n\r\n"},
    {"stats-tube b\r\n", "NOT_FOUND\r\n"},
    {"stats-tube \r\n", "BAD_FORMAT\r\n"},
    {"stats-json\r\n", "BAD_FORMAT\r\n"},
};

START_TEST(reserving_byte_for_byte)
{
    served_exchange_all(reserving, sizeof(reserving) / sizeof(reserving[0]), _i == 1);
}
END_TEST

START_TEST(tubes_byte_for_byte)
{
    served_exchange_all(tubes, sizeof(tubes) / sizeof(tubes[0]), _i == 1);
}
END_TEST

/* ---- stats ---- */

static const char *const stats_keys[] = {
    "current-jobs-urgent", "current-jobs-ready", "current-jobs-reserved", "current-jobs-delayed",
    "current-jobs-buried", "cmd-put", "cmd-peek", "cmd-peek-ready", "cmd-peek-delayed",
    "cmd-peek-buried", "cmd-reserve", "cmd-reserve-with-timeout", "cmd-delete", "cmd-release",
    "cmd-use", "cmd-watch", "cmd-ignore", "cmd-bury", "cmd-kick", "cmd-touch", "cmd-stats",
    "cmd-stats-job", "cmd-stats-tube", "cmd-list-tubes", "cmd-list-tube-used",
    "cmd-list-tubes-watched", "cmd-pause-tube", "job-timeouts", "total-jobs", "max-job-size",
    "current-tubes", "current-connections", "current-producers", "current-workers",
    "current-waiting", "total-connections", "pid", "version", "rusage-utime", "rusage-stime",
    "uptime", "binlog-oldest-index", "binlog-current-index", "binlog-records-migrated",
    "binlog-records-written", "binlog-max-size", "draining", "id", "hostname", "os", "platform",
    /* from here on our own */
    "cmd-reserve-job", "cmd-reserve-batch", "cmd-reserve-token", "cmd-reserve-job-token",
    "cmd-kick-job", "cmd-quit", "cmd-call", "cmd-hello", "cmd-put-in-tube", "cmd-submit",
    "cmd-delete-token", "cmd-release-token", "cmd-bury-token", "cmd-touch-token", "cmd-move",
    "cmd-clear-tube", "cmd-join", "current-workers-waiting", "current-puts-waiting"};

/* The value of a key in the text, which a test may know. */
static void has(const char *text, const char *line)
{
    ck_assert_msg(strstr(text, line) != NULL, "\"%s\" is not in %s", line, text);
}

START_TEST(stats_have_every_key_in_order)
{
    char line[512], text[4096];
    size_t bytes, used;
    int fd = served_connect(), waiter = served_connect();
    served_ask(fd, "put 9 0 1 1\r\na\r\nput 2000 0 1 1\r\nb\r\nput 0 9 1 1\r\nc\r\n",
               "INSERTED 1\r\nINSERTED 2\r\nINSERTED 3\r\n");
    served_ask(fd, "reserve\r\nwatch w\r\nwatch -\r\n",
               "RESERVED 1 1\r\na\r\nWATCHING 2\r\nBAD_FORMAT\r\n");
    peer_say(waiter, "watch w\r\nignore default\r\nreserve\r\n");
    served_until(waiting, 1);
    served_later(7 * HL_SECOND);
    peer_say(fd, "stats\r\n");
    ck_assert_int_eq(sscanf(peer_line(fd, line, sizeof(line)), "OK %zu", &bytes), 1);
    ck_assert_uint_lt(bytes, sizeof(text));
    peer_read(fd, text, bytes);
    text[bytes] = '\0';
    peer_expect(fd, "\r\n");
    ck_assert_int_eq(strncmp(text, "---\n", 4), 0);
    used = 4;
    for (size_t i = 0; i < sizeof(stats_keys) / sizeof(stats_keys[0]); i++) {
        size_t len = strlen(stats_keys[i]);
        ck_assert_msg(strncmp(text + used, stats_keys[i], len) == 0, "%s is not at: %s",
                      stats_keys[i], text + used);
        ck_assert_int_eq(strncmp(text + used + len, ": ", 2), 0);
        const char *end = strchr(text + used, '\n');
        ck_assert_ptr_nonnull(end);
        used = (size_t)(end - text) + 1;
    }
    ck_assert_uint_eq(used, bytes);
    has(text, "current-jobs-urgent: 1\ncurrent-jobs-ready: 2\ncurrent-jobs-reserved: 0\n"
              "current-jobs-delayed: 1\n");
    has(text, "cmd-put: 3\n");
    has(text, "cmd-reserve: 2\n");
    has(text, "cmd-watch: 2\n");
    has(text, "cmd-stats: 1\n");
    has(text, "job-timeouts: 1\ntotal-jobs: 3\nmax-job-size: 65535\ncurrent-tubes: 2\n"
              "current-connections: 2\ncurrent-producers: 1\ncurrent-workers: 2\n"
              "current-waiting: 1\ntotal-connections: 2\n");
    has(text, "uptime: 7\n");
    has(text, "draining: false\n");
    peer_close(&fd);
    peer_close(&waiter);
}
END_TEST

/* ---- waiting ---- */

START_TEST(a_put_answers_who_waits_first)
{
    int first = served_connect(), second = served_connect(), putter = served_connect();
    peer_say(first, "reserve\r\nlist-tube-used\r\n");
    served_until(waiting, 1);
    peer_say(second, "reserve-with-timeout 100\r\nlist-tube-used\r\n");
    served_until(waiting, 2);
    served_ask(putter, "put 0 0 60 1\r\na\r\n", "INSERTED 1\r\n");
    peer_expect(first, "RESERVED 1 1\r\na\r\nUSING default\r\n");
    served_until(waiting, 1);
    served_ask(putter, "put 0 0 60 1\r\nb\r\n", "INSERTED 2\r\n");
    peer_expect(second, "RESERVED 2 1\r\nb\r\nUSING default\r\n");
    served_ask(second, "delete 1\r\ndelete 2\r\n", "NOT_FOUND\r\nDELETED\r\n");
    served_ask(first, "delete 1\r\n", "DELETED\r\n");
    peer_close(&first);
    peer_close(&second);
    peer_close(&putter);
}
END_TEST

START_TEST(waits_end_in_time)
{
    int fd = served_connect();
    peer_say(fd, "reserve-with-timeout 3\r\n");
    served_until(waiting, 1);
    served_later(3 * HL_SECOND - 1);
    ck_assert_uint_eq(served_stats().waiting, 1);
    served_later(1);
    peer_expect(fd, "TIMED_OUT\r\n");
    served_ask(fd, "put 0 0 5 1\r\na\r\nreserve\r\n", "INSERTED 1\r\nRESERVED 1 1\r\na\r\n");
    peer_say(fd, "reserve\r\n");
    served_until(waiting, 1);
    served_later(4 * HL_SECOND);
    peer_expect(fd, "DEADLINE_SOON\r\n");
    served_ask(fd, "reserve-with-timeout 0\r\n", "DEADLINE_SOON\r\n");
    served_ask(fd, "touch 1\r\nreserve-with-timeout 0\r\n", "TOUCHED\r\nTIMED_OUT\r\n");
    peer_say(fd, "reserve-with-timeout 100\r\n");
    served_until(waiting, 1);
    served_later(5 * HL_SECOND);
    peer_expect(fd, "DEADLINE_SOON\r\n");
    served_later(0);
    served_ask(fd, "touch 1\r\nrelease 1 0 0\r\nbury 1 0\r\n",
               "NOT_FOUND\r\nNOT_FOUND\r\nNOT_FOUND\r\n");
    served_ask(fd, "reserve\r\n", "RESERVED 1 1\r\na\r\n");
    peer_close(&fd);
}
END_TEST

START_TEST(a_pause_and_its_end)
{
    int fd = served_connect(), other = served_connect();
    served_ask(other, "put 0 0 60 1\r\na\r\npause-tube default 10\r\n", "INSERTED 1\r\nPAUSED\r\n");
    peer_say(fd, "reserve\r\n");
    served_until(waiting, 1);
    served_ask(other, "peek-ready\r\nreserve-with-timeout 0\r\n",
               "FOUND 1 1\r\na\r\nTIMED_OUT\r\n");
    served_later(10 * HL_SECOND);
    peer_expect(fd, "RESERVED 1 1\r\na\r\n");
    peer_close(&fd);
    served_until(count[JOB_READY], 1);
    served_ask(other, "pause-tube default 10\r\nreserve-job 1\r\n",
               "PAUSED\r\nRESERVED 1 1\r\na\r\n");
    peer_close(&other);
}
END_TEST

START_TEST(half_close_ends_a_wait)
{
    int fd = served_connect();
    peer_say(fd, "reserve\r\npeek 9\r\nreserve\r\nreserve-with-timeout 1000\r\npeek 9\r\n");
    served_until(waiting, 1);
    shutdown(fd, SHUT_WR);
    peer_expect(fd, "TIMED_OUT\r\nNOT_FOUND\r\nTIMED_OUT\r\nTIMED_OUT\r\nNOT_FOUND\r\n");
    peer_expect_eof(fd);
    peer_close(&fd);
    served_until(waiting, 0);
}
END_TEST

START_TEST(leaving_gives_back)
{
    int putter = served_connect(), fd = served_connect();
    served_ask(putter, "put 0 0 60 1\r\na\r\nput 0 0 60 1\r\nb\r\nput 0 0 60 1\r\nc\r\n",
               "INSERTED 1\r\nINSERTED 2\r\nINSERTED 3\r\n");
    served_ask(
        fd, "reserve\r\nreserve\r\nreserve\r\nbury 3 0\r\ndelete 2\r\n",
        "RESERVED 1 1\r\na\r\nRESERVED 2 1\r\nb\r\nRESERVED 3 1\r\nc\r\nBURIED\r\nDELETED\r\n");
    served_ask(putter, "delete 1\r\ntouch 1\r\nrelease 1 0 0\r\nreserve-job 1\r\n",
               "NOT_FOUND\r\nNOT_FOUND\r\nNOT_FOUND\r\nNOT_FOUND\r\n");
    peer_say(putter, "reserve\r\n");
    served_until(waiting, 1);
    peer_close(&fd);
    peer_expect(putter, "RESERVED 1 1\r\na\r\n");
    served_ask(putter, "reserve-job 3\r\n", "RESERVED 3 1\r\nc\r\n");
    fd = served_connect();
    peer_say(fd, "reserve\r\n");
    served_until(waiting, 1);
    peer_close(&fd);
    served_until(waiting, 0);
    served_ask(putter, "release 1 0 0\r\npeek-ready\r\n", "RELEASED\r\nFOUND 1 1\r\na\r\n");
    served_ask(putter, "quit\r\n", "");
    peer_expect_eof(putter);
    peer_close(&putter);
    served_until(count[JOB_READY], 2);
}
END_TEST

/* ---- many ---- */

static void put_many(void *arg)
{
    struct tube *tube;
    ck_assert_int_eq(broker_use(served.broker, "default", 7, &tube), 0);
    for (int i = 0; i < *(int *)arg; i++) {
        struct job_body *body;
        uint64_t id;
        const struct broker_put_spec spec = {
            .submitter = JOB_NOBODY, .tube = tube, .ttr_ns = 1000 * HL_SECOND};
        ck_assert_int_eq(job_body_new(&body, 0), 0);
        ck_assert_int_eq(broker_put(served.broker, &spec, &body, &id), 0);
    }
    broker_unuse(served.broker, &tube);
}

/* Jobs are put by one thread while those who wait for them come and go: each job that nobody
 * deleted is ready again in the end. */
START_TEST(leaving_races_with_a_match)
{
    enum { ROUNDS = 200, CROWD = 5 };
    static int count = ROUNDS;
    uint64_t deleted = 0;
    hl_thread *putter;
    const struct hl_thread_options options = {.target = put_many, .arg = &count, .name = "putter"};
    ck_assert_int_eq(hl_thread_new(&putter, &options), 0);
    ck_assert_int_eq(hl_thread_start(putter), 0);
    for (int round = 0; round < ROUNDS; round++) {
        int fds[CROWD];
        for (int i = 0; i < CROWD; i++) {
            fds[i] = served_connect();
            peer_say(fds[i], i % 2 ? "reserve\r\n" : "reserve-with-timeout 50\r\n");
        }
        if (round % 10 == 0) {
            char line[64], text[64];
            uint64_t id;
            peer_line(fds[0], line, sizeof(line));
            ck_assert_int_eq(sscanf(line, "RESERVED %" SCNu64 " 0", &id), 1);
            peer_expect(fds[0], "\r\n");
            snprintf(text, sizeof(text), "delete %" PRIu64 "\r\n", id);
            served_ask(fds[0], text, "DELETED\r\n");
            deleted++;
        }
        for (int i = 0; i < CROWD; i++) {
            if (round % 3 == 0)
                shutdown(fds[i], SHUT_WR);
            peer_close(&fds[i]);
        }
    }
    ck_assert_int_eq(hl_thread_join(putter, HL_FOREVER), 0);
    hl_thread_free(&putter);
    served_until_connections(0);
    struct broker_stats stats = served_stats();
    ck_assert_uint_eq(stats.waiting, 0);
    ck_assert_uint_eq(stats.count[JOB_RESERVED], 0);
    ck_assert_uint_eq(stats.count[JOB_READY], ROUNDS - deleted);
    ck_assert_uint_eq(stats.workers, 0);
}
END_TEST

START_TEST(stopping_ends_waits)
{
    int fds[30];
    for (int i = 0; i < 30; i++) {
        fds[i] = served_connect();
        peer_say(fds[i], i % 2 ? "reserve\r\n" : "reserve-with-timeout 100\r\n");
    }
    served_until(waiting, 30);
    net_stop(served.net, 0);
    ck_assert_uint_eq(served_stats().waiting, 0);
    for (int i = 0; i < 30; i++) {
        peer_expect_eof(fds[i]);
        peer_close(&fds[i]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("verbs");
    TCase *verbs = tcase_create("verbs");
    tcase_add_checked_fixture(verbs, served_setup, served_teardown);
    tcase_add_loop_test(verbs, reserving_byte_for_byte, 0, 2);
    tcase_add_loop_test(verbs, tubes_byte_for_byte, 0, 2);
    tcase_add_test(verbs, stats_have_every_key_in_order);
    tcase_add_test(verbs, a_put_answers_who_waits_first);
    tcase_add_test(verbs, waits_end_in_time);
    tcase_add_test(verbs, a_pause_and_its_end);
    tcase_add_test(verbs, half_close_ends_a_wait);
    tcase_add_test(verbs, leaving_gives_back);
    suite_add_tcase(suite, verbs);

    TCase *many = tcase_create("many");
    tcase_add_checked_fixture(many, served_setup_three, served_down);
    tcase_add_test(many, leaving_races_with_a_match);
    tcase_add_test(many, stopping_ends_waits);
    suite_add_tcase(suite, many);
    return unit_main(suite);
}
