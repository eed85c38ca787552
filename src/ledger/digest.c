// SPDX-License-Identifier: MIT
/*
 * The digest: one number that says what a restart would bring back.
 *
 * Each job that is in the journal, each pause that is kept and each group of the journal is put as
 * the entry that a copy by compaction would be now, and the entries' hashes are added up. So the
 * order doesn't matter, and whatever an entry learns to say counts here without a line of its own.
 * A job that a connection has is ready, and so is one whose delay is over, or the TTR of whose
 * token: that is what replay makes of them, sooner or later. Numbers that only order entries in the
 * journal (that of a group) are left out.
 *
 * Times are in it under the virtual clock alone: the real ones go on between two questions.
 */
#include "ledger/entry.h"

#include "base/clock.h"

#include <string.h>
#include <xxhash.h>

struct digest {
    uint64_t sum;
    void (*visit)(const void *bytes, size_t len, void *arg);
    void *arg;
};

static void digest_add(struct digest *digest, struct job_entry *entry)
{
    char bytes[JOB_ENTRY_HEAD_MAX + sizeof(uint64_t)];
    if (!clock_is_virtual()) {
        entry->created_wall_ns = 0;
        entry->until_wall_ns = 0;
        entry->out_until_wall_ns = 0;
    }
    uint64_t body_len = entry->body_len;
    size_t len = job_entry_encode(entry, bytes);
    if (digest->visit != NULL)
        digest->visit(bytes, len, digest->arg);
    memcpy(bytes + len, &body_len, sizeof(body_len));
    digest->sum += XXH3_64bits(bytes, len + sizeof(body_len));
}

HELD static void add_job(struct digest *digest, const struct job *job)
{
    struct job_entry entry = entry_of_job(job);
    if (entry.state == JOB_DELAYED && job->extra->key_ns <= clock_now_ns()) {
        entry.state = JOB_READY;
        entry.until_wall_ns = 0;
    }
    if (entry.out == JOB_OUT_TOKEN && job->extra->key_ns <= clock_now_ns())
        entry.out = JOB_OUT_NOT;
    digest_add(digest, &entry);
}

HELD static void add_tubes(struct digest *digest, struct ledger *ledger)
{
    struct list_node *node = list_first(&ledger->tube_list);
    for (; node != NULL; node = list_next(&ledger->tube_list, node)) {
        const struct tube *tube = CONTAINER_OF(node, struct tube, node);
        struct job_entry entry = entry_of_pause(tube);
        if (tube->pause_kept && tube->pause_end_ns > clock_now_ns())
            digest_add(digest, &entry);
    }
}

HELD static void add_groups(struct digest *digest, struct ledger *ledger)
{
    struct list_node *node = list_first(&ledger->group_list);
    for (; node != NULL; node = list_next(&ledger->group_list, node)) {
        const struct job_group *group = CONTAINER_OF(node, struct job_group, node);
        struct job_entry entry = entry_of_group(group);
        bool logged = entry.group_number != 0;
        entry.group_number = 0;
        if (logged)
            digest_add(digest, &entry);
    }
}

uint64_t ledger_digest(struct ledger *ledger,
                       void (*visit)(const void *bytes, size_t len, void *arg), void *arg)
{
    struct digest digest = {.visit = visit, .arg = arg};
    struct idtable_cursor cursor = {0};
    const struct job *job;
    while ((job = idtable_next(&ledger->jobs, &cursor)) != NULL)
        if (job_is_logged(job))
            add_job(&digest, job);
    add_tubes(&digest, ledger);
    add_groups(&digest, ledger);
    return digest.sum;
}
