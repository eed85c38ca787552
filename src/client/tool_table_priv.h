// SPDX-License-Identifier: MIT
/*
 * Columns that fit (table.c), and counts and pools in them (pools.c).
 */
#ifndef CLIENT_TOOL_TABLE_PRIV_H
#define CLIENT_TOOL_TABLE_PRIV_H

#include "client/tool_priv.h"

/* ---- table.c ---- */

struct table {
    size_t columns;
    char **cell; /* row after row, the first is the head; owned */
    size_t count, cap;
    bool *right; /* by column: aligned to the right */
};
/* ENOMEM everywhere. */
int table_init(struct table *table, size_t columns);
void table_fini(struct table *table);
/* The next cell, copied, made printable. */
int table_add(struct table *table, const char *text, size_t len);
void table_align_right(struct table *table, size_t column);
/* Columns that a line takes if nothing is cut; 0: no memory to tell. */
size_t table_width(const struct table *table);
/* In `width` columns (0: without limit): the widest are cut first. */
int table_print(const struct table *table, size_t width, size_t indent);

/* ---- pools.c ---- */

/* A column of counts: as the daemon calls it and as it is shown. A rare one is left out where all
 * rows have 0 of it. */
struct count {
    const char *key, *head;
    bool rare;
};
#define COUNTS_MAX 16
/* Those to be shown of these rows, to `chosen`; returns how many. */
size_t counts_choose(const struct count *counts, size_t count, const cJSON *rows,
                     struct count chosen[COUNTS_MAX]);
/* ENOMEM everywhere. table_counts: the heads if `row` is NULL, else its counts. */
int table_text(struct table *table, const char *text);
int table_counts(struct table *table, const struct count *counts, size_t count, const cJSON *row);
/* The array of pools, as the daemon's "stats" and "pool_list" have it. */
int pools_print(const cJSON *pools);

#endif
