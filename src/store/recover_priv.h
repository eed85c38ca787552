// SPDX-License-Identifier: MIT
/*
 * What recovery knows while it replays.
 */
#ifndef STORE_RECOVER_PRIV_H
#define STORE_RECOVER_PRIV_H

#include "store/store_priv.h"

struct recovery {
    struct replay replay;
    struct store *store;
    struct store_recovered *recovered;
    struct journal_error *error;
    uint64_t last_id; /* the highest seen */
    uint64_t id_limit;
    uint64_t last_sequence;
    /* Results that history doesn't have, as they came; some may be there twice. */
    struct recovered_result {
        uint64_t number;
        size_t body_len;
        struct job_record *record;
    } * results;
    size_t result_count, result_cap;
};

/* recover_results.c: One of them. EBADMSG: it is none. EOPNOTSUPP, ENOMEM. */
int recover_result(struct recovery *recovery, const struct job_entry *entry) HELD;
/* Not held. If all went well they are handed over, in order of numbers; all is freed. */
void recover_results_end(struct recovery *recovery, bool well);

#endif
