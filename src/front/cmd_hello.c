// SPDX-License-Identifier: MIT
/*
 * hello: who serves here, what it can do beyond beanstalkd's protocol, and its limits, in the form
 * of `stats`. A client asks it to find out whether it may use the added commands; beanstalkd itself
 * answers UNKNOWN_COMMAND.
 *
 * The list of commands is made from their table. Keys are added at the end, and none goes away as
 * long as the number of the protocol stays.
 */
#include "front/front_priv.h"
#include "front/reply_priv.h"
#include "front/reserve_priv.h"

#include <inttypes.h>

/* Counts the changes that would break a client that relied on something. */
#define HELLO_PROTOCOL 1

int parse_hello(struct scan *scan, struct command_args *args)
{
    return parse_nothing(scan, args);
}

static int hello_commands(struct buf *yaml)
{
    int rc = buf_append_str(yaml, "commands:");
    for (size_t id = 0; rc == 0 && id < COMMAND_COUNT; id++)
        if (commands[id].origin == ORIGIN_HILERA)
            rc = buf_printf(yaml, " %s", commands[id].name);
    return rc == 0 ? buf_append_char(yaml, '\n') : rc;
}

/* 0 is no limit. */
static int hello_limits(struct buf *yaml, const struct front *front)
{
    const struct broker_options *options = front->options;
    uint32_t line_max = front->settings.line_max;
    return buf_printf(yaml,
                      "max-job-size: %zu\nmax-line: %u\nmax-call-size: %zu\nmax-batch: %d"
                      "\nmax-held: %" PRIu64 "\nmax-jobs: %" PRIu64 "\nmax-bytes: %" PRIu64
                      "\nmax-tube-jobs: %" PRIu64 "\nmax-tube-bytes: %" PRIu64 "\nput-waits: %s\n",
                      front->body_max, line_max != 0 ? line_max : FRONT_LINE_MAX,
                      FRONT_CALL_SIZE_MAX, FRONT_BATCH_MAX, options->held_max, options->jobs_max,
                      options->bytes_max, options->tube_jobs_max, options->tube_bytes_max,
                      options->put_waits ? "true" : "false");
}

void do_hello(struct session *session, const struct command_args *args)
{
    (void)args;
    const struct front *front = session->front;
    struct buf yaml = BUF_EMPTY;
    int rc = buf_printf(&yaml, "---\nserver: \"hilera\"\nversion: \"%s\"\nprotocol: %d\nid: %s\n",
                        HL_VERSION, HELLO_PROTOCOL, front->id);
    if (rc == 0)
        rc = hello_commands(&yaml);
    if (rc == 0)
        rc = hello_limits(&yaml, front);
    reply_yaml(session, rc, &yaml);
}
