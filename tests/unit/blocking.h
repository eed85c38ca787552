// SPDX-License-Identifier: MIT
// The verbs of the broker as calls that block: a line a test, in place of an operation.
#ifndef BLOCKING_H
#define BLOCKING_H

#include "broker/broker.h"

// What the calls of this thread have to wait for, since it was asked last.
struct ticket blocking_told(void);
// PUT. The body is taken over if it succeeds, and *body nulled.
int broker_put(struct broker *broker, const struct broker_put_spec *spec, struct job_body **body,
               uint64_t *id);
// The same of one that waits for room: EINPROGRESS, and op->later fires, whose fire is set.
int broker_put_wait(struct broker *broker, const struct broker_put_spec *spec,
                    struct job_body **body, struct broker_op *op);
// Of a lease: token 0, a plain one of the client's.
int broker_release(struct broker_client *client, const struct trust_view *asker, uint64_t id,
                   uint64_t token, uint32_t pri, int64_t delay_ns);
int broker_bury(struct broker_client *client, const struct trust_view *asker, uint64_t id,
                uint64_t token, uint32_t pri);
int broker_touch(struct broker_client *client, const struct trust_view *asker, uint64_t id,
                 uint64_t token);
int broker_client_delete(struct broker_client *client, const struct trust_view *asker, uint64_t id,
                         uint64_t token);
// BROKER_WITH_TOKEN or 0.
int broker_reserve_job(struct broker_client *client, const struct trust_view *asker, uint64_t id,
                       unsigned flags, struct broker_lease *lease);
// Of a job that nobody has reserved.
int broker_delete(struct broker *broker, const struct trust_view *asker, uint64_t id);
int broker_kick_job(struct broker *broker, const struct trust_view *asker, uint64_t id);
int broker_move(struct broker *broker, const struct trust_view *asker, uint64_t id,
                const char *name, size_t len);
int broker_pause(struct broker *broker, const struct trust_view *asker, const char *name,
                 size_t len, int64_t pause_ns);
// All of a walk.
int broker_kick(struct broker *broker, struct tube *tube, uint64_t count, uint64_t *kicked);
int broker_clear(struct broker *broker, const char *name, size_t len, uint64_t *cleared);

#endif
