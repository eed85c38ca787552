// SPDX-License-Identifier: MIT
/*
 * A job that is peeked at by some while another deletes it, thousands of times: who finds it has
 * all of its body, for as long as it holds it; who doesn't is told so; nothing is freed twice or
 * too early. What is tested is found by AddressSanitizer and ThreadSanitizer; plain, the bodies are
 * compared.
 *
 * A body tells by its own bytes whether it is whole: it is one letter, and its length is that
 * letter's number modulo 26.
 */
#include "blocking.h"
#include "served.h"
#include "unit.h"

#include "base/clock.h"

#include <hilera/thread.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS ((unsigned)unit_rounds(4000))
#define PEEKERS 3
#define BODY_MAX 4096

static size_t body_size(unsigned round)
{
    return 26 * (round % 100) + 26 + round % 26;
}

static bool body_whole(const char *bytes, size_t len)
{
    char letter = (char)('a' + len % 26);
    for (size_t i = 0; i < len; i++)
        if (bytes[i] != letter)
            return false;
    return len >= 26;
}

static void up(void)
{
    served_up(&(struct served_options){.loops = 2});
}

/* ---- threads at the broker ---- */

struct race {
    pthread_barrier_t start, stop;
    struct tube *tube;
    _Atomic uint64_t id;
    atomic_uint found, missed, faults; /* asserted by the main thread */
};

static void race_judge(struct race *race, int rc, struct job_body **body)
{
    if (rc != 0) {
        atomic_fetch_add(&race->missed, 1);
        return;
    }
    atomic_fetch_add(&race->found, 1);
    if (!body_whole((*body)->bytes, (*body)->len))
        atomic_fetch_add(&race->faults, 1);
    job_body_unref(body);
}

static void *race_peek(void *arg)
{
    struct race *race = arg;
    struct job_view view;
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct job_body *body = NULL;
        pthread_barrier_wait(&race->start);
        uint64_t id = atomic_load(&race->id);
        int rc = round % 2 == 0
                     ? broker_peek(served.broker, &trust_all, id, &view, &body)
                     : broker_peek_first(served.broker, race->tube, JOB_READY, &view, &body);
        if (rc == 0 && view.id != id)
            atomic_fetch_add(&race->faults, 1);
        race_judge(race, rc, &body);
        pthread_barrier_wait(&race->stop);
    }
    return NULL;
}

static uint64_t race_put(struct race *race, unsigned round)
{
    struct broker_put_spec spec = {
        .submitter = JOB_NOBODY, .tube = race->tube, .ttr_ns = HL_SECOND};
    struct job_body *body = NULL;
    uint64_t id = 0;
    ck_assert_int_eq(job_body_new(&body, body_size(round)), 0);
    memset(body->bytes, (int)('a' + body_size(round) % 26), body_size(round));
    ck_assert_int_eq(broker_put(served.broker, &spec, &body, &id), 0);
    return id;
}

START_TEST(peeked_and_deleted_by_threads)
{
    struct race race = {.tube = NULL};
    pthread_t peekers[PEEKERS];
    ck_assert_int_eq(broker_use(served.broker, "race", 4, &race.tube), 0);
    pthread_barrier_init(&race.start, NULL, PEEKERS + 1);
    pthread_barrier_init(&race.stop, NULL, PEEKERS + 1);
    for (int i = 0; i < PEEKERS; i++)
        ck_assert_int_eq(pthread_create(&peekers[i], NULL, race_peek, &race), 0);
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t id = race_put(&race, round);
        atomic_store(&race.id, id);
        pthread_barrier_wait(&race.start);
        ck_assert_int_eq(broker_delete(served.broker, &trust_all, id), 0);
        pthread_barrier_wait(&race.stop);
    }
    for (int i = 0; i < PEEKERS; i++)
        ck_assert_int_eq(pthread_join(peekers[i], NULL), 0);
    pthread_barrier_destroy(&race.start);
    pthread_barrier_destroy(&race.stop);
    broker_unuse(served.broker, &race.tube);
    ck_assert_uint_eq(atomic_load(&race.faults), 0);
    ck_assert_uint_eq(atomic_load(&race.found) + atomic_load(&race.missed), ROUNDS * PEEKERS);
}
END_TEST

/* ---- clients ---- */

static uint64_t client_put(int fd, unsigned round)
{
    char head[64], line[64];
    static char body[BODY_MAX];
    size_t len = body_size(round);
    uint64_t id;
    snprintf(head, sizeof(head), "put 0 0 60 %zu\r\n", len);
    memset(body, (int)('a' + len % 26), len);
    memcpy(body + len, "\r\n", 2);
    peer_say(fd, head);
    peer_send(fd, body, len + 2);
    ck_assert_int_eq(sscanf(peer_line(fd, line, sizeof(line)), "INSERTED %" SCNu64, &id), 1);
    return id;
}

static void client_judge(int fd, uint64_t id)
{
    static char body[BODY_MAX];
    char line[64];
    uint64_t found;
    size_t len;
    if (strcmp(peer_line(fd, line, sizeof(line)), "NOT_FOUND") == 0)
        return;
    ck_assert_msg(sscanf(line, "FOUND %" SCNu64 " %zu", &found, &len) == 2, "%s", line);
    ck_assert_uint_eq(found, id);
    ck_assert_uint_lt(len, BODY_MAX);
    peer_read(fd, body, len);
    ck_assert(body_whole(body, len));
    peer_expect(fd, "\r\n");
}

/* What they say reaches two io threads at once, in an order that changes from round to round. */
START_TEST(peeked_and_deleted_by_clients)
{
    int peekers[PEEKERS], deleter = peer_unix(served.path);
    char command[64];
    for (int i = 0; i < PEEKERS; i++)
        peekers[i] = peer_unix(served.path);
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t id = client_put(deleter, round);
        for (int i = 0; i <= PEEKERS; i++) {
            bool deletes = (unsigned)i == round % (PEEKERS + 1);
            snprintf(command, sizeof(command), "%s %" PRIu64 "\r\n", deletes ? "delete" : "peek",
                     id);
            peer_say(deletes ? deleter : peekers[i - (i > (int)(round % (PEEKERS + 1)))], command);
        }
        peer_expect(deleter, "DELETED\r\n");
        for (int i = 0; i < PEEKERS; i++)
            client_judge(peekers[i], id);
    }
    for (int i = 0; i < PEEKERS; i++)
        peer_close(&peekers[i]);
    peer_close(&deleter);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("peek_race");
    TCase *tcase = tcase_create("race");
    tcase_add_checked_fixture(tcase, up, served_down);
    tcase_add_test(tcase, peeked_and_deleted_by_threads);
    tcase_add_test(tcase, peeked_and_deleted_by_clients);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
