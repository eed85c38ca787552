// SPDX-License-Identifier: MIT
/*
 * What was acknowledged: see oracle.h. Jobs are never forgotten within a round, since a deleted one
 * must stay deleted and its id must not come again. The past of a job is kept only where a power
 * loss may bring it back (window_ns), and only as long as it may.
 */
#include "oracle.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *grown(void *array, size_t *cap, size_t need, size_t size)
{
    size_t old = *cap;
    if (need <= old)
        return array;
    *cap = need * 2 + 64;
    char *bigger = realloc(array, *cap * size);
    if (bigger == NULL)
        fail("no memory");
    memset(bigger + old * size, 0, (*cap - old) * size);
    return bigger;
}

void oracle_init(struct oracle *oracle, uint64_t seed)
{
    *oracle = (struct oracle){.random = {seed}};
    for (int i = 0; i < TUBES; i++) {
        struct tube *tube = &oracle->tubes[i];
        const char *kind = i < TUBE_PAUSED ? "shared" : i < TUBE_OWN ? "paused" : "own";
        snprintf(tube->name, sizeof(tube->name), "%s-%d", kind, i);
        tube->claim = NOBODY;
        tube_paused(oracle, i, 0, 0, true);
    }
}

void oracle_fini(struct oracle *oracle)
{
    for (size_t i = 0; i < oracle->job_count; i++) {
        free(oracle->jobs[i]->past);
        free(oracle->jobs[i]);
    }
    for (int i = 0; i < TUBES; i++)
        free(oracle->tubes[i].pauses);
    free(oracle->jobs);
    free(oracle->by_id);
    *oracle = (struct oracle){.jobs = NULL};
}

uint64_t oracle_below(struct oracle *oracle, uint64_t limit)
{
    return unit_random_below(&oracle->random, limit);
}

/* ---- bodies ---- */

/* Line ends and zeros are among the bytes, since they are what framing may trip over. */
static char body_byte(struct unit_random *random, uint32_t at)
{
    uint64_t bits = unit_random_next(random);
    if (at % 7 == 3)
        return "\r\n\0x"[bits & 3];
    return (char)(bits >> 8);
}

void body_make(struct buf *out, uint64_t serial, uint32_t size)
{
    struct unit_random random = {serial * UINT64_C(0x2545f4914f6cdd1d)};
    for (uint32_t i = 0; i < size; i++)
        (void)buf_append_char(out, body_byte(&random, i));
}

bool body_is(const char *bytes, size_t len, uint64_t serial, uint32_t size)
{
    struct unit_random random = {serial * UINT64_C(0x2545f4914f6cdd1d)};
    bool same = len == size;
    for (uint32_t i = 0; same && i < size; i++)
        same = bytes[i] == body_byte(&random, i);
    return same;
}

/* ---- jobs ---- */

struct job *oracle_job_new(struct oracle *oracle, int tube, uint32_t size, uint32_t ttr)
{
    struct job *job = calloc(1, sizeof(*job)); /* no magic: it never leaves this program's hands */
    oracle->jobs =
        grown(oracle->jobs, &oracle->job_cap, oracle->job_count + 1, sizeof(*oracle->jobs));
    if (job == NULL)
        fail("no memory");
    job->serial = oracle->job_count;
    job->size = size;
    job->ttr = ttr;
    job->tube = tube;
    job->claim = NOBODY;
    job->fates[0] = (struct fate){.kind = FATE_GONE};
    job->fate_count = 1;
    oracle->jobs[oracle->job_count++] = job;
    return job;
}

struct job *oracle_job(const struct oracle *oracle, uint64_t id)
{
    return id < oracle->id_cap ? oracle->by_id[id] : NULL;
}

void oracle_told(struct oracle *oracle, struct job *job, uint64_t id)
{
    const struct job *other = oracle_job(oracle, id);
    if (id == 0 || id > (UINT64_C(1) << 27))
        fail("job %" PRIu64 ": that id is out of all proportion", id);
    if (other != NULL && other != job)
        fail("id %" PRIu64 " was issued twice: for put %" PRIu64 " and for put %" PRIu64, id,
             other->serial, job->serial);
    if (job->id != 0 && job->id != id)
        fail("put %" PRIu64 " has two ids, %" PRIu64 " and %" PRIu64, job->serial, job->id, id);
    oracle->by_id = grown(oracle->by_id, &oracle->id_cap, id + 1, sizeof(*oracle->by_id));
    oracle->by_id[id] = job;
    job->id = id;
    if (oracle->life_first == 0 || id < oracle->life_first)
        oracle->life_first = id;
    if (id > oracle->life_last)
        oracle->life_last = id;
}

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

void job_may_become(struct job *job, const struct fate *fate)
{
    for (unsigned i = 0; i < job->fate_count; i++)
        if (job->fates[i].kind == fate->kind && job->fates[i].pri == fate->pri &&
            job->fates[i].due_from_ns == fate->due_from_ns &&
            job->fates[i].due_to_ns == fate->due_to_ns)
            return;
    if (job->fate_count == FATES_MAX)
        fail("job %" PRIu64 " has more possible fates than the oracle can keep", job->id);
    job->fates[job->fate_count++] = *fate;
}

/* Pasts that no power loss can bring back any more are dropped. */
static void past_trim(const struct oracle *oracle, struct job *job, int64_t now_ns)
{
    size_t old = 0;
    while (old < job->past_count && job->past[old].over_ns < now_ns - oracle->window_ns)
        old++;
    if (old > 0)
        memmove(job->past, job->past + old, (job->past_count - old) * sizeof(*job->past));
    job->past_count -= old;
}

void job_becomes(struct oracle *oracle, struct job *job, const struct fate *fate)
{
    if (oracle->window_ns > 0) {
        int64_t now_ns = clock_now_ns();
        past_trim(oracle, job, now_ns);
        job->past =
            grown(job->past, &job->past_cap, job->past_count + job->fate_count, sizeof(*job->past));
        for (unsigned i = 0; i < job->fate_count; i++)
            job->past[job->past_count++] = (struct past){.fate = job->fates[i], .over_ns = now_ns};
    }
    job->fates[0] = *fate;
    job->fate_count = 1;
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

/* ---- tubes ---- */

void tube_paused(struct oracle *oracle, int index, int64_t from_ns, int64_t to_ns, bool sure)
{
    struct tube *tube = &oracle->tubes[index];
    int64_t now_ns = clock_now_ns();
    size_t left = 0;
    for (size_t i = 0; i < tube->pause_count; i++) {
        struct pause pause = tube->pauses[i];
        if (sure && pause.over_ns == INT64_MAX)
            pause.over_ns = now_ns;
        if (pause.over_ns == INT64_MAX || pause.over_ns > now_ns - oracle->window_ns)
            tube->pauses[left++] = pause;
    }
    tube->pauses = grown(tube->pauses, &tube->pause_cap, left + 1, sizeof(*tube->pauses));
    tube->pauses[left] =
        (struct pause){.until_from_ns = from_ns, .until_to_ns = to_ns, .over_ns = INT64_MAX};
    tube->pause_count = left + 1;
}

/* ---- crashes ---- */

static void job_crashed(const struct oracle *oracle, struct job *job, int64_t lost_ns)
{
    for (size_t i = 0; lost_ns > 0 && i < job->past_count; i++)
        if (job->past[i].over_ns > lost_ns - oracle->window_ns)
            job_may_become(job, &job->past[i].fate);
    job->past_count = 0;
    job->claim = NOBODY;
    job->claims = 0;
}

void oracle_crashed(struct oracle *oracle, int64_t lost_ns)
{
    for (size_t i = 0; i < oracle->job_count; i++)
        job_crashed(oracle, oracle->jobs[i], lost_ns);
    for (int i = 0; i < TUBES; i++) {
        struct tube *tube = &oracle->tubes[i];
        size_t left = 0;
        for (size_t k = 0; k < tube->pause_count; k++) {
            bool counts = tube->pauses[k].over_ns == INT64_MAX ||
                          (lost_ns > 0 && tube->pauses[k].over_ns > lost_ns - oracle->window_ns);
            if (counts) {
                tube->pauses[left] = tube->pauses[k];
                tube->pauses[left++].over_ns = INT64_MAX;
            }
        }
        tube->pause_count = left;
        tube->claim = NOBODY;
    }
}
