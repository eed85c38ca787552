// SPDX-License-Identifier: MIT
/*
 * Reading one answer of beanstalkd's protocol, and what other protocols' readers have in common
 * with it; see answer.c.
 */
#ifndef LOAD_ANSWER_PRIV_H
#define LOAD_ANSWER_PRIV_H

#include "load/crew.h"

/* Reads the answer to `sent` at the beginning of `text`. Returns its length, or 0 if more has to
 * come. An answer that the command can't get ends the run. */
size_t answer_read(const struct sent *sent, const char *text, size_t len, size_t max_body,
                   struct reply *reply);

/* The verb, for messages. */
const char *ask_verb(enum ask ask);

/* The length of the line at the beginning of `text`, with its CR LF; 0 if more has to come. One
 * that is endless or has no CR ends the run, saying that `expected` was. */
size_t answer_line(enum ask ask, const char *text, size_t len, const char *expected);

/* A body of `size` bytes and its CR LF behind that line, into the reply, whose number must be set.
 * Returns the length of all, or 0 if more has to come. */
size_t answer_body(const char *text, size_t len, size_t line, uint64_t size, size_t max_body,
                   struct reply *reply);

/* A number that ends with `end`; returns what is behind that, or NULL. */
const char *answer_number(const char *at, char end, uint64_t *number);

/* Ends the run: this is no answer to that. */
_Noreturn void answer_misfit(enum ask ask, const char *text, size_t len, const char *expected);

#endif
