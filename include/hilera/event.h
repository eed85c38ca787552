// SPDX-License-Identifier: MIT
/*
 * Event: a flag that threads wait for; Python's threading.Event.
 */
#ifndef HILERA_EVENT_H
#define HILERA_EVENT_H

#include <hilera/version.h>

#include <stdbool.h>

HL_BEGIN_DECLS

typedef struct hl_event hl_event;

/* Made clear. `name` is copied, shown when a thread waits for it; NULL: "event". ENOMEM. */
HL_API int hl_event_new(hl_event **out, const char *name);

/* Nobody may wait for it any more. */
HL_API void hl_event_free(hl_event **event);

/* Sets the flag and wakes all who wait at this moment, also those who come to look after a clear
 * that follows at once. */
HL_API void hl_event_set(hl_event *event);
HL_API void hl_event_clear(hl_event *event);
HL_API bool hl_event_is_set(const hl_event *event);

/* 0: it is, or was while waiting, set. ETIMEDOUT: `timeout_ns` went by (0 or less: looks once). */
HL_API int hl_event_wait(hl_event *event, int64_t timeout_ns);

HL_END_DECLS

#endif
