// SPDX-License-Identifier: MIT
/*
 * An owner of jobs for the tests of commit and compaction, as small as one can be: jobs in an
 * array, a lock, and what it was told by the hooks. Bodies say which job and which priority they
 * were put with, so whatever comes back can be verified.
 */
#ifndef JOURNAL_OWNER_H
#define JOURNAL_OWNER_H

#include "journal_kit.h"
#include "journal_window.h"
#include "thr/thr.h"

#define OWNER_JOBS 4096

struct owner_job {
    bool alive, placed;
    uint32_t pri;
    uint32_t releases;
    uint64_t ticket;  // of its last change
    uint64_t put;     // ticket of its last PUT
    uint64_t locator; // where that is, once placed
    struct job_body *body;
};

struct owner {
    struct kit kit;
    struct commit *commit;
    hl_lock *lock;
    struct owner_job job[OWNER_JOBS]; // by id; covered by the lock
    size_t body_len;                  // of the next put
    unsigned windows;      // 0: the kit's journal itself; else it answers late, with such a window
    bool distant;          // likewise
    struct window *window; // that one, while it is open
    _Atomic unsigned published, failed;
    _Atomic uint32_t bell; // rises with published and failed
    int failed_with;
};

// Opens the kit's journal and a commit on it; the options but for hooks and journal are taken.
void owner_start(struct owner *owner, const struct commit_options *options);
// Commits all, closes.
void owner_stop(struct owner *owner);
// The process is killed; jobs are forgotten.
void owner_kill(struct owner *owner);
// Replays: makes jobs of what is in the journal. After kit_init, before owner_start.
void owner_recover(struct owner *owner);

// Each admits, changes, and returns the ticket, or 0 if it wasn't admitted (*rc tells why).
uint64_t owner_put(struct owner *owner, uint64_t id, uint32_t pri, int *rc);
uint64_t owner_release(struct owner *owner, uint64_t id, uint32_t pri, int *rc);
uint64_t owner_finish(struct owner *owner, uint64_t id, bool *cancelled, int *rc);
// The answer of `record` for compaction.
int owner_copy(void *owner, uint64_t locator, const void *bytes, size_t len);

// Until `want` has reached the ticket, or the commit failed (false).
bool owner_await(struct owner *owner, enum commit_want want, uint64_t ticket);
struct commit_stat owner_stat(struct owner *owner);
// Bytes of the records that count.
uint64_t owner_live(struct owner *owner);

#endif
