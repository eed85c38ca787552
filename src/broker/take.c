// SPDX-License-Identifier: MIT
/*
 * Take: how ready jobs become the leases of a consumer.
 *
 * A consumer stands in the lines of all its tubes at once. A job that is put while it waits goes to
 * it directly and is reserved at that moment, by the putting thread (lease_given); the consumer's
 * thread then only writes down its lease. Stopping and pausing a consumer use the same door: each
 * has a control core of its own, last in the array, and one item put there wakes it.
 *
 * A consumer whose thread has other things to wait for stands in line without it (prefetch.c).
 *
 * Who takes several at once waits for the first only; what else is ready at that moment comes with
 * it under the same hold of the lock.
 *
 * A job may be the end of the process that runs it. So that a restart knows which ones were being
 * run, their LEASEs are in the hands of the kernel before any of them is handed out: one write for
 * all that were taken, and no sync.
 */
#include "base/clock.h"
#include "broker/consumer_priv.h"
#include "broker/lease_priv.h"
#include "broker/spare_priv.h"

#include <errno.h>
#include <string.h>

/* How often a waiting consumer without memory for a lease looks for some. */
#define MEMORY_RETRY_NS HL_SECOND
/* How often who waits for the journal looks whether the consumer was stopped. */
#define STOP_LOOK_NS (HL_SECOND / 10)

/* by: 1 or -1 */
HELD static void waiting_add(struct broker_consumer *consumer, int by)
{
    const uint64_t more = by > 0 ? 1 : UINT64_MAX; /* unsigned arithmetic wraps by definition */
    consumer->waiting = by > 0;
    consumer->broker->stats.waiting += more;
    consumer->broker->stats.waiting_consumers += more;
    for (size_t i = 0; i < consumer->tube_count; i++)
        broker_tube(consumer->tubes[i])->stats.waiting_consumers += more;
}

/* Waits in the lines of the cores from that one on. */
HELD static int lines_wait(struct broker_consumer *consumer, struct consumer_wait *wait,
                           size_t from, int64_t deadline_ns)
{
    size_t count = consumer->tube_count + 1 - from;
    ASSERT((consumer->broker->unlock_tells & UNLOCK_ENDED) == 0); /* the lock is let go of */
    memset(consumer->links, 0, count * sizeof(*consumer->links));
    queue_wait_get(&wait->wait, consumer->cores + from, consumer->links, count);
    prefetchers_ring(consumer->broker);
    return queue_wait_block(&wait->wait, consumer->broker->ledger.domain, deadline_ns, "queue get",
                            consumer->name);
}

/* Waits in all lines; *job is then reserved already. */
HELD static int consumer_wait(struct broker_consumer *consumer, int64_t deadline_ns,
                              struct job **job)
{
    struct consumer_wait wait = {.consumer = consumer};
    waiting_add(consumer, 1);
    int rc = lines_wait(consumer, &wait, 0, deadline_ns);
    waiting_add(consumer, -1);
    if (rc != 0)
        return rc;
    ASSERT(wait.wait.later.result == 0); /* tubes are never shut down */
    if (wait.wait.from == &consumer->control)
        return consumer->stopped ? ESHUTDOWN : EAGAIN;
    *job = wait.wait.item;
    return 0;
}

/* The memory of the next lease. Without any, who has time looks again once a second. */
HELD static int spare_need(struct broker_consumer *consumer, int64_t deadline_ns)
{
    while (consumer->spare == NULL && (consumer->spare = spare_take(consumer->broker)) == NULL) {
        int64_t now = clock_now_ns();
        if (deadline_ns <= now)
            return ENOMEM;
        struct consumer_wait wait = {.consumer = consumer};
        int64_t left_ns = deadline_ns - now;
        (void)lines_wait(consumer, &wait, consumer->tube_count,
                         clock_deadline(left_ns < MEMORY_RETRY_NS ? left_ns : MEMORY_RETRY_NS));
        if (consumer->stopped)
            return ESHUTDOWN;
    }
    return 0;
}

/* The best of what is ready, into *job; the weights decide if there are any. EAGAIN: none.
 */
HELD static int consumer_choose(struct broker_consumer *consumer, void **job)
{
    size_t which;
    if (consumer->shares != NULL)
        return queue_core_take_shared(consumer->cores, consumer->shares->share,
                                      consumer->tube_count, &consumer->shares->now, job, &which);
    return queue_core_take_any(consumer->cores, consumer->tube_count, job, &which);
}

/* The consumer has spare memory for the lease. */
HELD static int consumer_lease(struct broker_consumer *consumer, struct job **job)
{
    void *item;
    int rc = consumer_choose(consumer, &item);
    if (rc != 0)
        return rc;
    *job = item;
    consumer_begin(consumer, *job);
    return 0;
}

/* Until it may take again, or is stopped or paused. EAGAIN: then it is to look again. */
HELD static int rest_out(struct broker_consumer *consumer, int64_t deadline_ns, bool may_wait)
{
    if (!may_wait)
        return ETIMEDOUT;
    struct consumer_wait wait = {.consumer = consumer};
    int rc = lines_wait(consumer, &wait, consumer->tube_count, deadline_ns);
    return rc == 0 ? consumer->stopped ? ESHUTDOWN : EAGAIN : rc;
}

HELD static int consumer_get(struct broker_consumer *consumer, int64_t deadline_ns, bool may_wait,
                             struct job **job)
{
    if (consumer->stopped)
        return ESHUTDOWN;
    if (consumer->paused)
        return EAGAIN;
    if (consumer->broker->resting)
        return rest_out(consumer, deadline_ns, may_wait);
    int rc = spare_need(consumer, deadline_ns);
    if (rc != 0)
        return rc;
    rc = consumer_lease(consumer, job);
    if (rc == EAGAIN)
        return may_wait ? consumer_wait(consumer, deadline_ns, job) : ETIMEDOUT;
    ASSERT(rc == 0);
    return 0;
}

/* That must be written before its handler begins. */
HELD static void lease_out(struct job *job, struct broker_lease *lease, struct ticket *ticket)
{
    const struct job_extra *extra = job->extra;
    if (extra->out == JOB_OUT_LOCAL && extra->ticket > ticket->written)
        ticket->written = extra->ticket;
    lease_fill(job, lease);
}

/* The first one, and what else is ready. */
HELD static int consumer_get_many(struct broker_consumer *consumer, struct broker_lease *leases,
                                  size_t max, size_t *count, int64_t deadline_ns, bool may_wait,
                                  struct ticket *ticket)
{
    ASSERT(!may_wait || !consumer->standing);
    if (consumer_is_about_to_be_rung(consumer))
        return EAGAIN;
    struct job *job = consumer_stand_collect(consumer);
    int rc = job != NULL ? 0 : consumer_get(consumer, deadline_ns, may_wait, &job);
    if (rc != 0)
        return rc;
    lease_out(job, &leases[0], ticket);
    *count = 1;
    while (*count < max && spare_need(consumer, 0) == 0 && consumer_lease(consumer, &job) == 0)
        lease_out(job, &leases[(*count)++], ticket);
    return 0;
}

/* Without the lock. */
static void lease_drop(struct broker *broker, const struct broker_lease *lease)
{
    struct job_outcome outcome;
    job_outcome_init(&outcome);
    outcome.kind = JOB_OUTCOME_RETURNED;
    (void)broker_settle(broker, lease->id, lease->token, &outcome);
}

/* Without the lock. ENODATA: the job is buried, or free again, for its body can't be read. */
static int body_need(struct broker *broker, struct broker_lease *lease)
{
    if (lease->body != NULL)
        return 0;
    int rc = broker_fetch(&lease->place, &lease->body);
    if (rc == 0)
        return 0;
    if (rc != ENOMEM) {
        (void)broker_bury_damaged(broker, lease->id, lease->token);
        return ENODATA;
    }
    lease_drop(broker, lease);
    return ENOMEM;
}

/* A while, for memory; cut short by a stop. ENOMEM: there is no time for that. */
static int memory_wait(struct broker_consumer *consumer, int64_t deadline_ns)
{
    int64_t left_ns = deadline_ns - clock_now_ns();
    if (left_ns <= 0)
        return ENOMEM;
    struct consumer_wait wait = {.consumer = consumer};
    broker_lock(consumer->broker);
    if (!consumer->stopped)
        (void)lines_wait(consumer, &wait, consumer->tube_count,
                         clock_deadline(left_ns < MEMORY_RETRY_NS ? left_ns : MEMORY_RETRY_NS));
    broker_unlock(consumer->broker);
    return 0;
}

/* Without the lock. Leaves out those whose body can't be read. ENODATA: none is left. ENOMEM: some
 * went back for want of memory, and none is left. */
static int bodies_need(struct broker *broker, struct broker_lease *leases, size_t *count)
{
    size_t kept = 0;
    int rc = ENODATA;
    for (size_t i = 0; i < *count; i++) {
        int mine = body_need(broker, &leases[i]);
        if (mine == 0)
            leases[kept++] = leases[i];
        else {
            broker_lease_fini(&leases[i]);
            if (mine == ENOMEM)
                rc = ENOMEM;
        }
    }
    *count = kept;
    return kept > 0 ? 0 : rc;
}

static bool is_stopped(struct broker_consumer *consumer)
{
    broker_lock(consumer->broker);
    bool stopped = consumer->stopped;
    broker_unlock(consumer->broker);
    return stopped;
}

/* Without the lock. ESHUTDOWN: it isn't written, and they went back. When the journal is broken the
 * daemon stops: then it doesn't matter any more. */
static int leases_written(struct broker_consumer *consumer, struct broker_lease *leases,
                          size_t count, const struct ticket *ticket)
{
    int rc;
    do
        rc = broker_ticket_wait(consumer->broker, ticket, STOP_LOOK_NS);
    while (rc == ETIMEDOUT && !is_stopped(consumer));
    if (rc != ETIMEDOUT)
        return 0;
    for (size_t i = 0; i < count; i++) {
        lease_drop(consumer->broker, &leases[i]);
        broker_lease_fini(&leases[i]);
    }
    return ESHUTDOWN;
}

int broker_take_many(struct broker_consumer *consumer, struct broker_lease *leases, size_t max,
                     size_t *count, int64_t timeout_ns)
{
    MAGIC_CHECK(consumer, BROKER_CONSUMER_MAGIC);
    ASSERT(max > 0);
    int64_t deadline_ns = clock_deadline(timeout_ns);
    int rc;
    do {
        struct ticket ticket = {0};
        broker_lock(consumer->broker);
        rc = consumer_get_many(consumer, leases, max, count, deadline_ns, timeout_ns > 0, &ticket);
        broker_unlock(consumer->broker);
        if (rc == 0)
            rc = bodies_need(consumer->broker, leases, count);
        if (rc == 0 && ticket.written != 0)
            rc = leases_written(consumer, leases, *count, &ticket);
        if (rc == ENOMEM && consumer->broker->ledger.store != NULL &&
            memory_wait(consumer, deadline_ns) == 0)
            rc = ENODATA;
    } while (rc == ENODATA);
    return rc;
}

int broker_take(struct broker_consumer *consumer, struct broker_lease *lease, int64_t timeout_ns)
{
    size_t count;
    return broker_take_many(consumer, lease, 1, &count, timeout_ns);
}
