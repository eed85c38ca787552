// SPDX-License-Identifier: MIT
/*
 * The clients of the kind `results`: connections that put jobs, that wait for jobs, and that end
 * jobs of tubes which no pool serves. Each connection has a few commands unanswered; which they are
 * is its role.
 *
 * A wait holds up what is behind it on its connection, so it has a timeout, and waits that time out
 * tell nothing. A job is ended by hand once: who does it claims it.
 */
#include "crash.h"
#include "results.h"

#include "actors.h"

#include "base/clock.h"

#include <hilera/thread.h>

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define LINES 12
#define LINE_DEPTH 8 /* unanswered commands, and one that comes in company */
#define PUTS_DEPTH 2 /* fewer, so that most jobs are waited for */
#define LATELY 60    /* jobs put last, which are waited for and ended */
#define WAITS_MAX 2  /* of one job at once */
#define TRIES 8      /* to find a job that suits */

enum errand_kind {
    ERRAND_PUT,
    ERRAND_WAIT,
    ERRAND_RESERVE,
    ERRAND_DELETE,
    ERRAND_BURY,
    ERRAND_CANCEL
};

/* A command that was sent. */
struct errand {
    enum errand_kind kind;
    struct result_job *job;
};

struct line {
    struct wire wire;
    struct buf out; /* made, not sent */
    struct errand errands[LINE_DEPTH + 1];
    unsigned count;
    void (*make)(struct results *results, struct line *line);
};

static void errand_add(struct line *line, enum errand_kind kind, struct result_job *job)
{
    line->errands[line->count++] = (struct errand){kind, job};
}

/* ---- commands ---- */

static uint32_t some_size(struct oracle *oracle)
{
    static const uint32_t limits[] = {1, 200, 200, 200, 200, 5000, 5000, 30001};
    return (uint32_t)oracle_below(oracle, limits[oracle_below(oracle, 8)]);
}

static void put_named(struct results *results, struct line *line, struct result_job *job)
{
    char head[200];
    const char *tube = results->oracle->tubes[job->tube].name;
    uint64_t retention = oracle_below(results->oracle, 6);
    int len = snprintf(head, sizeof(head), "{\"tube\":\"%s\",\"name\":\"s%" PRIu64 "\"%s%s}", tube,
                       job->serial,
                       retention == 0   ? ",\"retention\":0"
                       : retention == 1 ? ",\"retention\":100000"
                                        : "",
                       oracle_one_in(results->oracle, 3) ? ",\"awaited\":true" : "");
    job->named = true;
    job->kept = retention != 0;
    (void)buf_printf(&line->out, "submit %d %" PRIu32 "\r\n%s", len, job->size, head);
}

static void make_put(struct results *results, struct line *line)
{
    struct oracle *oracle = results->oracle;
    if (line->count >= PUTS_DEPTH)
        return;
    struct result_job *job =
        results_job_new(results, (int)oracle_below(oracle, TUBES), some_size(oracle));
    if (oracle_one_in(oracle, 2))
        put_named(results, line, job);
    else
        (void)buf_printf(&line->out, "put-in-tube %s %" PRIu64 " 0 1000 %" PRIu32 "\r\n",
                         oracle->tubes[job->tube].name, oracle_below(oracle, 2000), job->size);
    results_body(&line->out, job);
    (void)buf_append_str(&line->out, "\r\n");
    errand_add(line, ERRAND_PUT, job);
}

/* One of those that were put lately, now and then of all; NULL: what was met doesn't suit. */
static struct result_job *some_job(const struct results *results)
{
    struct oracle *oracle = results->oracle;
    size_t count = results->job_count;
    if (count == 0)
        return NULL;
    size_t span = count < LATELY || oracle_one_in(oracle, 16) ? count : LATELY;
    struct result_job *job = results->jobs[count - 1 - oracle_below(oracle, span)];
    return job->id != 0 && !job->nowhere ? job : NULL;
}

static void call_say(struct line *line, const char *method, const char *json)
{
    (void)buf_printf(&line->out, "call %s %zu\r\n%s\r\n", method, strlen(json), json);
}

static void make_wait(struct results *results, struct line *line)
{
    char json[80];
    for (int i = 0; i < TRIES; i++) {
        struct result_job *job = some_job(results);
        if (job == NULL || job->told_at != 0 || job->waits >= WAITS_MAX || job->gone)
            continue;
        job->waits++;
        snprintf(json, sizeof(json), "{\"id\":%" PRIu64 ",\"timeout\":0.%03d}", job->id,
                 10 + (int)oracle_below(results->oracle, 90));
        call_say(line, "wait", json);
        errand_add(line, ERRAND_WAIT, job);
        return;
    }
}

/* A job that nobody ends yet; those that are waited for first. */
static struct result_job *some_held(const struct results *results)
{
    struct result_job *found = NULL;
    for (int i = 0; i < TRIES; i++) {
        struct result_job *job = some_job(results);
        if (job == NULL || tube_served(job->tube) != SERVED_HELD || job->claimed || job->gone)
            continue;
        if (job->waits > 0)
            return job;
        found = job;
    }
    return found;
}

static void make_end(struct results *results, struct line *line)
{
    char json[40];
    struct oracle *oracle = results->oracle;
    struct result_job *job = some_held(results);
    if (job == NULL || (job->waits == 0 && !oracle_one_in(oracle, 4)))
        return;
    job->claimed = true;
    uint64_t how = oracle_below(oracle, 10);
    if (how == 0) {
        snprintf(json, sizeof(json), "{\"id\":%" PRIu64 "}", job->id);
        call_say(line, "cancel", json);
        errand_add(line, ERRAND_CANCEL, job);
        return;
    }
    if (how > 1) { /* else it is deleted where it stands */
        (void)buf_printf(&line->out, "reserve-job %" PRIu64 "\r\n", job->id);
        errand_add(line, ERRAND_RESERVE, job);
    }
    if (how == 2) {
        (void)buf_printf(&line->out, "bury %" PRIu64 " 7\r\n", job->id);
        errand_add(line, ERRAND_BURY, job);
    } else {
        (void)buf_printf(&line->out, "delete %" PRIu64 "\r\n", job->id);
        job->deleting = true;
        errand_add(line, ERRAND_DELETE, job);
    }
}

/* ---- answers ---- */

static bool begins(const char *reply, const char *words)
{
    return strncmp(reply, words, strlen(words)) == 0;
}

/* What can't be answered, unless the power goes. */
static void unexpected(const struct results *results, const struct result_job *job,
                       const char *what, const char *reply)
{
    if (results->losing == NULL || atomic_load(results->losing) == 0)
        fail("job %" PRIu64 " (put %" PRIu64 ", tube %s) %s: %.400s", job->id, job->serial,
             results->oracle->tubes[job->tube].name, what, reply);
}

static void put_answered(struct results *results, struct result_job *job, const char *reply)
{
    uint64_t id;
    if (sscanf(reply, "INSERTED %" SCNu64, &id) == 1) {
        results_id(results, job, id);
        return;
    }
    job->nowhere = true;
    results->refused++;
}

static void wait_answered(struct results *results, struct result_job *job, const char *reply)
{
    job->waits--;
    if (!begins(reply, "OK ")) {
        if (strstr(reply, "\"not_found\"") != NULL)
            unexpected(results, job, "was put, and isn't known", reply);
        return;
    }
    if (strstr(reply, "\"result\":{") != NULL)
        results_told(results, job, reply);
    else if (strstr(reply, "\"state\":\"buried\"") != NULL && !job->kept)
        job->buried = true; /* and no record tells how */
    else if (strstr(reply, "\"state\":\"finished\"") == NULL)
        unexpected(results, job, "isn't finished, and its wait is over", reply);
    else if (job->kept && !job->deleting && !job->gone)
        unexpected(results, job, "is finished, and nobody knows how", reply);
    else
        job->gone = true;
}

/* How it ended is known, and no more. */
static void ended_as(struct result_job *job, const char *outcome)
{
    if (!job->ended)
        snprintf(job->account.outcome, sizeof(job->account.outcome), "%s", outcome);
    else if (strcmp(job->account.outcome, outcome) != 0)
        fail("job %" PRIu64 " ended as %s; who waited was told: %s", job->id, outcome,
             job->account.outcome);
    job->ended = job->kept || job->ended;
}

static void answered(struct results *results, const struct errand *errand, const char *reply)
{
    struct result_job *job = errand->job;
    results->answers++;
    switch (errand->kind) {
    case ERRAND_PUT:
        put_answered(results, job, reply);
        return;
    case ERRAND_WAIT:
        wait_answered(results, job, reply);
        return;
    case ERRAND_RESERVE:
        if (!begins(reply, "RESERVED "))
            unexpected(results, job, "is in nobody's hands", reply);
        return;
    case ERRAND_DELETE:
        if (!begins(reply, "DELETED"))
            unexpected(results, job, "is to be deleted", reply);
        else
            job->gone = true;
        return;
    case ERRAND_BURY:
        if (!begins(reply, "BURIED")) {
            unexpected(results, job, "is to be buried", reply);
            return;
        }
        ended_as(job, "failed");
        job->buried = true;
        return;
    case ERRAND_CANCEL:
        if (!begins(reply, "OK ") || strstr(reply, "\"count\":1") == NULL) {
            unexpected(results, job, "is to be cancelled", reply);
            return;
        }
        ended_as(job, "cancelled");
        job->gone = true;
        return;
    }
}

static void hear(struct results *results, struct line *line)
{
    struct buf reply = BUF_EMPTY;
    size_t len;
    wire_fill(&line->wire);
    while ((len = wire_reply_len(&line->wire)) > 0) {
        struct errand errand = line->errands[0];
        buf_clear(&reply);
        if (line->count == 0)
            fail("an answer to nothing: %.200s", line->wire.in.data);
        if (buf_append(&reply, line->wire.in.data, len) != 0)
            fail("no memory");
        buf_consume(&line->wire.in, len);
        line->count--;
        memmove(line->errands, line->errands + 1, line->count * sizeof(errand));
        answered(results, &errand, reply.data);
    }
    buf_fini(&reply);
}

/* ---- connections ---- */

static void flush(struct line *line)
{
    while (line->out.len > 0 && !line->wire.ended) {
        ssize_t some =
            send(line->wire.fd, line->out.data, line->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (some < 0)
            return; /* it is full, or reading finds the end */
        buf_consume(&line->out, (size_t)some);
    }
}

static void lines_await(const struct line *lines, int64_t until_ns)
{
    struct pollfd ready[LINES];
    int64_t left_ns = until_ns - clock_now_ns();
    struct timespec left = {.tv_sec = left_ns / HL_SECOND, .tv_nsec = left_ns % HL_SECOND};
    for (int i = 0; i < LINES; i++) {
        ready[i] = (struct pollfd){.fd = lines[i].wire.fd, .events = POLLIN};
        if (lines[i].out.len > 0)
            ready[i].events |= POLLOUT;
    }
    if (left_ns > 0)
        (void)ppoll(ready, LINES, &left, NULL);
}

/* false: the daemon has gone. */
static bool lines_step(struct results *results, struct line *lines, int64_t until_ns)
{
    for (int i = 0; i < LINES; i++) {
        struct line *line = &lines[i];
        if (line->wire.ended)
            return false;
        for (int tries = 0; tries < TRIES && line->count < LINE_DEPTH; tries++)
            line->make(results, line);
        flush(line);
    }
    lines_await(lines, until_ns);
    for (int i = 0; i < LINES; i++)
        hear(results, &lines[i]);
    return true;
}

static void lines_end(struct results *results, struct line *lines)
{
    for (int i = 0; i < LINES; i++)
        if (lines[i].wire.fd >= 0)
            hear(results, &lines[i]);
    for (int i = 0; i < LINES; i++) {
        results->doubtful += lines[i].count;
        if (lines[i].wire.fd >= 0)
            wire_close(&lines[i].wire);
        buf_fini(&lines[i].out);
    }
    for (size_t i = 0; i < results->job_count; i++)
        results->jobs[i]->waits = 0;
}

void results_work(struct results *results, const char *socket, int64_t until_ns,
                  void (*end)(void *arg), void *arg)
{
    /* More of those that wait, since each is held up by what it waits for. */
    static void (*const makes[])(struct results *, struct line *) = {make_put, make_wait, make_end,
                                                                     make_wait};
    struct line lines[LINES] = {0};
    bool all = true;
    for (int i = 0; i < LINES; i++) {
        lines[i].make = makes[i % 4];
        lines[i].wire = (struct wire){.fd = line_open(socket), .in = BUF_EMPTY};
        buf_init(&lines[i].out);
        lines[i].wire.ended = lines[i].wire.fd < 0;
        all = all && !lines[i].wire.ended;
    }
    while (all && clock_now_ns() < until_ns)
        all = lines_step(results, lines, until_ns);
    end(arg);
    lines_end(results, lines);
}
