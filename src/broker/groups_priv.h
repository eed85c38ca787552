// SPDX-License-Identifier: MIT
/*
 * Groups as askers have them, for the broker's own files; groups.c has the essay.
 */
#ifndef BROKER_GROUPS_PRIV_H
#define BROKER_GROUPS_PRIV_H

#include "broker/state_priv.h"

/* As the asker says it (broker_join_group_async). NULL: none. */
struct job_group *group_said(struct broker *broker, const struct trust_view *asker,
                             const char *text) HELD;
/* The same for one that needn't be there: its submitter, and its name, which points into `text`. */
const char *group_said_key(struct broker *broker, const struct trust_view *asker, const char *text,
                           uint32_t *submitter) HELD;
/* As group_admit for a new job: EDQUOT, see broker/op.h. */
int group_admit_put(struct job *job) HELD;
/* Forgets up to `most` of those without jobs and joiners, the oldest first, as far as there are
 * groups_max and more. */
void groups_trim(struct broker *broker, size_t most) HELD;
struct broker_totals group_totals(const struct job_group *group) HELD;

#endif
