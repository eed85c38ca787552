// SPDX-License-Identifier: MIT
/*
 * The output of running attempts, read while they run.
 *
 * What a handler captures stays where it is, in the outcome on its way to be settled; there is no
 * second copy. A run gets into the list of those that can be read with the first byte or progress
 * it tells, so that one that writes nothing never takes the lock, and one that writes takes it
 * briefly for each piece. Who follows gets copies, a bounded piece at a time, and stands in a line
 * when there is nothing new.
 *
 * A follower asks for the rest of an attempt after he was told of its last piece. By then the
 * attempt may be over: if it was the last one, history has its output; if another follows, nobody
 * has. So what was written by an attempt that was followed, or didn't do its job, stays here for a
 * time as *remains*, bounded in bytes, number and age, the oldest go first.
 *
 * One lock for all pools; nothing else is taken under it, and followers are called without it.
 */
#include "worker/live_priv.h"

#include "base/clock.h"
#include "base/magic.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REMAINS_MAGIC 0x3e3e7e4au
#define REMAINS_MAX 64
#define REMAINS_BYTES_MAX ((size_t)4 << 20)
#define REMAINS_AGE_NS (60 * HL_SECOND)

/* An attempt that is over. */
struct remains {
    unsigned magic;
    struct list_node node;
    const struct broker *broker;
    uint64_t id;
    uint32_t attempt;
    int64_t ended_ns;
    struct job_outcome outcome; /* its output and progress, no more */
};

/* All of the program. */
static struct {
    hl_lock *lock;       /* covers all below */
    struct list running; /* of struct live */
    struct list waiting; /* of struct worker_output_wait */
    struct list remains; /* of struct remains, the oldest first */
    size_t remains_count, remains_bytes;
} all;

static pthread_once_t all_once = PTHREAD_ONCE_INIT;

static void all_init(void)
{
    list_init(&all.running);
    list_init(&all.waiting);
    list_init(&all.remains);
    if (hl_lock_new(&all.lock, "live", lock_class(LOCK_CLASS_live)) != 0)
        all.lock = NULL;
}

/* false: there was no memory for the lock; then nobody can follow. */
static bool all_ready(void)
{
    MUST(pthread_once(&all_once, all_init));
    return all.lock != NULL;
}

/* ---- remains ---- */

static size_t remains_bytes(const struct remains *remains)
{
    return remains->outcome.out.len + remains->outcome.err.len;
}

/* [lock] */
static void remains_drop(struct remains *remains)
{
    list_remove(&remains->node);
    all.remains_count--;
    all.remains_bytes -= remains_bytes(remains);
    job_outcome_fini(&remains->outcome);
    MAGIC_WIPE(remains);
    free(remains);
}

/* [lock] Until there is room for so many bytes more, and none is too old. */
static void remains_trim(size_t more)
{
    int64_t now_ns = clock_now_ns();
    struct list_node *node;
    while ((node = list_first(&all.remains)) != NULL) {
        struct remains *oldest = CONTAINER_OF(node, struct remains, node);
        MAGIC_CHECK(oldest, REMAINS_MAGIC);
        if (all.remains_bytes + more <= REMAINS_BYTES_MAX && all.remains_count < REMAINS_MAX &&
            now_ns - oldest->ended_ns < REMAINS_AGE_NS)
            return;
        remains_drop(oldest);
    }
}

/* [lock] Copies what the attempt wrote; without memory, or too large, nothing remains. */
static void remains_add(const struct live *live)
{
    const struct job_outcome *from = live->outcome;
    size_t bytes = from->out.len + from->err.len;
    struct remains *remains = bytes <= REMAINS_BYTES_MAX ? calloc(1, sizeof(*remains)) : NULL;
    if (remains == NULL)
        return;
    struct job_outcome *to = &remains->outcome;
    job_outcome_init(to);
    if (buf_append(&to->out, from->out.data, from->out.len) != 0 ||
        buf_append(&to->err, from->err.data, from->err.len) != 0) {
        job_outcome_fini(to);
        free(remains);
        return;
    }
    to->out_truncated = from->out_truncated;
    to->err_truncated = from->err_truncated;
    to->progress = from->progress;
    memcpy(to->progress_text, from->progress_text, sizeof(to->progress_text));
    MAGIC_INIT(remains, REMAINS_MAGIC);
    list_node_init(&remains->node);
    remains->broker = live->broker;
    remains->id = live->id;
    remains->attempt = live->attempt;
    remains->ended_ns = clock_now_ns();
    remains_trim(bytes);
    list_append(&all.remains, &remains->node);
    all.remains_count++;
    all.remains_bytes += bytes;
}

/* [lock] Of that attempt, or else of the next one that left any; NULL: there are none. */
static struct remains *remains_find(const struct broker *broker, uint64_t id, uint32_t attempt)
{
    struct remains *best = NULL;
    for (struct list_node *node = list_first(&all.remains); attempt != 0 && node != NULL;
         node = list_next(&all.remains, node)) {
        struct remains *remains = CONTAINER_OF(node, struct remains, node);
        if (remains->broker == broker && remains->id == id && remains->attempt >= attempt &&
            (best == NULL || remains->attempt < best->attempt))
            best = remains;
    }
    return best;
}

void live_forget(const struct broker *broker)
{
    if (!all_ready())
        return;
    HL_LOCK_SCOPE(all.lock);
    struct list_node *node = list_first(&all.remains);
    while (node != NULL) {
        struct list_node *next = list_next(&all.remains, node);
        struct remains *remains = CONTAINER_OF(node, struct remains, node);
        if (remains->broker == broker)
            remains_drop(remains);
        node = next;
    }
}

/* ---- followers ---- */

/* [lock] Those who wait for that job, into `ready`. */
static void followers_take(struct live *live, struct list *ready)
{
    struct list_node *node = list_first(&all.waiting);
    while (node != NULL) {
        struct worker_output_wait *wait = CONTAINER_OF(node, struct worker_output_wait, later.node);
        node = list_next(&all.waiting, node);
        if (wait->broker != live->broker || wait->id != live->id)
            continue;
        live->followed = true; /* who waits will come for it */
        wait->over = true;
        later_ready(&wait->later, 0, ready);
    }
}

/* ---- who runs ---- */

void live_begin(struct live *live, const struct broker *broker, const struct broker_lease *lease,
                struct job_outcome *outcome)
{
    *live = (struct live){
        .broker = broker, .id = lease->id, .attempt = lease->attempt, .outcome = outcome};
    MAGIC_INIT(live, LIVE_MAGIC);
    list_node_init(&live->node);
}

/* [lock] */
static void become_known(struct live *live)
{
    if (live->known)
        return;
    live->known = true;
    list_append(&all.running, &live->node);
}

static int keep(struct buf *into, size_t max, bool *truncated, const void *bytes, size_t len)
{
    size_t room = max > into->len ? max - into->len : 0;
    size_t fits = len < room ? len : room;
    int rc = buf_reserve_within(into, fits, max);
    if (rc == 0)
        rc = buf_append(into, bytes, fits);
    if (rc == 0 && fits < len)
        rc = ENOSPC;
    if (rc != 0)
        *truncated = true;
    return rc;
}

int live_keep(struct live *live, struct buf *into, size_t max, bool *truncated, const void *bytes,
              size_t len)
{
    /* What is dropped is nobody's news, once that is known. */
    if (live == NULL || len == 0 || (*truncated && into->len >= max) || !all_ready())
        return keep(into, max, truncated, bytes, len);
    MAGIC_CHECK(live, LIVE_MAGIC);
    struct list ready;
    list_init(&ready);
    hl_lock_acquire(all.lock);
    become_known(live);
    int rc = keep(into, max, truncated, bytes, len);
    followers_take(live, &ready);
    hl_lock_release(all.lock);
    later_fire(&ready);
    return rc;
}

static void progress(struct job_outcome *outcome, int percent, const char *text)
{
    outcome->progress = percent;
    snprintf(outcome->progress_text, sizeof(outcome->progress_text), "%s", text);
}

void live_progress(struct live *live, struct job_outcome *outcome, int percent, const char *text)
{
    if (live == NULL || !all_ready()) {
        progress(outcome, percent, text);
        return;
    }
    MAGIC_CHECK(live, LIVE_MAGIC);
    struct list ready;
    list_init(&ready);
    hl_lock_acquire(all.lock);
    become_known(live);
    progress(outcome, percent, text);
    followers_take(live, &ready);
    hl_lock_release(all.lock);
    later_fire(&ready);
}

void live_stuck(struct live *live, pid_t pid)
{
    if (live == NULL || !all_ready())
        return;
    MAGIC_CHECK(live, LIVE_MAGIC);
    HL_LOCK_SCOPE(all.lock);
    become_known(live);
    live->stuck = pid;
}

void live_end(struct live *live)
{
    if (live == NULL)
        return;
    MAGIC_CHECK(live, LIVE_MAGIC);
    if (live->known) {
        struct list ready;
        list_init(&ready);
        hl_lock_acquire(all.lock);
        list_remove(&live->node);
        followers_take(live, &ready);
        if (live->followed || live->outcome->kind != JOB_OUTCOME_DONE)
            remains_add(live);
        hl_lock_release(all.lock);
        later_fire(&ready);
    }
    MAGIC_WIPE(live);
}

/* ---- who follows ---- */

/* [lock] The latest attempt, if it can be read; NULL. */
static struct live *running_find(const struct broker *broker, uint64_t id)
{
    for (struct list_node *node = list_first(&all.running); node != NULL;
         node = list_next(&all.running, node)) {
        struct live *live = CONTAINER_OF(node, struct live, node);
        if (live->broker == broker && live->id == id)
            return live;
    }
    return NULL;
}

/* [lock] From *at on, at most so much; *at: behind it. */
static int piece(struct buf *to, const struct buf *from, size_t *at, bool *more)
{
    if (*at > from->len)
        *at = from->len;
    size_t left = from->len - *at;
    size_t len = left < WORKER_OUTPUT_MAX ? left : WORKER_OUTPUT_MAX;
    int rc = len == 0 ? 0 : buf_append(to, from->data + *at, len);
    if (rc == 0) {
        *at += len;
        *more |= len < left;
    }
    return rc;
}

/* [lock] */
static int copy(struct worker_output *output, const struct job_outcome *from)
{
    int rc = piece(&output->out, &from->out, &output->out_at, &output->more);
    if (rc == 0)
        rc = piece(&output->err, &from->err, &output->err_at, &output->more);
    output->out_truncated = from->out_truncated;
    output->err_truncated = from->err_truncated;
    output->progress = from->progress;
    memcpy(output->progress_text, from->progress_text, sizeof(output->progress_text));
    return rc;
}

/* [lock] */
static int look(const struct broker *broker, struct worker_output *output)
{
    struct live *live = running_find(broker, output->id);
    uint32_t asked = output->attempt;
    bool wanted = live != NULL && (asked == 0 || asked == live->attempt);
    const struct remains *remains = wanted ? NULL : remains_find(broker, output->id, asked);
    if (remains == NULL && (live == NULL || asked > live->attempt))
        return ENOENT; /* the one that is asked for hasn't begun, or written anything */
    output->ended = remains != NULL;
    output->attempt = remains != NULL ? remains->attempt : live->attempt;
    if (asked != 0 && asked != output->attempt)
        output->out_at = output->err_at = 0;
    if (remains != NULL)
        return copy(output, &remains->outcome);
    live->followed = true;
    return copy(output, live->outcome);
}

int worker_output_read(const struct broker *broker, struct worker_output *output)
{
    output->out = output->err = BUF_EMPTY;
    output->ended = output->more = output->out_truncated = output->err_truncated = false;
    output->progress = -1;
    output->progress_text[0] = '\0';
    if (!all_ready())
        return ENOENT;
    hl_lock_acquire(all.lock);
    remains_trim(0);
    int rc = look(broker, output);
    hl_lock_release(all.lock);
    if (rc != 0)
        worker_output_fini(output);
    return rc;
}

void worker_output_fini(struct worker_output *output)
{
    buf_fini(&output->out);
    buf_fini(&output->err);
}

bool worker_output_progress(const struct broker *broker, uint64_t id, int *percent,
                            char text[JOB_PROGRESS_MAX])
{
    *percent = -1;
    if (!all_ready())
        return false;
    HL_LOCK_SCOPE(all.lock);
    const struct live *live = running_find(broker, id);
    if (live == NULL || live->outcome->progress < 0)
        return false;
    *percent = live->outcome->progress;
    memcpy(text, live->outcome->progress_text, JOB_PROGRESS_MAX);
    return true;
}

pid_t worker_stuck(const struct broker *broker, uint64_t *id)
{
    if (!all_ready())
        return 0;
    HL_LOCK_SCOPE(all.lock);
    for (struct list_node *node = list_first(&all.running); node != NULL;
         node = list_next(&all.running, node)) {
        const struct live *live = CONTAINER_OF(node, struct live, node);
        if (live->broker != broker || live->stuck == 0 || (*id != 0 && live->id != *id))
            continue;
        *id = live->id;
        return live->stuck;
    }
    return 0;
}

/* [lock] Whether a look would have something for who knows of that attempt up to there. */
static bool is_news(const struct worker_output_wait *wait, uint32_t attempt, size_t out_at,
                    size_t err_at)
{
    const struct live *live = running_find(wait->broker, wait->id);
    if (live != NULL && (attempt == 0 || attempt == live->attempt))
        return live->outcome->out.len > out_at || live->outcome->err.len > err_at;
    return (live != NULL && attempt < live->attempt) ||
           remains_find(wait->broker, wait->id, attempt) != NULL;
}

static bool output_cancel(struct later *later)
{
    return worker_output_cancel(CONTAINER_OF(later, struct worker_output_wait, later));
}

int worker_output_async(const struct broker *broker, const struct worker_output *known,
                        struct worker_output_wait *wait)
{
    if (!all_ready())
        return ENOMEM;
    HL_LOCK_SCOPE(all.lock);
    if (wait->over)
        return ECANCELED;
    wait->broker = broker;
    wait->id = known->id;
    wait->over = is_news(wait, known->attempt, known->out_at, known->err_at);
    if (wait->over)
        return 0;
    later_wait(&wait->later, output_cancel);
    list_append(&all.waiting, &wait->later.node);
    return EINPROGRESS;
}

bool worker_output_cancel(struct worker_output_wait *wait)
{
    if (!all_ready())
        return false;
    HL_LOCK_SCOPE(all.lock);
    bool cancelled = !wait->over;
    wait->over = true;
    (void)later_leave(&wait->later);
    return cancelled;
}
