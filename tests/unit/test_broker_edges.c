// SPDX-License-Identifier: MIT
/*
 * Journals whose entries are whole and right, and say numbers from the edges of what they may be:
 * a disk, or whoever made the file, may say so. A start on one must work, as must all that is done
 * with its jobs; and what the broker writes then must be read by the next start without a word, for
 * an entry of ours that can't be read costs a job.
 */
#include "blocking.h"
#include "durable.h"
#include "journal_kit.h"

#include "base/clock.h"

#include <errno.h>
#include <string.h>

#define BLOCK (UINT64_C(1) << 17) // of ids, as in src/store/id_limit.c

static struct durable durable;
static struct engine_records records;
static struct kit kit;

static void setup(void)
{
    durable_prepare(&durable, &records);
    kit_init(&kit);
    ck_assert_int_eq(kit_open(&kit), 0);
}

static void teardown(void)
{
    kit_fini(&kit);
    durable_end(&durable, &records);
}

// ---- what is in the journal ----

static void write_entry_with(const struct job_entry *entry, const char *body)
{
    char bytes[JOB_ENTRY_HEAD_MAX + 64];
    size_t len = job_entry_encode(entry, bytes), body_len = strlen(body);
    ck_assert_uint_lt(body_len, 64);
    memcpy(bytes + len, body, body_len);
    ck_assert_int_eq(kit_append_bytes(&kit, bytes, len + body_len, true, NULL), 0);
}

static void write_entry(const struct job_entry *entry)
{
    write_entry_with(entry, "");
}

static struct job_entry put_of(uint64_t id)
{
    return (struct job_entry){.type = JOB_ENTRY_PUT,
                              .id = id,
                              .ttr_s = 60,
                              .state = JOB_READY,
                              .tube = "t",
                              .tube_len = 1};
}

static void write_limits(uint64_t ceiling)
{
    const struct job_entry limits = {.type = JOB_ENTRY_LIMITS, .id_limit = ceiling};
    write_entry(&limits);
}

// The journal is given to the broker, which must find nothing wrong.
static void start(void)
{
    if (kit.journal != NULL)
        ck_assert_int_eq(kit_close(&kit), 0);
    durable_again(&durable);
    ck_assert_uint_eq(durable.recovered.unreadable, 0);
}

static void stop_and_start(void)
{
    ck_assert_int_eq(durable_close(&durable), 0);
    start();
}

static uint64_t last_id_given(void)
{
    return engine_put(durable.broker, "t", 5, 0, "one more");
}

// ---- ids ----

// Where the last ids are the broker may issue those below the highest that can be read, no others,
// and the jobs that are there are served.
START_TEST(ids_end_before_what_can_be_read)
{
    uint64_t from = JOB_ID_MAX - 3;
    write_entry_with(&(struct job_entry){.type = JOB_ENTRY_PUT,
                                         .id = from,
                                         .ttr_s = 60,
                                         .state = JOB_READY,
                                         .tube = "t",
                                         .tube_len = 1},
                     "first");
    start();
    ck_assert_uint_eq(last_id_given(), from + 1);
    ck_assert_uint_eq(last_id_given(), from + 2);
    ck_assert_int_eq(engine_put_rc(durable.broker, "t", "no id is left"), ENOTRECOVERABLE);
    durable_commit(&durable);
    stop_and_start();
    ck_assert_uint_eq(durable.recovered.jobs, 3);
    ck_assert_uint_eq(durable.damages, 1); // it says that no ids are left
    ck_assert_int_eq(engine_put_rc(durable.broker, "t", "no id is left"), ENOTRECOVERABLE);
    struct broker_consumer *consumer = engine_consumer(durable.broker, "t");
    struct broker_lease lease;
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_ne(engine_take(consumer, &lease), 0);
        ck_assert_int_eq(engine_settle(durable.broker, &lease, JOB_OUTCOME_DONE), 0);
    }
    broker_consumer_free(&consumer);
    stop_and_start();
    ck_assert_uint_eq(durable.recovered.jobs, 0);
    ck_assert_int_eq(engine_put_rc(durable.broker, "t", "still none"), ENOTRECOVERABLE);
}
END_TEST

static const uint64_t edges[] = {JOB_ID_MAX,
                                 JOB_ID_MAX - 1,
                                 JOB_ID_MAX - 2,
                                 JOB_ID_MAX - BLOCK / 2,
                                 JOB_ID_MAX - BLOCK / 2 - 2,
                                 JOB_ID_MAX - BLOCK,
                                 JOB_ID_MAX - BLOCK - 2,
                                 JOB_ID_MAX - JOURNAL_GAP_AFTER_DAMAGE,
                                 JOB_ID_MAX / 2};
#define EDGES (sizeof(edges) / sizeof(edges[0]))

// What the start, the puts after it and the stop write about ids is read again.
START_TEST(ceilings_can_be_read_again)
{
    if (_i % 2 == 0)
        write_limits(edges[_i / 2]);
    else {
        const struct job_entry put = put_of(edges[_i / 2]);
        write_entry(&put);
    }
    start();
    uint64_t before = 0;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 3; i++) {
            int rc = engine_put_rc(durable.broker, "t", "x");
            ck_assert(rc == 0 || rc == ENOTRECOVERABLE);
            ck_assert(rc == 0 || edges[_i / 2] > JOB_ID_MAX - 2 * BLOCK); // a kill costs a block
        }
        uint64_t jobs = engine_stats(durable.broker).count[JOB_READY];
        ck_assert_uint_ge(jobs, before);
        before = jobs;
        durable_commit(&durable);
        if (round == 1)
            durable_kill(&durable, NULL);
        else
            ck_assert_int_eq(durable_close(&durable), 0);
        start();
        ck_assert_uint_eq(durable.recovered.jobs, before);
    }
}
END_TEST

// Damage makes a gap of ids, which must end before them, too.
START_TEST(a_gap_after_damage_can_be_read_again)
{
    const struct job_entry put = put_of(edges[_i]);
    write_entry(&put);
    ck_assert_int_eq(kit_append_bytes(&kit, "\x01\x01\x00", 3, true, NULL), 0); // no id
    ck_assert_int_eq(kit_close(&kit), 0);
    uint64_t jobs = 1;
    for (int round = 0; round < 3; round++) {
        durable_again(&durable);
        ck_assert_uint_eq(durable.recovered.unreadable, 1);
        ck_assert_uint_eq(durable.recovered.jobs, jobs);
        jobs += engine_put_rc(durable.broker, "t", "x") == 0;
        ck_assert_int_eq(durable_close(&durable), 0);
    }
    ck_assert_uint_eq(jobs, edges[_i] < JOB_ID_MAX - 4 * JOURNAL_GAP_AFTER_DAMAGE ? 4 : 1);
}
END_TEST

// ---- order of burial, groups ----

static void bury_next(void)
{
    struct broker_consumer *consumer = engine_consumer(durable.broker, "t");
    struct broker_lease lease;
    ck_assert_uint_ne(engine_take(consumer, &lease), 0);
    ck_assert_int_eq(engine_settle(durable.broker, &lease, JOB_OUTCOME_FAILED), 0);
    broker_consumer_free(&consumer);
}

// One that is buried behind the last stays buried.
START_TEST(a_burial_can_be_read_again)
{
    struct job_entry put = put_of(1);
    put.state = JOB_BURIED;
    put.burial = JOB_ID_MAX;
    write_entry(&put);
    put = put_of(2);
    write_entry(&put);
    put = put_of(3);
    write_entry(&put);
    const struct job_entry bury = {.type = JOB_ENTRY_BURY, .id = 3, .burial = JOB_ID_MAX - 1};
    write_entry(&bury);
    start();
    bury_next();
    ck_assert_uint_eq(engine_stats(durable.broker).count[JOB_BURIED], 3);
    for (int round = 0; round < 3; round++) {
        stop_and_start();
        ck_assert_uint_eq(durable.recovered.buried, 3);
        (void)durable_compact(&durable);
    }
}
END_TEST

static void group_is(const char *name, uint64_t done, uint64_t failed)
{
    uint64_t unfinished;
    struct broker_totals totals;
    ck_assert_int_eq(broker_group_stats(durable.broker, &trust_all, name, &unfinished, &totals), 0);
    ck_assert_uint_eq(totals.done, done);
    ck_assert_uint_eq(totals.failed, failed);
}

static int put_into_group(const char *name)
{
    const struct job_options options = {.group = name, .name = "", .key = "", .tags = ""};
    struct broker_put_spec spec = {
        .tube = NULL, .ttr_ns = HL_SECOND, .options = &options, .submitter = JOB_NOBODY};
    ck_assert_int_eq(broker_use(durable.broker, "t", 1, &spec.tube), 0);
    struct job_body *body = engine_body("x");
    uint64_t id;
    int rc = broker_put(durable.broker, &spec, &body, &id);
    job_body_unref(&body);
    broker_unuse(durable.broker, &spec.tube);
    return rc;
}

// Groups made behind the last number keep their counts, full counts stay what can be read.
START_TEST(groups_can_be_read_again)
{
    const struct job_entry group = {.type = JOB_ENTRY_GROUP,
                                    .group = "full",
                                    .group_len = 4,
                                    .group_number = JOB_ID_MAX,
                                    .group_counts = {JOB_COUNT_MAX, JOB_COUNT_MAX, 0, 0}};
    write_entry(&group);
    start();
    ck_assert_int_eq(put_into_group("full"), 0);
    ck_assert_int_eq(put_into_group("new"), 0);
    ck_assert_int_eq(put_into_group("new"), 0);
    ck_assert_int_eq(put_into_group("full"), 0);
    bury_next();
    bury_next();
    for (int round = 0; round < 3; round++) {
        stop_and_start();
        group_is("new", 0, 1);
        group_is("full", JOB_COUNT_MAX, JOB_COUNT_MAX);
        (void)durable_compact(&durable);
    }
}
END_TEST

// ---- anything ----

static uint64_t any_of(struct unit_random *random, uint64_t most)
{
    switch (unit_random_below(random, 6)) {
    case 0:
        return most;
    case 1:
        return most - unit_random_below(random, most < 8 ? (uint32_t)most + 1 : 8);
    case 2:
        return most / 2 + unit_random_below(random, 3) - (most > 4 ? 1 : 0);
    case 3:
        return 0;
    case 4:
        return unit_random_below(random, 100) % (most + 1);
    default:
        return unit_random_next(random) % (most + 1);
    }
}

#define IDS 12

// Few jobs, with ids from both ends.
static uint64_t any_id(struct unit_random *random)
{
    uint32_t of = unit_random_below(random, IDS);
    return of < IDS / 2 ? 1 + of : JOB_ID_MAX - IDS + of;
}

static void any_counters(struct unit_random *random, struct job_entry *entry)
{
    uint32_t *const counters[] = {
        &entry->reserves, &entry->tries.timeouts, &entry->releases,      &entry->buries,
        &entry->kicks,    &entry->tries.failures, &entry->tries.crashes, &entry->tries.losses};
    for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
        *counters[i] = (uint32_t)any_of(random, UINT32_MAX);
}

static void any_group(struct unit_random *random, struct job_entry *entry)
{
    static const char *const names[] = {"a", "b", "c"};
    entry->group = names[unit_random_below(random, 3)];
    entry->group_len = 1;
}

static void any_options(struct unit_random *random, struct job_options *options)
{
    *options = (struct job_options){.name = "name", .group = "", .key = "", .tags = ""};
    if (unit_random_below(random, 2) == 0)
        options->group = unit_random_below(random, 2) == 0 ? "a" : "b";
    if (unit_random_below(random, 2) == 0) {
        options->set |= JOB_OPTION_AT;
        options->at_wall_ns = (int64_t)any_of(random, INT64_MAX);
    }
    if (unit_random_below(random, 2) == 0) {
        options->set |= JOB_OPTION_RETENTION;
        options->retention_ns = (int64_t)any_of(random, JOB_OPTION_TIME_MAX);
    }
    options->rules = (struct job_rules){
        .set = JOB_RULE_ATTEMPTS | JOB_RULE_BACKOFF | JOB_RULE_BACKOFF_CAP | JOB_RULE_TIMEOUT,
        .attempts = 1 + (uint32_t)any_of(random, UINT32_MAX - 1),
        .backoff_ns = (int64_t)any_of(random, JOB_OPTION_TIME_MAX),
        .backoff_cap_ns = (int64_t)any_of(random, JOB_OPTION_TIME_MAX),
        .timeout_ns = (int64_t)any_of(random, JOB_OPTION_TIME_MAX)};
}

// How a job is out: not, by a worker of the daemon, or under a token.
static void any_out(struct unit_random *random, struct job_entry *entry)
{
    static const enum job_out outs[] = {JOB_OUT_NOT, JOB_OUT_LOCAL, JOB_OUT_TOKEN};
    entry->out = outs[unit_random_below(random, 3)];
    if (entry->out != JOB_OUT_TOKEN)
        return;
    entry->out_key = 1 + any_of(random, UINT64_MAX - 1);
    entry->out_until_wall_ns = (int64_t)any_of(random, JOB_WALL_MAX_NS);
}

static struct job_entry any_put(struct unit_random *random, const struct job_options *options)
{
    static const enum job_state states[] = {JOB_READY, JOB_DELAYED, JOB_BURIED};
    struct job_entry put = put_of(any_id(random));
    put.pri = (uint32_t)any_of(random, UINT32_MAX);
    put.ttr_s = (uint32_t)any_of(random, UINT32_MAX);
    put.state = states[unit_random_below(random, 3)];
    put.created_wall_ns = (int64_t)any_of(random, JOB_WALL_MAX_NS) / 1000000 * 1000000;
    put.until_wall_ns = (int64_t)any_of(random, INT64_MAX);
    put.delay_ns = (int64_t)any_of(random, JOB_SPAN_MAX_NS);
    put.burial = any_of(random, JOB_ID_MAX);
    put.reason = "because";
    put.reason_len = unit_random_below(random, 2) * 7;
    any_counters(random, &put);
    if (unit_random_below(random, 2) == 0)
        put.options = options;
    if (put.state == JOB_READY)
        any_out(random, &put);
    return put;
}

static struct job_entry any_change(struct unit_random *random)
{
    static const enum job_entry_type types[] = {
        JOB_ENTRY_BURY,    JOB_ENTRY_KICK,   JOB_ENTRY_LEASE, JOB_ENTRY_RELEASE, JOB_ENTRY_RETRY,
        JOB_ENTRY_TIMEOUT, JOB_ENTRY_DELETE, JOB_ENTRY_MOVE,  JOB_ENTRY_PAUSE,   JOB_ENTRY_GROUP};
    static const char counts[] = "dfxcr";
    struct job_entry entry = {
        .type = types[unit_random_below(random, 10)],
        .id = any_id(random),
        .tube = "u",
        .tube_len = 1,
        .pri = (uint32_t)any_of(random, UINT32_MAX),
        .burial = any_of(random, JOB_ID_MAX),
        .delay_ns = (int64_t)any_of(random, JOB_SPAN_MAX_NS),
        .until_wall_ns = (int64_t)any_of(random, INT64_MAX),
        .group_number = any_of(random, JOB_ID_MAX),
        .group_counts = {any_of(random, JOB_COUNT_MAX), any_of(random, JOB_COUNT_MAX),
                         any_of(random, JOB_COUNT_MAX), any_of(random, JOB_COUNT_MAX)}};
    any_counters(random, &entry);
    any_group(random, &entry);
    if (entry.type == JOB_ENTRY_LEASE || entry.type == JOB_ENTRY_RETRY)
        any_out(random, &entry);
    bool counts_too = entry.type == JOB_ENTRY_DELETE || entry.type == JOB_ENTRY_BURY ||
                      entry.type == JOB_ENTRY_KICK || entry.type == JOB_ENTRY_LEASE;
    if (counts_too && unit_random_below(random, 2) == 0)
        entry.group_count = (enum job_fate_count)counts[unit_random_below(random, 5)];
    return entry;
}

static void any_entry(struct unit_random *random)
{
    struct job_options options;
    any_options(random, &options);
    const struct job_entry entry =
        unit_random_below(random, 2) == 0 ? any_put(random, &options) : any_change(random);
    write_entry(&entry);
}

static void look_at(uint64_t id)
{
    struct job_view view;
    if (broker_peek(durable.broker, &trust_all, id, &view, NULL) != 0)
        return;
    ck_assert_uint_eq(view.id, id);
}

// All kinds of ends, for whatever is ready.
static void serve(struct unit_random *random)
{
    static const enum job_outcome_kind kinds[] = {JOB_OUTCOME_DONE, JOB_OUTCOME_FAILED,
                                                  JOB_OUTCOME_RETRY, JOB_OUTCOME_CRASHED,
                                                  JOB_OUTCOME_TIMEOUT};
    struct broker_consumer *consumer = engine_consumer(durable.broker, "t");
    struct broker_lease lease;
    for (int i = 0; i < 6 && engine_take(consumer, &lease) != 0; i++)
        ck_assert_int_eq(engine_settle(durable.broker, &lease, kinds[unit_random_below(random, 5)]),
                         0);
    broker_consumer_free(&consumer);
}

static void records_drop(void)
{
    while (records.count > 0)
        job_record_unref(&records.record[--records.count]);
}

static void session(struct unit_random *random)
{
    for (int i = 1; i <= IDS; i++)
        look_at(i <= IDS / 2 ? (uint64_t)i : JOB_ID_MAX - IDS + (uint64_t)i - 1);
    serve(random);
    records_drop();
    for (int i = 0; i < 4; i++)
        (void)broker_kick_job(durable.broker, &trust_all, any_id(random));
    (void)broker_delete(durable.broker, &trust_all, any_id(random));
    clock_virtual_advance((int64_t)unit_random_below(random, 100) * HL_SECOND);
    (void)broker_due(durable.broker);
    broker_clock_look(durable.broker);
    int rc = put_into_group("z");
    ck_assert(rc == 0 || rc == ENOTRECOVERABLE);
}

START_TEST(any_journal_of_edges_can_be_served)
{
    struct unit_random random = unit_random_seed(1000 + (uint64_t)_i);
    for (int i = 0; i < 40; i++)
        any_entry(&random);
    start();
    for (int round = 0; round < 3; round++) {
        session(&random);
        durable_commit(&durable);
        (void)durable_compact(&durable);
        stop_and_start();
    }
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("broker_edges");
    TCase *all = tcase_create("edges");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, ids_end_before_what_can_be_read);
    tcase_add_loop_test(all, ceilings_can_be_read_again, 0, 2 * (int)EDGES);
    tcase_add_loop_test(all, a_gap_after_damage_can_be_read_again, 0, (int)EDGES);
    tcase_add_test(all, a_burial_can_be_read_again);
    tcase_add_test(all, groups_can_be_read_again);
    tcase_add_loop_test(all, any_journal_of_edges_can_be_served, 0, unit_rounds(200));
    suite_add_tcase(suite, all);
    return unit_main(suite);
}
