// SPDX-License-Identifier: MIT
/*
 * Operations of the broker on one thread, without anybody else.
 *
 * A loop is a list of steps that leaves the broker as it was: 64 puts, 64 reserves, 64 deletes. The
 * time of each step is taken over its 64 operations, so the clock costs less than a nanosecond an
 * operation; what has no name is only there to close the circle. With a journal (of the backend
 * that keeps nothing) a commit follows what is waited for, as it does before an answer goes out; it
 * is a step of its own.
 */
#include "broker_bench.h"

#include "base/clock.h"
#include "journal/journal.h"
#include "store/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 5
#define WARM 16 /* blocks before anything is measured */
#define HOUR_NS (3600 * HL_SECOND)

struct rig { /* no magic: on the stack of who runs it */
    struct broker *broker;
    struct journal *journal; /* NULL: in memory */
    struct broker_consumer *consumer;
    struct broker_client client;
    struct broker_reserver reserver;
    struct broker_put_spec spec;
    size_t size;
    uint64_t present; /* jobs, between two rounds of the loop */
    uint64_t ids[BLOCK];
    struct broker_lease leases[BLOCK];
    struct job_outcome outcome; /* DONE */
    struct broker_listener listener;
};

/* ---- steps ---- */

static void put(struct rig *rig)
{
    for (size_t i = 0; i < BLOCK; i++)
        rig->ids[i] = bench_put(rig->broker, &rig->spec, rig->size);
}

static void reserve_as(struct rig *rig, unsigned flags)
{
    for (size_t i = 0; i < BLOCK; i++) {
        bench_check("reserve",
                    broker_reserve(&rig->client, &rig->reserver, 0, flags, &rig->leases[i]));
        broker_lease_fini(&rig->leases[i]);
    }
}

static void reserve(struct rig *rig)
{
    reserve_as(rig, 0);
}

static void reserve_token(struct rig *rig)
{
    reserve_as(rig, BROKER_WITH_TOKEN);
}

static void delete (struct rig *rig)
{
    for (size_t i = 0; i < BLOCK; i++)
        bench_check("delete", broker_client_delete(&rig->client, &trust_all, rig->leases[i].id, 0));
}

static void delete_token(struct rig *rig)
{
    for (size_t i = 0; i < BLOCK; i++)
        bench_check("delete", broker_client_delete(&rig->client, &trust_all, rig->leases[i].id,
                                                   rig->leases[i].token));
}

static void delete_put(struct rig *rig)
{
    for (size_t i = 0; i < BLOCK; i++)
        bench_check("delete", broker_client_delete(&rig->client, &trust_all, rig->ids[i], 0));
}

static void release(struct rig *rig)
{
    for (size_t i = 0; i < BLOCK; i++)
        bench_check("release",
                    broker_release(&rig->client, &trust_all, rig->leases[i].id, 0, 0, 0));
}

static void bury(struct rig *rig)
{
    for (size_t i = 0; i < BLOCK; i++)
        bench_check("bury", broker_bury(&rig->client, &trust_all, rig->leases[i].id, 0, 0));
}

static void kick(struct rig *rig)
{
    for (size_t i = 0; i < BLOCK; i++)
        bench_check("kick", broker_kick_job(rig->broker, &trust_all, rig->leases[i].id));
}

static void take(struct rig *rig)
{
    for (size_t i = 0; i < BLOCK; i++) {
        bench_check("take", broker_take(rig->consumer, &rig->leases[i], 0));
        broker_lease_fini(&rig->leases[i]);
    }
}

static void settle(struct rig *rig)
{
    for (size_t i = 0; i < BLOCK; i++)
        bench_check("settle", broker_settle(rig->broker, rig->leases[i].id, rig->leases[i].token,
                                            &rig->outcome));
}

static void take_many(struct rig *rig)
{
    size_t count;
    bench_check("take", broker_take_many(rig->consumer, rig->leases, BLOCK, &count, 0));
    bench_check("take", count == BLOCK ? 0 : EPROTO);
    for (size_t i = 0; i < BLOCK; i++)
        broker_lease_fini(&rig->leases[i]);
}

static void settle_many(struct rig *rig)
{
    struct broker_settlement list[BLOCK];
    _Static_assert(BLOCK <= BROKER_SETTLE_MAX, "a block is settled at once");
    for (size_t i = 0; i < BLOCK; i++)
        list[i] = (struct broker_settlement){
            .id = rig->leases[i].id, .token = rig->leases[i].token, .outcome = &rig->outcome};
    broker_settle_many(rig->broker, list, BLOCK);
    for (size_t i = 0; i < BLOCK; i++)
        bench_check("settle", list[i].rc);
}

/* What an answer would wait for. */
static void commit(struct rig *rig)
{
    struct ticket ticket = broker_ticket_wanted(rig->broker);
    bench_check("commit", broker_ticket_wait(rig->broker, &ticket, HL_FOREVER));
}

/* ---- loops ---- */

struct step {
    const char *row; /* NULL: not told */
    void (*run)(struct rig *rig);
    bool durable; /* only with a journal */
};

struct loop {
    bool stays;   /* nothing is put: a block of jobs lies there beside the others */
    bool delayed; /* jobs are put with a delay of an hour */
    bool kept;    /* somebody takes the records of finished jobs, and drops them */
    bool heard;   /* somebody listens to everything */
    struct step steps[STEPS_MAX];
};

#define COMMIT                                                                                     \
    {                                                                                              \
        NULL, commit, true                                                                         \
    }

static const struct loop loops[] = {
    {.steps = {{"put", put, false},
               {"commit", commit, true},
               {"reserve", reserve, false},
               {"delete", delete, false},
               COMMIT}},
    {.steps = {{NULL, put, false},
               COMMIT,
               {"reserve-token", reserve_token, false},
               {"delete-token", delete_token, false},
               COMMIT}},
    {.steps =
         {{NULL, put, false}, COMMIT, {"take", take, false}, {"settle", settle, false}, COMMIT}},
    {.steps = {{NULL, put, false},
               COMMIT,
               {"take-many", take_many, false},
               {"settle-many", settle_many, false},
               COMMIT}},
    {.kept = true,
     .steps = {{NULL, put, false},
               COMMIT,
               {NULL, take_many, false},
               {"settle-kept", settle_many, false},
               COMMIT}},
    {.stays = true, .steps = {{NULL, reserve, false}, {"release", release, false}, COMMIT}},
    {.stays = true,
     .steps =
         {{NULL, reserve, false}, {"bury", bury, false}, COMMIT, {"kick", kick, false}, COMMIT}},
    {.heard = true,
     .steps = {{"put-heard", put, false},
               COMMIT,
               {"reserve-heard", reserve, false},
               {"delete-heard", delete, false},
               COMMIT}},
    {.delayed = true,
     .steps = {{"put-delay", put, false}, COMMIT, {"delete-delay", delete_put, false}, COMMIT}},
};
#define LOOPS (sizeof(loops) / sizeof(loops[0]))

enum { IN_MEMORY = 0, DURABLE, LEVELS };
static const char *const prefixes[LEVELS] = {"", "durable-"};

static struct row *rows[LEVELS][LOOPS][STEPS_MAX]; /* NULL: not told */

/* ---- the broker of a loop ---- */

static struct list ended;

static void ends_take(struct list *ends, void *arg)
{
    struct list_node *node;
    (void)arg;
    while ((node = list_pop(ends)) != NULL)
        list_append(&ended, node);
}

/* A record is made of each, and dropped. */
static void ends_record(void *arg)
{
    struct list_node *node;
    (void)arg;
    while ((node = list_pop(&ended)) != NULL) {
        struct job_end *end = CONTAINER_OF(node, struct job_end, node);
        struct job_record *record;
        bench_check("record", job_end_record(end, &record));
        job_record_unref(&record);
        job_end_unref(&end);
    }
}

static void journal_begin(struct rig *rig)
{
    struct journal_error error = {0};
    struct store_recovered recovered;
    struct journal_settings settings = {.directory = NULL};
    struct store_options log = {.journal = NULL};
    bench_check("journal", journal_open(&rig->journal, &settings, &error));
    bench_check("journal", journal_acquire(rig->journal, &error));
    log.journal = rig->journal;
    bench_check("journal", broker_recover(rig->broker, &log, &recovered, &error));
}

static void rig_begin(struct rig *rig, const struct settings *settings, const struct loop *loop,
                      int level)
{
    static const char *const tubes[] = {"default"};
    struct broker_options options = {.body_max = settings->size,
                                     .durability = DURABILITY_COMMIT,
                                     .ended = loop->kept ? ends_take : NULL,
                                     .ended_after = ends_record};
    list_init(&ended);
    memset(rig, 0, sizeof(*rig));
    rig->size = settings->size;
    rig->present = settings->depth + (loop->stays ? BLOCK : 0);
    job_outcome_init(&rig->outcome);
    bench_check("broker", broker_new(&rig->broker, &options));
    if (level == DURABLE)
        journal_begin(rig);
    bench_check("client", broker_client_init(&rig->client, rig->broker));
    bench_check("consumer", broker_consumer_new(&rig->consumer, rig->broker, "bench", tubes, 1));
    rig->spec = (struct broker_put_spec){
        .submitter = JOB_NOBODY, .ttr_ns = HOUR_NS, .delay_ns = loop->delayed ? HOUR_NS : 0};
    bench_check("tube", broker_use(rig->broker, "default", 7, &rig->spec.tube));
    for (uint64_t i = 0; i < rig->present; i++)
        (void)bench_put(rig->broker, &rig->spec, rig->size);
    const struct broker_listen all = {.asker = &trust_all};
    if (loop->heard)
        bench_check("listen", broker_listen(rig->broker, &all, &rig->listener));
    if (level == DURABLE)
        commit(rig);
}

static void rig_end(struct rig *rig)
{
    struct broker_stats stats;
    broker_stats(rig->broker, &stats);
    if (stats.count[JOB_READY] + stats.count[JOB_DELAYED] != rig->present ||
        stats.count[JOB_RESERVED] + stats.count[JOB_BURIED] != 0)
        bench_fail("%" PRIu64 " jobs are left of %" PRIu64,
                   stats.count[JOB_READY] + stats.count[JOB_DELAYED], rig->present);
    broker_unlisten(&rig->listener);
    broker_unuse(rig->broker, &rig->spec.tube);
    broker_consumer_free(&rig->consumer);
    (void)broker_client_fini(&rig->client);
    bench_check("stop", broker_stop(rig->broker));
    broker_free(&rig->broker);
    if (rig->journal != NULL)
        bench_check("journal", journal_close(&rig->journal));
    job_outcome_fini(&rig->outcome);
}

/* ---- measuring ---- */

static bool step_runs(const struct step *step, int level)
{
    return step->run != NULL && (level == DURABLE || !step->durable);
}

/* Once through a loop; ns: where the times go, an operation each, or NULL. */
static void loop_once(struct rig *rig, const struct loop *loop, int level,
                      double *const ns[STEPS_MAX], size_t block)
{
    for (size_t s = 0; s < STEPS_MAX; s++) {
        if (!step_runs(&loop->steps[s], level))
            continue;
        int64_t start = clock_now_ns();
        loop->steps[s].run(rig);
        if (ns != NULL)
            ns[s][block] = (double)(clock_now_ns() - start) / BLOCK;
    }
}

static bool loop_wanted(size_t index, int level)
{
    for (size_t s = 0; s < STEPS_MAX; s++)
        if (rows[level][index][s] != NULL && rows[level][index][s]->wanted)
            return true;
    return false;
}

static void loop_round(const struct settings *settings, size_t index, int level)
{
    const struct loop *loop = &loops[index];
    size_t blocks = settings->jobs / BLOCK;
    double *ns[STEPS_MAX];
    struct rig rig;
    for (size_t s = 0; s < STEPS_MAX; s++)
        if ((ns[s] = calloc(blocks, sizeof(*ns[s]))) == NULL)
            bench_check("samples", ENOMEM);
    rig_begin(&rig, settings, loop, level);
    for (size_t block = 0; block < WARM; block++)
        loop_once(&rig, loop, level, NULL, 0);
    for (size_t block = 0; block < blocks; block++)
        loop_once(&rig, loop, level, ns, block);
    rig_end(&rig);
    for (size_t s = 0; s < STEPS_MAX; s++) {
        struct row *row = rows[level][index][s];
        qsort(ns[s], blocks, sizeof(*ns[s]), double_compare);
        if (row != NULL && row->wanted)
            row_add(row, SIDE_THIS, ns[s][blocks / 10], ns[s][blocks / 2]);
        free(ns[s]);
    }
}

void ops_rows(void)
{
    for (int level = 0; level < LEVELS; level++)
        for (size_t i = 0; i < LOOPS; i++)
            for (size_t s = 0; s < STEPS_MAX; s++) {
                const struct step *step = &loops[i].steps[s];
                if (step->row != NULL && step_runs(step, level))
                    rows[level][i][s] = row_new(prefixes[level], step->row, "ns", true);
            }
}

void ops_round(const struct settings *settings)
{
    for (int level = 0; level < LEVELS; level++)
        for (size_t i = 0; i < LOOPS; i++)
            if (loop_wanted(i, level))
                loop_round(settings, i, level);
}

/* ---- counting ---- */

__attribute__((noinline)) void bench_counted(void (*run)(struct rig *rig), struct rig *rig)
{
    run(rig);
    __asm__ volatile("" ::: "memory"); /* so that it returns here */
}

static void loop_counted(const struct settings *settings, size_t index, int level, size_t counted)
{
    struct rig rig;
    rig_begin(&rig, settings, &loops[index], level);
    for (size_t block = 0; block < WARM; block++)
        loop_once(&rig, &loops[index], level, NULL, 0);
    for (size_t block = 0; block < settings->jobs / BLOCK; block++)
        for (size_t s = 0; s < STEPS_MAX; s++) {
            const struct step *step = &loops[index].steps[s];
            if (!step_runs(step, level))
                continue;
            if (s == counted)
                bench_counted(step->run, &rig);
            else
                step->run(&rig);
        }
    rig_end(&rig);
}

void ops_counted(const struct settings *settings)
{
    const struct row *row = row_find(settings->counted);
    for (int level = 0; level < LEVELS; level++)
        for (size_t i = 0; i < LOOPS; i++)
            for (size_t s = 0; s < STEPS_MAX; s++)
                if (rows[level][i][s] == row && row != NULL) {
                    loop_counted(settings, i, level, s);
                    return;
                }
    bench_fail("\"%s\" is no row whose instructions can be counted", settings->counted);
}
