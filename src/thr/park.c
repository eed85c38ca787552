// SPDX-License-Identifier: MIT
/*
 * Sleeping and waking: every blocking call of the library ends here.
 *
 * A futex compares a word and sleeps in one step, so a wake between the caller's look and its sleep
 * is never lost, and its timeout can be an absolute time of the monotonic clock. That is all that
 * locks, events, joins and queues need.
 *
 * Under the virtual clock (tests) a sleeper with a deadline enters itself into a list and sleeps
 * without a timeout. When the clock moves, every sleeper whose deadline has come is woken, again
 * and again until it has left the list: a wake that comes between entering the list and falling
 * asleep would otherwise be lost, because the word does not change. So when the move returns, all
 * of them have seen the new time.
 */
#include "thr/thr.h"

#include "base/clock.h"
#include "thr/park_priv.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct sleeper {
    struct list_node node;
    _Atomic uint32_t *word;
    int64_t deadline_ns;
};

static struct {
    pthread_mutex_t mutex; /* covers all below */
    pthread_cond_t changed;
    struct list list; /* of sleeper */
    unsigned count;
} sleepers = {.mutex = PTHREAD_MUTEX_INITIALIZER,
              .changed = PTHREAD_COND_INITIALIZER,
              .list = {{&sleepers.list.head, &sleepers.list.head}}};

static int futex_wait(_Atomic uint32_t *word, uint32_t expected, const struct timespec *until)
{
    long rc = syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, expected, until, NULL,
                      FUTEX_BITSET_MATCH_ANY);
    if (rc == 0 || errno == EAGAIN || errno == EINTR)
        return 0;
    ASSERT(errno == ETIMEDOUT);
    return ETIMEDOUT;
}

void park_wake(_Atomic uint32_t *word, int count)
{
    /* The word may be gone by now, even its page: EFAULT is as good as nobody there. */
    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

static int park_wait_virtual(_Atomic uint32_t *word, uint32_t expected, int64_t deadline_ns)
{
    struct sleeper sleeper = {.word = word, .deadline_ns = deadline_ns};
    list_node_init(&sleeper.node);
    MUST(pthread_mutex_lock(&sleepers.mutex));
    if (clock_now_ns() >= deadline_ns) {
        MUST(pthread_mutex_unlock(&sleepers.mutex));
        return ETIMEDOUT;
    }
    list_append(&sleepers.list, &sleeper.node);
    sleepers.count++;
    MUST(pthread_cond_broadcast(&sleepers.changed));
    MUST(pthread_mutex_unlock(&sleepers.mutex));

    (void)futex_wait(word, expected, NULL);

    MUST(pthread_mutex_lock(&sleepers.mutex));
    list_remove(&sleeper.node);
    sleepers.count--;
    MUST(pthread_mutex_unlock(&sleepers.mutex));
    return clock_now_ns() >= deadline_ns ? ETIMEDOUT : 0;
}

int park_wait(_Atomic uint32_t *word, uint32_t expected, int64_t deadline_ns)
{
    if (deadline_ns == CLOCK_NEVER)
        return futex_wait(word, expected, NULL);
    if (clock_is_virtual())
        return park_wait_virtual(word, expected, deadline_ns);
    if (deadline_ns < 0)
        deadline_ns = 0;
    struct timespec until = {.tv_sec = deadline_ns / HL_SECOND, .tv_nsec = deadline_ns % HL_SECOND};
    return futex_wait(word, expected, &until);
}

/* Wakes every sleeper whose deadline has come; true if there was one. */
static bool wake_due_sleepers(void)
{
    bool any = false;
    int64_t now_ns = clock_now_ns();
    MUST(pthread_mutex_lock(&sleepers.mutex));
    for (struct list_node *node = list_first(&sleepers.list); node != NULL;
         node = list_next(&sleepers.list, node)) {
        struct sleeper *sleeper = CONTAINER_OF(node, struct sleeper, node);
        if (sleeper->deadline_ns > now_ns)
            continue;
        any = true;
        park_wake(sleeper->word, INT32_MAX);
    }
    MUST(pthread_mutex_unlock(&sleepers.mutex));
    return any;
}

static void clock_moved(void)
{
    while (wake_due_sleepers())
        sched_yield();
}

void park_await_sleepers(unsigned count)
{
    MUST(pthread_mutex_lock(&sleepers.mutex));
    while (sleepers.count < count)
        MUST(pthread_cond_wait(&sleepers.changed, &sleepers.mutex));
    MUST(pthread_mutex_unlock(&sleepers.mutex));
}

void park_init(void)
{
    clock_listen(clock_moved);
}
