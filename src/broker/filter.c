// SPDX-License-Identifier: MIT
/*
 * The walk over jobs that match, and its two users: lists and changes.
 *
 * The table of ids is the index, because it is the one that has every job and in which none changes
 * its place: a heap is in no order that a walk could come back to. A filter that nothing can match,
 * by the counts that are kept anyway, ends the walk before it begins; so asking for buried jobs
 * costs nothing as long as there are none.
 *
 * A change is made by the same functions as that of one job, each in a hold of the lock of its own
 * in which the job is looked up and matched again: what somebody else did to it in between is never
 * overruled.
 *
 * To add an action: a row in enum broker_action, its states in action_states, its case in
 * job_change.
 */
#include "base/clock.h"
#include "broker/ask_priv.h"
#include "broker/bulk_priv.h"
#include "broker/finish_priv.h"
#include "broker/owner_priv.h"
#include "broker/settle_priv.h"
#include "broker/view_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SELECT_IDS 64 /* copied in one hold of the lock */

/* ---- what matches ---- */

/* Who chooses, which, and for what. */
struct choice {
    const struct trust_view *asker;
    const struct broker_filter *filter;
    const struct broker_change *change; /* NULL: to be looked at */
    bool sees_all;                      /* he may see every job that there is */
};

static struct choice choice_of(const struct trust_view *asker, const struct broker_filter *filter,
                               const struct broker_change *change)
{
    return (struct choice){.asker = asker,
                           .filter = filter,
                           .change = change,
                           .sees_all = (trust_rights_everywhere(asker) & TRUST_see) != 0};
}

/* The same under one hold of the lock. */
struct matcher {
    const struct choice *choice;
    const struct tube *tube; /* NULL: of any */
    unsigned states;
    int64_t now_ns;
};

static const enum job_state kept_states[] = {JOB_READY, JOB_DELAYED, JOB_RESERVED, JOB_BURIED};

static unsigned action_states(enum broker_action action)
{
    switch (action) {
    case BROKER_DO_KICK:
        return BROKER_STATE(JOB_BURIED) | BROKER_STATE(JOB_DELAYED);
    case BROKER_DO_BURY:
        return BROKER_STATE(JOB_READY) | BROKER_STATE(JOB_DELAYED);
    case BROKER_DO_DELETE:
    case BROKER_DO_MOVE:
        return BROKER_STATE(JOB_READY) | BROKER_STATE(JOB_DELAYED) | BROKER_STATE(JOB_BURIED);
    case BROKER_DO_CANCEL:
        return BROKER_STATE(JOB_READY) | BROKER_STATE(JOB_DELAYED) | BROKER_STATE(JOB_RESERVED);
    case BROKER_DO_COUNT:
        break;
    }
    CANT_HAPPEN("an action that changes nothing is for no state");
}

static unsigned change_states(const struct broker_change *change)
{
    return action_states(change->action == BROKER_DO_COUNT ? change->counts : change->action);
}

/* Whether the asker may do that with it, and if not, whether he may know of it. */
HELD static int choice_ask(const struct choice *choice, const struct job *job)
{
    const struct broker_change *change = choice->change;
    if (change == NULL)
        return job_ask(choice->asker, job, TRUST_see);
    enum broker_action action = change->action == BROKER_DO_COUNT ? change->counts : change->action;
    if (action == BROKER_DO_MOVE && change->to != NULL)
        return job_ask_move(choice->asker, job, change->to, strlen(change->to));
    return job_ask(choice->asker, job, TRUST_edit);
}

/* Without any of these a tube is, for him, none. */
#define SEEING (TRUST_see | TRUST_see_own | TRUST_edit | TRUST_edit_own)

/* false: nothing can match. */
HELD static bool matcher_set(struct matcher *matcher, struct broker *broker,
                             const struct choice *choice)
{
    const struct broker_filter *filter = choice->filter;
    unsigned states = choice->change != NULL ? change_states(choice->change) : ~0u;
    const struct tube *tube = NULL;
    if (filter->tube != NULL) {
        tube = tube_find(&broker->ledger, filter->tube, strlen(filter->tube));
        if (tube == NULL || !trust_may_any(choice->asker, tube->trust_class, SEEING))
            return false;
    }
    unsigned wanted = filter->states != 0 ? filter->states & states : states;
    *matcher = (struct matcher){
        .choice = choice, .tube = tube, .states = wanted, .now_ns = clock_now_ns()};
    const struct job_counts *counts = tube != NULL ? &tube->counts : &broker->ledger.counts;
    for (size_t i = 0; i < sizeof(kept_states) / sizeof(kept_states[0]); i++)
        if ((wanted & BROKER_STATE(kept_states[i])) != 0 && counts->count[kept_states[i]] > 0)
            return true;
    return false;
}

/* What its options say. */
static bool labels_match(const struct job *job, const struct broker_filter *filter)
{
    if (filter->name == NULL && filter->group == NULL && filter->tag == NULL)
        return true;
    const struct job_options *options = job->extra != NULL ? job->extra->options : NULL;
    return options != NULL && (filter->name == NULL || strcmp(filter->name, options->name) == 0) &&
           (filter->group == NULL || strcmp(filter->group, options->group) == 0) &&
           (filter->tag == NULL || job_tags_have(options->tags, options->tags_size, filter->tag));
}

HELD static bool job_matches(const struct job *job, const struct matcher *matcher)
{
    const struct broker_filter *filter = matcher->choice->filter;
    if ((matcher->states & BROKER_STATE(job->state)) == 0 ||
        (matcher->tube != NULL && matcher->tube != job->tube))
        return false;
    if (!labels_match(job, filter))
        return false;
    int64_t age_ns = matcher->now_ns - job_created_ns(job);
    return age_ns >= filter->older_ns &&
           (filter->younger_ns == HL_FOREVER || age_ns < filter->younger_ns);
}

/* ---- the walk ---- */

static void page_begin(struct broker *broker, struct broker_page *page)
{
    if (page->until == 0) {
        broker_lock(broker);
        page->until = broker->ledger.last_id;
        broker_unlock(broker);
    }
    page->examined = 0;
    page->found = 0;
    page->ticket = (struct ticket){0};
    page->next = page->from > 0 ? page->from : 1;
}

/*
 * One hold of the lock: up to `max` jobs that match, in `jobs` as long as the lock is held, from
 * page->next on, which is moved; 0: that was the end.
 */
HELD static size_t walk_some(struct broker *broker, const struct matcher *matcher,
                             struct broker_page *page, struct job **jobs, size_t max)
{
    size_t count = 0;
    uint64_t id = page->next, behind = id;
    page->next = 0;
    for (size_t looked = 0; id != 0 && id <= page->until; id++) {
        struct job *job = idtable_from(&broker->ledger.jobs, &id);
        if (job == NULL || id > page->until)
            break;
        if (count == max || looked == BROKER_SLICE_MAX || page->examined == BROKER_EXAMINED_MAX) {
            page->next = id;
            break;
        }
        looked++;
        page->examined++;
        if (job_matches(job, matcher) && choice_ask(matcher->choice, job) == 0) {
            jobs[count++] = job;
            behind = id + 1;
        }
    }
    if (count == max && !matcher->choice->sees_all)
        page->next = behind; /* the job that comes next may be none that he may see */
    return count;
}

static size_t smaller(size_t a, uint64_t b)
{
    return a < b ? a : (size_t)b;
}

static bool page_goes_on(const struct broker_page *page)
{
    return page->next != 0 && page->found < page->limit && page->examined < BROKER_EXAMINED_MAX;
}

/* ---- lists ---- */

void broker_list_begin(struct broker *broker, struct broker_page *page)
{
    page_begin(broker, page);
}

int broker_list_next(struct broker *broker, const struct trust_view *asker,
                     const struct broker_filter *filter, struct broker_page *page,
                     void (*visit)(const struct job_view *view, void *arg), void *arg)
{
    const struct choice choice = choice_of(asker, filter, NULL);
    struct job *jobs[BROKER_LIST_SOME];
    struct matcher matcher;
    size_t count = 0;
    if (!page_goes_on(page))
        return 0;
    /* no magic: never leaves this function */
    struct job_view *views = malloc(BROKER_LIST_SOME * sizeof(*views));
    if (views == NULL)
        return ENOMEM;
    broker_lock(broker);
    if (!matcher_set(&matcher, broker, &choice))
        page->next = 0;
    else
        count = walk_some(broker, &matcher, page, jobs,
                          smaller(BROKER_LIST_SOME, page->limit - page->found));
    for (size_t i = 0; i < count; i++)
        view_copy(jobs[i], &views[i]);
    broker_unlock(broker);
    for (size_t i = 0; i < count; i++)
        visit(&views[i], arg);
    page->found += count;
    free(views);
    return page_goes_on(page) ? EINPROGRESS : 0;
}

/* ---- changes ---- */

/* The job is in a state that the action is for. */
HELD static int job_change(struct broker *broker, struct job *job,
                           const struct broker_change *change, struct job **gone)
{
    switch (change->action) {
    case BROKER_DO_BURY:
        return settle_bury_idle(broker, job, change->reason);
    case BROKER_DO_DELETE:
        return settle_delete_idle(broker, job, gone);
    case BROKER_DO_CANCEL:
        return settle_cancel(broker, job, change->reason, gone);
    case BROKER_DO_KICK:
        return kick_job(job, change->reset);
    case BROKER_DO_MOVE:
        return move_job(job, change->to, strlen(change->to));
    case BROKER_DO_COUNT:
        break;
    }
    return 0;
}

/* One job, if it still matches. ENOENT: it doesn't. */
static int apply_one(struct broker *broker, const struct choice *choice, uint64_t id,
                     struct ticket *ticket)
{
    struct matcher matcher;
    struct job *gone = NULL;
    broker_lock_to_finish(broker, 1);
    broker_tell(broker, ticket);
    struct job *job = idtable_get(&broker->ledger.jobs, id);
    int rc = job != NULL ? choice_ask(choice, job) : ENOENT;
    if (rc == 0)
        rc = matcher_set(&matcher, broker, choice) && job_matches(job, &matcher)
                 ? job_change(broker, job, choice->change, &gone)
                 : ENOENT;
    broker_unlock(broker);
    if (gone != NULL)
        job_free(&gone);
    return rc;
}

/* Sets page->next to the place of the error, if there is one. */
static int apply_some(struct broker *broker, const struct choice *choice, struct broker_page *page)
{
    struct job *jobs[SELECT_IDS];
    uint64_t ids[SELECT_IDS];
    struct matcher matcher;
    size_t count = 0;
    int rc = 0;
    broker_lock(broker);
    if (!matcher_set(&matcher, broker, choice))
        page->next = 0;
    else
        count =
            walk_some(broker, &matcher, page, jobs, smaller(SELECT_IDS, page->limit - page->found));
    for (size_t i = 0; i < count; i++)
        // cppcheck-suppress uninitvar ; as many as are counted have been set
        ids[i] = jobs[i]->id;
    broker_unlock(broker);
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = choice->change->action == BROKER_DO_COUNT
                 ? 0
                 : apply_one(broker, choice, ids[i], &page->ticket);
        page->found += rc == 0;
        if (rc == ENOENT || rc == EACCES)
            rc = 0;
        if (rc != 0)
            page->next = ids[i];
    }
    return rc;
}

static int change_check(const struct broker_change *change)
{
    return change->to != NULL ? job_tube_name_check(change->to, strlen(change->to)) : 0;
}

int broker_apply(struct broker *broker, const struct trust_view *asker,
                 const struct broker_filter *filter, struct broker_page *page,
                 const struct broker_change *change)
{
    const struct choice choice = choice_of(asker, filter, change);
    int rc = change_check(change);
    page_begin(broker, page);
    while (rc == 0 && page_goes_on(page))
        rc = apply_some(broker, &choice, page);
    return page->found > 0 && rc != EAGAIN ? 0 : rc;
}

int broker_apply_job(struct broker *broker, const struct trust_view *asker, uint64_t id,
                     const struct broker_change *change, enum job_state *state,
                     struct ticket *ticket)
{
    static const struct broker_filter any = {.younger_ns = HL_FOREVER};
    const struct choice choice = choice_of(asker, &any, change);
    int rc = change_check(change);
    if (rc == 0)
        rc = apply_one(broker, &choice, id, ticket);
    if (rc != ENOENT)
        return rc;
    broker_lock(broker);
    const struct job *job = idtable_get(&broker->ledger.jobs, id);
    if (job != NULL && choice_ask(&choice, job) == 0) {
        *state = (enum job_state)job->state;
        rc = EBUSY;
    }
    broker_unlock(broker);
    return rc;
}
