// SPDX-License-Identifier: MIT
/*
 * Reserving, in its forms, and answers with the bodies of what was reserved.
 */
#ifndef FRONT_RESERVE_PRIV_H
#define FRONT_RESERVE_PRIV_H

#include "front/session_priv.h"

/* cmd_reserve.c and the families that reserve in other forms */

#define FRONT_BATCH_MAX 1000 /* jobs of one reserve-batch */

enum reserve_form { RESERVE_PLAIN, RESERVE_TOKEN, RESERVE_BATCH };

/* Answers now, or pauses the connection until it can. `most`: jobs of a RESERVE_BATCH, 1 and up. */
void reserve_start(struct session *session, int64_t timeout_ns, enum reserve_form form,
                   uint32_t most);
/* The word for a reserve that got nothing. */
void reserve_refuse(struct session *session, int rc);
/* Answers with that job and up to `most` - 1 more that are ready now. */
void batch_reply(struct session *session, uint32_t most, struct broker_lease *first);
/* Reserves again what was asked for, when the jobs that were got turned out to be damaged. */
void reserve_restart(struct session *session);
/* What it kept for its next wait. */
void reserve_free(struct session *session);

/* bodies.c: answers with bodies, which may have to be read back first */

enum bodies_form { BODIES_PLAIN, BODIES_TOKEN, BODIES_BATCH, BODIES_JOB, BODIES_JOB_TOKEN };

/*
 * Answers with these leases, of which there is one unless it is a batch, now or, if bodies are in
 * the journal only, later; takes them over, but not the array's memory. A job whose body is damaged
 * is buried; if none is left, JOB forms answer NOT_FOUND, others reserve again.
 */
void bodies_reply(struct session *session, enum bodies_form form, struct broker_lease *leases,
                  size_t count);
/* "FOUND ..." for a job that a peek found without its body; NOT_FOUND if it is gone meanwhile,
 * INTERNAL_ERROR if it can't be read. */
void bodies_reply_peek(struct session *session, uint64_t id);

#endif
