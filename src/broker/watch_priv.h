// SPDX-License-Identifier: MIT
/*
 * Watches: who is told of each change, for the broker's own files.
 *
 * make_X tells a change when it was carried out, and before anybody is given the job: what follows
 * from it is the next change. Nobody watches as a rule, and then a change costs one test of a word
 * (broker->observed). What isn't recorded is told, too, as a change that has no entry: time that is
 * over, a lease that is given back and counts as nothing.
 */
#ifndef BROKER_WATCH_PRIV_H
#define BROKER_WATCH_PRIV_H

#include "broker/state_priv.h"

/* A type of change beside those of entries: a delay is over. */
#define CHANGE_TYPE_DUE 31

#define WATCH_TYPE(type) (UINT32_C(1) << (type))
#define WATCH_ALL UINT32_MAX

/* Memory is the watcher's. */
struct change_watch {
    uint32_t types; /* WATCH_TYPE bits of enum job_entry_type, and of CHANGE_TYPE_DUE */
    /* With the lock held: short, calls nothing that changes anything. The job and its tube are as
     * they are after the change; of a MOVE change->tube is the old one, of a PAUSE the tube as it
     * was. */
    void (*change)(struct change_watch *watch, const struct change *change);
    struct list_node node; /* broker->watches */
};

void change_watch(struct broker *broker, struct change_watch *watch) HELD;
/* Not watching: nothing happens. */
void change_unwatch(struct broker *broker, struct change_watch *watch) HELD;

void watch_tell(struct broker *broker, const struct change *change) __attribute__((cold)) HELD;
HELD static inline void change_observe(struct broker *broker, const struct change *change)
{
    if (__builtin_expect(broker->observed != 0, 0))
        watch_tell(broker, change);
}
/* A reserved job becomes ready, and that counts as nothing; a delay is over. */
void watch_tell_back(struct job *job) __attribute__((cold)) HELD;
void watch_tell_due(struct job *job) __attribute__((cold)) HELD;
/* A pause is over. */
void watch_tell_resume(struct tube *tube) __attribute__((cold)) HELD;

#endif
