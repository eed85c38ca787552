// SPDX-License-Identifier: MIT
/*
 * bench/workers: what a job costs in a pool, by handler. No sockets, no history, nothing on disk:
 * a broker in memory is filled, a pool is started, and the time is taken until the last job is
 * finished. What a daemon adds is hilera-bench's to measure.
 *
 * Each case runs five times, one after the other in turn, so that all have the same machine; the
 * median is printed, as jobs a second. For coproc the helper answers with an empty result; "pipes
 * alone" is the floor of one job in flight: the same bytes between two processes, with nothing in
 * between. For exec the program is true, and "spawn alone" starts and awaits as many of it, without
 * body, output or limits; some cases do so with a gigabyte in memory.
 *
 *     make bench/workers bench/coproc_helper && bench/workers [--rounds N] [NAME...]
 *
 * NAME: only the cases whose names begin so.
 */
#include "base/clock.h"
#include "blocking.h"
#include "spawn/spawn.h"
#include "worker/worker.h"

#include <errno.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 5 /* unless --rounds says another number, up to ROUNDS_MAX */
#define ROUNDS_MAX 99
#define BALLAST ((size_t)1 << 30)
#define THREADS_MAX 8
#define WARM 200 /* jobs before the time is taken: helpers have started */

struct bench_case {
    const char *name;
    const char *handler;
    unsigned workers;
    unsigned jobs;
    const char *const *argv;
    double (*floor)(const struct bench_case *it); /* instead of the handler */
    bool heavy;                                   /* with BALLAST in memory */
};

static double run_pipes(const struct bench_case *it);
static double run_spawn(const struct bench_case *it);

static const char *const c_helper[] = {BENCH_BUILD "/coproc_helper", NULL};
static const char *const c_helper_16[] = {BENCH_BUILD "/coproc_helper", "16", NULL};
static const char *const python_helper[] = {"python3", BENCH_DIR "/coproc_helper.py", NULL};
static const char *const python_helper_16[] = {"python3", BENCH_DIR "/coproc_helper.py", "16",
                                               NULL};

static const char *const true_program[] = {"/bin/true", NULL};

static const struct bench_case cases[] = {
    {"null, 1 worker", "null", 1, 500000, NULL, NULL, false},
    {"null, 2 workers", "null", 2, 500000, NULL, NULL, false},
    {"echo, 1 worker", "echo", 1, 500000, NULL, NULL, false},
    {"pipes alone, 1 in flight", NULL, 1, 100000, NULL, run_pipes, false},
    {"coproc C, 1 helper", "coproc", 1, 100000, c_helper, NULL, false},
    {"coproc C, 2 helpers", "coproc", 2, 100000, c_helper, NULL, false},
    {"coproc C, 1 helper, 16 each", "coproc", 1, 300000, c_helper_16, NULL, false},
    {"coproc C, 2 helpers, 16 each", "coproc", 2, 300000, c_helper_16, NULL, false},
    {"coproc Python, 1 helper", "coproc", 1, 20000, python_helper, NULL, false},
    {"coproc Python, 1 h., 16 each", "coproc", 1, 50000, python_helper_16, NULL, false},
    {"spawn alone, 1 thread", NULL, 1, 2000, NULL, run_spawn, false},
    {"exec, 1 worker", "exec", 1, 2000, true_program, NULL, false},
    {"spawn alone, 2 threads", NULL, 2, 2000, NULL, run_spawn, false},
    {"exec, 2 workers", "exec", 2, 2000, true_program, NULL, false},
    {"spawn alone, 1 thread, 1 GiB", NULL, 1, 2000, NULL, run_spawn, true},
    {"exec, 1 worker, 1 GiB", "exec", 1, 2000, true_program, NULL, true},
};

#define CASES (sizeof(cases) / sizeof(cases[0]))

static void check(const char *what, int rc)
{
    if (rc == 0)
        return;
    (void)fprintf(stderr, "bench/workers: %s: %s\n", what, strerrordesc_np(rc));
    exit(1);
}

static void put_jobs(struct broker *broker, unsigned count)
{
    static const char text[] = "0123456789abcdef";
    struct tube *tube;
    check("tube", broker_use(broker, "t", 1, &tube));
    for (unsigned i = 0; i < count; i++) {
        struct job_body *body;
        uint64_t id;
        check("body", job_body_new(&body, sizeof(text) - 1));
        memcpy(body->bytes, text, sizeof(text) - 1);
        check("put", broker_put(broker,
                                &(struct broker_put_spec){
                                    .submitter = JOB_NOBODY, .tube = tube, .ttr_ns = HL_SECOND},
                                &body, &id));
    }
    broker_unuse(broker, &tube);
}

/* Until all jobs are finished. */
static void drained(struct broker *broker)
{
    struct broker_totals totals;
    check("join", broker_join(broker, NULL, HL_FOREVER, &totals));
}

/* As the daemon does it, before there are threads. */
static struct spawner *spawner_begin(struct worker_pool_settings *settings)
{
    const struct handler *handler = handler_find(settings->handler);
    struct worker_programs *programs;
    struct spawner *spawner = NULL;
    char why[256];
    size_t count;
    if (!handler->programs)
        return NULL;
    check("programs", worker_programs_new(&programs, 1));
    check("programs",
          worker_programs_add(programs, handler, &settings->handler_settings, why, sizeof(why)));
    const struct spawn_program *table = worker_programs_table(programs, &count);
    check("spawner", spawner_start(&spawner, table, count));
    worker_programs_free(&programs);
    settings->handler_settings.spawner = spawner;
    return spawner;
}

static double run_pool(const struct bench_case *it)
{
    static const char *const tubes[] = {"t"};
    char why[512];
    struct broker *broker;
    struct worker_pool *pool;
    struct worker_pool_settings settings = {.name = "bench",
                                            .tubes = tubes,
                                            .tube_count = 1,
                                            .workers = it->workers,
                                            .handler = it->handler,
                                            .handler_settings = {.argv = it->argv}};
    struct spawner *spawner = spawner_begin(&settings);
    check("broker", broker_new(&broker, NULL));
    if (worker_pool_new(&pool, &settings, broker, why, sizeof(why)) != 0) {
        (void)fprintf(stderr, "bench/workers: %s\n", why);
        exit(1);
    }
    check("start", worker_pool_start(pool));
    put_jobs(broker, WARM);
    drained(broker);
    worker_pool_pause(pool, true);
    put_jobs(broker, it->jobs);
    int64_t start = clock_now_ns();
    worker_pool_pause(pool, false);
    drained(broker);
    double took = (double)(clock_now_ns() - start) / (double)HL_SECOND;
    struct worker_pool_stats stats;
    worker_pool_stop(pool, HL_FOREVER); /* a worker counts a job after it has settled it */
    worker_pool_stats(pool, &stats);
    if (stats.done != it->jobs + WARM) {
        (void)fprintf(stderr, "bench/workers: %s: %llu of %u jobs were done\n", it->name,
                      (unsigned long long)stats.done, it->jobs + WARM);
        exit(1);
    }
    worker_pool_free(&pool);
    spawner_end(&spawner);
    broker_free(&broker);
    return it->jobs / took;
}

/* One process asks, the other answers, over two pipes: two system calls and a wake-up each. */
static double run_pipes(const struct bench_case *it)
{
    int to[2], from[2];
    char bytes[64];
    check("pipe", pipe(to) == 0 && pipe(from) == 0 ? 0 : errno);
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(to[1]);
        while (read(to[0], bytes, sizeof(bytes)) > 0)
            if (write(from[1], bytes, 16) != 16)
                _exit(1);
        _exit(0);
    }
    (void)close(to[0]);
    int64_t start = clock_now_ns();
    for (unsigned i = 0; i < it->jobs; i++)
        if (write(to[1], bytes, 48) != 48 || read(from[0], bytes, sizeof(bytes)) <= 0)
            check("pipe", EPIPE);
    double took = (double)(clock_now_ns() - start) / (double)HL_SECOND;
    (void)close(to[1]);
    (void)close(from[0]);
    (void)close(from[1]);
    (void)waitpid(pid, NULL, 0);
    return it->jobs / took;
}

/* Starts and awaits its share, one after the other. */
static void spawn_share(void *arg)
{
    unsigned jobs = *(const unsigned *)arg;
    char *argv[] = {(char *)(uintptr_t)true_program[0], NULL};
    for (unsigned i = 0; i < jobs; i++) {
        pid_t pid;
        check("spawn", posix_spawn(&pid, true_program[0], NULL, NULL, argv, environ));
        check("wait", waitpid(pid, NULL, 0) == pid ? 0 : errno);
    }
}

static double run_spawn(const struct bench_case *it)
{
    hl_thread *thread[THREADS_MAX];
    unsigned share = it->jobs / it->workers;
    int64_t start = clock_now_ns();
    for (unsigned i = 0; i < it->workers; i++) {
        check("thread", hl_thread_new(&thread[i], &(struct hl_thread_options){.target = spawn_share,
                                                                              .arg = &share}));
        check("thread", hl_thread_start(thread[i]));
    }
    for (unsigned i = 0; i < it->workers; i++) {
        check("thread", hl_thread_join(thread[i], HL_FOREVER));
        hl_thread_free(&thread[i]);
    }
    return share * it->workers / ((double)(clock_now_ns() - start) / (double)HL_SECOND);
}

static double run(const struct bench_case *it)
{
    char *ballast = it->heavy ? malloc(BALLAST) : NULL;
    check("a gigabyte", it->heavy && ballast == NULL ? ENOMEM : 0);
    for (size_t at = 0; ballast != NULL && at < BALLAST; at += 4096)
        ballast[at] = 1;
    double rate = it->floor != NULL ? it->floor(it) : run_pool(it);
    free(ballast);
    return rate;
}

static bool wanted(const struct bench_case *it, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strncmp(it->name, argv[i], strlen(argv[i])) == 0)
            return true;
    return argc == 1;
}

static int by_size(const void *a, const void *b)
{
    double one = *(const double *)a, two = *(const double *)b;
    return one < two ? -1 : one > two;
}

static int rounds_of(const char *text)
{
    char *end;
    long rounds = strtol(text, &end, 10);
    if (rounds >= 1 && rounds <= ROUNDS_MAX && *end == '\0')
        return (int)rounds;
    (void)fprintf(stderr, "bench/workers: --rounds needs a number from 1 to %d, not \"%s\"\n",
                  ROUNDS_MAX, text);
    exit(2);
}

int main(int argc, char **argv)
{
    static double rate[CASES][ROUNDS_MAX];
    int rounds = ROUNDS;
    if (argc > 2 && strcmp(argv[1], "--rounds") == 0) {
        rounds = rounds_of(argv[2]);
        argc -= 2;
        argv += 2;
    }
    for (int round = 0; round < rounds; round++)
        for (size_t i = 0; i < CASES; i++)
            rate[i][round] = wanted(&cases[i], argc, argv) ? run(&cases[i]) : 0;
    printf("%-28s %12s %12s %12s   (jobs/s, %d rounds)\n", "", "median", "least", "most", rounds);
    for (size_t i = 0; i < CASES; i++) {
        if (!wanted(&cases[i], argc, argv))
            continue;
        qsort(rate[i], (size_t)rounds, sizeof(rate[i][0]), by_size);
        printf("%-28s %12.0f %12.0f %12.0f\n", cases[i].name, rate[i][rounds / 2], rate[i][0],
               rate[i][rounds - 1]);
    }
    return 0;
}
