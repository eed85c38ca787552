// SPDX-License-Identifier: MIT
/*
 * Views: everything that is copied out of the broker. A copy is taken under the lock and used
 * without it; a body is shared by reference.
 */
#include "base/clock.h"
#include "broker/ask_priv.h"
#include "broker/view_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void text_copy(char to[JOB_TEXT_MAX + 1], const char *text)
{
    size_t len = strlen(text); /* options are right */
    ASSERT(len <= JOB_TEXT_MAX);
    memcpy(to, text, len + 1);
}

static void options_copy(const struct job_options *options, struct job_view *view)
{
    view->set = view->rules.set = 0;
    view->name[0] = view->group[0] = view->key[0] = '\0';
    view->tags_size = 0;
    if (options == NULL)
        return;
    view->set = options->set;
    view->rules = options->rules;
    view->retention_ns = options->retention_ns;
    view->at_wall_ns = options->at_wall_ns;
    text_copy(view->name, options->name);
    text_copy(view->group, options->group);
    text_copy(view->key, options->key);
    view->tags_size = options->tags_size;
    memcpy(view->tags, options->tags, options->tags_size);
}

static void past_copy(const struct job_attempts *past, struct job_view *view)
{
    view->past_count = 0;
    for (; past != NULL; past = past->next) {
        ASSERT(view->past_count < JOB_PAST_MAX);
        struct job_attempts_copy *copy = &view->past[view->past_count++];
        copy->kind = (enum job_outcome_kind)past->kind;
        copy->exit_status = past->exit_status;
        copy->signal = past->signal;
        copy->started_wall_ns = past->started_wall_ns;
        copy->ended_wall_ns = past->ended_wall_ns;
        snprintf(copy->reason, sizeof(copy->reason), "%s", past->reason);
    }
}

void view_copy(const struct job *job, struct job_view *view)
{
    int64_t now = clock_now_ns();
    const struct job_extra *extra = job->extra;
    view->id = job->id;
    memcpy(view->tube, job->tube->name, job->tube->name_len + 1);
    view->state = (enum job_state)job->state;
    view->pri = job->pri;
    view->submitter = submitter_of(job);
    view->ttr_ns = job_ttr_ns(job);
    view->created_ns = job_created_ns(job);
    view->age_ns = now - view->created_ns;
    bool timed = extra != NULL && (job->state == JOB_RESERVED || job->state == JOB_DELAYED);
    view->time_left_ns = timed ? extra->key_ns - now : 0;
    view->local = job->state == JOB_RESERVED && extra != NULL && extra->client == NULL;
    view->size = job->body.len;
    view->reserves = extra != NULL ? extra->reserves : 0;
    view->delay_ns = extra != NULL ? extra->delay_ns : 0;
    view->tries = extra != NULL ? extra->tries : (struct job_tries){0};
    view->releases = extra != NULL ? extra->releases : 0;
    view->buries = extra != NULL ? extra->buries : 0;
    view->kicks = extra != NULL ? extra->kicks : 0;
    past_copy(extra != NULL ? extra->past : NULL, view);
    const char *reason = extra != NULL && extra->reason != NULL ? extra->reason : "";
    snprintf(view->reason, sizeof(view->reason), "%s", reason);
    options_copy(extra != NULL ? extra->options : NULL, view);
}

int broker_peek(struct broker *broker, const struct trust_view *asker, uint64_t id,
                struct job_view *view, struct job_body **body_or_null)
{
    trust_rights need = body_or_null != NULL ? TRUST_read : TRUST_see;
    broker_lock(broker);
    struct job *job = idtable_get(&broker->ledger.jobs, id);
    int rc = job != NULL ? job_ask(asker, job, need) : ENOENT;
    if (rc == 0) {
        view_copy(job, view);
        if (body_or_null != NULL)
            *body_or_null = job->evicted ? NULL : job_body_ref(&job->body);
    }
    broker_unlock(broker);
    return rc;
}

bool broker_had(struct broker *broker, uint64_t id)
{
    broker_lock(broker);
    bool had = id != 0 && id <= broker->ledger.last_id;
    broker_unlock(broker);
    return had;
}

int broker_peek_first(struct broker *broker, struct tube *tube, enum job_state state,
                      struct job_view *view, struct job_body **body_or_null)
{
    MAGIC_CHECK(tube, TUBE_MAGIC);
    ASSERT(state == JOB_READY || state == JOB_DELAYED || state == JOB_BURIED);
    const struct heap *heap = state == JOB_READY     ? &tube->ready.heap
                              : state == JOB_DELAYED ? &tube->delayed
                                                     : &tube->buried;
    broker_lock(broker);
    struct job *job = heap_first(heap);
    if (job != NULL) {
        view_copy(job, view);
        if (body_or_null != NULL)
            *body_or_null = job->evicted ? NULL : job_body_ref(&job->body);
    }
    broker_unlock(broker);
    return job != NULL ? 0 : ENOENT;
}

/* What the ledger counts. */
static void counts_copy(const struct job_counts *counts, struct broker_stats *stats)
{
    memcpy(stats->count, counts->count, sizeof(stats->count));
    stats->urgent = counts->urgent;
    stats->bytes = counts->bytes;
}

void tube_stats_copy(const struct tube *tube, struct broker_stats *stats)
{
    *stats = broker_tube(tube)->stats;
    counts_copy(&tube->counts, stats);
    stats->unfinished = tube->ready.unfinished;
    stats->waiting = tube->ready.getting;
    stats->pause_ns = tube->pause_ns;
    stats->pause_left_ns =
        tube->pause_end_ns != CLOCK_NEVER ? tube->pause_end_ns - clock_now_ns() : 0;
}

void broker_stats(struct broker *broker, struct broker_stats *stats)
{
    broker_lock(broker);
    *stats = broker->stats;
    counts_copy(&broker->ledger.counts, stats);
    stats->tubes = broker->ledger.tubes.len;
    stats->unfinished = broker->ledger.all.unfinished;
    broker_unlock(broker);
}

int broker_tube_stats(struct broker *broker, const char *name, size_t len,
                      struct broker_stats *stats)
{
    broker_lock(broker);
    const struct tube *tube = tube_find(&broker->ledger, name, len);
    if (tube != NULL)
        tube_stats_copy(tube, stats);
    broker_unlock(broker);
    return tube != NULL ? 0 : ENOENT;
}

/* ---- the walk over tubes ---- */

#define WALK_TUBES 64 /* copied in one hold of the lock */

struct tube_copy {
    char name[JOB_TUBE_NAME_MAX + 1];
    struct broker_stats stats;
};

/*
 * Copies tubes from the one behind *last (NULL: from the first). *last holds a reference from call
 * to call, which keeps its place in the list; NULL again: that was the end.
 */
static size_t walk_some(struct broker *broker, struct tube **last, struct tube_copy *copies)
{
    size_t count = 0;
    broker_lock(broker);
    struct tube *before = *last;
    struct list_node *node = before == NULL ? list_first(&broker->ledger.tube_list)
                                            : list_next(&broker->ledger.tube_list, &before->node);
    *last = NULL;
    while (node != NULL) {
        struct tube *tube = CONTAINER_OF(node, struct tube, node);
        memcpy(copies[count].name, tube->name, tube->name_len + 1);
        tube_stats_copy(tube, &copies[count].stats);
        node = list_next(&broker->ledger.tube_list, node);
        if (++count == WALK_TUBES && node != NULL) {
            tube_ref(tube);
            *last = tube;
            break;
        }
    }
    if (before != NULL)
        tube_unref(before);
    broker_unlock(broker);
    return count;
}

int broker_each_tube(struct broker *broker,
                     bool (*visit)(const char *name, const struct broker_stats *stats, void *arg),
                     void *arg)
{
    /* no magic: never leaves this function */
    struct tube_copy *copies = malloc(WALK_TUBES * sizeof(*copies));
    if (copies == NULL)
        return ENOMEM;
    struct tube *last = NULL;
    bool more = true;
    do {
        size_t count = walk_some(broker, &last, copies);
        for (size_t i = 0; more && i < count; i++)
            more = visit(copies[i].name, &copies[i].stats, arg);
    } while (more && last != NULL);
    if (last != NULL) {
        broker_lock(broker);
        tube_unref(last);
        broker_unlock(broker);
    }
    free(copies);
    return 0;
}
