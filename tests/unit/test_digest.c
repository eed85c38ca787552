// SPDX-License-Identifier: MIT
// What is true of the jobs is the same live and after a replay: random work (churn.h) on a broker
// with a journal, and now and then the digest of the live one, of one that replays the journal, and
// of one that replays what compaction made of it.
//
// How often is committed matters: the changes of a job that ends before the next commit vanish from
// the journal. So there are rounds with a commit after each command, after each 200, and by chance.
//
// HILERA_DIGEST_STEPS and HILERA_DIGEST_SEED change length and seed; a failure names the seed.

#include "blocking.h"
#include "churn.h"
#include "durable.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STEPS 10000 // of each of six runs
#define LOOK_EVERY 500

// ---- parts of a digest ----

struct part {
    size_t len;
    char bytes[JOB_ENTRY_HEAD_MAX];
};

struct parts {
    size_t count, cap;
    struct part **part;
};

static void part_add(const void *bytes, size_t len, void *arg)
{
    struct parts *parts = arg;
    struct part *part = malloc(sizeof(*part));
    ck_assert_ptr_nonnull(part);
    ck_assert_uint_le(len, sizeof(part->bytes));
    memcpy(part->bytes, bytes, len);
    part->len = len;
    if (parts->count == parts->cap) {
        parts->cap = parts->cap > 0 ? parts->cap * 2 : 64;
        parts->part = reallocarray(parts->part, parts->cap, sizeof(struct part *));
        ck_assert_ptr_nonnull(parts->part);
    }
    parts->part[parts->count++] = part;
}

static int part_order(const void *a, const void *b)
{
    const struct part *one = *(struct part *const *)a, *other = *(struct part *const *)b;
    size_t len = one->len < other->len ? one->len : other->len;
    int rc = memcmp(one->bytes, other->bytes, len);
    return rc != 0 ? rc : (one->len > other->len) - (one->len < other->len);
}

static uint64_t parts_of(struct broker *broker, struct parts *parts)
{
    *parts = (struct parts){0};
    uint64_t sum = broker_digest(broker, part_add, parts);
    ck_assert_uint_eq(broker_digest(broker, NULL, NULL), sum);
    if (parts->count > 0)
        qsort(parts->part, parts->count, sizeof(struct part *), part_order);
    return sum;
}

static void parts_free(struct parts *parts)
{
    for (size_t i = 0; i < parts->count; i++)
        free(parts->part[i]);
    free(parts->part);
    *parts = (struct parts){0};
}

static void part_say(const char *which, const struct part *part)
{
    struct job_entry entry;
    ck_assert_int_eq(job_entry_decode(&entry, part->bytes, part->len), 0);
    printf("# %s: %s %" PRIu64 " in %.*s, state %s, pri %u, delay %" PRId64 " until %" PRId64
           ", burial %" PRIu64 "; reserves %u, timeouts %u, releases %u, buries %u, kicks %u, "
           "failures %u, crashes %u, losses %u, past %zu, reason %.*s; out %d %" PRIx64
           " until %" PRId64 "; group %.*s: %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
           which, job_entry_word(entry.type), entry.id, (int)entry.tube_len, entry.tube,
           job_state_word(entry.state), entry.pri, entry.delay_ns, entry.until_wall_ns,
           entry.burial, entry.reserves, entry.tries.timeouts, entry.releases, entry.buries,
           entry.kicks, entry.tries.failures, entry.tries.crashes, entry.tries.losses,
           entry.past_len, (int)entry.reason_len, entry.reason_len > 0 ? entry.reason : "",
           (int)entry.out, entry.out_key, entry.out_until_wall_ns, (int)entry.group_len,
           entry.group_len > 0 ? entry.group : "", entry.group_counts.done,
           entry.group_counts.failed, entry.group_counts.deleted, entry.group_counts.cancelled);
}

// Whether both have the same parts; says which one has alone.
static bool parts_same(const struct parts *before, const struct parts *after)
{
    size_t i = 0, k = 0, alone = 0;
    while (i < before->count || k < after->count) {
        int order = i == before->count  ? 1
                    : k == after->count ? -1
                                        : part_order(&before->part[i], &after->part[k]);
        if (order != 0 && alone++ < 20)
            part_say(order < 0 ? "before" : "after", order < 0 ? before->part[i] : after->part[k]);
        i += order <= 0;
        k += order >= 0;
    }
    return alone == 0;
}

// ---- the runs ----

enum { RUN_EACH, RUN_MANY, RUN_CHANCE, RUNS };

struct run {
    struct durable durable;
    struct churn churn;
    uint64_t seed, step;
    uint64_t jobs;                              // compared
    uint64_t tokens, returned, charged, buried; // as broker_take_over says, in all
};

static void compare(struct run *run, const struct parts *before, uint64_t sum, const char *what)
{
    struct parts after;
    uint64_t now = parts_of(run->durable.broker, &after);
    ck_assert_msg(parts_same(before, &after), "%s differs (seed %" PRIu64 ", step %" PRIu64 ")",
                  what, run->seed, run->step);
    ck_assert_msg(now == sum, "the digest of %s differs (seed %" PRIu64 ", step %" PRIu64 ")", what,
                  run->seed, run->step);
    parts_free(&after);
}

// As a process that is killed; its clients hang up afterwards.
static void restart(struct run *run)
{
    disk_dead(true);
    churn_leave(&run->churn);
    durable_kill(&run->durable, NULL);
    durable_again(&run->durable);
}

// Also what nobody waits for, as leases: it is added before something that somebody waits for.
static void commit_all(struct durable *durable)
{
    ck_assert_int_eq(broker_pause(durable->broker, &trust_all, "default", 7, 0), 0);
    durable_commit(durable);
}

// What the replay left to it: nobody is to blame, or everybody.
static void take_over(struct run *run)
{
    static const struct broker_charge charge = {.rules = NULL};
    struct broker_taken taken;
    bool blame = unit_random_below(&run->churn.numbers, 2) == 0;
    ck_assert_int_eq(broker_take_over(run->durable.broker, blame ? &charge : NULL, &taken), 0);
    run->tokens += taken.tokens;
    run->returned += taken.returned;
    run->charged += taken.charged;
    run->buried += taken.buried;
    churn_join(&run->churn, run->durable.broker);
}

static void look(struct run *run)
{
    struct durable *durable = &run->durable;
    struct parts before;
    (void)broker_due(durable->broker);
    commit_all(durable);
    uint64_t sum = parts_of(durable->broker, &before);
    run->jobs += before.count;
    restart(run);
    compare(run, &before, sum, "the replay");
    parts_free(&before);
    take_over(run);
    sum = parts_of(durable->broker, &before);
    (void)durable_compact(durable);
    commit_all(durable);
    compare(run, &before, sum, "the broker that compacted");
    restart(run);
    compare(run, &before, sum, "the replay of what compaction made");
    parts_free(&before);
    take_over(run);
}

static void commit_perhaps(struct run *run, int kind)
{
    struct unit_random *numbers = &run->churn.numbers;
    if (kind == RUN_EACH || (kind == RUN_MANY && run->step % 200 == 199) ||
        (kind == RUN_CHANCE && unit_random_below(numbers, 20) == 0))
        durable_commit(&run->durable);
    if (unit_random_below(numbers, 50) == 0)
        (void)broker_compact(run->durable.broker);
}

START_TEST(digests_agree)
{
    struct run *run = calloc(1, sizeof(*run));
    ck_assert_ptr_nonnull(run);
    uint64_t steps = engine_env("HILERA_DIGEST_STEPS", (uint64_t)unit_rounds(STEPS));
    run->seed = engine_env("HILERA_DIGEST_SEED", (uint64_t)time(NULL) * 1000 + (uint64_t)_i);
    durable_prepare(&run->durable, NULL);
    churn_options(&run->churn, &run->durable.options);
    run->durable.left = true;
    if (_i >= RUNS)
        run->durable.log.cache_size = 2000;
    run->churn.numbers = unit_random_seed(run->seed);
    durable_again(&run->durable);
    churn_join(&run->churn, run->durable.broker);
    for (run->step = 0; run->step < steps; run->step++) {
        churn_step(&run->churn);
        commit_perhaps(run, _i % RUNS);
        if (run->step % LOOK_EVERY == LOOK_EVERY - 1)
            look(run);
    }
    printf("# %" PRIu64 " parts compared, %" PRIu64 " records; taken over: %" PRIu64
           " under tokens, %" PRIu64 " returned, %" PRIu64 " charged, %" PRIu64 " buried\n",
           run->jobs, run->churn.records, run->tokens, run->returned, run->charged, run->buried);
    ck_assert(steps < LOOK_EVERY * 10 ||
              (run->tokens > 0 && run->returned > 0 && run->charged > 0));
    ck_assert_uint_gt(run->jobs, steps / LOOK_EVERY);
    churn_leave(&run->churn);
    durable_end(&run->durable, NULL);
    free(run);
}
END_TEST

// ---- what it says of a broker ----

START_TEST(tells_differences)
{
    struct durable durable;
    durable_begin(&durable, NULL);
    struct broker *broker = durable.broker;
    ck_assert_uint_eq(broker_digest(broker, NULL, NULL), 0);
    uint64_t id = engine_put(broker, "a", 7, 0, "body");
    uint64_t one = broker_digest(broker, NULL, NULL);
    ck_assert_uint_ne(one, 0);
    engine_put(broker, "a", 7, HL_SECOND, "body");
    uint64_t two = broker_digest(broker, NULL, NULL);
    ck_assert_uint_ne(two, one);
    clock_virtual_advance(2 * HL_SECOND);
    uint64_t due = broker_digest(broker, NULL, NULL);
    ck_assert_uint_ne(due, two); // a delay that is over is none
    (void)broker_due(broker);
    ck_assert_uint_eq(broker_digest(broker, NULL, NULL), due);
    ck_assert_int_eq(broker_pause(broker, &trust_all, "a", 1, HL_SECOND), 0);
    uint64_t paused = broker_digest(broker, NULL, NULL);
    ck_assert_uint_ne(paused, due);
    clock_virtual_advance(2 * HL_SECOND);
    ck_assert_uint_eq(broker_digest(broker, NULL, NULL), due);
    ck_assert_int_eq(broker_move(broker, &trust_all, id, "b", 1), 0);
    uint64_t moved = broker_digest(broker, NULL, NULL);
    ck_assert_uint_ne(moved, due);
    ck_assert_int_eq(broker_delete(broker, &trust_all, id), 0);
    ck_assert_uint_ne(broker_digest(broker, NULL, NULL), moved);
    ck_assert_uint_ne(broker_digest(broker, NULL, NULL), one);
    durable_end(&durable, NULL);
}
END_TEST

START_TEST(memory_is_nothing)
{
    struct durable durable;
    durable_begin(&durable, NULL);
    struct broker *broker = durable.broker;
    ck_assert_int_eq(broker_tube_durability(broker, "m", 1, DURABILITY_MEMORY, 0), 0);
    engine_put(broker, "m", 7, 0, "body");
    ck_assert_uint_eq(broker_digest(broker, NULL, NULL), 0);
    durable_end(&durable, NULL);
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("digest");
    TCase *tells = tcase_create("tells");
    tcase_add_test(tells, tells_differences);
    tcase_add_test(tells, memory_is_nothing);
    suite_add_tcase(suite, tells);
    TCase *random = tcase_create("random");
    tcase_set_timeout(random, 0); // as long as the steps asked for take
    tcase_add_loop_test(random, digests_agree, 0, 2 * RUNS);
    suite_add_tcase(suite, random);
    return unit_main(suite);
}
