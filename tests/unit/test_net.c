// SPDX-License-Identifier: MIT
/*
 * Connections on their loops, driven from outside through real sockets, with the protocol of
 * echo.h: order, pieces, bodies, pauses, half-closes, readers that don't read, ends of all kinds.
 */
#include "base/clock.h"
#include "base/list.h"
#include "echo.h"
#include "peer.h"
#include "unit.h"

#include <hilera/thread.h>
#include <hilera/version.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct net *net;
static struct echo *echo;
static char path[PEER_PATH_MAX];
static size_t output_max; /* of the settings; 0: the default */

static void net_up(unsigned loops)
{
    peer_temp_make();
    echo = calloc(1, sizeof(*echo));
    ck_assert_ptr_nonnull(echo);
    const struct net_settings settings = {.loops = loops, .output_max = output_max};
    struct net_error error = {""};
    ck_assert_int_eq(net_new(&net, &settings, &echo_protocol, echo), 0);
    ck_assert_msg(net_listen_unix(net, peer_temp_path(path, "s"), 0600, &error) == 0, "%s",
                  error.text);
    ck_assert_msg(net_listen_tcp(net, "127.0.0.1", 0, &error) == 0, "%s", error.text);
    ck_assert_int_eq(net_start(net), 0);
}

static void up_one(void)
{
    net_up(1);
}

static void up_three(void)
{
    net_up(3);
}

static void down(void)
{
    net_stop(net, 0);
    struct net_stats stats;
    net_stats(net, &stats);
    ck_assert_uint_eq(stats.connections, 0);
    ck_assert_int_eq(atomic_load(&echo->counts.opened), atomic_load(&echo->counts.closed));
    ck_assert_int_eq(atomic_load(&echo->counts.refs), 0);
    net_free(&net);
    free(echo);
    peer_temp_remove();
}

/* ---- waiting for counters ---- */

struct at_least {
    atomic_int *counter;
    int number;
};

static bool reached(void *arg)
{
    const struct at_least *what = arg;
    return atomic_load(what->counter) >= what->number;
}

static void until(atomic_int *counter, int number)
{
    struct at_least what = {counter, number};
    peer_until(reached, &what);
}

static bool has_stalled(void *arg)
{
    struct net_stats stats;
    net_stats(net, &stats);
    return stats.stalls >= *(uint64_t *)arg;
}

/* Counted after the bytes went out, so who read them may be ahead of the count. */
static bool has_written(void *arg)
{
    struct net_stats stats;
    net_stats(net, &stats);
    return stats.bytes_out == *(size_t *)arg;
}

static bool all_gone(void *arg)
{
    (void)arg;
    struct net_stats stats;
    net_stats(net, &stats);
    return stats.connections == 0;
}

/* ---- plain ---- */

START_TEST(answers_on_both_kinds_of_socket)
{
    int fd = peer_unix(path);
    peer_say(fd, "echo one\n");
    peer_expect(fd, "one\n");
    int tcp = peer_tcp(net_listener_port(net, 1));
    peer_say(tcp, "echo two\n");
    peer_expect(tcp, "two\n");
    peer_close(&fd);
    peer_close(&tcp);
    peer_until(all_gone, NULL);
}
END_TEST

START_TEST(answers_many_at_once_in_order)
{
    enum { COUNT = 5000 };
    int fd = peer_unix(path);
    char *say = malloc(COUNT * 16), *expect = malloc(COUNT * 16);
    ck_assert(say != NULL && expect != NULL);
    size_t say_len = 0, expect_len = 0;
    for (int i = 0; i < COUNT; i++) {
        say_len += (size_t)sprintf(say + say_len, "echo %d\n", i);
        expect_len += (size_t)sprintf(expect + expect_len, "%d\n", i);
    }
    peer_send(fd, say, say_len);
    peer_expect(fd, expect);
    struct net_stats stats;
    net_stats(net, &stats);
    ck_assert_uint_gt(stats.yields, 0);
    ck_assert_uint_eq(stats.bytes_in, say_len);
    peer_until(has_written, &expect_len);
    free(say);
    free(expect);
    peer_close(&fd);
}
END_TEST

START_TEST(input_may_come_in_any_pieces)
{
    static const char say[] = "echo first\nrecv 5\nabcdeecho second\nrecv 1\nzbig 10\necho third\n";
    static const char expect_1[] = "first\nsum 495\nsecond\nsum 122\n";
    struct unit_random random = peer_random();
    for (int round = 0; round < 20; round++) {
        int fd = peer_unix(path);
        peer_send_in_pieces(fd, say, sizeof(say) - 1, round == 0 ? 1 : 9, &random);
        peer_expect(fd, expect_1);
        char zeros[10];
        peer_read(fd, zeros, sizeof(zeros));
        peer_expect(fd, "third\n");
        peer_close(&fd);
    }
}
END_TEST

START_TEST(large_body_goes_to_its_memory)
{
    enum { SIZE = 3 << 20 };
    unsigned char *body = malloc(SIZE);
    ck_assert_ptr_nonnull(body);
    unsigned long sum = 0;
    for (size_t i = 0; i < SIZE; i++)
        sum += body[i] = (unsigned char)(i * 31);
    int fd = peer_unix(path);
    for (int round = 0; round < 2; round++) {
        char text[64];
        snprintf(text, sizeof(text), "echo before\nrecv %d\n", SIZE);
        peer_say(fd, text);
        peer_send(fd, body, SIZE);
        peer_say(fd, "echo behind\n");
        snprintf(text, sizeof(text), "before\nsum %lu\nbehind\n", sum);
        peer_expect(fd, text);
    }
    free(body);
    peer_close(&fd);
}
END_TEST

START_TEST(quit_ends_after_the_answers)
{
    int fd = peer_unix(path);
    peer_say(fd, "echo a\nbig 300000\nquit\necho never\n");
    peer_expect(fd, "a\n");
    char *got = malloc(300000);
    ck_assert_ptr_nonnull(got);
    peer_read(fd, got, 300000);
    free(got);
    peer_expect_eof(fd);
    peer_close(&fd);
}
END_TEST

START_TEST(half_close_is_answered_to_the_end)
{
    int fd = peer_unix(path);
    for (int i = 0; i < 3000; i++)
        peer_say(fd, "echo x\n");
    peer_say(fd, "echo incomplete");
    shutdown(fd, SHUT_WR);
    for (int i = 0; i < 3000; i++)
        peer_expect(fd, "x\n");
    peer_expect_eof(fd);
    peer_close(&fd);
}
END_TEST

START_TEST(leaving_in_the_middle_of_a_body_frees_it)
{
    for (int i = 0; i < 50; i++) {
        int fd = peer_unix(path);
        peer_say(fd, "recv 100000\nabc");
        peer_close(&fd);
    }
    until(&echo->counts.closed, 50);
}
END_TEST

/* ---- readers that don't read ---- */

START_TEST(stalled_reader_costs_bounded_memory)
{
    enum { COUNT = 1000, SIZE = 65536 };
    output_max = _i == 0 ? 0 : 4096;
    int most = (int)((_i == 0 ? NET_OUTPUT_HIGH : output_max) / SIZE) + 1;
    up_one();
    int fd = peer_unix(path);
    char *say = malloc(COUNT * 16);
    ck_assert_ptr_nonnull(say);
    size_t len = 0;
    for (int i = 0; i < COUNT; i++)
        len += (size_t)sprintf(say + len, "big %d\n", SIZE);
    peer_send(fd, say, len);
    uint64_t once = 1;
    peer_until(has_stalled, &once);
    /* Answers up to the limit, one that went over it; nothing else was executed. */
    ck_assert_int_le(atomic_load(&echo->counts.refs_most), most);
    /* Others are served. */
    int other = peer_unix(path);
    peer_say(other, "echo canary\n");
    peer_expect(other, "canary\n");
    peer_close(&other);
    char *got = malloc(SIZE);
    ck_assert_ptr_nonnull(got);
    for (int i = 0; i < COUNT; i++)
        peer_read(fd, got, SIZE);
    peer_say(fd, "echo end\n");
    peer_expect(fd, "end\n");
    ck_assert_int_le(atomic_load(&echo->counts.refs_most), most);
    free(got);
    free(say);
    peer_close(&fd);
    down();
}
END_TEST

START_TEST(reader_that_never_reads_can_leave)
{
    int fd = peer_unix(path);
    for (int i = 0; i < 100; i++)
        peer_say(fd, "big 65536\n");
    uint64_t once = 1;
    peer_until(has_stalled, &once);
    peer_close(&fd);
    until(&echo->counts.closed, 1);
}
END_TEST

/* The sender finds its socket full: what it pipelines behind a stalled command isn't taken in. */
START_TEST(stalled_sender_is_held_up)
{
    int fd = peer_unix(path);
    for (int i = 0; i < 20; i++)
        peer_say(fd, "big 65536\n");
    uint64_t once = 1;
    peer_until(has_stalled, &once);
    ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    char line[1000];
    memset(line, 'y', sizeof(line));
    memcpy(line, "echo ", 5);
    size_t sent = 0;
    ssize_t n;
    while ((n = send(fd, line, sizeof(line), MSG_NOSIGNAL)) > 0 && sent < (64U << 20))
        sent += (size_t)n;
    ck_assert_uint_lt(sent, 4U << 20);
    struct net_stats stats;
    net_stats(net, &stats);
    ck_assert_uint_le(stats.bytes_in, 2 * NET_READ_SIZE);
    peer_close(&fd);
}
END_TEST

/* ---- pauses ---- */

START_TEST(later_answer_holds_up_what_is_behind)
{
    int fd = peer_unix(path);
    peer_say(fd, "echo a\nlater\necho b\n");
    peer_expect(fd, "a\n");
    until(&echo->counts.paused, 1);
    peer_say(fd, "later\necho c\n");
    echo_release(echo, 0);
    peer_expect(fd, "released\nb\n");
    until(&echo->counts.paused, 2);
    echo_release(echo, 1);
    peer_expect(fd, "released\nc\n");
    peer_close(&fd);
}
END_TEST

START_TEST(pause_outlives_a_hangup_and_a_stop_of_listening)
{
    int fd = peer_unix(path);
    peer_say(fd, "later\n");
    until(&echo->counts.paused, 1);
    peer_close(&fd);
    until(&echo->counts.hangups, 1);
    echo_release(echo, 0);
    /* the connection was paused, half-closed for all it knew, and ends when it goes on */
    until(&echo->counts.closed, 1);
    ck_assert_int_eq(atomic_load(&echo->counts.released_late), 0);

    fd = peer_unix(path);
    peer_say(fd, "later\n");
    until(&echo->counts.paused, 2);
    net_stop_listening(net);
    echo_release(echo, 1);
    peer_expect(fd, "released\n");
    peer_close(&fd);
}
END_TEST

/* As much as is read ahead was sent, so reading has stopped; the end is noticed all the same. (Not
 * behind much more: then TCP keeps the end back until somebody reads.) */
START_TEST(hangup_is_noticed_behind_unread_input)
{
    for (int tcp = 0; tcp < 2; tcp++) {
        int fd = tcp ? peer_tcp(net_listener_port(net, 1)) : peer_unix(path);
        peer_say(fd, "later\n");
        until(&echo->counts.paused, tcp + 1);
        for (int i = 0; i < 70; i++) {
            char fill[1000];
            memset(fill, '\n', sizeof(fill)); /* empty lines */
            peer_send(fd, fill, sizeof(fill));
        }
        peer_close(&fd);
        until(&echo->counts.hangups, tcp + 1);
        echo_release(echo, tcp);
        until(&echo->counts.closed, tcp + 1);
    }
}
END_TEST

/* ---- messages ---- */

enum { POSTERS = 4, POSTS = 5000 };

static struct post {
    struct loop_message message;
    int poster, number;
} posts[POSTERS][POSTS];
static struct conn_handle post_to;
static int post_last[POSTERS];           /* on the loop's thread */
static atomic_int posts_here, posts_bad; /* delivered; out of order or to nobody */

static void post_deliver(struct loop_message *message, void *session)
{
    struct post *post = CONTAINER_OF(message, struct post, message);
    if (session == NULL || post->number != ++post_last[post->poster])
        atomic_fetch_add(&posts_bad, 1);
    atomic_fetch_add(&posts_here, 1);
}

static void post_all(void *arg)
{
    struct post *mine = arg;
    for (int i = 0; i < POSTS; i++) {
        mine[i].message = (struct loop_message){.to = post_to, .deliver = post_deliver};
        loop_post(&mine[i].message);
    }
}

START_TEST(messages_of_each_thread_arrive_in_order)
{
    int fd = peer_unix(path);
    peer_say(fd, "later\n");
    until(&echo->counts.paused, 1);
    post_to = atomic_load(&echo->waiting[0])->to;
    hl_thread *posters[POSTERS];
    for (int i = 0; i < POSTERS; i++) {
        for (int j = 0; j < POSTS; j++)
            posts[i][j] = (struct post){.poster = i, .number = j + 1};
        const struct hl_thread_options options = {.target = post_all, .arg = posts[i]};
        ck_assert_int_eq(hl_thread_new(&posters[i], &options), 0);
        ck_assert_int_eq(hl_thread_start(posters[i]), 0);
    }
    /* the loop sleeps and wakes between them all the while */
    int other = peer_unix(path);
    for (int i = 0; i < 200; i++) {
        peer_say(other, "echo x\n");
        peer_expect(other, "x\n");
    }
    until(&posts_here, POSTERS * POSTS);
    ck_assert_int_eq(atomic_load(&posts_bad), 0);
    for (int i = 0; i < POSTERS; i++) {
        ck_assert_int_eq(hl_thread_join(posters[i], HL_FOREVER), 0);
        hl_thread_free(&posters[i]);
    }
    echo_release(echo, 0);
    peer_expect(fd, "released\n");
    peer_close(&fd);
    peer_close(&other);
}
END_TEST

START_TEST(timer_fires_when_the_clock_says)
{
    clock_virtual_start(1000 * HL_SECOND);
    int early = peer_unix(path), late = peer_unix(path);
    peer_say(late, "timer 20000\necho behind\n");
    peer_say(early, "timer 10000\n");
    until(&echo->counts.paused, 2);
    clock_virtual_advance(10 * HL_SECOND);
    peer_expect(early, "time\n");
    peer_say(early, "timer 1000000000\n");
    until(&echo->counts.paused, 3);
    clock_virtual_advance(10 * HL_SECOND);
    peer_expect(late, "time\nbehind\n");
    peer_close(&early);
    until(&echo->counts.hangups, 1);
    peer_close(&late);
    net_stop(net, 0);
    clock_virtual_stop();
}
END_TEST

START_TEST(timer_fires_by_the_real_clock)
{
    int fd = peer_unix(path);
    int64_t start_ns = clock_now_ns();
    peer_say(fd, "timer 20\n");
    peer_expect(fd, "time\n");
    ck_assert_int_ge(clock_now_ns() - start_ns, 20 * HL_MILLISECOND);
    peer_close(&fd);
}
END_TEST

/* ---- many ---- */

START_TEST(thousand_connections_share_the_loops)
{
    enum { COUNT = 450 }; /* the usual limit of descriptors is 1024, and both ends are here */
    int fds[COUNT];
    for (int i = 0; i < COUNT; i++)
        fds[i] = i % 2 ? peer_unix(path) : peer_tcp(net_listener_port(net, 1));
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < COUNT; i++) {
            char text[32];
            snprintf(text, sizeof(text), "echo %d.%d\n", i, round);
            peer_say(fds[i], text);
        }
        for (int i = 0; i < COUNT; i++) {
            char text[32];
            snprintf(text, sizeof(text), "%d.%d\n", i, round);
            peer_expect(fds[i], text);
        }
    }
    struct net_stats stats;
    net_stats(net, &stats);
    ck_assert_uint_eq(stats.connections, COUNT);
    ck_assert_uint_eq(stats.accepted, COUNT);
    for (int i = 0; i < COUNT; i++)
        peer_close(&fds[i]);
    peer_until(all_gone, NULL);
}
END_TEST

/* ---- stopping ---- */

static void stop_soon(void *arg)
{
    (void)arg;
    net_stop(net, 3600 * HL_SECOND);
}

START_TEST(stop_writes_what_was_answered)
{
    enum { SIZE = 1 << 20 };
    int fd = peer_unix(path);
    peer_say(fd, "echo a\nbig 1048576\n");
    peer_expect(fd, "a\n");
    hl_thread *stopper;
    const struct hl_thread_options options = {.target = stop_soon, .name = "stopper"};
    ck_assert_int_eq(hl_thread_new(&stopper, &options), 0);
    ck_assert_int_eq(hl_thread_start(stopper), 0);
    char *got = malloc(SIZE);
    ck_assert_ptr_nonnull(got);
    peer_read(fd, got, SIZE);
    free(got);
    peer_expect_eof(fd);
    ck_assert_int_eq(hl_thread_join(stopper, HL_FOREVER), 0);
    hl_thread_free(&stopper);
    peer_close(&fd);
}
END_TEST

START_TEST(stop_waits_no_longer_than_its_grace)
{
    int fd = peer_unix(path);
    peer_say(fd, "echo a\nbig 1048576\n");
    peer_expect(fd, "a\n");
    net_stop(net, HL_MILLISECOND);
    peer_close(&fd);
}
END_TEST

static void release_second(void *arg)
{
    (void)arg;
    until(&echo->counts.closed, 1);
    echo_release(echo, 0);
}

/* A message that was promised is waited for, though its connection is closed long since. */
START_TEST(stop_waits_for_promised_messages)
{
    int fd = peer_unix(path);
    peer_say(fd, "later\n");
    until(&echo->counts.paused, 1);
    hl_thread *releaser;
    const struct hl_thread_options options = {.target = release_second, .name = "releaser"};
    ck_assert_int_eq(hl_thread_new(&releaser, &options), 0);
    ck_assert_int_eq(hl_thread_start(releaser), 0);
    net_stop(net, 3600 * HL_SECOND);
    ck_assert_int_eq(atomic_load(&echo->counts.released_late), 1);
    ck_assert_int_eq(hl_thread_join(releaser, HL_FOREVER), 0);
    hl_thread_free(&releaser);
    peer_expect_eof(fd);
    peer_close(&fd);
}
END_TEST

START_TEST(stop_twice_and_unstarted_is_harmless)
{
    net_stop(net, 0);
    net_stop(net, 0);
    struct net *idle;
    const struct net_settings settings = {.loops = 2};
    ck_assert_int_eq(net_new(&idle, &settings, &echo_protocol, echo), 0);
    net_stop_listening(idle);
    net_stop(idle, 0);
    net_free(&idle);
    ck_assert_ptr_null(idle);
    net_free(&idle);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("net");
    TCase *one = tcase_create("one loop");
    tcase_add_checked_fixture(one, up_one, down);
    tcase_add_test(one, answers_on_both_kinds_of_socket);
    tcase_add_test(one, answers_many_at_once_in_order);
    tcase_add_test(one, input_may_come_in_any_pieces);
    tcase_add_test(one, large_body_goes_to_its_memory);
    tcase_add_test(one, quit_ends_after_the_answers);
    tcase_add_test(one, half_close_is_answered_to_the_end);
    tcase_add_test(one, leaving_in_the_middle_of_a_body_frees_it);
    tcase_add_test(one, reader_that_never_reads_can_leave);
    tcase_add_test(one, stalled_sender_is_held_up);
    tcase_add_test(one, later_answer_holds_up_what_is_behind);
    tcase_add_test(one, pause_outlives_a_hangup_and_a_stop_of_listening);
    tcase_add_test(one, hangup_is_noticed_behind_unread_input);
    tcase_add_test(one, messages_of_each_thread_arrive_in_order);
    tcase_add_test(one, timer_fires_when_the_clock_says);
    tcase_add_test(one, timer_fires_by_the_real_clock);
    suite_add_tcase(suite, one);

    TCase *three = tcase_create("three loops");
    tcase_add_checked_fixture(three, up_three, down);
    tcase_add_test(three, thousand_connections_share_the_loops);
    tcase_add_test(three, stop_writes_what_was_answered);
    tcase_add_test(three, stop_waits_no_longer_than_its_grace);
    tcase_add_test(three, stop_waits_for_promised_messages);
    tcase_add_test(three, stop_twice_and_unstarted_is_harmless);
    suite_add_tcase(suite, three);
    TCase *output = tcase_create("output");
    tcase_add_loop_test(output, stalled_reader_costs_bounded_memory, 0, 2);
    suite_add_tcase(suite, output);
    return unit_main(suite);
}
