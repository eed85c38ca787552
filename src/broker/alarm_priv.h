// SPDX-License-Identifier: MIT
/*
 * Deadlines, for the broker's own files; alarm.c has the essay.
 */
#ifndef BROKER_ALARM_PRIV_H
#define BROKER_ALARM_PRIV_H

#include "broker/state_priv.h"

/* alarm.c */
/* Keeps room for it in the heap of deadlines. ENOMEM. */
int alarm_init(struct broker *broker, struct broker_alarm *alarm, int kind) HELD;
void alarm_fini(struct broker *broker, struct broker_alarm *alarm) HELD;
void alarm_set(struct broker *broker, struct broker_alarm *alarm, int64_t at_ns) HELD;
/* For heap_init of broker->due. */
bool alarm_less(const void *a, const void *b, const void *arg);
void alarm_moved(void *alarm, size_t pos);

/* delay.c */
/* Sets the tube's alarm after a change. */
void tube_alarm_update(struct tube *tube) HELD;
/* Does one thing that is due now. */
void tube_due(struct tube *tube, int64_t now_ns) HELD;
/* holder.c, line.c: likewise. */
void holder_due(struct broker_holder *holder, int64_t now_ns) HELD;
void line_due(struct broker *broker, struct broker_alarm *alarm, int64_t now_ns) HELD;

#endif
