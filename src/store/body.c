// SPDX-License-Identifier: MIT
/*
 * Reading bodies back that are in the journal only.
 *
 * A place is a locator that was pinned under the lock, while the job was known to be there, so what
 * is read later is that job's put, whatever happens to the job meanwhile. The journal verifies the
 * record's checksum; here the id and the length are.
 */
#include "store/store_priv.h"

#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

struct job_place store_place(const struct job *job)
{
    struct store *store = store_of(job);
    struct job_place place = {.store = store, .id = job->id};
    uint64_t where = locator_get(job);
    if (journal_pin(store->journal, where) == 0)
        place.locator = where;
    return place;
}

void store_place_drop(struct job_place *place)
{
    if (place->store != NULL && place->locator != 0)
        journal_unpin(place->store->journal, place->locator);
    *place = (struct job_place){0};
}

static int body_read(const struct job_place *place, struct job_body **body)
{
    struct buf record = BUF_EMPTY;
    struct job_entry entry;
    int rc = place->locator == 0 ? EBADMSG
                                 : journal_read(place->store->journal, place->locator, &record);
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

int store_read(struct job_place *place, struct job_body **body)
{
    ASSERT(place->store != NULL);
    struct store *store = place->store;
    uint64_t id = place->id;
    *body = NULL;
    int rc = body_read(place, body);
    atomic_fetch_add(&store->fetches, 1);
    if (rc != 0)
        atomic_fetch_add(&store->fetch_failures, 1);
    if (rc != 0 && rc != ENOMEM)
        log_error("job %" PRIu64 ": its body can't be read back from the journal: %s", id,
                  rc == EBADMSG ? "it is damaged" : strerror(rc));
    store_place_drop(place);
    return rc;
}
