// SPDX-License-Identifier: MIT
// The rules of the broker, written for being read; see broker_model.h.

#include "broker_model.h"

#include "base/clock.h"

#include <errno.h>
#include <string.h>

struct model model;

void model_init(void)
{
    memset(&model, 0, sizeof(model));
    for (int tube = 0; tube < MODEL_TUBES; tube++)
        model.pause_end_ns[tube] = CLOCK_NEVER;
    for (int conn = 0; conn < MODEL_CONNS; conn++)
        model_connect(conn);
}

void model_connect(int conn)
{
    // Tube 0 is "default".
    model.conn[conn] = (struct model_conn){.watch_count = 1};
}

void model_asks(int conn)
{
    if (model.conn[conn].number == 0)
        model.conn[conn].number = ++model.last_number;
}

struct model_job *model_free_place(void)
{
    for (int i = 0; i < MODEL_JOBS; i++)
        if (model.job[i].id == 0)
            return &model.job[i];
    return NULL;
}

static bool is_paused(int tube)
{
    return model.pause_end_ns[tube] != CLOCK_NEVER;
}

static bool watches(const struct model_conn *conn, int tube)
{
    for (int i = 0; i < conn->watch_count; i++)
        if (conn->watched[i] == tube)
            return true;
    return false;
}

// Who waits for that tube's jobs, the longest; or -1.
static int longest_waiting(int tube)
{
    int longest = -1;
    for (int i = 0; i < MODEL_CONNS; i++) {
        const struct model_conn *conn = &model.conn[i];
        if (conn->wait == MODEL_WAITS && watches(conn, tube) &&
            (longest < 0 || conn->turn < model.conn[longest].turn))
            longest = i;
    }
    return longest;
}

void model_reserve(struct model_job *job, int owner)
{
    job->state = JOB_RESERVED;
    job->owner = owner;
    job->match_of = -1;
    job->token = 0; // the test fills it in when it learns of it
    job->due_ns = clock_now_ns() + job->ttr_ns;
    job->reserves++;
}

static void give(struct model_job *job, int to)
{
    struct model_conn *conn = &model.conn[to];
    model_reserve(job, conn->with_token ? MODEL_TOKENS : to);
    job->match_of = to;
    conn->match_id = job->id;
    conn->wait = MODEL_MATCHED;
    conn->fired++;
}

void model_ready(struct model_job *job)
{
    int waiting = is_paused(job->tube) ? -1 : longest_waiting(job->tube);
    job->state = JOB_READY;
    if (waiting >= 0)
        give(job, waiting);
}

void model_give_back(struct model_job *job)
{
    job->match_of = -1;
    model_ready(job);
}

void model_bury(struct model_job *job)
{
    job->state = JOB_BURIED;
    job->buried = ++model.last_burial;
    job->buries++;
    job->ended = job->waited_for;
    model.failed++;
}

void model_delay(struct model_job *job, int64_t delay_ns)
{
    job->delay_ns = delay_ns;
    job->match_of = -1;
    if (delay_ns == 0) {
        model_ready(job);
        return;
    }
    job->state = JOB_DELAYED;
    job->due_ns = clock_now_ns() + delay_ns;
}

void model_remove(struct model_job *job)
{
    job->cancelled = false;
    job->ended = job->waited_for;
    job->id = 0;
}

static bool ready_before(const struct model_job *a, const struct model_job *b)
{
    return a->pri != b->pri ? a->pri < b->pri : a->id < b->id;
}

struct model_job *model_best(const int *tubes, int count)
{
    struct model_job *best = NULL;
    for (int i = 0; i < count; i++) {
        struct model_job *first = is_paused(tubes[i]) ? NULL : model_first(tubes[i], JOB_READY);
        if (first != NULL && (best == NULL || ready_before(first, best)))
            best = first;
    }
    return best;
}

static bool comes_before(const struct model_job *a, const struct model_job *b)
{
    if (a->state == JOB_READY)
        return ready_before(a, b);
    if (a->state == JOB_DELAYED)
        return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->id < b->id;
    return a->buried < b->buried;
}

struct model_job *model_first(int tube, enum job_state state)
{
    struct model_job *first = NULL;
    for (int i = 0; i < MODEL_JOBS; i++) {
        struct model_job *job = &model.job[i];
        if (job->id != 0 && job->tube == tube && job->state == state &&
            (first == NULL || comes_before(job, first)))
            first = job;
    }
    return first;
}

void model_resume(int tube)
{
    struct model_job *job;
    model.pause_end_ns[tube] = CLOCK_NEVER;
    while (longest_waiting(tube) >= 0 && (job = model_first(tube, JOB_READY)) != NULL)
        give(job, longest_waiting(tube));
}

struct model_job *model_first_lease(int owner)
{
    struct model_job *first = NULL;
    for (int i = 0; i < MODEL_JOBS; i++) {
        struct model_job *job = &model.job[i];
        if (job->id == 0 || job->state != JOB_RESERVED || job->owner != owner)
            continue;
        if (first == NULL || job->due_ns < first->due_ns ||
            (job->due_ns == first->due_ns && job->id < first->id))
            first = job;
    }
    return first;
}

struct model_job *model_best_lease(int owner)
{
    struct model_job *best = NULL;
    for (int i = 0; i < MODEL_JOBS; i++) {
        struct model_job *job = &model.job[i];
        if (job->id == 0 || job->state != JOB_RESERVED || job->owner != owner)
            continue;
        if (best == NULL || job->pri < best->pri || (job->pri == best->pri && job->id < best->id))
            best = job;
    }
    return best;
}

int model_try_reserve(int which, struct model_job **job)
{
    struct model_conn *conn = &model.conn[which];
    *job = model_best(conn->watched, conn->watch_count);
    if (*job != NULL) {
        model_reserve(*job, conn->with_token ? MODEL_TOKENS : which);
        conn->wait = MODEL_IDLE;
        return 0;
    }
    const struct model_job *lease = model_first_lease(which);
    conn->wait = MODEL_IDLE;
    if (lease != NULL && lease->due_ns - BROKER_MARGIN_NS <= clock_now_ns())
        return ETIME;
    if (conn->timeout_ns <= clock_now_ns())
        return ETIMEDOUT;
    conn->wait = MODEL_WAITS;
    conn->turn = ++model.last_turn;
    return EINPROGRESS;
}

// ---- time ----

// The next thing that happens: a job's (delay or TTR over), a tube's (pause over), or a
// connection's (its wait is over).
struct event {
    int64_t at_ns;
    uint64_t number; // of the connection; 0: a tube, or a token
    struct model_job *job;
    int tube, conn;
};

static void sooner(struct event *event, struct event other)
{
    if (other.at_ns < event->at_ns || (other.at_ns == event->at_ns && other.number < event->number))
        *event = other;
}

// When a waiting connection is told of its deadline, or its time is over.
static int64_t wait_end(int which)
{
    const struct model_conn *conn = &model.conn[which];
    const struct model_job *lease = model_first_lease(which);
    int64_t end = conn->timeout_ns;
    if (lease != NULL && lease->due_ns - BROKER_MARGIN_NS < end)
        end = lease->due_ns - BROKER_MARGIN_NS;
    return end;
}

static struct event next_event(void)
{
    struct event event = {.at_ns = CLOCK_NEVER};
    struct model_job *under_token = model_first_lease(MODEL_TOKENS);
    if (under_token != NULL)
        sooner(&event, (struct event){.at_ns = under_token->due_ns, .job = under_token});
    for (int tube = 0; tube < MODEL_TUBES; tube++) {
        struct model_job *job = model_first(tube, JOB_DELAYED);
        sooner(&event, (struct event){.at_ns = model.pause_end_ns[tube], .tube = tube, .conn = -1});
        if (job != NULL)
            sooner(&event, (struct event){.at_ns = job->due_ns, .job = job});
    }
    for (int i = 0; i < MODEL_CONNS; i++) {
        struct event next = {.at_ns = CLOCK_NEVER, .number = model.conn[i].number, .conn = i};
        struct model_job *job = model_first_lease(i);
        if (model.conn[i].wait == MODEL_WAITS)
            next.at_ns = wait_end(i); // the end of a lease comes after the warning
        else if (job != NULL) {
            next.at_ns = job->due_ns;
            next.job = job;
        }
        sooner(&event, next);
    }
    return event;
}

static void end_wait(int which)
{
    struct model_conn *conn = &model.conn[which];
    const struct model_job *lease = model_first_lease(which);
    bool soon = lease != NULL && lease->due_ns - BROKER_MARGIN_NS <= clock_now_ns();
    conn->wait = MODEL_ENDED;
    conn->end = soon ? ETIME : ETIMEDOUT;
    conn->fired++;
}

int64_t model_due(void)
{
    for (;;) {
        struct event event = next_event();
        if (event.at_ns > clock_now_ns())
            return event.at_ns;
        if (event.job == NULL && event.conn >= 0)
            end_wait(event.conn);
        else if (event.job == NULL)
            model_resume(event.tube);
        else {
            if (event.job->state == JOB_RESERVED) {
                event.job->timeouts++;
                model.timeouts++;
            }
            model_give_back(event.job);
        }
    }
}

// ---- attempts that ended ----

#define PAUSE_NS (2 * HL_SECOND)

const struct job_rules model_rules = {.set = JOB_RULE_ATTEMPTS | JOB_RULE_TIMEOUTS |
                                             JOB_RULE_LOSSES | JOB_RULE_BACKOFF |
                                             JOB_RULE_BACKOFF_KIND | JOB_RULE_JITTER,
                                      .attempts = 4,
                                      .timeouts = 3,
                                      .losses = 2,
                                      .backoff_ns = PAUSE_NS,
                                      .backoff_kind = JOB_BACKOFF_FIXED,
                                      .jitter = 0};

// One more of that trouble. Whether it was the last that is forgiven.
static bool trouble_counts(struct model_job *job, enum job_outcome_kind kind)
{
    switch (kind) {
    case JOB_OUTCOME_TIMEOUT:
        return ++job->timeouts >= model_rules.timeouts;
    case JOB_OUTCOME_CRASHED:
        return ++job->crashes >= JOB_CRASHES_DEFAULT;
    case JOB_OUTCOME_LOST:
        return ++job->losses >= model_rules.losses;
    default:
        return ++job->failures >= model_rules.attempts;
    }
}

void model_attempt_ends(struct model_job *job, enum job_outcome_kind kind)
{
    switch (job_outcome_fate(kind)) {
    case JOB_FATE_RETURNED:
        model_give_back(job);
        return;
    case JOB_FATE_BURIED:
        model_bury(job);
        return;
    case JOB_FATE_RULED:
        if (trouble_counts(job, kind)) {
            model_bury(job);
            return;
        }
        model.retries++;
        model_delay(job, PAUSE_NS);
        return;
    case JOB_FATE_LEAVES:
        break;
    }
    model.done += kind == JOB_OUTCOME_DONE;
    model.cancelled += kind == JOB_OUTCOME_CANCELLED;
    model.deleted += kind == JOB_OUTCOME_DELETED;
    model.deletes += kind == JOB_OUTCOME_DELETED;
    model_remove(job);
}
