// SPDX-License-Identifier: MIT
/*
 * Reading one answer; see answer.c.
 */
#ifndef LOAD_ANSWER_PRIV_H
#define LOAD_ANSWER_PRIV_H

#include "load/crew.h"

/* Reads the answer to `ask` at the beginning of `text`. Returns its length, or 0 if more has to
 * come. An answer that the command can't get ends the run. */
size_t answer_read(enum ask ask, const char *text, size_t len, size_t max_body,
                   struct reply *reply);

/* The verb, for messages. */
const char *ask_verb(enum ask ask);

#endif
