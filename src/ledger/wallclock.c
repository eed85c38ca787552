// SPDX-License-Identifier: MIT
/*
 * Jobs that become ready at a time of the wall clock (the option `at`).
 *
 * They are delayed jobs like others, kept by monotonic time, since that is what deadlines sleep
 * until. But the wall clock is set now and then, and runs a little faster or slower: so who stands
 * above looks every second how far both clocks are apart, and gives these jobs their places anew if
 * that has changed. A job that is due looks at the wall clock once more, in case it was set back
 * within that second.
 *
 * `at` holds for the put only: a job that was released or kicked is delayed by its delay.
 */
#include "base/clock.h"
#include "ledger/tube.h"

/* Two readings of two clocks are never of the same moment. */
#define AT_EARLY_NS (HL_SECOND / 1000)

int64_t clocks_apart(void)
{
    int64_t now = clock_now_ns();
    return clock_wall_ns() - now;
}

static bool asks_for_time(const struct job *job)
{
    const struct job_options *options = job->extra != NULL ? job->extra->options : NULL;
    return options != NULL && (options->set & JOB_OPTION_AT) != 0;
}

int64_t at_key(const struct job *job)
{
    int64_t key_ns;
    bool over = __builtin_sub_overflow(job->extra->options->at_wall_ns, clocks_apart(), &key_ns);
    return over ? CLOCK_NEVER - 1 : key_ns;
}

bool at_is_ahead(const struct job *job)
{
    return asks_for_time(job) && job->extra->options->at_wall_ns > clock_wall_ns();
}

void at_begin(struct job *job)
{
    ASSERT(asks_for_time(job) && !job->extra->by_wall);
    job->tube->ledger->timed++;
    job->extra->by_wall = true;
}

void at_end(struct job *job)
{
    if (job->extra == NULL || !job->extra->by_wall)
        return;
    job->extra->by_wall = false;
    job->tube->ledger->timed--;
}

void at_place(struct job *job)
{
    job->extra->key_ns = at_key(job);
    heap_update(&job->tube->delayed, job->pos);
    job->tube->ledger->hooks->tube_times(job->tube);
}

bool at_put_off(struct job *job)
{
    if (!job->extra->by_wall || job->extra->options->at_wall_ns - clock_wall_ns() <= AT_EARLY_NS)
        return false;
    at_place(job);
    return true;
}
