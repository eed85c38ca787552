// SPDX-License-Identifier: MIT
// Connections to a broker whose journal is busy: who waits for it holds up nobody else of his loop,
// and has the answer when there is room.

#include "busy.h"
#include "journal_disk.h"
#include "served.h"

#include "base/clock.h"
#include "base/log.h"
#include "journal/journal.h"
#include "store/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>

static struct journal *journal;
static struct store_options log_options;
static struct broker_client client;
static struct tube *tube;
static int worker, canary;

// One loop, and virtual time. The worker has reserved job 1; jobs 2 to 4 are buried.
static void setup(void)
{
    disk_log_drop();
    disk_start();
    journal = disk_journal();
    log_options = (struct store_options){.journal = journal, .thread = true};
    served_setup_with(&(struct served_options){.log = &log_options, .level = DURABILITY_COMMIT});
    /* Tubes in which a put finds room whatever the journal is busy with. */
    ck_assert_int_eq(broker_tube_durability(served.broker, "other", 5, DURABILITY_MEMORY, 0), 0);
    ck_assert_int_eq(broker_tube_durability(served.broker, "more", 4, DURABILITY_MEMORY, 0), 0);
    ck_assert_int_eq(broker_use(served.broker, "full", 4, &tube), 0);
    ck_assert_int_eq(broker_client_init(&client, served.broker), 0);
    size_t count;
    ck_assert_int_eq(broker_watch(&client, "full", 4, &count), 0);
    ck_assert_int_eq(broker_ignore(&client, "default", 7, &count), 0);
    worker = served_connect();
    canary = served_connect();
    for (int i = 1; i <= 4; i++) {
        char answer[64];
        snprintf(answer, sizeof(answer), "INSERTED %d\r\nRESERVED %d 1\r\nx\r\n", i, i);
        served_ask(worker, "put 0 0 60 1\r\nx\r\nreserve\r\n", answer);
        snprintf(answer, sizeof(answer), "bury %d 0\r\n", i);
        if (i > 1)
            served_ask(worker, answer, "BURIED\r\n");
    }
}

static void teardown(void)
{
    disk_space(0);
    peer_close(&worker);
    peer_close(&canary);
    ck_assert(broker_client_fini(&client));
    broker_unuse(served.broker, &tube);
    broker_set_hooks(served.broker, NULL, NULL);
    served_teardown();
    (void)journal_close(&journal);
    disk_stop();
}

static bool as_many_stand(void *arg)
{
    struct store_stats stats;
    broker_store_stats(served.broker, &stats);
    return stats.standing == *(const uint64_t *)arg;
}

static void until_standing(uint64_t count)
{
    peer_until(as_many_stand, &count);
}

// Says that, which has to wait; the canary, on the same loop, has its answer all the same.
static void say_and_wait(int fd, const char *say, uint64_t standing)
{
    peer_say(fd, say);
    until_standing(standing);
    served_ask(canary, "list-tube-used\r\n", "USING default\r\n");
}

static struct broker_stats default_stats(void)
{
    struct broker_stats stats;
    ck_assert_int_eq(broker_tube_stats(served.broker, "default", 7, &stats), 0);
    return stats;
}

START_TEST(others_are_served_meanwhile)
{
    (void)busy_changes(served.broker, tube, &client);
    int kicker = served_connect();
    say_and_wait(worker, "release 1 5 0\r\n", 1);
    say_and_wait(kicker, "kick-job 2\r\n", 2);
    ck_assert_uint_eq(default_stats().count[JOB_RESERVED], 1);
    busy_compact(served.broker);
    peer_expect(worker, "RELEASED\r\n");
    peer_expect(kicker, "KICKED\r\n");
    ck_assert_uint_eq(default_stats().count[JOB_READY], 2);
    peer_close(&kicker);
}
END_TEST

START_TEST(what_stands_behind_is_done_afterwards)
{
    (void)busy_changes(served.broker, tube, &client);
    say_and_wait(worker, "release 1 5 0\r\nreserve\r\nbury 1 0\r\n", 1);
    busy_compact(served.broker);
    peer_expect(worker, "RELEASED\r\nRESERVED 1 1\r\nx\r\nBURIED\r\n");
}
END_TEST

// Commands of one read: those behind the one that waits are kept, words of bad ones in their place.
START_TEST(a_batch_goes_on_where_it_stopped)
{
    (void)busy_changes(served.broker, tube, &client);
    say_and_wait(worker,
                 "touch 1\r\nrelease 1 5 0\r\nkick-job 2\r\nnonsense\r\nkick-job 9\r\n"
                 "bury 1 0\r\nkick-job 3\r\nput 0 0\r\ndelete 3\r\nlist-tube-used\r\nkick 9\r\n",
                 1);
    busy_compact(served.broker);
    peer_expect(worker, "TOUCHED\r\nRELEASED\r\nKICKED\r\nUNKNOWN_COMMAND\r\nNOT_FOUND\r\n"
                        "NOT_FOUND\r\nKICKED\r\nBAD_FORMAT\r\nDELETED\r\nUSING default\r\n"
                        "KICKED 1\r\n");
}
END_TEST

// A put into another tube keeps that as long as it stands behind; its id is that of its place.
START_TEST(a_put_behind_has_its_id)
{
    (void)busy_changes(served.broker, tube, &client);
    uint64_t last = broker_take_id(served.broker);
    char expect[256];
    say_and_wait(worker,
                 "touch 1\r\nrelease 1 5 0\r\nput-in-tube other 0 0 60 1\r\ny\r\n"
                 "put-in-tube more 0 0 60 1\r\nz\r\n",
                 1);
    ck_assert_uint_eq(broker_take_id(served.broker), last + 3);
    busy_compact(served.broker);
    snprintf(expect, sizeof(expect),
             "TOUCHED\r\nRELEASED\r\nINSERTED %" PRIu64 "\r\nINSERTED %" PRIu64 "\r\n", last + 1,
             last + 2);
    peer_expect(worker, expect);
}
END_TEST

static void call(int fd, const char *method, const char *json, uint64_t standing)
{
    char text[256];
    snprintf(text, sizeof(text), "call %s %zu\r\n%s\r\n", method, strlen(json), json);
    say_and_wait(fd, text, standing);
}

static void call_expect(int fd, const char *json)
{
    char line[256];
    ck_assert_int_eq(strncmp(peer_line(fd, line, sizeof(line)), "OK ", 3), 0);
    ck_assert_msg(strstr(peer_line(fd, line, sizeof(line)), json) == line, "%s", line);
}

START_TEST(walks_and_calls_go_on)
{
    int caller = served_connect(), pauser = served_connect();
    served_ask(caller, "put-in-tube u 0 0 60 1\r\ny\r\nreserve-job 5\r\nbury 5 0\r\n",
               "INSERTED 5\r\nRESERVED 5 1\r\ny\r\nBURIED\r\n");
    (void)busy_changes(served.broker, tube, &client);
    call(caller, "kick", "{\"tube\":\"u\",\"state\":\"buried\"}", 1);
    say_and_wait(worker, "kick 10\r\n", 2);
    call(pauser, "pause", "{\"tube\":\"default\",\"time\":5}", 3);
    busy_compact(served.broker);
    call_expect(caller, "{\"count\":1,\"next\":null,");
    peer_expect(worker, "KICKED 3\r\n");
    call_expect(pauser, "{\"tube\":\"default\",\"pause_left\":5");
    peer_close(&caller);
    peer_close(&pauser);
}
END_TEST

START_TEST(a_token_waits_for_its_record)
{
    int taker = served_connect();
    char line[128];
    served_ask(taker, "put 0 0 60 1\r\ny\r\n", "INSERTED 5\r\n");
    (void)busy_changes(served.broker, tube, &client);
    say_and_wait(taker, "reserve-token 0\r\n", 1);
    say_and_wait(worker, "reserve-job-token 2\r\n", 2);
    busy_compact(served.broker);
    ck_assert_int_eq(strncmp(peer_line(taker, line, sizeof(line)), "RESERVED_TOKEN 5 ", 17), 0);
    peer_expect(taker, "y\r\n");
    ck_assert_int_eq(strncmp(peer_line(worker, line, sizeof(line)), "RESERVED_TOKEN 2 ", 17), 0);
    peer_expect(worker, "x\r\n");
    peer_close(&taker);
}
END_TEST

// It sends no more, and still reads.
START_TEST(half_a_connection_has_its_answer)
{
    (void)busy_changes(served.broker, tube, &client);
    say_and_wait(worker, "release 1 5 0\r\n", 1);
    int walker = served_connect();
    say_and_wait(walker, "kick 1\r\n", 2);
    ck_assert_int_eq(shutdown(worker, SHUT_WR), 0);
    ck_assert_int_eq(shutdown(walker, SHUT_WR), 0);
    served_ask(canary, "list-tube-used\r\n", "USING default\r\n");
    busy_compact(served.broker);
    peer_expect(worker, "RELEASED\r\n");
    peer_expect_eof(worker);
    peer_expect(walker, "KICKED 1\r\n");
    peer_expect_eof(walker);
    peer_close(&walker);
}
END_TEST

static void nothing(struct later *later)
{
    (void)later;
}

// It had changed a job before it found the journal busy, and gives up: what it tells of must be
// reached all the same. (That job is made up.)
START_TEST(what_was_done_before_the_wait_is_waited_for)
{
    static const char json[] = "{\"tube\":\"default\",\"state\":\"buried\"}";
    (void)busy_changes(served.broker, tube, &client);
    struct api_call call = {.later.fire = nothing, .asker = &trust_all};
    ck_assert_int_eq(api_call_start(&call, served.api, "kick", 4, json, strlen(json)), EINPROGRESS);
    until_standing(1);
    call.page.found = 1;
    call.ticket.durable = 7;
    served_later(4 * HL_SECOND);
    until_standing(0);
    ck_assert_int_eq(api_call_finish(&call), 0);
    ck_assert_int_eq(call.error, 0);
    ck_assert_uint_eq(call.ticket.durable, 7);
    api_call_fini(&call);
    busy_compact(served.broker);
}
END_TEST

// The body of a put comes in parts, behind an operation that waits.
START_TEST(half_a_put_waits_in_its_place)
{
    enum { SIZE = 60000, FIRST = 30000 };
    static char body[SIZE + 2];
    (void)busy_changes(served.broker, tube, &client);
    memset(body, 'b', SIZE);
    memcpy(body + SIZE, "\r\n", 2);
    peer_say(worker, "touch 1\r\nrelease 1 5 0\r\nput-in-tube other 0 0 60 60000\r\n");
    peer_send(worker, body, FIRST);
    until_standing(1);
    peer_send(worker, body + FIRST, sizeof(body) - FIRST);
    peer_say(worker, "kick-job 2\r\n");
    served_ask(canary, "list-tube-used\r\n", "USING default\r\n");
    busy_compact(served.broker);
    char line[64];
    peer_expect(worker, "TOUCHED\r\nRELEASED\r\n");
    ck_assert_int_eq(strncmp(peer_line(worker, line, sizeof(line)), "INSERTED ", 9), 0);
    peer_expect(worker, "KICKED\r\n");
}
END_TEST

static void reset(int *fd)
{
    struct linger at_once = {.l_onoff = 1};
    ck_assert_int_eq(setsockopt(*fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
    peer_close(fd);
}

START_TEST(a_reset_leaves_the_line)
{
    int fds[4];
    for (size_t i = 0; i < 4; i++)
        fds[i] = peer_tcp(net_listener_port(served.net, 1));
    served_ask(fds[0], "put 0 0 60 1\r\ny\r\nreserve\r\n", "INSERTED 5\r\nRESERVED 5 1\r\ny\r\n");
    (void)busy_changes(served.broker, tube, &client);
    say_and_wait(fds[0],
                 "release 5 5 0\r\nput-in-tube other 0 0 60 1\r\ny\r\nkick-job 2\r\nnonsense\r\n",
                 1);
    say_and_wait(fds[1], "kick 10\r\n", 2);
    call(fds[2], "kick", "{\"id\":2}", 3);
    say_and_wait(fds[3], "reserve-job-token 3\r\n", 4);
    for (size_t i = 0; i < 4; i++)
        reset(&fds[i]);
    until_standing(0);
    served_until_connections(2);
    ck_assert_uint_eq(default_stats().count[JOB_READY], 1); // its lease went with it
    ck_assert_uint_eq(default_stats().count[JOB_BURIED], 3);
    busy_compact(served.broker);
}
END_TEST

START_TEST(patience_ends)
{
    (void)busy_changes(served.broker, tube, &client);
    int walker = served_connect(), caller = served_connect();
    say_and_wait(worker, "release 1 5 0\r\n", 1);
    say_and_wait(walker, "kick 10\r\n", 2);
    call(caller, "kick", "{\"id\":2}", 3);
    served_later(4 * HL_SECOND);
    peer_expect(worker, "OUT_OF_MEMORY\r\n");
    peer_expect(walker, "OUT_OF_MEMORY\r\n");
    char line[256];
    ck_assert_int_eq(strncmp(peer_line(caller, line, sizeof(line)), "ERROR ", 6), 0);
    ck_assert_ptr_nonnull(strstr(peer_line(caller, line, sizeof(line)), "\"journal_busy\""));
    served_ask(worker, "touch 1\r\n", "TOUCHED\r\n");
    peer_close(&walker);
    peer_close(&caller);
    busy_compact(served.broker);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("busy");
    TCase *tcase = tcase_create("busy");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, others_are_served_meanwhile);
    tcase_add_test(tcase, what_stands_behind_is_done_afterwards);
    tcase_add_test(tcase, a_batch_goes_on_where_it_stopped);
    tcase_add_test(tcase, a_put_behind_has_its_id);
    tcase_add_test(tcase, what_was_done_before_the_wait_is_waited_for);
    tcase_add_test(tcase, half_a_put_waits_in_its_place);
    tcase_add_test(tcase, walks_and_calls_go_on);
    tcase_add_test(tcase, a_token_waits_for_its_record);
    tcase_add_test(tcase, half_a_connection_has_its_answer);
    tcase_add_test(tcase, a_reset_leaves_the_line);
    tcase_add_test(tcase, patience_ends);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
