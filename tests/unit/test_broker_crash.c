// SPDX-License-Identifier: MIT
// Random sessions of a broker with a journal, ended by a kill, by a power loss or by a clean stop,
// and the comparison with what was acknowledged.
//
// Each job has a list of versions: what it was after each change, and the ticket that its client
// has to wait for. What comes back must be one of them, and none before the last whose ticket had
// been reached: so nothing acknowledged is lost, and a deleted job stays away. All jobs together
// must be as they were at one moment, for the journal is one line.
//
// Segments are the smallest, and compaction goes on all the time. HILERA_CRASH_ROUNDS and
// HILERA_MODEL_SEED change length and seed.

#include "blocking.h"
#include "durable.h"
#include "unit_random.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS 20
#define STEPS 1000 // of a round
#define JOBS 60    // that live at once
#define VERSIONS 400
#define CONNS 3
#define TUBES 4

static const char *const tube_names[TUBES] = {"default", "a", "b", "a-tube-with-a-longer-name"};

struct version {
    uint64_t ticket; // 0: nobody waits for it
    bool there;
    enum job_state state; // as it comes back
    int tube;
    uint32_t pri, releases, buries, kicks;
    int64_t until_ns; // DELAYED
    uint64_t order;   // of the change among all
};

struct tracked {
    uint64_t id; // 0: a free place
    int owner;   // of the lease; -1: none
    size_t body; // bytes
    size_t count;
    struct version version[VERSIONS];
};

static struct durable durable;
static struct engine_conn conns[CONNS];
static struct tube *tubes[TUBES];
static struct tracked tracked[JOBS];
static struct unit_random numbers;
static uint64_t changes, highest_id, put_count, came_back, lost, compacted;

static uint64_t below(uint64_t limit)
{
    return unit_random_below(&numbers, limit);
}

static struct version *now_of(struct tracked *job)
{
    return &job->version[job->count - 1];
}

static struct tracked *by_id(uint64_t id)
{
    for (int i = 0; i < JOBS; i++)
        if (tracked[i].id == id)
            return &tracked[i];
    ck_abort_msg("job %" PRIu64 " is not known", id);
}

// A new version like the present one, to be changed. All is durable when the list is full.
static struct version *version_add(struct tracked *job)
{
    if (job->count == VERSIONS) {
        durable_commit(&durable);
        struct ticket reached;
        ck_assert_int_eq(broker_ticket_reached(durable.broker, &reached), 0);
        job->version[0] = *now_of(job);
        job->count = 1;
    }
    job->version[job->count] = *now_of(job);
    job->version[job->count].ticket = 0;
    job->version[job->count].order = ++changes;
    return &job->version[job->count++];
}

static void ticket_note(struct version *version)
{
    struct ticket ticket = blocking_told();
    ck_assert_uint_eq(ticket.written, 0);
    ck_assert_uint_ne(ticket.durable, 0);
    version->ticket = ticket.durable;
}

static struct tracked *any_job(void)
{
    struct tracked *job = &tracked[below(JOBS)];
    return job->id != 0 && now_of(job)->there ? job : NULL;
}

// ---- commands ----

static void body_fill(char *bytes, size_t len, uint64_t id)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)(id * 31 + i);
}

static void do_put(void)
{
    struct tracked *job = NULL;
    for (int i = 0; i < JOBS && job == NULL; i++)
        if (tracked[i].id == 0)
            job = &tracked[i];
    if (job == NULL)
        return;
    int tube = (int)below(TUBES);
    struct broker_put_spec spec = {.submitter = JOB_NOBODY,
                                   .tube = tubes[tube],
                                   .pri = (uint32_t)below(5),
                                   .delay_ns = below(3) == 0 ? (int64_t)below(20) * HL_SECOND : 0,
                                   .ttr_ns = 10 * HL_SECOND};
    job->body = below(4) == 0 ? below(5000) : below(200);
    struct job_body *body;
    ck_assert_int_eq(job_body_new(&body, job->body), 0);
    uint64_t id;
    body_fill(body->bytes, job->body, put_count);
    ck_assert_int_eq(broker_put(durable.broker, &spec, &body, &id), 0);
    ck_assert_uint_gt(id, highest_id); // never one that was there before
    highest_id = id;
    job->id = id;
    job->owner = -1;
    job->count = 1;
    job->version[0] = (struct version){.there = true,
                                       .state = spec.delay_ns > 0 ? JOB_DELAYED : JOB_READY,
                                       .tube = tube,
                                       .pri = spec.pri,
                                       .until_ns = clock_now_ns() + spec.delay_ns,
                                       .order = ++changes};
    ticket_note(&job->version[0]);
    put_count++;
}

// The journal has counted the lease, perhaps: a buried or delayed job is ready with it.
static void leased(uint64_t id, int conn)
{
    struct tracked *job = by_id(id);
    job->owner = conn;
    struct version *version = version_add(job);
    version->state = JOB_READY;
}

static void do_reserve(void)
{
    int conn = (int)below(CONNS);
    uint64_t id = engine_reserve(&conns[conn]);
    if (id != 0)
        leased(id, conn);
}

static void do_reserve_job(void)
{
    struct tracked *job = any_job();
    int conn = (int)below(CONNS);
    if (job == NULL || job->owner >= 0)
        return;
    struct broker_lease lease;
    ck_assert_int_eq(broker_reserve_job(&conns[conn].client, &trust_all, job->id, 0, &lease), 0);
    broker_lease_fini(&lease);
    leased(job->id, conn);
}

static void do_release(void)
{
    struct tracked *job = any_job();
    if (job == NULL || job->owner < 0)
        return;
    uint32_t pri = (uint32_t)below(5);
    int64_t delay_ns = below(2) == 0 ? (int64_t)below(20) * HL_SECOND : 0;
    ck_assert_int_eq(
        broker_release(&conns[job->owner].client, &trust_all, job->id, 0, pri, delay_ns), 0);
    job->owner = -1;
    struct version *version = version_add(job);
    version->state = delay_ns > 0 ? JOB_DELAYED : JOB_READY;
    version->until_ns = clock_now_ns() + delay_ns;
    version->pri = pri;
    version->releases++;
    ticket_note(version);
}

static void do_bury(void)
{
    struct tracked *job = any_job();
    if (job == NULL || job->owner < 0)
        return;
    uint32_t pri = (uint32_t)below(5);
    ck_assert_int_eq(broker_bury(&conns[job->owner].client, &trust_all, job->id, 0, pri), 0);
    job->owner = -1;
    struct version *version = version_add(job);
    version->state = JOB_BURIED;
    version->pri = pri;
    version->buries++;
    ticket_note(version);
}

static void do_kick(void)
{
    struct tracked *job = any_job();
    if (job == NULL || job->owner >= 0)
        return;
    int rc = broker_kick_job(durable.broker, &trust_all, job->id);
    struct job_view view = engine_view(durable.broker, job->id);
    if (rc == ENOENT) { // it was ready, perhaps because its delay was over
        ck_assert_int_eq(view.state, JOB_READY);
        return;
    }
    ck_assert_int_eq(rc, 0);
    struct version *version = version_add(job);
    version->state = JOB_READY;
    version->kicks++;
    ticket_note(version);
}

static void do_move(void)
{
    struct tracked *job = any_job();
    int tube = (int)below(TUBES);
    if (job == NULL || job->owner >= 0 || now_of(job)->tube == tube)
        return;
    ck_assert_int_eq(broker_move(durable.broker, &trust_all, job->id, tube_names[tube],
                                 strlen(tube_names[tube])),
                     0);
    struct version *version = version_add(job);
    version->tube = tube;
    ticket_note(version);
}

static void do_delete(void)
{
    struct tracked *job = any_job();
    if (job == NULL)
        return;
    int conn = job->owner >= 0 ? job->owner : 0;
    ck_assert_int_eq(broker_client_delete(&conns[conn].client, &trust_all, job->id, 0), 0);
    job->owner = -1;
    struct version *version = version_add(job);
    version->there = false;
    ticket_note(version);
}

// ---- the journal ----

// Jobs whose end is durable need not be known any more.
static void forget(void)
{
    struct ticket reached;
    ck_assert_int_eq(broker_ticket_reached(durable.broker, &reached), 0);
    for (int i = 0; i < JOBS; i++)
        if (tracked[i].id != 0 && !now_of(&tracked[i])->there &&
            now_of(&tracked[i])->ticket <= reached.durable && below(4) == 0) {
            struct job_view view;
            ck_assert_int_eq(broker_peek(durable.broker, &trust_all, tracked[i].id, &view, NULL),
                             ENOENT);
            tracked[i].id = 0;
        }
}

static void do_commit(void)
{
    uint64_t last = 0;
    for (int i = 0; i < JOBS; i++)
        if (tracked[i].id != 0 && now_of(&tracked[i])->ticket > last)
            last = now_of(&tracked[i])->ticket;
    const struct ticket ticket = {.durable = last};
    ck_assert_int_eq(broker_ticket_wait(durable.broker, &ticket, HL_FOREVER), 0);
    forget();
}

// Written, and perhaps not durable: only a power loss may take it back.
static void do_write(void)
{
    const struct ticket ticket = {.written = changes * 10};
    (void)broker_lead(durable.broker, &ticket, false);
}

static void do_compact(void)
{
    for (int i = 0; i < 5; i++)
        (void)broker_compact(durable.broker);
}

static void do_time(void)
{
    // Less than a TTR for all steps of a round together, so that no lease ends.
    if (below(8) == 0) {
        clock_virtual_advance(HL_SECOND / 50);
        broker_due(durable.broker);
    }
}

static void step(void)
{
    static void (*const commands[])(void) = {
        do_put,     do_put,   do_put,     do_reserve, do_reserve, do_reserve_job,
        do_release, do_bury,  do_kick,    do_move,    do_delete,  do_delete,
        do_commit,  do_write, do_compact, do_time,    do_release, do_reserve};
    commands[below(sizeof(commands) / sizeof(commands[0]))]();
}

// ---- what came back ----

static bool version_is(const struct version *version, const struct job_view *view)
{
    if (view == NULL || !version->there)
        return view == NULL && !version->there;
    enum job_state state = version->state;
    if (state == JOB_DELAYED && version->until_ns <= clock_now_ns())
        state = JOB_READY;
    if (state == JOB_DELAYED && view->time_left_ns != version->until_ns - clock_now_ns())
        return false;
    return view->state == state && strcmp(view->tube, tube_names[version->tube]) == 0 &&
           view->pri == version->pri && view->releases == version->releases &&
           view->buries == version->buries && view->kicks == version->kicks;
}

// The moments at which it was as it is now: from *from up to, and without, *to. The latest such
// version counts.
static void job_compare(struct tracked *job, uint64_t durable_ticket, uint64_t *from, uint64_t *to)
{
    struct job_view view;
    bool there = broker_peek(durable.broker, &trust_all, job->id, &view, NULL) == 0;
    size_t least = 0;
    for (size_t i = 0; i < job->count; i++)
        if (job->version[i].ticket != 0 && job->version[i].ticket <= durable_ticket)
            least = i;
    *from = UINT64_MAX;
    *to = 0;
    bool first_acked = job->version[0].ticket <= durable_ticket;
    if (!there && !first_acked) { // its put was lost, and nobody was told of it
        *from = 0;
        *to = job->version[0].order;
    }
    for (size_t i = least; i < job->count; i++) {
        if (!version_is(&job->version[i], there ? &view : NULL))
            continue;
        uint64_t end = i + 1 < job->count ? job->version[i + 1].order : UINT64_MAX;
        if (job->version[i].order < *from)
            *from = job->version[i].order;
        if (end > *to)
            *to = end;
    }
    if (*from == UINT64_MAX)
        ck_abort_msg("job %" PRIu64 " comes back as it may not: %s, state %s, tube %s, pri %u, "
                     "%u releases; it had %zu versions, and %zu was acknowledged",
                     job->id, there ? "there" : "gone", there ? job_state_word(view.state) : "-",
                     there ? view.tube : "-", there ? view.pri : 0, there ? view.releases : 0,
                     job->count, least);
}

static void body_compare(const struct tracked *job)
{
    struct job_view view;
    struct job_body *body = NULL;
    if (broker_peek(durable.broker, &trust_all, job->id, &view, &body) != 0)
        return;
    struct job_place place;
    if (body == NULL) {
        ck_assert_int_eq(broker_place_get(durable.broker, &trust_all, job->id, &place), 0);
        ck_assert_int_eq(broker_fetch(&place, &body), 0);
    }
    ck_assert_uint_eq(body->len, job->body);
    for (size_t i = 1; i < body->len; i++)
        ck_assert_int_eq((char)(body->bytes[i - 1] + 1), body->bytes[i]);
    job_body_unref(&body);
}

// Goes on with what there is.
static void job_adopt(struct tracked *job)
{
    struct job_view view;
    if (broker_peek(durable.broker, &trust_all, job->id, &view, NULL) != 0) {
        lost += now_of(job)->there;
        job->id = 0;
        return;
    }
    came_back++;
    int tube = 0;
    while (strcmp(tube_names[tube], view.tube) != 0)
        tube++;
    job->owner = -1;
    job->version[0] = (struct version){.there = true,
                                       .state = view.state,
                                       .tube = tube,
                                       .pri = view.pri,
                                       .releases = view.releases,
                                       .buries = view.buries,
                                       .kicks = view.kicks,
                                       .until_ns = clock_now_ns() + view.time_left_ns,
                                       .order = ++changes};
    job->count = 1;
}

static void all_compare(uint64_t durable_ticket)
{
    uint64_t from = 0, to = UINT64_MAX, count = 0;
    for (int i = 0; i < JOBS; i++) {
        if (tracked[i].id == 0)
            continue;
        uint64_t job_from, job_to;
        job_compare(&tracked[i], durable_ticket, &job_from, &job_to);
        body_compare(&tracked[i]);
        if (job_from > from)
            from = job_from;
        if (job_to < to)
            to = job_to;
    }
    ck_assert_msg(from < to, "no moment at which all jobs were so: %" PRIu64 " to %" PRIu64, from,
                  to);
    for (int i = 0; i < JOBS; i++)
        if (tracked[i].id != 0) {
            job_adopt(&tracked[i]);
            count += tracked[i].id != 0;
        }
    ck_assert_uint_eq(durable.recovered.jobs, count); // and nobody else
}

// ---- rounds ----

static void use_all(void)
{
    for (int i = 0; i < CONNS; i++)
        engine_conn_init(&conns[i], durable.broker);
    for (int i = 0; i < TUBES; i++) {
        size_t count;
        ck_assert_int_eq(
            broker_use(durable.broker, tube_names[i], strlen(tube_names[i]), &tubes[i]), 0);
        for (int conn = 0; conn < CONNS; conn++)
            ck_assert_int_eq(
                broker_watch(&conns[conn].client, tube_names[i], strlen(tube_names[i]), &count), 0);
    }
}

static void leave_all(void)
{
    for (int i = 0; i < CONNS; i++)
        engine_conn_fini(&conns[i]);
    for (int i = 0; i < TUBES; i++)
        broker_unuse(durable.broker, &tubes[i]);
}

static void round_run(void)
{
    use_all();
    uint64_t steps = below(STEPS);
    for (uint64_t i = 0; i < steps; i++)
        step();
    struct ticket reached;
    ck_assert_int_eq(broker_ticket_reached(durable.broker, &reached), 0);
    struct store_stats stats;
    broker_store_stats(durable.broker, &stats);
    compacted += stats.compact.trims;
    leave_all();
    unsigned end = (unsigned)below(5);
    if (end == 0) {
        ck_assert_int_eq(durable_close(&durable), 0);
        reached.durable = UINT64_MAX;
    } else
        durable_kill(&durable, end < 3 ? NULL : &numbers);
    clock_virtual_advance((int64_t)below(3) * HL_SECOND);
    durable_again(&durable);
    ck_assert_uint_eq(durable.damages, 0);
    all_compare(reached.durable);
}

static void session(size_t cache_size)
{
    uint64_t seed = engine_env("HILERA_MODEL_SEED", (uint64_t)time(NULL));
    numbers = unit_random_seed(seed);
    memset(tracked, 0, sizeof(tracked)); // of the session before, where Check does not fork
    changes = highest_id = put_count = came_back = lost = compacted = 0;
    durable_prepare(&durable, NULL);
    durable.log.cache_size = cache_size;
    durable_again(&durable);
    uint64_t rounds = engine_env("HILERA_CRASH_ROUNDS", (uint64_t)unit_rounds(ROUNDS));
    for (uint64_t i = 0; i < rounds; i++)
        round_run();
    printf("# %" PRIu64 " puts, %" PRIu64 " came back, %" PRIu64
           " were lost unacknowledged; %" PRIu64 " segments compacted\n",
           put_count, came_back, lost, compacted);
    ck_assert_uint_gt(came_back, 0);
    durable_end(&durable, NULL);
}

START_TEST(random_sessions)
{
    session(0);
}
END_TEST

START_TEST(random_sessions_with_a_small_cache)
{
    session(2000);
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("broker_crash");
    TCase *tcase = tcase_create("random");
    tcase_set_timeout(tcase, 600);
    tcase_add_test(tcase, random_sessions);
    tcase_add_test(tcase, random_sessions_with_a_small_cache);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
