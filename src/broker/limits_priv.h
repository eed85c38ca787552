// SPDX-License-Identifier: MIT
/*
 * Limits, for the broker's own files: whether one more job fits into a tube, and into the broker.
 * Inline, for each put asks.
 */
#ifndef BROKER_LIMITS_PRIV_H
#define BROKER_LIMITS_PRIV_H

#include "broker/state_priv.h"

/* Whether one more is too many. */
static inline bool jobs_full(uint64_t max, uint64_t present)
{
    return max != 0 && present >= max;
}

static inline bool bytes_full(uint64_t max, uint64_t present, size_t len)
{
    return max != 0 && (present >= max || len > max - present);
}

/* Whether one more job fits into the tube. */
HELD static inline bool tube_is_full(const struct tube *tube, size_t len)
{
    const struct broker_options *options = &broker_of(tube)->options;
    return jobs_full(options->tube_jobs_max, tube_jobs(tube)) ||
           bytes_full(options->tube_bytes_max, tube->counts.bytes, len);
}

/* Whether one more job fits into the broker. */
HELD static inline bool broker_is_full(const struct broker *broker, size_t len)
{
    const struct broker_options *options = &broker->options;
    return jobs_full(options->jobs_max, broker->ledger.jobs.len) ||
           bytes_full(options->bytes_max, broker->ledger.counts.bytes, len);
}

#endif
