// SPDX-License-Identifier: MIT
/*
 * What recovery knows while it replays.
 */
#ifndef BROKER_REPLAY_PRIV_H
#define BROKER_REPLAY_PRIV_H

#include "broker/change_priv.h"

struct replay {
    struct broker *broker;
    struct broker_log *log;
    struct broker_recovered *recovered;
    struct journal_error *error;
    int64_t wall_ns, mono_ns; /* the same moment */
    struct broker_tube *tube; /* the last one, with a reference: the next is mostly the same */
    uint64_t last_id;         /* the highest seen */
    uint64_t id_ceiling;
    struct job_tries tries; /* what a change points to */
    struct job_past *past;  /* likewise; NULL between two entries, as the next one */
    char *reason;
    /* Results that history doesn't have, as they came; some may be there twice. */
    struct replay_result {
        uint64_t number;
        size_t body_len;
        struct job_record *record;
    } * results;
    size_t result_count, result_cap;
};

/* resolve.c: Moments of the wall clock: as monotonic ones, and whether a delay until then is
 * over; replay->tube (ENOMEM). */
int64_t resolve_mono(const struct replay *replay, int64_t wall_ns) HELD;
enum job_state resolve_state(const struct replay *replay, int64_t until_wall_ns) HELD;
int resolve_tube(struct replay *replay, const char *name, size_t len) HELD;
/* How the job is out from then on; to RESERVED, unless it isn't. */
void resolve_out(const struct replay *replay, const struct job_entry *entry,
                 struct change *change) HELD;
/* That order of burial was given. */
void resolve_burial(struct replay *replay, int64_t burial) HELD;
/* resolve_put.c: The change that is a whole job; change->job is the caller's until it is
 * carried out. ENOMEM. */
int resolve_put(struct replay *replay, const struct job_entry *entry, struct change *change) HELD;
/* result.c: One of them. EBADMSG: it is none. EOPNOTSUPP, ENOMEM. */
int replay_result(struct replay *replay, const struct job_entry *entry) HELD;
/* Not held. If all went well they are handed over, in order of numbers; all is freed. */
void replay_results_end(struct replay *replay, bool well);

#endif
