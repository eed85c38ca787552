// SPDX-License-Identifier: MIT
/*
 * Where the put of each job is in the journal: a table by id beside that of the jobs, and only
 * where there is a journal, so that a job in memory doesn't pay for it.
 *
 * An entry is made with the job, before anything changes, and goes with it; setting it never fails.
 */
#include "ledger/tube.h"

#include <errno.h>

/* Stands for 0, which a table can't hold: no locator and no ticket is so high. */
#define NOT_LOGGED ((void *)UINTPTR_MAX)

int job_table_add(struct ledger *ledger, struct job *job)
{
    int rc = ledger->store == NULL ? 0 : idtable_put(&ledger->locators, job->id, NOT_LOGGED);
    if (rc != 0)
        return rc;
    rc = idtable_put(&ledger->jobs, job->id, job);
    if (rc != 0 && ledger->store != NULL)
        (void)idtable_remove(&ledger->locators, job->id);
    return rc;
}

void job_table_remove(struct ledger *ledger, const struct job *job)
{
    const struct job *removed = idtable_remove(&ledger->jobs, job->id);
    ASSERT(removed == job);
    if (ledger->store != NULL)
        (void)idtable_remove(&ledger->locators, job->id);
}

uint64_t locator_get(const struct job *job)
{
    const struct ledger *ledger = job->tube->ledger;
    if (ledger->store == NULL)
        return 0;
    void *where = idtable_get(&ledger->locators, job->id);
    return where == NOT_LOGGED ? 0 : (uint64_t)(uintptr_t)where;
}

void locator_set(const struct job *job, uint64_t where)
{
    void *value = where == 0 ? NOT_LOGGED : (void *)(uintptr_t)where;
    idtable_replace(&job->tube->ledger->locators, job->id, value);
}
