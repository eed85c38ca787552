// SPDX-License-Identifier: MIT
/*
 * Puts, submits and calls whose session ends, or whose body doesn't come.
 */
#ifndef FRONT_PUT_PRIV_H
#define FRONT_PUT_PRIV_H

#include "front/session_priv.h"

/* A put whose body hasn't come whole takes its id now, as it does in beanstalkd. */
void put_take_id(struct session *session);
/* The body of session->put comes next. */
void put_body(struct session *session, size_t len);
void submit_abandon(struct session *session);
/* Answers a submit whose body was read, and ends it. */
void submit_refuse(struct session *session, int error, const char *why);
/* Whether there was no room for it, which is answered then. */
bool submit_no_room(struct session *session, int error);
void put_abandon(struct session *session);
void call_abandon(struct session *session);

#endif
