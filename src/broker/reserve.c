// SPDX-License-Identifier: MIT
/*
 * Reserve: how a holder gets a job, at once or by waiting for it.
 *
 * A waiting holder stands in the lines of the tubes it watches, among the sinks: who came first is
 * served first. Everything a match needs is made before it stands there (the side record that the
 * lease will be in, a promised slot in the heap of leases), because the match is made by another
 * thread, under the lock, and can't fail. From then on the job is the holder's, whose thread learns
 * of it by the reserver's later and picks it up with broker_reserve_finish.
 *
 * The lease of a token is recorded, or there is none: where the journal is busy, the reserve stands
 * in the line of changes (line.c). A match for one who waits is made where nobody can be refused:
 * if there was no room then, finish tries again, and gives the job back if there still is none.
 * What the thread that hands a token out has to wait for is the ticket of its lease.
 *
 * "Deadline soon" is looked at before waiting and, by the holder's alarm, while waiting.
 */
#include "base/clock.h"
#include "broker/ask_priv.h"
#include "broker/holder_priv.h"
#include "broker/lease_priv.h"
#include "broker/line_priv.h"
#include "broker/sink_priv.h"
#include "broker/spare_priv.h"
#include "broker/verbs_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

HELD static void lease_of(struct broker_holder *holder, struct job *job, bool with_token)
{
    lease_begin(job, holder_of_leases(holder, with_token),
                with_token ? JOB_OUT_TOKEN : JOB_OUT_NOT);
}

/* ---- waiting ---- */

void reserver_given(struct queue_wait *wait, struct job *job)
{
    struct broker_holder *holder = CONTAINER_OF(wait, struct broker_reserver, wait)->holder;
    MAGIC_CHECK(holder, BROKER_HOLDER_MAGIC);
    reserver_unlined(holder);
    if (job->rare == NULL) {
        job->rare = holder->rare->spare;
        holder->rare->spare = NULL;
    }
    lease_of(holder, job, holder->rare->with_token);
    holder->rare->matched_id = job->id;
    holder->rare->matched_token = job->rare->token;
}

bool reserver_cancel(struct later *later)
{
    struct broker_reserver *reserver = CONTAINER_OF(later, struct broker_reserver, wait.later);
    struct broker_holder *holder = reserver->holder;
    MAGIC_CHECK(holder, BROKER_HOLDER_MAGIC);
    broker_lock(holder->broker);
    bool cancelled = queue_wait_cancel(&reserver->wait);
    if (cancelled) {
        reserver_unlined(holder);
        holder->rare->reserver = NULL;
    }
    broker_unlock(holder->broker);
    return cancelled;
}

HELD static int links_room(struct broker_holder *holder)
{
    if (holder->watch_count <= holder->rare->link_cap)
        return 0;
    struct queue_link *links = calloc(holder->watch_cap, sizeof(*links));
    if (links == NULL)
        return ENOMEM;
    if (holder->rare->links != &holder->rare->first_link)
        free(holder->rare->links);
    holder->rare->links = links;
    holder->rare->link_cap = holder->watch_cap;
    return 0;
}

/* Room was made in the heap of leases. */
HELD static int line_up(struct broker_holder *holder, struct broker_reserver *reserver,
                        bool with_token)
{
    int rc = links_room(holder);
    if (rc != 0)
        return rc;
    heap_promise(&holder_of_leases(holder, with_token)->rare->leases);
    reserver->holder = holder;
    holder->rare->reserver = reserver;
    holder->rare->with_token = with_token;
    holder->rare->matched_id = holder->rare->matched_token = 0;
    queue_wait_get(&reserver->wait, holder->watched, holder->rare->links, holder->watch_count);
    reserver->wait.later.cancel = reserver_cancel;
    hoards_ring(holder->broker);
    holder->broker->stats.waiting++;
    holder_alarm_update(holder);
    return EINPROGRESS;
}

/* ---- standing in the line of changes ---- */

static struct broker_holder *holder_of(const struct later *later)
{
    struct broker_holder *holder = CONTAINER_OF(later, struct broker_reserver, wait.later)->holder;
    MAGIC_CHECK(holder, BROKER_HOLDER_MAGIC);
    return holder;
}

bool reserver_line_cancel(struct later *later)
{
    struct broker_holder *holder = holder_of(later);
    broker_lock(holder->broker);
    bool cancelled = later->state == LATER_WAITS;
    if (cancelled) {
        line_leave_reserver(holder->broker, later);
        holder->rare->reserver = NULL;
    }
    broker_unlock(holder->broker);
    return cancelled;
}

HELD static int reserver_stand(struct broker_holder *holder, struct broker_reserver *reserver)
{
    reserver->holder = holder;
    holder->rare->reserver = reserver;
    holder->rare->with_token = true;
    holder->rare->matched_id = holder->rare->matched_token = 0;
    queue_wait_line_up(&reserver->wait, reserver_line_cancel);
    line_stand_reserver(holder->broker, &reserver->wait.later, &holder->rare->stands_until_ns);
    return EINPROGRESS;
}

int64_t reserver_until(const struct later *later)
{
    return holder_of(later)->rare->stands_until_ns;
}

void reserver_refused(struct later *later, int result)
{
    struct broker_holder *holder = holder_of(later);
    line_leave_reserver(holder->broker, later);
    queue_wait_line_up(CONTAINER_OF(later, struct queue_wait, later), reserver_line_cancel);
    queue_domain_ready(holder->broker->ledger.domain, later, result);
}

/* ---- reserving ---- */

/* Room for one more lease. */
HELD static int lease_room(struct broker_holder *holder, bool with_token)
{
    uint64_t held_max = holder->broker->options.held_max;
    if (held_max != 0 && !with_token && holder->rare->leases.len >= held_max)
        return EDQUOT;
    if (holder->rare->spare == NULL) {
        holder->rare->spare = spare_take(holder->broker);
        if (holder->rare->spare == NULL)
            return ENOMEM;
    }
    return heap_reserve(&holder_of_leases(holder, with_token)->rare->leases, 1);
}

/* After lease_room. */
HELD static void reserve_job(struct broker_holder *holder, struct job *job, bool with_token)
{
    if (job->rare == NULL) {
        job->rare = holder->rare->spare;
        holder->rare->spare = NULL;
    }
    lease_of(holder, job, with_token);
}

/* ETIME or ETIMEDOUT, when no job is ready. */
HELD static int why_not(const struct broker_holder *holder)
{
    const struct job *soonest = heap_first(&holder->rare->leases);
    bool soon = soonest != NULL && soonest->rare->key_ns - BROKER_MARGIN_NS <= clock_now_ns();
    return soon ? ETIME : ETIMEDOUT;
}

/* *job: reserved now. */
HELD static int reserve_one(struct broker_holder *holder, bool with_token, struct job **job)
{
    int rc = lease_room(holder, with_token);
    if (rc != 0)
        return rc;
    void *item;
    size_t which;
    rc = queue_core_take_any(holder->watched, holder->watch_count, &item, &which);
    if (rc != 0)
        return why_not(holder); /* tubes are never shut down */
    rc = with_token ? store_admit(item) : 0;
    if (rc != 0) {
        tube_job_contain(item); /* where it was: nobody waits for it */
        return rc;
    }
    reserve_job(holder, item, with_token);
    *job = item;
    return 0;
}

HELD static int reserve_now(struct broker_holder *holder, bool with_token,
                            struct broker_lease *lease)
{
    struct job *job;
    int rc = reserve_one(holder, with_token, &job);
    if (rc == 0)
        lease_fill(job, lease);
    return rc;
}

/* It is a worker from now on. ENOMEM. */
HELD static int holder_works(struct broker_holder *holder)
{
    if (!holder->worker)
        holder->broker->stats.workers++;
    holder->worker = true;
    return holder_rare_need(holder);
}

HELD static bool may_wait(const struct broker_holder *holder)
{
    return holder->rare->timeout_ns > 0 && holder->rare->timeout_ns > clock_now_ns();
}

HELD static int reserve_or_wait(struct broker_holder *holder, struct broker_reserver *reserver,
                                bool with_token, struct broker_lease *lease)
{
    int rc = reserve_now(holder, with_token, lease);
    if (rc == ETIMEDOUT && may_wait(holder))
        rc = line_up(holder, reserver, with_token);
    else if (rc == EAGAIN)
        rc = reserver_stand(holder, reserver);
    return rc;
}

int reserver_again(struct later *later)
{
    struct broker_holder *holder = holder_of(later);
    struct broker *broker = holder->broker;
    struct broker_reserver *reserver = holder->rare->reserver;
    struct job *job;
    int rc = reserve_one(holder, true, &job);
    if (rc == EAGAIN)
        return rc;
    line_leave_reserver(broker, later);
    if (rc == ETIMEDOUT && may_wait(holder))
        rc = line_up(holder, reserver, true);
    if (rc == EINPROGRESS)
        return rc;
    if (rc == 0) {
        holder->rare->matched_id = job->id;
        holder->rare->matched_token = job->rare->token;
    }
    queue_wait_line_up(&reserver->wait, reserver_line_cancel);
    queue_domain_ready(broker->ledger.domain, later, rc);
    return rc;
}

/* Behind those who stand. */
HELD static int reserve_first(struct broker_holder *holder, struct broker_reserver *reserver,
                              bool with_token, struct broker_lease *lease)
{
    struct broker *broker = holder->broker;
    bool behind = with_token && broker->standing > 0;
    if (behind)
        store_turn(broker->ledger.store, STORE_TURN_FIRST);
    int rc = reserve_or_wait(holder, reserver, with_token, lease);
    if (behind)
        store_turn(broker->ledger.store, STORE_TURN_NONE);
    return rc;
}

int broker_reserve(struct broker_holder *holder, struct broker_reserver *reserver,
                   int64_t timeout_ns, unsigned flags, struct broker_lease *lease)
{
    MAGIC_CHECK(holder, BROKER_HOLDER_MAGIC);
    ASSERT(!broker_is_reserving(holder));
    struct broker *broker = holder->broker;
    broker_lock(broker);
    broker_tell(broker, &holder->ticket);
    int rc = holder_works(holder);
    if (rc == 0) {
        holder->rare->timeout_ns = timeout_ns <= 0 ? 0 : clock_deadline(timeout_ns);
        holder->rare->stands_until_ns = 0;
        rc = reserve_first(holder, reserver, (flags & BROKER_WITH_TOKEN) != 0, lease);
    }
    bool stands = rc == EINPROGRESS && reserver->wait.later.cancel == reserver_line_cancel;
    broker_unlock(broker);
    if (stands)
        store_want_room(broker->ledger.store);
    return rc;
}

/* The job that was matched, if its lease is still in force. */
HELD static struct job *matched_job(struct broker_holder *holder)
{
    struct job *job = idtable_get(&holder->broker->ledger.jobs, holder->rare->matched_id);
    bool mine = job != NULL && job->state == JOB_RESERVED &&
                job->rare->token == holder->rare->matched_token;
    return mine ? job : NULL;
}

/* The lease that was matched, recorded now if it wasn't: it begins anew then. ENOSPC, EIO,
 * ENOMEM, EAGAIN: there is no room for that yet, and the job is free again. */
HELD static int matched_need(struct broker_holder *holder, struct job *job)
{
    if (!holder->rare->with_token || job->rare->out == JOB_OUT_TOKEN)
        return 0;
    int rc = store_admit(job);
    lease_end(job);
    if (rc == 0)
        lease_of(holder, job, true);
    else
        lease_give_back(job);
    return rc;
}

/* What was matched, if it is still there; or all over again. */
HELD static int matched_take(struct broker_holder *holder, struct broker_reserver *reserver,
                             struct broker_lease *lease)
{
    struct job *job = matched_job(holder);
    holder->rare->matched_id = holder->rare->matched_token = 0;
    if (job == NULL)
        return reserve_or_wait(holder, reserver, holder->rare->with_token, lease);
    int rc = matched_need(holder, job);
    if (rc != 0)
        return rc == EAGAIN ? reserver_stand(holder, reserver) : rc;
    if (job->rare->out == JOB_OUT_TOKEN && job_is_logged(job))
        store_told(holder->broker->ledger.store, job->tube->durability, job->rare->ticket);
    lease_fill(job, lease);
    return 0;
}

int broker_reserve_finish(struct broker_holder *holder, struct broker_lease *lease)
{
    MAGIC_CHECK(holder, BROKER_HOLDER_MAGIC);
    struct broker *broker = holder->broker;
    ASSERT(broker_is_reserving(holder));
    struct broker_reserver *reserver = holder->rare->reserver;
    broker_lock(broker);
    broker_tell(broker, &holder->ticket);
    ASSERT(reserver->wait.later.state == LATER_READY);
    int rc = reserver->wait.later.result;
    holder->rare->reserver = NULL;
    if (rc == 0)
        rc = matched_take(holder, reserver, lease);
    bool stands = rc == EINPROGRESS && reserver->wait.later.cancel == reserver_line_cancel;
    broker_unlock(broker);
    if (stands)
        store_want_room(broker->ledger.store);
    return rc;
}

int broker_reserve_batch(struct broker_holder *holder, size_t max, unsigned flags,
                         struct broker_lease *leases, size_t *count)
{
    MAGIC_CHECK(holder, BROKER_HOLDER_MAGIC);
    struct broker *broker = holder->broker;
    size_t got = 0;
    broker_lock(broker);
    broker_tell(broker, &holder->ticket);
    int rc = holder_works(holder);
    while (got < max && rc == 0) {
        rc = reserve_now(holder, (flags & BROKER_WITH_TOKEN) != 0, &leases[got]);
        if (rc != 0)
            break;
        if (++got % BROKER_WALK_MAX == 0) {
            broker_unlock(broker);
            broker_lock(broker);
            broker_tell(broker, &holder->ticket);
        }
    }
    broker_unlock(broker);
    *count = got;
    return got > 0 ? 0 : rc;
}

HELD static int reserve_by_id(struct broker *broker, const struct broker_op *op)
{
    struct broker_holder *holder = op->holder;
    bool with_token = (op->flags & OP_TOKEN) != 0;
    struct job *job = idtable_get(&broker->ledger.jobs, op->id);
    int rc = job != NULL ? job_ask(op->asker, job, TRUST_work) : ENOENT;
    if (rc == 0 && job->state == JOB_RESERVED)
        rc = ENOENT;
    if (rc == 0)
        rc = lease_room(holder, with_token);
    if (rc == 0 && job->state == JOB_BURIED)
        rc = tube_room(job->tube, JOB_READY); /* for its way back */
    if (rc == 0 && (with_token || job->state == JOB_BURIED))
        rc = store_admit(job); /* a buried one is unfinished again, which must be recorded */
    if (rc != 0)
        return rc;
    reserve_job(holder, job, with_token);
    lease_fill(job, op->lease);
    return 0;
}

int decide_reserve_job(struct broker *broker, struct broker_op *op)
{
    int rc = holder_rare_need(op->holder);
    if (rc == 0)
        rc = reserve_by_id(broker, op);
    if (rc == 0) /* else, as in beanstalkd, it made nobody a worker */
        rc = holder_works(op->holder);
    return rc;
}
