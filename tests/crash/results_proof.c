// SPDX-License-Identifier: MIT
/*
 * The judge of the kind `results` is judged, as round_proof.c does with the other one: what was
 * told is falsified in one point, and the judge must say just that. One row for each thing that it
 * looks at.
 *
 * The index by id tells whose a row of the daemon is; so one entry that leads to another job makes
 * that one's record a second one.
 */
#include "round_results.h"

#include <hilera/thread.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROOF_LIFE_NS (HL_SECOND / 2)
#define PROOF_LIVES_MAX 20

/* ---- choosing ---- */

static bool is_present(const struct result_job *job)
{
    return job->presence == PRESENT && job->kept;
}

static bool is_buried(const struct result_job *job)
{
    return job->presence == PRESENT_BURIED;
}

static bool is_recorded(const struct result_job *job)
{
    return job->found != 0 && job->presence == PRESENT_NOT;
}

static bool is_told(const struct result_job *job)
{
    return is_recorded(job) && job->told_at != 0 && job->account.result != NULL;
}

static bool is_unrecorded(const struct result_job *job)
{
    return !job->kept && job->gone;
}

/* Whose end is promised; the first or the last one. NULL: there is none. */
static struct result_job *job_where(const struct results *results,
                                    bool (*suits)(const struct result_job *job), bool last)
{
    struct result_job *found = NULL;
    for (size_t i = 0; i < results->job_count && (last || found == NULL); i++)
        if (results->jobs[i]->id != 0 && results_promised(results, results->jobs[i]) &&
            suits(results->jobs[i]))
            found = results->jobs[i];
    return found;
}

static struct result_job *job_that(const struct results *results,
                                   bool (*suits)(const struct result_job *job))
{
    struct result_job *job = job_where(results, suits, false);
    if (job == NULL)
        fail("no job suits after all that work");
    return job;
}

/* Whether there is one for each falsehood. */
static bool is_enough(const struct results *results)
{
    return job_where(results, is_present, false) != NULL &&
           job_where(results, is_buried, false) != NULL &&
           job_where(results, is_unrecorded, false) != NULL &&
           job_where(results, is_told, false) != job_where(results, is_told, true);
}

/* ---- the falsehoods ---- */

static void unrecorded(struct results *results)
{
    struct result_job *job = job_that(results, is_present);
    job->ended = true;
    snprintf(job->account.outcome, sizeof(job->account.outcome), "done");
}

static void doubled(struct results *results)
{
    struct result_job *other = job_where(results, is_told, true);
    results->by_id[other->id] = job_that(results, is_told);
}

static void outcome(struct results *results)
{
    struct result_job *job = job_that(results, is_told);
    snprintf(job->account.outcome, sizeof(job->account.outcome), "failed");
}

static void attempts(struct results *results)
{
    char *counts = job_that(results, is_told)->account.counts;
    char *reserves = strstr(counts, "\"reserves\":");
    if (reserves == NULL)
        fail("no reserves are told: %s", counts);
    reserves[strlen("\"reserves\":")]++;
}

static void result(struct results *results)
{
    char *text = job_that(results, is_told)->account.result;
    char *ended = strstr(text, "\"ended\":");
    if (ended == NULL)
        fail("no end is told: %s", text);
    ended[strlen("\"ended\":")]++;
}

static void renumbered(struct results *results)
{
    job_that(results, is_told)->number++;
}

static void order(struct results *results)
{
    struct result_job *last = NULL;
    for (size_t i = 0; i < results->job_count; i++) {
        struct result_job *job = results->jobs[i];
        job->put_at += 2;
        if (job->found != 0 && (last == NULL || job->found > last->found))
            last = job;
    }
    if (last == NULL)
        fail("there are no records after all that work");
    last->told_at = 1;
}

static void both(struct results *results)
{
    const struct result_job *present = job_that(results, is_present);
    results->by_id[present->id] = job_that(results, is_told);
}

/* Nobody was told of that end. */
static void ahead(struct results *results)
{
    both(results);
    job_that(results, is_told)->ended = false;
}

static void back(struct results *results)
{
    job_that(results, is_present)->gone = true;
}

static void unburied(struct results *results)
{
    job_that(results, is_present)->buried = true;
}

static void burial_lost(struct results *results)
{
    job_that(results, is_told)->buried = true;
}

static void lost(struct results *results)
{
    struct result_job *job = job_that(results, is_unrecorded);
    job->kept = true;
    job->gone = job->ended = job->deleting = false;
}

static void unwanted(struct results *results)
{
    job_that(results, is_told)->kept = false;
}

static void unknown(struct results *results)
{
    struct result_job *job = job_that(results, is_told);
    results->by_id[job->id] = NULL;
    job->id = 0;
    job->nowhere = true;
}

static const struct falsehood {
    const char *name;
    void (*tell)(struct results *results);
    const char *words; /* that the judge must say */
} falsehoods[] = {
    {"an end that was told has no record", unrecorded, "has ended as done, and has no record"},
    {"a job has two records", doubled, "has two records"},
    {"a record has another outcome", outcome, "has ended as failed, and is recorded as "},
    {"a record has other attempts", attempts, "was told to have the counts"},
    {"a record has another result", result, "was told to have the result"},
    {"a record has another number", renumbered, ": the number of its record was"},
    {"a later end has a lower number", order, "; their records have the numbers"},
    {"a job is there and recorded", both, "is there, and is recorded as"},
    {"history is ahead of the journal", ahead, "is there, and is recorded as"},
    {"a job came back after its end", back, "is there again; its end was told"},
    {"a buried job is ready", unburied, "is there in another state; it was buried"},
    {"a buried job is gone", burial_lost, "is gone; it was buried"},
    {"a job is gone without a record", lost, "acknowledged) is gone without a record"},
    {"a record that nobody wanted", unwanted, "and asked for none"},
    {"a record of a job that nobody put", unknown, "is none that was ever put"},
};

/* ---- the comparison alone ---- */

/* What is extra with a daemon: a record that has an attempt more than was told. */
static void earlier_prove(void)
{
    static const char one[] = "\"result\":{\"outcome\":\"done\",\"waited\":1.5}}}\r\n";
    static const char same[] =
        "\"result\":{\"outcome\":\"done\",\"waited\":1.5,\"earlier\":[{}]}}}\r\n";
    static const char other[] =
        "\"result\":{\"outcome\":\"done\",\"waited\":1.6,\"earlier\":[{}]}}}\r\n";
    const struct result_job again = {.again = true}, once = {.again = false};
    if (!result_is_same(&again, one, same) || !result_is_same(&again, same, one) ||
        !result_is_same(&again, one, one) || result_is_same(&again, one, other) ||
        result_is_same(&once, one, same) || !result_is_same(&once, one, one))
        fail("results with earlier attempts aren't compared as they should");
}

/* ---- trying them ---- */

struct trial {
    struct results_round *round;
    const struct falsehood *falsehood;
};

static void falsehood_judge(void *arg)
{
    const struct trial *trial = arg;
    trial->falsehood->tell(&trial->round->results);
    results_judge(&trial->round->results, trial->round->victim.socket);
}

void results_prove(const struct crash_options *options, uint64_t seed, struct crash_tally *tally)
{
    struct results_round round;
    earlier_prove();
    results_round_init(&round, options, seed, tally, "-results");
    for (int lives = 0; lives == 0 || !is_enough(&round.results); lives++) {
        if (lives == PROOF_LIVES_MAX)
            fail("no work after %d lives that all falsehoods could be told of", lives);
        if (lives > 0)
            victim_kill(&round.victim);
        results_life(&round, PROOF_LIFE_NS);
        results_start_judged(&round);
    }
    for (size_t i = 0; i < sizeof(falsehoods) / sizeof(falsehoods[0]); i++) {
        struct trial trial = {&round, &falsehoods[i]};
        proof_try(falsehoods[i].name, falsehoods[i].words, falsehood_judge, &trial);
        tally->faults++;
    }
    results_round_fini(&round);
}
