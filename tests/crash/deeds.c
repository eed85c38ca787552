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

static const char *const success[] = {[DEED_NONE] = "",
                                      [DEED_PUT] = "INSERTED ",
                                      [DEED_RESERVE] = "RESERVED ",
                                      [DEED_RESERVE_TOKEN] = "RESERVED_TOKEN ",
                                      [DEED_RESERVE_BATCH] = "RESERVED_BATCH ",
                                      [DEED_RESERVE_JOB] = "RESERVED ",
                                      [DEED_RESERVE_JOB_TOKEN] = "RESERVED_TOKEN ",
                                      [DEED_DELETE] = "DELETED",
                                      [DEED_RELEASE] = "RELEASED",
                                      [DEED_BURY] = "BURIED",
                                      [DEED_KICK] = "KICKED ",
                                      [DEED_KICK_JOB] = "KICKED",
                                      [DEED_PAUSE] = "PAUSED",
                                      [DEED_MOVE] = "MOVED",
                                      [DEED_CLEAR] = "CLEARED ",
                                      [DEED_STALE] = "STALE_TOKEN"};

/* The same job elsewhere: what it counts goes along. */
static struct fate fate_like(const struct fate *before, enum fate_kind kind)
{
    struct fate fate = *before;
    fate.kind = kind;
    fate.due_from_ns = fate.due_to_ns = 0;
    fate.burial = 0;
    return fate;
}

static struct fate fate_due(const struct op *op, const struct fate *before, int64_t to_wall_ns)
{
    struct fate fate = fate_like(before, op->delay == 0 ? FATE_READY : FATE_DELAYED);
    int64_t delay_ns = (int64_t)op->delay * HL_SECOND;
    fate.pri = op->pri;
    if (op->delay > 0) {
        fate.due_from_ns = op->sent_wall_ns + delay_ns;
        fate.due_to_ns = to_wall_ns + delay_ns;
    }
    return fate;
}

static struct fate fate_buried(const struct op *op, const struct fate *before)
{
    struct fate fate = fate_like(before, FATE_BURIED);
    fate.pri = op->pri;
    fate.buries++;
    return fate;
}

/* What a command about one job makes of it, if it is carried out. */
static struct fate fate_after(const struct op *op, const struct fate *before, int64_t to_wall_ns)
{
    struct fate fate = *before;
    switch (op->deed) {
    case DEED_PUT:
        fate = fate_due(op, before, to_wall_ns);
        fate.tube = op->tube;
        return fate;
    case DEED_RELEASE:
        fate = fate_due(op, before, to_wall_ns);
        fate.releases++;
        break;
    case DEED_BURY:
        fate = fate_buried(op, before);
        break;
    case DEED_KICK:
    case DEED_KICK_JOB:
        fate = fate_like(before, FATE_READY);
        fate.kicks++;
        break;
    case DEED_RESERVE_JOB:
    case DEED_RESERVE_JOB_TOKEN:
        fate = fate_like(before, FATE_READY);
        break;
    case DEED_MOVE:
        fate.tube = op->tube;
        break;
    case DEED_DELETE:
    case DEED_CLEAR:
        return (struct fate){.kind = FATE_GONE};
    default:
        break;
    }
    /* The log has an order: leases before this are as sure as this. */
    if (op->reserves > fate.reserves)
        fate.reserves = op->reserves;
    return fate;
}

/*
 * Whether it can be carried out on a job with that fate at all. Where an answer said that it was
 * carried out, the other fates are out.
 */
static bool is_possible(const struct op *op, const struct fate *before)
{
    if (op->deed == DEED_PUT)
        return before->kind == FATE_GONE;
    if (op->deed == DEED_KICK_JOB || op->deed == DEED_KICK)
        return before->kind == FATE_BURIED || before->kind == FATE_DELAYED;
    return before->kind != FATE_GONE;
}

static void recorded_perhaps(const struct oracle *oracle, struct job *job, int tube)
{
    job->recorded = job->recorded || oracle->tubes[tube].level != LEVEL_MEMORY;
}

/* The number of the burial that it would be; 0: it is none. */
static uint64_t burial_next(struct oracle *oracle, const struct op *op)
{
    return op->deed == DEED_BURY ? ++oracle->last_burial : 0;
}

/* It may have been carried out. */
static void doubt_job(struct oracle *oracle, struct job *job, const struct op *op,
                      int64_t to_wall_ns)
{
    unsigned count = job->fate_count;
    uint64_t burial = burial_next(oracle, op);
    job->lease.sure = false;
    for (unsigned i = 0; i < count; i++)
        if (is_possible(op, &job->fates[i])) {
            struct fate fate = fate_after(op, &job->fates[i], to_wall_ns);
            fate.burial = burial > 0 ? burial : fate.burial;
            job_may_become(job, &fate);
        }
    if (op->deed == DEED_MOVE)
        recorded_perhaps(oracle, job, op->tube);
}

static void done_job(struct oracle *oracle, struct job *job, const struct op *op)
{
    struct fate after[FATES_MAX];
    unsigned count = 0;
    int64_t now_ns = clock_wall_ns();
    uint64_t burial = burial_next(oracle, op);
    for (unsigned i = 0; i < job->fate_count; i++)
        if (is_possible(op, &job->fates[i])) {
            after[count] = fate_after(op, &job->fates[i], now_ns);
            after[count].burial = burial > 0 ? burial : after[count].burial;
            count++;
        }
    if (count == 0)
        fail("%s: put %" PRIu64 " was not in a state for that", success[op->deed], job->serial);
    job_becomes(oracle, job, after, count);
    job->lease.sure = false;
    job->lease.over = job->lease.over || (op->token != 0 && op->token == job->lease.token);
    if (op->deed != DEED_PUT)
        job->leased = false; /* for a move: it wasn't */
}

/* ---- kick ---- */

/* The one that a kick takes; where it isn't sure, only whether there is one. */
static struct job *first_buried(struct oracle *oracle, int tube, bool *sure)
{
    struct job *first = NULL;
    for (size_t i = 0; i < oracle->job_count; i++) {
        struct job *job = oracle->jobs[i];
        if (!job_may_be_in(job, tube) || !job_may_be(job, FATE_BURIED))
            continue;
        if (job->fate_count != 1)
            *sure = false;
        if (first == NULL || job->fates[0].burial < first->fates[0].burial)
            first = job;
    }
    return first;
}

static void doubt_kick(struct oracle *oracle, const struct op *op, int64_t to_wall_ns)
{
    for (size_t i = 0; i < oracle->job_count; i++) {
        struct job *job = oracle->jobs[i];
        if (job_may_be_in(job, op->tube) &&
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
        job_becomes(oracle, job, &fate, 1);
    }
    if (kicked < op->bound && first_buried(oracle, op->tube, &sure) != NULL)
        fail("KICKED %" PRIu64 " in %s, which has more buried jobs", kicked,
             oracle->tubes[op->tube].name);
}

/* ---- clear ---- */

/*
 * A connection's own tube, so all answers about its jobs have been heard: those that it has
 * reserved stay (or not, where the lease may be over), all others are deleted.
 */
static void done_clear(struct oracle *oracle, const struct op *op, uint64_t cleared)
{
    uint64_t least = 0, most = 0;
    for (size_t i = 0; i < oracle->job_count; i++) {
        struct job *job = oracle->jobs[i];
        if (!job_may_be_in(job, op->tube))
            continue;
        bool sure = job_is_in(job, op->tube) && !job->leased;
        bool stays = job_is_in(job, op->tube) && job->leased && job->ttr > 1;
        least += sure;
        most += !stays;
        if (sure)
            done_job(oracle, job, op);
        else if (!stays)
            doubt_job(oracle, job, op, 0);
    }
    if (cleared < least || cleared > most)
        fail("CLEARED %" PRIu64 " in %s, which had %" PRIu64 " to %" PRIu64 " jobs to clear",
             cleared, oracle->tubes[op->tube].name, least, most);
}

static void doubt_clear(struct oracle *oracle, const struct op *op)
{
    for (size_t i = 0; i < oracle->job_count; i++)
        if (job_may_be_in(oracle->jobs[i], op->tube))
            doubt_job(oracle, oracle->jobs[i], op, 0);
}

/* ---- answers ---- */

bool deed_reserves(enum deed deed)
{
    return deed >= DEED_RESERVE && deed <= DEED_RESERVE_JOB_TOKEN;
}

static void deed_done(struct oracle *oracle, const struct op *op, const char *reply)
{
    if (op->deed == DEED_PUT)
        oracle_told(oracle, op->job, strtoull(reply + strlen("INSERTED "), NULL, 10));
    /* That is recorded, but without a token not waited for. */
    if (deed_reserves(op->deed) && op->job != NULL)
        doubt_job(oracle, op->job, op, clock_wall_ns());
    else if (op->job != NULL)
        done_job(oracle, op->job, op);
    else if (op->deed == DEED_KICK)
        done_kick(oracle, op, strtoull(reply + strlen("KICKED "), NULL, 10));
    else if (op->deed == DEED_CLEAR)
        done_clear(oracle, op, strtoull(reply + strlen("CLEARED "), NULL, 10));
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
    else if (op->deed == DEED_CLEAR)
        doubt_clear(oracle, op);
    else if (op->deed == DEED_PAUSE)
        tube_paused(oracle, op->tube,
                    op->delay == 0 ? 0 : op->sent_wall_ns + (int64_t)op->delay * HL_SECOND,
                    op->delay == 0 ? 0 : now_ns + (int64_t)op->delay * HL_SECOND, false);
    else if (op->job != NULL)
        doubt_job(oracle, op->job, op, now_ns);
    if (deed_reserves(op->deed))
        oracle->strays += op->bound > 0 ? op->bound : 1;
    oracle->strays_token += op->deed == DEED_RESERVE_TOKEN || op->deed == DEED_RESERVE_JOB_TOKEN;
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
        if (strcmp(reply, refusals[i]) == 0 && op->deed != DEED_STALE) {
            /* The job was got, perhaps, and there was no memory to tell of it: it went back. */
            if (oracle->starves && deed_reserves(op->deed) && reply[0] == 'O')
                deed_doubt(oracle, op);
            return DEED_REFUSED;
        }
    /* A lease may be over, by time. */
    if (op->token != 0 && op->deed != DEED_STALE && strcmp(reply, "STALE_TOKEN\r\n") == 0) {
        if (op->job != NULL && op->job->lease.token == op->token)
            lease_broken(op->job, "was settled, and the token refused,");
        return DEED_REFUSED;
    }
    fail("instead of \"%s\": %.60s", word, reply);
}
