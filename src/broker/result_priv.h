// SPDX-License-Identifier: MIT
/*
 * Results in the journal, for the broker's own files; result.c has the essay.
 */
#ifndef BROKER_RESULT_PRIV_H
#define BROKER_RESULT_PRIV_H

#include "broker/broker.h"

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

/* A record on its way. */
struct result {
    uint64_t number;       /* in history; 0: it isn't there */
    struct job_body *body; /* the record as bytes; NULL: it couldn't be made */
};
/* [held] Whether a record of the job that ends now is kept so. */
bool result_is_tied(const struct job *job);
/* Not held. Hands the record to history. */
void result_make(struct broker *broker, struct job_record **record, struct result *result);
/* Not held before, held after: waits for room, if that will come. */
void result_lock(struct broker *broker, struct result *result);
/* [held] Adds it, in the same hold; before the entry of the job's end. */
void result_log(struct job *job, struct result *result);
/* Not held. What wasn't added. */
void result_fini(struct result *result);
/* [held] As log_living. */
int result_living(struct broker_log *log, const struct job_entry *entry);
/* [held] It is in the journal, and alive. */
void result_note(struct broker_log *log, uint64_t number, size_t body_len);
void results_free(struct broker_log *log);

#endif
