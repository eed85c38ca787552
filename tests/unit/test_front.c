// SPDX-License-Identifier: MIT
/*
 * The beanstalk door from outside: byte for byte what is answered, through real sockets, with the
 * real broker behind it. Answers that come later, clients that leave, noise, and many at once.
 */
#include "base/clock.h"
#include "front/front_priv.h"
#include "front/session_priv.h"
#include "front/stranger_priv.h"
#include "served.h"
#include "unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static void up(void)
{
    served_up(&(struct served_options){.loops = 1});
}

static void up_small(void)
{
    served_up(&(struct served_options){.loops = 1, .body_max = 10, .jobs_max = 2});
}

static void up_three(void)
{
    served_up(&(struct served_options){.loops = 3});
}

static int connect_new(void)
{
    return peer_unix(served.path);
}

/* ---- byte for byte ---- */

struct exchange {
    const char *say, *expect;
};

/* One connection after the other says its line and gets its answer, in one piece and then (on a
 * fresh server) byte by byte. */
static void exchange_all(const struct exchange *exchanges, size_t count, bool in_bytes)
{
    int fd = connect_new();
    struct unit_random random = peer_random();
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(exchanges[i].say);
        if (in_bytes)
            peer_send_in_pieces(fd, exchanges[i].say, len, 1, &random);
        else
            peer_send(fd, exchanges[i].say, len);
        peer_expect(fd, exchanges[i].expect);
    }
    peer_close(&fd);
}

#define LETTERS_200                                                                                \
    "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggggggggghhhhhhhhhhiiiiiiiiiijj" \
    "jjj"                                                                                          \
    "jjjjjaaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggggggggghhhhhhhhhhiiiiiii" \
    "iiij"                                                                                         \
    "jjjjjjjjj"

static const struct exchange plain[] = {
    {"put 0 0 10 5\r\nhello\r\n", "INSERTED 1\r\n"},
    {"put 4294967295 0 0 0\r\n\r\n", "INSERTED 2\r\n"},
    {"put 1 100 60 4\r\n\r\n\r\n\r\n", "INSERTED 3\r\n"},
    {"peek 1\r\n", "FOUND 1 5\r\nhello\r\n"},
    {"peek 2\r\n", "FOUND 2 0\r\n\r\n"},
    {"peek 3\r\n", "FOUND 3 4\r\n\r\n\r\n\r\n"},
    {"peek 4\r\n", "NOT_FOUND\r\n"},
    {"peek 0\r\n", "NOT_FOUND\r\n"},
    {"peek 18446744073709551615\r\n", "NOT_FOUND\r\n"},
    {"delete 1\r\n", "DELETED\r\n"},
    {"delete 1\r\n", "NOT_FOUND\r\n"},
    {"peek 1\r\n", "NOT_FOUND\r\n"},
    {"delete 3\r\n", "DELETED\r\n"},
    {"stats-job 1\r\n", "NOT_FOUND\r\n"},
    {"use gzip\r\n", "USING gzip\r\n"},
    {"use " LETTERS_200 "\r\n", "USING " LETTERS_200 "\r\n"},
    {"use " LETTERS_200 "x\r\n", "BAD_FORMAT\r\n"},
    {"use -x\r\n", "BAD_FORMAT\r\n"},
    {"use\r\n", "UNKNOWN_COMMAND\r\n"},
    {"\r\n", "UNKNOWN_COMMAND\r\n"},
    {"reserve x\r\n", "BAD_FORMAT\r\n"},
    {"put 0 0 0 3\r\nabcdepeek 2\r\n", "EXPECTED_CRLF\r\nFOUND 2 0\r\n\r\n"},
    {"put 0 0 0 3 x\r\nabc\r\n", "BAD_FORMAT\r\nUNKNOWN_COMMAND\r\n"},
    {"put 0 0 0\r\nabc\r\n", "BAD_FORMAT\r\nUNKNOWN_COMMAND\r\n"},
    {"stray\rCR\r\npeek 9\r\n", "BAD_FORMAT\r\nNOT_FOUND\r\n"},
    {LETTERS_200 LETTERS_200 "\r\npeek 9\r\n", "BAD_FORMAT\r\nNOT_FOUND\r\n"},
    {"call pong 0\r\n\r\n", "ERROR 89\r\n{\"code\":\"unknown_method\",\"message\":\"there is no "
                            "method \\\"pong\\\"; did you "
                            "mean \\\"ping\\\"?\"}\r\n"},
    {"call ping 3\r\n{}xyzpeek 9\r\n", "EXPECTED_CRLF\r\nNOT_FOUND\r\n"},
    {"call ping 4294967296\r\n", "BAD_FORMAT\r\n"},
};

START_TEST(answers_byte_for_byte)
{
    exchange_all(plain, sizeof(plain) / sizeof(plain[0]), _i == 1);
}
END_TEST

static const struct exchange small[] = {
    {"put 0 0 10 10\r\n0123456789\r\n", "INSERTED 1\r\n"},
    {"put 0 0 10 11\r\n01234567890\r\npeek 7\r\n", "JOB_TOO_BIG\r\nNOT_FOUND\r\n"},
    {"put 0 0 10 11 junk\r\n01234567890\r\npeek 7\r\n", "JOB_TOO_BIG\r\nNOT_FOUND\r\n"},
    {"put 0 0 10 11\r\n0123456789012peek 7\r\n", "JOB_TOO_BIG\r\nNOT_FOUND\r\n"},
    {"put 0 0 10 1\r\nx\r\n", "INSERTED 2\r\n"},
    {"put 0 0 10 1\r\nx\r\n", "OUT_OF_MEMORY\r\n"},
    {"delete 2\r\n", "DELETED\r\n"},
    {"put 0 0 10 1\r\nx\r\n", "INSERTED 4\r\n"}, /* a refusal uses up an id, too */
};

START_TEST(limits_are_told)
{
    exchange_all(small, sizeof(small) / sizeof(small[0]), _i == 1);
}
END_TEST

START_TEST(draining_is_told_after_the_body)
{
    int fd = connect_new();
    broker_drain(served.broker, true);
    peer_say(fd, "put 0 0 0 6\r\npeek 1\r\npeek 2\r\n");
    peer_expect(fd, "DRAINING\r\nNOT_FOUND\r\n");
    peer_say(fd, "put 0 0 0 3\r\nabcdeput 0 0 0 99999999\r\n");
    peer_expect(fd, "EXPECTED_CRLF\r\n");
    broker_drain(served.broker, false);
    peer_close(&fd);
}
END_TEST

START_TEST(stats_job_as_beanstalkd_writes_it)
{
    clock_virtual_start(1000 * HL_SECOND);
    int fd = connect_new();
    peer_say(fd, "use gzip\r\nput 5 0 30 3\r\nabc\r\nput 6 20 0 1\r\nx\r\n");
    peer_expect(fd, "USING gzip\r\nINSERTED 1\r\nINSERTED 2\r\n");
    clock_virtual_advance(7 * HL_SECOND + HL_SECOND / 2);
    peer_say(fd, "stats-job 1\r\n");
    peer_expect(fd, "OK 143\r\n---\nid: 1\ntube: \"gzip\"\nstate: ready\npri: 5\nage: 7\ndelay: 0\n"
                    "ttr: 30\ntime-left: 0\nfile: 0\nreserves: 0\ntimeouts: 0\nreleases: 0\n"
                    "buries: 0\nkicks: 0\n\r\n");
    peer_say(fd, "stats-job 2\r\n");
    peer_expect(fd, "OK 146\r\n---\nid: 2\ntube: \"gzip\"\nstate: delayed\npri: 6\nage: 7\n"
                    "delay: 20\nttr: 1\ntime-left: 12\nfile: 0\nreserves: 0\ntimeouts: 0\n"
                    "releases: 0\nburies: 0\nkicks: 0\n\r\n");
    peer_close(&fd);
    clock_virtual_stop();
}
END_TEST

START_TEST(strangers_are_closed_unheard)
{
    static const char *const hellos[] = {
        "GET / HTTP/1.1\r\nHost: here\r\n\r\n",
        "POST /" LETTERS_200 LETTERS_200 " HTTP/1.1\r\n\r\nput 0 0 0 1\r\nx\r\n",
        "foo /" LETTERS_200 LETTERS_200 " http/1.1\r\n\r\nput 0 0 0 1\r\nx\r\n",
        "use / HTTP/1.1\r\nput 0 0 0 1\r\nx\r\n",
        "PUT / HTTP/1.1\nHost: here\n\nput 0 0 0 1\nx\n",
        "Host: here\r\nput 0 0 0 1\r\nx\r\n",
        "\x16\x03\x01\x02",
        "\x80\x2e\x01",
    };
    for (size_t i = 0; i < sizeof(hellos) / sizeof(hellos[0]); i++) {
        int fd = connect_new();
        peer_say(fd, hellos[i]);
        peer_expect_eof(fd);
        peer_close(&fd);
    }
    served_until_connections(0);
    struct broker_stats stats;
    broker_stats(served.broker, &stats);
    ck_assert_uint_eq(stats.totals.put, 0);
}
END_TEST

START_TEST(people_may_err)
{
    int fd = connect_new();
    for (int i = 1; i < STRANGER_ERRORS; i++)
        peer_say(fd, "help\r\n");
    for (int i = 1; i < STRANGER_ERRORS; i++)
        peer_expect(fd, "UNKNOWN_COMMAND\r\n");
    peer_say(fd, "peek 1\r\n");
    peer_expect(fd, "NOT_FOUND\r\n");
    for (int i = 0; i < 2 * STRANGER_ERRORS; i++)
        peer_say(fd, "GET / HTTP/1.1\r\n");
    for (int i = 0; i < 2 * STRANGER_ERRORS; i++)
        peer_expect(fd, "UNKNOWN_COMMAND\r\n");
    peer_close(&fd);
    fd = connect_new();
    for (int i = 0; i < STRANGER_ERRORS; i++)
        peer_say(fd, "help\r\n");
    for (int i = 1; i < STRANGER_ERRORS; i++)
        peer_expect(fd, "UNKNOWN_COMMAND\r\n");
    peer_expect_eof(fd);
    peer_close(&fd);
}
END_TEST

START_TEST(quit_closes_without_an_answer)
{
    int fd = connect_new();
    peer_say(fd, "peek 1\r\nquit now\r\npeek 2\r\n");
    peer_expect(fd, "NOT_FOUND\r\n");
    peer_expect_eof(fd);
    peer_close(&fd);
}
END_TEST

START_TEST(half_close_is_answered_first)
{
    int fd = connect_new();
    peer_say(fd, "put 0 0 0 1\r\na\r\npeek 1\r\ncall wait 8\r\n{\"id\":1}\r\npeek 2\r\npeek");
    shutdown(fd, SHUT_WR);
    peer_expect(fd, "INSERTED 1\r\nFOUND 1 1\r\na\r\nERROR ");
    char line[512];
    (void)peer_line(fd, line, sizeof(line));
    ck_assert_ptr_nonnull(strstr(peer_line(fd, line, sizeof(line)), "\"code\":\"cancelled\""));
    peer_expect(fd, "NOT_FOUND\r\n");
    peer_expect_eof(fd);
    peer_close(&fd);
}
END_TEST

/* ---- bodies ---- */

START_TEST(bodies_of_every_size_come_back)
{
    static const size_t sizes[] = {1, 2047, 2048, 4096, 16384, 65000, 65535};
    int fd = connect_new();
    char *body = malloc(65536), *got = malloc(65536), text[64];
    ck_assert(body != NULL && got != NULL);
    for (size_t i = 0; i < 65536; i++)
        body[i] = (char)(i * 7 + i / 251);
    for (uint64_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        snprintf(text, sizeof(text), "put 0 0 0 %zu\r\n", sizes[i]);
        peer_say(fd, text);
        peer_send(fd, body, sizes[i]);
        snprintf(text, sizeof(text), "\r\npeek %" PRIu64 "\r\n", i + 1);
        peer_say(fd, text);
        snprintf(text, sizeof(text), "INSERTED %" PRIu64 "\r\nFOUND %" PRIu64 " %zu\r\n", i + 1,
                 i + 1, sizes[i]);
        peer_expect(fd, text);
        peer_read(fd, got, sizes[i]);
        ck_assert_mem_eq(got, body, sizes[i]);
        peer_expect(fd, "\r\n");
    }
    peer_say(fd, "put 0 0 0 65536\r\n");
    peer_send(fd, body, 65536);
    peer_say(fd, "\r\npeek 100\r\n");
    peer_expect(fd, "JOB_TOO_BIG\r\nNOT_FOUND\r\n");
    free(body);
    free(got);
    peer_close(&fd);
}
END_TEST

START_TEST(peeked_body_outlives_its_deletion)
{
    int fd = connect_new();
    char *body = calloc(1, 65535);
    ck_assert_ptr_nonnull(body);
    peer_say(fd, "put 0 0 0 65535\r\n");
    peer_send(fd, body, 65535);
    peer_say(fd, "\r\n");
    peer_expect(fd, "INSERTED 1\r\n");
    for (int i = 0; i < 10; i++)
        peer_say(fd, "peek 1\r\n");
    peer_say(fd, "delete 1\r\n");
    for (int i = 0; i < 10; i++) {
        peer_expect(fd, "FOUND 1 65535\r\n");
        peer_read(fd, body, 65535);
        peer_expect(fd, "\r\n");
    }
    peer_expect(fd, "DELETED\r\n");
    free(body);
    peer_close(&fd);
}
END_TEST

START_TEST(clients_that_leave_in_the_middle)
{
    static const char *const parts[] = {"pu",
                                        "put 0 0 0 5",
                                        "put 0 0 0 5\r\nhe",
                                        "put 0 0 0 5\r\nhello\r",
                                        "put 0 0 0 65535\r\nhe",
                                        "put 0 0 0 99999999\r\nhe",
                                        "call ping 100\r\n{",
                                        "call ping 9999999\r\n{",
                                        "use x\r\nput 0 0 0 5\r\nhe"};
    for (int round = 0; round < 5; round++)
        for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
            int fd = connect_new();
            peer_say(fd, parts[i]);
            peer_close(&fd);
        }
    served_until_connections(0);
    struct broker_stats stats;
    broker_stats(served.broker, &stats);
    ck_assert_uint_eq(stats.totals.put, 0);
    ck_assert_uint_eq(stats.tubes, 1);
}
END_TEST

/* ---- noise and many ---- */

START_TEST(noise_leaves_the_server_well)
{
    static const char *const words[] = {"put 0 0 0 3\r\nabc\r\n",
                                        "put ",
                                        "0 ",
                                        "7 ",
                                        "\r\n",
                                        "\r",
                                        "\n",
                                        "peek 1",
                                        "delete 2\r\n",
                                        "use a\r\n",
                                        "call ping 2\r\n{}\r\n",
                                        "call wait 8\r\n{\"id\":1}\r\n",
                                        "call ",
                                        "quit\r\n",
                                        "stats-job 1\r\n",
                                        "call stats 0\r\n\r\n",
                                        "65536 ",
                                        "GET / HTTP/1.1\r\n",
                                        "call join 13\r\n{\"timeout\":0}\r\n",
                                        "call show 8\r\n{\"id\":1}\r\n"};
    struct unit_random random = peer_random();
    for (int round = 0; round < 300; round++) {
        int fd = connect_new();
        size_t parts = (size_t)unit_random_below(&random, 60);
        for (size_t i = 0; i < parts; i++) {
            char noise[16];
            const char *part = words[unit_random_below(&random, sizeof(words) / sizeof(words[0]))];
            size_t len = strlen(part);
            if (unit_random_below(&random, 4) == 0) {
                for (size_t j = 0; j < sizeof(noise); j++)
                    noise[j] = (char)unit_random_below(&random, 256);
                part = noise;
                len = (size_t)unit_random_below(&random, sizeof(noise));
            }
            /* it may have been told to quit */
            (void)!send(fd, part, len, MSG_NOSIGNAL);
        }
        if (unit_random_below(&random, 2) == 0) {
            char sink[4096];
            shutdown(fd, SHUT_WR);
            ssize_t n;
            do
                n = recv(fd, sink, sizeof(sink), 0);
            while (n > 0);
        }
        peer_close(&fd);
    }
    served_until_connections(0);
    int fd = connect_new();
    peer_say(fd, "peek 99999999\r\n");
    peer_expect(fd, "NOT_FOUND\r\n");
    peer_close(&fd);
}
END_TEST

START_TEST(thousand_connections)
{
    enum { COUNT = 1000 };
    static int fds[COUNT];
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    rlim_t old = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_uint_gt(limit.rlim_cur, 2 * COUNT + 100);
    for (int i = 0; i < COUNT; i++) {
        fds[i] = i % 2 ? connect_new() : peer_tcp(net_listener_port(served.net, 1));
        char text[64];
        snprintf(text, sizeof(text), "use t%d\r\nput 0 0 0 1\r\nx\r\n", i % 100);
        peer_say(fds[i], text);
    }
    for (int i = 0; i < COUNT; i++) {
        char line[64];
        ck_assert_int_eq(strncmp(peer_line(fds[i], line, sizeof(line)), "USING t", 7), 0);
        ck_assert_int_eq(strncmp(peer_line(fds[i], line, sizeof(line)), "INSERTED ", 9), 0);
    }
    struct broker_stats stats;
    broker_stats(served.broker, &stats);
    ck_assert_uint_eq(stats.totals.put, COUNT);
    ck_assert_uint_eq(stats.using, COUNT);
    for (int i = 0; i < COUNT; i++)
        peer_close(&fds[i]);
    served_until_connections(0);
    limit.rlim_cur = old;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}
END_TEST

START_TEST(deep_pipelines_are_answered_in_order)
{
    enum { COUNT = 5000 }; /* what fits into the sockets: nobody reads while it is sent */
    int fd = connect_new();
    struct buf say = BUF_EMPTY, expect = BUF_EMPTY;
    for (int i = 1; i <= COUNT; i++) {
        ck_assert_int_eq(buf_printf(&say, "put %d 0 0 3\r\n%03d\r\npeek %d\r\n", i, i % 1000, i),
                         0);
        ck_assert_int_eq(
            buf_printf(&expect, "INSERTED %d\r\nFOUND %d 3\r\n%03d\r\n", i, i, i % 1000), 0);
    }
    peer_send(fd, say.data, say.len);
    peer_expect(fd, expect.data);
    buf_fini(&say);
    buf_fini(&expect);
    struct net_stats stats;
    net_stats(served.net, &stats);
    ck_assert_uint_gt(stats.yields, 0);
    peer_close(&fd);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("front");
    TCase *bytes = tcase_create("bytes");
    tcase_add_checked_fixture(bytes, up, served_down);
    tcase_add_loop_test(bytes, answers_byte_for_byte, 0, 2);
    tcase_add_test(bytes, draining_is_told_after_the_body);
    tcase_add_test(bytes, stats_job_as_beanstalkd_writes_it);
    tcase_add_test(bytes, strangers_are_closed_unheard);
    tcase_add_test(bytes, people_may_err);
    tcase_add_test(bytes, quit_closes_without_an_answer);
    tcase_add_test(bytes, half_close_is_answered_first);
    tcase_add_test(bytes, bodies_of_every_size_come_back);
    tcase_add_test(bytes, peeked_body_outlives_its_deletion);
    tcase_add_test(bytes, clients_that_leave_in_the_middle);
    suite_add_tcase(suite, bytes);

    TCase *limits = tcase_create("limits");
    tcase_add_checked_fixture(limits, up_small, served_down);
    tcase_add_loop_test(limits, limits_are_told, 0, 2);
    suite_add_tcase(suite, limits);

    TCase *many = tcase_create("many");
    tcase_add_checked_fixture(many, up_three, served_down);
    tcase_add_test(many, noise_leaves_the_server_well);
    tcase_add_test(many, thousand_connections);
    tcase_add_test(many, deep_pipelines_are_answered_in_order);
    suite_add_tcase(suite, many);
    return unit_main(suite);
}
