// SPDX-License-Identifier: MIT
// The gate of connections: answers that wait for numbers to be reached, by the loop itself or by
// another thread, and what happens to those that never will be.

#include "base/clock.h"
#include "echo.h"
#include "peer.h"
#include "unit.h"

#include <hilera/thread.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

// A gate whose numbers the test moves.
static struct {
    _Atomic uint64_t reached[NET_GATE_LINES];
    atomic_int failed;
    atomic_bool leads; // turn_end reaches what is wanted
    atomic_int turn_ends;
    atomic_bool gathers; // it asks for one look more whenever it may
    atomic_int looks;
    atomic_bool bystander; // of the last turn
} gate;

static struct net *net;
static struct echo *echo;
static char path[PEER_PATH_MAX];

static int gate_reached(struct net_mark *mark, void *arg)
{
    ck_assert_ptr_eq(arg, &gate);
    int rc = atomic_load(&gate.failed);
    for (int i = 0; i < NET_GATE_LINES; i++)
        mark->line[i] = atomic_load(&gate.reached[i]);
    return rc;
}

static void raise_to(const struct net_mark *mark)
{
    for (int i = 0; i < NET_GATE_LINES; i++) {
        uint64_t now = atomic_load(&gate.reached[i]);
        while (now < mark->line[i] &&
               !atomic_compare_exchange_weak(&gate.reached[i], &now, mark->line[i]))
            ;
    }
}

static bool gate_turn_end(const struct net_turn *turn, void *arg)
{
    ck_assert_ptr_eq(arg, &gate);
    if (turn->more && atomic_load(&gate.gathers)) {
        atomic_fetch_add(&gate.looks, 1);
        return false;
    }
    if (atomic_load(&gate.leads))
        raise_to(&turn->mark);
    atomic_store(&gate.bystander, turn->bystander);
    atomic_fetch_add(&gate.turn_ends, 1);
    return true;
}

static const struct net_gate gate_methods = {.reached = gate_reached, .turn_end = gate_turn_end};

static void net_up(unsigned loops)
{
    memset(&gate, 0, sizeof(gate));
    peer_temp_make();
    echo = calloc(1, sizeof(*echo));
    ck_assert_ptr_nonnull(echo);
    const struct net_settings settings = {.loops = loops, .gate = &gate_methods, .gate_arg = &gate};
    struct net_error error = {""};
    ck_assert_int_eq(net_new(&net, &settings, &echo_protocol, echo), 0);
    ck_assert_msg(net_listen_unix(net, peer_temp_path(path, "s"), 0600, &error) == 0, "%s",
                  error.text);
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
    ck_assert_int_eq(atomic_load(&echo->counts.opened), atomic_load(&echo->counts.closed));
    net_free(&net);
    free(echo);
    peer_temp_remove();
}

static bool has_held(void *arg)
{
    struct net_stats stats;
    net_stats(net, &stats);
    return stats.holds >= *(uint64_t *)arg && atomic_load(&gate.turn_ends) > 0;
}

// Until as many were held, and the loop has asked for what they wait for.
static void until_held(uint64_t count)
{
    peer_until(has_held, &count);
}

static void reach(uint64_t first, uint64_t second)
{
    raise_to(&(struct net_mark){.line = {first, second}});
    net_reached(net);
}

// Nothing has come so far; by a second connection to the same loop, the first was looked at.
static void nothing_came(int fd)
{
    int other = peer_unix(path);
    peer_say(other, "echo x\n");
    peer_expect(other, "x\n");
    peer_close(&other);
    char byte;
    ck_assert_int_eq(recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK), -1);
    ck_assert_int_eq(errno, EAGAIN);
}

START_TEST(answers_wait_and_later_ones_with_them)
{
    int fd = peer_unix(path);
    peer_say(fd, "echo before\nhold 5 0\necho after\n");
    until_held(1);
    nothing_came(fd);
    reach(4, 9);
    nothing_came(fd);
    reach(5, 9);
    peer_expect(fd, "before\nheld 5 0\nafter\n");
    peer_say(fd, "hold 5 9\necho at once\n");
    peer_expect(fd, "held 5 9\nat once\n");
    peer_close(&fd);
}
END_TEST

START_TEST(both_lines_count)
{
    int one = peer_unix(path), two = peer_unix(path);
    peer_say(one, "hold 3 4\n");
    peer_say(two, "hold 0 2\n");
    until_held(2);
    reach(3, 1);
    nothing_came(one);
    nothing_came(two);
    reach(3, 2);
    peer_expect(two, "held 0 2\n");
    nothing_came(one);
    reach(3, 4);
    peer_expect(one, "held 3 4\n");
    peer_close(&one);
    peer_close(&two);
}
END_TEST

START_TEST(the_loop_may_lead_itself)
{
    atomic_store(&gate.leads, true);
    int fd = peer_unix(path);
    char line[64], expect[64];
    for (int i = 1; i <= 100; i++) {
        snprintf(line, sizeof(line), "hold %d %d\n", i, 2 * i);
        snprintf(expect, sizeof(expect), "held %d %d\n", i, 2 * i);
        peer_say(fd, line);
        peer_expect(fd, expect);
    }
    ck_assert_int_eq(atomic_load(&gate.turn_ends), 100);
    peer_close(&fd);
}
END_TEST

// The gate would rather wait for more: it is asked again without an event, and gets no more looks
// than are worth it.
START_TEST(gathering_ends)
{
    atomic_store(&gate.leads, true);
    atomic_store(&gate.gathers, true);
    int one = peer_unix(path), two = peer_unix(path);
    for (uint64_t i = 1; i <= 50; i++) {
        char line[64], expect[64];
        snprintf(line, sizeof(line), "hold %d 0\n", (int)i);
        snprintf(expect, sizeof(expect), "held %d 0\n", (int)i);
        peer_say(one, line);
        peer_say(two, line);
        peer_expect(one, expect);
        peer_expect(two, expect);
    }
    ck_assert_int_ge(atomic_load(&gate.looks), 50);
    ck_assert_int_le(atomic_load(&gate.looks), 100); // one for each that was held
    ck_assert_int_le(atomic_load(&gate.turn_ends), 100);
    peer_close(&one);
    peer_close(&two);
}
END_TEST

static int writer;
static uint64_t held;

// Whether the loop says that there is a bystander, when the writer is held.
static bool bystander(void)
{
    char line[64], expect[64];
    held++;
    snprintf(line, sizeof(line), "hold %d 0\n", (int)held);
    snprintf(expect, sizeof(expect), "held %d 0\n", (int)held);
    peer_say(writer, line);
    peer_expect(writer, expect);
    return atomic_load(&gate.bystander);
}

static void look(int fd)
{
    peer_say(fd, "echo x\n");
    peer_expect(fd, "x\n");
}

// Who looks, and asks nothing of the gate for ten seconds, is one, until it is silent for as long.
START_TEST(bystanders_are_told_of)
{
    clock_virtual_start(1000 * HL_SECOND);
    atomic_store(&gate.leads, true);
    held = 0;
    writer = peer_unix(path);
    int looker = peer_unix(path);
    look(looker);
    ck_assert(!bystander()); // it came just now
    clock_virtual_advance(NET_BYSTANDER_NS - 1);
    look(looker);
    ck_assert(!bystander());
    clock_virtual_advance(1);
    look(looker);
    ck_assert(bystander());
    clock_virtual_advance(NET_BYSTANDER_NS - 1);
    ck_assert(bystander());
    clock_virtual_advance(1);
    ck_assert(!bystander()); // it is silent
    look(looker);
    ck_assert(bystander());
    clock_virtual_advance(NET_BYSTANDER_NS);
    peer_say(looker, "asks\n");
    look(looker);
    ck_assert(!bystander());
    clock_virtual_advance(NET_BYSTANDER_NS - 1);
    look(looker);
    ck_assert(!bystander());
    peer_say(looker, "hold 1 0\n");
    peer_expect(looker, "held 1 0\n");
    clock_virtual_advance(NET_BYSTANDER_NS - 1);
    look(looker);
    ck_assert(!bystander());
    peer_close(&looker);
    peer_close(&writer);
    clock_virtual_stop();
}
END_TEST

START_TEST(what_arrives_meanwhile_is_kept)
{
    int fd = peer_unix(path);
    peer_say(fd, "hold 1 0\n");
    until_held(1);
    peer_say(fd, "echo second\nhold 2 0\nrecv 3\n");
    nothing_came(fd);
    peer_say(fd, "\1\2\3echo third\n");
    reach(1, 0);
    peer_expect(fd, "held 1 0\n");
    reach(2, 0);
    peer_expect(fd, "second\nheld 2 0\nsum 6\nthird\n");
    peer_close(&fd);
}
END_TEST

START_TEST(ends_flush_first)
{
    int quits = peer_unix(path), half = peer_unix(path);
    peer_say(quits, "hold 1 0\nquit\n");
    peer_say(half, "hold 1 0\necho more\n");
    ck_assert_int_eq(shutdown(half, SHUT_WR), 0);
    until_held(2);
    nothing_came(quits);
    reach(1, 0);
    peer_expect(quits, "held 1 0\n");
    peer_expect_eof(quits);
    peer_expect(half, "held 1 0\nmore\n");
    peer_expect_eof(half);
    peer_close(&quits);
    peer_close(&half);
}
END_TEST

START_TEST(a_held_connection_may_go)
{
    int fd = peer_unix(path), stays = peer_unix(path);
    peer_say(fd, "hold 7 0\n");
    peer_say(stays, "hold 7 0\n");
    until_held(2);
    struct linger at_once = {.l_onoff = 1};
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
    peer_close(&fd);
    reach(7, 0);
    peer_expect(stays, "held 7 0\n");
    peer_close(&stays);
}
END_TEST

START_TEST(what_never_will_be_is_not_answered)
{
    int good = peer_unix(path), bad = peer_unix(path), later = peer_unix(path);
    peer_say(good, "hold 1 0\n");
    peer_say(bad, "echo not this\nhold 2 0\n");
    until_held(2);
    raise_to(&(struct net_mark){.line = {1, 0}});
    atomic_store(&gate.failed, EIO);
    net_reached(net);
    peer_expect(good, "held 1 0\n");
    peer_expect_eof(bad);
    peer_say(later, "echo free\n");
    peer_expect(later, "free\n");
    peer_say(later, "hold 9 0\n");
    peer_expect_eof(later);
    peer_close(&good);
    peer_close(&bad);
    peer_close(&later);
}
END_TEST

static void stopper(void *arg)
{
    (void)arg;
    net_stop(net, 30 * HL_SECOND);
}

START_TEST(a_stop_waits_for_held_answers)
{
    int fd = peer_unix(path), idle = peer_unix(path);
    peer_say(idle, "echo x\n");
    peer_expect(idle, "x\n");
    peer_say(fd, "hold 1 0\n");
    until_held(1);
    hl_thread *thread;
    struct hl_thread_options options = {.target = stopper, .daemon = HL_DAEMON_NO};
    ck_assert_int_eq(hl_thread_new(&thread, &options), 0);
    ck_assert_int_eq(hl_thread_start(thread), 0);
    peer_expect_eof(idle); // it stops
    reach(1, 0);
    peer_expect(fd, "held 1 0\n");
    peer_expect_eof(fd);
    ck_assert_int_eq(hl_thread_join(thread, HL_FOREVER), 0);
    hl_thread_free(&thread);
    peer_close(&fd);
    peer_close(&idle);
}
END_TEST

// ---- a thread that reaches, clients that wait: nobody may sleep for ever ----

#define CLIENTS 6
#define ROUNDS 300

static atomic_bool done;
static _Atomic uint64_t last;

static void reacher(void *arg)
{
    (void)arg;
    while (!atomic_load(&done)) {
        uint64_t to = atomic_load(&last);
        reach(to, to);
    }
}

static void client(void *arg)
{
    (void)arg;
    int fd = peer_unix(path);
    char line[64], expect[64];
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t mine = atomic_fetch_add(&last, 1) + 1;
        snprintf(line, sizeof(line), "hold %" PRIu64 " 0\n", mine);
        snprintf(expect, sizeof(expect), "held %" PRIu64 " 0\n", mine);
        peer_say(fd, line);
        peer_expect(fd, expect);
    }
    peer_close(&fd);
}

START_TEST(nobody_is_forgotten)
{
    hl_thread *thread[CLIENTS + 1];
    for (int i = 0; i <= CLIENTS; i++) {
        struct hl_thread_options options = {.target = i < CLIENTS ? client : reacher,
                                            .daemon = HL_DAEMON_NO};
        ck_assert_int_eq(hl_thread_new(&thread[i], &options), 0);
        ck_assert_int_eq(hl_thread_start(thread[i]), 0);
    }
    for (int i = 0; i <= CLIENTS; i++) {
        if (i == CLIENTS)
            atomic_store(&done, true);
        ck_assert_int_eq(hl_thread_join(thread[i], HL_FOREVER), 0);
        hl_thread_free(&thread[i]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gate");
    TCase *one = tcase_create("one loop");
    tcase_add_checked_fixture(one, up_one, down);
    tcase_add_test(one, answers_wait_and_later_ones_with_them);
    tcase_add_test(one, both_lines_count);
    tcase_add_test(one, the_loop_may_lead_itself);
    tcase_add_test(one, gathering_ends);
    tcase_add_test(one, bystanders_are_told_of);
    tcase_add_test(one, what_arrives_meanwhile_is_kept);
    tcase_add_test(one, ends_flush_first);
    tcase_add_test(one, a_held_connection_may_go);
    tcase_add_test(one, what_never_will_be_is_not_answered);
    tcase_add_test(one, a_stop_waits_for_held_answers);
    suite_add_tcase(suite, one);
    TCase *three = tcase_create("three loops");
    tcase_add_checked_fixture(three, up_three, down);
    tcase_add_test(three, nobody_is_forgotten);
    suite_add_tcase(suite, three);
    return unit_main(suite);
}
