// SPDX-License-Identifier: MIT
// A journal that answers late; see the header.

#include "journal_window.h"

#include "base/magic.h"
#include "journal/backend.h"
#include "unit.h"
#include "unit_random.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW_MAGIC 0x70e11da0u
#define WINDOW_MOST 64

struct answer {
    struct journal_append *append;
    int result;
    bool durable;
    uint64_t sequence;
};

struct window {
    struct journal base;
    struct journal *inner;
    unsigned size;
    bool distant;

    pthread_mutex_t mutex; // covers all below
    pthread_cond_t changed;
    pthread_t thread;
    struct answer waiting[WINDOW_MOST]; // in the order of their begin
    unsigned count;
    uint64_t sequence; // of the last frame that counts
    bool by_itself, none, closed;
    int broken; // what all get; 0: nothing yet
    int breaks; // what the next one begins; 0
    struct window_stat stat;
    struct unit_random random;
};

static struct window *window_of(const struct journal *journal)
{
    struct window *window = CONTAINER_OF(journal, struct window, base);
    MAGIC_CHECK(&window->base, WINDOW_MAGIC);
    return window;
}

static void lock(struct window *window)
{
    ck_assert_int_eq(pthread_mutex_lock(&window->mutex), 0);
}

static void unlock(struct window *window)
{
    ck_assert_int_eq(pthread_mutex_unlock(&window->mutex), 0);
}

// With the lock, which is let go of.
static void answer_give(struct window *window, unsigned nth)
{
    ck_assert_uint_lt(nth, window->count);
    struct answer answer = window->waiting[nth];
    window->count--;
    window->stat.overtook += nth > 0;
    memmove(&window->waiting[nth], &window->waiting[nth + 1],
            (window->count - nth) * sizeof(answer));
    unlock(window);
    answer.append->result = answer.result;
    answer.append->durable = answer.durable;
    answer.append->sequence = answer.sequence;
    answer.append->done(answer.append);
}

static void *answers(void *arg)
{
    struct window *window = arg;
    lock(window);
    while (!window->closed) {
        if (window->count == 0 || !window->by_itself) {
            ck_assert_int_eq(pthread_cond_wait(&window->changed, &window->mutex), 0);
            continue;
        }
        unsigned patience = (unsigned)unit_random_below(&window->random, 4);
        unlock(window);
        while (patience-- > 0) // so that others may come
            sched_yield();
        lock(window);
        if (window->count == 0 || !window->by_itself)
            continue;
        answer_give(window, (unsigned)unit_random_below(&window->random, window->count));
        lock(window);
    }
    unlock(window);
    return NULL;
}

void window_by_itself(struct window *window, bool by_itself)
{
    lock(window);
    window->by_itself = by_itself;
    pthread_cond_broadcast(&window->changed);
    unlock(window);
}

unsigned window_await(struct window *window, unsigned count)
{
    lock(window);
    while (window->count < count)
        ck_assert_int_eq(pthread_cond_wait(&window->changed, &window->mutex), 0);
    unsigned waiting = window->count;
    unlock(window);
    return waiting;
}

void window_done(struct window *window, unsigned nth)
{
    lock(window);
    answer_give(window, nth);
}

void window_no_room(struct window *window, bool none)
{
    lock(window);
    window->none = none;
    unlock(window);
}

void window_break(struct window *window, int result)
{
    lock(window);
    window->breaks = result;
    unlock(window);
}

struct window_stat window_stat(struct window *window)
{
    lock(window);
    struct window_stat stat = window->stat;
    unlock(window);
    return stat;
}

// ---- the table ----

static void window_facts(const struct journal *journal, struct journal_facts *facts)
{
    const struct window *window = window_of(journal);
    journal_facts(window->inner, facts);
    facts->window = window->size;
    facts->distant = window->distant;
}

static void inner_done(struct journal_append *append)
{
    *(bool *)append->arg = true;
}

// What becomes of it. With the lock.
static struct answer carry_out(struct window *window, struct journal_append *append)
{
    struct answer answer = {.append = append, .sequence = window->sequence};
    if (window->broken == 0 && window->breaks == ESTALE)
        window->broken = ESTALE;
    if (window->broken != 0)
        answer.result = window->broken;
    else if (append->expected < window->sequence)
        answer.result = ESTALE;
    else if (window->none || append->expected > window->sequence)
        answer.result = ENOSPC;
    else {
        bool done = false;
        struct journal_append inner = *append;
        inner.done = inner_done;
        inner.arg = &done;
        journal_append(window->inner, &inner);
        ck_assert(done);
        answer.result = inner.result;
        answer.durable = inner.durable;
        answer.sequence = window->sequence = inner.sequence;
    }
    if (window->broken == 0 && answer.result != ENOSPC && window->breaks == EIO)
        answer.result = window->broken = EIO;
    return answer;
}

static void window_append(struct journal *journal, struct journal_append *append)
{
    struct window *window = window_of(journal);
    lock(window);
    ck_assert_uint_lt(window->count, window->size);
    window->waiting[window->count++] = carry_out(window, append);
    if (window->count > window->stat.most)
        window->stat.most = window->count;
    pthread_cond_broadcast(&window->changed);
    unlock(window);
}

// What is about all that was appended comes when nothing is under way.
static struct journal *alone(const struct journal *journal)
{
    struct window *window = window_of(journal);
    lock(window);
    ck_assert_uint_eq(window->count, 0);
    unlock(window);
    return window->inner;
}

static int window_sync_begin(struct journal *journal, struct journal_syncing *syncing)
{
    return journal_sync_begin(alone(journal), syncing);
}

static int window_sync_run(struct journal *journal, struct journal_syncing *syncing)
{
    return journal_sync_run(window_of(journal)->inner, syncing);
}

static int window_trim(struct journal *journal, uint64_t before, uint64_t *sequence)
{
    struct window *window = window_of(journal);
    int rc = journal_trim(alone(journal), before, sequence);
    lock(window);
    window->sequence = *sequence;
    unlock(window);
    return rc;
}

static int window_acquire(struct journal *journal, struct journal_error *error)
{
    return journal_acquire(window_of(journal)->inner, error);
}

static int window_replay(struct journal *journal, const struct journal_visitor *visitor,
                         struct journal_replayed *replayed, struct journal_error *error)
{
    return journal_replay(window_of(journal)->inner, visitor, replayed, error);
}

static void window_room(const struct journal *journal, struct journal_room *room)
{
    journal_room(window_of(journal)->inner, room);
}

static int window_read(struct journal *journal, uint64_t locator, struct buf *record)
{
    return journal_read(window_of(journal)->inner, locator, record);
}

static int window_pin(struct journal *journal, uint64_t locator)
{
    return journal_pin(window_of(journal)->inner, locator);
}

static void window_unpin(struct journal *journal, uint64_t locator)
{
    journal_unpin(window_of(journal)->inner, locator);
}

static int window_scan_begin(struct journal *journal, struct journal_scan *scan)
{
    return journal_scan_begin(window_of(journal)->inner, scan);
}

static int window_scan_next(struct journal *journal, struct journal_scan *scan,
                            const struct journal_visitor *visitor, size_t records)
{
    return journal_scan_next(window_of(journal)->inner, scan, visitor, records);
}

static void window_scan_end(struct journal *journal, struct journal_scan *scan)
{
    journal_scan_end(window_of(journal)->inner, scan);
}

static void window_figures(const struct journal *journal, struct journal_stat *stat)
{
    journal_stat(window_of(journal)->inner, stat);
}

static int window_close(struct journal *journal)
{
    struct window *window = window_of(journal);
    lock(window);
    ck_assert_uint_eq(window->count, 0);
    window->closed = true;
    pthread_cond_broadcast(&window->changed);
    unlock(window);
    ck_assert_int_eq(pthread_join(window->thread, NULL), 0);
    int rc = journal_close(&window->inner);
    pthread_cond_destroy(&window->changed);
    pthread_mutex_destroy(&window->mutex);
    MAGIC_WIPE(&window->base);
    free(window);
    return rc;
}

static const struct journal_backend window_backend = {
    .name = "window",
    .facts = window_facts,
    .acquire = window_acquire,
    .replay = window_replay,
    .append = window_append,
    .sync_begin = window_sync_begin,
    .sync_run = window_sync_run,
    .room = window_room,
    .read = window_read,
    .pin = window_pin,
    .unpin = window_unpin,
    .scan_begin = window_scan_begin,
    .scan_next = window_scan_next,
    .scan_end = window_scan_end,
    .trim = window_trim,
    .stat = window_figures,
    .close = window_close,
};

struct window *window_before(struct journal **journal, uint64_t sequence, unsigned size,
                             bool distant)
{
    struct window *window = calloc(1, sizeof(*window)); // no magic: it is in `base`
    ck_assert_ptr_nonnull(window);
    ck_assert_uint_le(size, WINDOW_MOST);
    MAGIC_INIT(&window->base, WINDOW_MAGIC);
    window->base.backend = &window_backend;
    window->inner = *journal;
    window->size = size;
    window->distant = distant;
    window->sequence = sequence;
    window->by_itself = true;
    window->random = (struct unit_random){size}; // threads make it different each time
    ck_assert_int_eq(pthread_mutex_init(&window->mutex, NULL), 0);
    ck_assert_int_eq(pthread_cond_init(&window->changed, NULL), 0);
    ck_assert_int_eq(pthread_create(&window->thread, NULL, answers, window), 0);
    *journal = &window->base;
    return window;
}
