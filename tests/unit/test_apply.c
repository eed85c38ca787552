// SPDX-License-Identifier: MIT
// Changes carried out: each type, on a job of each state, with and without what few jobs have. The
// expensive assertions look at counts and containers whenever the lock is let go of. And changes to
// entries and back: what is resolved is what was recorded.

#include "blocking.h"
#include "broker/state_priv.h"
#include "durable.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct durable durable;

static void setup(void)
{
    durable_begin(&durable, NULL);
}

static void teardown(void)
{
    durable_end(&durable, NULL);
}

// ---- jobs ----

static const enum job_state states[] = {JOB_READY, JOB_DELAYED, JOB_BURIED};

// A job of that state; `rich`: with group, key and past, else as plain as can be.
static uint64_t job_in(enum job_state state, bool rich, const char *tube)
{
    const struct job_options options = {.group = "g", .key = "k", .rules = {.set = 0}};
    const struct broker_change bury = {.action = BROKER_DO_BURY, .reason = "because"};
    struct broker_put_spec spec = {.pri = 2000,
                                   .ttr_ns = 10 * HL_SECOND,
                                   .delay_ns = state == JOB_DELAYED ? 5 * HL_SECOND : 0,
                                   .submitter = 7,
                                   .options = rich ? &options : NULL};
    struct job_body *body = engine_body("body");
    enum job_state now;
    uint64_t id;
    ck_assert_int_eq(broker_use(durable.broker, tube, strlen(tube), &spec.tube), 0);
    ck_assert_int_eq(broker_put(durable.broker, &spec, &body, &id), 0);
    broker_unuse(durable.broker, &spec.tube);
    if (state == JOB_BURIED)
        ck_assert_int_eq(broker_apply_job(durable.broker, &trust_all, id, &bury, &now, NULL), 0);
    return id;
}

static uint64_t group_unfinished(void)
{
    uint64_t unfinished = 0;
    struct broker_totals totals;
    const struct trust_view mine = {.uid = 7};
    (void)broker_group_stats(durable.broker, &mine, "g", &unfinished, &totals);
    return unfinished;
}

static uint64_t group_failed(void)
{
    uint64_t unfinished;
    struct broker_totals totals = {0};
    const struct trust_view mine = {.uid = 7};
    (void)broker_group_stats(durable.broker, &mine, "g", &unfinished, &totals);
    return totals.failed;
}

// ---- each on each ----

static const enum job_entry_type types[] = {JOB_ENTRY_LEASE,   JOB_ENTRY_RELEASE, JOB_ENTRY_RETRY,
                                            JOB_ENTRY_TIMEOUT, JOB_ENTRY_KICK,    JOB_ENTRY_BURY,
                                            JOB_ENTRY_MOVE};
enum { TYPES = sizeof(types) / sizeof(types[0]), STATES = 3, CASES = TYPES * STATES * 4 };

// The state that a change of the case leads to.
static enum job_state goes_to(enum job_entry_type type, enum job_state from, bool later)
{
    if (type == JOB_ENTRY_BURY)
        return JOB_BURIED;
    if (type == JOB_ENTRY_MOVE)
        return from;
    bool may_wait = type == JOB_ENTRY_RELEASE || type == JOB_ENTRY_RETRY;
    return may_wait && later ? JOB_DELAYED : JOB_READY;
}

// [held]
static void carry_out(struct change *change)
{
    struct tube *to = NULL;
    if (change->type == JOB_ENTRY_MOVE) {
        ck_assert_int_eq(tube_need(&durable.broker->ledger, "other", 5, &to), 0);
        change->tube = to;
    }
    ck_assert_int_eq(change_room(change), 0);
    change_apply(change);
    tube_job_contain(change->job);
    if (change->type == JOB_ENTRY_MOVE)
        tube_unref(change->tube); // the old one, with the job's reference
}

static void counts_are(const struct job_view *view, enum job_entry_type type, bool was_buried)
{
    ck_assert_uint_eq(view->reserves, type == JOB_ENTRY_LEASE);
    ck_assert_uint_eq(view->releases, type == JOB_ENTRY_RELEASE);
    ck_assert_uint_eq(view->kicks, type == JOB_ENTRY_KICK);
    ck_assert_uint_eq(view->buries, (type == JOB_ENTRY_BURY) + was_buried);
    bool counted = type == JOB_ENTRY_RETRY || type == JOB_ENTRY_TIMEOUT || type == JOB_ENTRY_BURY;
    ck_assert_uint_eq(view->tries.failures, counted ? 3 : 0);
    ck_assert_uint_eq(view->tries.timeouts, counted ? 4 : 0);
}

START_TEST(each_change_in_each_state)
{
    enum job_entry_type type = types[_i % TYPES];
    enum job_state from = states[_i / TYPES % STATES];
    bool rich = _i / (TYPES * STATES) % 2 != 0, later = _i / (TYPES * STATES) / 2 != 0;
    enum job_state to = goes_to(type, from, later);
    uint64_t id = job_in(from, rich, "t");
    const struct job_tries tries = {.failures = 3, .timeouts = 4};
    char *reason = strdup("another reason");
    struct change change = {.type = (uint8_t)type,
                            .from = (uint8_t)from,
                            .to = (uint8_t)to,
                            .pri = 500,
                            .key_ns = type == JOB_ENTRY_BURY ? 77 : clock_deadline(HL_SECOND),
                            .delay_ns = HL_SECOND,
                            .tries = &tries,
                            .reason = &reason};
    broker_lock(durable.broker);
    change.job = idtable_get(&durable.broker->ledger.jobs, id);
    uint64_t cost = store_cost(change.job);
    carry_out(&change);
    // Live, what it is to the counts since the start is made.c's: here it is as after a start.
    durable.broker->stats.totals = (struct broker_totals){0};
    struct list_node *node = list_first(&durable.broker->ledger.tube_list);
    for (; node != NULL; node = list_next(&durable.broker->ledger.tube_list, node)) {
        struct tube *tube = CONTAINER_OF(node, struct tube, node);
        broker_tube(tube)->stats.totals = (struct broker_totals){
            .put = tube_jobs(tube), .failed = tube->counts.count[JOB_BURIED]};
    }
    store_cost_changed(change.job, cost);
    broker_unlock(durable.broker);
    free(reason);
    struct job_view view = engine_view(durable.broker, id);
    ck_assert_int_eq(view.state, to);
    counts_are(&view, type, from == JOB_BURIED);
    ck_assert_uint_eq(view.pri, type == JOB_ENTRY_RELEASE || type == JOB_ENTRY_BURY ? 500 : 2000);
    ck_assert_str_eq(view.tube, type == JOB_ENTRY_MOVE ? "other" : "t");
    if (type == JOB_ENTRY_BURY)
        ck_assert_str_eq(view.reason, "another reason");
    ck_assert_uint_eq(engine_stats(durable.broker).unfinished, to != JOB_BURIED);
    ck_assert_uint_eq(group_unfinished(), rich && to != JOB_BURIED);
    if (to == JOB_DELAYED && type != JOB_ENTRY_MOVE)
        ck_assert_int_eq(view.time_left_ns, HL_SECOND);
    ck_assert_int_eq(broker_delete(durable.broker, &trust_all, id), 0);
}
END_TEST

// ---- to disk and back ----

static struct unit_random numbers;

static uint64_t below(uint64_t limit)
{
    return unit_random_below(&numbers, limit);
}

static void any_change(struct change *change, struct job *job, struct job_tries *tries,
                       char **reason, struct job_attempts **past)
{
    static const enum job_outcome_kind kinds[] = {JOB_OUTCOME_FAILED, JOB_OUTCOME_TIMEOUT};
    enum job_entry_type type = types[below(TYPES - 1)]; // but MOVE
    bool later = below(2) == 0;
    enum job_state to = goes_to(type, JOB_RESERVED, later);
    struct job_outcome outcome;
    job_outcome_init(&outcome);
    outcome.kind = kinds[below(2)];
    job_outcome_reason(&outcome, "attempt %d", (int)below(100));
    *tries = job->extra != NULL ? job->extra->tries : (struct job_tries){0};
    if (type == JOB_ENTRY_TIMEOUT)
        tries->timeouts++;
    else
        tries->failures += (uint32_t)below(3);
    *change =
        (struct change){.type = (uint8_t)type,
                        .from = job->state,
                        .to = (uint8_t)to,
                        .flags = type == JOB_ENTRY_KICK && below(2) == 0 ? CHANGE_RESET : 0,
                        .pri = (uint32_t)below(UINT32_MAX),
                        .job = job,
                        .key_ns = to == JOB_BURIED ? (int64_t)below(JOB_ID_MAX)
                                                   : clock_now_ns() + 1 + (int64_t)below(1000),
                        .delay_ns = (int64_t)below(JOB_SPAN_MAX_NS),
                        .tries = tries};
    if ((type == JOB_ENTRY_RETRY || type == JOB_ENTRY_BURY) && below(2) == 0) {
        ck_assert_int_eq(job_attempts_new(past, &outcome), 0);
        change->past = past;
    }
    if (type == JOB_ENTRY_BURY && below(2) == 0) {
        *reason = strdup("a reason");
        change->reason = reason;
    }
}

static void same_texts(const struct change *made, const struct change *found)
{
    const char *reason = made->reason != NULL ? *made->reason : NULL;
    const char *again = found->reason != NULL ? *found->reason : NULL;
    ck_assert((reason == NULL) == (again == NULL));
    if (reason != NULL)
        ck_assert_str_eq(reason, again);
    const struct job_attempts *past = made->past != NULL ? *made->past : NULL;
    const struct job_attempts *known = found->past != NULL ? *found->past : NULL;
    ck_assert((past == NULL) == (known == NULL));
    if (past == NULL || known == NULL)
        return;
    ck_assert_str_eq(past->reason, known->reason);
    ck_assert_int_eq(past->kind, known->kind);
    ck_assert_int_eq(past->started_wall_ns, known->started_wall_ns);
    ck_assert_int_eq(past->ended_wall_ns, known->ended_wall_ns);
}

static void changes_same(const struct change *made, const struct change *found)
{
    enum job_entry_type type = made->type;
    bool back = type == JOB_ENTRY_RELEASE || type == JOB_ENTRY_RETRY;
    bool counts = type == JOB_ENTRY_RETRY || type == JOB_ENTRY_TIMEOUT || type == JOB_ENTRY_BURY;
    ck_assert_int_eq(found->type, type);
    ck_assert_ptr_eq(found->job, made->job);
    ck_assert_int_eq(found->from, made->from);
    ck_assert_int_eq(found->to, made->to);
    ck_assert_int_eq(found->flags, made->flags);
    if (type == JOB_ENTRY_RELEASE || type == JOB_ENTRY_BURY)
        ck_assert_uint_eq(found->pri, made->pri);
    if (back)
        ck_assert_int_eq(found->delay_ns, made->delay_ns);
    if (made->to != JOB_READY)
        ck_assert_int_eq(found->key_ns, made->key_ns);
    if (counts)
        ck_assert_mem_eq(found->tries, made->tries, sizeof(*made->tries));
    same_texts(made, found);
}

START_TEST(what_is_resolved_was_recorded)
{
    numbers = unit_random_seed(UINT64_C(0xa991e));
    struct replay replay = {
        .ledger = &durable.broker->ledger, .wall_ns = clock_wall_ns(), .mono_ns = clock_now_ns()};
    struct job *jobs[STATES];
    uint64_t ids[STATES];
    for (int i = 0; i < STATES; i++)
        ids[i] = job_in(states[i], i == 0, "t");
    broker_lock(durable.broker);
    for (int i = 0; i < STATES; i++)
        jobs[i] = idtable_get(&durable.broker->ledger.jobs, ids[i]);
    for (int round = 0; round < unit_rounds(20000); round++) {
        struct change made, found;
        struct job_tries tries;
        struct job_attempts *past = NULL;
        char *reason = NULL, bytes[JOB_ENTRY_HEAD_MAX];
        struct job_entry entry;
        any_change(&made, jobs[below(STATES)], &tries, &reason, &past);
        change_entry(&made, &entry);
        size_t len = job_entry_encode(&entry, bytes);
        ck_assert_int_eq(job_entry_decode(&entry, bytes, len), 0);
        ck_assert_int_eq(change_resolve(&replay, &entry, &found), 0);
        changes_same(&made, &found);
        job_attempts_free(&past);
        free(reason);
        replay_clean(&replay);
    }
    broker_unlock(durable.broker);
}
END_TEST

// What a buried job of memory counts for its group is told when it comes to a tube with a journal,
// and by nothing later.
START_TEST(a_buried_job_of_memory_is_counted_in_the_journal)
{
    ck_assert_int_eq(broker_tube_durability(durable.broker, "m", 1, DURABILITY_MEMORY, 0), 0);
    uint64_t id = job_in(JOB_BURIED, true, "m");
    ck_assert_int_eq(broker_move(durable.broker, &trust_all, id, "t", 1), 0);
    ck_assert_int_eq(broker_move(durable.broker, &trust_all, id, "u", 1), 0);
    durable_commit(&durable);
    ck_assert_uint_eq(group_failed(), 1);
    durable_kill(&durable, NULL);
    durable_again(&durable);
    ck_assert_int_eq(engine_view(durable.broker, id).state, JOB_BURIED);
    ck_assert_uint_eq(group_failed(), 1);
}
END_TEST

START_TEST(an_entry_of_nobody_means_nothing)
{
    struct replay replay = {.ledger = &durable.broker->ledger};
    struct change change;
    const struct job_entry entry = {.type = JOB_ENTRY_KICK, .id = 12345};
    broker_lock(durable.broker);
    ck_assert_int_eq(change_resolve(&replay, &entry, &change), ENOENT);
    broker_unlock(durable.broker);
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("apply");
    TCase *tcase = tcase_create("apply");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, each_change_in_each_state, 0, CASES);
    tcase_add_test(tcase, what_is_resolved_was_recorded);
    tcase_add_test(tcase, a_buried_job_of_memory_is_counted_in_the_journal);
    tcase_add_test(tcase, an_entry_of_nobody_means_nothing);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
