// SPDX-License-Identifier: MIT
/*
 * reserve-batch <n> <timeout>: several jobs with one answer, RESERVED_BATCH <count> and then as
 * many answers of reserve. It waits for the first job as reserve does, takes what is ready at that
 * moment, and never waits for a full batch.
 *
 * What it takes is bounded, however large n is: by FRONT_BATCH_MAX, by how many jobs a connection
 * may hold, and by the bytes that may wait for a reader (max_output), so that an answer is about as
 * large as those of a full pipeline of reserves.
 */
#include "front/reserve_priv.h"

#include <errno.h>
#include <stdlib.h>

/* Jobs taken before the bytes are looked at again: with bodies of the default limit at most 1 MiB
 * beyond it, all of it references. */
#define BATCH_STEP 16

int parse_reserve_batch(struct scan *scan, struct command_args *args)
{
    if (scan_u32(scan, &args->count) != 0 || args->count == 0 ||
        scan_timeout(scan, &args->timeout) != 0)
        return EINVAL;
    return scan_ended(scan) ? 0 : EINVAL;
}

void do_reserve_batch(struct session *session, const struct command_args *args)
{
    reserve_start(session, (int64_t)args->timeout * HL_SECOND, RESERVE_BATCH, args->count);
}

/* Takes more jobs behind the `count` that are there; how many there are then. */
static size_t batch_fill(struct session *session, struct broker_lease *leases, size_t count,
                         size_t most)
{
    size_t bytes = leases[0].size, bytes_max = conn_output_max(session->conn);
    while (count < most && bytes < bytes_max) {
        size_t step = most - count < BATCH_STEP ? most - count : BATCH_STEP;
        size_t got = 0;
        int rc = broker_reserve_batch(&session->client, step, 0, leases + count, &got);
        for (size_t i = 0; i < got; i++)
            bytes += leases[count + i].size;
        count += got;
        if (rc != 0 || got < step)
            break;
    }
    return count;
}

void batch_reply(struct session *session, uint32_t wanted, struct broker_lease *first)
{
    size_t most = wanted < FRONT_BATCH_MAX ? wanted : FRONT_BATCH_MAX;
    size_t count = 1;
    /* no magic: never leaves this function. Without memory it is a batch of one. */
    struct broker_lease *leases = most > 1 ? calloc(most, sizeof(*leases)) : NULL;
    struct broker_lease *all = first;
    if (leases != NULL) {
        leases[0] = *first;
        all = leases;
        count = batch_fill(session, leases, count, most);
    }
    bodies_reply(session, BODIES_BATCH, all, count);
    free(leases);
}
