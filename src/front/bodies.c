// SPDX-License-Identifier: MIT
/*
 * Answers with bodies: of reserve in all its forms, and of peek.
 *
 * Usually the bodies are in memory and the answer is written at once. Those that are in the journal
 * only are read back one after the other by the broker's thread "fetch"; the connection is paused
 * meanwhile. The jobs are reserved all the time. If the connection goes, its plain leases go back
 * with its client, and those under a token, which nobody knows yet, when the last read arrives.
 *
 * A body that is damaged: its job is buried with the reason, which is told to the log, and the
 * reserve goes on to the next job.
 */
#include "front/front_priv.h"
#include "front/pending_priv.h"
#include "front/reply_priv.h"
#include "front/reserve_priv.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>

#define BODIES_MAGIC 0xb0d1e508u

struct bodies {
    unsigned magic;
    struct pending pending;
    struct broker *broker;
    struct broker_fetch fetch;
    bool peek; /* of a job that nobody reserved: no lease but its id and body */
    enum bodies_form form;
    size_t at; /* the one that is being read */
    size_t count;
    struct broker_lease lease[];
};

static struct bodies *bodies_of(struct pending *pending)
{
    struct bodies *bodies = CONTAINER_OF(pending, struct bodies, pending);
    MAGIC_CHECK(bodies, BODIES_MAGIC);
    return bodies;
}

/* ---- the answer ---- */

static void leases_write(struct session *session, enum bodies_form form,
                         struct broker_lease *leases, size_t count)
{
    if (form == BODIES_TOKEN || form == BODIES_JOB_TOKEN) {
        reply_lease(session, "RESERVED_TOKEN", leases);
        return;
    }
    if (form == BODIES_BATCH)
        reply_number(session, "RESERVED_BATCH", count);
    for (size_t i = 0; i < count; i++)
        reply_job(session, "RESERVED", leases[i].id, &leases[i].body);
}

static size_t first_without(const struct broker_lease *leases, size_t count)
{
    size_t at = 0;
    while (at < count && leases[at].body != NULL)
        at++;
    return at;
}

/* The leases are over, their jobs ready again. */
static void leases_return(struct broker *broker, struct broker_lease *leases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        broker_return(broker, leases[i].id, leases[i].token);
        broker_lease_fini(&leases[i]);
    }
}

/* ---- reading ---- */

/* Any thread. */
static void bodies_fetched(struct later *later)
{
    pending_fire(&CONTAINER_OF(later, struct bodies, fetch.later)->pending);
}

static void bodies_release(struct pending *pending)
{
    struct bodies *bodies = bodies_of(pending);
    job_body_unref(&bodies->fetch.body);
    bool token = bodies->form == BODIES_TOKEN || bodies->form == BODIES_JOB_TOKEN;
    if (token && !bodies->peek)
        leases_return(bodies->broker, bodies->lease, bodies->count);
    for (size_t i = 0; i < bodies->count; i++)
        broker_lease_fini(&bodies->lease[i]);
    MAGIC_WIPE(bodies);
    free(bodies);
}

static void bodies_answer(struct session *session, struct pending *pending, int why);

/* NULL: no memory. */
static struct bodies *bodies_new(struct session *session, size_t count)
{
    struct bodies *bodies = calloc(1, sizeof(*bodies) + count * sizeof(bodies->lease[0]));
    if (bodies == NULL)
        return NULL;
    MAGIC_INIT(bodies, BODIES_MAGIC);
    bodies->broker = session->front->broker;
    return bodies;
}

/* Starts to read the next one; the answer is taken up again by bodies_answer. */
static void bodies_read(struct session *session, struct bodies *bodies, struct job_place *place)
{
    bodies->fetch = (struct broker_fetch){.later.fire = bodies_fetched, .place = *place};
    *place = (struct job_place){0};
    bodies->pending = (struct pending){
        .later = &bodies->fetch.later, .answer = bodies_answer, .release = bodies_release};
    pending_begin(session, &bodies->pending);
    pending_wait(session, &bodies->pending, CLOCK_NEVER);
    broker_fetch_start(&bodies->fetch);
}

/* That one is out of the answer. */
static void lease_leave(struct bodies *bodies, size_t at)
{
    broker_lease_fini(&bodies->lease[at]);
    bodies->count--;
    for (size_t i = at; i < bodies->count; i++)
        bodies->lease[i] = bodies->lease[i + 1];
    bodies->lease[bodies->count] = (struct broker_lease){0};
}

/* One was read, or not. */
static void lease_fetched(struct bodies *bodies)
{
    struct broker_lease *lease = &bodies->lease[bodies->at];
    if (bodies->fetch.later.result == 0) {
        lease->body = bodies->fetch.body;
        bodies->fetch.body = NULL;
        return;
    }
    if (bodies->fetch.later.result == ENOMEM) {
        leases_return(bodies->broker, lease, 1);
        lease_leave(bodies, bodies->at);
        return;
    }
    (void)broker_bury_damaged(bodies->broker, lease->id, lease->token);
    lease_leave(bodies, bodies->at);
}

/* Nothing is left to answer with. */
static void none_left(struct session *session, enum bodies_form form, int why)
{
    if (why == ENOMEM)
        reply_word(session, "OUT_OF_MEMORY\r\n");
    else if (form == BODIES_JOB || form == BODIES_JOB_TOKEN)
        reply_word(session, "NOT_FOUND\r\n");
    else
        reserve_restart(session);
}

static void peek_answer(struct session *session, struct bodies *bodies)
{
    if (bodies->fetch.later.result == 0)
        reply_job(session, "FOUND", bodies->lease[0].id, &bodies->fetch.body);
    else if (bodies->fetch.later.result == ENOMEM)
        reply_word(session, "OUT_OF_MEMORY\r\n");
    else
        reply_word(session, "INTERNAL_ERROR\r\n");
}

static void bodies_answer(struct session *session, struct pending *pending, int why)
{
    struct bodies *bodies = bodies_of(pending);
    (void)why; /* a read comes to its end */
    if (bodies->peek) {
        peek_answer(session, bodies);
        bodies_release(pending);
        return;
    }
    lease_fetched(bodies);
    size_t count = bodies->count;
    bodies->count = 0; /* the leases are handed on */
    if (count > 0)
        bodies_reply(session, bodies->form, bodies->lease, count);
    else
        none_left(session, bodies->form, bodies->fetch.later.result);
    bodies_release(pending);
}

void bodies_reply(struct session *session, enum bodies_form form, struct broker_lease *leases,
                  size_t count)
{
    size_t at = first_without(leases, count);
    if (at == count) {
        leases_write(session, form, leases, count);
        return;
    }
    struct bodies *bodies = bodies_new(session, count);
    if (bodies == NULL) {
        leases_return(session->front->broker, leases, count);
        reply_word(session, "OUT_OF_MEMORY\r\n");
        return;
    }
    bodies->form = form;
    bodies->at = at;
    bodies->count = count;
    for (size_t i = 0; i < count; i++)
        bodies->lease[i] = leases[i];
    bodies_read(session, bodies, &bodies->lease[at].place);
}

void bodies_reply_peek(struct session *session, uint64_t id)
{
    struct job_place place;
    if (broker_place_get(session->front->broker, &session->view, id, &place) != 0) {
        reply_word(session, "NOT_FOUND\r\n");
        return;
    }
    struct bodies *bodies = bodies_new(session, 1);
    if (bodies == NULL) {
        broker_place_drop(&place);
        reply_word(session, "OUT_OF_MEMORY\r\n");
        return;
    }
    bodies->peek = true;
    bodies->lease[0].id = id;
    bodies_read(session, bodies, &place);
}
