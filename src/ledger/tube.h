// SPDX-License-Identifier: MIT
/*
 * Tubes, and the containers of their jobs. Part of ledger.h.
 *
 * A tube exists as long as something refers to it. What belongs to its name, and outlives it, is a
 * setting (settings.c).
 */
#ifndef LEDGER_TUBE_H
#define LEDGER_TUBE_H

#include "base/heap.h"
#include "ledger/state.h"

#define TUBE_MAGIC 0xb40ce47bu

struct tube {
    unsigned magic;
    uint16_t trust_class; /* of its name; who stands above sets it when it is made */
    bool pause_kept;      /* the pause is in the journal, and has a reference */
    struct ledger *ledger;
    struct list_node node;   /* ledger->tube_list */
    struct queue_core ready; /* counts the tube's unfinished jobs, too, and has its joiners */
    struct heap delayed;
    struct heap buried;
    int64_t pause_ns;     /* as asked for; 0: not paused */
    int64_t pause_end_ns; /* CLOCK_NEVER: not paused */
    enum durability durability;
    int64_t within_ns;      /* of INTERVAL; 0: as soon as anybody waits */
    struct job_rules rules; /* of its setting; none: set is 0 */
    uint64_t refs;          /* jobs, users, sinks, clients, joiners, walks, a kept pause */
    struct job_counts counts;
    struct tube_name *named;
    size_t name_len;
    const char *name; /* named->text */
};

/* tube.c */
/* Finds or makes it, and takes a reference. ENOMEM. */
int tube_need(struct ledger *ledger, const char *name, size_t len, struct tube **out) HELD;
/* NULL: none. No reference. */
struct tube *tube_find(struct ledger *ledger, const char *name, size_t len) HELD;
struct tube *tube_of_core(struct queue_core *core);
void tube_ref(struct tube *tube) HELD;
/* The last one makes the tube go. */
void tube_unref(struct tube *tube) HELD;
uint64_t tube_jobs(const struct tube *tube) HELD;
/* Changes the job's state, every count that depends on it, and its promise of a ready slot: into
 * DELAYED or RESERVED from a state without one needs room there. */
void tube_job_move(struct job *job, enum job_state to) HELD;
/* Takes the job out of the container it is in, if it is in one; the state stays. */
void tube_job_leave(struct job *job) HELD;
/* Room for the next state: in the heap of READY, DELAYED or BURIED. ENOMEM. */
int tube_room(struct tube *tube, enum job_state state) HELD;
/* Into the container of its state, if it is in none; READY: or at once to the longest waiting sink.
 * Needs room, or the promise. */
void tube_job_contain(struct job *job) HELD;
/* The counts of a job go from its tube to that one; it is in no container. */
void tube_job_transfer(struct job *job, struct tube *to) HELD;

/* pause.c */
/* Items flow again, at once to those who wait. */
void tube_resume(struct tube *tube) HELD;
/* Paused until then. kept: it is in the journal. */
void tube_pause(struct tube *tube, int64_t pause_ns, int64_t end_ns, bool kept) HELD;

/* settings.c */
struct tube_settings {
    unsigned magic;
    enum durability durability;
    int64_t interval_ns;
    struct job_rules rules;
    size_t name_len;
    char name[];
};
/* Sets what a new tube has. */
void settings_apply(struct tube *tube) HELD;
/* Those of that name, made if there are none. ENOMEM. */
int settings_need(struct ledger *ledger, const char *name, size_t len,
                  struct tube_settings **out) HELD;
void settings_free(struct ledger *ledger);

/* wallclock.c */
/* How far the clocks are apart now. */
int64_t clocks_apart(void);
/* Whether it asks for a time that hasn't come. */
bool at_is_ahead(const struct job *job);
/* The key of one that is delayed until then. */
int64_t at_key(const struct job *job);
/* It is about to be delayed so. */
void at_begin(struct job *job) HELD;
/* It isn't delayed any more. */
void at_end(struct job *job) HELD;
/* It gets its place anew. */
void at_place(struct job *job) HELD;
/* A delayed job is due by its key. true: it isn't by the wall clock, and has another place. */
bool at_put_off(struct job *job) HELD;

static inline bool tube_is_logged(const struct tube *tube)
{
    return tube->ledger->store != NULL && tube->durability != DURABILITY_MEMORY;
}

#endif
