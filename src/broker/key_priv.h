// SPDX-License-Identifier: MIT
/*
 * Keys, for the broker's own files: see key.c. HELD means with the lock.
 */
#ifndef BROKER_KEY_PRIV_H
#define BROKER_KEY_PRIV_H

#include "broker/broker.h"
#include "broker/held.h"

/* The job that has the key of this one, in its tube, or had it and is gone, as far as that is known
 * by a watch; 0: none has, or this one asks for none. */
uint64_t key_holder(const struct job *job) HELD;
/* The key is that job's, in that tube, unless somebody has it there. ENOMEM. */
int key_add(struct job *job, const struct broker_tube *tube) HELD;
/* If it is that job's. */
void key_remove(struct job *job, const struct broker_tube *tube) HELD;
/* Before that, if the job leaves a record: those who watch the key learn it. */
void key_leave_word(struct job *job, const struct broker_tube *tube) HELD;
/* Not held: before a put, who keeps records is asked for its key, so that key_holder knows.
 * *watch: to be ended when the put is over; may be NULL. ENOMEM. */
int key_ask(const struct job *job, struct key_watch **watch);
/* Nulls *watch. */
void key_unwatch(struct broker *broker, struct key_watch **watch) HELD;
/* Not held. */
void keys_free(struct broker *broker);

#endif
