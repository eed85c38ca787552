// SPDX-License-Identifier: MIT
/*
 * What all sessions share: where commands go, and how often each was given.
 *
 * Counting costs no locked instruction: each loop has a row of counters of its own, which readers
 * add up.
 */
#include "front/front_priv.h"
#include "front/rights_priv.h"

#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static unsigned loop_count(const struct front *front)
{
    return front->settings.loops == 0 ? 1 : front->settings.loops;
}

static int id_make(char id[FRONT_ID_SIZE])
{
    uint64_t random;
    if (getentropy(&random, sizeof(random)) != 0)
        return errno;
    snprintf(id, FRONT_ID_SIZE, "%016" PRIx64, random);
    return 0;
}

int front_new(struct front **out, const struct front_settings *settings, struct broker *broker,
              struct api *api)
{
    struct front *front = calloc(1, sizeof(*front));
    if (front == NULL)
        return ENOMEM;
    MAGIC_INIT(front, FRONT_MAGIC);
    front->settings = *settings;
    front->broker = broker;
    front->api = api;
    front->body_max = broker_body_max(broker);
    front->options = broker_get_options(broker);
    front->started_ns = clock_now_ns();
    front->counts = calloc((size_t)loop_count(front) * FRONT_COUNTERS, sizeof(struct counter));
    int rc = front->counts == NULL ? ENOMEM : id_make(front->id);
    if (rc == 0 && settings->trust != NULL)
        rc = peers_new(&front->peers, settings->trust, loop_count(front));
    if (rc != 0) {
        front_free(&front);
        return rc;
    }
    *out = front;
    return 0;
}

int front_start(struct front *front)
{
    MAGIC_CHECK(front, FRONT_MAGIC);
    return peers_start(front->peers);
}

void front_free(struct front **pointer)
{
    if (*pointer == NULL)
        return;
    struct front *front;
    MAGIC_TAKE(front, pointer, FRONT_MAGIC);
    peers_free(&front->peers);
    free(front->counts);
    MAGIC_WIPE(front);
    free(front);
}

void front_count(struct session *session, size_t what)
{
    size_t row = (size_t)conn_loop_index(session->conn) * FRONT_COUNTERS;
    counter_add(&session->front->counts[row + what], 1);
}

uint64_t front_counted(const struct front *front, size_t what)
{
    uint64_t count = 0;
    for (size_t loop = 0; loop < loop_count(front); loop++)
        count += counter_get(&front->counts[loop * FRONT_COUNTERS + what]);
    return count;
}

void front_each_command(const struct front *front,
                        void (*visit)(const char *name, uint64_t count, void *arg), void *arg)
{
    MAGIC_CHECK(front, FRONT_MAGIC);
    for (size_t id = 0; id < COMMAND_COUNT; id++)
        visit(commands[id].name, front_counted(front, id), arg);
}
