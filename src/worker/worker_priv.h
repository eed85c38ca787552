// SPDX-License-Identifier: MIT
/*
 * The handlers, by name: one each in the table handlers.def, and in a file handler_NAME.c.
 */
#ifndef WORKER_WORKER_PRIV_H
#define WORKER_WORKER_PRIV_H

#include "worker/worker.h"

#define HANDLER(name) extern const struct handler handler_##name;
#include "worker/handlers.def"
#undef HANDLER

#endif
