// SPDX-License-Identifier: MIT
/*
 * Commands about one job by its id: delete, stats-job.
 *
 * delete takes what this connection has reserved, and what nobody has.
 *
 * stats-job is YAML, byte for byte as beanstalkd 1.13 writes it: whole seconds, quotes around the
 * tube's name only. `file` is the number of a log file there and 0 here.
 */
#include "front/batch_priv.h"
#include "front/front_priv.h"
#include "front/reply_priv.h"

#include <errno.h>
#include <inttypes.h>

int parse_delete(struct scan *scan, struct command_args *args)
{
    return parse_id(scan, args);
}

static void deleted(struct session *session, struct broker_op *op, int rc)
{
    (void)op;
    if (rc == 0)
        reply_word(session, "DELETED\r\n");
    else if (rc == ENOENT)
        reply_word(session, "NOT_FOUND\r\n");
    else
        reply_refusal(session, rc, "INTERNAL_ERROR\r\n");
}

void do_delete(struct session *session, const struct command_args *args)
{
    (void)op_begin(session, BROKER_DELETE, args);
    op_add(session, deleted, NULL);
}

int parse_stats_job(struct scan *scan, struct command_args *args)
{
    return parse_id(scan, args);
}

/* Whole seconds, rounded down, as beanstalkd's integer division by 10^9 of positive times. */
static int64_t seconds(int64_t ns)
{
    return ns / HL_SECOND;
}

void do_stats_job(struct session *session, const struct command_args *args)
{
    struct job_view view;
    if (broker_peek(session->front->broker, &session->view, args->id, &view, NULL) != 0) {
        reply_word(session, "NOT_FOUND\r\n");
        return;
    }
    struct buf yaml = BUF_EMPTY;
    int rc =
        buf_printf(&yaml,
                   "---\nid: %" PRIu64 "\ntube: \"%s\"\nstate: %s\npri: %" PRIu32 "\nage: %" PRId64
                   "\ndelay: %" PRId64 "\nttr: %" PRId64 "\ntime-left: %" PRId64
                   "\nfile: 0\nreserves: %" PRIu32 "\ntimeouts: %" PRIu32 "\nreleases: %" PRIu32
                   "\nburies: %" PRIu32 "\nkicks: %" PRIu32 "\n",
                   view.id, view.tube, job_state_word(view.state), view.pri, seconds(view.age_ns),
                   seconds(view.delay_ns), seconds(view.ttr_ns), seconds(view.time_left_ns),
                   view.reserves, view.tries.timeouts, view.releases, view.buries, view.kicks);
    reply_yaml(session, rc, &yaml);
}
