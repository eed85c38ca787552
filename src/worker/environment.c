// SPDX-License-Identifier: MIT
/*
 * The environment of a program: what the pool lets through of the daemon's, and what a run adds of
 * its own, HILERA_JOB_ID, HILERA_TUBE, HILERA_ATTEMPT, HILERA_PRIORITY and HILERA_SUBMITTED.
 *
 * The list of a pool has NAME, a variable of the daemon's if it is there; PRE*, all whose names
 * begin so; NAME=VALUE, which is set, and goes before the daemon's. Without a list all of them
 * pass. The variables of a run have the run's values in any case.
 *
 * The daemon's environment doesn't change after its boot, so its strings are used as they are.
 */
#include "base/clock.h"
#include "base/magic.h"
#include "worker/worker_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENVIRONMENT_MAGIC 0x3e3ec002u

struct environment {
    unsigned magic;
    size_t count;
    char **list; /* the pool's, a copy; NULL: none */
    char *var[]; /* `count`; not owned: of `list`, or the daemon's */
};

static const char *const own_names[ENVIRONMENT_OWN] = {
    "HILERA_JOB_ID", "HILERA_TUBE", "HILERA_ATTEMPT", "HILERA_PRIORITY", "HILERA_SUBMITTED"};

static size_t name_length(const char *variable)
{
    return strcspn(variable, "=");
}

bool environment_is_own(const char *variable)
{
    size_t len = name_length(variable);
    for (size_t i = 0; i < ENVIRONMENT_OWN; i++)
        if (strlen(own_names[i]) == len && memcmp(own_names[i], variable, len) == 0)
            return true;
    return false;
}

int environment_check(const char *const *list, char *why, size_t why_size)
{
    for (size_t i = 0; list != NULL && list[i] != NULL; i++) {
        if (name_length(list[i]) == 0) {
            snprintf(why, why_size,
                     "environment: \"%s\" names no variable; \"PATH\", \"LC_*\" or "
                     "\"MODE=fast\" would be right",
                     list[i]);
            return EINVAL;
        }
        if (environment_is_own(list[i])) {
            snprintf(why, why_size, "environment: %s is set for each job; leave it out", list[i]);
            return EINVAL;
        }
    }
    return 0;
}

static bool matches(const char *pattern, const char *variable)
{
    size_t len = strlen(pattern);
    if (pattern[len - 1] == '*')
        return len - 1 <= name_length(variable) && memcmp(pattern, variable, len - 1) == 0;
    return len == name_length(variable) && memcmp(pattern, variable, len) == 0;
}

/* Whether the list lets the daemon's variable through; what it sets itself goes before. */
static bool passes(char *const *list, const char *variable)
{
    bool named = false;
    for (size_t i = 0; list[i] != NULL; i++) {
        size_t len = name_length(list[i]);
        if (list[i][len] != '=')
            named |= matches(list[i], variable);
        else if (len == name_length(variable) && memcmp(list[i], variable, len) == 0)
            return false;
    }
    return named;
}

static void environment_fill(struct environment *environment)
{
    for (size_t i = 0; environ != NULL && environ[i] != NULL; i++)
        if (!environment_is_own(environ[i]) &&
            (environment->list == NULL || passes(environment->list, environ[i])))
            environment->var[environment->count++] = environ[i];
    for (size_t i = 0; environment->list != NULL && environment->list[i] != NULL; i++)
        if (strchr(environment->list[i], '=') != NULL)
            environment->var[environment->count++] = environment->list[i];
}

int environment_new(struct environment **out, const char *const *list)
{
    size_t most = 0, listed = 0;
    while (environ != NULL && environ[most] != NULL)
        most++;
    while (list != NULL && list[listed] != NULL)
        listed++;
    struct environment *environment =
        calloc(1, sizeof(*environment) + (most + listed) * sizeof(char *));
    if (environment == NULL)
        return ENOMEM;
    MAGIC_INIT(environment, ENVIRONMENT_MAGIC);
    *out = environment;
    if (listed > 0 && (environment->list = strings_copy(list, listed)) == NULL) {
        environment_free(out);
        return ENOMEM;
    }
    environment_fill(environment);
    return 0;
}

void environment_free(struct environment **environment)
{
    if (*environment == NULL)
        return;
    struct environment *mine;
    MAGIC_TAKE(mine, environment, ENVIRONMENT_MAGIC);
    free(mine->list);
    MAGIC_WIPE(mine);
    free(mine);
}

/* When it was put, in seconds since 1970. */
static void submitted_tell(struct environment_own *own, const struct broker_lease *lease)
{
    int64_t wall = clock_wall_ns() - (clock_now_ns() - lease->created_ns);
    if (wall < 0)
        wall = 0;
    snprintf(own->submitted, sizeof(own->submitted), "%s=%" PRId64 ".%06" PRId64, own_names[4],
             wall / HL_SECOND, wall % HL_SECOND / 1000);
}

char **environment_join(char *const *var, size_t count, struct environment_own *own,
                        const struct broker_lease *lease)
{
    snprintf(own->id, sizeof(own->id), "%s=%" PRIu64, own_names[0], lease->id);
    snprintf(own->tube, sizeof(own->tube), "%s=%s", own_names[1], lease->tube);
    snprintf(own->attempt, sizeof(own->attempt), "%s=%" PRIu32, own_names[2], lease->attempt);
    snprintf(own->pri, sizeof(own->pri), "%s=%" PRIu32, own_names[3], lease->pri);
    submitted_tell(own, lease);
    char **env = malloc((count + ENVIRONMENT_OWN + 1) * sizeof(*env));
    if (env == NULL)
        return NULL;
    if (count > 0)
        memcpy(env, var, count * sizeof(*env));
    char **at = env + count;
    *at++ = own->id;
    *at++ = own->tube;
    *at++ = own->attempt;
    *at++ = own->pri;
    *at++ = own->submitted;
    *at = NULL;
    return env;
}

char **environment_make(const struct environment *environment, struct environment_own *own,
                        const struct broker_lease *lease)
{
    MAGIC_CHECK(environment, ENVIRONMENT_MAGIC);
    return environment_join(environment->var, environment->count, own, lease);
}
