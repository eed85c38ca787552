// SPDX-License-Identifier: MIT
/*
 * A pool's tubes as its configuration names them: "NAME", or "NAME:WEIGHT". A colon can't be part
 * of a tube's name. If any of them has a weight, those without have 1; if none has, there are no
 * weights at all, which is another order than equal ones (queue_share.c).
 */
#include "worker/pool_priv.h"
#include "worker/programs_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Digits only; 0: it isn't a weight. */
static uint32_t weight_parse(const char *text)
{
    uint32_t weight = 0;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return 0;
        weight = weight * 10 + (uint32_t)(*text - '0');
        if (weight > WORKER_WEIGHT_MAX)
            return 0;
    }
    return weight;
}

int worker_tube_parse(const char *text, size_t *name_len, uint32_t *weight, char *why,
                      size_t why_size)
{
    const char *colon = strchr(text, ':');
    *name_len = colon != NULL ? (size_t)(colon - text) : strlen(text);
    *weight = colon != NULL ? weight_parse(colon + 1) : 0;
    if (job_tube_name_check(text, *name_len) != 0) {
        snprintf(why, why_size, "\"%s\" can't be a tube: %s", text, job_tube_name_rule());
        return EINVAL;
    }
    if (colon != NULL && *weight == 0) {
        snprintf(why, why_size,
                 "\"%s\" has no weight behind the colon; it must be a whole number from 1 to %d, "
                 "such as \"%.*s:3\"",
                 text, WORKER_WEIGHT_MAX, (int)*name_len, text);
        return EINVAL;
    }
    return 0;
}

static bool same_tube(const char *a, const char *b)
{
    size_t len = strcspn(a, ":");
    return len == strcspn(b, ":") && memcmp(a, b, len) == 0;
}

int worker_tubes_check(const char *const *tubes, size_t count, char *why, size_t why_size)
{
    if (count == 0) {
        snprintf(why, why_size, "a pool needs at least one tube, like tubes = {\"default\"}");
        return EINVAL;
    }
    for (size_t i = 0; i < count; i++) {
        size_t len;
        uint32_t weight;
        if (worker_tube_parse(tubes[i], &len, &weight, why, why_size) != 0)
            return EINVAL;
        for (size_t j = 0; j < i; j++)
            if (same_tube(tubes[i], tubes[j])) {
                snprintf(why, why_size, "the tube \"%.*s\" is named twice; once is enough",
                         (int)len, tubes[i]);
                return EINVAL;
            }
    }
    return 0;
}

int pool_tubes_fill(struct worker_pool *pool, const char *const *tubes, size_t count)
{
    pool->tubes = strings_copy(tubes, count);
    uint32_t *weights = calloc(count, sizeof(*weights));
    bool weighed = false;
    if (pool->tubes == NULL || weights == NULL) {
        free(weights);
        return ENOMEM;
    }
    pool->tube_count = count;
    for (size_t i = 0; i < count; i++) {
        size_t len;
        char why[512];
        MUST(worker_tube_parse(tubes[i], &len, &weights[i], why, sizeof(why))); /* was checked */
        pool->tubes[i][len] = '\0';
        weighed = weighed || weights[i] != 0;
        weights[i] = weights[i] != 0 ? weights[i] : 1;
    }
    int rc = weighed ? broker_shares_new(&pool->shares, weights, count) : 0;
    if (rc == 0 && weighed)
        pool->weights = weights;
    else
        free(weights);
    return rc;
}
