// SPDX-License-Identifier: MIT
/*
 * What is the daemon's own, for the broker's own files; ask.c has the essay.
 */
#ifndef BROKER_OWNER_PRIV_H
#define BROKER_OWNER_PRIV_H

#include "broker/state_priv.h"

/* Root and the daemon's own user. */
bool uid_is_owner(const struct broker *broker, uint32_t uid);
/* They, and the daemon itself. */
bool asker_is_owner(const struct broker *broker, const struct trust_view *asker);
/* To move it into that tube; likewise. */
int job_ask_move(const struct trust_view *asker, const struct job *job, const char *name,
                 size_t len) HELD;

#endif
