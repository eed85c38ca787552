// SPDX-License-Identifier: MIT
/*
 * Reading bodies back that are in the journal only.
 *
 * A place is a locator that was pinned under the lock, while the job was known to be there, so what
 * is read later is that job's put, whatever happens to the job meanwhile. The journal verifies the
 * record's checksum; here the id and the length are.
 *
 * The thread "fetch" reads for those who may not block, one after the other, in order of asking.
 */
#include "base/clock.h"
#include "base/log.h"
#include "broker/broker_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

struct broker_place place_of(const struct job *job)
{
    struct broker *broker = job->tube->broker;
    struct broker_place place = {.broker = broker, .id = job->id};
    uint64_t where = where_get(job);
    if (journal_pin(broker->log->journal, where) == 0)
        place.locator = where;
    return place;
}

int broker_place_get(struct broker *broker, const struct trust_view *asker, uint64_t id,
                     struct broker_place *place)
{
    broker_lock(broker);
    const struct job *job = idtable_get(&broker->jobs, id);
    int rc = job != NULL && job->evicted ? job_ask(asker, job, TRUST_read) : ENOENT;
    if (rc == 0)
        *place = place_of(job);
    broker_unlock(broker);
    return rc;
}

void broker_place_drop(struct broker_place *place)
{
    if (place->broker != NULL && place->locator != 0)
        journal_unpin(place->broker->log->journal, place->locator);
    *place = (struct broker_place){0};
}

static int body_read(const struct broker_place *place, struct job_body **body)
{
    struct buf record = BUF_EMPTY;
    struct job_entry entry;
    int rc = place->locator == 0
                 ? EBADMSG
                 : journal_read(place->broker->log->journal, place->locator, &record);
    if (rc == 0 && (job_entry_decode(&entry, record.data, record.len) != 0 ||
                    entry.type != JOB_ENTRY_PUT || entry.id != place->id))
        rc = EBADMSG;
    if (rc == 0)
        rc = job_body_new(body, entry.body_len);
    if (rc == 0)
        memcpy((*body)->bytes, entry.body, entry.body_len);
    buf_fini(&record);
    return rc == ENOENT ? EBADMSG : rc;
}

int broker_fetch(struct broker_place *place, struct job_body **body)
{
    ASSERT(place->broker != NULL);
    struct broker_log *log = place->broker->log;
    uint64_t id = place->id;
    *body = NULL;
    int rc = body_read(place, body);
    atomic_fetch_add(&log->fetches, 1);
    if (rc != 0)
        atomic_fetch_add(&log->fetch_failures, 1);
    if (rc != 0 && rc != ENOMEM)
        log_error("job %" PRIu64 ": its body can't be read back from the journal: %s", id,
                  rc == EBADMSG ? "it is damaged" : strerror(rc));
    broker_place_drop(place);
    return rc;
}

int broker_bury_damaged(struct broker *broker, uint64_t id, uint64_t token)
{
    struct job_outcome outcome;
    job_outcome_init(&outcome);
    outcome.kind = JOB_OUTCOME_BURIED; /* another attempt would find the same */
    job_outcome_reason(&outcome, "its body in the journal is damaged");
    int rc = broker_settle(broker, id, token, &outcome);
    job_outcome_fini(&outcome);
    return rc;
}

/* ---- the thread ---- */

static bool fetch_cancel(struct later *later)
{
    (void)later;
    return false;
}

static void fetch_one(struct broker_fetch *fetch)
{
    int rc = broker_fetch(&fetch->place, &fetch->body);
    later_tell(&fetch->later, rc);
}

void broker_fetch_start(struct broker_fetch *fetch)
{
    struct broker_log *log = fetch->place.broker->log;
    struct list_node *node = &fetch->later.node;
    later_wait(&fetch->later, fetch_cancel);
    if (log->fetch_thread == NULL) {
        fetch_one(fetch);
        return;
    }
    struct list_node *top = atomic_load(&log->fetch_inbox);
    do
        node->next = top;
    while (!atomic_compare_exchange_weak(&log->fetch_inbox, &top, node));
    atomic_fetch_add(&log->fetch_bell, 1);
    park_wake(&log->fetch_bell, 1);
}

/* What is there now, oldest first. */
static struct list_node *inbox_take(struct broker_log *log)
{
    struct list_node *top = atomic_exchange(&log->fetch_inbox, NULL), *oldest = NULL;
    while (top != NULL) {
        struct list_node *below = top->next;
        top->next = oldest;
        oldest = top;
        top = below;
    }
    return oldest;
}

static void fetch_run(void *arg)
{
    struct broker_log *log = arg;
    for (;;) {
        uint32_t seen = atomic_load(&log->fetch_bell);
        struct list_node *node = inbox_take(log);
        if (node == NULL && atomic_load(&log->fetch_stop))
            return;
        if (node == NULL) {
            hl_thread_wait_begin("journal", "fetch");
            (void)park_wait(&log->fetch_bell, seen, CLOCK_NEVER);
            hl_thread_wait_end();
        }
        while (node != NULL) {
            struct broker_fetch *fetch = CONTAINER_OF(node, struct broker_fetch, later.node);
            node = node->next; /* it is its owner's when it has fired */
            list_node_init(&fetch->later.node);
            fetch_one(fetch);
        }
    }
}

int fetch_start(struct broker_log *log)
{
    const struct hl_thread_options options = {
        .target = fetch_run, .arg = log, .name = "fetch", .daemon = HL_DAEMON_NO};
    int rc = hl_thread_new(&log->fetch_thread, &options);
    if (rc != 0)
        return rc;
    rc = hl_thread_start(log->fetch_thread);
    if (rc != 0)
        hl_thread_free(&log->fetch_thread);
    return rc;
}

void fetch_stop(struct broker_log *log)
{
    if (log->fetch_thread == NULL)
        return;
    atomic_store(&log->fetch_stop, true);
    atomic_fetch_add(&log->fetch_bell, 1);
    park_wake(&log->fetch_bell, 1);
    MUST(hl_thread_join(log->fetch_thread, HL_FOREVER));
    hl_thread_free(&log->fetch_thread);
}
