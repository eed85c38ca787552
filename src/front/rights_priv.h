// SPDX-License-Identifier: MIT
/*
 * Who is on the other side, and what it may; peer.c and rights.c have the essays.
 */
#ifndef FRONT_RIGHTS_PRIV_H
#define FRONT_RIGHTS_PRIV_H

#include "front/session_priv.h"

/* peer.c */

struct peers;

/* ENOMEM. */
int peers_new(struct peers **out, const struct trust *trust, unsigned loops);
/* EAGAIN: no more threads. Takes NULL. */
int peers_start(struct peers *peers);
void peers_free(struct peers **peers);
/* At the end of a session's open: sees to session->view. It may pause the connection until that is
 * known; a peer that may nothing is answered, and closed. */
void peer_open(struct session *session);

/* rights.c */

/* Once, when session->view is known, before the first command. */
void rights_begin(struct session *session);
/* Another tube is used now. */
void rights_use(struct session *session);
/* Whether that command may be run; if not, it is answered. */
bool rights_ask(struct session *session, const struct command_args *args);
/* The same: who may that everywhere, as the daemon's own user may, isn't asked where. */
static inline bool rights_admit(struct session *session, const struct command_args *args)
{
    trust_rights need = commands[args->command].right;
    return (session->everywhere & need) == need || rights_ask(session, args);
}
/* Whether the peer may all of `need` in that tube, as for one that it names. */
bool rights_in(const struct session *session, const char *tube, size_t len, trust_rights need);
/* Whether jobs of that tube are commands: what is let in is marked (job_options, authorised). */
bool rights_guarded(const struct session *session, const struct tube *tube);
/* It was refused that: the log, and the counters. */
void rights_denied(struct session *session, trust_rights need, const char *tube, size_t len);

#endif
