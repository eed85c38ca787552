// SPDX-License-Identifier: MIT
/*
 * Who may do what with a job, for the broker's own files; ask.c has the essay.
 */
#ifndef BROKER_ASK_PRIV_H
#define BROKER_ASK_PRIV_H

#include "broker/state_priv.h"

/* ask.c */
/* Whether the asker may all of that with the job. EACCES; ENOENT: he may not see it. */
int job_ask(const struct trust_view *asker, const struct job *job, trust_rights need) HELD;

#endif
