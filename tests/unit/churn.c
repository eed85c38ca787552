// SPDX-License-Identifier: MIT
// Random work on a broker; see churn.h.

#include "churn.h"
#include "blocking.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const tube_names[CHURN_TUBES] = {"default", "interval", "memory", "ruled"};

static uint64_t below(struct churn *churn, uint64_t limit)
{
    return unit_random_below(&churn->numbers, limit);
}

static bool seldom(struct churn *churn, uint64_t one_in)
{
    return below(churn, one_in) == 0;
}

static uint64_t any_id(struct churn *churn)
{
    return churn->ids[below(churn, CHURN_IDS)];
}

static struct engine_conn *any_conn(struct churn *churn)
{
    return &churn->conns[below(churn, CHURN_CONNS)];
}

static struct churn_lease *any_lease(struct churn *churn, struct churn_lease *leases)
{
    return &leases[below(churn, CHURN_LEASES)];
}

static void lease_keep(struct churn *churn, struct churn_lease *leases, struct broker_lease *lease)
{
    struct churn_lease *place = any_lease(churn, leases);
    // One that is forgotten stays where it is until its TTR is over, or the consumer's end.
    *place = (struct churn_lease){.id = lease->id, .token = lease->token};
    broker_lease_fini(lease);
}

// ---- put ----

static void any_options(struct churn *churn, struct job_options *options, char *key, size_t size)
{
    static const char *const groups[] = {"g", "h", "long group"};
    *options = (struct job_options){.set = 0};
    if (seldom(churn, 2))
        options->group = groups[below(churn, 3)];
    if (seldom(churn, 4)) {
        snprintf(key, size, "k%d", (int)below(churn, 8));
        options->key = key;
    }
    if (seldom(churn, 4)) {
        options->tags = "red\0large";
        options->tags_size = sizeof("red\0large");
    }
    if (seldom(churn, 4))
        options->name = "for people";
    if (seldom(churn, 6)) {
        options->set |= JOB_OPTION_AT;
        options->at_wall_ns = clock_wall_ns() + ((int64_t)below(churn, 10) - 2) * HL_SECOND;
    }
    if (seldom(churn, 3)) {
        options->rules.set = JOB_RULE_ATTEMPTS | JOB_RULE_BACKOFF | JOB_RULE_TIMEOUTS;
        options->rules.attempts = 1 + (uint32_t)below(churn, 3);
        options->rules.timeouts = 1 + (uint32_t)below(churn, 3);
        options->rules.backoff_ns = (int64_t)below(churn, 3) * HL_SECOND;
    }
    if (seldom(churn, 4)) {
        options->rules.set |= JOB_RULE_LOSSES | JOB_RULE_CRASHES;
        options->rules.losses = 1 + (uint32_t)below(churn, 3);
        options->rules.crashes = 1 + (uint32_t)below(churn, 3);
    }
    if (seldom(churn, 5))
        options->set |= JOB_OPTION_RETENTION; // none
}

static void do_put(struct churn *churn)
{
    static const char filling[600];
    struct job_options options;
    char key[8];
    uint64_t tube = below(churn, CHURN_TUBES), id;
    struct broker_put_spec spec = {.tube = churn->tubes[tube],
                                   .pri = (uint32_t)below(churn, 3) * 800,
                                   .ttr_ns = (int64_t)below(churn, 6) * HL_SECOND,
                                   .submitter =
                                       seldom(churn, 3) ? JOB_NOBODY : (uint32_t)below(churn, 3)};
    if (seldom(churn, 3))
        spec.delay_ns = (int64_t)below(churn, 4000) * (HL_SECOND / 1000);
    if (!seldom(churn, 3)) {
        any_options(churn, &options, key, sizeof(key));
        char why[JOB_OPTIONS_WHY_MAX];
        ck_assert_msg(job_options_check(&options, why, sizeof(why)) == 0, "%s", why);
        spec.options = &options;
    }
    struct job_body *body;
    size_t len = seldom(churn, 4) ? below(churn, sizeof(filling)) : below(churn, 20);
    ck_assert_int_eq(job_body_new(&body, len), 0);
    memcpy(body->bytes, filling, len);
    int rc = broker_put(churn->broker, &spec, &body, &id);
    job_body_unref(&body);
    ck_assert(rc == 0 || rc == EEXIST);
    churn->ids[below(churn, CHURN_IDS)] = id;
}

// ---- consumers ----

static void do_take(struct churn *churn)
{
    struct broker_lease lease;
    if (broker_take(churn->consumers[below(churn, CHURN_TUBES)], &lease, 0) == 0)
        lease_keep(churn, churn->local, &lease);
}

static void do_settle(struct churn *churn)
{
    struct churn_lease *lease = any_lease(churn, seldom(churn, 4) ? churn->remote : churn->local);
    struct job_outcome outcome;
    job_outcome_init(&outcome);
    outcome.kind = (enum job_outcome_kind)below(churn, JOB_OUTCOME_COUNT);
    outcome.started_ns = clock_now_ns() - (int64_t)below(churn, 1000000000);
    outcome.ended_ns = clock_now_ns();
    outcome.retry_ns = ((int64_t)below(churn, 4) - 1) * HL_SECOND;
    if (seldom(churn, 2))
        job_outcome_reason(&outcome, "reason %d", (int)below(churn, 100));
    (void)broker_settle(churn->broker, lease->id, lease->token, &outcome);
    job_outcome_fini(&outcome);
    lease->id = 0;
}

static void do_settle_many(struct churn *churn)
{
    struct job_outcome outcome;
    struct broker_settlement list[8];
    job_outcome_init(&outcome);
    for (size_t i = 0; i < 8; i++) {
        struct churn_lease *lease = any_lease(churn, churn->local);
        list[i] =
            (struct broker_settlement){.id = lease->id, .token = lease->token, .outcome = &outcome};
    }
    broker_settle_many(churn->broker, list, 8);
}

// ---- connections ----

static void do_reserve(struct churn *churn)
{
    struct engine_conn *conn = any_conn(churn);
    struct broker_lease lease;
    unsigned flags = seldom(churn, 2) ? BROKER_WITH_TOKEN : 0;
    bool by_id = seldom(churn, 4);
    int rc = by_id ? broker_reserve_job(&conn->client, &trust_all, any_id(churn), flags, &lease)
                   : broker_reserve(&conn->client, &conn->reserver, 0, flags, &lease);
    if (rc != 0)
        return;
    if (flags == 0)
        lease.token = 0;
    lease_keep(churn, churn->remote, &lease);
}

static void do_wait(struct churn *churn)
{
    struct engine_conn *conn = &churn->waiter;
    struct broker_lease lease;
    int rc = EINPROGRESS;
    if (!broker_is_reserving(&conn->client)) {
        atomic_store(&conn->fired, 0);
        rc = broker_reserve(&conn->client, &conn->reserver, (int64_t)below(churn, 3) * HL_SECOND,
                            BROKER_WITH_TOKEN, &lease);
    } else if (atomic_exchange(&conn->fired, 0) > 0)
        rc = broker_reserve_finish(&conn->client, &lease);
    if (rc == 0)
        lease_keep(churn, churn->remote, &lease);
}

static void do_release(struct churn *churn)
{
    struct churn_lease *lease = any_lease(churn, churn->remote);
    (void)broker_release(&any_conn(churn)->client, &trust_all, lease->id, lease->token,
                         (uint32_t)below(churn, 3) * 900, (int64_t)below(churn, 3) * HL_SECOND);
}

static void do_bury(struct churn *churn)
{
    struct churn_lease *lease = any_lease(churn, churn->remote);
    (void)broker_bury(&any_conn(churn)->client, &trust_all, lease->id, lease->token,
                      (uint32_t)below(churn, 3) * 900);
}

static void do_touch(struct churn *churn)
{
    struct churn_lease *lease = any_lease(churn, churn->remote);
    (void)broker_touch(&any_conn(churn)->client, &trust_all, lease->id, lease->token);
}

static void do_delete(struct churn *churn)
{
    struct churn_lease *lease = any_lease(churn, churn->remote);
    bool idle = seldom(churn, 3);
    (void)broker_client_delete(&any_conn(churn)->client, &trust_all,
                               idle ? any_id(churn) : lease->id, idle ? 0 : lease->token);
}

static void conn_begin(struct churn *churn, struct engine_conn *conn)
{
    size_t count;
    engine_conn_init(conn, churn->broker);
    for (int i = 1; i < CHURN_TUBES; i++)
        ck_assert_int_eq(broker_watch(&conn->client, tube_names[i], strlen(tube_names[i]), &count),
                         0);
}

static void do_disconnect(struct churn *churn)
{
    struct engine_conn *conn = any_conn(churn);
    ck_assert(engine_conn_fini(conn));
    conn_begin(churn, conn);
}

// ---- by id, by tube ----

static void do_kick(struct churn *churn)
{
    uint64_t kicked;
    if (seldom(churn, 2))
        (void)broker_kick_job(churn->broker, &trust_all, any_id(churn));
    else
        ck_assert_int_eq(broker_kick(churn->broker, churn->tubes[below(churn, CHURN_TUBES)],
                                     below(churn, 3), &kicked),
                         0);
}

static void do_apply(struct churn *churn)
{
    static const enum broker_action actions[] = {BROKER_DO_KICK, BROKER_DO_BURY, BROKER_DO_DELETE,
                                                 BROKER_DO_CANCEL, BROKER_DO_CANCEL};
    const struct broker_change change = {
        .action = actions[below(churn, 5)], .reset = seldom(churn, 2), .reason = "because"};
    enum job_state state;
    (void)broker_apply_job(churn->broker, &trust_all, any_id(churn), &change, &state, NULL);
}

static void do_move(struct churn *churn)
{
    const char *to = tube_names[below(churn, CHURN_TUBES)];
    (void)broker_move(churn->broker, &trust_all, any_id(churn), to, strlen(to));
}

static void do_pause(struct churn *churn)
{
    const char *name = tube_names[below(churn, CHURN_TUBES)];
    if (seldom(churn, 3))
        ck_assert_int_eq(broker_pause(churn->broker, &trust_all, name, strlen(name),
                                      (int64_t)below(churn, 3) * HL_SECOND),
                         0);
}

static void do_clear(struct churn *churn)
{
    const char *name = tube_names[below(churn, CHURN_TUBES)];
    uint64_t cleared;
    if (seldom(churn, 20))
        ck_assert_int_eq(broker_clear(churn->broker, name, strlen(name), &cleared), 0);
}

static void do_time(struct churn *churn)
{
    clock_virtual_advance((int64_t)below(churn, 1200) * 1000000);
    (void)broker_due(churn->broker);
}

void churn_step(struct churn *churn)
{
    static void (*const steps[])(struct churn *) = {
        do_put,     do_put,        do_put,     do_put,     do_put,    do_put,    do_take,
        do_take,    do_take,       do_settle,  do_settle,  do_settle, do_settle, do_settle_many,
        do_reserve, do_reserve,    do_reserve, do_release, do_bury,   do_touch,  do_delete,
        do_delete,  do_kick,       do_apply,   do_move,    do_pause,  do_clear,  do_time,
        do_time,    do_disconnect, do_wait,    do_wait};
    steps[below(churn, sizeof(steps) / sizeof(steps[0]))](churn);
}

// ---- life ----

static void ends_count(struct list *ends, void *arg)
{
    struct churn *churn = arg;
    struct job_end *end;
    for (; (end = engine_end_pop(ends)) != NULL; job_end_unref(&end))
        churn->records++;
}

void churn_options(struct churn *churn, struct broker_options *options)
{
    options->ended = ends_count;
    options->records_arg = churn;
}

static void cancel_heard(uint64_t id, uint64_t token, void *arg)
{
    (void)id;
    (void)token;
    (void)arg;
}

static const struct broker_consumer_hooks consumer_hooks = {.cancel = cancel_heard};

void churn_join(struct churn *churn, struct broker *broker)
{
    static const struct job_rules rules = {
        .set = JOB_RULE_ATTEMPTS | JOB_RULE_TIMEOUTS, .attempts = 3, .timeouts = 2};
    churn->broker = broker;
    ck_assert_int_eq(broker_tube_durability(broker, "interval", 8, DURABILITY_INTERVAL, HL_SECOND),
                     0);
    ck_assert_int_eq(broker_tube_durability(broker, "memory", 6, DURABILITY_MEMORY, 0), 0);
    ck_assert_int_eq(broker_tube_rules(broker, "ruled", 5, &rules), 0);
    for (int i = 0; i < CHURN_TUBES; i++) {
        const char *name = tube_names[i];
        ck_assert_int_eq(broker_use(broker, name, strlen(name), &churn->tubes[i]), 0);
        churn->consumers[i] = engine_consumer(broker, name);
        broker_consumer_set_hooks(churn->consumers[i], &consumer_hooks, NULL);
    }
    for (int i = 0; i < CHURN_CONNS; i++)
        conn_begin(churn, &churn->conns[i]);
    conn_begin(churn, &churn->waiter);
}

void churn_leave(struct churn *churn)
{
    for (int i = 0; i < CHURN_CONNS; i++)
        ck_assert(engine_conn_fini(&churn->conns[i]));
    (void)engine_conn_fini(&churn->waiter); // with a job that it wasn't given yet, perhaps
    for (int i = 0; i < CHURN_TUBES; i++) {
        broker_consumer_free(&churn->consumers[i]);
        broker_unuse(churn->broker, &churn->tubes[i]);
    }
    churn->broker = NULL;
}
