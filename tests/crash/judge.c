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
#include "testimony.h"

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
#define TICKETS_TRIED 200 /* the last ones */

struct judging {
    struct oracle *oracle;
    struct wire wire;
    unsigned faults, told, told_most;
    uint64_t found, reserved;
    uint64_t unseen; /* puts without an answer whose ids can't be guessed */
    uint64_t batch[BATCH];
    unsigned batch_len;
};

static void __attribute__((format(printf, 2, 3)))
fault(struct judging *judging, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    judging->faults++;
    if (judging->told < judging->told_most) {
        judging->told++;
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

/* ---- one job ---- */

static void fate_fault(struct judging *judging, const struct job *job, const struct testimony *said)
{
    struct buf text = BUF_EMPTY;
    if (said != NULL)
        testimony_say(said, &text);
    (void)buf_append_str(&text, said != NULL ? "; it must be " : "gone; it must be ");
    for (unsigned i = 0; i < job->fate_count; i++) {
        (void)buf_append_str(&text, i > 0 ? ", or " : "");
        fate_say(judging->oracle, &job->fates[i], clock_wall_ns(), &text);
    }
    fault(judging, "job %" PRIu64 " (put %" PRIu64 ", %" PRIu32 " bytes, ttr %" PRIu32 ") is %s",
          job->id, job->serial, job->size, job->ttr, text.data);
    buf_fini(&text);
}

/* Leases that nobody was told of are those whose answers never came. */
static void reserves_judge(struct judging *judging, const struct job *job,
                           const struct testimony *said)
{
    uint64_t most = job->reserves + judging->oracle->strays;
    if (said->reserves > most || said->timeouts > said->reserves)
        fault(judging,
              "job %" PRIu64 " is said to have been reserved %" PRIu64 " times, of which %" PRIu64
              " timed out; it was %" PRIu64 " times at most",
              job->id, said->reserves, said->timeouts, most);
}

static void job_settle(struct judging *judging, struct job *job, const struct testimony *said)
{
    unsigned left = 0;
    for (unsigned i = 0; i < job->fate_count; i++)
        if (testimony_fits(judging->oracle, said, &job->fates[i]))
            job->fates[left++] = job->fates[i];
    if (left == 0)
        fate_fault(judging, job, said);
    else
        job->fate_count = left;
    reserves_judge(judging, job, said);
    if (said->ttr != job->ttr)
        fault(judging, "job %" PRIu64 " has TTR %" PRIu64 " instead of %" PRIu32, job->id,
              said->ttr, job->ttr);
    /* What is there now has been read from the disk, so it is the least for the next start. */
    job->reserves = (uint32_t)said->reserves;
    job->leased = said->leased;
    for (unsigned i = 0; i < job->fate_count; i++) {
        job->fates[i].reserves = (uint32_t)said->reserves;
        job->fates[i].timeouts = (uint32_t)said->timeouts;
        if (strcmp(said->state, "ready") == 0 && job->fates[i].kind == FATE_DELAYED) {
            job->fates[i].kind = FATE_READY;
            job->fates[i].due_from_ns = job->fates[i].due_to_ns = 0;
        }
    }
    for (left = 1; left < job->fate_count;)
        if (fate_is_same(&job->fates[0], &job->fates[left]))
            job->fates[left] = job->fates[--job->fate_count];
        else
            left++;
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
            fits = fits || testimony_fits(oracle, said, &job->fates[k]);
        if (fits && job->ttr == said->ttr && body_is(body, len, job->serial, job->size))
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

/* Under a token of an earlier life: to the rest of the judge that is ready. */
static void lease_judge(struct judging *judging, uint64_t id, struct testimony *said)
{
    said->leased = strcmp(said->state, "reserved") == 0 && job_may_be_leased(judging->oracle, id);
    if (!said->leased)
        return;
    snprintf(said->state, sizeof(said->state), "ready");
    judging->reserved++;
}

static void job_judge(struct judging *judging, uint64_t id, int64_t from_ns, struct buf *reply)
{
    struct testimony said;
    struct job *job = oracle_job(judging->oracle, id);
    next_reply(judging, reply);
    bool there = strncmp(reply->data, "OK ", 3) == 0;
    if (there) {
        testimony_read(&said, reply, from_ns);
        lease_judge(judging, id, &said);
    } else if (strcmp(reply->data, "NOT_FOUND\r\n") != 0)
        fault(judging, "stats-job %" PRIu64 ": %.60s", id, reply->data);
    next_reply(judging, reply);
    if (there) {
        body_judge(judging, id, reply, &said);
    } else if (strcmp(reply->data, "NOT_FOUND\r\n") != 0) {
        fault(judging, "peek %" PRIu64 ": %.60s, but stats-job finds nothing", id, reply->data);
    } else if (job != NULL) {
        if (!job_may_be(job, FATE_GONE))
            fate_fault(judging, job, NULL);
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
    judging->oracle->compared += judging->batch_len;
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

/* With jobs in it, or while it is surely paused. */
static bool tube_must_be(const struct oracle *oracle, int index, int64_t now_ns)
{
    const struct tube *tube = &oracle->tubes[index];
    bool paused = true;
    for (size_t i = 0; i < tube->pause_count; i++)
        paused = paused && tube->pauses[i].until_from_ns > now_ns;
    for (size_t i = 0; i < oracle->job_count; i++)
        if (job_is_in(oracle->jobs[i], index))
            return true;
    return paused;
}

static void tube_judge(struct judging *judging, int index, struct buf *reply)
{
    char command[64];
    struct tube *tube = &judging->oracle->tubes[index];
    int64_t from_ns = clock_wall_ns();
    snprintf(command, sizeof(command), "stats-tube %s\r\n", tube->name);
    ask(judging, command, reply);
    if (strncmp(reply->data, "OK ", 3) != 0) {
        if (tube_must_be(judging->oracle, index, clock_wall_ns()))
            fault(judging, "tube %s: %.60s", tube->name, reply->data);
        tube->pauses[0] = (struct pause){.until_from_ns = 0};
        tube->pause_count = 1;
        return;
    }
    int64_t left_s = (int64_t)stats_number(reply, "pause-time-left"), now_ns = clock_wall_ns();
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
    uint64_t reserved = stats_number(reply, "current-jobs-reserved");
    uint64_t all = reserved + stats_number(reply, "current-jobs-ready") +
                   stats_number(reply, "current-jobs-delayed") +
                   stats_number(reply, "current-jobs-buried");
    if (reserved > judging->reserved + judging->unseen)
        fault(judging, "%" PRIu64 " jobs are reserved, %" PRIu64 " of them by somebody", reserved,
              judging->reserved);
    if (all < judging->found || all > judging->found + judging->unseen)
        fault(judging, "the daemon counts %" PRIu64 " jobs, of which %" PRIu64 " are known", all,
              judging->found);
}

/* ---- tokens ---- */

/* By whatever verb one that is over must be refused; others are only touched. */
static void ticket_ask(const struct oracle *oracle, size_t i, struct buf *commands)
{
    static const char *const tails[][2] = {
        {"touch", ""}, {"delete", ""}, {"bury", " 7"}, {"release", " 7 0"}};
    const struct ticket *ticket = &oracle->tickets[i];
    const char *const *tail = tails[ticket_must_be_stale(oracle, ticket) ? i % 4 : 0];
    (void)buf_printf(commands, "%s-token %" PRIu64 " %" PRIu64 "%s\r\n", tail[0], ticket->id,
                     ticket->token, tail[1]);
}

static void ticket_judge(struct judging *judging, const struct ticket *ticket, const char *reply)
{
    bool stale = strcmp(reply, "STALE_TOKEN\r\n") == 0;
    if (!stale && ticket_must_be_stale(judging->oracle, ticket))
        fault(judging,
              "job %" PRIu64 ", token %" PRIu64 " of an earlier life, which is over: %.60s",
              ticket->id, ticket->token, reply);
    else if (stale && ticket_must_be_good(judging->oracle, ticket))
        fault(judging, "job %" PRIu64 ", token %" PRIu64 ", whose lease is in force: %.60s",
              ticket->id, ticket->token, reply);
    else if (!stale && strcmp(reply, "TOUCHED\r\n") != 0)
        fault(judging, "touch-token %" PRIu64 " %" PRIu64 ": %.60s", ticket->id, ticket->token,
              reply);
    else if (!stale)
        ticket_is_good(judging->oracle, ticket);
}

/* Some of those of earlier lives, and all that must be good. */
static void tickets_judge(struct judging *judging, struct buf *reply)
{
    struct oracle *oracle = judging->oracle;
    size_t first = oracle->tickets_old > TICKETS_TRIED
                       ? oracle_below(oracle, oracle->tickets_old - TICKETS_TRIED)
                       : 0;
    struct buf commands = BUF_EMPTY;
    size_t *asked = NULL, count = 0, cap = 0;
    for (size_t i = 0; i < oracle->tickets_old; i++)
        if ((i >= first && i < first + TICKETS_TRIED) ||
            !ticket_must_be_stale(oracle, &oracle->tickets[i])) {
            asked = oracle_grown(asked, &cap, count + 1, sizeof(*asked));
            asked[count++] = i;
            ticket_ask(oracle, i, &commands);
        }
    if (commands.len > 0)
        wire_send(&judging->wire, commands.data, commands.len);
    for (size_t i = 0; i < count; i++) {
        next_reply(judging, reply);
        ticket_judge(judging, &oracle->tickets[asked[i]], reply->data);
    }
    free(asked);
    buf_fini(&commands);
}

void judge(struct oracle *oracle, const char *socket)
{
    char address[256];
    struct buf reply = BUF_EMPTY;
    struct judging judging = {.oracle = oracle, .told_most = FAULTS_TOLD};
    snprintf(address, sizeof(address), "unix:%s", socket);
    wire_connect(&judging.wire, address);
    tickets_judge(&judging, &reply);
    judging.told_most += FAULTS_TOLD; /* one kind doesn't hide the others */
    for (int i = 0; i < TUBES; i++)
        tube_judge(&judging, i, &reply);
    jobs_judge(&judging);
    total_judge(&judging, &reply);
    wire_close(&judging.wire);
    buf_fini(&reply);
    oracle->life_first = oracle->life_last = oracle->strays = 0;
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
    if (sent && wire_reply(wire, &bytes))
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
