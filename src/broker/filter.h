// SPDX-License-Identifier: MIT
/*
 * Choosing jobs by what they are: lists a page at a time, and changes of all that match. Part of
 * broker.h.
 *
 * A walk goes over all jobs in order of id, from `from` to `until`; an id is given out once, so a
 * place in a walk stays what it is whatever happens to the jobs before and behind it. Who wants all
 * asks again with the next id, and with the `until` of the first page, so that what is put
 * meanwhile can't make it endless. A call ends after BROKER_EXAMINED_MAX jobs, found or not, and
 * lets go of the lock every BROKER_SLICE_MAX.
 */
#ifndef BROKER_FILTER_H
#define BROKER_FILTER_H

#include "broker/durable.h"
#include "job/job.h"
#include "trust/trust.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct broker;

/* What a job must be; all of it. */
struct broker_filter {
    const char *tube;               /* NULL: of any */
    unsigned states;                /* BROKER_STATE bits; 0: any */
    int64_t older_ns;               /* put at least so long ago; 0: any */
    const char *name, *group, *tag; /* as its options say; NULL: any */
    int64_t younger_ns;             /* put less than so long ago; HL_FOREVER: any */
};

#define BROKER_STATE(state) (1u << (state))

struct broker_page {
    uint64_t from;  /* the first id to look at */
    uint64_t until; /* the last one; 0: that which was given out last, which is put here */
    size_t limit;   /* find so many at most */
    /* results */
    size_t examined;
    uint64_t found;
    struct ticket ticket; /* of changes: to be reached before anybody is told */
    uint64_t
        next; /* where to go on, perhaps in vain for who may not see all; 0: that was the end */
};

#define BROKER_EXAMINED_MAX 4096 /* about half a millisecond's worth */

#define BROKER_LIST_SOME 8

/*
 * A page, some jobs at a time: after broker_list_begin, broker_list_next visits copies of the jobs
 * that match and that the asker may see, in order of id, without the lock: BROKER_LIST_SOME of
 * them at most. EINPROGRESS: call it again. 0: the page is complete. ENOMEM.
 */
void broker_list_begin(struct broker *broker, struct broker_page *page);
int broker_list_next(struct broker *broker, const struct trust_view *asker,
                     const struct broker_filter *filter, struct broker_page *page,
                     void (*visit)(const struct job_view *view, void *arg), void *arg);

enum broker_action {
    BROKER_DO_COUNT,  /* nothing: a dry run */
    BROKER_DO_KICK,   /* of a buried or delayed job */
    BROKER_DO_BURY,   /* of a ready or delayed one; finishes it as failed */
    BROKER_DO_DELETE, /* as MOVE, of any that isn't reserved */
    BROKER_DO_MOVE,
    /* Of any that isn't buried: it is finished as cancelled. Done with it by a local worker, it is
     * finished for the journal, and so for good; the worker stops it and then it leaves. */
    BROKER_DO_CANCEL,
};

struct broker_change {
    enum broker_action action;
    enum broker_action counts; /* COUNT: the action that would find them */
    const char *to;            /* MOVE: the tube, made if there is none */
    const char *reason;        /* BURY, CANCEL */
    bool reset;                /* KICK: what rules limit begins anew */
};

/*
 * Changes the jobs that match, that the action is for, and that the asker may change so; others are
 * passed over. Each is looked at again under the lock that changes it. page->found: how many. An
 * error ends it and is returned only if it is the first thing that happens; else page->next is the
 * id that it happened to. ENOBUFS (MOVE): that tube is full. EINVAL, ENAMETOOLONG: its name.
 * ENOMEM, ENOSPC, EIO. EAGAIN, also if others were changed before: the journal is busy; to be
 * called again with page->from at page->next when there is room (BROKER_ROOM); page->found begins
 * anew.
 */
int broker_apply(struct broker *broker, const struct trust_view *asker,
                 const struct broker_filter *filter, struct broker_page *page,
                 const struct broker_change *change);

/*
 * Changes that one job. ENOENT: no such job. EACCES. EBUSY: it is in a state that the action isn't
 * for, which is put into *state (RESERVED, and CANCEL: it is ending just now). Others as above;
 * EAGAIN: nothing changed. *ticket (zero before; NULL: nobody is told): to be reached before that
 * is told.
 */
int broker_apply_job(struct broker *broker, const struct trust_view *asker, uint64_t id,
                     const struct broker_change *change, enum job_state *state,
                     struct ticket *ticket);

#endif
