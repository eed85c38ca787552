// SPDX-License-Identifier: MIT
/*
 * Lines: where operations stand that have to wait for room.
 *
 * A busy journal has two, one for puts and one for changes of jobs that are there; the second is
 * served first, since changes make the room that puts wait for. A full tube and a full broker have
 * one each, for puts that may wait (put_line.c). In all of them who stands is decided again from
 * the front, under the lock, by whatever may have made room; who comes later stands behind.
 *
 * The journal's lines are served after each commit and whenever compaction has given something back
 * (lines_look_all), and by their timer every LINE_LOOK_NS, for what nobody tells of. Their patience
 * ends there, too: the first of a line is the one who stands longest. Only operations stand: what
 * the broker changes by itself (a TTR is over, a connection is lost) is recorded if there is room,
 * and waits for nobody. A put that waits for who keeps records stands in none (put_ask.c).
 *
 * An operation that settles or prolongs a lease pins it: the TTR of the lease doesn't end while the
 * worker's word stands in line.
 */
#include "broker/line_priv.h"
#include "broker/timer_priv.h"
#include "broker/verbs_priv.h"

#include "base/clock.h"

#include <errno.h>

/* Served in one hold of the lock. */
#define SERVED_MAX 256
/* How long an operation may find the journal busy before it is refused. A change's time is short:
 * compaction gains a unit in less, if it can. */
#define PUTS_NS (30 * HL_SECOND)
#define CHANGES_NS (3 * HL_SECOND)

/* ---- who stands ---- */

static enum store_line line_of_verb(const struct broker_op *op)
{
    static const uint8_t lines[BROKER_VERB_COUNT] = {
#define BROKER_VERB(NAME, name, line, what) [BROKER_##NAME] = STORE_LINE_##line,
#include "broker/verbs.def"
#undef BROKER_VERB
    };
    return (enum store_line)lines[op->verb];
}

int lines_init(struct broker *broker)
{
    int rc = 0;
    for (int i = 0; i < STORE_LINE_COUNT && rc == 0; i++) {
        list_init(&broker->lines[i].standing);
        rc = broker_timer_init(broker, &broker->lines[i].timer, TIMER_LINE);
        broker->lines_made += rc == 0;
    }
    return rc;
}

void lines_fini(struct broker *broker)
{
    for (unsigned i = 0; i < broker->lines_made; i++) {
        ASSERT(list_empty(&broker->lines[i].standing));
        broker_timer_fini(broker, &broker->lines[i].timer);
    }
    broker->lines_made = 0;
}

static bool is_op(const struct broker *broker, const struct later *later)
{
    return later->cancel == broker->calls->cancel;
}

static struct broker_op *op_of(struct later *later)
{
    return CONTAINER_OF(later, struct broker_op, later);
}

HELD static int64_t until(const struct broker *broker, struct later *later)
{
    return is_op(broker, later) ? op_of(later)->until_ns : broker->calls->reserve_until(later);
}

static struct later *line_first(const struct broker_line *line)
{
    struct list_node *node = list_first(&line->standing);
    return node != NULL ? CONTAINER_OF(node, struct later, node) : NULL;
}

HELD static void line_timer(struct broker *broker, struct broker_line *line)
{
    struct later *first = line_first(line);
    int64_t at_ns = CLOCK_NEVER;
    if (first != NULL) {
        at_ns = clock_deadline(LINE_LOOK_NS);
        if (until(broker, first) < at_ns)
            at_ns = until(broker, first);
    }
    broker_timer_set(broker, &line->timer, at_ns);
}

static int64_t patience(enum store_line which)
{
    return which == STORE_LINE_PUTS ? PUTS_NS : CHANGES_NS;
}

/* More, or fewer, stand there. */
HELD static void line_count(struct broker *broker, enum store_line which, int by)
{
    broker->standing += by > 0 ? 1 : SIZE_MAX; /* unsigned arithmetic wraps by definition */
    store_stand(broker->ledger.store, which, by);
}

HELD static void line_join(struct broker *broker, enum store_line which, struct later *later,
                           int64_t *until_ns)
{
    struct broker_line *line = &broker->lines[which];
    bool first = list_empty(&line->standing);
    if (*until_ns == 0)
        *until_ns = clock_deadline(patience(which));
    list_append(&line->standing, &later->node);
    line_count(broker, which, 1);
    if (first)
        line_timer(broker, line);
}

/* The lease that it is about. */
HELD static struct job *lease_of_op(const struct broker_op *op)
{
    struct job *job = idtable_get(&op->broker->ledger.jobs, op->id);
    bool leased = job != NULL && job->state == JOB_RESERVED && job->extra->token != 0;
    return leased ? job : NULL;
}

static bool is_about_lease(const struct broker_op *op)
{
    switch ((enum broker_verb)op->verb) {
    case BROKER_RELEASE:
    case BROKER_BURY:
    case BROKER_TOUCH:
    case BROKER_DELETE:
    case BROKER_SETTLE:
        return true;
    default:
        return false;
    }
}

HELD static void op_pin(struct broker_op *op)
{
    struct job *job = is_about_lease(op) ? lease_of_op(op) : NULL;
    if (job == NULL || job->extra->pins == UINT8_MAX)
        return;
    job->extra->pins++;
    op->pinned = job->extra->token;
    op->flags |= OP_PINS;
}

HELD static void op_unpin(struct broker_op *op)
{
    if ((op->flags & OP_PINS) == 0)
        return;
    op->flags &= (uint8_t)~OP_PINS;
    struct job *job = lease_of_op(op);
    if (job != NULL && job->extra->token == op->pinned && job->extra->pins > 0)
        job->extra->pins--;
}

bool op_waits_for_journal(const struct broker_op *op)
{
    const struct broker *broker = op->broker;
    return op->line == &broker->lines[STORE_LINE_PUTS].standing ||
           op->line == &broker->lines[STORE_LINE_CHANGES].standing;
}

/* A put begins to stand, or stops. */
void put_stands(struct broker_op *op, bool stands)
{
    struct tube *tube = op->put.tube;
    if (stands) {
        tube_ref(tube); /* the job has its own when it is in */
        broker_of(tube)->stats.putting++;
        return;
    }
    broker_of(tube)->stats.putting--;
    tube_unref(tube);
}

/* Where it should stand. */
HELD static void op_join(struct broker_op *op, struct list *line)
{
    op->line = line;
    if (line != NULL) {
        list_append(line, &op->later.node);
        return;
    }
    struct broker *broker = op->broker;
    enum store_line which = line_of_verb(op);
    op->line = &broker->lines[which].standing;
    line_join(broker, which, &op->later, &op->until_ns);
}

HELD static void op_part(struct broker_op *op)
{
    if (op_waits_for_journal(op))
        line_count(op->broker, line_of_verb(op), -1);
    list_remove(&op->later.node);
    op->line = NULL;
}

void op_stand(struct broker_op *op)
{
    struct list *line = op->line;
    later_wait(&op->later, op->broker->calls->cancel);
    op->ticket = (struct ticket){0};
    if (op->verb == BROKER_PUT)
        put_stands(op, true);
    op_pin(op);
    if (!put_asks(op)) /* else it stands in none */
        op_join(op, line);
}

void op_move(struct broker_op *op, struct list *line)
{
    op_part(op);
    op_join(op, line);
}

void op_end(struct broker_op *op, int result)
{
    struct broker *broker = op->broker;
    op_unpin(op);
    op_part(op);
    if (op->verb == BROKER_PUT)
        put_stands(op, false);
    queue_domain_ready(broker->ledger.domain, &op->later, result);
}

void op_go_on(struct broker_op *op)
{
    struct broker *broker = op->broker;
    struct store *store = broker->ledger.store;
    if (store != NULL) /* behind those who stand */
        store_turn(store, STORE_TURN_FIRST);
    int rc = broker->calls->decide(broker, op);
    if (store != NULL)
        store_turn(store, STORE_TURN_NONE);
    struct list *line = op->line;
    op->line = NULL;
    if (rc == EAGAIN)
        op_join(op, line);
    else
        op_end(op, rc);
}

void op_leave(struct broker_op *op)
{
    op_unpin(op);
    op_part(op);
    (void)later_leave(&op->later);
}

void line_stand_reserver(struct broker *broker, struct later *later, int64_t *until_ns)
{
    line_join(broker, STORE_LINE_CHANGES, later, until_ns);
}

void line_leave_reserver(struct broker *broker, struct later *later)
{
    line_count(broker, STORE_LINE_CHANGES, -1);
    (void)later_leave(later);
}

/* ---- serving ---- */

/* EAGAIN: it stands where it stood. */
HELD static int op_again(struct broker_op *op)
{
    struct list *line = op->line;
    op->line = NULL;
    int rc = op->broker->calls->decide(op->broker, op);
    struct list *next = op->line;
    op->line = line;
    if (rc != EAGAIN)
        op_end(op, rc);
    else if (next != NULL) {
        op_move(op, next); /* there is no room in its tube meanwhile */
        return EINPROGRESS;
    }
    return rc;
}

HELD static bool line_serve(struct broker *broker, struct broker_line *line)
{
    struct later *later;
    int served = 0;
    store_turn(broker->ledger.store, STORE_TURN_LINE);
    while (served < SERVED_MAX && (later = line_first(line)) != NULL) {
        int rc =
            is_op(broker, later) ? op_again(op_of(later)) : broker->calls->reserve_again(later);
        if (rc == EAGAIN)
            break;
        served++;
    }
    store_turn(broker->ledger.store, STORE_TURN_NONE);
    return served == SERVED_MAX;
}

HELD static void line_refuse(struct broker *broker, struct broker_line *line, int64_t now_ns)
{
    struct later *later;
    while ((later = line_first(line)) != NULL && until(broker, later) <= now_ns) {
        broker->impatient++;
        if (is_op(broker, later))
            op_end(op_of(later), ENOSR);
        else
            broker->calls->reserve_refused(later, ENOSR);
    }
}

void lines_serve(struct broker *broker)
{
    if (broker->standing == 0)
        return;
    for (int i = STORE_LINE_COUNT - 1; i >= 0; i--) {
        bool more = line_serve(broker, &broker->lines[i]);
        line_timer(broker, &broker->lines[i]);
        if (more)
            broker_timer_set(broker, &broker->lines[i].timer, clock_now_ns());
    }
}

void line_due(struct broker *broker, struct broker_timer *timer, int64_t now_ns)
{
    struct broker_line *line = CONTAINER_OF(timer, struct broker_line, timer);
    bool more = line_serve(broker, line);
    line_refuse(broker, line, now_ns);
    line_timer(broker, line);
    if (more && line_first(line) != NULL)
        broker_timer_set(broker, timer, now_ns);
}

bool lines_look(struct broker *broker, const struct broker_op *op)
{
    broker_lock(broker);
    for (int i = STORE_LINE_COUNT - 1; broker->ledger.store != NULL && i >= 0; i--)
        line_due(broker, &broker->lines[i].timer, clock_now_ns());
    bool stands = op->later.state == LATER_WAITS;
    broker_unlock(broker);
    return stands;
}
