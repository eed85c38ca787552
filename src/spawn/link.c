// SPDX-License-Identifier: MIT
/*
 * The broker's side: the spawner it forked, and the channels of keepers.
 */
#include "spawn/spawn_priv.h"

#include "base/assert.h"
#include "base/magic.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SPAWNER_MAGIC 0x59a30001u
#define KEEPER_MAGIC 0x59a30002u

struct spawner {
    unsigned magic;
    int control;
    pid_t pid;
    _Atomic uint64_t last_key;
};

struct spawn_keeper {
    unsigned magic;
    int fd;
    struct spawner *spawner;
    uint64_t key;
};

static const char *const verbs[SPAWN_STEP_COUNT] = {
    [SPAWN_STEP_NONE] = "start",
#define STEP(name, verb) [SPAWN_STEP_##name] = (verb),
#include "spawn/steps.def"
#undef STEP
};

const char *spawn_step_verb(enum spawn_step step)
{
    return verbs[(unsigned)step < SPAWN_STEP_COUNT ? step : SPAWN_STEP_NONE];
}

/* ---- the spawner ---- */

int spawner_start(struct spawner **out, const struct spawn_program *table, size_t count)
{
    int ends[2];
    struct spawner *spawner = calloc(1, sizeof(*spawner));
    if (spawner == NULL)
        return ENOMEM;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        free(spawner);
        return errno;
    }
    pid_t pid = fork();
    if (pid == 0)
        spawner_main(ends[1], table, count);
    int rc = pid < 0 ? errno : 0;
    close(ends[1]);
    if (rc != 0) {
        close(ends[0]);
        free(spawner);
        return rc;
    }
    MAGIC_INIT(spawner, SPAWNER_MAGIC);
    spawner->control = ends[0];
    spawner->pid = pid;
    *out = spawner;
    return 0;
}

static int order_send(const struct spawner *spawner, enum spawn_verb verb, uint32_t row,
                      uint64_t key, int fd)
{
    const struct spawn_order order = {.verb = verb, .row = row, .key = key};
    return packet_send(spawner->control, &order, sizeof(order), NULL, 0, &fd, 1);
}

int spawner_hold(struct spawner *spawner, int fd)
{
    MAGIC_CHECK(spawner, SPAWNER_MAGIC);
    return order_send(spawner, SPAWN_HOLD, 0, 0, fd);
}

/* A pid that the spawner tells; 0: it closed that end without one. */
static pid_t pid_read(int fd)
{
    pid_t pid;
    ssize_t got;
    do
        got = read(fd, &pid, sizeof(pid));
    while (got < 0 && errno == EINTR);
    return got == (ssize_t)sizeof(pid) ? pid : 0;
}

pid_t spawner_end(struct spawner **spawner)
{
    if (*spawner == NULL)
        return 0;
    struct spawner *mine;
    MAGIC_TAKE(mine, spawner, SPAWNER_MAGIC);
    (void)shutdown(mine->control, SHUT_WR);
    pid_t left = pid_read(mine->control);
    close(mine->control);
    while (left == 0 && waitpid(mine->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    MAGIC_WIPE(mine);
    free(mine);
    return left;
}

/* ---- a keeper ---- */

/* Until it is there. */
static int ready_await(const struct spawn_keeper *keeper)
{
    struct spawn_news news;
    struct pollfd fd = {.fd = keeper->fd, .events = POLLIN};
    int got;
    do
        got = poll(&fd, 1, SPAWN_PATIENCE_MS);
    while (got < 0 && errno == EINTR);
    if (got <= 0)
        return got == 0 ? ETIMEDOUT : errno;
    int rc = spawn_keeper_hear(keeper, &news);
    if (rc != EPIPE)
        return rc == 0 && news.word == SPAWN_FAILED ? news.error : rc;
    /* If the spawner lives, the other end of the channel got lost on the way: it has no room. */
    struct pollfd control = {.fd = keeper->spawner->control};
    return poll(&control, 1, 0) > 0 ? EPIPE : EMFILE;
}

int spawn_keeper_new(struct spawn_keeper **out, struct spawner *spawner, unsigned row)
{
    MAGIC_CHECK(spawner, SPAWNER_MAGIC);
    int ends[2];
    struct spawn_keeper *keeper = calloc(1, sizeof(*keeper));
    if (keeper == NULL)
        return ENOMEM;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        free(keeper);
        return errno;
    }
    MAGIC_INIT(keeper, KEEPER_MAGIC);
    keeper->fd = ends[0];
    keeper->spawner = spawner;
    keeper->key = atomic_fetch_add(&spawner->last_key, 1) + 1;
    int rc = order_send(spawner, SPAWN_KEEPER, row, keeper->key, ends[1]);
    close(ends[1]);
    if (rc == 0)
        rc = ready_await(keeper);
    if (rc == 0)
        *out = keeper;
    else
        spawn_keeper_free(&keeper);
    return rc;
}

void spawn_keeper_free(struct spawn_keeper **keeper)
{
    if (*keeper == NULL)
        return;
    struct spawn_keeper *mine;
    MAGIC_TAKE(mine, keeper, KEEPER_MAGIC);
    close(mine->fd);
    MAGIC_WIPE(mine);
    free(mine);
}

int spawn_keeper_fd(const struct spawn_keeper *keeper)
{
    MAGIC_CHECK(keeper, KEEPER_MAGIC);
    return keeper->fd;
}

int spawn_keeper_start(struct spawn_keeper *keeper, const struct spawn_job *job, const int fds[3])
{
    MAGIC_CHECK(keeper, KEEPER_MAGIC);
    struct spawn_start head;
    char *texts = NULL;
    size_t len = 0;
    int all[PACKET_FDS_MAX] = {fds[0], fds[1], fds[2], -1};
    int rc = order_pack(job, &head, &texts, &len);
    if (rc != 0)
        return rc;
    if (len > SPAWN_INLINE_MAX) {
        rc = order_seal(texts, len, &all[3]);
        len = 0;
    }
    if (rc == 0)
        rc = packet_send(keeper->fd, &head, sizeof(head), texts, len, all, all[3] >= 0 ? 4 : 3);
    if (all[3] >= 0)
        close(all[3]);
    free(texts);
    return rc;
}

static void ask(const struct spawn_keeper *keeper, const struct spawn_ask *ask)
{
    MAGIC_CHECK(keeper, KEEPER_MAGIC);
    (void)packet_send(keeper->fd, ask, sizeof(*ask), NULL, 0, NULL, 0);
}

void spawn_keeper_signal(const struct spawn_keeper *keeper, int sig)
{
    ask(keeper, &(struct spawn_ask){.verb = SPAWN_SIGNAL, .sig = sig});
}

void spawn_keeper_clean(const struct spawn_keeper *keeper, bool all, bool again)
{
    ask(keeper, &(struct spawn_ask){.verb = SPAWN_CLEAN, .all = all, .again = again});
}

int spawn_keeper_hear(const struct spawn_keeper *keeper, struct spawn_news *news)
{
    MAGIC_CHECK(keeper, KEEPER_MAGIC);
    struct spawn_answer answer;
    ssize_t got;
    do
        got = recv(keeper->fd, &answer, sizeof(answer), MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return errno == EAGAIN ? EAGAIN : EPIPE;
    if (got != sizeof(answer))
        return EPIPE;
    *news = answer.news;
    news->what[sizeof(news->what) - 1] = '\0';
    return 0;
}

pid_t spawn_keeper_bury(struct spawn_keeper **keeper)
{
    MAGIC_CHECK(*keeper, KEEPER_MAGIC);
    int ends[2];
    pid_t left = 0;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0) {
        int rc = order_send((*keeper)->spawner, SPAWN_BURY, 0, (*keeper)->key, ends[1]);
        close(ends[1]);
        if (rc == 0)
            left = pid_read(ends[0]);
        close(ends[0]);
    }
    spawn_keeper_free(keeper);
    return left;
}
