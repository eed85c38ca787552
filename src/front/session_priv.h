// SPDX-License-Identifier: MIT
/*
 * The session makes calls of events. All commands are about it; the other private headers have a
 * theme each.
 */
#ifndef FRONT_SESSION_PRIV_H
#define FRONT_SESSION_PRIV_H

#include "base/magic.h"
#include "front/parser_priv.h"

#define SESSION_MAGIC 0x5e551003u

struct pending_call;
struct pending_submit;
struct pending_reserve;
struct pending;
struct batch;
struct batch_rest;
struct task;

/* The body's bytes in memory for `size` of them, those that there are kept; NULL: no memory, they
 * are where they were. */
typedef char *incoming_grow(struct session *session, size_t size);

/* A body that comes in parts (incoming.c). */
struct incoming {
    size_t len;  /* 0: none */
    size_t have; /* bytes of it that there is memory for */
    incoming_grow *grow;
    void (*done)(struct session *session);
};

struct session {
    unsigned magic;
    struct front *front;
    struct conn *conn;
    struct parser parser;
    struct tube *used;
    struct broker_client client;     /* what it watches, and the jobs it has reserved */
    struct pending_reserve *reserve; /* kept for its next wait; NULL: none was needed yet */
    struct pending *pending;         /* what it waits for; NULL: nothing */
    struct task *task;               /* what it does in several turns, NULL: nothing */
    struct batch *batch;             /* during session_input */
    struct batch_rest *rest;         /* what stood behind an operation that waits; NULL: nothing */
    struct ticket told;              /* to be reached before the answers of this turn go out */
    size_t behind;                   /* bytes of the input behind the event that is handled */
    /* while a body comes: */
    void (*body_done)(struct session *session);
    struct incoming incoming;
    struct job_body *body; /* of a put */
    struct broker_put_spec put;
    bool put_elsewhere;            /* put.tube is this put's own hold */
    struct pending_submit *submit; /* of a submit, while head and body come */
    struct pending_call *call;     /* of a call, until its answer is waited for */
    struct trust_view view;        /* what its peer may; whose, is known before the first command */
    trust_rights everywhere;       /* of these, what it may in every tube */
    trust_rights in_used;          /* and in the used one */
    const char *refusal;           /* the reply to a command whose body is skipped */
};

/* gate.c: answers that wait for the journal. */
/* An answer of this turn has to wait for that. */
static inline void session_tells(struct session *session, const struct ticket *ticket)
{
    ticket_add(&session->told, ticket);
}
/* At the end of a turn: for all that it tells of, and what its client has reserved. */
void session_hold(struct session *session);
/* For what was answered out of turn. */
void session_hold_until(struct session *session, const struct ticket *ticket);

/* The body that follows goes to `memory`, then `done` is called. */
void session_body(struct session *session, void *memory, size_t len,
                  void (*done)(struct session *session));
/* The same for bytes with no line end behind them, but the body. */
void session_part(struct session *session, void *memory, size_t len,
                  void (*done)(struct session *session));
/* The body that follows is skipped with its line end, then `done` is called. */
void session_skip_body(struct session *session, size_t len, void (*done)(struct session *session));
/* The body that follows is skipped, then answered with `reply` (static, with CR LF). */
void session_refuse_body(struct session *session, size_t len, const char *reply);

/* The body of a put or a call won't come whole: what waits for it is dropped. */
void session_abandon_body(struct session *session);

#endif
