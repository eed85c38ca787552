// SPDX-License-Identifier: MIT
/*
 * One rule: whom it fits, and what it gives.
 *
 * A rule fits a peer that comes through one of its doors and is anyone, one of its users, or a
 * member of one of its groups. An anonymous peer is only ever anyone.
 */
#include "trust/trust_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DOORS_USUAL (1u << TRUST_UNIX | 1u << TRUST_LOOPBACK)
#define RULES_FIRST 8

/* ---- copies ---- */

static void rule_fini(struct trust_rule *rule)
{
    free((char *)rule->name);
    free((uint32_t *)rule->users);
    free((gid_t *)rule->groups);
    for (size_t i = 0; rule->tubes != NULL && i < rule->tube_count; i++)
        free((char *)rule->tubes[i]);
    free((char **)rule->tubes);
    *rule = (struct trust_rule){.name = NULL};
}

/* Of at least one byte, so that NULL is always a failure. */
static void *copy_of(const void *bytes, size_t count, size_t size)
{
    void *copy = calloc(count + 1, size);
    if (copy != NULL && count > 0)
        memcpy(copy, bytes, count * size);
    return copy;
}

static int rule_copy(struct trust_rule *copy, const struct trust_rule *rule)
{
    *copy = *rule;
    copy->name = strdup(rule->name);
    copy->users = copy_of(rule->users, rule->user_count, sizeof(*rule->users));
    copy->groups = copy_of(rule->groups, rule->group_count, sizeof(*rule->groups));
    char **tubes = calloc(rule->tube_count + 1, sizeof(*tubes));
    copy->tubes = (const char *const *)tubes;
    bool whole = copy->name != NULL && copy->users != NULL && copy->groups != NULL && tubes != NULL;
    for (size_t i = 0; whole && i < rule->tube_count; i++)
        whole = (tubes[i] = strdup(rule->tubes[i])) != NULL;
    if (whole)
        return 0;
    rule_fini(copy);
    return ENOMEM;
}

int rules_add(struct rules *rules, const struct trust_rule *rule)
{
    if (rules->count == rules->cap) {
        size_t cap = rules->cap > 0 ? 2 * rules->cap : RULES_FIRST;
        struct trust_rule *grown = reallocarray(rules->rule, cap, sizeof(*grown));
        if (grown == NULL)
            return ENOMEM;
        rules->rule = grown;
        rules->cap = cap;
    }
    int rc = rule_copy(&rules->rule[rules->count], rule);
    if (rc == 0)
        rules->count++;
    return rc;
}

void rules_fini(struct rules *rules)
{
    for (size_t i = 0; i < rules->count; i++)
        rule_fini(&rules->rule[i]);
    free(rules->rule);
    *rules = (struct rules){NULL, 0, 0};
}

/* ---- whom it fits ---- */

bool trust_rule_fits(const struct trust_rule *rule, const struct trust_peer *peer)
{
    unsigned doors = rule->doors != 0 ? rule->doors : DOORS_USUAL;
    if ((doors >> peer->door & 1) == 0)
        return false;
    if (rule->anyone)
        return true;
    if (peer->uid == JOB_NOBODY)
        return false;
    for (size_t i = 0; i < rule->user_count; i++)
        if (rule->users[i] == peer->uid)
            return true;
    for (size_t i = 0; i < rule->group_count; i++)
        for (size_t k = 0; k < peer->group_count; k++)
            if (rule->groups[i] == peer->groups[k])
                return true;
    return false;
}

/* ---- what it gives ---- */

trust_rights rule_rights(const struct trust_rule *rule)
{
    return (trust_rights)(rule->may | (rule->may & TRUST_put ? TRUST_see_own : 0));
}

bool rule_is_of_server(const struct trust_rule *rule)
{
    for (size_t i = 0; i < rule->tube_count; i++)
        if (strcmp(rule->tubes[i], "*") == 0)
            return true;
    return rule->tube_count == 0;
}

trust_rights rule_through(trust_rights rights, enum trust_door door)
{
    return (trust_rights)(door == TRUST_UNIX ? rights : rights & ~TRUST_UNIX_RIGHTS);
}

trust_rights rule_in_guarded(trust_rights rights)
{
    if (rights & TRUST_run)
        return rights;
    return (trust_rights)(rights & ~TRUST_RUN_RIGHTS);
}
