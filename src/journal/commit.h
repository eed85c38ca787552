// SPDX-License-Identifier: MIT
/*
 * Commit: changes gathered into frames, and the numbers that answers wait for. Part of
 * journal/journal.h.
 *
 * Whoever changes a job adds that change under the owner's lock (the broker's domain) and gets a
 * ticket: a number that rises by one with each change. A commit takes all pending changes at once,
 * makes a frame of them and appends it; then two numbers rise: `written` (survives kill -9) and
 * `durable` (survives power loss). An answer goes out when the number it asked for has reached its
 * ticket. Tickets live in memory only; on disk frames are numbered.
 *
 * Committing is a role. One thread has it at a time; who finds it taken need not wait, the one who
 * has it will see to it. Where the journal has a window for more than one append, whoever leads may
 * leave before all of it has landed. So a commit thread (option `thread`) and io threads that lead
 * inline (commit_lead, commit_lead_inline) can be mixed at will. Demand drives it: adding a change
 * doesn't wake anybody; whoever waits for an answer says so with commit_want.
 *
 * Cancel-out: pending changes lie in an array that a ticket indexes, and each knows the change of
 * the same job before it. So a job that is put and finished before a commit took its put vanishes
 * from the array with all its changes, each in constant time, under the lock. The tickets stay, so
 * the order of answers doesn't change. What a change says of the job's group stays, too: the group
 * goes on when the job is gone, and replay counts such an entry also of a job that isn't there.
 *
 * Late bytes: what is only known as a whole, and is large, needn't be made when it is added. The
 * owner gives a thing of his own and how many bytes it will have at most; the leader has them made
 * when it makes the frame, outside of all locks.
 *
 * Arrows: this includes what it stands on, the frames of the journal; of the parts of the face only
 * compact.h includes it.
 *
 * Locks: functions marked [owner] need the owner's lock; all others are called without it, for the
 * role takes it by the hooks of the options. Hooks are called without any lock of this module.
 *
 * Order that is guaranteed: records are on disk in the order of tickets. A change is in the frame
 * of its ticket or an earlier one's successor, never before a change with a lower ticket. `durable`
 * and `written` only rise, and durable <= written <= the last ticket.
 */
#ifndef JOURNAL_COMMIT_H
#define JOURNAL_COMMIT_H

#include "journal/frames.h"

struct commit;

/* When a change is durable at the latest that nobody waits for: a lease, or what a client that went
 * away had asked for. */
#define COMMIT_WITHIN_LAZY INT64_C(1000000000)

struct commit_placed {
    uint64_t id, ticket, locator;
};

struct commit_options {
    struct journal *journal; /* replayed; the commit's until commit_free, which leaves it open */
    uint64_t last_sequence;  /* what replay said */
    size_t pending_max;      /* bytes that are not written yet; at that, puts wait. 0: 8 MiB */
    size_t frame_max;        /* bytes of one frame, unless one record is larger. 0: 1 MiB, or
                              * the room's frame if that is less */
    /* The thread "commit": leads what is due (idle tails, retries), and what commit_lead_inline
     * leaves to it. Without (tests), somebody else must lead what is wanted or due. */
    bool thread;
    /* The owner's lock. Mandatory. */
    void (*lock)(void *arg);
    void (*unlock)(void *arg);
    /*
     * All of these may be NULL, and run on the thread that leads, or on one on which the journal
     * says that an append is done. placed: where changes of type PUT
     * are now, in order of tickets, when they are written and before `published`. published: the
     * numbers have risen, or room is back; wake who waits. failed: once; nothing will be durable
     * any more, answers that wait must never go out as good.
     */
    void (*placed)(void *arg, const struct commit_placed *placed, size_t count);
    void (*published)(void *arg);
    void (*failed)(void *arg, int error);
    /*
     * Mandatory where a change has `late`. make: its bytes, as a body with one reference; ENOMEM:
     * the round is tried again, and nothing of it goes out before. drop: it isn't needed any more,
     * called once for each, by the leader or with the owner's lock in commit_free.
     */
    int (*make)(void *late, struct job_body **body);
    void (*drop)(void *late);
    void *arg;
};

/* ENOMEM, EAGAIN (no more threads). */
int commit_new(struct commit **out, const struct commit_options *options);
/* A last commit with everything pending, synced; the thread ends. Idempotent; nobody adds any more.
 * What commit_lead says. */
int commit_stop(struct commit *commit);
/* Stopped, or nothing pending is of interest any more. */
void commit_free(struct commit **commit);

/* ---- changes ---- */

/*
 * [owner] Whether changes of a class and of so many bytes in all (job_entry_encode and bodies; a
 * guess upwards will do) may be made now, and keeps memory for `changes` of them, which makes as
 * many commit_add, or commit_finish, in the same hold of the lock succeed. To be asked before
 * anything changes. ENOSPC: the disk is full for that class. EAGAIN: too much isn't written yet, or
 * the next segment is still being prepared; `published` tells when to ask again (after
 * commit_want). EMSGSIZE: more than JOURNAL_RECORD_MAX. EIO: the journal is broken. ENOMEM.
 */
int commit_admit(struct commit *commit, enum journal_class class, size_t changes, size_t bytes);

/* [owner] Bytes of changes that aren't in the journal yet, about; guessed upwards. */
size_t commit_unwritten(const struct commit *commit);

struct commit_change {
    const struct job_entry *entry; /* copied but for its body */
    struct job_body *body; /* PUT: where entry->body lies; gets a reference. NULL: no body */
    void *late;            /* in place of a body: what `make` makes it of; NULL: nothing */
    size_t late_most;      /* bytes that it will have at most */
    uint64_t older;        /* ticket of the job's change before this; 0: none, or long ago */
    int64_t within_ns;     /* durable so much later at the latest; 0: COMMIT_WITHIN_LAZY */
    enum journal_class class;
};

/* [owner] After commit_admit. The ticket. */
uint64_t commit_add(struct commit *commit, const struct commit_change *change);

/*
 * [owner] After commit_admit(STATE, 1). The job is finished. Changes of it that are pending vanish,
 * but for those that count something for its group; a DELETE is added unless its first PUT was
 * among them. `last_entry` (may be NULL) is that DELETE, to be added in any case, for it says
 * something else, too. `older`: as above. The ticket; *cancelled (may be NULL) whether the job
 * never reaches the disk.
 */
uint64_t commit_finish(struct commit *commit, uint64_t id, uint64_t older, int64_t within_ns,
                       const struct job_entry *last_entry, bool *cancelled);

/* [owner] The ticket of the last change; 0 before the first. */
uint64_t commit_last(const struct commit *commit);

/* ---- waiting ---- */

enum commit_want { COMMIT_WRITTEN = 0, COMMIT_DURABLE };

/*
 * Somebody waits for all that was added until now. Cheap, any thread, with the owner's lock or
 * without. Wakes nobody: somebody must call commit_lead or commit_lead_inline.
 *
 * A loop that goes to sleep: commit_want, then read the number again, then sleep until `published`.
 */
void commit_want(struct commit *commit, enum commit_want want);

/* The highest ticket of which this is true, and so of all before. Any thread, no lock. */
uint64_t commit_reached(const struct commit *commit, enum commit_want want);

/* 0, or the error that broke it: what isn't reached now never will be. Any thread, no lock. */
int commit_failed(const struct commit *commit);

/*
 * Takes the role and commits until nothing is wanted or due, and all has landed. 0: done. EBUSY:
 * somebody else has the role and will do it. ENOSPC: no space; the changes are kept and it may be
 * tried again, which the thread does once a second. EIO: broken. Blocks for the disk; not under any
 * lock.
 */
int commit_lead(struct commit *commit);

/*
 * For threads that others wait for, such as io loops: leads one commit where that is quick, and
 * leaves it to the thread where it isn't; inline.c has the rule. What commit_lead says; EBUSY also
 * if it was left, or is on its way. Without the thread: commit_lead.
 */
int commit_lead_inline(struct commit *commit);
/* Leaves it to the thread, whatever it takes. EBUSY. Without the thread: commit_lead. */
int commit_lead_elsewhere(struct commit *commit);

/*
 * For who is about to want DURABLE: whether it is worth the while to look for more changes first.
 * Then the disk is idle, and the commit would be one to lead inline; a larger one had better begin.
 */
bool commit_may_gather(const struct commit *commit);

/* When the next sync is due (clock_now_ns time), for who has no thread; CLOCK_NEVER. */
int64_t commit_due_ns(const struct commit *commit);

/* journal_trim, in the role. EBUSY: somebody has it and does it before the next commit; `published`
 * tells, and then this is to be called again with the same place, and answers as if it had. */
int commit_trim(struct commit *commit, uint64_t before);

/* ---- figures ---- */

void commit_stat(struct commit *commit, struct commit_stat *stat);

#endif
