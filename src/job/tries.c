// SPDX-License-Identifier: MIT
/*
 * The rows of tries.def, asked for by kind of trouble or one after the other.
 */
#include "job/job.h"

#include <string.h>

static const struct row {
    enum job_outcome_kind kind;
    uint32_t rule, local, remote;
    size_t at; /* in struct job_tries */
    const char *word;
} rows[] = {
#define JOB_TRY(member, kind, rule, local, remote, disk)                                           \
    {JOB_OUTCOME_##kind,                                                                           \
     JOB_RULE_##rule,                                                                              \
     (local),                                                                                      \
     (remote),                                                                                     \
     offsetof(struct job_tries, member),                                                           \
     #member},
#include "job/tries.def"
#undef JOB_TRY
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static const struct row *row_of(enum job_outcome_kind kind)
{
    ASSERT(job_outcome_fate(kind) == JOB_FATE_RULED);
    if (kind == JOB_OUTCOME_RETRY)
        kind = JOB_OUTCOME_FAILED;
    size_t i = 0;
    while (i < ROWS && rows[i].kind != kind)
        i++;
    ASSERT(i < ROWS);
    return &rows[i];
}

static uint32_t *member(struct job_tries *tries, const struct row *row)
{
    return (uint32_t *)(void *)((char *)tries + row->at);
}

static uint32_t count_of(const struct job_tries *tries, const struct row *row)
{
    uint32_t count;
    memcpy(&count, (const char *)tries + row->at, sizeof(count));
    return count;
}

uint32_t *job_tries_of(struct job_tries *tries, enum job_outcome_kind kind)
{
    return member(tries, row_of(kind));
}

uint32_t job_tries_rule(enum job_outcome_kind kind)
{
    return row_of(kind)->rule;
}

uint32_t job_tries_limit(enum job_outcome_kind kind, bool remote)
{
    if (kind == JOB_OUTCOME_RETRY)
        return JOB_RETRIES_DEFAULT;
    return remote ? row_of(kind)->remote : row_of(kind)->local;
}

void job_tries_raise(struct job_tries *tries, const struct job_tries *least)
{
    for (size_t i = 0; i < ROWS; i++)
        if (count_of(tries, &rows[i]) < count_of(least, &rows[i]))
            *member(tries, &rows[i]) = count_of(least, &rows[i]);
}

const char *job_tries_next(const struct job_tries *tries, size_t *cursor, uint32_t *count)
{
    if (*cursor >= ROWS)
        return NULL;
    const struct row *row = &rows[(*cursor)++];
    *count = count_of(tries, row);
    return row->word;
}
