// SPDX-License-Identifier: MIT
/*
 * What a broker does for several threads at once: one puts as fast as it can, and workers that do
 * nothing take and settle up to 64 jobs in a hold of the lock each, as those of a pool with a brief
 * handler do (src/worker). Told are the rate, and the processor time of all of them together.
 *
 * And what jobs take in memory: the allocator's own figure, and the pages of the process.
 */
#include "broker_bench.h"

#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define WORKERS_MAX 2
#define POOL_TIMES 10 /* so many jobs as a row of one thread has operations */

struct worker {
    struct broker *broker;
    struct broker_consumer *consumer;
    hl_thread *thread;
    uint64_t done;
};

static struct row *rates[WORKERS_MAX], *times[WORKERS_MAX];
static struct row *bytes, *resident, *sizeof_job, *sizeof_extra;

void pool_rows(void)
{
    for (int i = 0; i < WORKERS_MAX; i++) {
        char name[ROW_NAME_MAX];
        (void)snprintf(name, sizeof(name), "pool-%d", i + 1);
        rates[i] = row_new("", name, "Mjobs/s", false);
        times[i] = row_new(name, "-cpu", "us", false);
    }
}

static void work(void *arg)
{
    struct worker *worker = arg;
    struct broker_lease leases[BROKER_SETTLE_MAX];
    struct broker_settlement list[BROKER_SETTLE_MAX];
    struct job_outcome outcome;
    size_t count;
    int rc;
    job_outcome_init(&outcome);
    while ((rc = broker_take_many(worker->consumer, leases, BROKER_SETTLE_MAX, &count,
                                  HL_FOREVER)) == 0) {
        outcome.ended_ns = clock_now_ns();
        for (size_t i = 0; i < count; i++)
            list[i] = (struct broker_settlement){
                .id = leases[i].id, .token = leases[i].token, .outcome = &outcome};
        broker_settle_many(worker->broker, list, count);
        for (size_t i = 0; i < count; i++) {
            bench_check("settle", list[i].rc);
            broker_lease_fini(&leases[i]);
        }
        worker->done += count;
    }
    bench_check("take", rc == ESHUTDOWN ? 0 : rc);
    job_outcome_fini(&outcome);
}

static void workers_start(struct worker *workers, size_t count, struct broker *broker)
{
    static const char *const tubes[] = {"default"};
    for (size_t i = 0; i < count; i++) {
        struct worker *worker = &workers[i];
        *worker = (struct worker){.broker = broker};
        bench_check("consumer", broker_consumer_new(&worker->consumer, broker, "bench", tubes, 1));
        bench_check("thread", hl_thread_new(&worker->thread, &(struct hl_thread_options){
                                                                 .target = work, .arg = worker}));
        bench_check("thread", hl_thread_start(worker->thread));
    }
}

/* How many jobs they did. */
static uint64_t workers_end(struct worker *workers, size_t count)
{
    uint64_t done = 0;
    for (size_t i = 0; i < count; i++) {
        broker_consumer_stop(workers[i].consumer);
        bench_check("thread", hl_thread_join(workers[i].thread, HL_FOREVER));
        hl_thread_free(&workers[i].thread);
        broker_consumer_free(&workers[i].consumer);
        done += workers[i].done;
    }
    return done;
}

static double cpu_us(void)
{
    struct rusage usage;
    bench_check("getrusage", getrusage(RUSAGE_SELF, &usage) == 0 ? 0 : errno);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void pool_run(const struct settings *settings, size_t count)
{
    struct broker *broker;
    struct worker workers[WORKERS_MAX];
    struct broker_totals totals;
    struct broker_put_spec spec = {.submitter = JOB_NOBODY, .ttr_ns = 60 * HL_SECOND};
    uint64_t jobs = settings->jobs * POOL_TIMES;
    bench_check("broker", broker_new(&broker, NULL));
    bench_check("tube", broker_use(broker, "default", 7, &spec.tube));
    workers_start(workers, count, broker);
    double cpu = cpu_us();
    int64_t start = clock_now_ns();
    for (uint64_t i = 0; i < jobs; i++)
        (void)bench_put(broker, &spec, settings->size);
    bench_check("join", broker_join(broker, NULL, HL_FOREVER, &totals));
    int64_t took_ns = clock_now_ns() - start;
    cpu = cpu_us() - cpu;
    uint64_t done = workers_end(workers, count);
    if (done != jobs)
        bench_fail("%" PRIu64 " of %" PRIu64 " jobs were done", done, jobs);
    broker_unuse(broker, &spec.tube);
    broker_free(&broker);
    if (rates[count - 1]->wanted)
        row_add(rates[count - 1], SIDE_THIS, 0, (double)jobs * 1000 / (double)took_ns);
    if (times[count - 1]->wanted)
        row_add(times[count - 1], SIDE_THIS, 0, cpu / (double)jobs);
}

void pool_round(const struct settings *settings)
{
    for (size_t i = 0; i < WORKERS_MAX; i++)
        if (rates[i]->wanted || times[i]->wanted)
            pool_run(settings, i + 1);
}

/* ---- memory ---- */

void memory_rows(void)
{
    bytes = row_new("", "bytes", "a job", false);
    resident = row_new("", "resident", "a job", false);
    sizeof_job = row_new("", "sizeof-job", "bytes", false);
    sizeof_extra = row_new("", "sizeof-extra", "bytes", false);
}

static double allocated(void)
{
    struct mallinfo2 info = mallinfo2();
    return (double)(info.uordblks + info.hblkhd);
}

static double pages(void)
{
    char text[128] = "";
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fgets(text, sizeof(text), file) == NULL)
        bench_fail("/proc/self/statm can't be read: %s", strerrordesc_np(errno));
    (void)fclose(file);
    char *second = text;
    (void)strtoul(text, &second, 10);
    return (double)strtoul(second, NULL, 10) * (double)sysconf(_SC_PAGESIZE);
}

/* Once, before anything else: pages that were used before would not count. */
void memory_measure(const struct settings *settings)
{
    struct broker *broker;
    struct broker_put_spec spec = {.submitter = JOB_NOBODY, .ttr_ns = 60 * HL_SECOND};
    row_add(sizeof_job, SIDE_THIS, 0, sizeof(struct job));
    row_add(sizeof_extra, SIDE_THIS, 0, sizeof(struct job_extra));
    if (!bytes->wanted && !resident->wanted)
        return;
    bench_check("broker", broker_new(&broker, NULL));
    bench_check("tube", broker_use(broker, "default", 7, &spec.tube));
    double before = allocated();
    double pages_before = pages();
    for (uint64_t i = 0; i < settings->present; i++)
        (void)bench_put(broker, &spec, settings->size);
    double more = allocated() - before;
    double more_pages = pages() - pages_before;
    broker_unuse(broker, &spec.tube);
    broker_free(&broker);
    if (bytes->wanted)
        row_add(bytes, SIDE_THIS, 0, more / (double)settings->present);
    if (resident->wanted)
        row_add(resident, SIDE_THIS, 0, more_pages / (double)settings->present);
}
