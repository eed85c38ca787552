// SPDX-License-Identifier: MIT
/*
 * Stopping a run: one path for its time limit, a cancel, and the end of the daemon.
 *
 * Each worker has a descriptor that is readable while its present run must stop, and the reason for
 * it; the first reason counts. A handler that waits polls the descriptor, stops what it runs (exec:
 * TERM to the group, after a time KILL) and says RETURNED; the worker makes of that what the reason
 * says. A handler that can't poll has the method `stop`, which is called by the thread here, never
 * under the broker's lock.
 *
 * A worker with several runs at once (shift.c) hears of all that through the same descriptor, asks
 * the broker which run a cancel is about, and looks after the limits itself.
 *
 * Time limits are in one heap, looked after by one thread for all pools; a run without a limit
 * never comes near either. What is asked by others needs no lock on the way of a run:
 *
 *   cancel    The broker's hook runs under the broker's lock, and the worker settles under the same
 *             before its next run begins: a reason set by the hook can't fall on the next run. The
 *             hook counts before it looks whose run it is, the run begins before it looks at the
 *             count, so one of the two sees the other.
 *   shutdown  sets `final` before the reason, a run that begins clears the reason before it looks
 * at `final`: it can't be lost between the two.
 */
#include "worker/stop_priv.h"

#include "base/clock.h"
#include "base/magic.h"

#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* All stops of the program. */
static struct {
    hl_lock *lock; /* covers all below */
    hl_event *wake;
    hl_thread *thread; /* runs while there are any */
    struct heap due;   /* of struct stop */
    size_t count;
    bool ending;
} all;

static pthread_once_t all_once = PTHREAD_ONCE_INIT;

static bool due_less(const void *a, const void *b, const void *arg)
{
    (void)arg;
    return ((const struct stop *)a)->due_ns < ((const struct stop *)b)->due_ns;
}

static void due_moved(void *stop, size_t pos)
{
    ((struct stop *)stop)->pos = pos;
}

static void all_init(void)
{
    heap_init(&all.due, due_less, NULL, due_moved);
    if (hl_lock_new(&all.lock, "limits", lock_class(LOCK_CLASS_limits)) != 0)
        all.lock = NULL;
    if (hl_event_new(&all.wake, "limits") != 0)
        all.wake = NULL;
}

/* ---- the reason ---- */

/* If there is none yet. */
static bool ask(struct stop *stop, enum stop_reason reason)
{
    int none = STOP_NONE;
    if (!atomic_compare_exchange_strong(&stop->reason, &none, (int)reason))
        return false;
    int rc = eventfd_write(stop->fd, 1);
    ASSERT(rc == 0);
    return true;
}

/* ---- the thread ---- */

/* Due at once, for the handler's method only: the run that it is about may be over, which the
 * method finds out. */
#define POSTED INT64_MIN

/* [all.lock] Its due moment has come. */
static void act(struct stop *stop)
{
    MAGIC_CHECK(stop, STOP_MAGIC);
    heap_remove(&all.due, stop->pos);
    heap_promise(&all.due);
    if (stop->due_ns != POSTED && stop->due_token == atomic_load(&stop->token))
        (void)ask(stop, STOP_TIMEOUT);
    if (stop->handler->stop != NULL)
        stop->handler->stop(stop->state, stop->due_token);
}

/* Until when to sleep. */
static int64_t act_on_due(bool *ending)
{
    HL_LOCK_SCOPE(all.lock);
    struct stop *first;
    while ((first = heap_first(&all.due)) != NULL && first->due_ns <= clock_now_ns())
        act(first);
    hl_event_clear(all.wake);
    *ending = all.ending;
    return first != NULL ? first->due_ns : CLOCK_NEVER;
}

static void limits_main(void *arg)
{
    (void)arg;
    bool ending;
    int64_t next;
    while (next = act_on_due(&ending), !ending)
        (void)hl_event_wait(all.wake, next == CLOCK_NEVER ? HL_FOREVER : next - clock_now_ns());
}

/* [all.lock] */
static void due_set(struct stop *stop, uint64_t token, int64_t at_ns)
{
    stop->due_token = token;
    if (stop->pos != HEAP_NOWHERE)
        heap_remove(&all.due, stop->pos);
    else
        heap_unpromise(&all.due);
    stop->due_ns = at_ns;
    MUST(heap_insert(&all.due, stop)); /* the slot was promised */
    if (heap_first(&all.due) == stop)
        hl_event_set(all.wake);
}

/* [all.lock] */
static void due_clear(struct stop *stop)
{
    if (stop->pos == HEAP_NOWHERE)
        return;
    heap_remove(&all.due, stop->pos);
    heap_promise(&all.due);
}

/* ---- life ---- */

/* [all.lock] */
static int thread_start(void)
{
    const struct hl_thread_options options = {
        .target = limits_main, .name = "limits", .daemon = HL_DAEMON_NO};
    all.ending = false;
    int rc = hl_thread_new(&all.thread, &options);
    if (rc == 0)
        rc = hl_thread_start(all.thread);
    if (rc != 0)
        hl_thread_free(&all.thread);
    return rc;
}

/* One stop more. */
static int enter(void)
{
    MUST(pthread_once(&all_once, all_init));
    if (all.lock == NULL || all.wake == NULL)
        return ENOMEM;
    HL_LOCK_SCOPE(all.lock);
    int rc = heap_reserve(&all.due, 1);
    if (rc == 0 && all.count == 0)
        rc = thread_start();
    if (rc == 0) {
        heap_promise(&all.due);
        all.count++;
    }
    return rc;
}

static void leave(struct stop *stop)
{
    hl_thread *thread = NULL;
    {
        HL_LOCK_SCOPE(all.lock);
        due_clear(stop);
        heap_unpromise(&all.due);
        if (--all.count == 0) {
            thread = all.thread;
            all.thread = NULL;
            all.ending = true;
            hl_event_set(all.wake);
            heap_fini(&all.due);
            heap_init(&all.due, due_less, NULL, due_moved);
        }
    }
    if (thread == NULL)
        return;
    (void)hl_thread_join(thread, HL_FOREVER);
    hl_thread_free(&thread);
}

int stop_init(struct stop *stop, const struct handler *handler, void *state)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return errno;
    int rc = enter();
    if (rc != 0) {
        close(fd);
        return rc;
    }
    *stop = (struct stop){.fd = fd, .handler = handler, .state = state, .pos = HEAP_NOWHERE};
    MAGIC_INIT(stop, STOP_MAGIC);
    return 0;
}

void stop_fini(struct stop *stop)
{
    if (stop->magic == 0)
        return;
    MAGIC_CHECK(stop, STOP_MAGIC);
    leave(stop);
    close(stop->fd);
    MAGIC_WIPE(stop);
}

/* ---- a run ---- */

static void begin_limit(struct stop *stop, uint64_t token, int64_t timeout_ns)
{
    HL_LOCK_SCOPE(all.lock);
    stop->limited = true;
    due_set(stop, token, clock_deadline(timeout_ns));
}

bool stop_begin(struct stop *stop, uint64_t token, int64_t timeout_ns)
{
    if (atomic_load(&stop->reason) != STOP_NONE) {
        eventfd_t count;
        (void)eventfd_read(stop->fd, &count);
        atomic_store(&stop->reason, STOP_NONE);
    }
    if (atomic_load(&stop->final))
        (void)ask(stop, STOP_SHUTDOWN);
    atomic_store(&stop->token, token);
    bool missed = atomic_load(&stop->missed) != 0 && atomic_exchange(&stop->missed, 0) != 0;
    if (timeout_ns > 0)
        begin_limit(stop, token, timeout_ns);
    return missed;
}

enum stop_reason stop_end(struct stop *stop)
{
    if (stop->limited) {
        HL_LOCK_SCOPE(all.lock);
        due_clear(stop);
        stop->limited = false;
    }
    atomic_store(&stop->token, 0);
    return (enum stop_reason)atomic_load(&stop->reason);
}

/* ---- several runs at once ---- */

void stop_ring(struct stop *stop)
{
    int rc = eventfd_write(stop->fd, 1);
    ASSERT(rc == 0);
}

void stop_begin_many(struct stop *stop)
{
    atomic_store(&stop->many, true);
    /* `missed` stays: the first jobs were taken before this, and a cancel of one may be in it. */
    if (atomic_load(&stop->missed) != 0 || atomic_load(&stop->final))
        stop_ring(stop);
}

bool stop_hear(struct stop *stop, bool *cancelled)
{
    eventfd_t count;
    (void)eventfd_read(stop->fd, &count);
    *cancelled = atomic_load(&stop->missed) != 0 && atomic_exchange(&stop->missed, 0) != 0;
    return atomic_load(&stop->final);
}

void stop_end_many(struct stop *stop)
{
    atomic_store(&stop->many, false);
}

/* ---- those who ask ---- */

/* The handler's method is called by the thread. */
static void post(struct stop *stop, uint64_t token)
{
    if (stop->handler->stop == NULL)
        return;
    HL_LOCK_SCOPE(all.lock);
    due_set(stop, token, POSTED);
}

void stop_cancel(struct stop *stop, uint64_t token)
{
    MAGIC_CHECK(stop, STOP_MAGIC);
    atomic_fetch_add(&stop->missed, 1);
    if (atomic_load(&stop->many))
        stop_ring(stop);
    else if (atomic_load(&stop->token) == token && ask(stop, STOP_CANCEL))
        post(stop, token);
}

void stop_for_good(struct stop *stop)
{
    MAGIC_CHECK(stop, STOP_MAGIC);
    atomic_store(&stop->final, true);
    uint64_t token = atomic_load(&stop->token);
    if (ask(stop, STOP_SHUTDOWN) && token != 0)
        post(stop, token);
}
