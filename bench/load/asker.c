// SPDX-License-Identifier: MIT
/*
 * The askers. Their thread touches nothing of the run, so what they ask is in the server's figures
 * and not in the run's books. Connection n asks first n * interval / count after the start, then
 * each interval; all have the same interval, so whose turn it is goes round. Who still waits for an
 * answer when it is that connection's turn again doesn't ask: the wait it has counts, once.
 *
 * Answers are read with a line's end in mind, and a body's where the answer has one; each must be
 * the one that the question gets.
 */
#include "load/asker.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/magic.h"
#include "load/fault.h"
#include "load/histogram.h"
#include "load/stage.h"
#include "load/work.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ASKERS_MAGIC 0xa5ce5001u
#define EVENTS 64
#define ROOM 4096 /* a body of statistics is much less */
/* How late the thread may see that it has to end. */
#define LOOK_NS INT64_C(100000000)

struct asker {
    int fd;
    int64_t since_ns; /* when what waits was asked; 0: nothing waits */
    struct buf answer;
};

struct askers {
    unsigned magic;
    struct run *run;
    const struct kind *kind;
    struct asker *all;
    uint64_t count, turn; /* turns so far */
    uint64_t owed;
    int64_t start_ns, every_ns;
    char question[64];
    uint64_t job; /* that is asked for; 0: none */
    int epoll;
    atomic_bool stop;
    struct histogram times;
    pthread_t thread;
};

static const struct kind {
    const char *name;
    const char *question; /* NULL: with the job's id */
    const char *answer;   /* how it begins */
    bool watches;         /* the empty tube, and nothing else */
} kinds[] = {
    {"list-tube-used", "list-tube-used\r\n", "USING default\r\n", false},
    {"reserve", "reserve-with-timeout 0\r\n", "TIMED_OUT\r\n", true},
    {"stats-job", NULL, "OK ", false},
};

static const struct kind *kind_find(const char *name)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    unusable("there is no question \"%s\"; there are list-tube-used, reserve and stats-job", name);
}

/* ---- one connection ---- */

static void say(struct asker *asker, const char *text, size_t len)
{
    if (send(asker->fd, text, len, MSG_NOSIGNAL) != (ssize_t)len)
        wrong("a connection that asks something now and then takes nothing: %s",
              strerrordesc_np(errno));
}

/* The length of the answer in `text`; 0 if more has to come. */
static size_t answer_len(const char *text, size_t len)
{
    const char *end = len > 0 ? memmem(text, len, "\r\n", 2) : NULL;
    if (end == NULL)
        return 0;
    size_t line = (size_t)(end - text) + 2, whole = line;
    if (strncmp(text, "OK ", 3) == 0)
        whole += strtoull(text + 3, NULL, 10) + 2;
    return whole <= len ? whole : 0;
}

/* Reads what is there, or waits for something; whether an answer is complete. */
static bool hear(struct asker *asker, const char *expected)
{
    need_done(buf_reserve(&asker->answer, ROOM));
    ssize_t n = recv(asker->fd, asker->answer.data + asker->answer.len, ROOM - 1, 0);
    if (n <= 0)
        wrong("the server closed a connection that asks something now and then");
    asker->answer.len += (size_t)n;
    asker->answer.data[asker->answer.len] = '\0';
    size_t len = answer_len(asker->answer.data, asker->answer.len);
    if (len == 0)
        return false;
    if (len != asker->answer.len || strncmp(asker->answer.data, expected, strlen(expected)) != 0)
        wrong("\"%.40s\" was answered, not \"%.20s\"", asker->answer.data, expected);
    buf_clear(&asker->answer);
    return true;
}

static void ask_and_wait(struct asker *asker, const char *verb, const char *tube,
                         const char *expected)
{
    char text[RUN_TUBE_MAX + 16];
    int len = snprintf(text, sizeof(text), "%s %s\r\n", verb, tube);
    say(asker, text, (size_t)len);
    while (!hear(asker, expected))
        continue;
}

static void asker_open(struct askers *askers, struct asker *asker)
{
    char tube[RUN_TUBE_MAX];
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = asker};
    asker->fd = address_connect(&askers->run->address, false);
    if (askers->kind->watches) {
        ask_and_wait(asker, "watch", run_tube(askers->run, 1, tube), "WATCHING 2\r\n");
        ask_and_wait(asker, "ignore", "default", "WATCHING 1\r\n");
    }
    if (epoll_ctl(askers->epoll, EPOLL_CTL_ADD, asker->fd, &event) != 0)
        failed("epoll: %s", strerrordesc_np(errno));
}

/* ---- the thread ---- */

static int64_t turn_ns(const struct askers *askers)
{
    return askers->start_ns + (int64_t)(askers->turn / askers->count) * askers->every_ns +
           (int64_t)(askers->turn % askers->count) * (askers->every_ns / (int64_t)askers->count);
}

/* All whose turn has come. */
static void ask_due(struct askers *askers, int64_t now_ns)
{
    size_t len = strlen(askers->question);
    for (; turn_ns(askers) <= now_ns; askers->turn++) {
        struct asker *asker = &askers->all[askers->turn % askers->count];
        if (asker->since_ns != 0)
            continue;
        asker->since_ns = clock_now_ns();
        askers->owed++;
        say(asker, askers->question, len);
    }
}

static void answers_take(struct askers *askers, int64_t until_ns)
{
    struct epoll_event events[EVENTS];
    int64_t left_ns = until_ns - clock_now_ns();
    int count =
        epoll_wait(askers->epoll, events, EVENTS, left_ns > 0 ? (int)(left_ns / 1000000) + 1 : 0);
    if (count < 0 && errno != EINTR)
        failed("epoll: %s", strerrordesc_np(errno));
    for (int i = 0; i < count; i++) {
        struct asker *asker = events[i].data.ptr;
        if (!hear(asker, askers->kind->answer))
            continue;
        if (asker->since_ns == 0)
            wrong("the server sent an answer that nobody asked for");
        histogram_add(&askers->times, clock_now_ns() - asker->since_ns);
        asker->since_ns = 0;
        askers->owed--;
    }
}

static void *askers_main(void *argument)
{
    struct askers *askers = argument;
    while (!atomic_load(&askers->stop)) {
        int64_t now_ns = clock_now_ns();
        ask_due(askers, now_ns);
        int64_t next_ns = turn_ns(askers);
        answers_take(askers, next_ns < now_ns + LOOK_NS ? next_ns : now_ns + LOOK_NS);
    }
    int64_t until_ns = clock_now_ns() + (int64_t)(askers->run->options.patience * 1e9);
    while (askers->owed > 0) {
        if (clock_now_ns() > until_ns)
            wrong("nothing came for %.0f s; %" PRIu64 " who asked something now and then are owed "
                  "an answer",
                  askers->run->options.patience, askers->owed);
        answers_take(askers, until_ns);
    }
    return NULL;
}

/* ---- the start and the end ---- */

/* In a tube of its own. */
static void job_put(struct askers *askers)
{
    char tube[RUN_TUBE_MAX];
    struct control *control = askers->run->control;
    (void)control_ask(control, NULL, "use %s", run_tube(askers->run, 2, tube));
    const char *answer = control_ask(control, NULL, "put 0 0 60 4\r\nlook");
    if (sscanf(answer, "INSERTED %" SCNu64, &askers->job) != 1)
        wrong("put was answered \"%s\"", answer);
    (void)snprintf(askers->question, sizeof(askers->question), "stats-job %" PRIu64 "\r\n",
                   askers->job);
}

/* Returns when all are connected. */
static struct askers *askers_start(struct run *run, const struct askers_load *load)
{
    const char *ask = run->options.ask != NULL ? run->options.ask : load->ask;
    struct askers *askers = need(calloc(1, sizeof(*askers)));
    MAGIC_INIT(askers, ASKERS_MAGIC);
    askers->run = run;
    askers->kind = kind_find(ask);
    askers->count = load->count;
    askers->every_ns = load->every_ns;
    askers->all = need(calloc(load->count, sizeof(*askers->all)));
    askers->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (askers->epoll < 0)
        failed("no epoll: %s", strerrordesc_np(errno));
    if (askers->kind->question != NULL)
        (void)snprintf(askers->question, sizeof(askers->question), "%s", askers->kind->question);
    else
        job_put(askers);
    for (uint64_t i = 0; i < load->count; i++)
        asker_open(askers, &askers->all[i]);
    askers->start_ns = clock_now_ns();
    ask_due(askers, askers->start_ns); /* the first one: also a short run has an answer */
    int rc = pthread_create(&askers->thread, NULL, askers_main, askers);
    if (rc != 0)
        failed("no thread: %s", strerrordesc_np(rc));
    return askers;
}

/* Waits for the answers that are owed. */
static void askers_stop(struct askers **askers_p, struct histogram *times)
{
    struct askers *askers;
    MAGIC_TAKE(askers, askers_p, ASKERS_MAGIC);
    atomic_store(&askers->stop, true);
    MUST(pthread_join(askers->thread, NULL));
    for (uint64_t i = 0; i < askers->count; i++) {
        close(askers->all[i].fd);
        buf_fini(&askers->all[i].answer);
    }
    if (askers->job != 0) {
        const char *answer =
            control_ask(askers->run->control, NULL, "delete %" PRIu64, askers->job);
        if (strcmp(answer, "DELETED") != 0)
            wrong("delete was answered \"%s\"", answer);
    }
    *times = askers->times;
    close(askers->epoll);
    free(askers->all);
    MAGIC_WIPE(askers);
    free(askers);
}

void askers_run(struct run *run, const struct askers_load *load)
{
    const struct options *o = &run->options;
    struct histogram times;
    struct crew *crew = run_crew(run, o->connections, 1);
    struct askers *askers = askers_start(run, load);
    stage_open(run, "put", o->jobs, false);
    work_fill(run, crew, o->jobs, o->depth, 0);
    stage_close(run, crew);
    askers_stop(&askers, &times);
    run_value(run, load->asked, (double)times.count);
    run_value(run, load->p50_us, (double)histogram_at(&times, 0.5) / 1e3);
    run_value(run, load->p99_us, (double)histogram_at(&times, 0.99) / 1e3);
    run_value(run, load->max_us, (double)times.max_ns / 1e3);
    run_compare(run, 1);
    work_drain(run, crew, o->depth);
    run_compare(run, 1);
    crew_free(&crew);
}
