// SPDX-License-Identifier: MIT
/*
 * Groups: jobs of any tubes that are joined together.
 *
 * A group is its submitter's, so what one user calls a group is no matter of another's; all whom
 * nobody knows are one submitter. It is made by the first job that names it and counts as a tube
 * does: how many of its jobs are unfinished (in a queue core of its own, which has the joiners,
 * too), and how the others ended. A job that was buried counts as failed until it is kicked. Once
 * it has neither jobs nor joiners it is idle, and goes when who stands above says so.
 *
 * In the journal: a GROUP entry with the counts as they are, written when the group is made or when
 * a job that is buried already comes into the journal, and copied by compaction as pauses are; and
 * behind it, in the entries that end a job or bring it back (DELETE, BURY, KICK, LEASE), what that
 * is to the group, by submitter and name. So the counts are exact at each point of the journal and
 * need no entry of their own. Where the changes of a job vanish because it ends before they are
 * written, those that count here stay (journal/commit.h). An entry that counts is dead with its
 * segment, for the GROUP entry before it was in that segment or an older one and has been copied:
 * with later counts.
 *
 * Counts of jobs that aren't in the journal end with the daemon, as the jobs do: so a group has two
 * sets of them, and the journal has those of jobs that are in it.
 */
#include "ledger/group.h"

#include "base/clock.h"
#include "base/magic.h"
#include "ledger/tube.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define JOB_GROUP_MAGIC 0xb40ce470u

static const char *name_of(const struct job *job)
{
    const struct job_options *options = job->extra != NULL ? job->extra->options : NULL;
    return options != NULL && options->group[0] != '\0' ? options->group : NULL;
}

/* The key of a group stands in it as it is. */
_Static_assert(offsetof(struct job_group, name) ==
                   offsetof(struct job_group, submitter) + sizeof(uint32_t),
               "a group's name follows its submitter");

static const char *key_of(const struct job_group *group)
{
    return (const char *)&group->submitter;
}

struct job_group *group_find(struct ledger *ledger, uint32_t submitter, const char *name,
                             size_t len)
{
    char key[sizeof(submitter) + JOB_TEXT_MAX];
    if (len > JOB_TEXT_MAX)
        return NULL;
    memcpy(key, &submitter, sizeof(submitter));
    memcpy(key + sizeof(submitter), name, len);
    return strmap_get(&ledger->groups, key, sizeof(submitter) + len);
}

struct job_group *group_named(const struct job *job)
{
    const char *name = name_of(job);
    return name != NULL ? group_find(job->tube->ledger, submitter_of(job), name, strlen(name))
                        : NULL;
}

bool group_has(const struct job_group *group, const struct job *job)
{
    const char *name = name_of(job);
    return name != NULL && submitter_of(job) == group->submitter && strcmp(name, group->name) == 0;
}

int group_need(struct ledger *ledger, uint32_t submitter, const char *name, size_t len,
               struct job_group **out)
{
    struct job_group *group = group_find(ledger, submitter, name, len);
    *out = group;
    if (group != NULL)
        return 0;
    group = calloc(1, sizeof(*group) + len + 1);
    if (group == NULL)
        return ENOMEM;
    memcpy(group->name, name, len);
    group->name_len = len;
    group->submitter = submitter;
    int rc = strmap_put(&ledger->groups, key_of(group), sizeof(submitter) + len, group);
    if (rc != 0) {
        free(group);
        return rc;
    }
    MAGIC_INIT(group, JOB_GROUP_MAGIC);
    group->ledger = ledger;
    queue_core_init(&group->core, ledger->domain,
                    &(struct queue_core_options){.name = group->name});
    list_node_init(&group->idle);
    list_node_init(&group->node);
    list_append(&ledger->group_list, &group->node);
    group->idle_ns = clock_now_ns();
    list_append(&ledger->idle_groups, &group->idle);
    *out = group;
    return 0;
}

void group_vanish(struct job_group *group)
{
    ASSERT(group->refs == 0 && group->core.unfinished == 0);
    list_remove(&group->idle);
    list_remove(&group->node);
    strmap_remove(&group->ledger->groups, key_of(group),
                  sizeof(group->submitter) + group->name_len);
    queue_core_fini(&group->core);
    MAGIC_WIPE(group);
    free(group);
}

void group_ref(struct job_group *group)
{
    MAGIC_CHECK(group, JOB_GROUP_MAGIC);
    if (group->refs++ == 0)
        list_remove(&group->idle);
}

void group_unref(struct job_group *group)
{
    MAGIC_CHECK(group, JOB_GROUP_MAGIC);
    ASSERT(group->refs > 0);
    if (--group->refs > 0)
        return;
    group->idle_ns = clock_now_ns();
    list_append(&group->ledger->idle_groups, &group->idle);
}

void groups_free(struct ledger *ledger)
{
    size_t cursor = 0;
    struct job_group *group;
    while ((group = strmap_next(&ledger->groups, &cursor)) != NULL) {
        queue_core_fini(&group->core);
        MAGIC_WIPE(group);
        free(group);
    }
    strmap_fini(&ledger->groups);
}

/* ---- its jobs ---- */

int group_admit(struct job *job)
{
    const char *name = name_of(job);
    struct job_group *group;
    return name != NULL
               ? group_need(job->tube->ledger, submitter_of(job), name, strlen(name), &group)
               : 0;
}

void group_enter(struct job *job)
{
    struct job_group *group = group_of(job);
    if (group != NULL)
        group_ref(group);
}

void group_leave(struct job *job)
{
    struct job_group *group = group_of(job);
    if (group != NULL)
        group_unref(group);
}

void group_open_task(struct job *job)
{
    struct job_group *group = group_of(job);
    if (group != NULL)
        queue_core_open_task(&group->core);
}

void group_close_task(struct job *job)
{
    struct job_group *group = group_of(job);
    if (group != NULL)
        MUST(queue_core_close_task(&group->core));
}

/* What is written must be one that can be read. */
static void count_add(uint64_t *count)
{
    *count += *count < JOB_COUNT_MAX;
}

void group_count(struct job_group_counts *counts, enum job_fate_count count)
{
    switch (count) {
    case JOB_COUNT_NONE:
        break;
    case JOB_COUNT_DONE:
        count_add(&counts->done);
        break;
    case JOB_COUNT_FAILED:
        count_add(&counts->failed);
        break;
    case JOB_COUNT_DELETED:
        count_add(&counts->deleted);
        break;
    case JOB_COUNT_CANCELLED:
        count_add(&counts->cancelled);
        break;
    case JOB_COUNT_REOPENED:
        counts->failed -= counts->failed > 0; /* after damage there may be none */
        break;
    }
}

void group_tell(const struct job *job, enum job_fate_count count, bool logged)
{
    struct job_group *group = count != JOB_COUNT_NONE ? group_of(job) : NULL;
    if (group == NULL)
        return;
    group_count(&group->counts, count);
    if (logged)
        group_count(&group->kept, count);
}
