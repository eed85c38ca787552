// SPDX-License-Identifier: MIT
/*
 * The table of handlers, from handlers.def.
 */
#include "worker/worker_priv.h"

#include <string.h>

static const struct handler *const handlers[] = {
#define HANDLER(name) &handler_##name,
#include "worker/handlers.def"
#undef HANDLER
};

#define HANDLER_COUNT (sizeof(handlers) / sizeof(handlers[0]))

const struct handler *handler_at(size_t index)
{
    return index < HANDLER_COUNT ? handlers[index] : NULL;
}

const struct handler *handler_find(const char *name)
{
    for (size_t i = 0; i < HANDLER_COUNT; i++)
        if (strcmp(handlers[i]->name, name) == 0)
            return handlers[i];
    return NULL;
}
