// SPDX-License-Identifier: MIT
/*
 * Puts, for the broker's own files: whether there is room, who waits for it, and keys.
 */
#ifndef BROKER_PUT_PRIV_H
#define BROKER_PUT_PRIV_H

#include "broker/state_priv.h"

/* put.c */
/* Puts it. If that fails, nothing has changed but an id that is used up while draining. */
int put_try(struct broker *broker, struct job *job, int64_t delay_ns) HELD;

/* put_line.c */
/* A job left the tube: those who wait for room come in. */
void waiting_puts_serve(struct tube *tube) HELD;
/* All waiting puts end with that result. */
void waiting_puts_refuse(struct broker *broker, int result) HELD;

/* key_watch.c */
/* The job that has the key of this one, in its tube, or had it and is gone, as far as that is known
 * by a watch; 0: none has, or this one asks for none. */
uint64_t key_owner(const struct job *job) HELD;
/* Before that job leaves a record: those who watch the key learn it. */
void key_leave_word(struct job *job, const struct tube *tube) HELD;
/* Not held: before a put. *watch: to be ended when the put is over; may be NULL. 0: nobody needs to
 * be asked for its key. EINPROGRESS: key_ask is to be called, and then key_learn, once; the tube
 * stays until then. ENOMEM. */
int key_watch_first(const struct job *job, struct key_watch **watch);
/* Not held: asks who keeps records, as broker_key_ask. After EINPROGRESS the job must stay until
 * the question's later fires. */
int key_ask(const struct job *job, struct broker_key_question *question);
/* The answer; 0 also when it won't be asked (any more). The tube may be gone then. */
void key_learn(const struct job *job, struct key_watch *watch, uint64_t id) HELD;
/* Nulls *watch. */
void key_unwatch(struct broker *broker, struct key_watch **watch) HELD;

#endif
