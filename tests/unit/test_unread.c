// SPDX-License-Identifier: MIT
/*
 * Clients that ask and don't read: what they cost is bounded, whatever they ask for, however often;
 * others are answered meanwhile; and when they read after all, every byte is there.
 *
 * Memory is counted by the allocator itself (the sanitizer's, in such a build), so nothing else of
 * the process may grow while it is measured.
 */
#include "base/buf.h"
#include "served.h"
#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static void up(void)
{
    served_up(&(struct served_options){.loops = 1});
}

/* One client, and what it says: `len` bytes in all, of which `said` are sent. */
struct speaker {
    int fd;
    const char *text;
    size_t len, said;
};

/* Says as much as the sockets and the server take. */
static void say_more(struct speaker *speaker)
{
    while (speaker->said < speaker->len) {
        ssize_t n = send(speaker->fd, speaker->text + speaker->said, speaker->len - speaker->said,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0) {
            ck_assert_int_eq(errno, EAGAIN);
            return;
        }
        speaker->said += (size_t)n;
    }
}

struct speakers {
    struct speaker *all;
    size_t count;
};

static bool all_stalled(void *arg)
{
    const struct speakers *speakers = arg;
    struct net_stats stats;
    for (size_t i = 0; i < speakers->count; i++)
        say_more(&speakers->all[i]);
    net_stats(served.net, &stats);
    return stats.stalls >= speakers->count;
}

/* Until execution has stopped for each of them for want of a reader, and nothing more is taken. */
static void until_stalled(struct speaker *all, size_t count, int canary)
{
    struct speakers speakers = {.all = all, .count = count};
    peer_until(all_stalled, &speakers);
    for (int round = 0; round < 10; round++) {
        (void)all_stalled(&speakers);
        served_ask(canary, "peek 99999\r\n", "NOT_FOUND\r\n");
    }
}

/* Reads `times` times that answer, while saying what isn't said yet. */
static void hear_all(struct speaker *speaker, size_t times, const char *answer, size_t len)
{
    size_t got = 0;
    while (got < len * times) {
        char chunk[65536];
        say_more(speaker);
        struct pollfd look = {.fd = speaker->fd, .events = POLLIN};
        ck_assert_int_eq(poll(&look, 1, PEER_SECONDS * 1000), 1);
        ssize_t n = recv(speaker->fd, chunk, sizeof(chunk), MSG_DONTWAIT);
        ck_assert_int_gt(n, 0);
        for (ssize_t i = 0; i < n;) {
            size_t at = got % len;
            size_t part = len - at < (size_t)(n - i) ? len - at : (size_t)(n - i);
            ck_assert(memcmp(chunk + i, answer + at, part) == 0);
            got += part;
            i += (ssize_t)part;
        }
    }
}

#define CLIENTS 4
#define HEARD_MAX ((size_t)16 << 20) /* enough to be sure of the rest */

/*
 * A number of clients each ask `times` times and don't read. `answer` is what each request gets,
 * `bound` what a client may cost.
 */
static void unread(const char *ask, size_t times, const char *answer, size_t len, size_t bound)
{
    int canary = served_connect();
    struct speaker speakers[CLIENTS];
    struct buf text = BUF_EMPTY;
    for (size_t i = 0; i < times; i++)
        ck_assert_int_eq(buf_append_str(&text, ask), 0);
    for (int i = 0; i < CLIENTS; i++)
        speakers[i] = (struct speaker){.fd = served_connect(), .text = text.data, .len = text.len};
    served_ask(canary, "peek 99999\r\n", "NOT_FOUND\r\n");
    size_t before = unit_allocated();
    until_stalled(speakers, CLIENTS, canary);
    size_t after = unit_allocated();
    size_t more = after > before ? after - before : 0;
    printf("# %zu answers of %zu bytes: %zu bytes a client that doesn't read\n", times, len,
           more / CLIENTS);
    ck_assert_uint_le(more / CLIENTS, bound);
    /* one reads after all, and the others leave */
    hear_all(&speakers[0], times * len < HEARD_MAX ? times : HEARD_MAX / len, answer, len);
    for (int i = 0; i < CLIENTS; i++)
        peer_close(&speakers[i].fd);
    peer_close(&canary);
    buf_fini(&text);
}

/* What waits for a reader, and one answer more; an eighth and a bit that is wasted; input that
 * waits to be executed. All have the pool of segments together. */
#define ANSWER ((size_t)64 * 1024)
#define WASTE ((NET_OUTPUT_HIGH + ANSWER) / 8 + (size_t)32 * 1024)
#define POOL ((size_t)1 << 20)
#define BOUND_BUT_POOL (NET_OUTPUT_HIGH + ANSWER + WASTE + 2 * NET_READ_SIZE)
#define BOUND (BOUND_BUT_POOL + POOL / CLIENTS)

START_TEST(thousands_of_lists_of_thousands_of_tubes)
{
    enum { TUBES = 5000, TIMES = 5000 };
    struct tube *tubes[TUBES];
    struct buf yaml = BUF_EMPTY, answer = BUF_EMPTY;
    ck_assert_int_eq(buf_printf(&yaml, "---\n- default\n"), 0);
    for (int i = 0; i < TUBES; i++) {
        char name[JOB_TUBE_NAME_MAX + 1];
        snprintf(name, sizeof(name), "tube-%0190d", i);
        ck_assert_int_eq(broker_use(served.broker, name, strlen(name), &tubes[i]), 0);
        ck_assert_int_eq(buf_printf(&yaml, "- %s\n", name), 0);
    }
    ck_assert_int_eq(buf_printf(&answer, "OK %zu\r\n%s\r\n", yaml.len, yaml.data), 0);
    ck_assert_uint_gt(answer.len, (size_t)900000);
    /* made as it is read, so it costs no more than others */
    unread("list-tubes\r\n", TIMES, answer.data, answer.len, BOUND);
    for (int i = 0; i < TUBES; i++)
        broker_unuse(served.broker, &tubes[i]);
    buf_fini(&yaml);
    buf_fini(&answer);
}
END_TEST

/* The bodies are references: what costs memory is what stands between them. */
static void unread_peeks(size_t body, size_t times, const char *ask, const char *behind)
{
    int fd = served_connect();
    char *answer = malloc(body + 400), put[64];
    ck_assert_ptr_nonnull(answer);
    size_t head = (size_t)snprintf(answer, 100, "FOUND 1 %zu\r\n", body);
    memset(answer + head, 'b', body);
    memcpy(answer + head + body, "\r\n", 3);
    snprintf(put, sizeof(put), "put 0 0 100 %zu\r\n", body);
    peer_say(fd, put);
    peer_send(fd, answer + head, body + 2);
    peer_expect(fd, "INSERTED 1\r\n");
    strcat(answer, behind);
    unread(ask, times, answer, strlen(answer), BOUND);
    free(answer);
    peer_close(&fd);
}

START_TEST(thousands_of_peeks_of_large_bodies)
{
    unread_peeks(65535, 3000, "peek 1\r\n", "");
}
END_TEST

START_TEST(thousands_of_peeks_of_small_bodies)
{
    unread_peeks(2500, 20000, "peek 1\r\n", "");
}
END_TEST

START_TEST(thousands_of_peeks_with_small_answers_between)
{
    unread_peeks(2500, 20000, "peek 1\r\nlist-tube-used\r\n", "USING default\r\n");
}
END_TEST

START_TEST(thousands_of_small_answers)
{
    unread("peek 99999\r\n", 100000, "NOT_FOUND\r\n", 11, BOUND);
}
END_TEST

/* A job that is put, peeked and deleted lives on in the answer: what is kept is what waits. */
START_TEST(bodies_of_deleted_jobs_are_bounded)
{
    enum { BODY = 65000, JOBS = 400 };
    int fd = served_connect(), canary = served_connect();
    char *body = malloc(BODY + 1), text[64];
    ck_assert_ptr_nonnull(body);
    memset(body, 'x', BODY);
    body[BODY] = '\0';
    struct buf say = BUF_EMPTY;
    for (int i = 1; i <= JOBS; i++)
        ck_assert_int_eq(
            buf_printf(&say, "put 0 0 9 %d\r\n%s\r\npeek %d\r\ndelete %d\r\n", BODY, body, i, i),
            0);
    struct speaker speaker = {.fd = fd, .text = say.data, .len = say.len};
    size_t before = unit_allocated();
    until_stalled(&speaker, 1, canary);
    size_t after = unit_allocated();
    ck_assert_uint_le(after > before ? after - before : 0, BOUND_BUT_POOL + POOL);
    for (int i = 1; i <= JOBS; i++) {
        say_more(&speaker);
        snprintf(text, sizeof(text), "INSERTED %d\r\nFOUND %d %d\r\n", i, i, BODY);
        peer_expect(fd, text);
        peer_expect(fd, body);
        peer_expect(fd, "\r\nDELETED\r\n");
    }
    buf_fini(&say);
    free(body);
    peer_close(&fd);
    peer_close(&canary);
}
END_TEST

/* ---- what is kept for a client that does read ---- */

START_TEST(watched_tubes_are_bounded)
{
    int fd = served_connect();
    char text[64];
    for (int i = 2; i <= BROKER_WATCHED_MAX; i++) {
        snprintf(text, sizeof(text), "watch tube-%d\r\n", i);
        peer_say(fd, text);
        snprintf(text, sizeof(text), "WATCHING %d\r\n", i);
        peer_expect(fd, text);
    }
    served_ask(fd, "watch one-more\r\n", "OUT_OF_MEMORY\r\n");
    served_ask(fd, "stats-tube one-more\r\n", "NOT_FOUND\r\n");
    served_ask(fd, "watch tube-2\r\n", "WATCHING 10000\r\n"); /* which it has */
    served_ask(fd, "ignore tube-2\r\nwatch one-more\r\n", "WATCHING 9999\r\nWATCHING 10000\r\n");
    int other = served_connect();
    served_ask(other, "watch tube-2\r\n", "WATCHING 2\r\n");
    peer_close(&fd);
    peer_close(&other);
}
END_TEST

int main(void)
{
    /* These walk all tubes each time the broker lets go of its lock, and there are thousands. */
    setenv("HILERA_EXPENSIVE", "0", 1);
    Suite *suite = suite_create("unread");
    TCase *unread_case = tcase_create("unread");
    tcase_add_checked_fixture(unread_case, up, served_down);
    tcase_add_test(unread_case, thousands_of_lists_of_thousands_of_tubes);
    tcase_add_test(unread_case, thousands_of_peeks_of_large_bodies);
    tcase_add_test(unread_case, thousands_of_peeks_of_small_bodies);
    tcase_add_test(unread_case, thousands_of_peeks_with_small_answers_between);
    tcase_add_test(unread_case, thousands_of_small_answers);
    tcase_add_test(unread_case, bodies_of_deleted_jobs_are_bounded);
    tcase_add_test(unread_case, watched_tubes_are_bounded);
    suite_add_tcase(suite, unread_case);
    return unit_main(suite);
}
