// SPDX-License-Identifier: MIT
/*
 * The judge of the kind `results`: which jobs are there, and which records; see results.h. The
 * daemon has no pools while it is judged, so all stands still.
 *
 * The number of a record is told as the place where a list goes on: a page of one record ends with
 * its own. Such pages are asked for many at once, each below a number that is one lower, since
 * numbers have few gaps.
 */
#include "crash.h"
#include "results.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wire.h>

#define BATCH 64
#define PAGE 500
#define FAULTS_TOLD 20

struct judging {
    struct results *results;
    struct wire wire;
    unsigned faults;
    struct buf commands, reply;
};

static void __attribute__((format(printf, 2, 3)))
fault(struct judging *judging, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (judging->faults++ < FAULTS_TOLD) {
        fputs("fault: ", stderr);
        vfprintf(stderr, format, args);
        fputc('\n', stderr);
    }
    va_end(args);
}

/* ---- asking ---- */

static void call_say(struct judging *judging, const char *method, const char *json)
{
    if (buf_printf(&judging->commands, "call %s %zu\r\n%s\r\n", method, strlen(json), json) != 0)
        fail("no memory");
}

static void calls_send(struct judging *judging)
{
    wire_send(&judging->wire, judging->commands.data, judging->commands.len);
    buf_clear(&judging->commands);
}

static const char *next_reply(struct judging *judging)
{
    buf_clear(&judging->reply);
    if (!wire_reply(&judging->wire, &judging->reply))
        fail("the daemon went while it was judged");
    if (strncmp(judging->reply.data, "OK ", 3) != 0)
        fail("the daemon refuses to be judged: %.300s", judging->reply.data);
    return judging->reply.data;
}

static uint64_t number_after(const char *json, const char *word)
{
    const char *at = strstr(json, word);
    return at != NULL ? strtoull(at + strlen(word), NULL, 10) : 0;
}

/* ---- whose is it? ---- */

static bool is_in_tube(const struct results *results, const struct result_job *job, const char *row)
{
    char tube[60];
    snprintf(tube, sizeof(tube), "\"tube\":\"%s\"", results->oracle->tubes[job->tube].name);
    return strstr(row, tube) != NULL;
}

/* A put whose answer never came: by its name, or by tube and size. */
static struct result_job *unanswered(const struct results *results, const char *row)
{
    const char *name = strstr(row, "\"name\":\"s");
    uint64_t serial = number_after(row, "\"name\":\"s");
    for (size_t i = 0; i < results->job_count; i++) {
        struct result_job *job = results->jobs[i];
        if (job->id == 0 && !job->nowhere && job->named == (name != NULL) &&
            (name == NULL || job->serial == serial) && is_in_tube(results, job, row) &&
            number_after(row, "\"size\":") == job->size)
            return job;
    }
    return NULL;
}

static struct result_job *job_of_row(struct judging *judging, const char *row)
{
    struct results *results = judging->results;
    uint64_t id = number_after(row, "\"id\":");
    struct result_job *job = results_job(results, id);
    if (job == NULL && (job = unanswered(results, row)) != NULL) {
        results_id(results, job, id);
        job->put_at = job->named ? job->put_at : 0; /* it may be another one of that size */
    }
    if (job == NULL)
        fault(judging, "job %" PRIu64 " is none that was ever put: %.300s", id, row);
    return job;
}

/* ---- what is there ---- */

static void present_row(struct judging *judging, const char *row)
{
    struct result_job *job = job_of_row(judging, row);
    if (job == NULL)
        return;
    if (job->presence != PRESENT_NOT)
        fault(judging, "job %" PRIu64 " is there twice", job->id);
    job->presence = strstr(row, "\"state\":\"buried\"") != NULL ? PRESENT_BURIED : PRESENT;
}

static void present_read(struct judging *judging)
{
    uint64_t from = 0;
    do {
        char json[80];
        snprintf(json, sizeof(json),
                 from > 0 ? "{\"limit\":%d,\"from\":%" PRIu64 "}" : "{\"limit\":%d}", PAGE, from);
        call_say(judging, "list", json);
        calls_send(judging);
        (void)next_reply(judging);
        char *row = strstr(judging->reply.data, "{\"id\":");
        while (row != NULL) {
            char *end = strchr(row, '}');
            char *next = end != NULL ? strstr(end, "{\"id\":") : NULL;
            if (next != NULL)
                next[-1] = '\0';
            from = number_after(next == NULL ? row : "", "\"next\":");
            present_row(judging, row);
            row = next;
        }
    } while (from > 0);
}

/* ---- records ---- */

static void record_row(struct judging *judging, const char *row, uint64_t number)
{
    struct result_job *job = job_of_row(judging, row);
    if (job == NULL)
        return;
    if (job->found != 0) {
        fault(judging, "job %" PRIu64 " has two records, %" PRIu64 " and %" PRIu64, job->id,
              job->found, number);
        return;
    }
    job->found = number;
    account_fini(&job->row);
    if (!account_read(&job->row, row))
        fault(judging, "job %" PRIu64 " is finished, and it isn't said when: %.300s", job->id, row);
}

/* A page of one record below each of these numbers; 0: from the latest on. Returns the lowest that
 * was found; 0: there is none below. */
static uint64_t records_batch(struct judging *judging, uint64_t lowest)
{
    uint64_t count = lowest == 0 ? 1 : lowest > BATCH ? BATCH : lowest;
    uint64_t first = lowest;
    bool more = true;
    for (uint64_t i = 0; i < count; i++) {
        char json[100];
        snprintf(json, sizeof(json),
                 first > 0 ? "{\"state\":\"finished\",\"limit\":1,\"from\":%" PRIu64 "}"
                           : "{\"state\":\"finished\",\"limit\":1}",
                 first - i);
        call_say(judging, "list", json);
    }
    calls_send(judging);
    for (uint64_t i = 0; i < count; i++) {
        const char *row = strstr(next_reply(judging), "{\"id\":");
        uint64_t number = row != NULL ? number_after(row, "\"next\":") : 0;
        more = more && number > 0;
        if (row == NULL || !more || (lowest > 0 && number >= lowest))
            continue; /* there is none, or it is known */
        lowest = number;
        record_row(judging, row, number);
    }
    return more ? lowest : 0;
}

static void records_read(struct judging *judging)
{
    uint64_t lowest = 0;
    do
        lowest = records_batch(judging, lowest);
    while (lowest > 1);
}

/* ---- what must be ---- */

static void end_judge(struct judging *judging, const struct result_job *job)
{
    const struct account *told = &job->account, *row = &job->row;
    if (job->found == 0)
        fault(judging, "job %" PRIu64 " (put %" PRIu64 ") has ended as %s, and has no record",
              job->id, job->serial, told->outcome);
    else if (strcmp(told->outcome, row->outcome) != 0)
        fault(judging, "job %" PRIu64 " has ended as %s, and is recorded as %s", job->id,
              told->outcome, row->outcome);
    else if (told->counts[0] != '\0' && strcmp(told->counts, row->counts) != 0)
        fault(judging, "job %" PRIu64 " was told to have the counts %s; recorded are %s", job->id,
              told->counts, row->counts);
    if (job->found != 0 && job->number != 0 && job->found != job->number)
        fault(judging, "job %" PRIu64 ": the number of its record was %" PRIu64 " and is %" PRIu64,
              job->id, job->number, job->found);
}

static void job_judge(struct judging *judging, const struct result_job *job)
{
    bool there = job->presence != PRESENT_NOT;
    bool promised = results_promised(judging->results, job);
    if (job->id == 0)
        return;
    judging->results->compared++;
    if (job->presence == PRESENT && job->found != 0 && promised)
        fault(judging, "job %" PRIu64 " is there, and is recorded as %s", job->id,
              job->row.outcome);
    judging->results->again += job->presence == PRESENT && job->found != 0;
    if (!job->kept && job->found != 0)
        fault(judging, "job %" PRIu64 " has a record, %s, and asked for none", job->id,
              job->row.outcome);
    if (there && job->gone && promised)
        fault(judging, "job %" PRIu64 " is there again; its end was told", job->id);
    if (promised && job->buried && job->presence != PRESENT_BURIED)
        fault(judging, "job %" PRIu64 " is %s; it was buried", job->id,
              there ? "there in another state" : "gone");
    if (promised && job->ended && job->kept)
        end_judge(judging, job);
    else if (promised && job->kept && !there && job->found == 0 && !job->gone && !job->deleting)
        fault(judging, "job %" PRIu64 " (put %" PRIu64 ", acknowledged) is gone without a record",
              job->id, job->serial);
}

/* Numbers: as results.h says. */
static int by_number(const void *a, const void *b)
{
    const struct result_job *const *one = a, *const *other = b;
    return (*one)->found < (*other)->found ? -1 : (*one)->found > (*other)->found;
}

static void order_judge(struct judging *judging)
{
    const struct results *results = judging->results;
    const struct result_job **recorded = calloc(results->job_count + 1, sizeof(*recorded));
    const struct result_job *latest = NULL;
    size_t count = 0;
    if (recorded == NULL)
        fail("no memory");
    for (size_t i = 0; i < results->job_count; i++)
        if (results->jobs[i]->found != 0)
            recorded[count++] = results->jobs[i];
    qsort(recorded, count, sizeof(*recorded), by_number);
    for (size_t i = 0; i < count; i++) {
        const struct result_job *job = recorded[i];
        if (latest == NULL || job->put_at > latest->put_at)
            latest = job;
        if (job->told_at != 0 && job->told_at < latest->put_at)
            fault(judging,
                  "job %" PRIu64 " had ended before job %" PRIu64
                  " was put; their records have the numbers %" PRIu64 " and %" PRIu64,
                  job->id, latest->id, job->found, latest->found);
    }
    free(recorded);
}

/* ---- results ---- */

static bool has_result(const struct results *results, const struct result_job *job)
{
    return job->account.result != NULL && job->found != 0 && results_promised(results, job);
}

static void result_judge(struct judging *judging, const struct result_job *job)
{
    struct account shown;
    const char *reply = next_reply(judging);
    if (!account_read(&shown, reply))
        fault(judging, "job %" PRIu64 " has a record that isn't shown: %.300s", job->id, reply);
    else if (shown.result == NULL || !result_is_same(job, job->account.result, shown.result))
        fault(judging, "job %" PRIu64 " was told to have the result %.400s; shown is %.400s",
              job->id, job->account.result, reply);
    else if (strcmp(shown.counts, job->account.counts) != 0)
        fault(judging, "job %" PRIu64 " was told to have the counts %s; shown are %s", job->id,
              job->account.counts, shown.counts);
    account_fini(&shown);
}

static void results_compare(struct judging *judging)
{
    const struct results *results = judging->results;
    const struct result_job *asked[BATCH];
    size_t count = 0;
    for (size_t i = 0; i <= results->job_count; i++) {
        char json[40];
        if (i < results->job_count && has_result(results, results->jobs[i])) {
            asked[count++] = results->jobs[i];
            snprintf(json, sizeof(json), "{\"id\":%" PRIu64 "}", results->jobs[i]->id);
            call_say(judging, "show", json);
        }
        if (count == 0 || (count < BATCH && i < results->job_count))
            continue;
        calls_send(judging);
        for (size_t k = 0; k < count; k++)
            result_judge(judging, asked[k]);
        count = 0;
    }
}

/* ---- settling ---- */

/* What was found is so from now on. */
static void settle(struct result_job *job, bool promised)
{
    bool there = job->presence != PRESENT_NOT;
    if (!promised && (there || job->found == 0)) {
        account_fini(&job->account);
        job->account = (struct account){.result = NULL};
        job->ended = job->gone = false;
        job->told_at = job->number = 0;
    }
    if (!promised && job->found != 0)
        job->told_at = 0;                              /* which end it was isn't known */
    if (job->found != 0 && job->presence != PRESENT) { /* else it ends again */
        if (!job->ended)
            job->account = job->row;
        job->ended = true;
        job->number = job->found;
    }
    job->again = job->again || (there && job->found != 0);
    job->nowhere = job->id == 0;
    job->gone = job->id != 0 && !there;
    job->claimed = job->buried = job->presence == PRESENT_BURIED;
    job->deleting = false;
}

void results_judge(struct results *results, const char *socket)
{
    char address[256];
    struct judging judging = {.results = results};
    snprintf(address, sizeof(address), "unix:%s", socket);
    wire_connect(&judging.wire, address);
    buf_init(&judging.commands);
    buf_init(&judging.reply);
    for (size_t i = 0; i < results->job_count; i++) {
        results->jobs[i]->presence = PRESENT_NOT;
        results->jobs[i]->found = 0;
    }
    present_read(&judging);
    records_read(&judging);
    for (size_t i = 0; i < results->job_count; i++)
        job_judge(&judging, results->jobs[i]);
    order_judge(&judging);
    results_compare(&judging);
    for (size_t i = 0; i < results->job_count; i++)
        settle(results->jobs[i], results_promised(results, results->jobs[i]));
    wire_close(&judging.wire);
    buf_fini(&judging.commands);
    buf_fini(&judging.reply);
    if (judging.faults > 0)
        fail("%u faults", judging.faults);
}
