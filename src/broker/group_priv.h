// SPDX-License-Identifier: MIT
/*
 * Groups, for the broker's own files; group.c has the essay.
 */
#ifndef BROKER_GROUP_PRIV_H
#define BROKER_GROUP_PRIV_H

#include "base/list.h"
#include "broker/broker.h"
#include "broker/held.h"

struct broker_group {
    unsigned magic;
    struct broker *broker;
    struct queue_core core;         /* has no items: counts unfinished jobs and has the joiners */
    struct job_group_counts counts; /* of all its jobs */
    struct job_group_counts kept;   /* of those that are in the journal, which says these */
    uint64_t refs;                  /* jobs, joiners */
    struct list_node node;          /* broker->group_list */
    struct list_node idle;          /* broker->idle_groups */
    int64_t idle_ns;                /* since when */
    uint64_t number;                /* of its GROUP entry; 0: there is none */
    size_t name_len;
    uint32_t submitter; /* with the name it is the key of broker->groups */
    char name[];
};

/* */

struct broker_group *group_find(struct broker *broker, uint32_t submitter, const char *name,
                                size_t len) HELD;
/* As the asker says it (broker_join_group_async). NULL: none. */
struct broker_group *group_said(struct broker *broker, const struct trust_view *asker,
                                const char *text) HELD;
/* The same for one that needn't be there: its submitter, and its name, which points into `text`. */
const char *group_said_key(struct broker *broker, const struct trust_view *asker, const char *text,
                           uint32_t *submitter) HELD;
/* Makes it if there is none. ENOMEM. */
int group_need(struct broker *broker, uint32_t submitter, const char *name, size_t len,
               struct broker_group **out) HELD;
/* Whether the job is one of it. */
bool group_has(const struct broker_group *group, const struct job *job) HELD;
void group_ref(struct broker_group *group) HELD;
void group_unref(struct broker_group *group) HELD;
/* Not held. */
void groups_free(struct broker *broker);
/* The functions with a job do nothing for one without a group. Its group is there. ENOMEM. */
int group_admit(struct job *job) HELD;
/* The same for a new job: EDQUOT, see broker/op.h. */
int group_admit_put(struct job *job) HELD;
/* Forgets up to `most` of those without jobs and joiners, the oldest first, as far as there are
 * groups_max and more. */
void groups_trim(struct broker *broker, size_t most) HELD;
/* The job has come, and goes. */
void group_enter(struct job *job) HELD;
void group_leave(struct job *job) HELD;
void group_open_task(struct job *job) HELD;
void group_close_task(struct job *job) HELD;
void group_count(struct job_group_counts *counts, enum job_fate_count count) HELD;
/* The same for a job's; logged: the journal is told, too. */
void group_tell(const struct job *job, enum job_fate_count count, bool logged) HELD;
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
/* The job's; NULL: none. */
struct broker_group *group_to_log(const struct job *job) HELD;
struct broker_totals group_totals(const struct broker_group *group) HELD;

#endif
