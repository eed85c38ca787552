// SPDX-License-Identifier: MIT
/*
 * Copies of what is, for the broker's own files.
 */
#ifndef BROKER_VIEW_PRIV_H
#define BROKER_VIEW_PRIV_H

#include "broker/state_priv.h"

/* view.c */
void view_copy(const struct job *job, struct job_view *view) HELD;
void tube_stats_copy(const struct tube *tube, struct broker_stats *stats) HELD;

#endif
