// SPDX-License-Identifier: MIT
/*
 * Holders: what the broker knows of a connection, from its first command to its end, and what time
 * does to it. Waiting is in reserve.c, leases are in lease.c.
 *
 * Most connections watch one tube, so one watched tube is in place and all else is allocated when
 * it is needed: an idle connection, or one that only puts, has neither leases nor a place in line
 * (struct holder_rare).
 */
#include "base/clock.h"
#include "broker/finish_priv.h"
#include "broker/holder_priv.h"
#include "broker/lease_priv.h"
#include "broker/line_priv.h"
#include "broker/settle_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void holder_start(struct broker_holder *holder, struct broker *broker)
{
    memset(holder, 0, sizeof(*holder));
    MAGIC_INIT(holder, BROKER_HOLDER_MAGIC);
    holder->broker = broker;
    holder->watched = &holder->first_watched;
    holder->watch_cap = 1;
}

int holder_rare_need(struct broker_holder *holder)
{
    if (holder->rare != NULL)
        return 0;
    struct holder_rare *rare = calloc(1, sizeof(*rare));
    if (rare == NULL)
        return ENOMEM;
    int rc = alarm_init(holder->broker, &rare->alarm, ALARM_HOLDER);
    if (rc != 0) {
        free(rare);
        return rc;
    }
    MAGIC_INIT(rare, HOLDER_RARE_MAGIC);
    rare->holder = holder;
    heap_init(&rare->leases, job_key_less, NULL, job_moved);
    rare->links = &rare->first_link;
    rare->link_cap = 1;
    holder->rare = rare;
    return 0;
}

HELD static void rare_free(struct broker *broker, struct holder_rare **rare)
{
    if (*rare == NULL)
        return;
    struct holder_rare *mine;
    MAGIC_TAKE(mine, rare, HOLDER_RARE_MAGIC);
    ASSERT(mine->leases.len == 0 && mine->leases.promised == 0);
    alarm_fini(broker, &mine->alarm);
    heap_fini(&mine->leases);
    if (mine->links != &mine->first_link)
        free(mine->links);
    job_rare_free(&mine->spare);
    MAGIC_WIPE(mine);
    free(mine);
}

void holder_stop(struct broker_holder *holder)
{
    ASSERT(holder->watch_count == 0);
    rare_free(holder->broker, &holder->rare);
    if (holder->watched != &holder->first_watched)
        free(holder->watched);
    MAGIC_WIPE(holder);
}

/* ---- time ---- */

void holder_alarm_update(struct broker_holder *holder)
{
    const struct job *soonest = heap_first(&holder->rare->leases);
    int64_t at_ns = soonest != NULL ? soonest->rare->key_ns : CLOCK_NEVER;
    if (reserver_lined(holder)) {
        if (soonest != NULL && at_ns != CLOCK_NEVER)
            at_ns -= BROKER_MARGIN_NS;
        if (holder->rare->timeout_ns < at_ns)
            at_ns = holder->rare->timeout_ns;
    }
    alarm_set(holder->broker, &holder->rare->alarm, at_ns);
}

/*
 * The job that a remote worker has is in trouble: by the rules it is buried, if there is
 * memory and room for that, or it goes back.
 */
HELD static void lease_fails(struct broker *broker, struct job *job, struct job_outcome *outcome)
{
    struct last_words words;
    if (retry_judge(job, outcome).state == JOB_BURIED && last_words_make(&words, outcome) == 0) {
        const struct finish finish = {
            .job = job, .outcome = outcome, .words = &words, .counts = true};
        struct job *gone; /* none: it is buried */
        int rc = finish_job(broker, &finish, &gone);
        last_words_free(&words);
        if (rc == 0)
            return;
    }
    lease_trouble(job, outcome->kind);
}

HELD static void lease_expire(struct broker *broker, struct job *job)
{
    struct job_outcome outcome;
    job_outcome_init(&outcome);
    outcome.kind = JOB_OUTCOME_TIMEOUT;
    outcome.started_ns = job->rare->key_ns - job_ttr_ns(job);
    job_outcome_reason(&outcome, "its worker was not done with it within its TTR of %" PRIu32 " s",
                       job->ttr_s);
    broker_tube(job->tube)->stats.timeouts++;
    broker->stats.timeouts++;
    lease_fails(broker, job, &outcome);
}

/* What its worker said of it stands in line: that may still be made good. */
HELD static void lease_put_off(struct broker_holder *holder, struct job *job, int64_t now_ns)
{
    job->rare->key_ns = now_ns + BROKER_MARGIN_NS;
    heap_update(&holder->rare->leases, job->pos);
    holder_alarm_update(holder);
}

void holder_due(struct broker_holder *holder, int64_t now_ns)
{
    MAGIC_CHECK(holder, BROKER_HOLDER_MAGIC);
    struct job *soonest = heap_first(&holder->rare->leases);
    if (reserver_lined(holder)) {
        bool soon = soonest != NULL && soonest->rare->key_ns - BROKER_MARGIN_NS <= now_ns;
        queue_wait_make_ready(holder->broker->ledger.domain, &holder->rare->reserver->wait,
                              soon ? ETIME : ETIMEDOUT);
        reserver_unlined(holder);
        return;
    }
    ASSERT(soonest != NULL && soonest->rare->key_ns <= now_ns);
    if (soonest->rare->pins > 0)
        lease_put_off(holder, soonest, now_ns);
    else
        lease_expire(holder->broker, soonest);
}

/* ---- watching ---- */

/* The index of the tube among the watched ones, or their number. */
HELD static uint32_t watch_find(const struct broker_holder *holder, const struct tube *tube)
{
    uint32_t i = 0;
    while (i < holder->watch_count && holder->watched[i] != &tube->ready)
        i++;
    return i;
}

HELD static int watch_room(struct broker_holder *holder)
{
    if (holder->watch_count < holder->watch_cap)
        return 0;
    uint32_t cap = holder->watch_cap * 2;
    bool in_place = holder->watched == &holder->first_watched;
    struct queue_core **watched =
        reallocarray(in_place ? NULL : holder->watched, cap, sizeof(*watched));
    if (watched == NULL)
        return ENOMEM;
    if (in_place)
        watched[0] = holder->first_watched;
    holder->watched = watched;
    holder->watch_cap = cap;
    return 0;
}

HELD static int watch_add(struct broker_holder *holder, const char *name, size_t len)
{
    struct broker *broker = holder->broker;
    struct tube *tube = tube_find(&broker->ledger, name, len);
    if (tube != NULL && watch_find(holder, tube) < holder->watch_count)
        return 0;
    if (holder->watch_count >= BROKER_WATCHED_MAX)
        return ENOBUFS;
    int rc = watch_room(holder);
    if (rc == 0)
        rc = tube_need(&broker->ledger, name, len, &tube);
    if (rc != 0)
        return rc;
    broker_tube(tube)->stats.watching++;
    broker->stats.watching++;
    holder->watched[holder->watch_count++] = &tube->ready;
    return 0;
}

/* The last one moves into the hole. */
HELD static void watch_remove(struct broker_holder *holder, uint32_t index)
{
    struct tube *tube = tube_of_core(holder->watched[index]);
    holder->watched[index] = holder->watched[--holder->watch_count];
    broker_tube(tube)->stats.watching--;
    holder->broker->stats.watching--;
    tube_unref(tube);
}

int broker_watch(struct broker_holder *holder, const char *name, size_t len, size_t *count)
{
    MAGIC_CHECK(holder, BROKER_HOLDER_MAGIC);
    ASSERT(!broker_is_reserving(holder));
    int rc = job_tube_name_check(name, len);
    if (rc != 0)
        return rc;
    broker_lock(holder->broker);
    rc = watch_add(holder, name, len);
    broker_unlock(holder->broker);
    *count = holder->watch_count;
    return rc;
}

int broker_ignore(struct broker_holder *holder, const char *name, size_t len, size_t *count)
{
    MAGIC_CHECK(holder, BROKER_HOLDER_MAGIC);
    ASSERT(!broker_is_reserving(holder));
    int rc = 0;
    broker_lock(holder->broker);
    const struct tube *tube = tube_find(&holder->broker->ledger, name, len);
    uint32_t index = tube != NULL ? watch_find(holder, tube) : holder->watch_count;
    if (index < holder->watch_count) {
        if (holder->watch_count == 1)
            rc = EBUSY;
        else
            watch_remove(holder, index);
    }
    broker_unlock(holder->broker);
    *count = holder->watch_count;
    return rc;
}

void broker_watch_none(struct broker_holder *holder)
{
    MAGIC_CHECK(holder, BROKER_HOLDER_MAGIC);
    broker_lock(holder->broker);
    while (holder->watch_count > 0)
        watch_remove(holder, holder->watch_count - 1);
    broker_unlock(holder->broker);
}

size_t broker_watch_count(const struct broker_holder *holder)
{
    MAGIC_CHECK(holder, BROKER_HOLDER_MAGIC);
    return holder->watch_count;
}

const char *broker_watch_name(const struct broker_holder *holder, size_t index)
{
    MAGIC_CHECK(holder, BROKER_HOLDER_MAGIC);
    ASSERT(index < holder->watch_count);
    return tube_of_core(holder->watched[index])->name;
}

/* ---- life ---- */

int broker_holder_init(struct broker_holder *holder, struct broker *broker)
{
    broker_lock(broker);
    holder_start(holder, broker);
    int rc = watch_add(holder, JOB_TUBE_DEFAULT, sizeof(JOB_TUBE_DEFAULT) - 1);
    if (rc != 0)
        holder_stop(holder);
    broker_unlock(broker);
    return rc;
}

void broker_holder_produces(struct broker_holder *holder)
{
    MAGIC_CHECK(holder, BROKER_HOLDER_MAGIC);
    if (holder->producer)
        return;
    holder->producer = true;
    broker_lock(holder->broker);
    holder->broker->stats.producers++;
    broker_unlock(holder->broker);
}

/* A lease with a token that was matched and never handed out: nobody knows the token. */
HELD static void undelivered_return(struct broker_holder *holder)
{
    const struct holder_rare *rare = holder->rare;
    struct job *job;
    if (rare->matched_token == 0 || !rare->with_token ||
        lease_find(holder, rare->matched_id, rare->matched_token, &job) != 0)
        return;
    (void)lease_return(job, 0); /* else when its TTR is over */
}

/* true: the reserver is its owner's again. */
HELD static bool reserve_abandon(struct broker_holder *holder)
{
    if (!broker_is_reserving(holder))
        return true;
    struct broker_reserver *reserver = holder->rare->reserver;
    struct later *later = &reserver->wait.later;
    bool lined = later->cancel == reserver_cancel;
    bool cancelled = lined ? queue_wait_cancel(&reserver->wait) : later->state == LATER_WAITS;
    if (cancelled && lined)
        reserver_unlined(holder);
    else if (cancelled)
        line_leave_reserver(holder->broker, later);
    else
        undelivered_return(holder);
    holder->rare->reserver = NULL;
    return cancelled;
}

static int by_rank(const void *a, const void *b)
{
    const struct job *one = *(struct job *const *)a, *two = *(struct job *const *)b;
    return job_ready_less(one, two, NULL) ? -1 : 1;
}

HELD static void lease_lose(struct broker *broker, struct job *job)
{
    struct job_outcome outcome;
    job_outcome_init(&outcome);
    outcome.kind = JOB_OUTCOME_LOST;
    job_outcome_reason(&outcome, "the connection of its worker was lost");
    lease_fails(broker, job, &outcome);
}

/* Gives a part of the leases back, the best job first, for the first in line takes it. */
HELD static void return_some(struct broker_holder *holder)
{
    struct job *jobs[BROKER_WALK_MAX];
    size_t count = 0;
    while (count < BROKER_WALK_MAX && holder->rare->leases.len > 0) {
        struct job *job = heap_any(&holder->rare->leases);
        if (retry_minds_loss(job)) {
            if (count == 0)
                lease_lose(holder->broker, job);
            break;
        }
        lease_end(job); /* not before the others: who gets one may be this one's next in line */
        jobs[count++] = job;
    }
    // cppcheck-suppress uninitvar ; as many as are counted have been set
    qsort(jobs, count, sizeof(jobs[0]), by_rank);
    for (size_t i = 0; i < count; i++)
        lease_trouble(jobs[i], JOB_OUTCOME_LOST);
}

/* Returns or unwatches a part of it; whether that was all. */
HELD static bool leave_some(struct broker_holder *holder)
{
    if (holder_holds(holder)) {
        return_some(holder);
        return false;
    }
    for (int i = 0; i < BROKER_WALK_MAX; i++) {
        if (holder->watch_count == 0)
            return true;
        watch_remove(holder, holder->watch_count - 1);
    }
    return false;
}

bool broker_holder_fini(struct broker_holder *holder)
{
    MAGIC_CHECK(holder, BROKER_HOLDER_MAGIC);
    struct broker *broker = holder->broker;
    broker_lock(broker);
    bool mine = reserve_abandon(holder);
    while (!leave_some(holder)) {
        broker_unlock(broker);
        broker_lock(broker);
    }
    broker->stats.producers -= holder->producer;
    broker->stats.workers -= holder->worker;
    holder_stop(holder);
    broker_unlock(broker);
    return mine;
}
