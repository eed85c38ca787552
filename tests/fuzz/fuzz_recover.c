// SPDX-License-Identifier: MIT
/*
 * Fuzz target: a broker that starts on a journal with any records, whole frames all of them. The
 * input is a record after the other, a length byte before each.
 *
 * The start works, or says why not. Then jobs are looked at, served, ended in many ways and put,
 * the journal is compacted, the broker stops, and starts once more: it finds what it left, and not
 * one record more that can't be read, for that would be one that it has written itself.
 *
 * With libFuzzer: configure --enable-fuzzer CC=clang; make tests/fuzz/fuzz_recover;
 *                 tests/fuzz/fuzz_recover NEW_FOLDER tests/fuzz/corpus/recover
 * 'make check' runs the corpus through fuzz_main.c instead.
 */
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "blocking.h"
#include "broker/broker.h"
#include "fuzz.h"
#include "journal/journal.h"
#include "journal_disk.h"
#include "store/store.h"

#include <errno.h>
#include <string.h>

#define INPUT_MAX ((size_t)4096)
#define JOBS_MAX 16

static const struct journal_settings settings = {.directory = "disk",
                                                 .segment_size = JOURNAL_SEGMENT_MIN,
                                                 .segment_size_max = JOURNAL_SEGMENT_MIN,
                                                 .prepare_inline = true,
                                                 .sys = &disk_sys};

static void log_drop(enum log_level level, const char *line, void *arg)
{
    (void)level;
    (void)line;
    (void)arg;
}

/* ---- the journal ---- */

static void appended(struct journal_append *append)
{
    ASSERT(append->result == 0);
}

static void journal_fill(const uint8_t *data, size_t size)
{
    static const struct journal_visitor nothing = {.record = NULL};
    struct journal *journal;
    struct journal_error error = {""};
    struct journal_replayed found;
    MUST(journal_open(&journal, &settings, &error));
    MUST(journal_acquire(journal, &error));
    MUST(journal_replay(journal, &nothing, &found, &error));
    uint64_t sequence = found.last_sequence;
    while (size > 1 && data[0] > 0) {
        size_t len = data[0] < size ? data[0] : size - 1;
        struct journal_record record = {.head = data + 1, .head_len = (uint32_t)len};
        struct journal_append request = {
            .records = &record, .count = 1, .sync = true, .expected = sequence, .done = appended};
        journal_append(journal, &request);
        sequence = request.sequence;
        data += 1 + len;
        size -= 1 + len;
    }
    MUST(journal_close(&journal));
}

/* ---- the broker ---- */

struct up {
    struct journal *journal;
    struct broker *broker;
    struct store_recovered recovered;
};

static void ends_drop(struct list *ends, void *arg)
{
    struct list_node *node;
    (void)arg;
    while ((node = list_pop(ends)) != NULL) {
        struct job_end *end = CONTAINER_OF(node, struct job_end, node);
        job_end_unref(&end);
    }
}

static void result_found(uint64_t number, struct job_record **record, void *arg)
{
    ASSERT(number > 0 && number <= JOB_ID_MAX);
    (void)arg;
    job_record_unref(record);
}

static bool start(struct up *up)
{
    struct journal_error error = {""};
    const struct broker_options options = {.ended = ends_drop};
    struct store_options log = {.result_found = result_found};
    MUST(journal_open(&up->journal, &settings, &error));
    MUST(broker_new(&up->broker, &options));
    MUST(journal_acquire(up->journal, &error));
    log.journal = up->journal;
    int rc = broker_recover(up->broker, &log, &up->recovered, &error);
    if (rc == 0) {
        const struct broker_charge charge = {.rules = NULL};
        struct broker_taken taken;
        (void)broker_take_over(up->broker, &charge, &taken);
        return true;
    }
    ASSERT(rc == EOPNOTSUPP && error.text[0] != '\0');
    broker_free(&up->broker);
    (void)journal_close(&up->journal);
    return false;
}

static void stop(struct up *up)
{
    MUST(broker_stop(up->broker));
    broker_free(&up->broker);
    MUST(journal_close(&up->journal));
}

/* ---- what is done ---- */

static uint64_t jobs_of(struct broker *broker)
{
    struct broker_stats stats;
    broker_stats(broker, &stats);
    return stats.count[JOB_READY] + stats.count[JOB_DELAYED] + stats.count[JOB_BURIED] +
           stats.count[JOB_RESERVED];
}

static void put(struct broker *broker, const char *tube)
{
    struct broker_put_spec spec = {.ttr_ns = HL_SECOND, .submitter = JOB_NOBODY};
    struct job_body *body;
    uint64_t id;
    MUST(broker_use(broker, tube, strlen(tube), &spec.tube));
    MUST(job_body_new(&body, 0));
    int rc = broker_put(broker, &spec, &body, &id);
    ASSERT(rc == 0 || rc == ENOTRECOVERABLE); /* there are no ids left */
    job_body_unref(&body);
    broker_unuse(broker, &spec.tube);
}

static void serve(struct broker *broker, const char *tube)
{
    static const enum job_outcome_kind kinds[] = {JOB_OUTCOME_FAILED, JOB_OUTCOME_RETRY,
                                                  JOB_OUTCOME_CRASHED, JOB_OUTCOME_DONE};
    struct broker_consumer *consumer;
    struct broker_lease lease;
    MUST(broker_consumer_new(&consumer, broker, "consumer", &tube, 1));
    for (unsigned i = 0; i < JOBS_MAX && broker_take(consumer, &lease, 0) == 0; i++) {
        struct job_outcome outcome;
        job_outcome_init(&outcome);
        outcome.kind = kinds[i % 4];
        MUST(broker_settle(broker, lease.id, lease.token, &outcome));
        broker_lease_fini(&lease);
    }
    broker_consumer_free(&consumer);
}

static void session(struct broker *broker)
{
    static const uint64_t ids[] = {1, 2, 3, JOB_ID_MAX - 1, JOB_ID_MAX};
    struct job_view view;
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        int rc = broker_peek(broker, &trust_all, ids[i], &view, NULL);
        ASSERT(rc == 0 || rc == ENOENT);
        rc = broker_kick_job(broker, &trust_all, ids[i]);
        ASSERT(rc == 0 || rc == ENOENT);
    }
    serve(broker, "t");
    (void)broker_delete(broker, &trust_all, ids[1]);
    clock_virtual_advance(60 * HL_SECOND);
    (void)broker_due(broker);
    broker_clock_look(broker);
    put(broker, "t");
    put(broker, "u");
    int rc = EAGAIN;
    for (unsigned i = 0; i < 1000 && (rc == 0 || rc == EAGAIN); i++)
        rc = broker_compact(broker);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > INPUT_MAX)
        return 0;
    log_set_sink(log_drop, NULL);
    disk_start();
    clock_virtual_start(1000 * HL_SECOND);
    journal_fill(data, size);
    struct up up;
    if (start(&up)) {
        uint64_t unreadable = up.recovered.unreadable;
        session(up.broker);
        uint64_t jobs = jobs_of(up.broker);
        stop(&up);
        ASSERT(start(&up));
        ASSERT(up.recovered.jobs == jobs);
        ASSERT(up.recovered.unreadable <= unreadable);
        stop(&up);
    }
    clock_virtual_stop();
    disk_stop();
    return 0;
}
