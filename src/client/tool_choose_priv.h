// SPDX-License-Identifier: MIT
/*
 * Choosing jobs by tube, state, age, name, group and tag (filter.c), and what the commands share
 * that change many of them (bulk.c).
 */
#ifndef CLIENT_TOOL_CHOOSE_PRIV_H
#define CLIENT_TOOL_CHOOSE_PRIV_H

#include "client/tool_priv.h"

/* ---- filter.c ---- */

struct filter {
    const char *tube, *state; /* NULL: any */
    const char *name, *group, *tag;
    int64_t older_ns, younger_ns; /* HL_FOREVER: any */
    uint64_t limit;               /* 0: not given */
    uint64_t from, until;         /* the page; 0: from the first, to the last */
    bool down;                    /* pages go down: finished jobs */
    unsigned pages, empty;        /* how many there were; of them without a job, in a row */
};

enum { FILTER_NAME = 0x100, FILTER_TAG };

/* Rows of a command's options, for filter_parse. */
#define FILTER_OPTIONS(limit_text)                                                                 \
    {"tube", 't', "TUBE", 0, "Jobs of this tube only", 0},                                         \
        {"state", 'S', "STATE", 0, "Only those that are ready, delayed, reserved or buried", 0},   \
        {"older", 'o', "TIME", 0, "Only those put at least so long ago, such as 10m", 0},          \
        {"younger", 'y', "TIME", 0, "Only those put less than so long ago", 0},                    \
        {"name", FILTER_NAME, "TEXT", 0, "Only those of this name", 0},                            \
        {"group", 'g', "TEXT", 0, "Only those of this group", 0},                                  \
        {"tag", FILTER_TAG, "TEXT", 0, "Only those that have this tag", 0},                        \
    {                                                                                              \
        "limit", 'n', "NUMBER", 0, limit_text, 0                                                   \
    }

void filter_init(struct filter *filter);
/* For parsers: ARGP_ERR_UNKNOWN: no option of a filter. */
error_t filter_parse(struct filter *filter, int key, char *arg, struct argp_state *state);
/* Whether there is any condition. */
bool filter_given(const struct filter *filter);
/* Adds the conditions and the page to a call's parameters. ENOMEM. */
int filter_add(const struct filter *filter, cJSON *params);
/* To the page behind that answer's, which had `found` jobs; filter->from is 0 if that was the last.
 * EXIT_CODE_OUTPUT, said: such pages never end. */
enum exit_code filter_next(struct filter *filter, const cJSON *answer, uint64_t found);
/* ---- bulk.c ---- */

/* A command that changes jobs; the options fill it. */
struct bulk {
    const char *method, *did, *would; /* "kick", "kicked", "would kick" */
    const char *to;                   /* move's; NULL */
    bool dry_run;
    bool reset; /* kick's */
    struct filter filter;
    uint64_t *ids; /* bulk_run frees them */
    size_t count;
    uint64_t done;
};

/* Rows of its options, for bulk_parse, whose input is a struct bulk. */
#define BULK_OPTIONS(limit_text)                                                                   \
    FILTER_OPTIONS(limit_text),                                                                    \
    {                                                                                              \
        "dry-run", 'D', NULL, 0, "Only tell how many jobs it would be", 0                          \
    }
error_t bulk_parse(int key, char *arg, struct argp_state *state);
enum exit_code bulk_run(const struct tool *tool, struct bulk *bulk);

#endif
