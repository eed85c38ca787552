// SPDX-License-Identifier: MIT
/*
 * A batch: the changes that are pending, or on their way, in an array that tickets index. batch.c
 * does it.
 *
 * Arrows: batch.c and commit_priv.h include this. It knows what a job is, and nothing of a commit
 * or its journal.
 */
#ifndef JOURNAL_BATCH_PRIV_H
#define JOURNAL_BATCH_PRIV_H

#include "base/buf.h"
#include "job/job.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a record takes beside its own bytes, frame included. */
#define COMMIT_RECORD_OVERHEAD ((size_t)40)

/* One change. Its head (all but the body) is in the batch's heads. */
struct slot {
    uint64_t id;
    uint64_t older; /* ticket of the same job's change before; 0: none */
    union {
        struct job_body *body; /* a reference; NULL: no body */
        void *late;            /* if is_late: its body is still to be made */
    };
    uint32_t head_at;
    uint16_t head_len;
    uint8_t type;     /* enum job_entry_type */
    bool is_late : 1; /* never of a change that may be cancelled */
    bool gone : 1;    /* cancelled */
    bool first : 1;   /* the job's first PUT is in this batch, at this change or before */
    bool copies : 1;  /* of class COMPACT */
    bool stays : 1;   /* says something of more than its job, so it doesn't vanish with that */
};

struct batch {
    uint64_t base; /* ticket of slot[0] */
    struct slot *slot;
    size_t count, cap;
    size_t gone; /* cancelled ones */
    struct buf heads;
    size_t bytes;      /* of records that are not cancelled, with overhead */
    int64_t within_ns; /* the least of all; INT64_MAX: none */
    bool copies;       /* any of class COMPACT */
    void (*drop)(void *late);
};

/* drop: of commit_options. */
void batch_init(struct batch *batch, void (*drop)(void *late));
void batch_fini(struct batch *batch);
/* Drops the references on bodies and forgets all; keeps the memory unless it is much. */
void batch_clear(struct batch *batch);
/* Room for so many more. ENOMEM. */
int batch_reserve(struct batch *batch, size_t changes);
/* There is room. */
struct slot *batch_add(struct batch *batch, const struct job_entry *entry);
/* The slot of that ticket; NULL: it isn't in this batch. */
struct slot *batch_find(const struct batch *batch, uint64_t ticket);
void batch_cancel(struct batch *batch, struct slot *slot);
/* Its body isn't needed here any more, made or not. */
void batch_release(const struct batch *batch, struct slot *slot);

#endif
