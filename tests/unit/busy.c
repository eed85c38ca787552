// SPDX-License-Identifier: MIT
// A journal that is busy: what busy.h says, by filling the disk in memory and by leaving compaction
// to the test.
#include "busy.h"

#include "journal/journal.h"
#include "journal_disk.h"
#include "store/store.h"

#include <errno.h>
#include <string.h>

#define JOBS_MAX 20000
#define JOBS_LEFT 4
#define SEGMENTS 12
#define BODY 1000

static void compaction_wanted(void *arg)
{
    (void)arg; // the test compacts
}

static const struct broker_hooks hooks = {.compaction_wanted = compaction_wanted};

void busy_commit(struct broker *broker)
{
    struct ticket ticket = broker_ticket_wanted(broker);
    ck_assert_int_eq(broker_ticket_wait(broker, &ticket, HL_FOREVER), 0);
}

int busy_put(struct broker *broker, struct tube *tube, size_t len, uint64_t *id)
{
    struct job_body *body;
    struct broker_op op;
    ck_assert_int_eq(job_body_new(&body, len), 0);
    memset(body->bytes, 'x', len);
    const struct broker_put_spec spec = {
        .submitter = JOB_NOBODY, .tube = tube, .ttr_ns = 60 * HL_SECOND};
    ck_assert_int_eq(broker_op_put(&op, broker, &spec, &body), 0);
    int rc = broker_run(broker, &op);
    *id = op.id;
    broker_op_fini(&op);
    return rc;
}

static int run(struct broker *broker, enum broker_verb verb, struct broker_client *client,
               uint64_t id)
{
    struct broker_op op;
    broker_op_init(&op, verb, id, 0);
    op.client = client;
    op.asker = &trust_all;
    op.back.pri = 0;
    op.back.delay_ns = 0;
    int rc = broker_run(broker, &op);
    broker_op_fini(&op);
    return rc;
}

void busy_puts(struct broker *broker, struct tube *tube)
{
    uint64_t id;
    int rc;
    broker_set_hooks(broker, &hooks, NULL);
    for (int i = 0; (rc = busy_put(broker, tube, BODY, &id)) == 0; i++) {
        ck_assert_int_lt(i, JOBS_MAX);
        busy_commit(broker);
        ck_assert_int_eq(run(broker, BROKER_DELETE, NULL, id), 0);
        busy_commit(broker);
    }
    ck_assert_int_eq(rc, EAGAIN);
}

// Until the disk is full. How many.
static size_t fill(struct broker *broker, struct tube *tube, uint64_t *ids)
{
    size_t count = 0;
    int rc;
    disk_space((uint64_t)SEGMENTS * JOURNAL_SEGMENT_MIN);
    while ((rc = busy_put(broker, tube, BODY, &ids[count])) == 0) {
        ck_assert_uint_lt(++count, JOBS_MAX);
        busy_commit(broker);
    }
    ck_assert_int_eq(rc, ENOSPC);
    busy_commit(broker);
    return count;
}

static uint64_t reserve(struct broker_client *client)
{
    struct broker_reserver reserver = {.client = NULL};
    struct broker_lease lease;
    ck_assert_int_eq(broker_reserve(client, &reserver, 0, 0, &lease), 0);
    broker_lease_fini(&lease);
    return lease.id;
}

uint64_t busy_changes(struct broker *broker, struct tube *tube, struct broker_client *client)
{
    static uint64_t ids[JOBS_MAX];
    size_t count = fill(broker, tube, ids);
    for (size_t i = JOBS_LEFT; i < count; i++) {
        ck_assert_int_eq(run(broker, BROKER_DELETE, NULL, ids[i]), 0);
        busy_commit(broker);
    }
    broker_set_hooks(broker, &hooks, NULL);
    uint64_t id;
    int rc;
    do {
        id = reserve(client);
        rc = run(broker, BROKER_RELEASE, client, id);
        busy_commit(broker);
    } while (rc == 0);
    ck_assert_int_eq(rc, EAGAIN);
    return id;
}

void busy_compact(struct broker *broker)
{
    int rc;
    do
        rc = broker_compact(broker);
    while (rc == 0 || rc == EAGAIN);
    ck_assert_int_eq(rc, ENOENT);
}
