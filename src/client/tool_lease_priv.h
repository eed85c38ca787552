// SPDX-License-Identifier: MIT
/*
 * What the commands of workers share: tubes to take from, and what is to be known of a job that
 * somebody has. tubes.c does it.
 */
#ifndef CLIENT_TOOL_LEASE_PRIV_H
#define CLIENT_TOOL_LEASE_PRIV_H

#include "client/tool_priv.h"

/* Tubes to take from; "default" unless options name others. */
struct tubes {
    const char **name;
    size_t count;
    bool given;
};
int tubes_init(struct tubes *tubes, const struct argp_state *state);
/* For parsers: one more, or argp_error. */
void tubes_add(struct tubes *tubes, const char *arg, struct argp_state *state);
void tubes_fini(struct tubes *tubes);

/* What a reserve doesn't tell of the job. */
struct lease_facts {
    char tube[HL_CLIENT_TUBE_MAX + 1];
    uint32_t priority;
    uint64_t attempt;
    int64_t ttr_ns;
};
/* Asks for them; in error, what may stand for them. */
int lease_facts(hl_client *client, uint64_t id, struct lease_facts *facts);
uint32_t lease_priority(hl_client *client, uint64_t id);
/* Releases it at once, on a connection of its own. */
int lease_give_back(const struct tool *tool, uint64_t id, uint64_t token);

#endif
