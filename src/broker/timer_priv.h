// SPDX-License-Identifier: MIT
/*
 * Deadlines, for the broker's own files; timer.c has the essay.
 */
#ifndef BROKER_TIMER_PRIV_H
#define BROKER_TIMER_PRIV_H

#include "broker/state_priv.h"

/* timer.c */
/* Keeps room for it in the heap of deadlines. ENOMEM. */
int broker_timer_init(struct broker *broker, struct broker_timer *timer, int kind) HELD;
void broker_timer_fini(struct broker *broker, struct broker_timer *timer) HELD;
void broker_timer_set(struct broker *broker, struct broker_timer *timer, int64_t at_ns) HELD;
/* For heap_init of broker->due. */
bool broker_timer_less(const void *a, const void *b, const void *arg);
void broker_timer_moved(void *timer, size_t pos);

/* delay.c */
/* Sets the tube's timer after a change. */
void tube_timer_update(struct tube *tube) HELD;
/* Does one thing that is due now. */
void tube_due(struct tube *tube, int64_t now_ns) HELD;
/* client.c, line.c: likewise. */
void client_due(struct broker_client *client, int64_t now_ns) HELD;
void line_due(struct broker *broker, struct broker_timer *timer, int64_t now_ns) HELD;

#endif
