// SPDX-License-Identifier: MIT
/*
 * The commands that beanstalkd doesn't have, but for those that wait (test_pending.c): byte for
 * byte, and what tokens promise. Time is virtual, and what is due is done by the test.
 */
#include "base/clock.h"
#include "front/front_priv.h"
#include "front/session_priv.h"
#include "served.h"
#include "unit.h"

#include <hilera/version.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static void up_small(void)
{
    served_setup_with(&(struct served_options){
        .loops = 1, .body_max = 10, .jobs_max = 5, .tube_jobs_max = 3, .held_max = 2});
}

/* ---- byte for byte ---- */

static const struct served_exchange putting[] = {
    {"put-in-tube a 7 0 60 3\r\nabc\r\n", "INSERTED 1\r\n"},
    {"list-tube-used\r\n", "USING default\r\n"},
    {"peek-ready\r\n", "NOT_FOUND\r\n"},
    {"use a\r\npeek-ready\r\n", "USING a\r\nFOUND 1 3\r\nabc\r\n"},
    {"put-in-tube default 007   0  0 0\r\n\r\n", "INSERTED 2\r\n"},
    {"put-in-tube b 0 100 0 4\r\n\r\n\r\n\r\n", "INSERTED 3\r\n"},
    {"peek 3\r\n", "FOUND 3 4\r\n\r\n\r\n\r\n"},
    {"stats-tube b\r\n",
     "OK 261\r\n---\nname: \"b\"\ncurrent-jobs-urgent: 0\ncurrent-jobs-ready: 0\n"
     "current-jobs-reserved: 0\ncurrent-jobs-delayed: 1\ncurrent-jobs-buried: 0\ntotal-jobs: 1\n"
     "current-using: 0\ncurrent-watching: 0\ncurrent-waiting: 0\ncmd-delete: 0\n"
     "cmd-pause-tube: 0\npause: 0\npause-time-left: 0\n\r\n"},
    {"put-in-tube\r\n", "UNKNOWN_COMMAND\r\n"},
    {"put-in-tube \r\n", "BAD_FORMAT\r\n"},
    {"put-in-tube a\r\n", "BAD_FORMAT\r\n"},
    {"put-in-tube  a 0 0 0 1\r\nx\r\n", "BAD_FORMAT\r\nUNKNOWN_COMMAND\r\n"},
    {"put-in-tube -a 0 0 0 1\r\nx\r\n", "BAD_FORMAT\r\nUNKNOWN_COMMAND\r\n"},
    {"put-in-tube a 0 0 0 1 x\r\nx\r\n", "BAD_FORMAT\r\nUNKNOWN_COMMAND\r\n"},
    {"put-in-tube a 0 0 1\r\nx\r\n", "BAD_FORMAT\r\nUNKNOWN_COMMAND\r\n"},
    {"put-in-tube a 0 -1 0 1\r\nx\r\n", "BAD_FORMAT\r\nUNKNOWN_COMMAND\r\n"},
    {"put-in-tube c 0 0 0 1\r\nabcpeek 9\r\n", "EXPECTED_CRLF\r\nNOT_FOUND\r\n"},
    {"put-in-tube a 0 0 0 0\r\n\r\n", "INSERTED 5\r\n"},
    {"stats-tube c\r\n", "NOT_FOUND\r\n"},
};

static const struct served_exchange moving[] = {
    {"put 5 0 9 1\r\na\r\nput 4 100 9 1\r\nb\r\n", "INSERTED 1\r\nINSERTED 2\r\n"},
    {"put 3 0 9 1\r\nc\r\nreserve\r\nbury 3 3\r\n",
     "INSERTED 3\r\nRESERVED 3 1\r\nc\r\nBURIED\r\n"},
    {"move 1 x\r\nmove 2 x\r\nmove 3 x\r\nmove 4 x\r\n",
     "MOVED\r\nMOVED\r\nMOVED\r\nNOT_FOUND\r\n"},
    {"peek-ready\r\npeek-delayed\r\npeek-buried\r\n", "NOT_FOUND\r\nNOT_FOUND\r\nNOT_FOUND\r\n"},
    {"use x\r\n", "USING x\r\n"},
    {"peek-ready\r\npeek-delayed\r\npeek-buried\r\n",
     "FOUND 1 1\r\na\r\nFOUND 2 1\r\nb\r\nFOUND 3 1\r\nc\r\n"},
    {"move 1 x\r\n", "MOVED\r\n"},
    {"reserve-job 1\r\nmove 1 y\r\nrelease 1 5 0\r\n",
     "RESERVED 1 1\r\na\r\nNOT_FOUND\r\nRELEASED\r\n"},
    {"move 1\r\n", "BAD_FORMAT\r\n"},
    {"move 1 \r\n", "BAD_FORMAT\r\n"},
    {"move 1  x\r\n", "BAD_FORMAT\r\n"},
    {"move 1x\r\n", "BAD_FORMAT\r\n"},
    {"move 1 -x\r\n", "BAD_FORMAT\r\n"},
    {"move x x\r\n", "BAD_FORMAT\r\n"},
    {"move 1 x \r\n", "BAD_FORMAT\r\n"},
    {"move\r\n", "UNKNOWN_COMMAND\r\n"},
    {"clear-tube y\r\n", "NOT_FOUND\r\n"},
    {"clear-tube \r\n", "BAD_FORMAT\r\n"},
    {"clear-tube\r\n", "UNKNOWN_COMMAND\r\n"},
    {"clear-tube default\r\n", "CLEARED 0\r\n"},
    {"put 0 0 9 1\r\nd\r\nreserve-job 4\r\n", "INSERTED 4\r\nRESERVED 4 1\r\nd\r\n"},
    {"clear-tube x\r\nclear-tube x\r\n", "CLEARED 3\r\nCLEARED 0\r\n"},
    {"peek 1\r\npeek 4\r\ndelete 4\r\n", "NOT_FOUND\r\nFOUND 4 1\r\nd\r\nDELETED\r\n"},
};

static const struct served_exchange forms[] = {
    {"hello x\r\n", "BAD_FORMAT\r\n"},
    {"reserve-batch\r\n", "BAD_FORMAT\r\n"},
    {"reserve-batch 1\r\n", "BAD_FORMAT\r\n"},
    {"reserve-batch 0 0\r\n", "BAD_FORMAT\r\n"},
    {"reserve-batch 1 2147483648\r\n", "BAD_FORMAT\r\n"},
    {"reserve-batch 4294967296 0\r\n", "BAD_FORMAT\r\n"},
    {"reserve-batch 1 0 \r\n", "BAD_FORMAT\r\n"},
    {"reserve-batch 9 0\r\n", "TIMED_OUT\r\n"},
    {"reserve-token\r\n", "BAD_FORMAT\r\n"},
    {"reserve-token 0 x\r\n", "BAD_FORMAT\r\n"},
    {"reserve-token 2147483648\r\n", "BAD_FORMAT\r\n"},
    {"reserve-token 0\r\n", "TIMED_OUT\r\n"},
    {"reserve-job-token\r\n", "BAD_FORMAT\r\n"},
    {"reserve-job-token 1 1\r\n", "BAD_FORMAT\r\n"},
    {"reserve-job-token 1\r\n", "NOT_FOUND\r\n"},
    {"touch-token 1\r\n", "BAD_FORMAT\r\n"},
    {"touch-token 1 0\r\n", "BAD_FORMAT\r\n"},
    {"touch-token 1 1 1\r\n", "BAD_FORMAT\r\n"},
    {"touch-token\r\n", "UNKNOWN_COMMAND\r\n"},
    {"touch-token 1 1\r\n", "STALE_TOKEN\r\n"},
    {"delete-token 1 0\r\n", "BAD_FORMAT\r\n"},
    {"delete-token 1 1 \r\n", "BAD_FORMAT\r\n"},
    {"delete-token 1 18446744073709551615\r\n", "STALE_TOKEN\r\n"},
    {"delete-token 1 18446744073709551616\r\n", "BAD_FORMAT\r\n"},
    {"release-token 1 1 0\r\n", "BAD_FORMAT\r\n"},
    {"release-token 1 0 0 0\r\n", "BAD_FORMAT\r\n"},
    {"release-token 1 1 0 0\r\n", "STALE_TOKEN\r\n"},
    {"bury-token 1 1\r\n", "BAD_FORMAT\r\n"},
    {"bury-token 1 0 0\r\n", "BAD_FORMAT\r\n"},
    {"bury-token 1 1 0\r\n", "STALE_TOKEN\r\n"},
    {"join x\r\n", "BAD_FORMAT\r\n"},
    {"join x 1 1\r\n", "BAD_FORMAT\r\n"},
    {"join x 2147483648\r\n", "BAD_FORMAT\r\n"},
    {"join -x 1\r\n", "BAD_FORMAT\r\n"},
    {"join\r\n", "UNKNOWN_COMMAND\r\n"},
    {"join nobody 0\r\n", "JOINED 0 0 0 0\r\n"},
};

START_TEST(putting_byte_for_byte)
{
    served_exchange_all(putting, sizeof(putting) / sizeof(putting[0]), _i == 1);
}
END_TEST

START_TEST(moving_byte_for_byte)
{
    served_exchange_all(moving, sizeof(moving) / sizeof(moving[0]), _i == 1);
}
END_TEST

START_TEST(forms_byte_for_byte)
{
    served_exchange_all(forms, sizeof(forms) / sizeof(forms[0]), _i == 1);
}
END_TEST

static const struct served_exchange limits[] = {
    {"put-in-tube a 0 0 9 11\r\n01234567890\r\n", "JOB_TOO_BIG\r\n"},
    {"put-in-tube a 0 0 9 11 junk\r\n01234567890\r\n", "JOB_TOO_BIG\r\n"},
    {"put-in-tube a 0 0 9 1\r\n1\r\nput-in-tube a 0 0 9 1\r\n2\r\nput-in-tube a 0 0 9 1\r\n3\r\n",
     "INSERTED 1\r\nINSERTED 2\r\nINSERTED 3\r\n"},
    {"put-in-tube a 0 0 9 1\r\n4\r\n", "OUT_OF_MEMORY\r\n"},
    /* The refused one has used up 4. */
    {"put 0 0 9 1\r\n4\r\nmove 5 a\r\nmove 5 b\r\n", "INSERTED 5\r\nOUT_OF_MEMORY\r\nMOVED\r\n"},
    {"put 0 0 9 1\r\n5\r\nput 0 0 9 1\r\n6\r\n", "INSERTED 6\r\nOUT_OF_MEMORY\r\n"},
    {"watch a\r\nreserve-batch 3 0\r\n",
     "WATCHING 2\r\nRESERVED_BATCH 2\r\nRESERVED 1 1\r\n1\r\nRESERVED 2 1\r\n2\r\n"},
    {"reserve\r\nreserve-job 3\r\nreserve-batch 1 0\r\nreserve-with-timeout 0\r\n",
     "OUT_OF_MEMORY\r\nOUT_OF_MEMORY\r\nOUT_OF_MEMORY\r\nOUT_OF_MEMORY\r\n"},
    {"delete 1\r\nreserve\r\n", "DELETED\r\nRESERVED 3 1\r\n3\r\n"},
};

START_TEST(limits_are_told)
{
    served_exchange_all(limits, sizeof(limits) / sizeof(limits[0]), _i == 1);
}
END_TEST

/* ---- hello ---- */

/* The text of an answer "OK <bytes>", in memory of the caller. */
static void read_text(int fd, char *text, size_t size)
{
    char line[64];
    size_t bytes;
    ck_assert_int_eq(sscanf(peer_line(fd, line, sizeof(line)), "OK %zu", &bytes), 1);
    ck_assert_uint_lt(bytes, size);
    peer_read(fd, text, bytes);
    text[bytes] = '\0';
    peer_expect(fd, "\r\n");
}

START_TEST(hello_tells_limits_and_commands)
{
    int fd = served_connect();
    char text[2048], expected[2048], stats[8192];
    peer_say(fd, "hello\r\n");
    read_text(fd, text, sizeof(text));
    peer_say(fd, "stats\r\n");
    read_text(fd, stats, sizeof(stats));
    const char *id = strstr(stats, "\nid: ");
    ck_assert_ptr_nonnull(id);
    snprintf(
        expected, sizeof(expected),
        "---\nserver: \"hilera\"\nversion: \"%s\"\nprotocol: 1\nid: %.16s\ncommands: "
        "reserve-batch reserve-token reserve-job-token call hello put-in-tube submit delete-token "
        "release-token bury-token touch-token move clear-tube join\nmax-job-size: 10\n"
        "max-line: 224\nmax-call-size: 1048576\nmax-batch: 1000\nmax-held: 2\nmax-jobs: 5\n"
        "max-bytes: 0\nmax-tube-jobs: 3\nmax-tube-bytes: 0\nput-waits: false\n",
        HL_VERSION, id + 5);
    ck_assert_str_eq(text, expected);
    peer_close(&fd);
}
END_TEST

/* A real beanstalkd would say UNKNOWN_COMMAND or BAD_FORMAT to each of them, and so would we to a
 * word that none of us knows: what is listed is what works. */
START_TEST(every_command_that_hello_tells_works)
{
    int fd = served_connect();
    char text[2048], line[64];
    peer_say(fd, "hello\r\n");
    read_text(fd, text, sizeof(text));
    char *words = strstr(text, "\ncommands: ");
    ck_assert_ptr_nonnull(words);
    *strchr(words + 1, '\n') = '\0';
    int count = 0;
    for (char *word = strtok(words + 11, " "); word != NULL; word = strtok(NULL, " "), count++) {
        /* what this is good for ends at the word: every command but hello and call needs more */
        char say[64];
        snprintf(say, sizeof(say), "%s !\r\n", word);
        peer_say(fd, say);
        ck_assert_str_eq(peer_line(fd, line, sizeof(line)), "BAD_FORMAT");
    }
    ck_assert_int_ge(count, 13);
    peer_close(&fd);
}
END_TEST

START_TEST(the_longest_name_fits)
{
    int fd = served_connect();
    char name[JOB_TUBE_NAME_MAX + 1], say[2 * FRONT_ADDED_LINE_MAX];
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    snprintf(say, sizeof(say),
             "put-in-tube %s 4294967295 4294967295 4294967295 0000000001\r\nx\r\n", name);
    served_ask(fd, say, "INSERTED 1\r\n");
    snprintf(say, sizeof(say), "move 00000000000000000001 %s\r\n", name);
    served_ask(fd, say, "MOVED\r\n");
    snprintf(say, sizeof(say), "clear-tube %s\r\n", name);
    served_ask(fd, say, "CLEARED 1\r\n");
    snprintf(say, sizeof(say), "put %*d 0 1 1\r\nx\r\n", 225 - 12, 0); /* of 225 bytes */
    served_ask(fd, say, "BAD_FORMAT\r\nUNKNOWN_COMMAND\r\n");
    peer_close(&fd);
}
END_TEST

/* ---- tokens ---- */

/* Says that, expects "RESERVED_TOKEN id token len" with that body; the token. */
static uint64_t reserve_token(int fd, const char *say, uint64_t id, const char *body)
{
    char line[128];
    uint64_t got, token;
    size_t len;
    peer_say(fd, say);
    peer_line(fd, line, sizeof(line));
    ck_assert_msg(sscanf(line, "RESERVED_TOKEN %" SCNu64 " %" SCNu64 " %zu", &got, &token, &len) ==
                      3,
                  "%s", line);
    ck_assert_uint_eq(got, id);
    ck_assert_uint_ne(token, 0);
    ck_assert_uint_eq(len, strlen(body));
    peer_expect(fd, body);
    peer_expect(fd, "\r\n");
    return token;
}

/* "<verb> <id> <token><rest>" */
static void ask_token(int fd, const char *verb, uint64_t id, uint64_t token, const char *rest,
                      const char *expect)
{
    char say[128];
    snprintf(say, sizeof(say), "%s %" PRIu64 " %" PRIu64 "%s\r\n", verb, id, token, rest);
    served_ask(fd, say, expect);
}

START_TEST(a_token_works_from_any_connection)
{
    int putter = served_connect(), worker = served_connect(), other = served_connect();
    served_ask(putter, "put 5 0 10 3\r\nabc\r\n", "INSERTED 1\r\n");
    uint64_t token = reserve_token(worker, "reserve-token 0\r\n", 1, "abc");
    /* to the verbs of beanstalkd it is somebody else's, for its own connection, too */
    served_ask(worker, "touch 1\r\nrelease 1 0 0\r\nbury 1 0\r\ndelete 1\r\nreserve-job 1\r\n",
               "NOT_FOUND\r\nNOT_FOUND\r\nNOT_FOUND\r\nNOT_FOUND\r\nNOT_FOUND\r\n");
    ask_token(worker, "touch-token", 1, token, "", "TOUCHED\r\n");
    peer_close(&worker);
    served_until_connections(2);
    ck_assert_uint_eq(served_stats().count[JOB_RESERVED], 1);

    ask_token(other, "touch-token", 1, token + 1, "", "STALE_TOKEN\r\n");
    ask_token(other, "touch-token", 2, token, "", "STALE_TOKEN\r\n");
    served_later(9 * HL_SECOND);
    ask_token(other, "touch-token", 1, token, "", "TOUCHED\r\n");
    served_later(9 * HL_SECOND);
    ck_assert_uint_eq(served_stats().count[JOB_RESERVED], 1);
    ask_token(other, "release-token", 1, token, " 9 100", "RELEASED\r\n");
    ask_token(other, "release-token", 1, token, " 9 100", "STALE_TOKEN\r\n");
    served_ask(other, "peek-delayed\r\n", "FOUND 1 3\r\nabc\r\n");

    uint64_t second = reserve_token(other, "reserve-job-token 1\r\n", 1, "abc");
    ck_assert_uint_ne(second, token);
    served_ask(putter, "reserve-job-token 1\r\n", "NOT_FOUND\r\n");
    ask_token(putter, "bury-token", 1, token, " 0", "STALE_TOKEN\r\n");
    ask_token(putter, "bury-token", 1, second, " 0", "BURIED\r\n");
    served_ask(putter, "peek-buried\r\n", "FOUND 1 3\r\nabc\r\n");
    uint64_t third = reserve_token(putter, "reserve-job-token 1\r\n", 1, "abc");
    ask_token(other, "delete-token", 1, second, "", "STALE_TOKEN\r\n");
    ask_token(other, "delete-token", 1, third, "", "DELETED\r\n");
    ask_token(other, "delete-token", 1, third, "", "STALE_TOKEN\r\n");
    peer_close(&putter);
    peer_close(&other);
}
END_TEST

START_TEST(a_late_worker_is_refused)
{
    int slow = served_connect(), next = served_connect();
    served_ask(slow, "put 5 0 10 1\r\na\r\n", "INSERTED 1\r\n");
    uint64_t token = reserve_token(slow, "reserve-token 0\r\n", 1, "a");
    served_later(10 * HL_SECOND - 1);
    ck_assert_uint_eq(served_stats().count[JOB_RESERVED], 1);
    served_later(1);
    ck_assert_uint_eq(served_stats().count[JOB_READY], 1);
    /* the lease is lost even while nobody else has the job */
    ask_token(slow, "touch-token", 1, token, "", "STALE_TOKEN\r\n");
    ask_token(slow, "delete-token", 1, token, "", "STALE_TOKEN\r\n");
    uint64_t again = reserve_token(next, "reserve-token 0\r\n", 1, "a");
    ck_assert_uint_ne(again, token);
    ask_token(slow, "delete-token", 1, token, "", "STALE_TOKEN\r\n");
    ask_token(slow, "release-token", 1, token, " 0 0", "STALE_TOKEN\r\n");
    ask_token(slow, "bury-token", 1, token, " 0", "STALE_TOKEN\r\n");
    ask_token(next, "delete-token", 1, again, "", "DELETED\r\n");
    ck_assert_uint_eq(served_stats().timeouts, 1);
    peer_close(&slow);
    peer_close(&next);
}
END_TEST

START_TEST(a_plain_lease_has_no_token)
{
    int fd = served_connect();
    served_ask(fd, "put 5 0 10 1\r\na\r\n", "INSERTED 1\r\n");
    uint64_t token = reserve_token(fd, "reserve-token 0\r\n", 1, "a");
    ask_token(fd, "release-token", 1, token, " 0 0", "RELEASED\r\n");
    served_ask(fd, "reserve\r\n", "RESERVED 1 1\r\na\r\n");
    /* the broker numbers every lease; one that was taken without a token can't be had by it */
    for (uint64_t guess = token; guess < token + 3; guess++)
        ask_token(fd, "touch-token", 1, guess, "", "STALE_TOKEN\r\n");
    served_ask(fd, "touch 1\r\ndelete 1\r\n", "TOUCHED\r\nDELETED\r\n");
    peer_close(&fd);
}
END_TEST

START_TEST(a_match_that_nobody_heard_of_goes_back)
{
    int putter = served_connect();
    for (int round = 0; round < 50; round++) {
        int fd = served_connect();
        peer_say(fd, "reserve-token 1000\r\n");
        served_until(waiting, 1);
        peer_say(putter, "put 0 0 1000 0\r\n\r\n");
        peer_close(&fd);
        char line[64];
        ck_assert_int_eq(strncmp(peer_line(putter, line, sizeof(line)), "INSERTED ", 9), 0);
        served_until_connections(1);
        /* it was told of the token before it left, or it wasn't */
        struct broker_stats stats = served_stats();
        ck_assert_uint_eq(stats.count[JOB_READY] + stats.count[JOB_RESERVED], 1);
        served_later(1001 * HL_SECOND);
        served_ask(putter, "clear-tube default\r\n", "CLEARED 1\r\n");
    }
    peer_close(&putter);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("added");
    TCase *bytes = tcase_create("bytes");
    tcase_add_checked_fixture(bytes, served_setup, served_teardown);
    tcase_add_loop_test(bytes, putting_byte_for_byte, 0, 2);
    tcase_add_loop_test(bytes, moving_byte_for_byte, 0, 2);
    tcase_add_loop_test(bytes, forms_byte_for_byte, 0, 2);
    tcase_add_test(bytes, every_command_that_hello_tells_works);
    tcase_add_test(bytes, the_longest_name_fits);
    suite_add_tcase(suite, bytes);

    TCase *small = tcase_create("small");
    tcase_add_checked_fixture(small, up_small, served_teardown);
    tcase_add_loop_test(small, limits_are_told, 0, 2);
    tcase_add_test(small, hello_tells_limits_and_commands);
    suite_add_tcase(suite, small);

    TCase *tokens = tcase_create("tokens");
    tcase_add_checked_fixture(tokens, served_setup, served_teardown);
    tcase_add_test(tokens, a_token_works_from_any_connection);
    tcase_add_test(tokens, a_late_worker_is_refused);
    tcase_add_test(tokens, a_plain_lease_has_no_token);
    tcase_add_test(tokens, a_match_that_nobody_heard_of_goes_back);
    suite_add_tcase(suite, tokens);
    return unit_main(suite);
}
