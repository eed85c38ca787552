// SPDX-License-Identifier: MIT
/*
 * bench/queue: hilera's Queue beside Python's queue.Queue, GLib's GAsyncQueue and a bare mutex with
 * two conditions, in one run on one machine.
 *
 * Every workload is run by each contender in turn, round after round, and the median of the rounds
 * is printed: figures of different runs can't be compared, ratios of one run can. While it measures
 * it keeps the processors from deep sleep where it may (/dev/cpu_dma_latency), since a wake from
 * that costs more than the queue. Every item is summed up; a lost one stops the run.
 *
 * Workloads, in nanoseconds per item:
 *   uncontended  put, get, task_done on one thread
 *   1p1c, 4p4c   producers and consumers on a queue without bound, then join
 *   handoff      one producer, one consumer, room for one item. GAsyncQueue has no bound: there
 *                each item is acknowledged through a second queue
 *
 * A contender is one row of `contenders`: what it can't do (task_done) it leaves out, in its
 * favour.
 */
#include <hilera/queue.h>
#include <hilera/thread.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#ifdef HAVE_GLIB
#include <glib.h>
#endif

#define ROUNDS_DEFAULT 5
#define ROUNDS_MAX 99

struct workload {
    const char *name;
    int producers, consumers; /* 0: all on the calling thread */
    int64_t maxsize;
    long items;  /* per round, for the C contenders */
    long python; /* per round, for Python: fewer, it is that much slower */
};

static const struct workload workloads[] = {
    {"uncontended", 0, 0, 0, 5000000, 200000},
    {"1p1c", 1, 1, 0, 4000000, 200000},
    {"4p4c", 4, 4, 0, 2000000, 100000},
    {"handoff", 1, 1, 1, 200000, 50000},
};
#define WORKLOADS (sizeof(workloads) / sizeof(workloads[0]))

/* A queue of some kind. put may block; get returns NULL once closed and empty. */
struct contender {
    const char *name;
    void *(*open)(const struct workload *workload);
    void (*put)(void *queue, void *item);
    void *(*get)(void *queue);
    void (*done)(void *queue);                 /* one item is finished */
    void (*join)(void *queue);                 /* until all are */
    void (*close)(void *queue, int consumers); /* consumers end */
    void (*free)(void *queue);
};

static void fail(const char *what, int rc)
{
    (void)fprintf(stderr, "bench/queue: %s: %s\n", what, strerrordesc_np(rc));
    exit(1);
}

static void check(const char *what, int rc)
{
    if (rc != 0)
        fail(what, rc);
}

static int64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * HL_SECOND + now.tv_nsec;
}

/* ---- hilera ---- */

static void *hilera_open(const struct workload *workload)
{
    hl_queue *queue;
    check("hl_queue_new", hl_queue_new(&queue, &(struct hl_queue_options){
                                                   .name = "bench", .maxsize = workload->maxsize}));
    return queue;
}

static void hilera_put(void *queue, void *item)
{
    check("hl_queue_put", hl_queue_put(queue, item, HL_FOREVER));
}

static void *hilera_get(void *queue)
{
    void *item = NULL;
    int rc = hl_queue_get(queue, &item, HL_FOREVER);
    if (rc != ESHUTDOWN)
        check("hl_queue_get", rc);
    return item;
}

static void hilera_done(void *queue)
{
    check("hl_queue_task_done", hl_queue_task_done(queue));
}

static void hilera_join(void *queue)
{
    check("hl_queue_join", hl_queue_join(queue, HL_FOREVER));
}

static void hilera_close(void *queue, int consumers)
{
    (void)consumers;
    hl_queue_shutdown(queue, false);
}

static void hilera_free(void *queue)
{
    hl_queue *mine = queue;
    hl_queue_free(&mine);
}

/* ---- a bare mutex with conditions: the least that a correct queue can be ---- */

struct bare {
    pthread_mutex_t mutex;
    pthread_cond_t not_empty, not_full, all_done;
    void **ring;
    size_t head, len, cap, maxsize, unfinished;
    bool closed;
};

static void *bare_open(const struct workload *workload)
{
    struct bare *bare = calloc(1, sizeof(*bare));
    if (bare == NULL)
        fail("calloc", ENOMEM);
    check("pthread_mutex_init", pthread_mutex_init(&bare->mutex, NULL));
    check("pthread_cond_init", pthread_cond_init(&bare->not_empty, NULL));
    check("pthread_cond_init", pthread_cond_init(&bare->not_full, NULL));
    check("pthread_cond_init", pthread_cond_init(&bare->all_done, NULL));
    bare->maxsize = workload->maxsize > 0 ? (size_t)workload->maxsize : 0;
    bare->cap = (size_t)1 << 23; /* more than any workload has items: it never grows */
    bare->ring = calloc(bare->cap, sizeof(void *));
    if (bare->ring == NULL)
        fail("calloc", ENOMEM);
    return bare;
}

static void bare_put(void *queue, void *item)
{
    struct bare *bare = queue;
    (void)pthread_mutex_lock(&bare->mutex);
    while (bare->maxsize != 0 && bare->len >= bare->maxsize)
        (void)pthread_cond_wait(&bare->not_full, &bare->mutex);
    bare->ring[(bare->head + bare->len++) & (bare->cap - 1)] = item;
    bare->unfinished++;
    (void)pthread_mutex_unlock(&bare->mutex);
    (void)pthread_cond_signal(&bare->not_empty);
}

static void *bare_get(void *queue)
{
    struct bare *bare = queue;
    void *item = NULL;
    (void)pthread_mutex_lock(&bare->mutex);
    while (bare->len == 0 && !bare->closed)
        (void)pthread_cond_wait(&bare->not_empty, &bare->mutex);
    if (bare->len > 0) {
        item = bare->ring[bare->head];
        bare->head = (bare->head + 1) & (bare->cap - 1);
        bare->len--;
    }
    (void)pthread_mutex_unlock(&bare->mutex);
    if (bare->maxsize != 0)
        (void)pthread_cond_signal(&bare->not_full);
    return item;
}

static void bare_done(void *queue)
{
    struct bare *bare = queue;
    (void)pthread_mutex_lock(&bare->mutex);
    if (--bare->unfinished == 0)
        (void)pthread_cond_broadcast(&bare->all_done);
    (void)pthread_mutex_unlock(&bare->mutex);
}

static void bare_join(void *queue)
{
    struct bare *bare = queue;
    (void)pthread_mutex_lock(&bare->mutex);
    while (bare->unfinished > 0)
        (void)pthread_cond_wait(&bare->all_done, &bare->mutex);
    (void)pthread_mutex_unlock(&bare->mutex);
}

static void bare_close(void *queue, int consumers)
{
    struct bare *bare = queue;
    (void)consumers;
    (void)pthread_mutex_lock(&bare->mutex);
    bare->closed = true;
    (void)pthread_mutex_unlock(&bare->mutex);
    (void)pthread_cond_broadcast(&bare->not_empty);
}

static void bare_free(void *queue)
{
    struct bare *bare = queue;
    (void)pthread_mutex_destroy(&bare->mutex);
    (void)pthread_cond_destroy(&bare->not_empty);
    (void)pthread_cond_destroy(&bare->not_full);
    (void)pthread_cond_destroy(&bare->all_done);
    free(bare->ring);
    free(bare);
}

/* ---- GLib ---- */

#ifdef HAVE_GLIB
struct glib {
    GAsyncQueue *items, *acks;
    bool acknowledges; /* in place of a bound */
    long expected;     /* items; join is the producers' end plus the sum's check */
};

static char glib_end; /* what ends a consumer */

static void *glib_open(const struct workload *workload)
{
    struct glib *glib = calloc(1, sizeof(*glib));
    if (glib == NULL)
        fail("calloc", ENOMEM);
    glib->items = g_async_queue_new();
    glib->acks = g_async_queue_new();
    glib->acknowledges = workload->maxsize > 0;
    return glib;
}

static void glib_put(void *queue, void *item)
{
    struct glib *glib = queue;
    g_async_queue_push(glib->items, item);
    if (glib->acknowledges)
        (void)g_async_queue_pop(glib->acks);
}

static void *glib_get(void *queue)
{
    struct glib *glib = queue;
    void *item = g_async_queue_pop(glib->items);
    if (item == &glib_end)
        return NULL;
    if (glib->acknowledges)
        g_async_queue_push(glib->acks, item);
    return item;
}

static void glib_nothing(void *queue)
{
    (void)queue; /* it does not count tasks */
}

static void glib_close(void *queue, int consumers)
{
    struct glib *glib = queue;
    for (int i = 0; i < consumers; i++)
        g_async_queue_push(glib->items, &glib_end);
}

static void glib_free(void *queue)
{
    struct glib *glib = queue;
    g_async_queue_unref(glib->items);
    g_async_queue_unref(glib->acks);
    free(glib);
}
#endif

static const struct contender contenders[] = {
    {"hilera", hilera_open, hilera_put, hilera_get, hilera_done, hilera_join, hilera_close,
     hilera_free},
    {"mutex+cond", bare_open, bare_put, bare_get, bare_done, bare_join, bare_close, bare_free},
#ifdef HAVE_GLIB
    {"GAsyncQueue", glib_open, glib_put, glib_get, glib_nothing, glib_nothing, glib_close,
     glib_free},
#endif
};
#define CONTENDERS (sizeof(contenders) / sizeof(contenders[0]))
#define PYTHON CONTENDERS /* the column behind them */

/* ---- one round ---- */

struct worker {
    const struct contender *contender;
    void *queue;
    long items;   /* a producer's share */
    uint64_t sum; /* of a consumer */
    hl_thread *thread;
};

static void produce(void *arg)
{
    struct worker *worker = arg;
    for (long i = 1; i <= worker->items; i++)
        worker->contender->put(worker->queue, (void *)(intptr_t)i);
}

static void consume(void *arg)
{
    struct worker *worker = arg;
    uint64_t sum = 0;
    void *item;
    while ((item = worker->contender->get(worker->queue)) != NULL) {
        sum += (uint64_t)(intptr_t)item;
        worker->contender->done(worker->queue);
    }
    worker->sum = sum;
}

static void start(struct worker *worker, hl_thread_target target)
{
    check("hl_thread_new", hl_thread_new(&worker->thread, &(struct hl_thread_options){
                                                              .target = target, .arg = worker}));
    check("hl_thread_start", hl_thread_start(worker->thread));
}

static void finish(struct worker *worker)
{
    check("hl_thread_join", hl_thread_join(worker->thread, HL_FOREVER));
    hl_thread_free(&worker->thread);
}

static double run_threads(const struct contender *contender, const struct workload *workload)
{
    void *queue = contender->open(workload);
    struct worker producer[8];
    struct worker consumer[8];
    long share = workload->items / workload->producers;
    for (int i = 0; i < workload->consumers; i++) {
        consumer[i] = (struct worker){.contender = contender, .queue = queue};
        start(&consumer[i], consume);
    }
    int64_t begin_ns = now_ns();
    for (int i = 0; i < workload->producers; i++) {
        producer[i] = (struct worker){.contender = contender, .queue = queue, .items = share};
        start(&producer[i], produce);
    }
    for (int i = 0; i < workload->producers; i++)
        finish(&producer[i]);
    contender->join(queue);
    contender->close(queue, workload->consumers);
    uint64_t sum = 0;
    for (int i = 0; i < workload->consumers; i++) {
        finish(&consumer[i]);
        sum += consumer[i].sum;
    }
    int64_t took_ns = now_ns() - begin_ns;
    contender->free(queue);
    uint64_t each = (uint64_t)share * ((uint64_t)share + 1) / 2;
    if (sum != each * (uint64_t)workload->producers)
        fail("items were lost", EPROTO);
    return (double)took_ns / (double)workload->items;
}

static double run_alone(const struct contender *contender, const struct workload *workload)
{
    void *queue = contender->open(workload);
    int64_t begin_ns = now_ns();
    for (long i = 1; i <= workload->items; i++) {
        contender->put(queue, (void *)(intptr_t)i);
        if (contender->get(queue) != (void *)(intptr_t)i)
            fail("an item was lost", EPROTO);
        contender->done(queue);
    }
    int64_t took_ns = now_ns() - begin_ns;
    contender->free(queue);
    return (double)took_ns / (double)workload->items;
}

static double run_python(const char *script, const struct workload *workload)
{
    char command[4096];
    (void)snprintf(command, sizeof(command), "python3 '%s' %s %ld", script, workload->name,
                   workload->python);
    FILE *pipe = popen(command, "r"); // NOLINT(cert-env33-c): a fixed script beside this program
    if (pipe == NULL)
        fail("popen", errno);
    char line[64] = "";
    char *got = fgets(line, sizeof(line), pipe);
    if (pclose(pipe) != 0 || got == NULL)
        return 0;
    return strtod(line, NULL);
}

static int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof(*values), compare_doubles);
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* ---- the report ---- */

static void print_machine(bool awake)
{
    struct utsname uts;
    char model[128] = "unknown processor";
    FILE *info = fopen("/proc/cpuinfo", "r");
    char line[256];
    while (info != NULL && fgets(line, sizeof(line), info) != NULL)
        if (sscanf(line, "model name : %127[^\n]", model) == 1)
            break;
    if (info != NULL)
        (void)fclose(info);
    if (uname(&uts) != 0)
        fail("uname", errno);
    printf("%s, %ld processors, %s %s, hilera %s; processors kept from deep sleep: %s\n", model,
           sysconf(_SC_NPROCESSORS_ONLN), uts.sysname, uts.release, hl_version(),
           awake ? "yes" : "no (no right to /dev/cpu_dma_latency)");
}

static void print_row(const struct workload *workload, const double *ns)
{
    printf("%-12s", workload->name);
    for (size_t c = 0; c <= PYTHON; c++) {
        if (ns[c] > 0)
            printf(" %8.1f ns %5.2fx", ns[c], ns[c] / ns[0]);
        else
            printf(" %11s %6s", "-", "");
    }
    printf("\n");
    (void)fflush(stdout);
}

static void run_workload(const struct workload *workload, const char *script, int rounds)
{
    double result[CONTENDERS + 1][ROUNDS_MAX];
    double ns[CONTENDERS + 1];
    for (int r = 0; r < rounds; r++) {
        for (size_t c = 0; c < CONTENDERS; c++)
            result[c][r] = workload->producers > 0 ? run_threads(&contenders[c], workload)
                                                   : run_alone(&contenders[c], workload);
        result[PYTHON][r] = run_python(script, workload);
    }
    for (size_t c = 0; c <= PYTHON; c++)
        ns[c] = median(result[c], rounds);
    print_row(workload, ns);
}

static int parse_rounds(const char *text)
{
    char *end;
    long rounds = strtol(text, &end, 10);
    if (*text == '\0' || *end != '\0' || rounds < 1 || rounds > ROUNDS_MAX) {
        (void)fprintf(stderr, "bench/queue: rounds must be a number from 1 to %d, not \"%s\"\n",
                      ROUNDS_MAX, text);
        exit(2);
    }
    return (int)rounds;
}

int main(int argc, char **argv)
{
    if (argc > 3 || (argc > 1 && argv[1][0] == '-')) {
        (void)fprintf(stderr, "usage: bench/queue [ROUNDS [WORKLOAD]]\n");
        return 2;
    }
    int rounds = argc > 1 ? parse_rounds(argv[1]) : ROUNDS_DEFAULT;
    const char *script = BENCH_DIR "/queue_python.py";
    uint32_t no_latency = 0;
    int dma = open("/dev/cpu_dma_latency", O_WRONLY | O_CLOEXEC);
    bool awake = dma >= 0 && write(dma, &no_latency, sizeof(no_latency)) == sizeof(no_latency);
    print_machine(awake);
    printf("median of %d rounds; nanoseconds per item, and how many times hilera's\n%-12s", rounds,
           "");
    for (size_t c = 0; c < CONTENDERS; c++)
        printf(" %18s", contenders[c].name);
    printf(" %18s\n", "queue.Queue");
    for (size_t w = 0; w < WORKLOADS; w++)
        if (argc < 3 || strcmp(argv[2], workloads[w].name) == 0)
            run_workload(&workloads[w], script, rounds);
    return 0;
}
