// SPDX-License-Identifier: MIT
/*
 * What commands do: the effect of an answer on the oracle, and of an answer that never came.
 *
 * Refusals: OUT_OF_MEMORY and the words that say that a command was not carried out change nothing.
 * INTERNAL_ERROR is the answer of a daemon that can't say what is on its disk, so it counts as no
 * answer at all. Any other answer than these and the one word of success is a failure of the test.
 */
#include "deeds.h"

#include "base/clock.h"

#include <hilera/thread.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fate delayed_or_ready(uint32_t pri, uint32_t delay, int64_t from_ns, int64_t to_ns)
{
    if (delay == 0)
        return (struct fate){.kind = FATE_READY, .pri = pri};
    return (struct fate){.kind = FATE_DELAYED,
                         .pri = pri,
                         .due_from_ns = from_ns + (int64_t)delay * HL_SECOND,
                         .due_to_ns = to_ns + (int64_t)delay * HL_SECOND};
}

/* What a command about one job makes of it, if it is carried out. */
static struct fate fate_after(const struct op *op, const struct fate *before, int64_t to_wall_ns)
{
    switch (op->deed) {
    case DEED_PUT:
    case DEED_RELEASE:
        return delayed_or_ready(op->pri, op->delay, op->sent_wall_ns, to_wall_ns);
    case DEED_BURY:
        return (struct fate){.kind = FATE_BURIED, .pri = op->pri};
    case DEED_KICK:
    case DEED_KICK_JOB:
    case DEED_RESERVE_JOB:
        return (struct fate){.kind = FATE_READY, .pri = before->pri};
    case DEED_DELETE:
        return (struct fate){.kind = FATE_GONE};
    case DEED_NONE:
    case DEED_RESERVE:
    case DEED_PAUSE:
        break;
    }
    return *before;
}

/* Whether it can be carried out on a job with that fate at all. */
static bool is_possible(const struct op *op, const struct fate *before)
{
    if (op->deed == DEED_PUT)
        return before->kind == FATE_GONE;
    return before->kind != FATE_GONE;
}

/* It may have been carried out. */
static void doubt_job(struct oracle *oracle, struct job *job, const struct op *op,
                      int64_t to_wall_ns)
{
    unsigned count = job->fate_count;
    for (unsigned i = 0; i < count; i++)
        if (is_possible(op, &job->fates[i])) {
            struct fate fate = fate_after(op, &job->fates[i], to_wall_ns);
            job_may_become(job, &fate);
        }
    job->releases[1] += op->deed == DEED_RELEASE;
    job->buries[1] += op->deed == DEED_BURY;
    if (op->deed == DEED_BURY)
        job->burial = ++oracle->last_burial;
}

static void done_job(struct oracle *oracle, struct job *job, const struct op *op)
{
    struct fate after[FATES_MAX];
    unsigned count = job->fate_count;
    int64_t now_ns = clock_wall_ns();
    for (unsigned i = 0; i < count; i++)
        after[i] = fate_after(op, &job->fates[i], now_ns);
    job_becomes(oracle, job, &after[0]);
    for (unsigned i = 1; i < count; i++)
        job_may_become(job, &after[i]);
    for (int i = 0; i < 2; i++) {
        job->releases[i] += op->deed == DEED_RELEASE;
        job->buries[i] += op->deed == DEED_BURY;
    }
    if (op->deed == DEED_BURY)
        job->burial = ++oracle->last_burial;
}

/* ---- kick ---- */

static struct job *first_buried(struct oracle *oracle, int tube, bool *sure)
{
    struct job *first = NULL;
    for (size_t i = 0; i < oracle->job_count; i++) {
        struct job *job = oracle->jobs[i];
        if (job->tube != tube || !job_may_be(job, FATE_BURIED))
            continue;
        if (job->fate_count != 1)
            *sure = false;
        if (first == NULL || job->burial < first->burial)
            first = job;
    }
    return first;
}

static void doubt_kick(struct oracle *oracle, const struct op *op, int64_t to_wall_ns)
{
    for (size_t i = 0; i < oracle->job_count; i++) {
        struct job *job = oracle->jobs[i];
        if (job->tube == op->tube &&
            (job_may_be(job, FATE_BURIED) || job_may_be(job, FATE_DELAYED)))
            doubt_job(oracle, job, op, to_wall_ns);
    }
}

/* Those buried first, and only if there are none, the delayed, of which it isn't said which. */
static void done_kick(struct oracle *oracle, const struct op *op, uint64_t kicked)
{
    bool sure = true;
    struct job *job = first_buried(oracle, op->tube, &sure);
    if (job == NULL || !sure) {
        if (kicked > 0)
            doubt_kick(oracle, op, clock_wall_ns());
        return;
    }
    for (uint64_t i = 0; i < kicked; i++) {
        job = first_buried(oracle, op->tube, &sure);
        if (job == NULL)
            fail("KICKED %" PRIu64 " in %s, which has only %" PRIu64 " buried jobs", kicked,
                 oracle->tubes[op->tube].name, i);
        struct fate fate = fate_after(op, &job->fates[0], 0);
        job_becomes(oracle, job, &fate);
    }
    if (kicked < op->bound && first_buried(oracle, op->tube, &sure) != NULL)
        fail("KICKED %" PRIu64 " in %s, which has more buried jobs", kicked,
             oracle->tubes[op->tube].name);
}

/* ---- answers ---- */

static const char *const success[] = {[DEED_NONE] = "",
                                      [DEED_PUT] = "INSERTED ",
                                      [DEED_RESERVE] = "RESERVED ",
                                      [DEED_RESERVE_JOB] = "RESERVED ",
                                      [DEED_DELETE] = "DELETED",
                                      [DEED_RELEASE] = "RELEASED",
                                      [DEED_BURY] = "BURIED",
                                      [DEED_KICK] = "KICKED ",
                                      [DEED_KICK_JOB] = "KICKED",
                                      [DEED_PAUSE] = "PAUSED"};

static void deed_done(struct oracle *oracle, const struct op *op, const char *reply)
{
    if (op->deed == DEED_PUT)
        oracle_told(oracle, op->job, strtoull(reply + strlen("INSERTED "), NULL, 10));
    if (op->deed == DEED_RESERVE_JOB) /* that is recorded, but not waited for */
        doubt_job(oracle, op->job, op, clock_wall_ns());
    else if (op->job != NULL)
        done_job(oracle, op->job, op);
    else if (op->deed == DEED_KICK)
        done_kick(oracle, op, strtoull(reply + strlen("KICKED "), NULL, 10));
    else if (op->deed == DEED_PAUSE)
        tube_paused(oracle, op->tube,
                    op->delay == 0 ? 0 : op->sent_wall_ns + (int64_t)op->delay * HL_SECOND,
                    op->delay == 0 ? 0 : clock_wall_ns() + (int64_t)op->delay * HL_SECOND, true);
}

void deed_doubt(struct oracle *oracle, const struct op *op)
{
    int64_t now_ns = clock_wall_ns();
    if (op->deed == DEED_KICK)
        doubt_kick(oracle, op, now_ns);
    else if (op->deed == DEED_PAUSE)
        tube_paused(oracle, op->tube,
                    op->delay == 0 ? 0 : op->sent_wall_ns + (int64_t)op->delay * HL_SECOND,
                    op->delay == 0 ? 0 : now_ns + (int64_t)op->delay * HL_SECOND, false);
    else if (op->job != NULL)
        doubt_job(oracle, op->job, op, now_ns);
}

static void claim_give_back(struct oracle *oracle, const struct op *op)
{
    if (op->job != NULL)
        job_unclaim(op->job);
    if (op->deed == DEED_PAUSE)
        oracle->tubes[op->tube].claim = NOBODY;
}

enum deed_result deed_answered(struct oracle *oracle, const struct op *op, const char *reply)
{
    static const char *const refusals[] = {"NOT_FOUND\r\n", "TIMED_OUT\r\n", "DEADLINE_SOON\r\n",
                                           "OUT_OF_MEMORY\r\n", "DRAINING\r\n"};
    const char *word = success[op->deed];
    claim_give_back(oracle, op);
    if (word[0] != '\0' && strncmp(reply, word, strlen(word)) == 0) {
        deed_done(oracle, op, reply);
        return DEED_DONE;
    }
    if (strcmp(reply, "INTERNAL_ERROR\r\n") == 0) {
        deed_doubt(oracle, op);
        return DEED_DOUBTFUL;
    }
    if (op->deed == DEED_NONE)
        return DEED_DONE;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
        if (strcmp(reply, refusals[i]) == 0)
            return DEED_REFUSED;
    fail("instead of \"%s\": %.60s", word, reply);
}
