// SPDX-License-Identifier: MIT
/*
 * Who put a job: six bits of its header, so that it costs no memory.
 *
 * The first 62 users who put anything get a place in a table, each for as long as the daemon runs;
 * jobs of those who come later have the uid in their side record. A machine has few users who put
 * jobs, and their jobs are many. The table only grows, and a place is written before it is counted,
 * so a put finds its user without the lock.
 */
#include "ledger/tube.h"

#include <errno.h>

/* JOB_SUBMITTER_NOBODY: it isn't there. */
static unsigned find(const struct submitters *submitters, uint32_t uid)
{
    unsigned count = atomic_load_explicit(&submitters->count, memory_order_acquire);
    for (unsigned i = 0; i < count; i++)
        if (submitters->uid[i] == uid)
            return i + 1;
    return JOB_SUBMITTER_NOBODY;
}

/* The same; it gets a place if there is one. */
HELD static unsigned need(struct submitters *submitters, uint32_t uid)
{
    unsigned place = find(submitters, uid);
    unsigned count = atomic_load_explicit(&submitters->count, memory_order_relaxed);
    if (place != JOB_SUBMITTER_NOBODY || count == SUBMITTERS_MAX)
        return place;
    submitters->uid[count] = uid;
    atomic_store_explicit(&submitters->count, count + 1, memory_order_release);
    return count + 1;
}

static int set(struct job *job, uint32_t uid, unsigned place)
{
    if (place == JOB_SUBMITTER_NOBODY) {
        struct job_extra *extra = job_extra_need(job);
        if (extra == NULL)
            return ENOMEM;
        extra->submitter = uid;
        place = JOB_SUBMITTER_EXTRA;
    }
    job->submitter = place & 63U;
    return 0;
}

int submitter_set(struct ledger *ledger, struct job *job, uint32_t uid)
{
    return uid == JOB_NOBODY ? 0 : set(job, uid, need(&ledger->submitters, uid));
}

int submitter_put(struct ledger *ledger, struct job *job, uint32_t uid)
{
    if (uid == JOB_NOBODY)
        return 0;
    unsigned place = find(&ledger->submitters, uid);
    if (place == JOB_SUBMITTER_NOBODY) {
        ledger_lock(ledger);
        place = need(&ledger->submitters, uid);
        ledger_unlock(ledger);
    }
    return set(job, uid, place);
}

uint32_t submitter_of(const struct job *job)
{
    if (job->submitter == JOB_SUBMITTER_NOBODY)
        return JOB_NOBODY;
    if (job->submitter == JOB_SUBMITTER_EXTRA)
        return job->extra->submitter;
    return job->tube->ledger->submitters.uid[job->submitter - 1];
}
