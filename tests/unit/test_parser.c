// SPDX-License-Identifier: MIT
/*
 * The parser of the beanstalk protocol: which bytes make which events, and that it doesn't matter
 * how they are cut into pieces.
 */
#include "front/parser_priv.h"
#include "front/stranger_priv.h"
#include "peer.h"
#include "transcript.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static size_t one_byte(void *arg)
{
    (void)arg;
    return 1;
}

static size_t some_bytes(void *arg)
{
    return 1 + (size_t)unit_random_below(arg, 40);
}

/* The same transcript whole, byte by byte, and in random pieces; the expected one if not NULL. */
static void parses(struct unit_random *random, const char *data, size_t len, const char *expected)
{
    struct buf whole = BUF_EMPTY, bytes = BUF_EMPTY, pieces = BUF_EMPTY;
    transcript(&whole, data, len, NULL, NULL);
    transcript(&bytes, data, len, one_byte, NULL);
    transcript(&pieces, data, len, some_bytes, random);
    const char *text = whole.len > 0 ? whole.data : "";
    if (expected != NULL)
        ck_assert_str_eq(text, expected);
    ck_assert_uint_eq(bytes.len, whole.len);
    ck_assert_uint_eq(pieces.len, whole.len);
    if (whole.len > 0) {
        ck_assert_mem_eq(bytes.data, whole.data, whole.len);
        ck_assert_mem_eq(pieces.data, whole.data, whole.len);
    }
    buf_fini(&whole);
    buf_fini(&bytes);
    buf_fini(&pieces);
}

struct sample {
    const char *data;
    size_t len;
    const char *events;
};
#define SAMPLE(data, events)                                                                       \
    {                                                                                              \
        (data), sizeof(data) - 1, (events)                                                         \
    }

static const struct sample samples[] = {
    /* lines */
    SAMPLE("", ""),
    SAMPLE("\r\n", "unknown\n"),
    SAMPLE("peek 1", ""),
    SAMPLE("peek 1\r", ""),
    SAMPLE("peek 1\r\n", "peek 1\n"),
    SAMPLE("peek 1\n", ""),
    SAMPLE("peek 1\npeek 2\r\n", "bad format\n"),
    SAMPLE("peek 1\r\r\n", "bad format\n"),
    SAMPLE("peek\r1\r\npeek 2\r\n", "bad format\npeek 2\n"),
    SAMPLE("what\r?\r\npeek 2\r\n", "bad format\npeek 2\n"),
    SAMPLE("\r\r\npeek 2\r\n", "bad format\npeek 2\n"),
    SAMPLE("peek 1\r\nwh\0t\r\npeek 2\r\n", "peek 1\nbad format\npeek 2\n"),
    SAMPLE("peek 1\r\npeek 1\0\r\n", "peek 1\nbad format\n"),
    SAMPLE(" peek 1\r\n", "unknown\n"),
    SAMPLE("PEEK 1\r\n", "unknown\n"),
    SAMPLE("peek 1\r\npeek 2\r\npeek 3\r\n", "peek 1\npeek 2\npeek 3\n"),
    /* words: by prefix, with their blank */
    SAMPLE("peek\r\n", "unknown\n"),
    SAMPLE("peek \r\n", "bad format\n"),
    SAMPLE("peekaboo 1\r\n", "unknown\n"),
    SAMPLE("put\r\n", "unknown\n"),
    SAMPLE("put \r\n", "bad format\n"),
    SAMPLE("use\r\n", "unknown\n"),
    SAMPLE("delete\r\n", "unknown\n"),
    SAMPLE("delete 7\r\n", "delete 7\n"),
    SAMPLE("stats-job 7\r\n", "stats-job 7\n"),
    SAMPLE("stats-job\r\n", "bad format\n"), /* begins as `stats` does */
    SAMPLE("reserved\r\n", "bad format\n"),
    SAMPLE("reserv\r\n", "unknown\n"),
    SAMPLE("quit\r\npeek 1\r\n", "quit\n"),
    SAMPLE("quitting is fun\r\n", "quit\n"),
    SAMPLE("peek 1\r\nquit\0\r\npeek 1\r\n", "peek 1\nbad format\npeek 1\n"),
    /* numbers */
    SAMPLE("peek 0\r\n", "peek 0\n"),
    SAMPLE("peek    000012\r\n", "peek 12\n"),
    SAMPLE("peek 12 \r\n", "bad format\n"),
    SAMPLE("peek 1 2\r\n", "bad format\n"),
    SAMPLE("peek -1\r\n", "bad format\n"),
    SAMPLE("peek +1\r\n", "bad format\n"),
    SAMPLE("peek 0x1\r\n", "bad format\n"),
    SAMPLE("peek 1a\r\n", "bad format\n"),
    SAMPLE("peek \t1\r\n", "bad format\n"),
    SAMPLE("peek 18446744073709551615\r\n", "peek 18446744073709551615\n"),
    SAMPLE("peek 18446744073709551616\r\n", "bad format\n"),
    SAMPLE("peek 99999999999999999999999\r\n", "bad format\n"),
    SAMPLE("put 4294967295 4294967295 4294967295 0\r\n\r\n",
           "put pri 4294967295 delay 4294967295 ttr 4294967295 bytes 0\nbody \n"),
    SAMPLE("put 4294967296 0 0 0\r\n", "bad format\n"),
    SAMPLE("put 0 4294967296 0 0\r\n", "bad format\n"),
    SAMPLE("put 0 0 4294967296 0\r\n", "bad format\n"),
    SAMPLE("put 0 0 0 4294967296\r\n", "bad format\n"),
    SAMPLE("put 1 2 3\r\nabc\r\n", "bad format\nunknown\n"),
    SAMPLE("put 1 2 -3 3\r\nabc\r\n", "bad format\nunknown\n"),
    /* bodies */
    SAMPLE("put 1 2 3 4\r\nabcd\r\npeek 1\r\n",
           "put pri 1 delay 2 ttr 3 bytes 4\nbody abcd\npeek 1\n"),
    SAMPLE("put  1   02 3  4\r\nabcd\r\n", "put pri 1 delay 2 ttr 3 bytes 4\nbody abcd\n"),
    SAMPLE("put 1 2 3 6\r\npeek 1\r\n", "put pri 1 delay 2 ttr 3 bytes 6\nbody peek 1\n"),
    SAMPLE("put 1 2 3 4\r\n\r\n\r\n\r\n", "put pri 1 delay 2 ttr 3 bytes 4\nbody \r\n\r\n\n"),
    SAMPLE("put 1 2 3 4\r\nabcdefpeek 1\r\n",
           "put pri 1 delay 2 ttr 3 bytes 4\nbad body\npeek 1\n"),
    SAMPLE("put 1 2 3 4\r\nabcd\rpeek 1\r\n",
           "put pri 1 delay 2 ttr 3 bytes 4\nbad body\nunknown\n"),
    SAMPLE("put 1 2 3 4\r\nabcd\r", "put pri 1 delay 2 ttr 3 bytes 4\n"),
    SAMPLE("put 1 2 3 4\r\nab", "put pri 1 delay 2 ttr 3 bytes 4\n"),
    SAMPLE("put 1 2 3 4 \r\nabcd\r\n", "put pri 1 delay 2 ttr 3 bytes 4 junk\nunknown\n"),
    SAMPLE("put 1 2 3 4 5\r\n", "put pri 1 delay 2 ttr 3 bytes 4 junk\n"),
    SAMPLE("peek 1\r\nput 1 2 3 4\0\r\n", "peek 1\nbad format\n"),
    SAMPLE("put 1 2 3 9999 x\ry\r\n", "bad format\n"),
    /* names */
    SAMPLE("use a\r\n", "use a\n"),
    SAMPLE("use  a\r\n", "bad format\n"),
    SAMPLE("use a \r\n", "bad format\n"),
    SAMPLE("use -a\r\n", "bad format\n"),
    SAMPLE("use a,b\r\n", "bad format\n"),
    SAMPLE("use azAZ09-+/;.$_()\r\n", "use azAZ09-+/;.$_()\n"),
    SAMPLE("use \r\n", "bad format\n"),
    /* calls */
    SAMPLE("call ping 2\r\n{}\r\n", "call ping bytes 2\nbody {}\n"),
    SAMPLE("call ping 0\r\n\r\n", "call ping bytes 0\nbody \n"),
    SAMPLE("call ping\r\n", "bad format\n"),
    SAMPLE("call ping x\r\n", "bad format\n"),
    SAMPLE("call PING 2\r\n", "bad format\n"),
    SAMPLE("call ping2\r\n", "bad format\n"),
    SAMPLE("call ping 2 \r\n", "bad format\n"),
    SAMPLE("call  2\r\n", "bad format\n"),
    /* words of our own */
    SAMPLE("put-in-tube a 1 2 3 4\r\nabcd\r\n",
           "put-in-tube a pri 1 delay 2 ttr 3 bytes 4\nbody abcd\n"),
    SAMPLE("submit 2 4\r\n{}abcd\r\npeek 1\r\n",
           "submit head 2 bytes 4\nhead {}\nbody abcd\npeek 1\n"),
    SAMPLE("submit 0 0\r\n\r\n", "submit head 0 bytes 0\nhead \nbody \n"),
    SAMPLE("submit 3 1\r\n\r\n\rxyzpeek 1\r\n",
           "submit head 3 bytes 1\nhead \r\n\r\nbad body\npeek 1\n"),
    SAMPLE("submit 2\r\n", "bad format\n"),
    SAMPLE("put-in-tube a 1 2 3 4 x\r\n", "put-in-tube a pri 1 delay 2 ttr 3 bytes 4 junk\n"),
    SAMPLE("put-in-tube a,b 1 2 3 4\r\n", "bad format\n"),
    SAMPLE("put-in-tubea 1 2 3 4\r\n", "unknown\n"),
    SAMPLE("reserve-batch 3 4\r\n", "reserve-batch 3 4\n"),
    SAMPLE("reserve-batch\r\n", "bad format\n"), /* begins as `reserve` does */
    SAMPLE("reserve-job-token 3\r\nreserve-job 3\r\n", "reserve-job-token 3\nreserve-job 3\n"),
    SAMPLE("touch-token 3 4\r\n", "touch-token 3 4\n"),
    SAMPLE("delete-token 3 0\r\n", "bad format\n"),
    SAMPLE("move 3 a\r\n", "move a\n"),
    SAMPLE("join a 3\r\n", "join a\n"),
    SAMPLE("clear-tube a\r\n", "clear-tube a\n"),
    SAMPLE("hello\r\nhello \r\n", "hello 0\nbad format\n"),
    /* strangers: HTTP in any method, case and line end */
    SAMPLE("GET / HTTP/1.1\r\nHost: x\r\n\r\nput 0 0 0 1\r\n", "stranger\n"),
    SAMPLE("POST /x HTTP/1.0\r\n", "stranger\n"),
    SAMPLE("PRI * HTTP/2.0\r\n", "stranger\n"),
    SAMPLE("weird thing HTTP/1.1\r\n", "stranger\n"),
    SAMPLE("get / http/1.1\r\n", "stranger\n"),
    SAMPLE("foo / hTTp/9\r\n", "stranger\n"),
    SAMPLE("use / HTTP/1.1\r\nput 0 0 0 1\r\n", "stranger\n"),
    SAMPLE("watch /x HTTP/1.1 \r\n", "stranger\n"),
    SAMPLE("put 0 0 0 HTTP/1.1\r\n", "stranger\n"),
    SAMPLE(" HTTP/1.1\r\n", "stranger\n"),
    SAMPLE("  HTTP/\r\n", "stranger\n"),
    SAMPLE("GET / HTTP/1\r\n", "stranger\n"),
    SAMPLE("GET /\r\nput 0 0 0 1\r\n", "stranger\n"),
    SAMPLE("GET http://x\r\n", "stranger\n"),
    SAMPLE("GET / HTTP/1.1\nHost: x\n\nput 0 0 0 1\nx\n", "stranger\n"),
    SAMPLE("x\nGET / HTTP/1.1\nput 0 0 0 1\r\n", "stranger\n"),
    SAMPLE("use a\nGET / HTTP/1.1\r\n", "stranger\n"),
    SAMPLE("quit\nHost: x\n\r\n", "stranger\n"),
    SAMPLE("Host: here\r\nput 0 0 0 1\r\n", "stranger\n"),
    SAMPLE("content-type:text/plain\r\n", "stranger\n"),
    SAMPLE("what\r\nX-Y_z.1: 2\r\n", "unknown\nstranger\n"),
    SAMPLE("what\nX: 2\n", "stranger\n"),
    SAMPLE("peek x\r\nGET / HTTP/1.1\r\n", "bad format\nstranger\n"),
    SAMPLE("\x16\x03\x01\x02", "stranger\n"),
    SAMPLE("\x80\x2e\x01\x03", "stranger\n"),
    SAMPLE("?\r\n\x16\x03\r\n", "unknown\nstranger\n"),
    /* bytes that no command has, wherever they are; TAB and CR are typed by people */
    SAMPLE("\0", "stranger\n"),
    SAMPLE("wh\0t\r\npeek 2\r\n", "stranger\n"),
    SAMPLE("peek 1\0\r\n", "stranger\n"),
    SAMPLE("quit\0\r\npeek 1\r\n", "stranger\n"),
    SAMPLE("what\r\npeek\x01", "unknown\nstranger\n"),
    SAMPLE("\x1b[A\r\n", "stranger\n"),
    SAMPLE("x\x7f\r\n", "stranger\n"),
    SAMPLE("a\tb\r\n\r\r\npeek 1\r\n", "unknown\nbad format\npeek 1\n"),
    /* dict://, as curl speaks it */
    SAMPLE("CLIENT libcurl 8.1.2\r\nput 0 0 0 1\r\n", "stranger\n"),
    SAMPLE("what\nCLIENT libcurl 8.1.2\n", "stranger\n"),
    SAMPLE("CLIENTS\r\npeek 1\r\n", "unknown\npeek 1\n"),
    /* and what is none */
    SAMPLE("use HTTP/1.1\r\n", "use HTTP/1.1\n"),
    SAMPLE("move 3 http/in\r\nGET / HTTP/1.1\r\n", "move http/in\nunknown\n"),
    SAMPLE("peek 1\r\nHost: x\r\n\x16\x03\r\npeek 2\r\n", "peek 1\nunknown\nunknown\npeek 2\n"),
    SAMPLE("put 0 0 0 16\r\nGET / HTTP/1.1\r\n\r\npeek 1\r\n",
           "put pri 0 delay 0 ttr 0 bytes 16\nbody GET / HTTP/1.1\r\n\npeek 1\n"),
    SAMPLE("GET\r\nHELP me\r\nhello: \r\n", "unknown\nunknown\nstranger\n"),
    SAMPLE("get http\r\n:\r\na b: c\r\nHTTP\r\n/ HTTP\r\npeek 1\r\n",
           "unknown\nunknown\nunknown\nunknown\nunknown\npeek 1\n"),
};

START_TEST(samples_in_any_pieces)
{
    struct unit_random random = peer_random();
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
        parses(&random, samples[i].data, samples[i].len, samples[i].events);
}
END_TEST

/* A line of `len` bytes with its end, then a good one. */
static void long_line(struct unit_random *random, size_t len, const char *start,
                      const char *expected)
{
    struct buf line = BUF_EMPTY;
    ck_assert_int_eq(buf_append_str(&line, start), 0);
    while (line.len < len - 2)
        ck_assert_int_eq(buf_append_char(&line, 'x'), 0);
    ck_assert_int_eq(buf_append_str(&line, "\r\npeek 1\r\n"), 0);
    parses(random, line.data, line.len, expected);
    buf_fini(&line);
}

START_TEST(lines_of_every_length)
{
    struct unit_random random = peer_random();
    for (size_t len = 3; len <= FRONT_LINE_MAX; len++)
        long_line(&random, len, "", "unknown\npeek 1\n");
    for (size_t len = FRONT_LINE_MAX + 1; len < 460; len++)
        long_line(&random, len, "", "bad format\npeek 1\n");
    long_line(&random, 100000, "", "bad format\npeek 1\n");
    long_line(&random, 205, "use ", NULL);
    long_line(&random, 206, "use ", NULL);
    long_line(&random, 207, "use ", "bad format\npeek 1\n");
}
END_TEST

/* A name and all numbers may be as long as they get; the limit is exact, and only of a line. */
START_TEST(added_commands_have_longer_lines)
{
    struct unit_random random = peer_random();
    char name[JOB_TUBE_NAME_MAX + 1], line[FRONT_ADDED_LINE_MAX + 20];
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    for (size_t len = FRONT_LINE_MAX; len <= FRONT_ADDED_LINE_MAX; len++)
        long_line(&random, len, "clear-tube ", "bad format\npeek 1\n");
    long_line(&random, FRONT_ADDED_LINE_MAX + 1, "clear-tube ", "bad format\npeek 1\n");
    long_line(&random, 213, "clear-tube ", NULL);
    snprintf(line, sizeof(line), "move 18446744073709551615 %s\r\npeek 1\r\n", name);
    parses(&random, line, strlen(line), NULL);
    for (int blanks = 11; blanks <= 41; blanks++) {
        int len =
            snprintf(line, sizeof(line), "put-in-tube %s 4294967295 4294967295 4294967295%*s\r\n",
                     name, blanks, "4294967295");
        struct command_args args = {.bytes = 0};
        struct parser parser = {.args = &args};
        size_t used;
        enum parser_event event = parser_next(&parser, line, (size_t)len, &used);
        ck_assert_int_eq(event, len <= FRONT_ADDED_LINE_MAX ? PARSER_COMMAND : PARSER_BAD_FORMAT);
        ck_assert_uint_eq(used, (size_t)len);
        if (event == PARSER_COMMAND) {
            ck_assert_uint_eq(args.name_len, JOB_TUBE_NAME_MAX);
            ck_assert_uint_eq(args.bytes, UINT32_MAX);
        }
    }
}
END_TEST

/* What becomes of a line of `len` bytes, and how many bytes that took. */
static enum parser_event line_of(size_t len, uint32_t line_max, size_t *used)
{
    struct command_args args;
    struct parser parser = {.line_max = line_max, .args = &args};
    char *line = malloc(len);
    ck_assert_ptr_nonnull(line);
    memset(line, 'x', len);
    memcpy(line + len - 2, "\r\n", 2);
    enum parser_event event = parser_next(&parser, line, len, used);
    free(line);
    return event;
}

START_TEST(longest_line_is_a_setting)
{
    static const uint32_t limits[] = {224, 300, 4096, 65536};
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        size_t used;
        ck_assert_int_eq(line_of(limits[i], limits[i], &used), PARSER_UNKNOWN);
        ck_assert_uint_eq(used, limits[i]);
        ck_assert_int_eq(line_of(limits[i] + 1, limits[i], &used), PARSER_BAD_FORMAT);
        ck_assert_uint_eq(used, limits[i] + 1);
    }
}
END_TEST

START_TEST(overlong_line_ends_at_its_own_end_only)
{
    struct unit_random random = peer_random();
    char line[300];
    memset(line, 'y', sizeof(line));
    /* stray CRs and LFs around the place where the skipping starts */
    for (size_t at = 215; at < 240; at++) {
        char data[sizeof(line) + 16];
        memcpy(data, line, sizeof(line));
        data[at] = '\r';
        data[at + 2] = '\n';
        memcpy(data + sizeof(line), "\r\npeek 1\r\n", 10);
        parses(&random, data, sizeof(line) + 10, "bad format\npeek 1\n");
        data[at + 2] = '\r';
        parses(&random, data, sizeof(line) + 10, "bad format\npeek 1\n");
    }
}
END_TEST

START_TEST(overlong_requests_are_strangers)
{
    struct unit_random random = peer_random();
    long_line(&random, 500, "GET /", "stranger\n");
    long_line(&random, 500, "POST http://", "stranger\n");
    long_line(&random, 500, "OPTIONS *", "stranger\n");
    long_line(&random, 500, "CONNECT example.org", "stranger\n");
    long_line(&random, 500, "Cookie:", "stranger\n");
    long_line(&random, 500, "get /", "bad format\npeek 1\n");
    long_line(&random, 500, "GET", "bad format\npeek 1\n");
    long_line(&random, 500, "X Y", "bad format\npeek 1\n");
}
END_TEST

/* The version behind a path of any length, whichever way the line is cut; with and without an end.
 */
START_TEST(versions_are_found_behind_long_paths)
{
    static const char *const ends[] = {" HTTP/1.1\r\nput 0 0 0 1\r\n", " http/1.1\n\n", " HtTp/"};
    struct unit_random random = peer_random();
    for (size_t path = 200; path < 320; path++) {
        struct buf data = BUF_EMPTY;
        ck_assert_int_eq(buf_append_str(&data, "foo /"), 0);
        while (data.len < path)
            ck_assert_int_eq(buf_append_char(&data, " H/x"[data.len % 4]), 0);
        size_t which = path % 3;
        ck_assert_int_eq(buf_append_str(&data, ends[which]), 0);
        if (which < 2 || data.len > FRONT_LINE_MAX)
            parses(&random, data.data, data.len, "stranger\n");
        buf_fini(&data);
    }
}
END_TEST

/* Fifteen mistakes are a person's. */
START_TEST(who_only_errs_is_a_stranger)
{
    struct unit_random random = peer_random();
    for (int errors = 14; errors <= 18; errors++) {
        struct buf data = BUF_EMPTY, expected = BUF_EMPTY;
        for (int i = 0; i < errors; i++) {
            ck_assert_int_eq(buf_append_str(&data, i % 2 ? "peek x\r\n" : "what\r\n"), 0);
            if (i < STRANGER_ERRORS - 1)
                ck_assert_int_eq(buf_append_str(&expected, i % 2 ? "bad format\n" : "unknown\n"),
                                 0);
        }
        ck_assert_int_eq(buf_append_str(&data, "peek 1\r\n"), 0);
        for (int i = 0; i < 20; i++)
            ck_assert_int_eq(buf_append_str(&data, "what\r\n"), 0);
        ck_assert_int_eq(
            buf_append_str(&expected, errors < STRANGER_ERRORS ? "peek 1\n" : "stranger\n"), 0);
        for (int i = 0; errors < STRANGER_ERRORS && i < 20; i++)
            ck_assert_int_eq(buf_append_str(&expected, "unknown\n"), 0);
        parses(&random, data.data, data.len, expected.data);
        buf_fini(&data);
        buf_fini(&expected);
    }
}
END_TEST

START_TEST(large_bodies_are_skipped_whole)
{
    struct unit_random random = peer_random();
    struct buf data = BUF_EMPTY;
    ck_assert_int_eq(buf_append_str(&data, "put 0 0 0 5000\r\n"), 0);
    for (int i = 0; i < 5002; i++)
        ck_assert_int_eq(buf_append_char(&data, "peek 2\r\n"[i % 8]), 0);
    ck_assert_int_eq(buf_append_str(&data, "peek 1\r\n"), 0);
    parses(&random, data.data, data.len, "put pri 0 delay 0 ttr 0 bytes 5000\nbody \npeek 1\n");
    buf_fini(&data);
}
END_TEST

/* Words and noise in random order: whatever comes out, it is the same in any pieces. */
START_TEST(random_bytes_in_any_pieces)
{
    static const char *const words[] = {
        "put ",    "0 ",          "1 ",     "3 ",        "\r\n",
        "\r",      "\n",          "peek ",  "delete ",   "use ",
        "default", "call",        " ping ", "2\r\n",     "{}",
        "x",       " ",           "quit",   "abc",       "65536",
        "-",       "stats-job 1", "GET /",  " HTTP/1.1", "put 0 0 0 3\r\nabc\r\n"};
    struct unit_random random = peer_random();
    for (int round = 0; round < 500; round++) {
        struct buf data = BUF_EMPTY;
        size_t parts = (size_t)unit_random_below(&random, 120);
        for (size_t i = 0; i < parts; i++) {
            if (unit_random_below(&random, 12) == 0)
                ck_assert_int_eq(buf_append_char(&data, (char)unit_random_below(&random, 256)), 0);
            else
                ck_assert_int_eq(
                    buf_append_str(
                        &data, words[unit_random_below(&random, sizeof(words) / sizeof(words[0]))]),
                    0);
        }
        parses(&random, data.len > 0 ? data.data : "", data.len, NULL);
        buf_fini(&data);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("parser");
    TCase *events = tcase_create("events");
    tcase_add_test(events, samples_in_any_pieces);
    tcase_add_test(events, lines_of_every_length);
    tcase_add_test(events, added_commands_have_longer_lines);
    tcase_add_test(events, longest_line_is_a_setting);
    tcase_add_test(events, overlong_line_ends_at_its_own_end_only);
    tcase_add_test(events, overlong_requests_are_strangers);
    tcase_add_test(events, versions_are_found_behind_long_paths);
    tcase_add_test(events, who_only_errs_is_a_stranger);
    tcase_add_test(events, large_bodies_are_skipped_whole);
    tcase_add_test(events, random_bytes_in_any_pieces);
    suite_add_tcase(suite, events);
    return unit_main(suite);
}
