// SPDX-License-Identifier: MIT
/*
 * What each verb does (verbs.def), for the broker's own files: called by op.c with the lock.
 * EAGAIN: it has to stand in line; op->line says where, NULL: in a line of the journal.
 */
#ifndef BROKER_VERBS_PRIV_H
#define BROKER_VERBS_PRIV_H

#include "broker/state_priv.h"

#define BROKER_VERB(NAME, name, line, what)                                                        \
    int decide_##name(struct broker *broker, struct broker_op *op) HELD;
#include "broker/verbs.def"
#undef BROKER_VERB

#endif
