// SPDX-License-Identifier: MIT
/* What was told of ends: see results.h. */
#include "results.h"
#include "crash.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void results_init(struct results *results, struct oracle *oracle, bool power)
{
    static const char *const names[] = {
        [SERVED_NULL] = "null", [SERVED_ECHO] = "echo", [SERVED_HELD] = "held"};
    *results = (struct results){.oracle = oracle, .power = power};
    for (int i = 0; i < TUBES; i++)
        snprintf(oracle->tubes[i].name, sizeof(oracle->tubes[i].name), "%s-%d",
                 names[tube_served(i)], i);
}

void results_fini(struct results *results)
{
    for (size_t i = 0; i < results->job_count; i++) {
        account_fini(&results->jobs[i]->account);
        free(results->jobs[i]);
    }
    free(results->jobs);
    free(results->by_id);
    *results = (struct results){.jobs = NULL};
}

/* ---- jobs ---- */

struct result_job *results_job_new(struct results *results, int tube, uint32_t size)
{
    struct result_job *job = calloc(1, sizeof(*job)); /* no magic: as struct job of the oracle */
    results->jobs = oracle_grown(results->jobs, &results->job_cap, results->job_count + 1,
                                 sizeof(struct result_job *));
    if (job == NULL)
        fail("no memory");
    job->serial = results->job_count;
    job->tube = tube;
    job->size = size;
    job->kept = true;
    job->put_at = ++results->moment;
    results->jobs[results->job_count++] = job;
    return job;
}

struct result_job *results_job(const struct results *results, uint64_t id)
{
    return id < results->id_cap ? results->by_id[id] : NULL;
}

void results_id(struct results *results, struct result_job *job, uint64_t id)
{
    const struct result_job *other = results_job(results, id);
    if (id == 0 || id > (UINT64_C(1) << 27))
        fail("job %" PRIu64 ": that id is out of all proportion", id);
    if (other != NULL && other != job)
        fail("id %" PRIu64 " was issued twice: for put %" PRIu64 " and for put %" PRIu64, id,
             other->serial, job->serial);
    results->by_id =
        oracle_grown(results->by_id, &results->id_cap, id + 1, sizeof(struct result_job *));
    results->by_id[id] = job;
    job->id = id;
}

/* Letters, so that JSON has them as they are. */
void results_body(struct buf *out, const struct result_job *job)
{
    struct unit_random random = {job->serial * UINT64_C(0x2545f4914f6cdd1d)};
    for (uint32_t i = 0; i < job->size; i++)
        if (buf_append_char(out, (char)('a' + unit_random_below(&random, 26))) != 0)
            fail("no memory");
}

bool results_promised(const struct results *results, const struct result_job *job)
{
    enum level level = results->oracle->tubes[job->tube].level;
    return level == LEVEL_COMMIT || (level == LEVEL_INTERVAL && !results->power);
}

/* ---- accounts ---- */

/* The text between these two, which begins with the first; false: it isn't there, or too long. */
static bool text_between(const char *json, const char *from, const char *to, char *text,
                         size_t size)
{
    const char *start = strstr(json, from);
    const char *end = start != NULL ? strstr(start + strlen(from), to) : NULL;
    if (end == NULL || (size_t)(end - start) >= size)
        return false;
    memcpy(text, start, (size_t)(end - start));
    text[end - start] = '\0';
    return true;
}

bool account_read(struct account *account, const char *json)
{
    char outcome[64], losses[64];
    const char *result = strstr(json, "\"result\":{");
    const char *last = strstr(json, "\"losses\":");
    *account = (struct account){.result = NULL};
    if (result == NULL && strstr(json, "\"ended\":") == NULL)
        return false;
    const char *word = result != NULL ? "\"outcome\":\"" : "\"state\":\"";
    if (last == NULL || !text_between(result != NULL ? result : json, word, "\",", outcome, 40) ||
        !text_between(json, "\"size\":", "\"losses\":", account->counts, 160))
        fail("an end is told in other words: %.400s", json);
    snprintf(losses, sizeof(losses), "%.*s", (int)(9 + strspn(last + 9, "0123456789")), last);
    strncat(account->counts, losses, sizeof(account->counts) - strlen(account->counts) - 1);
    snprintf(account->outcome, sizeof(account->outcome), "%s", outcome + strlen(word));
    account->result = result != NULL ? strdup(result) : NULL;
    if (result != NULL && account->result == NULL)
        fail("no memory");
    return true;
}

void account_fini(struct account *account)
{
    free(account->result);
    account->result = NULL;
}

bool result_is_same(const struct result_job *job, const char *told, const char *other)
{
    const char *end = strstr(told, ",\"earlier\":["), *other_end = strstr(other, ",\"earlier\":[");
    if (!job->again)
        return strcmp(told, other) == 0;
    size_t len = end != NULL ? (size_t)(end - told) : strcspn(told, "\r");
    size_t other_len = other_end != NULL ? (size_t)(other_end - other) : strcspn(other, "\r");
    /* Without earlier attempts the object, and two around it, end there. */
    len -= end == NULL ? strlen("}}}") : 0;
    other_len -= other_end == NULL ? strlen("}}}") : 0;
    return len == other_len && memcmp(told, other, len) == 0;
}

/* What echo writes is the body; long ones may be cut. */
static void output_check(const struct result_job *job, const struct account *account)
{
    struct buf body = BUF_EMPTY;
    const char *said = strstr(account->result, "\"stdout\":\"");
    bool same = true;
    results_body(&body, job);
    if (tube_served(job->tube) == SERVED_ECHO && strcmp(account->outcome, "done") == 0)
        same =
            said != NULL && strncmp(said + 10, body.data != NULL ? body.data : "", body.len) == 0;
    buf_fini(&body);
    if (!same)
        fail("job %" PRIu64 " has written something else than its body: %.200s", job->id,
             account->result);
}

void results_told(struct results *results, struct result_job *job, const char *json)
{
    struct account account;
    if (!account_read(&account, json))
        fail("job %" PRIu64 ": an end without words: %.400s", job->id, json);
    output_check(job, &account);
    if (job->ended && strcmp(job->account.outcome, account.outcome) != 0)
        fail("job %" PRIu64 " has ended as %s, and then as %s", job->id, job->account.outcome,
             account.outcome);
    if (job->account.result != NULL && !result_is_same(job, job->account.result, account.result))
        fail("job %" PRIu64 " was told to have the result %s and then %s", job->id,
             job->account.result, account.result);
    account_fini(&job->account);
    job->account = account;
    results->told += !job->ended || job->told_at == 0;
    job->ended = true;
    job->buried = strstr(json, "\"state\":\"buried\"") != NULL;
    job->gone = job->gone || !job->buried;
    if (job->told_at == 0)
        job->told_at = ++results->moment;
}
