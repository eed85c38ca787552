// SPDX-License-Identifier: MIT
/*
 * Groups, and what they count. Part of ledger.h; group.c has the essay.
 */
#ifndef LEDGER_GROUP_H
#define LEDGER_GROUP_H

#include "ledger/state.h"

struct job_group {
    unsigned magic;
    struct ledger *ledger;
    struct queue_core core;         /* has no items: counts unfinished jobs and has the joiners */
    struct job_group_counts counts; /* of all its jobs */
    struct job_group_counts kept;   /* of those that are in the journal, which says these */
    uint64_t refs;                  /* jobs, joiners */
    struct list_node node;          /* ledger->group_list */
    struct list_node idle;          /* ledger->idle_groups */
    int64_t idle_ns;                /* since when */
    uint64_t number;                /* of its GROUP entry; 0: there is none */
    size_t name_len;
    uint32_t submitter; /* with the name it is the key of ledger->groups */
    char name[];
};

struct job_group *group_find(struct ledger *ledger, uint32_t submitter, const char *name,
                             size_t len) HELD;
/* Makes it if there is none. ENOMEM. */
int group_need(struct ledger *ledger, uint32_t submitter, const char *name, size_t len,
               struct job_group **out) HELD;
/* Whether the job is one of it. */
bool group_has(const struct job_group *group, const struct job *job) HELD;
void group_ref(struct job_group *group) HELD;
void group_unref(struct job_group *group) HELD;
/* It has neither jobs nor joiners. */
void group_vanish(struct job_group *group) HELD;
/* Not held. */
void groups_free(struct ledger *ledger);
/* The job's; NULL: none, or not made yet. Most jobs have none, and ask at each step. */
struct job_group *group_named(const struct job *job) HELD;
HELD static inline struct job_group *group_of(const struct job *job)
{
    return job->extra == NULL || job->extra->options == NULL ? NULL : group_named(job);
}
/* The functions with a job do nothing for one without a group. Its group is there. ENOMEM. */
int group_admit(struct job *job) HELD;
/* The job has come, and goes. */
void group_enter(struct job *job) HELD;
void group_leave(struct job *job) HELD;
void group_open_task(struct job *job) HELD;
void group_close_task(struct job *job) HELD;
void group_count(struct job_group_counts *counts, enum job_fate_count count) HELD;
static inline enum job_fate_count group_count_of(enum job_outcome_kind kind)
{
    switch (kind) {
    case JOB_OUTCOME_DONE:
        return JOB_COUNT_DONE;
    case JOB_OUTCOME_DELETED:
        return JOB_COUNT_DELETED;
    case JOB_OUTCOME_CANCELLED:
        return JOB_COUNT_CANCELLED;
    default:
        return JOB_COUNT_FAILED;
    }
}
/* The same for a job's; logged: the journal is told, too. */
void group_tell(const struct job *job, enum job_fate_count count, bool logged) HELD;

#endif
