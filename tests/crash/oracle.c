// SPDX-License-Identifier: MIT
/*
 * What was acknowledged: see oracle.h. Jobs are never forgotten within a round, since a deleted one
 * must stay deleted and its id must not come again.
 */
#include "oracle.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *oracle_grown(void *array, size_t *cap, size_t need, size_t size)
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

void oracle_init(struct oracle *oracle, uint64_t seed, enum level level, bool mixed)
{
    *oracle = (struct oracle){.random = {seed}};
    for (int i = 0; i < TUBES; i++) {
        struct tube *tube = &oracle->tubes[i];
        const char *kind = i < TUBE_PAUSED ? "shared" : i < TUBE_OWN ? "paused" : "own";
        snprintf(tube->name, sizeof(tube->name), "%s-%d", kind, i);
        tube->claim = NOBODY;
        tube->level = mixed ? (enum level)(i % 3) : level;
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
    free(oracle->tickets);
    free(oracle->good);
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
        oracle_grown(oracle->jobs, &oracle->job_cap, oracle->job_count + 1, sizeof(*oracle->jobs));
    if (job == NULL)
        fail("no memory");
    job->serial = oracle->job_count;
    job->size = size;
    job->ttr = ttr;
    job->tube = tube;
    job->claim = NOBODY;
    job->fates[0] = (struct fate){.kind = FATE_GONE};
    job->recorded = oracle->tubes[tube].level != LEVEL_MEMORY;
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
    oracle->by_id = oracle_grown(oracle->by_id, &oracle->id_cap, id + 1, sizeof(*oracle->by_id));
    oracle->by_id[id] = job;
    job->id = id;
    if (oracle->life_first == 0 || id < oracle->life_first)
        oracle->life_first = id;
    if (id > oracle->life_last)
        oracle->life_last = id;
}

/* ---- tubes ---- */

void tube_paused(struct oracle *oracle, int index, int64_t from_ns, int64_t to_ns, bool sure)
{
    struct tube *tube = &oracle->tubes[index];
    int64_t now_ns = clock_now_ns(), window_ns = tube_window_ns(oracle, index);
    size_t left = 0;
    for (size_t i = 0; i < tube->pause_count; i++) {
        struct pause pause = tube->pauses[i];
        if (sure)
            pause.expires_ns =
                window_end_ns(window_ns, now_ns, pause.over ? pause.expires_ns : INT64_MAX);
        pause.over = pause.over || sure;
        if (!pause.over || pause.expires_ns > now_ns)
            tube->pauses[left++] = pause;
    }
    tube->pauses = oracle_grown(tube->pauses, &tube->pause_cap, left + 1, sizeof(*tube->pauses));
    tube->pauses[left] = (struct pause){.until_from_ns = from_ns, .until_to_ns = to_ns};
    tube->pause_count = left + 1;
}

/* ---- crashes ---- */

static void tube_crashed(struct tube *tube, int64_t lost_ns)
{
    size_t left = 0;
    for (size_t i = 0; i < tube->pause_count; i++) {
        struct pause pause = tube->pauses[i];
        if (pause.over && !window_holds(pause.expires_ns, lost_ns))
            continue;
        pause.over = false;
        tube->pauses[left++] = pause;
    }
    tube->pause_count = left;
    tube->claim = NOBODY;
}

void oracle_crashed(struct oracle *oracle, int64_t lost_ns)
{
    for (size_t i = 0; i < oracle->job_count; i++) {
        lease_crashed(oracle, oracle->jobs[i], lost_ns);
        job_crashed(oracle->jobs[i], lost_ns);
    }
    oracle->good_count = 0;
    for (int i = 0; i < TUBES; i++)
        tube_crashed(&oracle->tubes[i], lost_ns);
    tickets_check(oracle);
}
