// SPDX-License-Identifier: MIT
/*
 * Where the put of each job is in the journal: a table by id beside that of the jobs, and only
 * where there is a journal, so that a job in memory doesn't pay for it.
 *
 * An entry is made with the job, before anything changes, and goes with it; setting it never fails.
 */
#include "broker/broker_priv.h"

#include <errno.h>

/* Stands for 0, which a table can't hold: no locator and no ticket is so high. */
#define NOT_LOGGED ((void *)UINTPTR_MAX)

int job_table_add(struct broker *broker, struct job *job)
{
    int rc = broker->log == NULL ? 0 : idtable_put(&broker->wheres, job->id, NOT_LOGGED);
    if (rc != 0)
        return rc;
    rc = idtable_put(&broker->jobs, job->id, job);
    if (rc != 0 && broker->log != NULL)
        (void)idtable_remove(&broker->wheres, job->id);
    return rc;
}

void job_table_remove(struct broker *broker, const struct job *job)
{
    const struct job *removed = idtable_remove(&broker->jobs, job->id);
    ASSERT(removed == job);
    if (broker->log != NULL)
        (void)idtable_remove(&broker->wheres, job->id);
}

uint64_t where_get(const struct job *job)
{
    const struct broker *broker = job->tube->broker;
    if (broker->log == NULL)
        return 0;
    void *where = idtable_get(&broker->wheres, job->id);
    return where == NOT_LOGGED ? 0 : (uint64_t)(uintptr_t)where;
}

void where_set(const struct job *job, uint64_t where)
{
    void *value = where == 0 ? NOT_LOGGED : (void *)(uintptr_t)where;
    idtable_replace(&job->tube->broker->wheres, job->id, value);
}
