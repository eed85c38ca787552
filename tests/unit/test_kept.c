// SPDX-License-Identifier: MIT
// The beanstalk port of a broker with a journal: what a client was told is there after the process
// was killed, in each way of committing; answers when the disk fails; bodies that are in the
// journal only, in all answers that have one.

#include "journal_disk.h"
#include "served.h"
#include "unit.h"

#include "base/log.h"
#include "journal/journal.h"
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static struct journal *journal;
static struct store_options log_options;
static enum durability level;

static void up(void)
{
    journal = disk_journal();
    log_options.journal = journal;
    served_up(&(struct served_options){.loops = 2, .log = &log_options, .level = level});
}

static void down(void)
{
    served_down();
    (void)journal_close(&journal);
}

// The process is killed: what it does from now on leaves no trace.
static void again(void)
{
    disk_dead(true);
    down();
    disk_kill();
    disk_dead(false);
    up();
}

static void setup_with(bool thread, enum durability of_all, size_t cache_size)
{
    disk_log_drop();
    disk_start();
    log_options = (struct store_options){.thread = thread, .cache_size = cache_size};
    level = of_all;
    up();
}

static void setup_inline(void)
{
    setup_with(false, DURABILITY_COMMIT, 0);
}

static void setup_thread(void)
{
    setup_with(true, DURABILITY_COMMIT, 0);
}

static void setup_interval(void)
{
    setup_with(true, DURABILITY_INTERVAL, 0);
}

static void setup_small_cache(void)
{
    setup_with(true, DURABILITY_COMMIT, 1);
}

static void teardown(void)
{
    down();
    disk_stop();
}

START_TEST(what_was_told_is_kept)
{
    int fd = served_connect();
    served_ask(fd, "use t\r\nwatch t\r\n", "USING t\r\nWATCHING 2\r\n");
    served_ask(fd, "put 5 0 60 3\r\none\r\nput 4 0 60 3\r\ntwo\r\nput 3 100 60 5\r\nthree\r\n",
               "INSERTED 1\r\nINSERTED 2\r\nINSERTED 3\r\n");
    served_ask(fd, "put 9 0 60 4\r\nfour\r\nput 9 0 60 4\r\nfive\r\n",
               "INSERTED 4\r\nINSERTED 5\r\n");
    served_ask(fd, "reserve\r\n", "RESERVED 2 3\r\ntwo\r\n");
    served_ask(fd, "reserve\r\n", "RESERVED 1 3\r\none\r\n");
    served_ask(fd, "bury 2 7\r\ndelete 4\r\nrelease 1 8 0\r\npause-tube t 1000\r\n",
               "BURIED\r\nDELETED\r\nRELEASED\r\nPAUSED\r\n");
    peer_close(&fd);
    again();
    fd = served_connect();
    served_ask(fd, "peek 4\r\n", "NOT_FOUND\r\n");
    served_ask(fd, "use t\r\npeek-buried\r\n", "USING t\r\nFOUND 2 3\r\ntwo\r\n");
    served_ask(fd, "peek-delayed\r\npeek-ready\r\n", "FOUND 3 5\r\nthree\r\nFOUND 1 3\r\none\r\n");
    served_ask(fd, "watch t\r\nreserve-with-timeout 0\r\n", "WATCHING 2\r\nTIMED_OUT\r\n");
    served_ask(fd, "pause-tube t 0\r\nkick 1\r\n", "PAUSED\r\nKICKED 1\r\n");
    served_ask(fd, "reserve\r\nquit\r\n", "RESERVED 2 3\r\ntwo\r\n");
    peer_expect_eof(fd);
    peer_close(&fd);
    again();
    fd = served_connect();
    served_ask(fd, "use t\r\npeek-buried\r\n", "USING t\r\nNOT_FOUND\r\n");
    served_ask(fd, "join t 0\r\n", "TIMED_OUT\r\n");
    served_ask(fd, "clear-tube t\r\n", "CLEARED 4\r\n");
    served_ask(fd, "join t 0\r\n", "JOINED 0 0 4 0\r\n");
    peer_close(&fd);
    again();
    ck_assert_uint_eq(served_stats().unfinished, 0);
}
END_TEST

// Both take several turns of the loop; the answer is about all of them.
START_TEST(what_took_several_turns_is_kept)
{
    enum { JOBS = 1000 };
    int fd = served_connect();
    char text[64];
    for (int i = 1; i <= JOBS; i++) {
        snprintf(text, sizeof(text), "INSERTED %d\r\n", i);
        served_ask(fd, "put 0 1000 60 1\r\nx\r\n", text);
    }
    served_ask(fd, "kick 900\r\n", "KICKED 900\r\n");
    peer_close(&fd);
    again();
    ck_assert_uint_eq(served_stats().count[JOB_READY], 900);
    ck_assert_uint_eq(served_stats().count[JOB_DELAYED], 100);
    fd = served_connect();
    served_ask(fd, "clear-tube default\r\n", "CLEARED 1000\r\n");
    peer_close(&fd);
    again();
    ck_assert_uint_eq(served_stats().unfinished, 0);
}
END_TEST

START_TEST(waiting_clients_are_served)
{
    int worker = served_connect(), client = served_connect(), joiner = served_connect();
    for (int i = 1; i <= 200; i++) {
        char text[128];
        peer_say(worker, "reserve\r\n");
        peer_say(client, "put 0 0 60 1\r\nx\r\n");
        snprintf(text, sizeof(text), "INSERTED %d\r\n", i);
        peer_expect(client, text);
        peer_say(joiner, "join default 20\r\n");
        snprintf(text, sizeof(text), "RESERVED %d 1\r\nx\r\n", i);
        peer_expect(worker, text);
        snprintf(text, sizeof(text), "delete %d\r\n", i);
        served_ask(worker, text, "DELETED\r\n");
        snprintf(text, sizeof(text), "JOINED %d 0 0 0\r\n", i);
        peer_expect(joiner, text);
    }
    peer_close(&worker);
    peer_close(&client);
    peer_close(&joiner);
}
END_TEST

// What a monitor is told, by the method that it asks.
static void ping_says(const char *part)
{
    struct api_call call = {.asker = &trust_all};
    ck_assert_int_eq(api_call_start(&call, served.api, "ping", 4, "{}", 2), 0);
    ck_assert_msg(strstr(call.answer.data, part) != NULL, "%s", call.answer.data);
    api_call_fini(&call);
}

START_TEST(nothing_is_told_after_a_failed_sync)
{
    ping_says("\"health\":\"green\"}");
    int fd = served_connect(), other = served_connect();
    served_ask(fd, "put 0 0 60 1\r\na\r\n", "INSERTED 1\r\n");
    disk_fail(1, EIO, true);
    peer_say(fd, "put 0 0 60 1\r\nb\r\n");
    peer_expect_eof(fd);
    served_ask(other, "put 0 0 60 1\r\nc\r\n", "INTERNAL_ERROR\r\n");
    served_ask(other, "delete 1\r\n", "INTERNAL_ERROR\r\n");
    served_ask(other, "peek 1\r\n", "FOUND 1 1\r\na\r\n");
    ping_says("\"health\":\"red\",\"health_reason\":\"the journal has failed (Input/output error)");
    disk_fail(0, 0, false);
    peer_close(&fd);
    peer_close(&other);
    again();
    fd = served_connect();
    served_ask(fd, "peek 1\r\n", "FOUND 1 1\r\na\r\n");
    peer_close(&fd);
}
END_TEST

// ---- bodies in the journal ----

static uint64_t evicted(void)
{
    struct store_stats stats;
    broker_store_stats(served.broker, &stats);
    return stats.evicted_jobs;
}

START_TEST(bodies_are_read_back)
{
    int fd = served_connect(), other = served_connect();
    served_ask(fd, "put 1 0 60 3\r\none\r\nput 2 0 60 3\r\ntwo\r\nput 3 0 60 5\r\nthree\r\n",
               "INSERTED 1\r\nINSERTED 2\r\nINSERTED 3\r\n");
    served_ask(fd, "put 4 0 60 4\r\nfour\r\nput 5 0 60 0\r\n\r\nput 6 0 60 3\r\nsix\r\n",
               "INSERTED 4\r\nINSERTED 5\r\nINSERTED 6\r\n");
    ck_assert_uint_eq(evicted(), 5); // all but the empty one
    served_ask(fd, "peek 2\r\npeek-ready\r\npeek 5\r\npeek 3\r\n",
               "FOUND 2 3\r\ntwo\r\nFOUND 1 3\r\none\r\nFOUND 5 0\r\n\r\nFOUND 3 5\r\nthree\r\n");
    served_ask(fd, "reserve\r\nreserve-job 3\r\nstats-tube x\r\n",
               "RESERVED 1 3\r\none\r\nRESERVED 3 5\r\nthree\r\nNOT_FOUND\r\n");
    served_ask(fd, "reserve-batch 10 0\r\n",
               "RESERVED_BATCH 4\r\nRESERVED 2 3\r\ntwo\r\nRESERVED 4 4\r\nfour\r\n"
               "RESERVED 5 0\r\n\r\nRESERVED 6 3\r\nsix\r\n");
    served_ask(fd, "release 2 1 0\r\ndelete 1\r\ndelete 3\r\ndelete 4\r\ndelete 5\r\n",
               "RELEASED\r\nDELETED\r\nDELETED\r\nDELETED\r\nDELETED\r\n");
    peer_say(other, "reserve-token 0\r\n");
    char line[100];
    ck_assert_int_eq(strncmp(peer_line(other, line, sizeof(line)), "RESERVED_TOKEN 2 ", 17), 0);
    peer_expect(other, "two\r\n");
    ck_assert_uint_eq(evicted(), 2);
    peer_close(&fd);
    peer_close(&other);
    again();
    ck_assert_uint_eq(evicted(), 2);
    fd = served_connect();
    unsigned long long token = strtoull(line + strlen("RESERVED_TOKEN 2 "), NULL, 10);
    char release[64];
    snprintf(release, sizeof(release), "release-token 2 %llu 1 0\r\n", token);
    served_ask(fd, "peek-ready\r\n", "FOUND 6 3\r\nsix\r\n"); // 2 is out under its token
    served_ask(fd, release, "RELEASED\r\n");
    served_ask(fd, "reserve\r\n", "RESERVED 2 3\r\ntwo\r\n");
    peer_close(&fd);
}
END_TEST

// Spoils every place where the text is.
static void spoil(const char *text)
{
    bool found = false;
    for (unsigned number = 0; number < 20; number++) {
        char name[40];
        snprintf(name, sizeof(name), "segment-%06u", number);
        size_t size, len = strlen(text);
        unsigned char *bytes = disk_file(name, &size);
        for (size_t at = 0; bytes != NULL && at + len <= size; at++)
            if (memcmp(bytes + at, text, len) == 0) {
                bytes[at] ^= 1;
                found = true;
            }
    }
    ck_assert(found);
}

START_TEST(a_damaged_body_is_set_aside)
{
    int fd = served_connect();
    served_ask(fd,
               "put 1 0 60 8\r\nspoil-me\r\nput 2 0 60 4\r\ngood\r\nput 3 0 60 7\r\nspoil-2\r\n",
               "INSERTED 1\r\nINSERTED 2\r\nINSERTED 3\r\n");
    spoil("spoil-me");
    spoil("spoil-2");
    served_ask(fd, "peek 1\r\n", "INTERNAL_ERROR\r\n");
    served_ask(fd, "reserve\r\n", "RESERVED 2 4\r\ngood\r\n");
    served_ask(fd, "reserve-job 3\r\n", "NOT_FOUND\r\n");
    served_ask(fd, "reserve-with-timeout 0\r\n", "TIMED_OUT\r\n");
    struct job_view view;
    ck_assert_int_eq(broker_peek(served.broker, &trust_all, 1, &view, NULL), 0);
    ck_assert_int_eq(view.state, JOB_BURIED);
    ck_assert_str_eq(view.reason, "its body in the journal is damaged");
    served_ask(fd, "release 2 0 0\r\n", "RELEASED\r\n");
    served_ask(fd, "kick-job 1\r\nkick-job 3\r\n", "KICKED\r\nKICKED\r\n");
    served_ask(fd, "reserve-batch 5 0\r\n", "RESERVED_BATCH 1\r\nRESERVED 2 4\r\ngood\r\n");
    served_ask(fd, "delete 1\r\ndelete 3\r\ndelete 2\r\n", "DELETED\r\nDELETED\r\nDELETED\r\n");
    peer_close(&fd);
}
END_TEST

START_TEST(a_worker_reads_bodies_itself)
{
    int fd = served_connect();
    served_ask(fd, "put 1 0 60 8\r\nspoil-me\r\nput 2 0 60 4\r\ngood\r\n",
               "INSERTED 1\r\nINSERTED 2\r\n");
    spoil("spoil-me");
    const char *tube = "default";
    struct broker_consumer *consumer;
    struct broker_lease lease;
    ck_assert_int_eq(broker_consumer_new(&consumer, served.broker, "w", &tube, 1), 0);
    ck_assert_int_eq(broker_take(consumer, &lease, HL_SECOND), 0);
    ck_assert_uint_eq(lease.id, 2);
    ck_assert_mem_eq(lease.body->bytes, "good", 4);
    broker_lease_fini(&lease);
    ck_assert_int_eq(broker_take(consumer, &lease, 0), ETIMEDOUT);
    ck_assert_uint_eq(served_stats().count[JOB_BURIED], 1);
    broker_consumer_free(&consumer);
    peer_close(&fd);
}
END_TEST

START_TEST(who_leaves_while_it_is_read_gives_it_back)
{
    int fd = served_connect();
    served_ask(fd, "put 1 0 60 3\r\none\r\nput 1 0 60 3\r\ntwo\r\n",
               "INSERTED 1\r\nINSERTED 2\r\n");
    for (int i = 0; i < 100; i++) {
        int hasty = served_connect();
        peer_say(hasty, i % 2 == 0 ? "reserve-batch 2 0\r\n" : "peek 1\r\nreserve\r\n");
        struct linger at_once = {.l_onoff = 1};
        ck_assert_int_eq(setsockopt(hasty, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
        peer_close(&hasty);
    }
    int last = served_connect(); // accepted after all of them
    served_ask(last, "use x\r\n", "USING x\r\n");
    peer_close(&last);
    served_until_connections(1);
    served_until(count[JOB_RESERVED], 0);
    served_ask(fd, "reserve-batch 2 20\r\n",
               "RESERVED_BATCH 2\r\nRESERVED 1 3\r\none\r\nRESERVED 2 3\r\ntwo\r\n");
    peer_close(&fd);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kept");
    static const struct {
        const char *name;
        void (*setup)(void);
    } ways[] = {{"inline", setup_inline}, {"thread", setup_thread}, {"interval", setup_interval}};
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        TCase *way = tcase_create(ways[i].name);
        tcase_add_checked_fixture(way, ways[i].setup, teardown);
        tcase_add_test(way, what_was_told_is_kept);
        tcase_add_test(way, what_took_several_turns_is_kept);
        tcase_add_test(way, waiting_clients_are_served);
        tcase_add_test(way, nothing_is_told_after_a_failed_sync);
        suite_add_tcase(suite, way);
    }
    TCase *cache = tcase_create("small cache");
    tcase_add_checked_fixture(cache, setup_small_cache, teardown);
    tcase_add_test(cache, bodies_are_read_back);
    tcase_add_test(cache, a_damaged_body_is_set_aside);
    tcase_add_test(cache, a_worker_reads_bodies_itself);
    tcase_add_test(cache, who_leaves_while_it_is_read_gives_it_back);
    suite_add_tcase(suite, cache);
    return unit_main(suite);
}
