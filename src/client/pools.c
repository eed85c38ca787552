// SPDX-License-Identifier: MIT
/* The table of pools, for `hilera status` and `hilera pool list`; and what such tables share. */

#include "client/tool_priv.h"
#include "client/tool_table_priv.h"

#include "base/assert.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static const struct count pool_counts[] = {
    {"workers", "workers", false},   {"busy", "busy", false},        {"done", "done", false},
    {"failed", "failed", false},     {"timeouts", "timeouts", true}, {"crashed", "crashed", true},
    {"cancelled", "cancelled", true}};

#define POOL_COUNTS (sizeof(pool_counts) / sizeof(pool_counts[0]))

int table_text(struct table *table, const char *text)
{
    return table_add(table, text, strlen(text));
}

int table_counts(struct table *table, const struct count *counts, size_t count, const cJSON *row)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        char number[32];
        snprintf(number, sizeof(number), "%" PRIu64, row ? field_u64(row, counts[i].key) : 0);
        rc = table_text(table, row ? number : counts[i].head);
    }
    return rc;
}

static bool is_zero(const cJSON *rows, const char *key)
{
    const cJSON *row;
    cJSON_ArrayForEach(row, rows)
    {
        if (field_u64(row, key) != 0)
            return false;
    }
    return true;
}

size_t counts_choose(const struct count *counts, size_t count, const cJSON *rows,
                     struct count chosen[COUNTS_MAX])
{
    size_t shown = 0;
    ASSERT(count <= COUNTS_MAX);
    for (size_t i = 0; i < count; i++)
        if (!counts[i].rare || !is_zero(rows, counts[i].key))
            chosen[shown++] = counts[i];
    return shown;
}

/* "a, b", or "a:3, b:1" where they have weights. */
static int cell_tubes(struct table *table, const cJSON *pool)
{
    const cJSON *weights = cJSON_GetObjectItemCaseSensitive(pool, "weights"), *tube;
    struct buf text = BUF_EMPTY;
    int rc = 0;
    cJSON_ArrayForEach(tube, cJSON_GetObjectItemCaseSensitive(pool, "tubes"))
    {
        if (rc != 0 || !cJSON_IsString(tube))
            continue;
        rc = buf_printf(&text, "%s%s", text.len > 0 ? ", " : "", tube->valuestring);
        if (rc == 0 && weights)
            rc = buf_printf(&text, ":%" PRIu64, field_u64(weights, tube->valuestring));
    }
    if (rc == 0)
        rc = table_add(table, text.data ? text.data : "", text.len);
    buf_fini(&text);
    return rc;
}

static int row_add(struct table *table, const struct count *counts, size_t count, const cJSON *pool)
{
    bool paused = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(pool, "paused"));
    int rc = table_text(table, field_text(pool, "name"));
    if (rc == 0)
        rc = table_counts(table, counts, count, pool);
    if (rc == 0)
        rc = table_text(table, field_text(pool, "handler"));
    if (rc == 0)
        rc = cell_tubes(table, pool);
    if (rc == 0)
        rc = table_text(table, paused                            ? "paused"
                               : field_u64(pool, "workers") == 0 ? "no workers"
                                                                 : field_text(pool, "trouble"));
    return rc;
}

int pools_print(const cJSON *pools)
{
    struct table table;
    struct count counts[COUNTS_MAX];
    const cJSON *pool;
    size_t count = counts_choose(pool_counts, POOL_COUNTS, pools, counts);
    int rc = table_init(&table, count + 4);
    for (size_t i = 0; rc == 0 && i < count; i++)
        table_align_right(&table, i + 1);
    if (rc == 0)
        rc = table_text(&table, "pool");
    if (rc == 0)
        rc = table_counts(&table, counts, count, NULL);
    if (rc == 0)
        rc = table_text(&table, "handler");
    if (rc == 0)
        rc = table_text(&table, "tubes");
    if (rc == 0)
        rc = table_text(&table, "");
    cJSON_ArrayForEach(pool, pools)
    {
        if (rc == 0)
            rc = row_add(&table, counts, count, pool);
    }
    if (rc == 0)
        rc = table_print(&table, out_width(), 0);
    table_fini(&table);
    return rc;
}
