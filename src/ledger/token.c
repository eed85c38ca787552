// SPDX-License-Identifier: MIT
/*
 * Tokens of leases: whoever shows one settles the job, so nobody may guess one.
 *
 * A token has 53 random bits of the kernel, which a double-precision number holds as they are (a
 * script that reads JSON keeps them), and is never 0. It is only ever compared together with the id
 * of its job. So it needs no record in the journal: that a token comes again with the same job is
 * as unlikely as that it is guessed.
 *
 * The kernel is asked for 4 KiB at a time, under the lock: some microseconds for 512 leases.
 */
#include "ledger/state.h"

#include "base/assert.h"

#include <errno.h>
#include <sys/random.h>

/* Reading more than 256 bytes may be cut short by a signal. */
static void store_fill(struct token_store *store)
{
    size_t have = 0;
    while (have < sizeof(store->random)) {
        ssize_t got = getrandom((char *)store->random + have, sizeof(store->random) - have, 0);
        if (got > 0)
            have += (size_t)got;
        else
            ASSERT(got < 0 && errno == EINTR); /* any kernel that hilera starts on has it */
    }
    store->left = TOKENS_STORED;
}

uint64_t token_next(struct ledger *ledger)
{
    struct token_store *store = &ledger->token_store;
    uint64_t token;
    do {
        if (store->left == 0)
            store_fill(store);
        token = store->random[--store->left] >> (64 - TOKEN_BITS);
        store->random[store->left] = 0; /* it is known to one from now on */
    } while (token == 0);
    return token;
}
