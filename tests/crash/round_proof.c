// SPDX-License-Identifier: MIT
/*
 * The judge is judged: after a life, a SIGKILL and a restart that it has found nothing wrong with,
 * what the oracle knows is falsified in one point, and the judge must find just that. Whether the
 * oracle or the daemon has it wrong is the same to the judge.
 *
 * One row for each thing that the judge looks at, and each in a child process, since what the judge
 * finds ends the program. To add a check to the judge, add the row that shows that it can fail.
 *
 * Before that the oracle alone is asked for what is extra with a daemon: what it expects after a
 * power loss that takes back just so much.
 */
#include "crash.h"

#include "actors.h"
#include "judge.h"

#include "base/clock.h"

#include <hilera/thread.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wire.h>

#define PROOF_ANSWERS 3000
#define PROOF_NS (20 * HL_SECOND) /* for machines with much to do; the answers end it before */

static const char *proof_socket;

/* ---- choosing ---- */

static struct job *job_of_kind(const struct oracle *oracle, enum fate_kind kind)
{
    for (size_t i = 0; i < oracle->job_count; i++)
        if (oracle->jobs[i]->id != 0 && job_is(oracle->jobs[i], kind))
            return oracle->jobs[i];
    fail("no job has the state %d after all that work", (int)kind);
}

static struct fate *fate_of_kind(const struct oracle *oracle, enum fate_kind kind)
{
    return &job_of_kind(oracle, kind)->fates[0];
}

/* Ready, and nobody's, and with time for a lease: the first or the last one. */
static struct job *job_free_for_all(const struct oracle *oracle, bool last)
{
    struct job *found = NULL;
    for (size_t i = 0; i < oracle->job_count && (last || found == NULL); i++)
        if (oracle->jobs[i]->id != 0 && job_is(oracle->jobs[i], FATE_READY) &&
            !oracle->jobs[i]->leased && oracle->jobs[i]->ttr > 1)
            found = oracle->jobs[i];
    if (found == NULL)
        fail("no job is ready after all that work");
    return found;
}

/* ---- the falsehoods ---- */

static void lost(struct oracle *oracle)
{
    *fate_of_kind(oracle, FATE_GONE) = (struct fate){.kind = FATE_READY};
}

static void back(struct oracle *oracle)
{
    job_free_for_all(oracle, false)->fates[0] = (struct fate){.kind = FATE_GONE};
}

static void state(struct oracle *oracle)
{
    fate_of_kind(oracle, FATE_READY)->kind = FATE_BURIED;
}

static void unburied(struct oracle *oracle)
{
    fate_of_kind(oracle, FATE_BURIED)->kind = FATE_READY;
}

static void priority(struct oracle *oracle)
{
    fate_of_kind(oracle, FATE_READY)->pri++;
}

static void moved(struct oracle *oracle)
{
    struct fate *fate = fate_of_kind(oracle, FATE_READY);
    fate->tube = (fate->tube + 1) % TUBES;
}

static void early(struct oracle *oracle)
{
    struct fate *fate = fate_of_kind(oracle, FATE_DELAYED);
    fate->due_from_ns += 5 * HL_SECOND;
    fate->due_to_ns += 5 * HL_SECOND;
}

static void late(struct oracle *oracle)
{
    struct fate *fate = fate_of_kind(oracle, FATE_DELAYED);
    fate->due_from_ns -= 5 * HL_SECOND;
    fate->due_to_ns -= 5 * HL_SECOND;
}

static void reserves(struct oracle *oracle)
{
    fate_of_kind(oracle, FATE_READY)->reserves++;
}

static void reserved_more(struct oracle *oracle)
{
    for (size_t i = 0; i < oracle->job_count; i++)
        if (!job_is(oracle->jobs[i], FATE_GONE))
            oracle->jobs[i]->reserves = oracle->jobs[i]->fates[0].reserves = 0;
}

static void timeouts(struct oracle *oracle)
{
    fate_of_kind(oracle, FATE_READY)->timeouts++;
}

static void releases(struct oracle *oracle)
{
    fate_of_kind(oracle, FATE_READY)->releases++;
}

static void buries(struct oracle *oracle)
{
    fate_of_kind(oracle, FATE_BURIED)->buries--;
}

static void kicks(struct oracle *oracle)
{
    fate_of_kind(oracle, FATE_READY)->kicks++;
}

static void ttr(struct oracle *oracle)
{
    job_of_kind(oracle, FATE_READY)->ttr++;
}

static void body(struct oracle *oracle)
{
    struct job *found = NULL;
    for (size_t i = 0; i < oracle->job_count && found == NULL; i++)
        if (!job_is(oracle->jobs[i], FATE_GONE) && oracle->jobs[i]->size >= 16)
            found = oracle->jobs[i];
    if (found == NULL)
        fail("no job has a body of some length after all that work");
    found->serial += UINT64_C(1) << 40;
}

static void unknown(struct oracle *oracle)
{
    const struct job *job = job_of_kind(oracle, FATE_READY);
    oracle->by_id[job->id] = NULL;
    oracle->life_first = oracle->life_last = job->id;
}

static void uncounted(struct oracle *oracle)
{
    const struct job *job = job_of_kind(oracle, FATE_READY);
    oracle->by_id[job->id] = NULL;
    for (size_t i = 0; i < oracle->job_count; i++)
        if (oracle->jobs[i] == job)
            oracle->jobs[i] = oracle->jobs[--oracle->job_count];
}

static void id_twice(struct oracle *oracle)
{
    const struct job *job = job_of_kind(oracle, FATE_GONE);
    oracle_told(oracle, oracle_job_new(oracle, 0, 10, 10), job->id);
}

static void pause_forgotten(struct oracle *oracle)
{
    tube_paused(oracle, TUBE_PAUSED, clock_wall_ns() + 77 * HL_SECOND,
                clock_wall_ns() + 78 * HL_SECOND, true);
}

static void pause_unknown(struct oracle *oracle)
{
    struct wire wire;
    struct buf reply = BUF_EMPTY;
    static const char command[] = "pause-tube shared-0 50\r\n";
    char address[256];
    snprintf(address, sizeof(address), "unix:%s", proof_socket);
    wire_connect(&wire, address);
    wire_send(&wire, command, sizeof(command) - 1);
    if (!wire_reply(&wire, &reply) || strcmp(reply.data, "PAUSED\r\n") != 0)
        fail("a pause: %s", reply.data);
    tube_paused(oracle, 0, 0, 0, true);
    wire_close(&wire);
    buf_fini(&reply);
}

static void tube_lost(struct oracle *oracle)
{
    snprintf(oracle->tubes[TUBE_PAUSED].name, sizeof(oracle->tubes[0].name), "nowhere");
}

static void token_twice(struct oracle *oracle)
{
    oracle_ticket(oracle, 1, 12345, true);
    oracle_ticket(oracle, 2, 12345, true);
    tickets_check(oracle);
}

static struct ticket lease_take(const struct oracle *oracle, bool last)
{
    struct wire wire;
    struct buf reply = BUF_EMPTY;
    struct ticket ticket;
    char address[256], command[64];
    snprintf(address, sizeof(address), "unix:%s", proof_socket);
    snprintf(command, sizeof(command), "reserve-job-token %" PRIu64 "\r\n",
             job_free_for_all(oracle, last)->id);
    wire_connect(&wire, address);
    wire_send(&wire, command, strlen(command));
    if (!wire_reply(&wire, &reply) ||
        sscanf(reply.data, "RESERVED_TOKEN %" SCNu64 " %" SCNu64, &ticket.id, &ticket.token) != 2)
        fail("a lease: %s", reply.data);
    wire_close(&wire);
    buf_fini(&reply);
    return ticket;
}

/* A lease of which it is said that it is over. */
static void token_valid(struct oracle *oracle)
{
    struct ticket ticket = lease_take(oracle, false);
    oracle_ticket(oracle, ticket.id, ticket.token, true);
    tickets_check(oracle);
}

static void token_forgotten(struct oracle *oracle)
{
    struct job *job = job_free_for_all(oracle, false);
    oracle_ticket(oracle, job->id, 12345, true);
    tickets_check(oracle);
    lease_told(oracle, job, 12345);
}

static void leased_by_nobody(struct oracle *oracle)
{
    (void)lease_take(oracle, true); /* the first is taken, to the daemon */
    oracle->strays_token = 0;
}

/* What changes the daemon comes last. */
static const struct falsehood {
    const char *name;
    void (*tell)(struct oracle *oracle);
    const char *words; /* that the judge must say */
} falsehoods[] = {
    {"a job is lost", lost, "is gone; it must be ready"},
    {"a job came back after DELETED", back, "; it must be gone"},
    {"a buried job is ready", state, "; it must be buried"},
    {"a ready job is buried", unburied, "; it must be ready"},
    {"another priority", priority, "; it must be ready"},
    {"another tube", moved, "; it must be ready in"},
    {"a delay is over too early", early, "; it must be delayed"},
    {"a delay is over too late", late, "; it must be delayed"},
    {"a reserve isn't counted", reserves, "; it must be ready"},
    {"reserves that nobody made", reserved_more, "times at most"},
    {"a timeout isn't counted", timeouts, "; it must be ready"},
    {"a release isn't counted", releases, "; it must be ready"},
    {"a burial too many", buries, "; it must be buried"},
    {"a kick isn't counted", kicks, "; it must be ready"},
    {"another TTR", ttr, "instead of"},
    {"another body", body, "has another body"},
    {"a job that nobody put", unknown, "is none that was ever put"},
    {"a job that nobody asks for", uncounted, "the daemon counts"},
    {"an id comes twice", id_twice, "was issued twice"},
    {"a token comes twice", token_twice, "was given out twice"},
    {"a pause is forgotten", pause_forgotten, "it must be for"},
    {"a tube is gone", tube_lost, "tube nowhere: NOT_FOUND"},
    {"a pause that nobody made", pause_unknown, "is paused for another"},
    {"a token is refused after a restart", token_forgotten, "whose lease is in force"},
    {"a token is good whose lease is over", token_valid, "which is over: "},
    {"a job is reserved by nobody", leased_by_nobody, "; it must be ready"},
};

/* ---- the oracle alone ---- */

static void told(struct oracle *oracle, enum deed deed, struct job *job, const char *reply)
{
    struct op op = {.deed = deed, .job = job, .tube = TUBE_OWN, .bound = 1};
    if (job != NULL)
        job_claim(job, 0);
    if (deed_answered(oracle, &op, reply) != DEED_DONE)
        fail("\"%s\" isn't what it says: a fault of the harness", reply);
}

static struct job *buried_new(struct oracle *oracle, const char *inserted)
{
    struct job *job = oracle_job_new(oracle, TUBE_OWN, 10, 1000);
    told(oracle, DEED_PUT, job, inserted);
    told(oracle, DEED_BURY, job, "BURIED\r\n");
    return job;
}

/* As if the judge had found that. */
static void settle_on(struct job *job, enum fate_kind kind, uint32_t buries)
{
    unsigned left = 0;
    for (unsigned i = 0; i < job->fate_count; i++)
        if (job->fates[i].kind == kind && job->fates[i].buries == buries)
            job->fates[left++] = job->fates[i];
    if (left != 1)
        fail("%u fates with %" PRIu32 " burials, not one", left, buries);
    job->fate_count = left;
}

/* A loss that takes back a second burial leaves the job where the first one put it. */
static void order_prove(uint64_t seed)
{
    struct oracle oracle;
    oracle_init(&oracle, seed, LEVEL_INTERVAL, false);
    oracle.window_ns = 1000 * HL_SECOND;
    struct job *older = buried_new(&oracle, "INSERTED 1\r\n");
    struct job *newer = buried_new(&oracle, "INSERTED 2\r\n");
    told(&oracle, DEED_KICK_JOB, older, "KICKED\r\n");
    told(&oracle, DEED_BURY, older, "BURIED\r\n");
    oracle_crashed(&oracle, clock_now_ns());
    settle_on(older, FATE_BURIED, 1);
    settle_on(newer, FATE_BURIED, 1);
    told(&oracle, DEED_KICK, NULL, "KICKED 1\r\n");
    if (!job_is(older, FATE_READY) || !job_is(newer, FATE_BURIED))
        fail("a kick doesn't take the job that was buried first");
    oracle_fini(&oracle);
}

/* ---- trying them ---- */

struct trial {
    struct oracle *oracle;
    const struct falsehood *falsehood;
};

static void falsehood_judge(void *arg)
{
    const struct trial *trial = arg;
    trial->falsehood->tell(trial->oracle);
    judge(trial->oracle, proof_socket);
}

static void child_run(void (*run)(void *arg), void *arg, int out)
{
    if (dup2(out, 2) < 0)
        _exit(2);
    run(arg);
    _exit(0);
}

void proof_try(const char *name, const char *words, void (*run)(void *arg), void *arg)
{
    static char said[1 << 16];
    FILE *out = tmpfile();
    int status = 0;
    if (out == NULL)
        fail("a temporary file: %s", strerror(errno));
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        child_run(run, arg, fileno(out));
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        fail("fork: %s", strerror(errno));
    ssize_t len = pread(fileno(out), said, sizeof(said) - 1, 0);
    said[len > 0 ? len : 0] = '\0';
    (void)fclose(out);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 1)
        fail("%s, and the judge says nothing (status %#x): %s", name, (unsigned)status, said);
    if (strstr(said, words) == NULL)
        fail("%s, and the judge doesn't say \"%s\" but: %s", name, words, said);
}

static void life(struct victim *victim, struct oracle *oracle, struct crash_tally *tally)
{
    struct actors actors;
    round_start(victim);
    if (!judge_begin(oracle, victim->socket) || !actors_start(&actors, oracle, victim->socket) ||
        !actors_run(&actors, clock_now_ns() + PROOF_NS, PROOF_ANSWERS))
        fail("the daemon refuses or ended by itself");
    victim_kill(victim);
    actors_stop(&actors);
    oracle_crashed(oracle, 0);
    tally->lives++;
    tally->killed++;
    tally->answers += actors.answers;
}

void round_proof(const struct crash_options *options, uint64_t seed, struct crash_tally *tally)
{
    struct oracle oracle;
    struct victim victim;
    round_directory(options, seed, "");
    order_prove(seed);
    round_oracle(options, seed, &oracle);
    const struct victim_settings settings = round_settings(options, &oracle);
    victim_init(&victim, &settings);
    life(&victim, &oracle, tally);
    round_start(&victim);
    proof_socket = victim.socket;
    judge(&oracle, victim.socket);
    for (size_t i = 0; i < sizeof(falsehoods) / sizeof(falsehoods[0]); i++) {
        struct trial trial = {&oracle, &falsehoods[i]};
        proof_try(falsehoods[i].name, falsehoods[i].words, falsehood_judge, &trial);
        tally->faults++;
    }
    tally->puts += oracle.job_count;
    victim_fini(&victim);
    oracle_fini(&oracle);
    round_directory_drop();
    results_prove(options, seed, tally);
}
