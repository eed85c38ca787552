// SPDX-License-Identifier: MIT
// The verbs of the broker as calls that block (blocking.h).
#include "blocking.h"

#include <errno.h>

static _Thread_local struct ticket told;

struct ticket blocking_told(void)
{
    struct ticket ticket = told;
    told = (struct ticket){0};
    return ticket;
}

static int run(struct broker *broker, struct broker_op *op)
{
    int rc = broker_run_blocking(broker, op);
    ticket_add(&told, &op->ticket);
    broker_op_fini(op);
    return rc;
}

int broker_put(struct broker *broker, const struct broker_put_spec *spec, struct job_body **body,
               uint64_t *id)
{
    struct broker_op op;
    int rc = broker_op_put(&op, broker, spec, body);
    if (rc != 0)
        return rc;
    rc = broker_run_blocking(broker, &op);
    ticket_add(&told, &op.ticket);
    if (rc == 0 || rc == EEXIST)
        *id = op.id;
    if (rc != 0)
        broker_op_unput(&op, body);
    return rc;
}

int broker_put_wait(struct broker *broker, const struct broker_put_spec *spec,
                    struct job_body **body, struct broker_op *op)
{
    int rc = broker_op_put(op, broker, spec, body);
    if (rc != 0)
        return rc;
    op->flags = OP_STANDS | OP_MAY_WAIT;
    rc = broker_run(broker, op);
    if (rc != 0 && rc != EINPROGRESS)
        broker_op_unput(op, body);
    return rc;
}

static void init(struct broker_op *op, enum broker_verb verb, struct broker_client *client,
                 const struct trust_view *asker, uint64_t id, uint64_t token)
{
    broker_op_init(op, verb, id, token);
    op->client = client;
    op->asker = asker;
}

int broker_release(struct broker_client *client, const struct trust_view *asker, uint64_t id,
                   uint64_t token, uint32_t pri, int64_t delay_ns)
{
    struct broker_op op;
    init(&op, BROKER_RELEASE, client, asker, id, token);
    op.back.pri = pri;
    op.back.delay_ns = delay_ns;
    return run(client->broker, &op);
}

int broker_bury(struct broker_client *client, const struct trust_view *asker, uint64_t id,
                uint64_t token, uint32_t pri)
{
    struct broker_op op;
    init(&op, BROKER_BURY, client, asker, id, token);
    op.back.pri = pri;
    return run(client->broker, &op);
}

int broker_touch(struct broker_client *client, const struct trust_view *asker, uint64_t id,
                 uint64_t token)
{
    struct broker_op op;
    init(&op, BROKER_TOUCH, client, asker, id, token);
    return run(client->broker, &op);
}

int broker_client_delete(struct broker_client *client, const struct trust_view *asker, uint64_t id,
                         uint64_t token)
{
    struct broker_op op;
    init(&op, BROKER_DELETE, client, asker, id, token);
    return run(client->broker, &op);
}

int broker_reserve_job(struct broker_client *client, const struct trust_view *asker, uint64_t id,
                       unsigned flags, struct broker_lease *lease)
{
    struct broker_op op;
    init(&op, BROKER_RESERVE_JOB, client, asker, id, 0);
    op.flags = (flags & BROKER_WITH_TOKEN) != 0 ? OP_TOKEN : 0;
    op.lease = lease;
    return run(client->broker, &op);
}

int broker_delete(struct broker *broker, const struct trust_view *asker, uint64_t id)
{
    struct broker_op op;
    init(&op, BROKER_DELETE, NULL, asker, id, 0);
    return run(broker, &op);
}

int broker_kick_job(struct broker *broker, const struct trust_view *asker, uint64_t id)
{
    struct broker_op op;
    init(&op, BROKER_KICK, NULL, asker, id, 0);
    return run(broker, &op);
}

int broker_move(struct broker *broker, const struct trust_view *asker, uint64_t id,
                const char *name, size_t len)
{
    struct broker_op op;
    init(&op, BROKER_MOVE, NULL, asker, id, 0);
    op.tube.name = name;
    op.tube.len = len;
    return run(broker, &op);
}

int broker_pause(struct broker *broker, const struct trust_view *asker, const char *name,
                 size_t len, int64_t pause_ns)
{
    struct broker_op op;
    init(&op, BROKER_PAUSE, NULL, asker, 0, 0);
    op.tube.name = name;
    op.tube.len = len;
    op.tube.pause_ns = pause_ns;
    return run(broker, &op);
}

static int walk_all(struct broker *broker, struct broker_bulk *walk, uint64_t *done)
{
    int rc;
    do {
        rc = broker_bulk_on(walk);
        if (rc != EAGAIN)
            continue;
        struct broker_op room;
        broker_op_init(&room, BROKER_ROOM, 0, 0);
        rc = run(broker, &room);
        rc = rc == 0 ? EINPROGRESS : rc;
    } while (rc == EINPROGRESS);
    *done = walk->done;
    broker_bulk_end(walk);
    return rc;
}

int broker_kick(struct broker *broker, struct tube *tube, uint64_t count, uint64_t *kicked)
{
    struct broker_bulk walk;
    broker_kick_begin(broker, tube, count, &walk);
    return walk_all(broker, &walk, kicked);
}

int broker_clear(struct broker *broker, const char *name, size_t len, uint64_t *cleared)
{
    struct broker_bulk walk;
    int rc = broker_clear_begin(broker, name, len, &walk);
    return rc == 0 ? walk_all(broker, &walk, cleared) : rc;
}
