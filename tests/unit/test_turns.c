// SPDX-License-Identifier: MIT
/*
 * What comes between: the turns of who asks for much, of a kick or clear of very many jobs, of a
 * list of very many tubes; and a job's match and its delivery. There is one loop, halted where it
 * matters (halt.h), so that what happens in which order is the test's choice. While it halts,
 * several sockets become ready; it then handles them in that order, in one turn.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/jsonobj.h"
#include "blocking.h"
#include "halt.h"
#include "served.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define MANY ((unsigned)unit_rounds(200000))
#define LOOK_COMMANDS (2 * NET_TURN_COMMANDS + 10)

/* ---- very many questions ---- */

/* The loop halts in the input of that connection, which gets one answer for it. */
static void halt_in(int fd)
{
    halt_next(HALT_INPUT);
    peer_say(fd, "list-tube-used\r\n");
    halt_wait();
}

static void say_often(int fd, const char *text, int times)
{
    struct buf say = BUF_EMPTY;
    for (int i = 0; i < times; i++)
        ck_assert_int_eq(buf_append_str(&say, text), 0);
    peer_send(fd, say.data, say.len);
    buf_fini(&say);
}

static unsigned read_stat(int fd, const char *key)
{
    char line[300];
    unsigned number = 0;
    size_t len = strlen(key);
    do {
        peer_line(fd, line, sizeof(line));
        if (strncmp(line, key, len) == 0)
            number = (unsigned)strtoul(line + len, NULL, 10);
    } while (strncmp(line, "current-puts-waiting", 20) != 0);
    peer_expect(fd, "\r\n");
    return number;
}

/*
 * In one turn the loop sees some who ask `often` times, and then one who asks for the statistics
 * once. What these count tells how many of the others' commands went before.
 */
static unsigned asked_before(const char *question, int often, const char *counter)
{
    enum { HOGS = 20 };
    int hogs[HOGS], first = served_connect(), other = served_connect();
    for (int i = 0; i < HOGS; i++)
        hogs[i] = served_connect();
    halt_in(first);
    for (int i = 0; i < HOGS; i++)
        say_often(hogs[i], question, often);
    peer_say(other, "stats\r\n");
    halt_end();
    peer_expect(first, "USING default\r\n");
    unsigned before = read_stat(other, counter);
    for (int i = 0; i < HOGS; i++)
        peer_close(&hogs[i]);
    peer_close(&first);
    peer_close(&other);
    return before;
}

START_TEST(a_turn_of_expensive_commands_has_few)
{
    /* twenty have asked 300 times each */
    ck_assert_uint_lt(asked_before("stats\r\n", 300, "cmd-stats: "), 200);
    ck_assert_uint_lt(asked_before("call stats 2\r\n{}\r\n", 200, "cmd-call: "), 200);
}
END_TEST

START_TEST(turns_are_shorter_in_a_crowd)
{
    unsigned before = asked_before("list-tube-used\r\n", 4000, "cmd-list-tube-used: ");
    ck_assert_uint_gt(before, NET_TURN_COMMANDS);
    ck_assert_uint_lt(before, 15 * NET_TURN_COMMANDS); /* of twenty */
}
END_TEST

/* What each of these looks at is worth more than a turn in a crowd. */
START_TEST(a_turn_has_one_call_that_looks_at_many_jobs)
{
    struct broker_put_spec spec = {.submitter = JOB_NOBODY, .ttr_ns = 60 * HL_SECOND};
    ck_assert_int_eq(broker_use(served.broker, "t", 1, &spec.tube), 0);
    for (spec.pri = 5000; spec.pri > 0; spec.pri--) {
        struct job_body *body;
        uint64_t id;
        ck_assert_int_eq(job_body_new(&body, 0), 0);
        ck_assert_int_eq(broker_put(served.broker, &spec, &body, &id), 0);
    }
    broker_unuse(served.broker, &spec.tube);
    /* of twenty: one list each, and two or three whys */
    if (_i == 0)
        ck_assert_uint_le(asked_before("call list 13\r\n{\"name\":\"no\"}\r\n", 20, "cmd-call: "),
                          20);
    else
        ck_assert_uint_le(asked_before("call why 8\r\n{\"id\":1}\r\n", 20, "cmd-call: "), 60);
}
END_TEST

/* ---- very many tubes ---- */

#define TUBES 20000

/* "NAME-000...000" and so on, of nearly 200 bytes each. */
static void tube_text(char name[JOB_TUBE_NAME_MAX + 1], const char *begin, int number)
{
    snprintf(name, JOB_TUBE_NAME_MAX + 1, "%s-%0180d", begin, number);
}

static struct tube **tubes_make(const char *begin)
{
    struct tube **tubes = calloc((size_t)TUBES, sizeof(*tubes));
    ck_assert_ptr_nonnull(tubes);
    for (int i = 0; i < TUBES; i++) {
        char name[JOB_TUBE_NAME_MAX + 1];
        tube_text(name, begin, i);
        ck_assert_int_eq(broker_use(served.broker, name, strlen(name), &tubes[i]), 0);
    }
    return tubes;
}

static void tubes_drop(struct tube ***tubes)
{
    for (int i = 0; i < TUBES; i++)
        broker_unuse(served.broker, &(*tubes)[i]);
    free(*tubes);
    *tubes = NULL;
}

static void expect_list(int fd, const char *begin)
{
    struct buf yaml = BUF_EMPTY;
    char head[40];
    ck_assert_int_eq(buf_printf(&yaml, "---\n- default\n"), 0);
    for (int i = 0; i < TUBES; i++) {
        ck_assert_int_eq(buf_append_str(&yaml, "- "), 0);
        char name[JOB_TUBE_NAME_MAX + 1];
        tube_text(name, begin, i);
        ck_assert_int_eq(buf_printf(&yaml, "%s\n", name), 0);
    }
    snprintf(head, sizeof(head), "OK %zu\r\n", yaml.len);
    peer_expect(fd, head);
    peer_expect(fd, yaml.data);
    peer_expect(fd, "\r\n");
    buf_fini(&yaml);
}

static bool has_stalled(void *arg)
{
    struct net_stats stats;
    net_stats(served.net, &stats);
    return stats.stalls >= *(uint64_t *)arg;
}

/* A list is one of one moment, however long its reader takes, whatever comes and goes. */
START_TEST(a_list_that_is_read_late_is_of_one_moment)
{
    static const char first[] = "first", second[] = "second";
    uint64_t stalls = 1;
    int reader = served_connect(), late = served_connect(), other = served_connect();
    struct tube **old = tubes_make(first);
    peer_say(reader, "list-tubes\r\nlist-tube-used\r\n");
    peer_until(has_stalled, &stalls);
    tubes_drop(&old);
    struct tube **new = tubes_make(second);
    peer_say(late, "list-tubes\r\n");
    stalls = 2;
    peer_until(has_stalled, &stalls);
    tubes_drop(&new);
    served_ask(other, "list-tubes\r\n", "OK 14\r\n---\n- default\n\r\n");
    expect_list(reader, first);
    peer_expect(reader, "USING default\r\n");
    expect_list(late, second);
    served_ask(other, "list-tubes\r\n", "OK 14\r\n---\n- default\n\r\n");
    peer_close(&reader);
    peer_close(&late);
    peer_close(&other);
}
END_TEST

/* One who doesn't read can't make the daemon keep the names of all tubes there ever were. */
START_TEST(a_list_that_is_read_too_late_is_cut_off)
{
    uint64_t stalls = 1;
    int reader = served_connect();
    struct tube **tubes = tubes_make("tube");
    peer_say(reader, "list-tubes\r\nlist-tube-used\r\n");
    peer_until(has_stalled, &stalls);
    tubes_drop(&tubes);
    for (size_t kept = 0; kept <= BROKER_NAMES_KEPT; kept += (size_t)TUBES * 180) {
        tubes = tubes_make("tube");
        tubes_drop(&tubes);
    }
    char chunk[65536];
    size_t got = 0;
    ssize_t n;
    while ((n = recv(reader, chunk, sizeof(chunk), 0)) > 0)
        got += (size_t)n;
    ck_assert_int_eq(n, 0);
    ck_assert_uint_gt(got, 0);
    ck_assert_uint_lt(got, (size_t)TUBES * 188);
    peer_close(&reader);
}
END_TEST

/* Who leaves in the middle leaves nothing behind: served_down looks. */
START_TEST(a_list_whose_reader_leaves)
{
    uint64_t stalls = 1;
    int reader = served_connect();
    struct tube **tubes = tubes_make("tube");
    peer_say(reader, "list-tubes\r\n");
    peer_until(has_stalled, &stalls);
    tubes_drop(&tubes);
    peer_close(&reader);
    served_until_connections(0);
}
END_TEST

START_TEST(a_client_that_sends_no_more_gets_its_list)
{
    int reader = served_connect();
    struct tube **tubes = tubes_make("tube");
    peer_say(reader, "list-tubes\r\n");
    ck_assert_int_eq(shutdown(reader, SHUT_WR), 0);
    expect_list(reader, "tube");
    peer_expect_eof(reader);
    peer_close(&reader);
    tubes_drop(&tubes);
}
END_TEST

/* ---- the statistics of very many tubes ---- */

#define ASK_STATS "call stats 2\r\n{}\r\n"
#define MEMBERS 18 /* of a tube */

/* Of JSON; the caller deletes it. */
static cJSON *read_json(int fd)
{
    char head[64];
    size_t size;
    ck_assert_int_eq(sscanf(peer_line(fd, head, sizeof(head)), "OK %zu", &size), 1);
    char *text = malloc(size);
    ck_assert_ptr_nonnull(text);
    peer_read(fd, text, size);
    peer_expect(fd, "\r\n");
    cJSON *stats;
    ck_assert_int_eq(jsonobj_parse(&stats, text, size, NULL), 0);
    free(text);
    return stats;
}

/* Whether "default" and then `count` tubes in order are told of, with all that there is of each,
 * and all else stands around them. */
static void expect_stats(int fd, const char *begin, int count)
{
    cJSON *stats = read_json(fd);
    const cJSON *tube = cJSON_GetObjectItem(stats, "tubes")->child;
    ck_assert_str_eq(cJSON_GetObjectItem(tube, "name")->valuestring, "default");
    for (int i = 0; i < count; i++) {
        char name[JOB_TUBE_NAME_MAX + 1];
        tube_text(name, begin, i);
        tube = tube->next;
        ck_assert_ptr_nonnull(tube);
        ck_assert_str_eq(cJSON_GetObjectItem(tube, "name")->valuestring, name);
        ck_assert_int_eq(cJSON_GetArraySize(tube), MEMBERS);
    }
    ck_assert_ptr_null(tube->next);
    ck_assert_ptr_nonnull(cJSON_GetObjectItem(stats, "daemon"));
    ck_assert_ptr_nonnull(cJSON_GetObjectItem(stats, "denied"));
    cJSON_Delete(stats);
}

START_TEST(statistics_are_made_as_they_are_read)
{
    uint64_t stalls = 1;
    int reader = served_connect(), other = served_connect(), leaver = served_connect();
    struct tube **tubes = tubes_make("tube");
    served_ask(other, "list-tube-used\r\n", "USING default\r\n");
    size_t before = unit_allocated();
    peer_say(reader, ASK_STATS "list-tube-used\r\n");
    peer_until(has_stalled, &stalls);
    served_ask(other, "list-tube-used\r\n", "USING default\r\n");
    size_t after = unit_allocated();
    ck_assert_uint_lt(after, before + 2 * NET_OUTPUT_HIGH);
    peer_say(leaver, ASK_STATS);
    stalls = 2;
    peer_until(has_stalled, &stalls);
    peer_close(&leaver);
    expect_stats(reader, "tube", TUBES);
    peer_expect(reader, "USING default\r\n");
    tubes_drop(&tubes);
    peer_say(reader, ASK_STATS);
    expect_stats(reader, "tube", 0);
    peer_close(&reader);
    peer_close(&other);
}
END_TEST

/* What is announced is what comes, with the tubes that are still there. */
START_TEST(statistics_of_tubes_that_go)
{
    uint64_t stalls = 1;
    int reader = served_connect();
    struct tube **tubes = tubes_make("tube");
    peer_say(reader, ASK_STATS "list-tube-used\r\n");
    peer_until(has_stalled, &stalls);
    tubes_drop(&tubes);
    tubes = tubes_make("other");
    cJSON *stats = read_json(reader);
    int told = cJSON_GetArraySize(cJSON_GetObjectItem(stats, "tubes"));
    ck_assert_int_gt(told, 1);
    ck_assert_int_lt(told, TUBES);
    cJSON_Delete(stats);
    peer_expect(reader, "USING default\r\n");
    peer_close(&reader);
    tubes_drop(&tubes);
}
END_TEST

/* ---- very many jobs ---- */

static void put_many(int64_t delay_ns)
{
    struct tube *tube;
    ck_assert_int_eq(broker_use(served.broker, "default", 7, &tube), 0);
    const struct broker_put_spec spec = {
        .submitter = JOB_NOBODY, .tube = tube, .ttr_ns = HL_SECOND, .delay_ns = delay_ns};
    for (unsigned i = 0; i < MANY; i++) {
        struct job_body *body;
        uint64_t id;
        ck_assert_int_eq(job_body_new(&body, 1), 0);
        body->bytes[0] = 'x';
        ck_assert_int_eq(broker_put(served.broker, &spec, &body, &id), 0);
    }
    broker_unuse(served.broker, &tube);
}

/* Two turns full of commands, and then how many jobs are ready and delayed; all in one piece. */
static void look_in_the_third_turn(int fd)
{
    struct buf say = BUF_EMPTY;
    for (int i = 0; i < LOOK_COMMANDS; i++)
        ck_assert_int_eq(buf_printf(&say, "list-tube-used\r\n"), 0);
    ck_assert_int_eq(buf_printf(&say, "stats-tube default\r\n"), 0);
    peer_send(fd, say.data, say.len);
    buf_fini(&say);
}

static void read_look(int fd, unsigned *ready, unsigned *delayed)
{
    char line[100];
    for (int i = 0; i < 1 + LOOK_COMMANDS; i++)
        peer_expect(fd, "USING default\r\n");
    do {
        peer_line(fd, line, sizeof(line));
        (void)sscanf(line, "current-jobs-ready: %u", ready);
        (void)sscanf(line, "current-jobs-delayed: %u", delayed);
    } while (strncmp(line, "pause-time-left", 15) != 0);
    peer_expect(fd, "\r\n");
}

static unsigned count_in(int fd, const char *word)
{
    char line[100];
    size_t len = strlen(word);
    ck_assert_int_eq(strncmp(peer_line(fd, line, sizeof(line)), word, len), 0);
    return (unsigned)strtoul(line + len, NULL, 10);
}

static const struct walk {
    const char *say, *answer;
    int64_t delay_ns; /* of the jobs that it goes through */
    bool kept;        /* they stay, as ready ones */
} walks[] = {
    {"kick 4294967295\r\nlist-tube-used\r\n", "KICKED ", HL_SECOND, true},
    {"clear-tube default\r\nlist-tube-used\r\n", "CLEARED ", 0, false},
};

START_TEST(others_are_served_during_a_walk)
{
    const struct walk *walk = &walks[_i];
    unsigned ready = 0, delayed = 0;
    int walker = served_connect(), other = served_connect();
    put_many(walk->delay_ns);
    halt_in(other);
    peer_say(walker, walk->say);
    look_in_the_third_turn(other);
    halt_end();
    read_look(other, &ready, &delayed);
    unsigned left = walk->kept ? delayed : ready;
    ck_assert_uint_lt(left, MANY);     /* it had begun, */
    ck_assert_uint_gt(left, MANY / 2); /* and a few slices were between that and the answer */
    ck_assert_uint_eq(ready + delayed, walk->kept ? MANY : left);
    /* What comes meanwhile may take the place of another, but isn't counted beside it. */
    peer_say(other, "put 0 0 1 1\r\nx\r\n");
    ck_assert_uint_gt(count_in(other, "INSERTED "), MANY);
    ck_assert_uint_eq(count_in(walker, walk->answer), MANY);
    peer_expect(walker, "USING default\r\n"); /* what stood behind it */
    ck_assert_uint_eq(served_stats().count[JOB_READY], walk->kept ? MANY + 1 : 1);
    peer_close(&walker);
    peer_close(&other);
}
END_TEST

/* The loop has read the kick, and halts before its second turn is over. */
static int halt_in_a_kick(int kicker)
{
    int other = served_connect();
    halt_in(other);
    peer_say(kicker, "list-tube-used\r\nkick 4294967295\r\n");
    halt_next(HALT_OPEN);
    int last = served_connect();
    halt_end();
    halt_wait();
    uint64_t ready = served_stats().count[JOB_READY];
    ck_assert_uint_gt(ready, 0);
    ck_assert_uint_lt(ready, MANY / 2);
    peer_close(&other);
    return last;
}

/* A job that goes when the others had their turn isn't in the page any more. */
START_TEST(others_are_served_during_a_list)
{
    int first = served_connect(), lister = served_connect(), other = served_connect();
    put_many(0);
    halt_in(first);
    peer_say(lister, "call list 13\r\n{\"limit\":500}\r\nlist-tube-used\r\n");
    peer_say(other, "delete 500\r\n");
    halt_end();
    peer_expect(other, "DELETED\r\n");
    cJSON *page = read_json(lister);
    const cJSON *last = cJSON_GetArrayItem(cJSON_GetObjectItem(page, "jobs"), 499);
    ck_assert_int_eq(cJSON_GetObjectItem(last, "id")->valueint, 501);
    cJSON_Delete(page);
    peer_expect(lister, "USING default\r\n");
    peer_close(&first);
    peer_close(&lister);
    peer_close(&other);
}
END_TEST

START_TEST(who_goes_ends_a_kick)
{
    int kicker = served_connect();
    put_many(HL_SECOND);
    int last = halt_in_a_kick(kicker);
    peer_close(&kicker); /* an answer unread: the other end sees a reset */
    halt_end();
    served_until_connections(1);
    struct broker_stats stats = served_stats();
    ck_assert_uint_lt(stats.count[JOB_READY], MANY / 2);
    ck_assert_uint_eq(stats.count[JOB_READY] + stats.count[JOB_DELAYED], MANY);
    peer_close(&last);
}
END_TEST

START_TEST(who_sends_no_more_gets_the_answer)
{
    int kicker = served_connect();
    put_many(HL_SECOND);
    int last = halt_in_a_kick(kicker);
    ck_assert_int_eq(shutdown(kicker, SHUT_WR), 0);
    halt_end();
    peer_expect(kicker, "USING default\r\n");
    ck_assert_uint_eq(count_in(kicker, "KICKED "), MANY);
    peer_expect_eof(kicker);
    peer_close(&kicker);
    peer_close(&last);
}
END_TEST

START_TEST(stopping_ends_a_kick)
{
    int kicker = served_connect();
    put_many(HL_SECOND);
    int last = halt_in_a_kick(kicker);
    halt_end(); /* the fixture goes down now */
    peer_close(&kicker);
    peer_close(&last);
}
END_TEST

/* ---- between match and delivery ---- */

/*
 * A reserve waits. In one turn the loop sees, in this order, a new connection, where it halts, and
 * that the waiting client sends no more. While it halts, a job is matched to the reserve, and its
 * lease runs out before the loop has delivered it. So the hang-up comes when a job is on its way,
 * and the delivery finds none: the reserve would wait again, for a client that will say nothing.
 */
START_TEST(a_hangup_between_match_and_delivery_ends_the_wait)
{
    int waiter = served_connect(), other = served_connect(), last;
    peer_say(waiter, "reserve\r\n");
    served_until(waiting, 1);
    halt_in(other);
    halt_next(HALT_OPEN);
    last = served_connect();
    ck_assert_int_eq(shutdown(waiter, SHUT_WR), 0);
    halt_end();
    peer_expect(other, "USING default\r\n");
    halt_wait();

    struct tube *tube;
    struct job_body *body;
    uint64_t id;
    ck_assert_int_eq(broker_use(served.broker, "default", 7, &tube), 0);
    const struct broker_put_spec spec = {
        .submitter = JOB_NOBODY, .tube = tube, .ttr_ns = HL_SECOND};
    ck_assert_int_eq(job_body_new(&body, 0), 0);
    ck_assert_int_eq(broker_put(served.broker, &spec, &body, &id), 0);
    broker_unuse(served.broker, &tube);
    ck_assert_uint_eq(served_stats().count[JOB_RESERVED], 1);
    ck_assert_int_eq(broker_pause(served.broker, &trust_all, "default", 7, 100 * HL_SECOND), 0);
    served_later(HL_SECOND);
    ck_assert_uint_eq(served_stats().count[JOB_READY], 1);
    halt_end();

    peer_expect(waiter, "TIMED_OUT\r\n");
    peer_expect_eof(waiter);
    served_until(waiting, 0);
    peer_close(&waiter);
    peer_close(&other);
    peer_close(&last);
}
END_TEST

static TCase *case_of(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, served_setup, served_teardown);
    suite_add_tcase(suite, tcase);
    return tcase;
}

int main(void)
{
    /* These walk all tubes each time the broker lets go of its lock, and there are thousands. */
    setenv("HILERA_EXPENSIVE", "0", 1);
    Suite *suite = suite_create("turns");
    TCase *questions = case_of(suite, "very many questions");
    tcase_add_test(questions, a_turn_of_expensive_commands_has_few);
    tcase_add_test(questions, turns_are_shorter_in_a_crowd);
    tcase_add_loop_test(questions, a_turn_has_one_call_that_looks_at_many_jobs, 0, 2);
    TCase *lists = case_of(suite, "very many tubes");
    tcase_add_test(lists, a_list_that_is_read_late_is_of_one_moment);
    tcase_add_test(lists, a_list_that_is_read_too_late_is_cut_off);
    tcase_add_test(lists, a_list_whose_reader_leaves);
    tcase_add_test(lists, a_client_that_sends_no_more_gets_its_list);
    TCase *statistics = case_of(suite, "statistics of very many tubes");
    tcase_add_test(statistics, statistics_are_made_as_they_are_read);
    tcase_add_test(statistics, statistics_of_tubes_that_go);
    TCase *many = case_of(suite, "very many jobs");
    tcase_add_loop_test(many, others_are_served_during_a_walk, 0, sizeof(walks) / sizeof(walks[0]));
    tcase_add_test(many, others_are_served_during_a_list);
    tcase_add_test(many, who_goes_ends_a_kick);
    tcase_add_test(many, who_sends_no_more_gets_the_answer);
    tcase_add_test(many, stopping_ends_a_kick);
    TCase *match = case_of(suite, "between match and delivery");
    tcase_add_test(match, a_hangup_between_match_and_delivery_ends_the_wait);
    return unit_main(suite);
}
