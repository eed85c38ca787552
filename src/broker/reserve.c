// SPDX-License-Identifier: MIT
/*
 * Reserve: how a client gets a job, at once or by waiting for it.
 *
 * A waiting client stands in the lines of the tubes it watches, among the consumers: who came first
 * is served first. Everything a match needs is made before it stands there (the side record that
 * the lease will be in, a promised slot in the heap of leases), because the match is made by
 * another thread, under the lock, and can't fail. From then on the job is the client's, whose
 * thread learns of it by the reserver's later and picks it up with broker_reserve_finish.
 *
 * The lease of a token is recorded, or there is none: where the journal is busy, the reserve stands
 * in the line of changes (line.c). A match for one who waits is made where nobody can be refused:
 * if there was no room then, finish tries again, and gives the job back if there still is none.
 * What the thread that hands a token out has to wait for is the ticket of its lease.
 *
 * "Deadline soon" is looked at before waiting and, by the client's timer, while waiting.
 */
#include "base/clock.h"
#include "broker/ask_priv.h"
#include "broker/client_priv.h"
#include "broker/consumer_priv.h"
#include "broker/lease_priv.h"
#include "broker/line_priv.h"
#include "broker/spare_priv.h"
#include "broker/verbs_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

HELD static void lease_of(struct broker_client *client, struct job *job, bool with_token)
{
    lease_begin(job, client_of_leases(client, with_token),
                with_token ? JOB_OUT_TOKEN : JOB_OUT_NOT);
}

/* ---- waiting ---- */

void reserver_given(struct queue_wait *wait, struct job *job)
{
    struct broker_client *client = CONTAINER_OF(wait, struct broker_reserver, wait)->client;
    MAGIC_CHECK(client, BROKER_CLIENT_MAGIC);
    reserver_unlined(client);
    if (job->extra == NULL) {
        job->extra = client->extra->spare;
        client->extra->spare = NULL;
    }
    lease_of(client, job, client->extra->with_token);
    client->extra->matched_id = job->id;
    client->extra->matched_token = job->extra->token;
}

bool reserver_cancel(struct later *later)
{
    struct broker_reserver *reserver = CONTAINER_OF(later, struct broker_reserver, wait.later);
    struct broker_client *client = reserver->client;
    MAGIC_CHECK(client, BROKER_CLIENT_MAGIC);
    broker_lock(client->broker);
    bool cancelled = queue_wait_cancel(&reserver->wait);
    if (cancelled) {
        reserver_unlined(client);
        client->extra->reserver = NULL;
    }
    broker_unlock(client->broker);
    return cancelled;
}

HELD static int links_room(struct broker_client *client)
{
    if (client->watch_count <= client->extra->link_cap)
        return 0;
    struct queue_link *links = calloc(client->watch_cap, sizeof(*links));
    if (links == NULL)
        return ENOMEM;
    if (client->extra->links != &client->extra->first_link)
        free(client->extra->links);
    client->extra->links = links;
    client->extra->link_cap = client->watch_cap;
    return 0;
}

/* Room was made in the heap of leases. */
HELD static int line_up(struct broker_client *client, struct broker_reserver *reserver,
                        bool with_token)
{
    int rc = links_room(client);
    if (rc != 0)
        return rc;
    heap_promise(&client_of_leases(client, with_token)->extra->leases);
    reserver->client = client;
    client->extra->reserver = reserver;
    client->extra->with_token = with_token;
    client->extra->matched_id = client->extra->matched_token = 0;
    queue_wait_get(&reserver->wait, client->watched, client->extra->links, client->watch_count);
    reserver->wait.later.cancel = reserver_cancel;
    prefetchers_ring(client->broker);
    client->broker->stats.waiting++;
    client_timer_update(client);
    return EINPROGRESS;
}

/* ---- standing in the line of changes ---- */

static struct broker_client *client_of(const struct later *later)
{
    struct broker_client *client = CONTAINER_OF(later, struct broker_reserver, wait.later)->client;
    MAGIC_CHECK(client, BROKER_CLIENT_MAGIC);
    return client;
}

bool reserver_line_cancel(struct later *later)
{
    struct broker_client *client = client_of(later);
    broker_lock(client->broker);
    bool cancelled = later->state == LATER_WAITS;
    if (cancelled) {
        line_leave_reserver(client->broker, later);
        client->extra->reserver = NULL;
    }
    broker_unlock(client->broker);
    return cancelled;
}

HELD static int reserver_stand(struct broker_client *client, struct broker_reserver *reserver)
{
    reserver->client = client;
    client->extra->reserver = reserver;
    client->extra->with_token = true;
    client->extra->matched_id = client->extra->matched_token = 0;
    queue_wait_line_up(&reserver->wait, reserver_line_cancel);
    line_stand_reserver(client->broker, &reserver->wait.later, &client->extra->stands_until_ns);
    return EINPROGRESS;
}

int64_t reserver_until(const struct later *later)
{
    return client_of(later)->extra->stands_until_ns;
}

void reserver_refused(struct later *later, int result)
{
    struct broker_client *client = client_of(later);
    line_leave_reserver(client->broker, later);
    queue_wait_line_up(CONTAINER_OF(later, struct queue_wait, later), reserver_line_cancel);
    queue_domain_ready(client->broker->ledger.domain, later, result);
}

/* ---- reserving ---- */

/* Room for one more lease. */
HELD static int lease_room(struct broker_client *client, bool with_token)
{
    uint64_t held_max = client->broker->options.held_max;
    if (held_max != 0 && !with_token && client->extra->leases.len >= held_max)
        return EDQUOT;
    if (client->extra->spare == NULL) {
        client->extra->spare = spare_take(client->broker);
        if (client->extra->spare == NULL)
            return ENOMEM;
    }
    return heap_reserve(&client_of_leases(client, with_token)->extra->leases, 1);
}

/* After lease_room. */
HELD static void reserve_job(struct broker_client *client, struct job *job, bool with_token)
{
    if (job->extra == NULL) {
        job->extra = client->extra->spare;
        client->extra->spare = NULL;
    }
    lease_of(client, job, with_token);
}

/* ETIME or ETIMEDOUT, when no job is ready. */
HELD static int why_not(const struct broker_client *client)
{
    const struct job *soonest = heap_first(&client->extra->leases);
    bool soon = soonest != NULL && soonest->extra->key_ns - BROKER_MARGIN_NS <= clock_now_ns();
    return soon ? ETIME : ETIMEDOUT;
}

/* *job: reserved now. */
HELD static int reserve_one(struct broker_client *client, bool with_token, struct job **job)
{
    int rc = lease_room(client, with_token);
    if (rc != 0)
        return rc;
    void *item;
    size_t which;
    rc = queue_core_take_any(client->watched, client->watch_count, &item, &which);
    if (rc != 0)
        return why_not(client); /* tubes are never shut down */
    rc = with_token ? store_admit(item) : 0;
    if (rc != 0) {
        tube_job_contain(item); /* where it was: nobody waits for it */
        return rc;
    }
    reserve_job(client, item, with_token);
    *job = item;
    return 0;
}

HELD static int reserve_now(struct broker_client *client, bool with_token,
                            struct broker_lease *lease)
{
    struct job *job;
    int rc = reserve_one(client, with_token, &job);
    if (rc == 0)
        lease_fill(job, lease);
    return rc;
}

/* It is a worker from now on. ENOMEM. */
HELD static int client_works(struct broker_client *client)
{
    if (!client->worker)
        client->broker->stats.workers++;
    client->worker = true;
    return client_extra_need(client);
}

HELD static bool may_wait(const struct broker_client *client)
{
    return client->extra->timeout_ns > 0 && client->extra->timeout_ns > clock_now_ns();
}

HELD static int reserve_or_wait(struct broker_client *client, struct broker_reserver *reserver,
                                bool with_token, struct broker_lease *lease)
{
    int rc = reserve_now(client, with_token, lease);
    if (rc == ETIMEDOUT && may_wait(client))
        rc = line_up(client, reserver, with_token);
    else if (rc == EAGAIN)
        rc = reserver_stand(client, reserver);
    return rc;
}

int reserver_again(struct later *later)
{
    struct broker_client *client = client_of(later);
    struct broker *broker = client->broker;
    struct broker_reserver *reserver = client->extra->reserver;
    struct job *job;
    int rc = reserve_one(client, true, &job);
    if (rc == EAGAIN)
        return rc;
    line_leave_reserver(broker, later);
    if (rc == ETIMEDOUT && may_wait(client))
        rc = line_up(client, reserver, true);
    if (rc == EINPROGRESS)
        return rc;
    if (rc == 0) {
        client->extra->matched_id = job->id;
        client->extra->matched_token = job->extra->token;
    }
    queue_wait_line_up(&reserver->wait, reserver_line_cancel);
    queue_domain_ready(broker->ledger.domain, later, rc);
    return rc;
}

/* Behind those who stand. */
HELD static int reserve_first(struct broker_client *client, struct broker_reserver *reserver,
                              bool with_token, struct broker_lease *lease)
{
    struct broker *broker = client->broker;
    bool behind = with_token && broker->standing > 0;
    if (behind)
        store_turn(broker->ledger.store, STORE_TURN_FIRST);
    int rc = reserve_or_wait(client, reserver, with_token, lease);
    if (behind)
        store_turn(broker->ledger.store, STORE_TURN_NONE);
    return rc;
}

int broker_reserve(struct broker_client *client, struct broker_reserver *reserver,
                   int64_t timeout_ns, unsigned flags, struct broker_lease *lease)
{
    MAGIC_CHECK(client, BROKER_CLIENT_MAGIC);
    ASSERT(!broker_is_reserving(client));
    struct broker *broker = client->broker;
    broker_lock(broker);
    broker_tell(broker, &client->ticket);
    int rc = client_works(client);
    if (rc == 0) {
        client->extra->timeout_ns = timeout_ns <= 0 ? 0 : clock_deadline(timeout_ns);
        client->extra->stands_until_ns = 0;
        rc = reserve_first(client, reserver, (flags & BROKER_WITH_TOKEN) != 0, lease);
    }
    bool stands = rc == EINPROGRESS && reserver->wait.later.cancel == reserver_line_cancel;
    broker_unlock(broker);
    if (stands)
        store_want_room(broker->ledger.store);
    return rc;
}

/* The job that was matched, if its lease is still in force. */
HELD static struct job *matched_job(struct broker_client *client)
{
    struct job *job = idtable_get(&client->broker->ledger.jobs, client->extra->matched_id);
    bool mine = job != NULL && job->state == JOB_RESERVED &&
                job->extra->token == client->extra->matched_token;
    return mine ? job : NULL;
}

/* The lease that was matched, recorded now if it wasn't: it begins anew then. ENOSPC, EIO,
 * ENOMEM, EAGAIN: there is no room for that yet, and the job is free again. */
HELD static int matched_need(struct broker_client *client, struct job *job)
{
    if (!client->extra->with_token || job->extra->out == JOB_OUT_TOKEN)
        return 0;
    int rc = store_admit(job);
    lease_end(job);
    if (rc == 0)
        lease_of(client, job, true);
    else
        lease_give_back(job);
    return rc;
}

/* What was matched, if it is still there; or all over again. */
HELD static int matched_take(struct broker_client *client, struct broker_reserver *reserver,
                             struct broker_lease *lease)
{
    struct job *job = matched_job(client);
    client->extra->matched_id = client->extra->matched_token = 0;
    if (job == NULL)
        return reserve_or_wait(client, reserver, client->extra->with_token, lease);
    int rc = matched_need(client, job);
    if (rc != 0)
        return rc == EAGAIN ? reserver_stand(client, reserver) : rc;
    if (job->extra->out == JOB_OUT_TOKEN && job_is_logged(job))
        store_told(client->broker->ledger.store, job->tube->durability, job->extra->ticket);
    lease_fill(job, lease);
    return 0;
}

int broker_reserve_finish(struct broker_client *client, struct broker_lease *lease)
{
    MAGIC_CHECK(client, BROKER_CLIENT_MAGIC);
    struct broker *broker = client->broker;
    ASSERT(broker_is_reserving(client));
    struct broker_reserver *reserver = client->extra->reserver;
    broker_lock(broker);
    broker_tell(broker, &client->ticket);
    ASSERT(reserver->wait.later.state == LATER_READY);
    int rc = reserver->wait.later.result;
    client->extra->reserver = NULL;
    if (rc == 0)
        rc = matched_take(client, reserver, lease);
    bool stands = rc == EINPROGRESS && reserver->wait.later.cancel == reserver_line_cancel;
    broker_unlock(broker);
    if (stands)
        store_want_room(broker->ledger.store);
    return rc;
}

int broker_reserve_batch(struct broker_client *client, size_t max, unsigned flags,
                         struct broker_lease *leases, size_t *count)
{
    MAGIC_CHECK(client, BROKER_CLIENT_MAGIC);
    struct broker *broker = client->broker;
    size_t got = 0;
    broker_lock(broker);
    broker_tell(broker, &client->ticket);
    int rc = client_works(client);
    while (got < max && rc == 0) {
        rc = reserve_now(client, (flags & BROKER_WITH_TOKEN) != 0, &leases[got]);
        if (rc != 0)
            break;
        if (++got % BROKER_SLICE_MAX == 0) {
            broker_unlock(broker);
            broker_lock(broker);
            broker_tell(broker, &client->ticket);
        }
    }
    broker_unlock(broker);
    *count = got;
    return got > 0 ? 0 : rc;
}

HELD static int reserve_by_id(struct broker *broker, const struct broker_op *op)
{
    struct broker_client *client = op->client;
    bool with_token = (op->flags & OP_TOKEN) != 0;
    struct job *job = idtable_get(&broker->ledger.jobs, op->id);
    int rc = job != NULL ? job_ask(op->asker, job, TRUST_work) : ENOENT;
    if (rc == 0 && job->state == JOB_RESERVED)
        rc = ENOENT;
    if (rc == 0)
        rc = lease_room(client, with_token);
    if (rc == 0 && job->state == JOB_BURIED)
        rc = tube_room(job->tube, JOB_READY); /* for its way back */
    if (rc == 0 && (with_token || job->state == JOB_BURIED))
        rc = store_admit(job); /* a buried one is unfinished again, which must be recorded */
    if (rc != 0)
        return rc;
    reserve_job(client, job, with_token);
    lease_fill(job, op->lease);
    return 0;
}

int decide_reserve_job(struct broker *broker, struct broker_op *op)
{
    int rc = client_extra_need(op->client);
    if (rc == 0)
        rc = reserve_by_id(broker, op);
    if (rc == 0) /* else, as in beanstalkd, it made nobody a worker */
        rc = client_works(op->client);
    return rc;
}
