// SPDX-License-Identifier: MIT
// Helpers of the tests around the broker; see engine.h.

#include "engine.h"
#include "blocking.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

void engine_init(void)
{
    setenv("HILERA_EXPENSIVE", "1", 1);
}

struct job_body *engine_body(const char *text)
{
    struct job_body *body = NULL;
    ck_assert_int_eq(job_body_new(&body, strlen(text)), 0);
    memcpy(body->bytes, text, strlen(text));
    return body;
}

static int put(struct broker *broker, const char *tube, uint32_t pri, int64_t delay_ns,
               const char *text, uint64_t *id)
{
    struct broker_put_spec spec = {
        .submitter = JOB_NOBODY, .pri = pri, .delay_ns = delay_ns, .ttr_ns = 60 * HL_SECOND};
    ck_assert_int_eq(broker_use(broker, tube, strlen(tube), &spec.tube), 0);
    struct job_body *body = engine_body(text);
    int rc = broker_put(broker, &spec, &body, id);
    if (rc == 0)
        ck_assert_ptr_null(body);
    else
        job_body_unref(&body);
    broker_unuse(broker, &spec.tube);
    return rc;
}

uint64_t engine_put(struct broker *broker, const char *tube, uint32_t pri, int64_t delay_ns,
                    const char *text)
{
    uint64_t id = 0;
    ck_assert_int_eq(put(broker, tube, pri, delay_ns, text, &id), 0);
    return id;
}

int engine_put_rc(struct broker *broker, const char *tube, const char *text)
{
    uint64_t id;
    return put(broker, tube, 0, 0, text, &id);
}

struct broker_consumer *engine_consumer(struct broker *broker, const char *tube)
{
    struct broker_consumer *consumer = NULL;
    ck_assert_int_eq(broker_consumer_new(&consumer, broker, "consumer", &tube, 1), 0);
    return consumer;
}

uint64_t engine_take(struct broker_consumer *consumer, struct broker_lease *lease)
{
    struct broker_lease mine;
    int rc = broker_take(consumer, &mine, 0);
    if (rc == ETIMEDOUT)
        return 0;
    ck_assert_int_eq(rc, 0);
    uint64_t id = mine.id;
    if (lease != NULL)
        *lease = mine;
    else
        broker_lease_fini(&mine);
    return id;
}

int engine_settle(struct broker *broker, struct broker_lease *lease, enum job_outcome_kind kind)
{
    struct job_outcome outcome;
    job_outcome_init(&outcome);
    outcome.kind = kind;
    int rc = broker_settle(broker, lease->id, lease->token, &outcome);
    job_outcome_fini(&outcome);
    broker_lease_fini(lease);
    return rc;
}

struct broker_stats engine_stats(struct broker *broker)
{
    struct broker_stats stats;
    broker_stats(broker, &stats);
    return stats;
}

struct broker_stats engine_tube_stats(struct broker *broker, const char *tube)
{
    struct broker_stats stats;
    ck_assert_int_eq(broker_tube_stats(broker, tube, strlen(tube), &stats), 0);
    return stats;
}

struct job_view engine_view(struct broker *broker, uint64_t id)
{
    struct job_view view;
    ck_assert_int_eq(broker_peek(broker, &trust_all, id, &view, NULL), 0);
    return view;
}

static void conn_fired(struct later *later)
{
    struct engine_conn *conn = CONTAINER_OF(later, struct engine_conn, reserver.wait.later);
    atomic_fetch_add(&conn->fired, 1);
}

void engine_conn_init(struct engine_conn *conn, struct broker *broker)
{
    memset(conn, 0, sizeof(*conn));
    conn->reserver.wait.later.fire = conn_fired;
    ck_assert_int_eq(broker_client_init(&conn->client, broker), 0);
}

bool engine_conn_fini(struct engine_conn *conn)
{
    return broker_client_fini(&conn->client);
}

void engine_watch_only(struct engine_conn *conn, const char *tube)
{
    size_t count;
    ck_assert_int_eq(broker_watch(&conn->client, tube, strlen(tube), &count), 0);
    while (broker_watch_count(&conn->client) > 1) {
        const char *name = broker_watch_name(&conn->client, 0);
        if (strcmp(name, tube) == 0)
            name = broker_watch_name(&conn->client, 1);
        ck_assert_int_eq(broker_ignore(&conn->client, name, strlen(name), &count), 0);
    }
}

static uint64_t lease_drop(int rc, struct broker_lease *lease)
{
    if (rc != 0)
        return 0;
    uint64_t id = lease->id;
    broker_lease_fini(lease);
    return id;
}

int engine_reserve_rc(struct engine_conn *conn, int64_t timeout_ns, uint64_t *id)
{
    struct broker_lease lease;
    int rc = broker_reserve(&conn->client, &conn->reserver, timeout_ns, 0, &lease);
    uint64_t got = lease_drop(rc, &lease);
    if (id != NULL)
        *id = got;
    return rc;
}

uint64_t engine_reserve(struct engine_conn *conn)
{
    uint64_t id;
    int rc = engine_reserve_rc(conn, 0, &id);
    ck_assert_msg(rc == 0 || rc == ETIMEDOUT, "reserve: %d", rc);
    return id;
}

uint64_t engine_reserve_token(struct engine_conn *conn, uint64_t *token)
{
    struct broker_lease lease;
    ck_assert_int_eq(broker_reserve(&conn->client, &conn->reserver, 0, BROKER_WITH_TOKEN, &lease),
                     0);
    *token = lease.token;
    return lease_drop(0, &lease);
}

int engine_finish(struct engine_conn *conn, uint64_t *id)
{
    struct broker_lease lease;
    int rc = broker_reserve_finish(&conn->client, &lease);
    *id = lease_drop(rc, &lease);
    return rc;
}

void engine_await_waiting(struct broker *broker, uint64_t count)
{
    while (engine_stats(broker).waiting != count)
        sched_yield();
}

hl_thread *engine_thread(hl_thread_target target, void *arg)
{
    hl_thread *thread = NULL;
    struct hl_thread_options options = {.target = target, .arg = arg, .daemon = HL_DAEMON_NO};
    ck_assert_int_eq(hl_thread_new(&thread, &options), 0);
    ck_assert_int_eq(hl_thread_start(thread), 0);
    return thread;
}

void engine_thread_join(hl_thread **thread)
{
    ck_assert_int_eq(hl_thread_join(*thread, HL_FOREVER), 0);
    hl_thread_free(thread);
}

void engine_records_init(struct engine_records *records)
{
    memset(records, 0, sizeof(*records));
    ck_assert_int_eq(hl_lock_new(&records->lock, "records", lock_class(LOCK_CLASS_history)), 0);
    ck_assert_int_eq(hl_event_new(&records->arrived, "records"), 0);
}

void engine_records_fini(struct engine_records *records)
{
    for (size_t i = 0; i < records->count; i++)
        job_record_unref(&records->record[i]);
    hl_event_free(&records->arrived);
    hl_lock_free(&records->lock);
}

struct job_end *engine_end_pop(struct list *ends)
{
    struct list_node *node = list_pop(ends);
    return node != NULL ? CONTAINER_OF(node, struct job_end, node) : NULL;
}

void engine_ends_drop(struct list *ends, void *arg)
{
    struct job_end *end;
    (void)arg;
    while ((end = engine_end_pop(ends)) != NULL)
        job_end_unref(&end);
}

void engine_records_add(struct list *ends, void *arg)
{
    struct engine_records *records = arg;
    struct job_end *end;
    hl_lock_acquire(records->lock);
    while ((end = engine_end_pop(ends)) != NULL) {
        ck_assert_uint_lt(records->count, 64);
        ck_assert_int_eq(job_end_record(end, &records->record[records->count++]), 0);
        job_end_unref(&end);
    }
    hl_event_set(records->arrived);
    hl_lock_release(records->lock);
}

void engine_records_await(struct engine_records *records, size_t count)
{
    size_t have;
    do {
        hl_event_clear(records->arrived);
        hl_lock_acquire(records->lock);
        have = records->count;
        hl_lock_release(records->lock);
    } while (have < count && hl_event_wait(records->arrived, HL_FOREVER) == 0);
}

uint64_t engine_env(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL && *text != '\0' ? strtoull(text, NULL, 10) : otherwise;
}
