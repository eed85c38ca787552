// SPDX-License-Identifier: MIT
/*
 * What all sessions share: where commands go, and how often each was given.
 *
 * Counting costs no locked instruction: each loop has a row of counters of its own, which readers
 * add up.
 */
#include "front/front_priv.h"

#include <errno.h>
#include <stdlib.h>

static unsigned loop_count(const struct front *front)
{
    return front->settings.loops == 0 ? 1 : front->settings.loops;
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
    front->counts = calloc((size_t)loop_count(front) * COMMAND_COUNT, sizeof(struct counter));
    if (front->counts == NULL) {
        front_free(&front);
        return ENOMEM;
    }
    *out = front;
    return 0;
}

void front_free(struct front **pointer)
{
    if (*pointer == NULL)
        return;
    struct front *front;
    MAGIC_TAKE(front, pointer, FRONT_MAGIC);
    free(front->counts);
    MAGIC_WIPE(front);
    free(front);
}

void front_each_command(const struct front *front,
                        void (*visit)(const char *name, uint64_t count, void *arg), void *arg)
{
    MAGIC_CHECK(front, FRONT_MAGIC);
    for (size_t id = 0; id < COMMAND_COUNT; id++) {
        uint64_t count = 0;
        for (size_t loop = 0; loop < loop_count(front); loop++)
            count += counter_get(&front->counts[loop * COMMAND_COUNT + id]);
        visit(commands[id].name, count, arg);
    }
}
