// SPDX-License-Identifier: MIT
/*
 * Bodies that come in parts: what they cost while they aren't whole, and that they become whole,
 * however they are cut, with what stands behind them a command again.
 */
#include "base/buf.h"
#include "served.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BODY_MAX ((size_t)1 << 20)

static void up(void)
{
    served_up(&(struct served_options){.loops = 1, .body_max = BODY_MAX});
}

/* ---- what they cost ---- */

#define CLIENTS 60
/* A body's first part; later there are four times as much as arrived. */
#define FIRST_PART ((size_t)16 * 1024)
/* The session, and what else there is for a connection. */
#define CONNECTION ((size_t)16 * 1024)

static bool has_read(void *arg)
{
    struct net_stats stats;
    net_stats(served.net, &stats);
    return stats.bytes_in >= *(const uint64_t *)arg;
}

/* All announce it, and send that much of the body. */
static void announce(const char *line, size_t arrives)
{
    int fds[CLIENTS];
    char *body = malloc(arrives);
    ck_assert_ptr_nonnull(body);
    memset(body, ' ', arrives);
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = served_connect();
        served_ask(fds[i], "list-tube-used\r\n", "USING default\r\n");
    }
    struct net_stats stats;
    net_stats(served.net, &stats);
    uint64_t taken = stats.bytes_in;
    size_t before = unit_allocated();
    for (int i = 0; i < CLIENTS; i++) {
        peer_say(fds[i], line);
        peer_send(fds[i], body, arrives);
        taken += strlen(line) + arrives;
    }
    peer_until(has_read, &taken);
    int other = served_connect(); /* what was read has been handled when this is answered */
    served_ask(other, "list-tube-used\r\n", "USING default\r\n");
    size_t after = unit_allocated();
    size_t each = after > before ? (after - before) / CLIENTS : 0;
    size_t bound = 4 * arrives > FIRST_PART ? 4 * arrives : FIRST_PART;
    printf("# %zu bytes each for %zu that arrived of %.4s\n", each, arrives, line);
    ck_assert_uint_le(each, bound + CONNECTION);
    free(body);
    peer_close(&other);
    for (int i = 0; i < CLIENTS; i++)
        peer_close(&fds[i]);
    served_until_connections(0);
}

static const char *const announcements[] = {
    "put 0 0 10 1048576\r\n",
    "put-in-tube other 0 0 10 1048576\r\n",
    "submit 2 1048576\r\n{}",
    "call ping 1048576\r\n",
};
#define ANNOUNCEMENTS ((int)(sizeof(announcements) / sizeof(announcements[0])))

START_TEST(what_is_announced_costs_what_arrives)
{
    announce(announcements[_i], 1);
    announce(announcements[_i], 20000);
    announce(announcements[_i], 200000);
}
END_TEST

/* ---- that they come ---- */

static char *body_make(size_t len)
{
    char *body = malloc(len + 1);
    ck_assert_ptr_nonnull(body);
    for (size_t i = 0; i < len; i++)
        body[i] = (char)('a' + (i * 7 + i / 1000) % 26);
    body[len] = '\0';
    return body;
}

static void expect_found(int fd, uint64_t id, const char *body, size_t len)
{
    char text[64];
    snprintf(text, sizeof(text), "peek %llu\r\n", (unsigned long long)id);
    peer_say(fd, text);
    snprintf(text, sizeof(text), "FOUND %llu %zu\r\n", (unsigned long long)id, len);
    peer_expect(fd, text);
    peer_expect(fd, body);
    peer_expect(fd, "\r\n");
}

static const size_t sizes[] = {0,     1,     16383, 16384,  16385,  32768,        65535,
                               65536, 65537, 99999, 131072, 500001, BODY_MAX - 1, BODY_MAX};
#define SIZES ((int)(sizeof(sizes) / sizeof(sizes[0])))

/* Sends it in pieces up to `most`, behind a command and before one. */
static void say_between(int fd, const char *line, const char *body, size_t len, size_t most)
{
    struct unit_random random = peer_random();
    struct buf text = BUF_EMPTY;
    ck_assert_int_eq(buf_append_str(&text, "list-tube-used\r\n"), 0);
    ck_assert_int_eq(buf_append_str(&text, line), 0);
    ck_assert_int_eq(buf_append(&text, body, len), 0);
    ck_assert_int_eq(buf_append_str(&text, "\r\nlist-tube-used\r\n"), 0);
    peer_send_in_pieces(fd, text.data, text.len, most, &random);
    peer_expect(fd, "USING default\r\n");
    buf_fini(&text);
}

START_TEST(bodies_of_all_sizes_come_whole)
{
    size_t len = sizes[_i];
    const size_t pieces[] = {SIZE_MAX / 2, 40000, 900};
    char *body = body_make(len), line[64], answer[64];
    int fd = served_connect();
    uint64_t id = 0;
    for (int i = 0; i < 3; i++) {
        snprintf(line, sizeof(line), "put 0 0 10 %zu\r\n", len);
        say_between(fd, line, body, len, pieces[i]);
        snprintf(answer, sizeof(answer), "INSERTED %llu\r\nUSING default\r\n",
                 (unsigned long long)++id);
        peer_expect(fd, answer);
        expect_found(fd, id, body, len);
        snprintf(line, sizeof(line), "submit 15 %zu\r\n{\"tube\":\"this\"}", len);
        say_between(fd, line, body, len, pieces[i]);
        snprintf(answer, sizeof(answer), "INSERTED %llu\r\nUSING default\r\n",
                 (unsigned long long)++id);
        peer_expect(fd, answer);
        expect_found(fd, id, body, len);
    }
    free(body);
    peer_close(&fd);
}
END_TEST

START_TEST(parameters_of_all_sizes_come_whole)
{
    size_t len = sizes[_i] + 2 < BODY_MAX ? sizes[_i] + 2 : BODY_MAX;
    const size_t pieces[] = {SIZE_MAX / 2, 40000, 900};
    char *body = malloc(len), line[64];
    ck_assert_ptr_nonnull(body);
    memset(body, ' ', len);
    body[0] = '{';
    body[len - 1] = '}';
    int fd = served_connect();
    for (int i = 0; i < 3; i++) {
        snprintf(line, sizeof(line), "call kick %zu\r\n", len);
        say_between(fd, line, body, len, pieces[i]);
        char answer[4096];
        size_t bytes;
        ck_assert_int_eq(sscanf(peer_line(fd, answer, 100), "ERROR %zu", &bytes), 1);
        ck_assert_uint_lt(bytes, sizeof(answer));
        peer_read(fd, answer, bytes);
        ck_assert_ptr_null(memmem(answer, bytes, "not JSON", 8));
        peer_expect(fd, "\r\nUSING default\r\n");
    }
    free(body);
    peer_close(&fd);
}
END_TEST

START_TEST(a_large_body_without_its_line_end)
{
    char *body = body_make(BODY_MAX + 2);
    int fd = served_connect();
    peer_say(fd, "put 0 0 10 1048576\r\n");
    peer_send(fd, body, BODY_MAX + 2);
    peer_expect(fd, "EXPECTED_CRLF\r\n");
    peer_say(fd, "call ping 1048576\r\n");
    peer_send(fd, body, BODY_MAX + 2);
    peer_expect(fd, "EXPECTED_CRLF\r\n");
    served_ask(fd, "put 0 0 10 1\r\nx\r\n", "INSERTED 2\r\n");
    free(body);
    peer_close(&fd);
}
END_TEST

/* The fixture's end looks for what is left. */
START_TEST(who_leaves_within_a_body)
{
    char *body = body_make(200000);
    int fds[ANNOUNCEMENTS];
    for (int i = 0; i < ANNOUNCEMENTS; i++) {
        fds[i] = served_connect();
        peer_say(fds[i], announcements[i]);
        peer_send(fds[i], body, 200000);
    }
    for (int i = 0; i < ANNOUNCEMENTS; i++)
        peer_close(&fds[i]);
    served_until_connections(0);
    ck_assert_uint_eq(served_stats().count[JOB_READY], 0);
    free(body);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("incoming");
    TCase *tcase = tcase_create("incoming");
    tcase_add_checked_fixture(tcase, up, served_down);
    tcase_add_loop_test(tcase, what_is_announced_costs_what_arrives, 0, ANNOUNCEMENTS);
    tcase_add_loop_test(tcase, bodies_of_all_sizes_come_whole, 0, SIZES);
    tcase_add_loop_test(tcase, parameters_of_all_sizes_come_whole, 0, SIZES);
    tcase_add_test(tcase, a_large_body_without_its_line_end);
    tcase_add_test(tcase, who_leaves_within_a_body);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
