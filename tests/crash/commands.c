// SPDX-License-Identifier: MIT
/*
 * The random commands. Each kind is a row of a table with its weight and its function; the function
 * appends the command's bytes and its op, or does nothing where nothing suits.
 *
 * What keeps the oracle sure of what it knows: a job that somebody else has a claim on is left
 * alone; a connection's own tube is left to it, and nobody reserves buried or delayed jobs there,
 * so that the order of the buried ones is known.
 */
#include "actors.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>

static uint32_t some_size(struct oracle *oracle)
{
    static const uint32_t limits[] = {4, 200, 200, 200, 200, 5000, 5000, 60001};
    return (uint32_t)oracle_below(oracle, limits[oracle_below(oracle, 8)]);
}

static uint32_t some_pri(struct oracle *oracle)
{
    static const uint32_t edges[] = {0, 1023, 1024, 4294967295};
    return oracle_one_in(oracle, 4) ? edges[oracle_below(oracle, 4)]
                                    : (uint32_t)oracle_below(oracle, 100000);
}

static uint32_t some_delay(struct oracle *oracle)
{
    static const uint32_t delays[] = {0, 0, 0, 0, 0, 1, 2, 1000};
    return delays[oracle_below(oracle, 8)];
}

static struct op *op_add(const struct oracle *oracle, struct actor *actor, const struct op *op)
{
    if (actor->op_count == OPS_MAX)
        fail("too many commands at once: a fault of the harness");
    struct op *added = &actor->ops[actor->op_count++];
    *added = *op;
    added->sent_wall_ns = clock_wall_ns();
    if (added->job != NULL) {
        job_claim(added->job, actor->index);
        added->reserves = oracle->refuses ? 0 : added->job->reserves;
    }
    return added;
}

static bool may_touch(const struct actor *actor, const struct job *job)
{
    return job->claim == NOBODY || (job->claim == actor->index && job->claims < CLAIMS_MAX);
}

/* A connection's own tube is left to it. */
static bool is_in_reach(const struct actor *actor, const struct job *job)
{
    for (unsigned i = 0; i < job->fate_count; i++)
        if (job->fates[i].tube >= TUBE_OWN && job->fates[i].tube != TUBE_OWN + actor->index)
            return false;
    return true;
}

static bool is_in_own(const struct actor *actor, const struct job *job)
{
    return job_may_be_in(job, TUBE_OWN + actor->index);
}

/* ---- choosing ---- */

/* One that isn't held: put long ago, or lately. */
static struct job *some_job(struct actors *actors, const struct actor *actor)
{
    struct oracle *oracle = actors->oracle;
    for (int i = 0; i < 10 && oracle->job_count > 0; i++) {
        size_t span = oracle_one_in(oracle, 3) || oracle->job_count < 200 ? oracle->job_count : 200;
        struct job *job = oracle->jobs[oracle->job_count - 1 - oracle_below(oracle, span)];
        if (job->id != 0 && !job_is(job, FATE_GONE) && may_touch(actor, job) && !job->stone &&
            is_in_reach(actor, job))
            return job;
    }
    return NULL;
}

/* One of those that it has reserved, in op->job and op->token; it is taken off the list. */
static bool some_held(struct actors *actors, struct actor *actor, bool keep, struct op *op)
{
    if (actor->held_count == 0)
        return false;
    unsigned at = (unsigned)oracle_below(actors->oracle, actor->held_count);
    struct ticket held = actor->held[at];
    struct job *job = oracle_job(actors->oracle, held.id);
    if (job == NULL || !may_touch(actor, job) || job->stone)
        return false;
    if (!keep)
        actor->held[at] = actor->held[--actor->held_count];
    op->job = job;
    op->token = held.token;
    return true;
}

static int some_tube(struct oracle *oracle, const struct actor *actor)
{
    uint64_t which = oracle_below(oracle, 10);
    if (which < 6)
        return (int)oracle_below(oracle, TUBES_SHARED);
    return which < 7 ? TUBE_PAUSED + (int)oracle_below(oracle, TUBES_PAUSED)
                     : TUBE_OWN + actor->index;
}

/* ---- commands ---- */

static void put_say(struct oracle *oracle, struct buf *out, struct op *op, const char *tube,
                    uint32_t delay)
{
    *op = (struct op){.deed = DEED_PUT,
                      .job = op->job,
                      .tube = op->job->tube,
                      .pri = some_pri(oracle),
                      .delay = delay};
    (void)buf_printf(out, "%s%s %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu32 "\r\n",
                     tube != NULL ? "put-in-tube " : "put", tube != NULL ? tube : "", op->pri,
                     delay, op->job->ttr, op->job->size);
    body_make(out, op->job->serial, op->job->size);
    (void)buf_append_str(out, "\r\n");
}

void command_put(struct oracle *oracle, struct buf *out, struct op *op, int tube, uint32_t delay)
{
    op->job = oracle_job_new(oracle, tube, some_size(oracle), 1000);
    op->job->stone = delay == STONE_DELAY;
    put_say(oracle, out, op, oracle->tubes[tube].name, delay);
    op->sent_wall_ns = clock_wall_ns();
}

static void make_put(struct actors *actors, struct actor *actor)
{
    struct oracle *oracle = actors->oracle;
    int tube = some_tube(oracle, actor);
    struct op op = {.job = oracle_job_new(oracle, tube, some_size(oracle),
                                          oracle_one_in(oracle, 10) ? 1 : 1000)};
    if (oracle->starves || oracle_one_in(oracle, 3)) {
        put_say(oracle, &actor->out, &op, oracle->tubes[tube].name, some_delay(oracle));
    } else {
        (void)buf_printf(&actor->out, "use %s\r\n", oracle->tubes[tube].name);
        (void)op_add(actors->oracle, actor, &(struct op){.deed = DEED_NONE});
        put_say(oracle, &actor->out, &op, NULL, some_delay(oracle));
    }
    (void)op_add(actors->oracle, actor, &op);
}

static void make_reserve(struct actors *actors, struct actor *actor)
{
    (void)buf_append_str(&actor->out, "reserve-with-timeout 0\r\n");
    (void)op_add(actors->oracle, actor, &(struct op){.deed = DEED_RESERVE});
}

static void make_reserve_token(struct actors *actors, struct actor *actor)
{
    (void)buf_append_str(&actor->out, "reserve-token 0\r\n");
    (void)op_add(actors->oracle, actor, &(struct op){.deed = DEED_RESERVE_TOKEN});
}

static void make_reserve_batch(struct actors *actors, struct actor *actor)
{
    struct op op = {.deed = DEED_RESERVE_BATCH,
                    .bound = 1 + (uint32_t)oracle_below(actors->oracle, 6)};
    (void)buf_printf(&actor->out, "reserve-batch %" PRIu32 " 0\r\n", op.bound);
    (void)op_add(actors->oracle, actor, &op);
}

static void say_id(struct actors *actors, struct actor *actor, const char *word, enum deed deed,
                   struct job *job)
{
    (void)buf_printf(&actor->out, "%s %" PRIu64 "\r\n", word, job->id);
    (void)op_add(actors->oracle, actor, &(struct op){.deed = deed, .job = job});
}

/* "WORD id", or "WORD-token id token". */
static void say_held(struct actor *actor, const char *word, uint64_t id, uint64_t token)
{
    if (token == 0)
        (void)buf_printf(&actor->out, "%s %" PRIu64, word, id);
    else
        (void)buf_printf(&actor->out, "%s-token %" PRIu64 " %" PRIu64, word, id, token);
}

static void make_delete(struct actors *actors, struct actor *actor)
{
    struct op op = {.deed = DEED_DELETE};
    if (!some_held(actors, actor, false, &op))
        return;
    say_held(actor, "delete", op.job->id, op.token);
    (void)buf_append_str(&actor->out, "\r\n");
    (void)op_add(actors->oracle, actor, &op);
}

static void make_delete_any(struct actors *actors, struct actor *actor)
{
    struct job *job = some_job(actors, actor);
    if (job != NULL)
        say_id(actors, actor, "delete", DEED_DELETE, job);
}

static void make_release(struct actors *actors, struct actor *actor)
{
    struct op op = {.deed = DEED_RELEASE};
    if (!some_held(actors, actor, false, &op))
        return;
    op.pri = some_pri(actors->oracle);
    op.delay = some_delay(actors->oracle);
    say_held(actor, "release", op.job->id, op.token);
    (void)buf_printf(&actor->out, " %" PRIu32 " %" PRIu32 "\r\n", op.pri, op.delay);
    (void)op_add(actors->oracle, actor, &op);
}

static void make_bury(struct actors *actors, struct actor *actor)
{
    struct op op = {.deed = DEED_BURY};
    if (!some_held(actors, actor, false, &op))
        return;
    op.pri = some_pri(actors->oracle);
    say_held(actor, "bury", op.job->id, op.token);
    (void)buf_printf(&actor->out, " %" PRIu32 "\r\n", op.pri);
    (void)op_add(actors->oracle, actor, &op);
}

static void make_touch(struct actors *actors, struct actor *actor)
{
    struct op op = {.deed = DEED_NONE};
    if (!some_held(actors, actor, true, &op))
        return;
    say_held(actor, "touch", op.job->id, op.token);
    (void)buf_append_str(&actor->out, "\r\n");
    (void)op_add(actors->oracle, actor, &(struct op){.deed = DEED_NONE});
}

/* With a token whose lease this connection has ended: refused for good, by each of the verbs. */
static void make_stale(struct actors *actors, struct actor *actor)
{
    static const char *const tails[] = {"touch", "delete", "bury", "release"};
    unsigned count = actor->spent_count < SPENT_MAX ? actor->spent_count : SPENT_MAX;
    if (count == 0)
        return;
    const struct ticket *spent = &actor->spent[oracle_below(actors->oracle, count)];
    unsigned verb = (unsigned)oracle_below(actors->oracle, 4);
    say_held(actor, tails[verb], spent->id, spent->token);
    (void)buf_append_str(&actor->out, verb < 2 ? "\r\n" : verb == 2 ? " 7\r\n" : " 7 0\r\n");
    (void)op_add(actors->oracle, actor, &(struct op){.deed = DEED_STALE});
}

/* Into its own tube nothing that may be buried: of those it knows the order. */
static void make_move(struct actors *actors, struct actor *actor)
{
    struct op op = {.deed = DEED_MOVE, .job = some_job(actors, actor)};
    op.tube = some_tube(actors->oracle, actor);
    if (op.job == NULL || (op.tube >= TUBE_OWN && job_may_be(op.job, FATE_BURIED)))
        return;
    (void)buf_printf(&actor->out, "move %" PRIu64 " %s\r\n", op.job->id,
                     actors->oracle->tubes[op.tube].name);
    (void)op_add(actors->oracle, actor, &op);
}

static void make_clear(struct actors *actors, struct actor *actor)
{
    struct op op = {.deed = DEED_CLEAR, .tube = TUBE_OWN + actor->index};
    if (!oracle_one_in(actors->oracle, 4))
        return;
    (void)buf_printf(&actor->out, "clear-tube %s\r\n", actors->oracle->tubes[op.tube].name);
    (void)op_add(actors->oracle, actor, &op);
}

static void make_kick(struct actors *actors, struct actor *actor)
{
    struct op op = {.deed = DEED_KICK,
                    .tube = TUBE_OWN + actor->index,
                    .bound = 1 + (uint32_t)oracle_below(actors->oracle, 5)};
    if (actors->oracle->starves)
        return;
    (void)buf_printf(&actor->out, "use %s\r\nkick %" PRIu32 "\r\n",
                     actors->oracle->tubes[op.tube].name, op.bound);
    (void)op_add(actors->oracle, actor, &(struct op){.deed = DEED_NONE});
    (void)op_add(actors->oracle, actor, &op);
}

static void make_kick_job(struct actors *actors, struct actor *actor)
{
    struct job *job = some_job(actors, actor);
    if (job != NULL)
        say_id(actors, actor, "kick-job", DEED_KICK_JOB, job);
}

static void make_reserve_job(struct actors *actors, struct actor *actor)
{
    struct job *job = some_job(actors, actor);
    if (job == NULL || (is_in_own(actor, job) && !job_is(job, FATE_READY)))
        return;
    if (oracle_one_in(actors->oracle, 2))
        say_id(actors, actor, "reserve-job", DEED_RESERVE_JOB, job);
    else
        say_id(actors, actor, "reserve-job-token", DEED_RESERVE_JOB_TOKEN, job);
}

static void make_pause(struct actors *actors, struct actor *actor)
{
    struct oracle *oracle = actors->oracle;
    bool paused = oracle_one_in(oracle, 2);
    struct op op = {.deed = DEED_PAUSE};
    op.tube = paused ? TUBE_PAUSED + (int)oracle_below(oracle, TUBES_PAUSED)
                     : (int)oracle_below(oracle, TUBES_SHARED);
    op.delay = oracle_one_in(oracle, 3) ? 0 : paused ? 1000 : 1;
    if (oracle->tubes[op.tube].claim != NOBODY)
        return;
    oracle->tubes[op.tube].claim = actor->index;
    (void)buf_printf(&actor->out, "pause-tube %s %" PRIu32 "\r\n", oracle->tubes[op.tube].name,
                     op.delay);
    (void)op_add(actors->oracle, actor, &op);
}

/* With few jobs, and with many. */
static const struct kind {
    void (*make)(struct actors *actors, struct actor *actor);
    unsigned weight, weight_many;
} kinds[] = {
    {make_put, 30, 4},          {make_reserve, 30, 30},   {make_delete, 12, 30},
    {make_delete_any, 4, 8},    {make_release, 14, 10},   {make_bury, 9, 5},
    {make_touch, 3, 3},         {make_kick, 3, 3},        {make_kick_job, 5, 3},
    {make_pause, 1, 1},         {make_reserve_job, 4, 4}, {make_reserve_token, 10, 10},
    {make_reserve_batch, 5, 8}, {make_stale, 2, 2},       {make_move, 5, 3},
    {make_clear, 1, 1},
};

void command_make(struct actors *actors, struct actor *actor)
{
    bool many = actors->live > actors->live_max;
    unsigned sum = 0;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        sum += many ? kinds[i].weight_many : kinds[i].weight;
    unsigned at = (unsigned)oracle_below(actors->oracle, sum);
    const struct kind *kind = kinds;
    while (at >= (many ? kind->weight_many : kind->weight)) {
        at -= many ? kind->weight_many : kind->weight;
        kind++;
    }
    kind->make(actors, actor);
}

void command_begin(struct actors *actors, struct actor *actor)
{
    for (int i = 0; i < TUBES; i++)
        if (i < TUBE_OWN || i == TUBE_OWN + actor->index) {
            (void)buf_printf(&actor->out, "watch %s\r\n", actors->oracle->tubes[i].name);
            (void)op_add(actors->oracle, actor, &(struct op){.deed = DEED_NONE});
        }
    (void)buf_append_str(&actor->out, "ignore default\r\n");
    (void)op_add(actors->oracle, actor, &(struct op){.deed = DEED_NONE});
}
