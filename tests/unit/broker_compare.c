// SPDX-License-Identifier: MIT
// What can be asked of the broker, asked of it and of its model; and who asks.

#include "broker_compare.h"

#include "base/clock.h"

#include <errno.h>
#include <string.h>

void compare_job(const struct model_job *job)
{
    struct job_view view;
    size_t place = (size_t)(job - model.job);
    int rc = broker_peek(broker, &trust_all, job->id, &view, NULL);
    SAME(rc, job->id != 0 ? 0 : ENOENT);
    SAME(fired[place], job->waited_for && job->ended);
    if (rc != 0)
        return;
    SAME(view.state, job->state);
    SAME(view.pri, job->pri);
    SAME(view.submitter, job->submitter);
    SAME(view.ttr_ns, job->ttr_ns);
    SAME(view.delay_ns, job->delay_ns);
    SAME(view.reserves, job->reserves);
    SAME(view.tries.timeouts, job->timeouts);
    SAME(view.releases, job->releases);
    SAME(view.buries, job->buries);
    SAME(view.kicks, job->kicks);
    SAME(view.tries.failures, job->failures);
    SAME(view.tries.crashes, job->crashes);
    SAME(view.tries.losses, job->losses);
    SAME(strcmp(view.tube, tube_names[job->tube]), 0);
    if (job->state == JOB_DELAYED || job->state == JOB_RESERVED)
        SAME(view.time_left_ns, job->due_ns - clock_now_ns());
}

void compare_tube(int tube)
{
    static const enum job_state states[] = {JOB_READY, JOB_DELAYED, JOB_BURIED};
    for (size_t i = 0; i < 3; i++) {
        const struct model_job *first = model_first(tube, states[i]);
        struct job_view view;
        int rc = broker_peek_first(broker, tubes[tube], states[i], &view, NULL);
        SAME(rc, first != NULL ? 0 : ENOENT);
        if (rc == 0)
            SAME(view.id, first->id);
    }
}

void compare_counts(void)
{
    uint64_t count[JOB_STATE_COUNT] = {0}, waiting = 0;
    for (int i = 0; i < MODEL_JOBS; i++)
        if (model.job[i].id != 0)
            count[model.job[i].state]++;
    for (int i = 0; i < MODEL_CONNS; i++) {
        waiting += model.conn[i].wait == MODEL_WAITS;
        SAME(conns[i].fired, model.conn[i].fired);
    }
    struct broker_stats stats = engine_stats(broker);
    SAME(stats.count[JOB_READY], count[JOB_READY]);
    SAME(stats.count[JOB_DELAYED], count[JOB_DELAYED]);
    SAME(stats.count[JOB_RESERVED], count[JOB_RESERVED]);
    SAME(stats.count[JOB_BURIED], count[JOB_BURIED]);
    SAME(stats.waiting, waiting);
    SAME(stats.timeouts, model.timeouts);
    SAME(stats.deletes, model.deletes);
    SAME(stats.totals.put, model.put);
    SAME(stats.totals.done, model.done);
    SAME(stats.totals.failed, model.failed);
    SAME(stats.totals.deleted, model.deleted);
    SAME(stats.totals.cancelled, model.cancelled);
    SAME(stats.retries, model.retries);
    SAME(stats.totals.kicked, model.kicked);
    SAME(stats.unfinished, count[JOB_READY] + count[JOB_DELAYED] + count[JOB_RESERVED]);
    SAME(broker_join(broker, NULL, 0, NULL), stats.unfinished == 0 ? 0 : ETIMEDOUT);
}

// ---- who asks ----

uint32_t any_submitter(struct unit_random *random)
{
    if (unit_random_below(random, 3) == 0)
        return JOB_NOBODY;
    return (uint32_t)unit_random_below(random, unit_random_below(random, 8) == 0 ? 200 : 4);
}

const struct trust_view *any_asker(struct unit_random *random, const struct model_job *job,
                                   int *expected)
{
    static const trust_rights own[] = {TRUST_put | TRUST_see_own | TRUST_read_own | TRUST_edit_own};
    static struct trust_view view;
    if (unit_random_below(random, 3) != 0)
        return &trust_all;
    bool stranger = unit_random_below(random, 4) == 0;
    bool his = job->id != 0 && unit_random_below(random, 2) == 0;
    uint32_t uid = his ? job->submitter : any_submitter(random);
    view = (struct trust_view){.rights = stranger ? NULL : own, .uid = uid};
    if (stranger || uid == JOB_NOBODY || uid != job->submitter)
        *expected = ENOENT;
    return &view;
}
