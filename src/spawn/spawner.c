// SPDX-License-Identifier: MIT
/*
 * The spawner: forks keepers, and sees to what they can't see to themselves.
 *
 * It is forked before the daemon has threads or files, so keepers, which are forked from it, are
 * small and have nothing of the broker's. It has the table and the rights; the broker can ask for a
 * keeper of a row and for the end of a keeper, and that is all.
 *
 * When a keeper dies before its time (a job may kill its parent), its children come to the spawner,
 * which is a subreaper, too, and are killed here. Who waits for that has left a descriptor, which
 * is closed when neither the keeper nor any such child lives.
 *
 * When the broker has gone, keepers see that by themselves, kill what they have and end. One that
 * doesn't in a while is held by a program that can't begin; it is killed. The spawner is the last
 * to go, and with it the lock of the data directory, which all of them hold: until then a new
 * broker waits with its programs.
 *
 * An orphan may have become another user's, and can't be killed. Nobody waits for it, the broker
 * least of all: who would is told its pid. But the lock waits.
 */
#include "spawn/spawn_priv.h"

#include "base/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LAST_WAIT_S 2   /* for keepers, when the broker has gone */
#define ORPHANS_MAX 512 /* killed before the next look */
#define CONTROL_FD 3

struct slot { /* no magic: rows of an array */
    pid_t pid;
    uint64_t key;
    struct spawn_shared *shared;
};

struct mourner {
    int fd;
    uint64_t key;
};

struct spawner_state {
    const struct spawn_program *table;
    size_t row_count;
    struct slot *slot;
    size_t slot_count, slot_room;
    struct mourner *mourner;
    size_t mourner_count, mourner_room;
    int lock;
    bool broker_gone;
    bool orphans; /* there may be some that can be killed */
    pid_t stuck;  /* one that can't; 0: none, as far as is known */
    sigset_t unblocked;
    struct packet packet;
};

/* ---- arrays that grow ---- */

static bool room_make(void **list, size_t *room, size_t count, size_t size)
{
    if (count < *room)
        return true;
    size_t more = *room > 0 ? *room * 2 : 16;
    void *grown = realloc(*list, more * size);
    if (grown == NULL)
        return false;
    *list = grown;
    *room = more;
    return true;
}

/* ---- keepers come ---- */

static void refuse(int channel, int error)
{
    const struct spawn_answer answer = {
        .word = SPAWN_FAILED,
        .news = {.word = SPAWN_FAILED, .step = SPAWN_STEP_fork, .error = error}};
    (void)packet_send(channel, &answer, sizeof(answer), NULL, 0, NULL, 0);
}

static void keeper_make(struct spawner_state *spawner, uint32_t row, uint64_t key, int channel)
{
    if (row >= spawner->row_count)
        return;
    struct spawn_shared *shared =
        mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || !room_make((void **)&spawner->slot, &spawner->slot_room,
                                           spawner->slot_count, sizeof(struct slot))) {
        refuse(channel, ENOMEM);
        if (shared != MAP_FAILED)
            munmap(shared, sizeof(*shared));
        return;
    }
    pid_t pid = fork();
    if (pid == 0)
        keeper_main(&spawner->table[row], channel, spawner->lock, shared);
    if (pid < 0) {
        refuse(channel, errno);
        munmap(shared, sizeof(*shared));
        return;
    }
    spawner->slot[spawner->slot_count++] = (struct slot){.pid = pid, .key = key, .shared = shared};
}

/* ---- keepers go ---- */

static struct slot *slot_of(const struct spawner_state *spawner, pid_t pid)
{
    for (size_t i = 0; i < spawner->slot_count; i++)
        if (spawner->slot[i].pid == pid)
            return &spawner->slot[i];
    return NULL;
}

static struct slot *slot_of_key(const struct spawner_state *spawner, uint64_t key)
{
    for (size_t i = 0; i < spawner->slot_count; i++)
        if (spawner->slot[i].key == key)
            return &spawner->slot[i];
    return NULL;
}

static void collect(struct spawner_state *spawner)
{
    pid_t pid;
    while ((pid = waitpid(-1, NULL, WNOHANG)) > 0 || (pid < 0 && errno == EINTR)) {
        spawner->orphans = true; /* whatever was its own */
        struct slot *slot = slot_of(spawner, pid);
        if (slot == NULL)
            continue;
        munmap(slot->shared, sizeof(*slot->shared));
        *slot = spawner->slot[--spawner->slot_count];
    }
}

/* Kills children that aren't keepers. */
static void orphans_kill(struct spawner_state *spawner)
{
    pid_t pids[ORPHANS_MAX];
    int error;
    spawner->orphans = false;
    spawner->stuck = 0;
    size_t count = children_list(pids, ORPHANS_MAX, &error);
    for (size_t i = 0; i < count; i++) {
        if (slot_of(spawner, pids[i]) != NULL)
            continue;
        if (kill(pids[i], SIGKILL) == 0)
            spawner->orphans = true; /* their own children come next */
        else
            spawner->stuck = pids[i];
    }
}

static void mourners_look(struct spawner_state *spawner)
{
    for (size_t i = 0; i < spawner->mourner_count;) {
        if (spawner->orphans || slot_of_key(spawner, spawner->mourner[i].key) != NULL) {
            i++;
            continue;
        }
        if (spawner->stuck != 0)
            (void)send(spawner->mourner[i].fd, &spawner->stuck, sizeof(spawner->stuck),
                       MSG_NOSIGNAL);
        close(spawner->mourner[i].fd);
        spawner->mourner[i] = spawner->mourner[--spawner->mourner_count];
    }
}

/* Takes the descriptor. Without memory it is closed too early, which is the lesser evil. */
static void bury(struct spawner_state *spawner, uint64_t key, int fd)
{
    const struct slot *slot = slot_of_key(spawner, key);
    if (slot != NULL)
        (void)kill(slot->pid, SIGKILL);
    if (!room_make((void **)&spawner->mourner, &spawner->mourner_room, spawner->mourner_count,
                   sizeof(struct mourner))) {
        close(fd);
        return;
    }
    spawner->mourner[spawner->mourner_count++] = (struct mourner){.fd = fd, .key = key};
}

/* ---- orders ---- */

static void obey(struct spawner_state *spawner)
{
    struct packet *packet = &spawner->packet;
    int rc = packet_receive(CONTROL_FD, packet, MSG_DONTWAIT);
    if (rc == EPIPE)
        spawner->broker_gone = true;
    if (rc != 0)
        return;
    const struct spawn_order *order = (const struct spawn_order *)(const void *)packet->bytes;
    if (packet->len == sizeof(*order) && packet->fd_count == 1) {
        if (order->verb == SPAWN_KEEPER)
            keeper_make(spawner, order->row, order->key, packet->fds[0]);
        else if (order->verb == SPAWN_HOLD && spawner->lock < 0) {
            spawner->lock = packet->fds[0];
            packet->fd_count = 0;
        } else if (order->verb == SPAWN_BURY) {
            bury(spawner, order->key, packet->fds[0]);
            packet->fd_count = 0;
        }
    }
    packet_close(packet);
}

/* Keepers that have anything to do with a running job. */
static size_t keepers_left(const struct spawner_state *spawner)
{
    size_t left = 0;
    for (size_t i = 0; i < spawner->slot_count; i++)
        left += spawner->slot[i].shared->left == 0;
    return left;
}

static void keepers_kill(const struct spawner_state *spawner)
{
    for (size_t i = 0; i < spawner->slot_count; i++)
        if (spawner->slot[i].shared->left == 0)
            (void)kill(spawner->slot[i].pid, SIGKILL);
}

static void turn(struct spawner_state *spawner, int timeout_s)
{
    struct pollfd fd = {.fd = spawner->broker_gone ? -1 : CONTROL_FD, .events = POLLIN};
    const struct timespec timeout = {.tv_sec = timeout_s};
    int got = ppoll(&fd, 1, timeout_s > 0 ? &timeout : NULL, &spawner->unblocked);
    collect(spawner);
    if (got > 0)
        obey(spawner);
    else if (got == 0 && spawner->broker_gone) {
        keepers_kill(spawner);
        spawner->orphans = true; /* it may have become one that can be killed */
    }
    if (spawner->orphans)
        orphans_kill(spawner);
    mourners_look(spawner);
}

/* The broker has gone. What can't be killed is waited for, but not by whoever was the broker. */
static _Noreturn void go(struct spawner_state *spawner)
{
    bool told = false;
    for (;; turn(spawner, LAST_WAIT_S)) {
        if (keepers_left(spawner) > 0 || spawner->orphans)
            continue;
        if (spawner->stuck == 0)
            _exit(0);
        if (told)
            continue;
        told = true;
        (void)packet_send(CONTROL_FD, &spawner->stuck, sizeof(spawner->stuck), NULL, 0, NULL, 0);
        (void)dup2(STDOUT_FILENO, STDERR_FILENO); /* a pipe of the broker's has its end */
        close(CONTROL_FD);
    }
}

_Noreturn void spawner_main(int control, const struct spawn_program *table, size_t count)
{
    static struct spawner_state spawner; /* no magic: the one of its process */
    spawner.table = table;
    spawner.row_count = count;
    spawner.lock = -1;
    spawn_settle_in("hilera-spawner", &spawner.unblocked);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    int high = fcntl(control, F_DUPFD_CLOEXEC, CONTROL_FD + 1);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (high < 0 || dup3(high, CONTROL_FD, O_CLOEXEC) < 0 || null < 0 ||
        dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
        _exit(1);
    (void)close_range(CONTROL_FD + 1, ~0U, 0);
    while (!spawner.broker_gone)
        turn(&spawner, 0);
    go(&spawner);
}
