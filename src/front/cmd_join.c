// SPDX-License-Identifier: MIT
/*
 * join <tube> <timeout>: as queue.join, answers when nothing that was put into the tube is
 * unfinished, with the tube's counts of how jobs ended. A tube that nobody knows has nothing
 * unfinished and is joined at once. (The method `join` of the API can also join all tubes.)
 *
 * Waiting is pending.c's; a client that hangs up gets the same TIMED_OUT as one whose time is over.
 */
#include "front/front_priv.h"
#include "front/pending_priv.h"
#include "front/reply_priv.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define JOIN_MAGIC 0x10120008u

struct pending_join {
    unsigned magic;
    struct pending pending;
    struct broker_waiter waiter;
};

static struct pending_join *join_of(struct pending *pending)
{
    struct pending_join *join = CONTAINER_OF(pending, struct pending_join, pending);
    MAGIC_CHECK(join, JOIN_MAGIC);
    return join;
}

static void join_release(struct pending *pending)
{
    struct pending_join *join = join_of(pending);
    MAGIC_WIPE(join);
    free(join);
}

static void join_answer(struct session *session, struct pending *pending, int why)
{
    const struct broker_waiter *waiter = &join_of(pending)->waiter;
    if (why == 0) {
        session_tells(session, &waiter->ticket);
        reply_totals(session, "JOINED", &waiter->totals);
    } else
        reply_word(session, "TIMED_OUT\r\n");
    join_release(pending);
}

/* Any thread. */
static void join_fire(struct later *later)
{
    pending_fire(&CONTAINER_OF(later, struct pending_join, waiter.later)->pending);
}

int parse_join(struct scan *scan, struct command_args *args)
{
    if (scan_tube_word(scan, &args->name, &args->name_len) != 0 ||
        scan_timeout(scan, &args->timeout) != 0)
        return EINVAL;
    return scan_ended(scan) ? 0 : EINVAL;
}

void do_join(struct session *session, const struct command_args *args)
{
    char tube[JOB_TUBE_NAME_MAX + 1];
    snprintf(tube, sizeof(tube), "%.*s", (int)args->name_len, args->name);
    struct pending_join *join = calloc(1, sizeof(*join));
    if (join == NULL) {
        reply_word(session, "OUT_OF_MEMORY\r\n");
        return;
    }
    MAGIC_INIT(join, JOIN_MAGIC);
    join->waiter.later.fire = join_fire;
    join->pending = (struct pending){
        .later = &join->waiter.later, .answer = join_answer, .release = join_release};
    pending_begin(session, &join->pending);
    if (broker_join_async(session->front->broker, tube, &join->waiter) != 0) {
        reply_word(session, "OUT_OF_MEMORY\r\n");
        pending_drop(&join->pending);
        join_release(&join->pending);
        return;
    }
    int64_t timeout_ns = (int64_t)args->timeout * HL_SECOND;
    pending_wait(session, &join->pending, clock_deadline(timeout_ns));
    if (timeout_ns == 0)
        pending_end(session, ETIMEDOUT); /* unless it is joined already */
}
