// SPDX-License-Identifier: MIT
/*
 * The table: classes of tubes, all made at the start, and a row of rights for each class of peers,
 * made when the first peer of it comes.
 *
 * A class of tubes is a set of rules that reach a tube, and whether it is guarded: rules that don't
 * say `guarded` never reach a guarded tube. A class of peers is a set of rules that fit a peer, and
 * a door. Which sets of peers there will be can't be told from the rules (any user may be in any
 * groups), so rows come as they are needed: added to a list's head, never changed, never taken out.
 * Two threads may make the same row at once; then there are two, which say the same. A peer past
 * TRUST_CLASSES_MAX of them may nothing.
 */
#include "base/assert.h"
#include "base/hash.h"
#include "base/magic.h"
#include "trust/trust_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- classes of tubes ---- */

#define CLASS_LOOKUP ((size_t)2 * TRUST_CLASSES_MAX)

static int patterns_list(const struct trust *trust, const struct trust_settings *settings,
                         struct pattern **out, size_t *count)
{
    size_t most = settings->guarded_count, used = 0;
    for (size_t i = 0; i < trust->rules.count; i++)
        most += trust->rules.rule[i].tube_count;
    struct pattern *patterns = calloc(most + 1, sizeof(*patterns));
    if (patterns == NULL)
        return ENOMEM;
    for (size_t i = 0; i < trust->rules.count; i++)
        for (size_t k = 0; k < trust->rules.rule[i].tube_count; k++)
            patterns[used++] = (struct pattern){trust->rules.rule[i].tubes[k], i};
    for (size_t i = 0; i < settings->guarded_count; i++)
        patterns[used++] = (struct pattern){settings->guarded[i], RULE_GUARDED};
    *out = patterns;
    *count = used;
    return 0;
}

/* The rules of a state that reach its tubes. */
static struct rule_set state_reach(const struct trust *trust, size_t state, bool *guarded)
{
    const struct rule_set *fits = &trust->automaton.accept[state];
    struct rule_set reach = {{0}};
    *guarded = rule_set_has(fits, RULE_GUARDED);
    for (size_t i = 0; i < trust->rules.count; i++)
        if (rule_set_has(fits, i) && (!*guarded || trust->rules.rule[i].guarded))
            rule_set_add(&reach, i);
    return reach;
}

/* Fixed: all that is hashed here is made of what the configuration says. */
static const struct hash_key sets_key;

/* The slot of `lookup` (a class and 1; 0: free) where the class is, or would be. */
static size_t class_slot(const struct trust *trust, const uint16_t *lookup,
                         const struct rule_set *reach, bool guarded)
{
    size_t slot = (hash_bytes(&sets_key, reach, sizeof(*reach)) + guarded) % CLASS_LOOKUP;
    for (; lookup[slot] != 0; slot = (slot + 1) % CLASS_LOOKUP) {
        size_t class = lookup[slot] - 1u;
        if (trust->class_guarded[class] == guarded &&
            memcmp(&trust->class_rules[class], reach, sizeof(*reach)) == 0)
            break;
    }
    return slot;
}

static int classes_grow(struct trust *trust)
{
    size_t cap = trust->class_cap > 0 ? 2 * trust->class_cap : 16;
    struct rule_set *rules = reallocarray(trust->class_rules, cap, sizeof(*rules));
    if (rules != NULL)
        trust->class_rules = rules;
    bool *guarded = reallocarray(trust->class_guarded, cap, sizeof(*guarded));
    if (guarded != NULL)
        trust->class_guarded = guarded;
    if (rules == NULL || guarded == NULL)
        return ENOMEM;
    trust->class_cap = cap;
    return 0;
}

/* E2BIG: there are TRUST_CLASSES_MAX already. ENOMEM. */
static int class_find(struct trust *trust, uint16_t *lookup, const struct rule_set *reach,
                      bool guarded, uint16_t *class)
{
    size_t slot = class_slot(trust, lookup, reach, guarded);
    if (lookup[slot] == 0) {
        if (trust->class_count == TRUST_CLASSES_MAX)
            return E2BIG;
        if (trust->class_count == trust->class_cap && classes_grow(trust) != 0)
            return ENOMEM;
        trust->class_rules[trust->class_count] = *reach;
        trust->class_guarded[trust->class_count] = guarded;
        lookup[slot] = (uint16_t)++trust->class_count;
    }
    *class = (uint16_t)(lookup[slot] - 1);
    return 0;
}

static int classes_make(struct trust *trust)
{
    size_t states = trust->automaton.state_count;
    trust->class_of = calloc(states, sizeof(*trust->class_of));
    uint16_t *lookup = calloc(CLASS_LOOKUP, sizeof(*lookup));
    int rc = trust->class_of != NULL && lookup != NULL ? 0 : ENOMEM;
    for (size_t state = 0; rc == 0 && state < states; state++) {
        bool guarded;
        struct rule_set reach = state_reach(trust, state, &guarded);
        rc = class_find(trust, lookup, &reach, guarded, &trust->class_of[state]);
    }
    free(lookup);
    return rc;
}

/* ---- rows ---- */

static void row_fill(const struct trust *trust, struct trust_row *row)
{
    trust_rights all = 0;
    for (size_t i = 0; i < trust->rules.count; i++) {
        const struct trust_rule *rule = &trust->rules.rule[i];
        if (rule_set_has(&row->fits, i) && rule_is_of_server(rule))
            row->server |= (trust_rights)(rule_rights(rule) & TRUST_SERVER_RIGHTS);
    }
    row->server = rule_through(row->server, row->door);
    for (size_t class = 0; class < trust->class_count; class ++) {
        trust_rights rights = 0;
        for (size_t i = 0; i < trust->rules.count; i++)
            if (rule_set_has(&row->fits, i) && rule_set_has(&trust->class_rules[class], i))
                rights |= (trust_rights)(rule_rights(&trust->rules.rule[i]) & TRUST_TUBE_RIGHTS);
        rights = rule_through(rights, row->door);
        if (trust->class_guarded[class])
            rights = rule_in_guarded(rights);
        row->rights[class] = rights;
        all |= rights;
    }
    row->nothing = (all | row->server) == 0;
}

static size_t row_bucket(const struct rule_set *fits, enum trust_door door)
{
    return (hash_bytes(&sets_key, fits, sizeof(*fits)) + door) % ROW_BUCKETS;
}

static const struct trust_row *row_find(const struct trust *trust, const struct rule_set *fits,
                                        enum trust_door door)
{
    const struct trust_row *row = atomic_load(&trust->bucket[row_bucket(fits, door)]);
    while (row != NULL && (row->door != door || memcmp(&row->fits, fits, sizeof(*fits)) != 0))
        row = row->next;
    return row;
}

/* NULL: there are too many, or there is no memory. */
static const struct trust_row *row_make(struct trust *trust, const struct rule_set *fits,
                                        enum trust_door door)
{
    if (atomic_load(&trust->row_count) >= TRUST_CLASSES_MAX)
        return NULL;
    struct trust_row *row = calloc(1, sizeof(*row) + trust->class_count * sizeof(row->rights[0]));
    if (row == NULL)
        return NULL;
    row->fits = *fits;
    row->door = door;
    row->number = atomic_fetch_add(&trust->row_count, 1) + 1;
    row_fill(trust, row);
    _Atomic(struct trust_row *) *head = &trust->bucket[row_bucket(fits, door)];
    row->next = atomic_load(head);
    while (!atomic_compare_exchange_weak(head, &row->next, row))
        ;
    return row;
}

static const struct trust_row *row_get(const struct trust *trust, const struct rule_set *fits,
                                       enum trust_door door)
{
    const struct trust_row *row = row_find(trust, fits, door);
    return row != NULL ? row : row_make((struct trust *)trust, fits, door);
}

/* ---- doors ---- */

/* Without the rights on one's own jobs that those on all jobs make idle. */
static trust_rights without_idle(trust_rights rights)
{
    unsigned idle = (rights & TRUST_see ? TRUST_see_own : 0u) |
                    (rights & TRUST_read ? TRUST_read_own : 0u) |
                    (rights & TRUST_edit ? TRUST_edit_own : 0u);
    return (trust_rights)(rights & ~idle);
}

/* ENOMEM. */
static int door_compare(struct trust *trust, enum trust_door door)
{
    struct rule_set anyone = {{0}}, everyone = {{0}};
    for (size_t i = 0; i < trust->rules.count; i++) {
        const struct trust_peer peer = {.door = door, .uid = JOB_NOBODY};
        struct trust_rule open = trust->rules.rule[i];
        if (trust_rule_fits(&open, &peer))
            rule_set_add(&anyone, i);
        open.anyone = true;
        if (trust_rule_fits(&open, &peer))
            rule_set_add(&everyone, i);
    }
    const struct trust_row *least = row_get(trust, &anyone, door);
    const struct trust_row *most = row_get(trust, &everyone, door);
    if (least == NULL || most == NULL)
        return ENOMEM;
    trust->plain[door] = least->server == most->server;
    for (size_t class = 0; class < trust->class_count; class ++) {
        trust_rights rights = without_idle(least->rights[class]);
        if (rights != without_idle(most->rights[class]) || (rights & TRUST_OWN_RIGHTS) != 0)
            trust->plain[door] = false;
    }
    return 0;
}

/* ---- views ---- */

void trust_view_of(struct trust_view *view, const struct trust *trust,
                   const struct trust_peer *peer)
{
    MAGIC_CHECK(trust, TRUST_MAGIC);
    struct rule_set fits = {{0}};
    for (size_t i = 0; i < trust->rules.count; i++)
        if (trust_rule_fits(&trust->rules.rule[i], peer))
            rule_set_add(&fits, i);
    const struct trust_row *row = row_get(trust, &fits, peer->door);
    *view = (struct trust_view){.trust = trust, .uid = peer->uid, .door = peer->door};
    if (row == NULL || row->nothing)
        return;
    view->rights = row->rights;
    view->server = row->server;
    view->peer_class = row->number;
}

bool trust_view_fits(const struct trust_view *view, size_t index)
{
    if (view->trust == NULL || view->rights == NULL)
        return false;
    const struct trust_row *row = CONTAINER_OF(view->rights, const struct trust_row, rights);
    return rule_set_has(&row->fits, index);
}

/* ---- the table's life ---- */

static int rules_take(struct trust *trust, const struct trust_settings *settings)
{
    int rc = builtin_add(&trust->rules, settings);
    for (size_t i = 0; rc == 0 && i < settings->rule_count; i++)
        rc = rules_add(&trust->rules, &settings->rules[i]);
    return rc;
}

static int table_compile(struct trust *trust, const struct trust_settings *settings)
{
    struct pattern *patterns = NULL;
    size_t count = 0;
    int rc = rules_take(trust, settings);
    if (rc == 0)
        rc = patterns_list(trust, settings, &patterns, &count);
    if (rc == 0)
        rc = automaton_build(&trust->automaton, patterns, count);
    free(patterns);
    if (rc == 0)
        rc = classes_make(trust);
    for (unsigned door = 0; rc == 0 && door < TRUST_DOOR_COUNT; door++)
        rc = door_compare(trust, (enum trust_door)door);
    return rc;
}

bool trust_door_is_plain(const struct trust *trust, enum trust_door door)
{
    MAGIC_CHECK(trust, TRUST_MAGIC);
    return trust->plain[door];
}

int trust_new(struct trust **out, const struct trust_settings *settings, char *why, size_t size)
{
    if (settings->rule_count > TRUST_RULES_MAX) {
        snprintf(why, size, "there are %zu acl sections; at most %d are allowed",
                 settings->rule_count, TRUST_RULES_MAX);
        return E2BIG;
    }
    struct trust *trust = calloc(1, sizeof(*trust));
    if (trust == NULL)
        return ENOMEM;
    MAGIC_INIT(trust, TRUST_MAGIC);
    int rc = table_compile(trust, settings);
    if (rc == E2BIG)
        snprintf(why, size,
                 "the patterns of tubes in the acl sections overlap in too many ways (more than %d "
                 "kinds of tubes); use fewer patterns with * in the middle, or name tubes whole",
                 TRUST_CLASSES_MAX);
    else if (rc != 0)
        snprintf(why, size, "out of memory");
    if (rc == 0)
        *out = trust;
    else
        trust_free(&trust);
    return rc;
}

void trust_free(struct trust **trust_p)
{
    if (*trust_p == NULL)
        return;
    struct trust *trust;
    MAGIC_TAKE(trust, trust_p, TRUST_MAGIC);
    for (size_t i = 0; i < ROW_BUCKETS; i++) {
        struct trust_row *row = atomic_load(&trust->bucket[i]);
        while (row != NULL) {
            struct trust_row *next = row->next;
            free(row);
            row = next;
        }
    }
    automaton_fini(&trust->automaton);
    rules_fini(&trust->rules);
    free(trust->class_of);
    free(trust->class_rules);
    free(trust->class_guarded);
    MAGIC_WIPE(trust);
    free(trust);
}

bool trust_door_has_groups(const struct trust *trust, enum trust_door door)
{
    MAGIC_CHECK(trust, TRUST_MAGIC);
    for (size_t i = 0; i < trust->rules.count; i++) {
        struct trust_rule open = trust->rules.rule[i];
        const struct trust_peer anyone = {.door = door, .uid = JOB_NOBODY};
        open.anyone = true;
        if (open.group_count > 0 && trust_rule_fits(&open, &anyone))
            return true;
    }
    return false;
}

size_t trust_rule_count(const struct trust *trust)
{
    MAGIC_CHECK(trust, TRUST_MAGIC);
    return trust->rules.count;
}

const struct trust_rule *trust_rule_at(const struct trust *trust, size_t index)
{
    MAGIC_CHECK(trust, TRUST_MAGIC);
    ASSERT(index < trust->rules.count);
    return &trust->rules.rule[index];
}

uint16_t trust_tube_class(const struct trust *trust, const char *name, size_t len)
{
    if (trust == NULL)
        return 0;
    MAGIC_CHECK(trust, TRUST_MAGIC);
    return trust->class_of[automaton_run(&trust->automaton, name, len)];
}

bool trust_class_is_guarded(const struct trust *trust, uint16_t tube_class)
{
    if (trust == NULL)
        return false;
    MAGIC_CHECK(trust, TRUST_MAGIC);
    ASSERT(tube_class < trust->class_count);
    return trust->class_guarded[tube_class];
}

size_t trust_class_count(const struct trust *trust)
{
    MAGIC_CHECK(trust, TRUST_MAGIC);
    return trust->class_count;
}

trust_rights trust_rule_gives(const struct trust *trust, const struct trust_rule *rule,
                              enum trust_door door, const char *tube)
{
    MAGIC_CHECK(trust, TRUST_MAGIC);
    trust_rights rights = rule_through(rule_rights(rule), door);
    if (tube == NULL)
        return (trust_rights)(rule_is_of_server(rule) ? rights & TRUST_SERVER_RIGHTS : 0);
    size_t index = (size_t)(rule - trust->rules.rule);
    ASSERT(index < trust->rules.count);
    const struct rule_set *reach = &trust->class_rules[trust_tube_class(trust, tube, strlen(tube))];
    return (trust_rights)(rule_set_has(reach, index) ? rights & TRUST_TUBE_RIGHTS : 0);
}
