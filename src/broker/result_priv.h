// SPDX-License-Identifier: MIT
/*
 * Results in the journal, for the broker's own files; result.c has the essay.
 */
#ifndef BROKER_RESULT_PRIV_H
#define BROKER_RESULT_PRIV_H

#include "broker/broker.h"
#include "broker/held.h"

struct broker_log;

/* Of a log, covered by the domain. */
struct log_results {
    uint64_t durable; /* up to this number they are not needed */
    struct result_note {
        uint64_t number, bytes;
    } * notes;                /* a ring of those that are, as they were added */
    size_t first, count, cap; /* cap: a power of two, or 0 */
    uint64_t bytes;           /* of all in it; part of live_bytes */
    uint64_t untied;
};

/* The hooks of commit_options: an end as the bytes of its record. */
int result_bytes_make(void *end, struct job_body **body);
void result_bytes_drop(void *end);
/* As log_living. */
int result_living(struct broker_log *log, const struct job_entry *entry) HELD;
void results_free(struct broker_log *log);

#endif
