// SPDX-License-Identifier: MIT
/*
 * The inside of the broker, for its own files.
 *
 * Everything in these structs is covered by the broker's domain, but what is set once in
 * broker_new. Functions marked [held] need the domain held. A public call is: prepare memory,
 * broker_lock, a few of those, broker_unlock, free what came loose.
 *
 * One object, one container: job_container(state) says where a job is kept, and every container is
 * a heap that writes the job's place into job->pos:
 *
 *   ready     tube->ready (a queue core)  by priority, id
 *   delayed   tube->delayed               by deadline; the tube itself is in broker->due by its
 * earliest buried    tube->buried                by order of burial reserved  none: the lease's
 * holder has it
 */
#ifndef BROKER_BROKER_PRIV_H
#define BROKER_BROKER_PRIV_H

#include "base/heap.h"
#include "base/list.h"
#include "base/magic.h"
#include "base/map.h"
#include "broker/broker.h"

#define BROKER_MAGIC 0xb40ce400u
#define BROKER_TUBE_MAGIC 0xb40ce47bu
#define BROKER_SINK_MAGIC 0xb40ce451u

/* Jobs a walk handles before it lets others have the lock: about 50 microseconds of work. */
#define BROKER_WALK_MAX 256

struct broker_tube {
    unsigned magic;
    struct broker *broker;
    struct list_node node;   /* broker->tube_list */
    struct queue_core ready; /* counts the tube's unfinished jobs, too, and has its joiners */
    struct heap delayed;
    struct heap buried;
    size_t due_pos; /* in broker->due; HEAP_NOWHERE: nothing is delayed */
    uint64_t refs;  /* jobs, users, sinks, joiners, walks */
    struct broker_stats stats;
    size_t name_len;
    char name[];
};

struct broker {
    unsigned magic;
    hl_queue_domain *domain;
    struct broker_options options;
    struct idmap jobs;            /* every job, by id */
    struct strmap tubes;          /* by name */
    struct list tube_list;        /* in order of creation */
    struct broker_tube *fallback; /* "default" */
    struct queue_core
        all;         /* never holds an item: counts unfinished jobs and has the joiners of all */
    struct heap due; /* tubes by their earliest delayed job */
    uint64_t last_id, last_token;
    int64_t last_burial;
    struct broker_stats stats;
    bool draining;
    bool sooner_wanted; /* the earliest deadline became earlier under this hold of the lock */
    void (*sooner)(void *arg);
    void *sooner_arg;
};

struct broker_sink {
    unsigned magic;
    struct broker *broker;
    char name[HL_THREAD_NAME_MAX];
    bool stopped, waiting;
    struct queue_core control; /* gets one item to wake a waiting broker_take at stop */
    size_t tube_count;
    struct broker_tube **tubes;
    struct queue_core **cores; /* of the tubes, and last the control core */
    struct queue_link *links;  /* as many as cores */
};

/* broker.c */
void broker_lock(struct broker *broker);
/* [held] Lets go, runs what became ready, and the sooner hook if that is wanted. */
void broker_unlock(struct broker *broker);

/* tube.c, all [held] */
/* Finds or makes it, and takes a reference. ENOMEM. */
int tube_need(struct broker *broker, const char *name, size_t len, struct broker_tube **out);
/* NULL: none. No reference. */
struct broker_tube *tube_find(struct broker *broker, const char *name, size_t len);
void tube_ref(struct broker_tube *tube);
/* The last one makes the tube go. */
void tube_unref(struct broker_tube *tube);
/* Changes the job's state and every count that depends on it. */
void tube_job_move(struct job *job, enum job_state to);
/* Takes the job out of the container of its state, if it has one; the state stays. */
void tube_job_leave(struct job *job);

/* put.c, [held] */
/* Makes a job ready for which queue_core_reserve has made room: into the container, or at once to
 * the longest waiting sink. */
void job_offer(struct job *job);

/* take.c, [held] */
/* The job, ready and out of its container, is reserved under a new token. */
void job_reserve(struct job *job);

/* delay.c, all [held] */
int delay_room(struct broker_tube *tube);
/* Needs delay_room. Moves the job to DELAYED until job->key_ns. */
void delay_insert(struct job *job);
/* Out of the heaps; the state is the caller's to change. */
void delay_remove(struct job *job);
/* `less` of broker->due. */
bool delay_tube_less(const void *a, const void *b, const void *arg);
void delay_tube_moved(void *tube, size_t pos);

/* wait.c, [held] */
/* All who wait for this job get ready. */
void wait_finish(struct job *job);

/* view.c, [held] */
void view_copy(const struct job *job, struct job_view *view);

/* check.c, [held] */
/* Whether every count and every container agrees with the jobs; walks everything. */
bool broker_valid(const struct broker *broker);

#endif
