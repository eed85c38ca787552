// SPDX-License-Identifier: MIT
/*
 * Flights: batches that are on their way into the journal, and what becomes of them.
 *
 * A flight is a batch and one append. The role takes what is pending into a free one and begins it;
 * so many may be under way as the journal has a window for. A batch that is more than a frame is
 * appended frame by frame: the role waits for each but the last, so only whole batches fly side by
 * side, and a flight has one frame under way at a time.
 *
 * Appends may be done in any order. Publishing is in the order of tickets, by whoever gets the
 * oldest's `done`: he lands it and those behind it that are done, too. One thread lands at a time;
 * who finds another one at it leaves his flight to that one, which looks again when it has ended.
 *
 * No room: nothing of that frame was done, nor of what is behind it. The flight stays where it is,
 * in the ring, the journal's figures go back to the last frame that counts, and the role begins it
 * and those behind it again with its next round; nothing is written twice. Failed, or fenced: the
 * batches are dropped and nothing is ever published again.
 *
 * Whose a flight is, its state says: free and taken ones are the role's, one that is out is the
 * journal's, one that is done is whose who lands.
 */
#include "base/clock.h"
#include "journal/commit_priv.h"

#include <errno.h>
#include <stdlib.h>

/* commit->landers: how many `done` are being worked on, whether somebody waits for one of them to
 * end, and a number that rises with each end. */
#define LANDERS UINT32_C(0xff)
#define LANDERS_AWAITED UINT32_C(0x100)
#define LANDERS_ENDED UINT32_C(0x200)

static bool is_no_room(int result)
{
    return result == ENOSPC || result == ENOMEM;
}

static void rise(_Atomic uint64_t *figure, uint64_t to)
{
    uint64_t now = atomic_load(figure);
    while (now < to && !atomic_compare_exchange_weak(figure, &now, to)) {
    }
}

void commit_durable(struct commit *commit, uint64_t ticket)
{
    rise(&commit->reached[COMMIT_DURABLE], ticket);
}

void commit_published(const struct commit *commit)
{
    if (commit->options.published != NULL)
        commit->options.published(commit->options.arg);
}

static void fail(struct commit *commit, int result)
{
    int none = 0;
    if (atomic_compare_exchange_strong(&commit->failed, &none, result) &&
        commit->options.failed != NULL)
        commit->options.failed(commit->options.arg, result);
}

/* ---- the ring ---- */

int flights_init(struct commit *commit)
{
    ASSERT(commit->facts.window > 0 && commit->facts.window < LANDERS);
    unsigned places = 1;
    while (places < commit->facts.window)
        places *= 2;
    commit->flights = calloc(places, sizeof(*commit->flights));
    if (commit->flights == NULL)
        return ENOMEM;
    commit->flights_mask = places - 1;
    for (unsigned i = 0; i < places; i++) {
        commit->flights[i].commit = commit;
        batch_init(&commit->flights[i].batch, commit->options.drop);
    }
    return 0;
}

void flights_fini(struct commit *commit)
{
    for (unsigned i = 0; commit->flights != NULL && i <= commit->flights_mask; i++) {
        struct flight *flight = &commit->flights[i];
        batch_fini(&flight->batch);
        free(flight->records);
        free(flight->slots);
        free(flight->placed);
    }
    free(commit->flights);
}

/* ---- waiting for them ---- */

static void landing_begin(struct commit *commit)
{
    atomic_fetch_add(&commit->landers, 1);
}

/* The last look at the commit: it may be freed once nobody lands. */
static void landing_end(struct commit *commit)
{
    uint32_t now = atomic_load(&commit->landers);
    while (!atomic_compare_exchange_weak(&commit->landers, &now,
                                         ((now - 1) & ~LANDERS_AWAITED) + LANDERS_ENDED)) {
    }
    if ((now & LANDERS_AWAITED) != 0)
        park_wake(&commit->landers, INT32_MAX);
}

static bool none_is_out(struct commit *commit, const struct flight *flight)
{
    (void)flight;
    uint32_t seen = atomic_load(&commit->landers);
    return (seen & LANDERS) == 0 && !flights_out(commit) && atomic_load(&commit->landers) == seen;
}

static bool frame_is_done(struct commit *commit, const struct flight *flight)
{
    (void)commit;
    return atomic_load(&flight->framed);
}

static bool one_is_free(struct commit *commit, const struct flight *flight)
{
    (void)flight;
    return flights_have_free(commit) || flights_held(commit);
}

/* Until that is so; it becomes so only while somebody lands. */
static void await(struct commit *commit, const struct flight *flight,
                  bool (*is_so)(struct commit *commit, const struct flight *flight))
{
    while (!is_so(commit, flight)) {
        uint32_t seen = atomic_fetch_or(&commit->landers, LANDERS_AWAITED) | LANDERS_AWAITED;
        if (!is_so(commit, flight))
            (void)park_wait(&commit->landers, seen, CLOCK_NEVER);
    }
}

void flights_await(struct commit *commit)
{
    await(commit, NULL, none_is_out);
}

void flights_await_free(struct commit *commit)
{
    await(commit, NULL, one_is_free);
}

void flights_quiet(struct commit *commit)
{
    flights_await(commit);
    uint64_t counts = atomic_load(&commit->counts);
    if (commit->sequence !=
        counts) { /* frames that found no room; a sync may have gone with them */
        commit->sequence = counts;
        commit->unsynced_frame = true;
    }
}

/* ---- landing ---- */

/* It is free again, and the next one is the oldest. */
static void flight_over(struct commit *commit, struct flight *flight)
{
    atomic_fetch_sub(&commit->taken_bytes, flight->batch.bytes);
    batch_clear(&flight->batch);
    flight->next = flight->placed_count = 0;
    atomic_store(&flight->state, FLIGHT_FREE);
    atomic_fetch_add(&commit->oldest, 1);
}

static void frame_figures(struct commit *commit, size_t count)
{
    counter_add_shared(&commit->commits, 1);
    counter_add_shared(&commit->changes, count);
    counter_add_shared(&commit->batch_log2[journal_log2(count)], 1);
    counter_raise_shared(&commit->batch_max, count);
}

/* A frame counts. Bodies that are written aren't needed any more: their owner may be waiting to
 * free them. */
static void frame_place(struct commit *commit, struct flight *flight)
{
    for (size_t i = 0; i < flight->count; i++) {
        struct slot *slot = flight->slots[i];
        batch_release(&flight->batch, slot);
        if (slot->type == JOB_ENTRY_PUT)
            flight->placed[flight->placed_count++] = (struct commit_placed){
                .id = slot->id,
                .ticket = flight->batch.base + (uint64_t)(slot - flight->batch.slot),
                .locator = flight->records[i].locator};
    }
    frame_figures(commit, flight->count);
    flight->next = flight->after;
    flight->count = 0;
}

static void publish(struct commit *commit, struct flight *flight)
{
    const struct batch *batch = &flight->batch;
    const uint64_t last = batch->base + batch->count - 1;
    if (flight->count > 0)
        frame_place(commit, flight);
    counter_add(&commit->cancelled, batch->gone);
    if (flight->placed_count > 0 && commit->options.placed != NULL)
        commit->options.placed(commit->options.arg, flight->placed, flight->placed_count);
    atomic_store(&commit->reached[COMMIT_WRITTEN], last);
    if (flight->durable)
        commit_durable(commit, last);
    if (flight->begun_ns != 0)
        pace_measure(commit, batch->bytes, flight->sync, clock_now_ns() - flight->begun_ns);
    atomic_store(&commit->stuck, false);
    flight_over(commit, flight);
    commit_published(commit);
}

/* What it was for is wanted again, by the thread if there is one. */
static void hold(struct commit *commit, struct flight *flight)
{
    flight->count = 0;
    atomic_store(&commit->wanted[flight->sync ? COMMIT_DURABLE : COMMIT_WRITTEN], true);
    atomic_store(&commit->stuck, true);
    atomic_store(&flight->state, FLIGHT_TAKEN);
    commit_leave(commit);
}

static void land_oldest(struct commit *commit, struct flight *flight)
{
    bool failed = atomic_load(&commit->failed) != 0;
    if (failed || (flight->result != 0 && !is_no_room(flight->result))) {
        fail(commit, flight->result);
        flight_over(commit, flight);
    } else if (flight->result != 0)
        hold(commit, flight);
    else
        publish(commit, flight);
}

/* All that are done, from the oldest on. */
static void land(struct commit *commit)
{
    do {
        if (atomic_exchange(&commit->landing, true))
            return;
        struct flight *flight;
        while (atomic_load(&(flight = flight_oldest(commit))->state) == FLIGHT_DONE)
            land_oldest(commit, flight);
        atomic_store(&commit->landing, false);
    } while (atomic_load(&flight_oldest(commit)->state) == FLIGHT_DONE);
}

static void flight_done(struct commit *commit, struct flight *flight, int result)
{
    flight->result = result;
    atomic_store(&flight->state, FLIGHT_DONE);
    if (commit->facts.window == 1)
        land_oldest(commit, flight);
    else
        land(commit);
}

static void frame_done(struct journal_append *append)
{
    struct flight *flight = append->arg;
    struct commit *commit = flight->commit;
    landing_begin(commit);
    if (append->result == 0)
        rise(&commit->counts, append->sequence);
    if (flight->after < flight->batch.count) {
        atomic_store(&flight->framed, true); /* the role goes on with it */
    } else {
        flight->durable = append->durable;
        flight_done(commit, flight, append->result);
    }
    landing_end(commit);
}

/* ---- beginning ---- */

static int records_reserve(struct flight *flight, size_t count)
{
    if (count <= flight->records_cap)
        return 0;
    size_t cap = flight->records_cap > 0 ? flight->records_cap : 256;
    while (cap < count)
        cap *= 2;
    struct journal_record *records = realloc(flight->records, cap * sizeof(*records));
    if (records != NULL)
        flight->records = records;
    struct slot **slots = realloc(flight->slots, cap * sizeof(struct slot *));
    if (slots != NULL)
        flight->slots = slots;
    if (records == NULL || slots == NULL)
        return ENOMEM;
    flight->records_cap = cap;
    return 0;
}

static int placed_reserve(struct flight *flight, size_t more)
{
    if (flight->placed_cap - flight->placed_count >= more)
        return 0;
    size_t cap = flight->placed_cap > 0 ? flight->placed_cap : 256;
    while (cap - flight->placed_count < more)
        cap *= 2;
    struct commit_placed *placed = realloc(flight->placed, cap * sizeof(*placed));
    if (placed == NULL)
        return ENOMEM;
    flight->placed = placed;
    flight->placed_cap = cap;
    return 0;
}

/* Its bytes are made now, if they weren't before. ENOMEM: nothing changed. */
static int slot_ready(const struct commit *commit, const struct flight *flight, struct slot *slot)
{
    struct job_body *body;
    if (!slot->is_late)
        return 0;
    int rc = commit->options.make(slot->late, &body);
    if (rc != 0)
        return rc;
    batch_release(&flight->batch, slot);
    slot->body = body;
    return 0;
}

static size_t frame_most(const struct commit *commit)
{
    struct journal_room room;
    journal_room(commit->options.journal, &room);
    return room.frame < commit->options.frame_max ? room.frame : commit->options.frame_max;
}

/* A result and the end behind it are in one frame, so no crash leaves one without the other. */
static bool is_tied(const struct slot *slot)
{
    return slot->type == JOB_ENTRY_RESULT && !slot->copies;
}

/* The changes from flight->next to before flight->after make one frame, of so many records. */
static int frame_gather(const struct commit *commit, struct flight *flight)
{
    struct batch *batch = &flight->batch;
    size_t bytes = 0, most = 0, next, last = 0;
    flight->count = 0;
    for (next = flight->next; next < batch->count; next++) {
        struct slot *slot = &batch->slot[next];
        if (slot->gone)
            continue;
        int rc = slot_ready(commit, flight, slot);
        if (rc != 0)
            return rc;
        size_t body = slot->body != NULL ? slot->body->len : 0;
        size_t more = JOURNAL_RECORD_HEAD + slot->head_len + body;
        if (flight->count == 1)
            most = frame_most(commit);
        if (flight->count > 0 && bytes + more > most) {
            bool tied = is_tied(&batch->slot[last]);
            if (tied && flight->count > 1) {
                flight->count--;
                next = last;
            }
            if (!tied || next == last)
                break;
        }
        rc = records_reserve(flight, flight->count + 1);
        if (rc != 0)
            return rc;
        bytes += more;
        last = next;
        flight->slots[flight->count] = slot;
        flight->records[flight->count++] =
            (struct journal_record){.head = batch->heads.data + slot->head_at,
                                    .head_len = slot->head_len,
                                    .body = slot->body != NULL ? slot->body->bytes : NULL,
                                    .body_len = (uint32_t)body};
    }
    flight->after = next;
    return placed_reserve(flight, flight->count);
}

/* If it is the last of the batch, the flight is the journal's from then on. */
static void frame_begin(struct commit *commit, struct flight *flight)
{
    bool last = flight->after == flight->batch.count;
    flight->append =
        (struct journal_append){.records = flight->records,
                                .count = flight->count,
                                .class = flight->batch.copies ? JOURNAL_COMPACT : JOURNAL_STATE,
                                .sync = flight->sync && last,
                                .expected = commit->sequence,
                                .done = frame_done,
                                .arg = flight};
    commit->sequence++;
    commit->unsynced_frame = !flight->append.sync;
    atomic_store(&flight->framed, false);
    journal_append(commit->options.journal, &flight->append);
}

/* All of it was cancelled. Something before it may have gone out without sync. */
static int nothing_begin(struct commit *commit, struct flight *flight)
{
    int rc = 0;
    if (flight->sync && commit->unsynced_frame) {
        flights_await(commit);
        if (flight_oldest(commit) != flight)
            return ENOSPC; /* those before it are held */
        rc = journal_sync(commit->options.journal);
        commit->unsynced_frame = rc != 0;
    }
    flight->durable = !commit->unsynced_frame;
    if (flight->durable)
        atomic_store(&commit->taken_due_ns, CLOCK_NEVER);
    return rc;
}

void flight_begin(struct commit *commit, struct flight *flight, bool sync)
{
    int rc = 0;
    flight->sync = sync;
    flight->durable = false;
    struct journal_room room;
    journal_room(commit->options.journal, &room);
    flight->begun_ns = room.slow_next ? 0 : clock_now_ns();
    if (flight->batch.gone == flight->batch.count)
        rc = nothing_begin(commit, flight);
    else {
        atomic_store(&flight->state, FLIGHT_OUT);
        while (rc == 0 && (rc = frame_gather(commit, flight)) == 0) {
            bool more = flight->after < flight->batch.count;
            frame_begin(commit, flight);
            if (!more)
                return;
            await(commit, flight, frame_is_done);
            rc = flight->append.result;
            if (rc == 0)
                frame_place(commit, flight);
        }
        commit->sequence++; /* a hole: what is begun next must not count before this */
    }
    landing_begin(commit);
    flight_done(commit, flight, rc);
    landing_end(commit);
}

struct flight *flight_load(struct commit *commit)
{
    const struct commit_options *options = &commit->options;
    struct flight *flight = flight_at(commit, atomic_load(&commit->begun));
    options->lock(options->arg);
    struct batch empty = flight->batch;
    flight->batch = commit->pending;
    empty.base = commit->last + 1;
    commit->pending = empty;
    int64_t due = atomic_load(&commit->pending_due_ns);
    if (due < atomic_load(&commit->taken_due_ns))
        atomic_store(&commit->taken_due_ns, due);
    atomic_store(&commit->pending_due_ns, CLOCK_NEVER);
    atomic_fetch_add(&commit->taken_bytes, flight->batch.bytes);
    atomic_store(&commit->pending_bytes, 0);
    options->unlock(options->arg);
    atomic_store(&flight->state, FLIGHT_TAKEN);
    atomic_fetch_add(&commit->begun, 1);
    return flight;
}

void flights_again(struct commit *commit, bool sync)
{
    flights_quiet(commit);
    const uint64_t begun = atomic_load(&commit->begun), first = atomic_load(&commit->oldest);
    for (uint64_t n = first; n < begun; n++) {
        struct flight *flight = flight_at(commit, n);
        bool empty = flight->batch.gone == flight->batch.count;
        if (flight->result != 0 && !is_no_room(flight->result)) {
            (void)flights_fail(commit, flight->result);
            return;
        }
        ASSERT(empty || flight->result != 0); /* behind one that found no room nothing counts */
        flight->count = 0;
        atomic_store(&flight->state, FLIGHT_TAKEN);
    }
    for (uint64_t n = first; n < begun; n++) {
        struct flight *flight = flight_at(commit, n);
        flight_begin(commit, flight, flight->sync || sync);
        if (atomic_load(&flight->state) == FLIGHT_TAKEN)
            return; /* they still are held */
    }
}

int flights_fail(struct commit *commit, int result)
{
    fail(commit, result);
    for (uint64_t n = atomic_load(&commit->oldest); n < atomic_load(&commit->begun); n++)
        flight_over(commit, flight_at(commit, n));
    return EIO;
}
