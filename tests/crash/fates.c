// SPDX-License-Identifier: MIT
/*
 * The fates of a job: see oracle.h. Which of its pasts may come back is a moment for each: a later
 * acknowledged change draws it nearer, by the window of the tube it was made in, since in the log
 * the change stands behind all that was before it.
 */
#include "oracle.h"

#include "base/clock.h"

#include <inttypes.h>
#include <string.h>

/* ---- windows ---- */

int64_t tube_window_ns(const struct oracle *oracle, int tube)
{
    switch (oracle->tubes[tube].level) {
    case LEVEL_MEMORY:
        return INT64_MAX;
    case LEVEL_INTERVAL:
        return oracle->window_ns;
    case LEVEL_COMMIT:
        break;
    }
    return 0;
}

int64_t window_end_ns(int64_t window_ns, int64_t now_ns, int64_t expires_ns)
{
    int64_t end_ns = window_ns == INT64_MAX ? INT64_MAX : now_ns + window_ns;
    return end_ns < expires_ns ? end_ns : expires_ns;
}

bool window_holds(int64_t expires_ns, int64_t lost_ns)
{
    return expires_ns == INT64_MAX || (lost_ns > 0 && expires_ns > lost_ns);
}

/* ---- what it may be ---- */

bool job_may_be(const struct job *job, enum fate_kind kind)
{
    for (unsigned i = 0; i < job->fate_count; i++)
        if (job->fates[i].kind == kind)
            return true;
    return false;
}

bool job_is(const struct job *job, enum fate_kind kind)
{
    for (unsigned i = 0; i < job->fate_count; i++)
        if (job->fates[i].kind != kind)
            return false;
    return true;
}

bool job_may_be_in(const struct job *job, int tube)
{
    for (unsigned i = 0; i < job->fate_count; i++)
        if (job->fates[i].kind != FATE_GONE && job->fates[i].tube == tube)
            return true;
    return false;
}

bool job_is_in(const struct job *job, int tube)
{
    for (unsigned i = 0; i < job->fate_count; i++)
        if (job->fates[i].kind == FATE_GONE || job->fates[i].tube != tube)
            return false;
    return true;
}

bool fate_is_same(const struct fate *a, const struct fate *b)
{
    return a->kind == b->kind && a->tube == b->tube && a->pri == b->pri &&
           a->releases == b->releases && a->buries == b->buries && a->kicks == b->kicks &&
           a->reserves == b->reserves && a->timeouts == b->timeouts &&
           a->due_from_ns == b->due_from_ns && a->due_to_ns == b->due_to_ns &&
           a->burial == b->burial;
}

void job_may_become(struct job *job, const struct fate *fate)
{
    for (unsigned i = 0; i < job->fate_count; i++)
        if (fate_is_same(&job->fates[i], fate))
            return;
    if (job->fate_count == FATES_MAX)
        fail("job %" PRIu64 " has more possible fates than the oracle can keep", job->id);
    job->fates[job->fate_count++] = *fate;
}

/* ---- changes ---- */

/* The longest of the fates': in which tube it is may be in doubt. */
static int64_t change_window_ns(const struct oracle *oracle, const struct job *job,
                                const struct fate *fates, unsigned count)
{
    int64_t window_ns = 0;
    for (unsigned i = 0; i < count + job->fate_count; i++) {
        const struct fate *fate = i < count ? &fates[i] : &job->fates[i - count];
        bool counts =
            i < count || fates[0].kind == FATE_GONE; /* that of a delete is where it was */
        if (!counts || fate->kind == FATE_GONE)
            continue;
        int64_t one_ns = tube_window_ns(oracle, fate->tube);
        window_ns = one_ns > window_ns ? one_ns : window_ns;
    }
    return window_ns;
}

void job_becomes(struct oracle *oracle, struct job *job, const struct fate *fates, unsigned count)
{
    int64_t now_ns = clock_now_ns();
    int64_t window_ns = change_window_ns(oracle, job, fates, count);
    size_t left = 0;
    for (size_t i = 0; i < job->past_count; i++) {
        struct past past = job->past[i];
        past.expires_ns = window_end_ns(window_ns, now_ns, past.expires_ns);
        if (past.expires_ns > now_ns)
            job->past[left++] = past;
    }
    if (window_ns > 0)
        job->past =
            oracle_grown(job->past, &job->past_cap, left + job->fate_count, sizeof(*job->past));
    for (unsigned i = 0; window_ns > 0 && i < job->fate_count; i++)
        job->past[left++] = (struct past){
            .fate = job->fates[i], .expires_ns = window_end_ns(window_ns, now_ns, INT64_MAX)};
    job->past_count = left;
    job->fate_count = 0;
    for (unsigned i = 0; i < count; i++) {
        job_may_become(job, &fates[i]);
        job->recorded = job->recorded || (fates[i].kind != FATE_GONE &&
                                          oracle->tubes[fates[i].tube].level != LEVEL_MEMORY);
    }
}

void job_claim(struct job *job, int actor)
{
    if (job->claims > 0 && job->claim != actor)
        fail("put %" PRIu64 " is claimed twice: a fault of the harness", job->serial);
    job->claim = actor;
    job->claims++;
}

void job_unclaim(struct job *job)
{
    if (--job->claims == 0)
        job->claim = NOBODY;
}

void job_crashed(struct job *job, int64_t lost_ns)
{
    job->undone = false;
    for (size_t i = 0; i < job->past_count; i++)
        if (window_holds(job->past[i].expires_ns, lost_ns)) {
            job_may_become(job, &job->past[i].fate);
            job->undone = true;
        }
    if (!job->recorded) { /* it was never in the log */
        job->fates[0] = (struct fate){.kind = FATE_GONE};
        job->fate_count = 1;
    }
    job->past_count = 0;
    job->claim = NOBODY;
    job->claims = 0;
    job->leased = false;
}
