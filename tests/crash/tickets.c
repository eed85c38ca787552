// SPDX-License-Identifier: MIT
/*
 * Tokens of leases: see oracle.h. All are kept, since none may come twice (they are random, and
 * long enough for that), and since those of earlier lives must be refused: the lease of each has
 * ended with its daemon.
 */
#include "oracle.h"

#include <inttypes.h>
#include <stdlib.h>

#define TOKEN_BITS 53

void oracle_ticket(struct oracle *oracle, uint64_t id, uint64_t token)
{
    if (token == 0)
        fail("job %" PRIu64 " was reserved with the token 0, which is none", id);
    if (token >= UINT64_C(1) << TOKEN_BITS)
        fail("job %" PRIu64 " was reserved with the token %" PRIu64 ", which is too long", id,
             token);
    oracle->tickets = oracle_grown(oracle->tickets, &oracle->ticket_cap, oracle->ticket_count + 1,
                                   sizeof(*oracle->tickets));
    oracle->tickets[oracle->ticket_count++] = (struct ticket){.id = id, .token = token};
}

static int ticket_compare(const void *left, const void *right)
{
    const struct ticket *a = left, *b = right;
    return a->token < b->token ? -1 : a->token > b->token;
}

void tickets_check(struct oracle *oracle)
{
    struct ticket *all = oracle->tickets;
    if (oracle->ticket_count > 0)
        qsort(all, oracle->ticket_count, sizeof(*all), ticket_compare);
    for (size_t i = 1; i < oracle->ticket_count; i++)
        if (all[i].token == all[i - 1].token)
            fail("token %" PRIu64 " was given out twice: for job %" PRIu64 " and for job %" PRIu64,
                 all[i].token, all[i - 1].id, all[i].id);
    oracle->tickets_old = oracle->ticket_count;
}
