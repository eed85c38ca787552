// SPDX-License-Identifier: MIT
/*
 * Jobs that become ready at a time of the wall clock (the option `at`).
 *
 * They are delayed jobs like others, kept by monotonic time, since that is what deadlines sleep
 * until. But the wall clock is set now and then, and runs a little faster or slower. So once a
 * second somebody looks (broker_clock_look) how far both clocks are apart, and if that has changed,
 * these jobs get their places anew: a walk over all jobs that lets go of the lock every few
 * hundred, which happens when a clock is set and there are such jobs. A job that is due looks at
 * the wall clock once more, in case it was set back within that second.
 *
 * `at` holds for the put only: a job that was released or kicked is delayed by its delay.
 */
#include "base/clock.h"
#include "broker/broker_priv.h"

/* Clocks that are so much further apart were set, or have drifted so far. */
#define AT_STEP_NS (100 * (HL_SECOND / 1000))
/* Two readings of two clocks are never of the same moment. */
#define AT_EARLY_NS (HL_SECOND / 1000)

static int64_t clocks_apart(void)
{
    int64_t now = clock_now_ns();
    return clock_wall_ns() - now;
}

static bool asks_for_time(const struct job *job)
{
    const struct job_options *options = job->rare != NULL ? job->rare->options : NULL;
    return options != NULL && (options->set & JOB_OPTION_AT) != 0;
}

int64_t at_key(const struct job *job)
{
    int64_t key_ns;
    bool over = __builtin_sub_overflow(job->rare->options->at_wall_ns, clocks_apart(), &key_ns);
    return over ? CLOCK_NEVER - 1 : key_ns;
}

bool at_is_ahead(const struct job *job)
{
    return asks_for_time(job) && job->rare->options->at_wall_ns > clock_wall_ns();
}

void at_begin(struct job *job)
{
    ASSERT(asks_for_time(job) && !job->rare->by_wall);
    job->tube->broker->timed++;
    job->rare->by_wall = true;
}

void at_end(struct job *job)
{
    if (job->rare == NULL || !job->rare->by_wall)
        return;
    job->rare->by_wall = false;
    job->tube->broker->timed--;
}

HELD static void place_anew(struct job *job)
{
    job->rare->key_ns = at_key(job);
    heap_update(&job->tube->delayed, job->pos);
    tube_alarm_update(job->tube);
}

bool at_put_off(struct job *job)
{
    if (!job->rare->by_wall || job->rare->options->at_wall_ns - clock_wall_ns() <= AT_EARLY_NS)
        return false;
    place_anew(job);
    return true;
}

/* From that id on, which is moved; 0: that was the end. */
HELD static void place_some(struct broker *broker, uint64_t *id)
{
    for (int i = 0; i < BROKER_WALK_MAX; i++, (*id)++) {
        struct job *job = idtable_from(&broker->jobs, id);
        if (job == NULL) {
            *id = 0;
            return;
        }
        if (job->rare != NULL && job->rare->by_wall)
            place_anew(job);
    }
}

void broker_clock_look(struct broker *broker)
{
    int64_t apart = clocks_apart();
    broker_lock(broker);
    int64_t step = apart - broker->clocks_apart;
    bool stepped = step > AT_STEP_NS || step < -AT_STEP_NS;
    if (stepped)
        broker->clocks_apart = apart;
    uint64_t id = stepped && broker->timed > 0 ? 1 : 0;
    while (id != 0) {
        place_some(broker, &id);
        broker_unlock(broker);
        broker_lock(broker);
    }
    broker_unlock(broker);
}

void at_start(struct broker *broker)
{
    broker->clocks_apart = clocks_apart();
}
