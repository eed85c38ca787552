// SPDX-License-Identifier: MIT
/*
 * Where the broker's tickets meet the connections' gate: the answers of a turn wait for the highest
 * ticket of what its commands changed.
 *
 * A session collects the tickets of its commands and asks at the end of its turn, and where it
 * answers later, once for all it has done.
 */
#include "front/session_priv.h"

enum { LINE_WRITTEN, LINE_DURABLE };
_Static_assert(LINE_DURABLE < NET_GATE_LINES, "the gate has a line for each kind of ticket");

void session_hold_until(struct session *session, const struct ticket *ticket)
{
    if (ticket_is_none(ticket))
        return;
    const struct net_mark mark = {
        .line = {[LINE_WRITTEN] = ticket->written, [LINE_DURABLE] = ticket->durable}};
    conn_hold_until(session->conn, &mark);
}

void session_hold(struct session *session)
{
    struct ticket ticket = session->told;
    ticket_add(&ticket, &session->client.ticket);
    session->told = session->client.ticket = (struct ticket){0};
    session_hold_until(session, &ticket);
}

static int gate_reached(struct net_mark *mark, void *arg)
{
    struct ticket reached;
    int rc = broker_ticket_reached(arg, &reached);
    mark->line[LINE_WRITTEN] = reached.written;
    mark->line[LINE_DURABLE] = reached.durable;
    return rc;
}

static bool gate_turn_end(const struct net_turn *turn, void *arg)
{
    const struct ticket ticket = {.written = turn->mark.line[LINE_WRITTEN],
                                  .durable = turn->mark.line[LINE_DURABLE]};
    if (!turn->bystander)
        return broker_lead(arg, &ticket, turn->more);
    broker_lead_elsewhere(arg, &ticket);
    return true;
}

const struct net_gate front_gate = {.reached = gate_reached, .turn_end = gate_turn_end};
