// SPDX-License-Identifier: MIT
/*
 * The judge: see judge.h. Asks for statistics and body of each job, in batches, and for the pause
 * of each tube. A put whose answer never came is recognized by its body. At the end the number of
 * jobs that were found must be that of the daemon's own statistics, so none is there that nobody
 * knows.
 *
 * Times: a delay ends at a moment of the wall clock that is known up to the time between command
 * and answer; the daemon tells whole seconds.
 */
#include "judge.h"

#include "actors.h"

#include "base/clock.h"

#include <hilera/thread.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wire.h>

#define BATCH 100
#define AROUND                                                                                     \
    (UINT64_C(1) * ACTORS * OPS_MAX) /* unanswered puts of a life have ids within so many */
#define FAULTS_TOLD 20
#define ROUNDING_NS (HL_SECOND + HL_SECOND / 2)

struct judging {
    struct oracle *oracle;
    struct wire wire;
    unsigned faults;
    uint64_t found;
    uint64_t unseen; /* puts without an answer whose ids can't be guessed */
    uint64_t batch[BATCH];
    unsigned batch_len;
};

/* What the daemon says of a job. */
struct testimony {
    char state[16], tube[64];
    uint64_t pri, ttr, releases, buries;
    int64_t left_s;
    int64_t from_ns, to_ns; /* when it was said, wall clock */
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

static void ask(struct judging *judging, const char *command, struct buf *reply)
{
    buf_clear(reply);
    wire_send(&judging->wire, command, strlen(command));
    if (!wire_reply(&judging->wire, reply))
        fail("the daemon went while it was judged");
}

static void next_reply(struct judging *judging, struct buf *reply)
{
    buf_clear(reply);
    if (!wire_reply(&judging->wire, reply))
        fail("the daemon went while it was judged");
}

/* The text behind "KEY: " on its line; "" if there is none. */
static void text_of(const struct buf *stats, const char *key, char *to, size_t size)
{
    char line[64];
    snprintf(line, sizeof(line), "\n%s: ", key);
    const char *found = strstr(stats->data, line);
    to[0] = '\0';
    if (found == NULL)
        return;
    found += strlen(line);
    size_t len = strcspn(found, "\r\n");
    snprintf(to, size, "%.*s", (int)(len < size ? len : size - 1), found);
}

static uint64_t number_of(const struct buf *stats, const char *key)
{
    char text[32];
    text_of(stats, key, text, sizeof(text));
    return strtoull(text, NULL, 10);
}

static void testimony_read(struct testimony *said, const struct buf *stats, int64_t from_ns)
{
    char name[80];
    *said = (struct testimony){.from_ns = from_ns, .to_ns = clock_wall_ns()};
    text_of(stats, "state", said->state, sizeof(said->state));
    text_of(stats, "tube", name, sizeof(name));
    size_t quoted = name[0] == '"';
    snprintf(said->tube, sizeof(said->tube), "%s", name + quoted);
    if (quoted)
        said->tube[strcspn(said->tube, "\"")] = '\0';
    said->pri = number_of(stats, "pri");
    said->ttr = number_of(stats, "ttr");
    said->releases = number_of(stats, "releases");
    said->buries = number_of(stats, "buries");
    said->left_s = (int64_t)number_of(stats, "time-left");
}

/* ---- one job ---- */

static bool fate_fits(const struct fate *fate, const struct testimony *said)
{
    bool ready = strcmp(said->state, "ready") == 0;
    if (fate->kind == FATE_GONE || fate->pri != said->pri)
        return false;
    if (fate->kind == FATE_READY)
        return ready;
    if (fate->kind == FATE_BURIED)
        return strcmp(said->state, "buried") == 0;
    if (ready)
        return fate->due_from_ns <= said->to_ns;
    int64_t left_ns = said->left_s * HL_SECOND;
    return strcmp(said->state, "delayed") == 0 &&
           left_ns >= fate->due_from_ns - said->to_ns - ROUNDING_NS &&
           left_ns <= fate->due_to_ns - said->from_ns + ROUNDING_NS;
}

static void fate_say(const struct fate *fate, int64_t now_ns, struct buf *out)
{
    static const char *const names[] = {[FATE_GONE] = "gone",
                                        [FATE_READY] = "ready",
                                        [FATE_DELAYED] = "delayed",
                                        [FATE_BURIED] = "buried"};
    (void)buf_printf(out, "%s", names[fate->kind]);
    if (fate->kind != FATE_GONE)
        (void)buf_printf(out, " with priority %" PRIu32, fate->pri);
    if (fate->kind == FATE_DELAYED)
        (void)buf_printf(out, " for another %.3f to %.3f s",
                         (double)(fate->due_from_ns - now_ns) / HL_SECOND,
                         (double)(fate->due_to_ns - now_ns) / HL_SECOND);
}

static void fate_fault(struct judging *judging, const struct job *job, const char *found)
{
    struct buf must = BUF_EMPTY;
    for (unsigned i = 0; i < job->fate_count; i++) {
        (void)buf_append_str(&must, i > 0 ? ", or " : "");
        fate_say(&job->fates[i], clock_wall_ns(), &must);
    }
    fault(judging,
          "job %" PRIu64 " (put %" PRIu64 ", %" PRIu32 " bytes, ttr %" PRIu32
          ") is %s; it must be %s",
          job->id, job->serial, job->size, job->ttr, found, must.data);
    buf_fini(&must);
}

static void counts_check(struct judging *judging, struct job *job, const struct testimony *said)
{
    bool exact = judging->oracle->window_ns == 0;
    if (said->releases > job->releases[1] || (exact && said->releases < job->releases[0]))
        fault(judging, "job %" PRIu64 ": %" PRIu64 " releases instead of %" PRIu32 " to %" PRIu32,
              job->id, said->releases, job->releases[0], job->releases[1]);
    if (said->buries > job->buries[1] || (exact && said->buries < job->buries[0]))
        fault(judging, "job %" PRIu64 ": %" PRIu64 " burials instead of %" PRIu32 " to %" PRIu32,
              job->id, said->buries, job->buries[0], job->buries[1]);
    job->releases[0] = job->releases[1] = (uint32_t)said->releases;
    job->buries[0] = job->buries[1] = (uint32_t)said->buries;
}

static void job_settle(struct judging *judging, struct job *job, const struct testimony *said)
{
    char found[160];
    unsigned left = 0;
    for (unsigned i = 0; i < job->fate_count; i++)
        if (fate_fits(&job->fates[i], said))
            job->fates[left++] = job->fates[i];
    snprintf(found, sizeof(found), "%s with priority %" PRIu64 ", time left %" PRId64 " s",
             said->state, said->pri, said->left_s);
    if (left == 0)
        fate_fault(judging, job, found);
    else
        job->fate_count = left;
    if (job->fate_count > 1 && strcmp(said->state, "ready") == 0) {
        job->fates[0] = (struct fate){.kind = FATE_READY, .pri = (uint32_t)said->pri};
        job->fate_count = 1;
    }
    const char *tube = judging->oracle->tubes[job->tube].name;
    if (strcmp(said->tube, tube) != 0)
        fault(judging, "job %" PRIu64 " is in tube %s instead of %s", job->id, said->tube, tube);
    if (said->ttr != job->ttr)
        fault(judging, "job %" PRIu64 " has TTR %" PRIu64 " instead of %" PRIu32, job->id,
              said->ttr, job->ttr);
    counts_check(judging, job, said);
}

/* An id that nobody was told of: one of the puts that were not answered. */
static struct job *unanswered_put(struct judging *judging, const char *body, size_t len,
                                  const struct testimony *said)
{
    struct oracle *oracle = judging->oracle;
    for (size_t i = oracle->job_count; i > 0; i--) {
        struct job *job = oracle->jobs[i - 1];
        bool fits = false;
        for (unsigned k = 0; k < job->fate_count && job->id == 0; k++)
            fits = fits || fate_fits(&job->fates[k], said);
        if (fits && job->ttr == said->ttr &&
            strcmp(oracle->tubes[job->tube].name, said->tube) == 0 &&
            body_is(body, len, job->serial, job->size))
            return job;
    }
    return NULL;
}

static void body_judge(struct judging *judging, uint64_t id, const struct buf *reply,
                       const struct testimony *said)
{
    uint64_t told;
    size_t len;
    struct job *job = oracle_job(judging->oracle, id);
    if (sscanf(reply->data, "FOUND %" SCNu64 " %zu", &told, &len) != 2 || told != id) {
        fault(judging, "job %" PRIu64 ": its body: %.60s", id, reply->data);
        return;
    }
    const char *body = reply->data + reply->len - 2 - len;
    judging->found++;
    if (job == NULL) {
        job = unanswered_put(judging, body, len, said);
        if (job == NULL) {
            fault(judging, "job %" PRIu64 ", %s, of %zu bytes, is none that was ever put", id,
                  said->state, len);
            return;
        }
        oracle_told(judging->oracle, job, id);
    } else if (!body_is(body, len, job->serial, job->size)) {
        fault(judging, "job %" PRIu64 " has another body than that of put %" PRIu64, id,
              job->serial);
    }
    job_settle(judging, job, said);
}

static void job_judge(struct judging *judging, uint64_t id, int64_t from_ns, struct buf *reply)
{
    struct testimony said;
    struct job *job = oracle_job(judging->oracle, id);
    next_reply(judging, reply);
    bool there = strncmp(reply->data, "OK ", 3) == 0;
    if (there)
        testimony_read(&said, reply, from_ns);
    else if (strcmp(reply->data, "NOT_FOUND\r\n") != 0)
        fault(judging, "stats-job %" PRIu64 ": %.60s", id, reply->data);
    next_reply(judging, reply);
    if (there) {
        body_judge(judging, id, reply, &said);
    } else if (strcmp(reply->data, "NOT_FOUND\r\n") != 0) {
        fault(judging, "peek %" PRIu64 ": %.60s, but stats-job finds nothing", id, reply->data);
    } else if (job != NULL) {
        if (!job_may_be(job, FATE_GONE))
            fate_fault(judging, job, "gone");
        job->fates[0] = (struct fate){.kind = FATE_GONE};
        job->fate_count = 1;
    }
}

/* ---- all of them ---- */

static void batch_judge(struct judging *judging)
{
    struct buf commands = BUF_EMPTY, reply = BUF_EMPTY;
    int64_t from_ns = clock_wall_ns();
    for (unsigned i = 0; i < judging->batch_len; i++)
        (void)buf_printf(&commands, "stats-job %" PRIu64 "\r\npeek %" PRIu64 "\r\n",
                         judging->batch[i], judging->batch[i]);
    if (judging->batch_len > 0)
        wire_send(&judging->wire, commands.data, commands.len);
    for (unsigned i = 0; i < judging->batch_len; i++)
        job_judge(judging, judging->batch[i], from_ns, &reply);
    judging->batch_len = 0;
    buf_fini(&commands);
    buf_fini(&reply);
}

static void id_judge(struct judging *judging, uint64_t id)
{
    judging->batch[judging->batch_len++] = id;
    if (judging->batch_len == BATCH)
        batch_judge(judging);
}

static void jobs_judge(struct judging *judging)
{
    struct oracle *oracle = judging->oracle;
    uint64_t last = oracle->life_first > 0 ? oracle->life_last + AROUND : 0;
    for (size_t i = 0; i < oracle->job_count; i++)
        if (oracle->jobs[i]->id != 0)
            id_judge(judging, oracle->jobs[i]->id);
    batch_judge(judging);
    for (uint64_t id = oracle->life_first; id > 0 && id <= last; id++)
        if (oracle_job(oracle, id) == NULL)
            id_judge(judging, id);
    batch_judge(judging);
    /* Puts that were not answered and are not there: they must not come later. */
    for (size_t i = 0; i < oracle->job_count; i++)
        if (oracle->jobs[i]->id == 0) {
            judging->unseen += oracle->life_first == 0 && !job_is(oracle->jobs[i], FATE_GONE);
            oracle->jobs[i]->fates[0] = (struct fate){.kind = FATE_GONE};
            oracle->jobs[i]->fate_count = 1;
        }
}

/* ---- tubes, totals ---- */

static bool pause_fits(const struct pause *pause, int64_t left_s, int64_t from_ns, int64_t to_ns)
{
    int64_t left_ns = left_s * HL_SECOND;
    if (left_s == 0)
        return pause->until_from_ns <= to_ns + ROUNDING_NS;
    return left_ns >= pause->until_from_ns - to_ns - ROUNDING_NS &&
           left_ns <= pause->until_to_ns - from_ns + ROUNDING_NS;
}

static bool tube_must_be(const struct oracle *oracle, int index)
{
    for (size_t i = 0; i < oracle->job_count; i++)
        if (oracle->jobs[i]->tube == index && !job_may_be(oracle->jobs[i], FATE_GONE))
            return true;
    return false;
}

static void tube_judge(struct judging *judging, int index, struct buf *reply)
{
    char command[64];
    struct tube *tube = &judging->oracle->tubes[index];
    int64_t from_ns = clock_wall_ns();
    snprintf(command, sizeof(command), "stats-tube %s\r\n", tube->name);
    ask(judging, command, reply);
    if (strncmp(reply->data, "OK ", 3) != 0) {
        if (tube_must_be(judging->oracle, index))
            fault(judging, "tube %s: %.60s", tube->name, reply->data);
        tube_paused(judging->oracle, index, 0, 0, true);
        return;
    }
    int64_t left_s = (int64_t)number_of(reply, "pause-time-left"), now_ns = clock_wall_ns();
    size_t left = 0;
    for (size_t i = 0; i < tube->pause_count; i++)
        if (pause_fits(&tube->pauses[i], left_s, from_ns, now_ns))
            tube->pauses[left++] = tube->pauses[i];
    if (left == 0)
        fault(judging,
              "tube %s is paused for another %" PRId64 " s; it must be for %.3f (%zu possible)",
              tube->name, left_s, (double)(tube->pauses[0].until_from_ns - now_ns) / HL_SECOND,
              tube->pause_count);
    else
        tube->pause_count = left;
}

static void total_judge(struct judging *judging, struct buf *reply)
{
    ask(judging, "stats\r\n", reply);
    uint64_t reserved = number_of(reply, "current-jobs-reserved");
    uint64_t all = reserved + number_of(reply, "current-jobs-ready") +
                   number_of(reply, "current-jobs-delayed") +
                   number_of(reply, "current-jobs-buried");
    if (reserved > 0)
        fault(judging, "%" PRIu64 " jobs are reserved, by nobody", reserved);
    if (all < judging->found || all > judging->found + judging->unseen)
        fault(judging, "the daemon counts %" PRIu64 " jobs, of which %" PRIu64 " are known", all,
              judging->found);
}

void judge(struct oracle *oracle, const char *socket)
{
    char address[256];
    struct buf reply = BUF_EMPTY;
    struct judging judging = {.oracle = oracle};
    snprintf(address, sizeof(address), "unix:%s", socket);
    wire_connect(&judging.wire, address);
    jobs_judge(&judging);
    for (int i = 0; i < TUBES; i++)
        tube_judge(&judging, i, &reply);
    total_judge(&judging, &reply);
    wire_close(&judging.wire);
    buf_fini(&reply);
    oracle->life_first = oracle->life_last = 0;
    if (judging.faults > 0)
        fail("%u faults", judging.faults);
}

/* ---- the beginning of a life ---- */

static bool has_stone(const struct oracle *oracle, int tube)
{
    for (size_t i = 0; i < oracle->job_count; i++)
        if (oracle->jobs[i]->tube == tube && oracle->jobs[i]->stone &&
            !job_is(oracle->jobs[i], FATE_GONE))
            return true;
    return false;
}

/* One put, waited for. */
static bool put_one(struct oracle *oracle, struct wire *wire, int tube, uint32_t delay)
{
    struct op op;
    struct buf bytes = BUF_EMPTY;
    command_put(oracle, &bytes, &op, tube, delay);
    job_claim(op.job, 0);
    bool sent = line_say(wire->fd, bytes.data, bytes.len), done = false;
    buf_clear(&bytes);
    bool heard = sent && wire_reply(wire, &bytes); /* USING */
    buf_clear(&bytes);
    if (heard && wire_reply(wire, &bytes))
        done = deed_answered(oracle, &op, bytes.data) == DEED_DONE;
    else
        deed_doubt(oracle, &op);
    buf_fini(&bytes);
    return done;
}

bool judge_begin(struct oracle *oracle, const char *socket)
{
    struct wire wire = {.fd = line_open(socket), .in = BUF_EMPTY};
    bool done = true;
    if (wire.fd < 0)
        return false;
    for (int i = 0; done && i < TUBE_OWN; i++)
        if (!has_stone(oracle, i))
            done = put_one(oracle, &wire, i, STONE_DELAY);
    done = done && put_one(oracle, &wire, 0, 0);
    wire_close(&wire);
    return done;
}
