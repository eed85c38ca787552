// SPDX-License-Identifier: MIT
/*
 * The crowd. Its thread does a bundle of small acts, then pauses for a millisecond, so that it is a
 * load and not a race for the processor; on a machine with few of them that is what the server
 * would compete with. A connection that the server closes is replaced: a server may defend itself.
 *
 * The thread touches only the crowd and its own connections; the run's books are not its business.
 */
#include "load/crowd.h"

#include "base/assert.h"
#include "base/magic.h"
#include "load/fault.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CROWD_MAGIC 0xc405d001u
#define LARGE_BODY 60000
#define QUESTIONS 64 /* of one act of unread */
#define ASKED 300    /* times, by each of asks */

struct crowd {
    unsigned magic;
    struct run *run;
    void (*act)(struct crowd *crowd, size_t at);
    int bundle; /* acts between two pauses */
    int *fds;
    size_t count, next;
    uint64_t acts, job; /* the large job's id; 0: none */
    atomic_bool stop;
    sem_t begun; /* the first bundle is done */
    pthread_t thread;
};

static void crowd_close(int fd)
{
    /* With a reset: tens of thousands of closed connections would keep their ports for a minute. */
    const struct linger linger = {1, 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(fd);
}

static bool send_text(int fd, const char *text)
{
    size_t len = strlen(text);
    return send(fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len;
}

static void crowd_replace(struct crowd *crowd, size_t at)
{
    int room = 4096;
    crowd_close(crowd->fds[at]);
    crowd->fds[at] = address_connect(&crowd->run->address, false);
    if (setsockopt(crowd->fds[at], SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)) != 0)
        failed("a small receive buffer is refused: %s", strerrordesc_np(errno));
}

/* ---- acts: each on one connection ---- */

static void crowd_act_idle(struct crowd *crowd, size_t at)
{
    (void)crowd, (void)at;
}

static void crowd_act_churn(struct crowd *crowd, size_t at)
{
    char answer[64];
    crowd_replace(crowd, at);
    if (!send_text(crowd->fds[at], "list-tube-used\r\n") ||
        recv(crowd->fds[at], answer, sizeof(answer), 0) <= 0)
        wrong("a new connection was not answered");
    crowd->acts++;
}

static void crowd_act_slow(struct crowd *crowd, size_t at)
{
    if (send_text(crowd->fds[at], "x"))
        crowd->acts++;
    else if (errno != EAGAIN)
        crowd_replace(crowd, at);
}

static void crowd_act_unread(struct crowd *crowd, size_t at)
{
    char question[64];
    (void)snprintf(question, sizeof(question), "peek %" PRIu64 "\r\n", crowd->job);
    for (int i = 0; i < QUESTIONS; i++) {
        if (send_text(crowd->fds[at], question)) {
            crowd->acts++;
        } else {
            /* A part of a question may have gone out; then this one has said enough. */
            if (errno != EAGAIN)
                crowd_replace(crowd, at);
            return;
        }
    }
}

static void ask_often(int fd)
{
    static const char question[] = "stats\r\n";
    char text[ASKED * (sizeof(question) - 1) + 1], *end = text;
    for (int i = 0; i < ASKED; i++)
        end = stpcpy(end, question);
    if (!send_text(fd, text))
        wrong("a new connection takes nothing");
}

static void crowd_act_asks(struct crowd *crowd, size_t at)
{
    crowd_replace(crowd, at);
    ask_often(crowd->fds[at]);
    crowd->acts++;
}

static const struct kind {
    const char *name;
    void (*act)(struct crowd *crowd, size_t at);
    uint64_t most;
    int bundle;
} kinds[] = {
#define CROWD(name, most, bundle) {#name, crowd_act_##name, most, bundle},
#include "load/crowds.def"
#undef CROWD
};

/* ---- the thread ---- */

static void *crowd_main(void *argument)
{
    struct crowd *crowd = argument;
    const struct timespec pause = {0, 1000000};
    for (bool first = true; !atomic_load(&crowd->stop); first = false) {
        for (int i = 0; i < crowd->bundle; i++, crowd->next = (crowd->next + 1) % crowd->count)
            crowd->act(crowd, crowd->next);
        if (first)
            MUST(sem_post(&crowd->begun));
        (void)nanosleep(&pause, NULL);
    }
    return NULL;
}

static const struct kind *kind_find(const struct options *options)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(kinds[i].name, options->crowd) == 0) {
            if (options->connections > kinds[i].most)
                unusable("the crowd %s takes at most %" PRIu64 " connections, not %" PRIu64,
                         kinds[i].name, kinds[i].most, options->connections);
            return &kinds[i];
        }
    unusable("there is no crowd \"%s\"; there are idle, churn, slow, unread and asks",
             options->crowd);
}

/* The large job that unread asks for, in a tube of its own. */
static uint64_t large_put(struct crowd *crowd)
{
    char tube[RUN_TUBE_MAX];
    uint64_t id = 0;
    char *body = need(malloc(LARGE_BODY + 1));
    memset(body, 'x', LARGE_BODY);
    body[LARGE_BODY] = '\0';
    (void)control_ask(crowd->run->control, NULL, "use %s", run_tube(crowd->run, 1, tube));
    const char *answer =
        control_ask(crowd->run->control, NULL, "put 0 0 60 %d\r\n%s", LARGE_BODY, body);
    if (sscanf(answer, "INSERTED %" SCNu64, &id) != 1)
        wrong("put was answered \"%s\"", answer);
    free(body);
    return id;
}

struct crowd *crowd_start(struct run *run)
{
    const struct kind *kind = kind_find(&run->options);
    struct crowd *crowd = need(calloc(1, sizeof(*crowd)));
    MAGIC_INIT(crowd, CROWD_MAGIC);
    crowd->run = run;
    crowd->act = kind->act;
    crowd->bundle = kind->bundle;
    crowd->count = run->options.connections;
    crowd->fds = need(calloc(crowd->count, sizeof(*crowd->fds)));
    if (kind->act == crowd_act_unread)
        crowd->job = large_put(crowd);
    for (size_t i = 0; i < crowd->count; i++) {
        crowd->fds[i] = address_connect(&run->address, false);
        if (kind->act == crowd_act_slow && !send_text(crowd->fds[i], "put 0 0 60 60000\r\n"))
            wrong("a new connection takes nothing");
        if (kind->act == crowd_act_asks)
            ask_often(crowd->fds[i]);
    }
    MUST(sem_init(&crowd->begun, 0, 0));
    int rc = pthread_create(&crowd->thread, NULL, crowd_main, crowd);
    if (rc != 0)
        failed("no thread: %s", strerrordesc_np(rc));
    while (sem_wait(&crowd->begun) != 0)
        ASSERT(errno == EINTR);
    return crowd;
}

uint64_t crowd_stop(struct crowd **crowd_p)
{
    struct crowd *crowd;
    MAGIC_TAKE(crowd, crowd_p, CROWD_MAGIC);
    atomic_store(&crowd->stop, true);
    MUST(pthread_join(crowd->thread, NULL));
    for (size_t i = 0; i < crowd->count; i++)
        crowd_close(crowd->fds[i]);
    uint64_t acts = crowd->acts;
    if (crowd->job != 0) {
        const char *answer = control_ask(crowd->run->control, NULL, "delete %" PRIu64, crowd->job);
        if (strcmp(answer, "DELETED") != 0)
            wrong("delete was answered \"%s\"", answer);
    }
    MUST(sem_destroy(&crowd->begun));
    free(crowd->fds);
    MAGIC_WIPE(crowd);
    free(crowd);
    return acts;
}
