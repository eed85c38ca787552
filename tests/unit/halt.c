// SPDX-License-Identifier: MIT
/* Halting a loop, for tests: see halt.h. */
#include "halt.h"
#include "base/assert.h"
#include "peer.h"
#include "unit.h"

#include <pthread.h>
#include <time.h>

static const struct net_protocol *inner;
static struct net_protocol outer;

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    enum halt_at next;
    bool halted, go;
} halt = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void halt_here(enum halt_at at)
{
    pthread_mutex_lock(&halt.mutex);
    if (halt.next == at) {
        halt.next = HALT_NOWHERE;
        halt.halted = true;
        pthread_cond_broadcast(&halt.changed);
        while (!halt.go)
            pthread_cond_wait(&halt.changed, &halt.mutex);
        halt.go = false;
    }
    pthread_mutex_unlock(&halt.mutex);
}

static int halt_open(void *session, struct conn *conn, void *arg)
{
    halt_here(HALT_OPEN);
    return inner->open(session, conn, arg);
}

static size_t halt_input(void *session, const char *data, size_t len)
{
    halt_here(HALT_INPUT);
    return inner->input(session, data, len);
}

const struct net_protocol *halt_protocol(const struct net_protocol *protocol)
{
    inner = protocol;
    outer = *protocol;
    outer.open = halt_open;
    outer.input = halt_input;
    return &outer;
}

void halt_next(enum halt_at at)
{
    pthread_mutex_lock(&halt.mutex);
    halt.next = at;
    pthread_mutex_unlock(&halt.mutex);
}

void halt_wait(void)
{
    struct timespec end;
    MUST(clock_gettime(CLOCK_MONOTONIC, &end));
    end.tv_sec += PEER_SECONDS;
    int rc = 0;
    pthread_mutex_lock(&halt.mutex);
    while (!halt.halted && rc == 0)
        rc = pthread_cond_clockwait(&halt.changed, &halt.mutex, CLOCK_MONOTONIC, &end);
    pthread_mutex_unlock(&halt.mutex);
    ck_assert_int_eq(rc, 0);
}

void halt_end(void)
{
    pthread_mutex_lock(&halt.mutex);
    ck_assert(halt.halted);
    halt.halted = false;
    halt.go = true;
    pthread_cond_broadcast(&halt.changed);
    pthread_mutex_unlock(&halt.mutex);
}
