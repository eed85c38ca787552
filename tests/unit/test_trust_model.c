// SPDX-License-Identifier: MIT
// The whole table against a model of a few lines, for random rules, peers and tubes.

#include "base/hash.h"
#include "trust/trust.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct trust *trust;

static void make(const struct trust_settings *settings)
{
    char why[256] = "";
    if (trust_new(&trust, settings, why, sizeof(why)) != 0)
        ck_abort_msg("%s", why);
}

static uint64_t seed;

static unsigned chance(unsigned below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % below;
}

static bool glob(const char *pattern, const char *name)
{
    if (*pattern == '\0')
        return *name == '\0';
    if (*pattern == '*')
        return glob(pattern + 1, name) || (*name != '\0' && glob(pattern, name + 1));
    return *name != '\0' && (*pattern == '?' || *pattern == *name) && glob(pattern + 1, name + 1);
}

#define MODEL_RULES 6
#define MODEL_TUBES 3
#define MODEL_USERS 3
#define MODEL_GUARDED 3

struct model_rule {
    struct trust_rule rule;
    char tube[MODEL_TUBES][8];
    const char *tubes[MODEL_TUBES];
    uint32_t users[MODEL_USERS];
    gid_t groups[MODEL_USERS];
};

static struct model {
    struct model_rule rules[MODEL_RULES];
    struct trust_rule list[MODEL_RULES];
    char guard[MODEL_GUARDED][8];
    const char *guarded[MODEL_GUARDED];
    struct trust_settings settings;
    gid_t group;
    uint32_t command_user;
} model;

static void random_name(char *name, const char *letters)
{
    unsigned len = 1 + chance(4);
    for (unsigned i = 0; i < len; i++)
        name[i] = letters[chance((unsigned)strlen(letters))];
    name[len] = '\0';
}

static void model_rule_make(struct model_rule *made_up)
{
    struct trust_rule *rule = &made_up->rule;
    *rule = (struct trust_rule){.name = "r", .users = made_up->users, .groups = made_up->groups};
    rule->user_count = chance(MODEL_USERS + 1);
    rule->group_count = chance(MODEL_USERS + 1);
    for (unsigned i = 0; i < MODEL_USERS; i++) {
        made_up->users[i] = chance(5);
        made_up->groups[i] = chance(5);
    }
    rule->anyone = chance(4) == 0;
    rule->doors = chance(8);
    rule->guarded = chance(2) == 0;
    rule->may = (trust_rights)(chance(65536) & chance(65536) & TRUST_EVERYTHING);
    rule->tube_count = chance(MODEL_TUBES + 1);
    rule->tubes = made_up->tubes;
    for (unsigned i = 0; i < MODEL_TUBES; i++) {
        random_name(made_up->tube[i], chance(2) == 0 ? "ab" : "ab*?");
        made_up->tubes[i] = made_up->tube[i];
    }
}

static void model_make(void)
{
    unsigned count = chance(MODEL_RULES + 1);
    for (unsigned i = 0; i < count; i++) {
        model_rule_make(&model.rules[i]);
        model.list[i] = model.rules[i].rule;
    }
    for (unsigned i = 0; i < MODEL_GUARDED; i++) {
        random_name(model.guard[i], "abc");
        model.guarded[i] = model.guard[i];
    }
    model.group = chance(5);
    model.command_user = chance(5);
    model.settings = (struct trust_settings){.rules = model.list,
                                             .rule_count = count,
                                             .guarded = model.guarded,
                                             .guarded_count = chance(MODEL_GUARDED + 1),
                                             .daemon_uid = chance(3),
                                             .beanstalkd = chance(4) == 0,
                                             .group = chance(3) == 0 ? &model.group : NULL,
                                             .command_users = &model.command_user,
                                             .command_user_count = chance(4) == 0};
}

static bool model_in(const struct trust_peer *peer, gid_t group)
{
    for (size_t i = 0; i < peer->group_count; i++)
        if (peer->groups[i] == group)
            return true;
    return false;
}

static bool model_fits(const struct trust_rule *rule, const struct trust_peer *peer)
{
    unsigned doors = rule->doors == 0 ? 3 : rule->doors; /* unix and loopback */
    bool fits = rule->anyone;
    for (size_t i = 0; i < rule->user_count; i++)
        fits = fits || (peer->uid != JOB_NOBODY && rule->users[i] == peer->uid);
    for (size_t i = 0; i < rule->group_count; i++)
        fits = fits || (peer->uid != JOB_NOBODY && model_in(peer, rule->groups[i]));
    return fits && (doors & 1u << peer->door) != 0;
}

/* What the model says of one tube, and of the daemon. */
struct answer {
    unsigned tube, server;
};

static struct answer model_answer(const struct trust_peer *peer, const char *name, bool guarded)
{
    const struct trust_settings *with = &model.settings;
    const unsigned stalk =
        TRUST_see | TRUST_read | TRUST_put | TRUST_work | TRUST_edit | TRUST_pause | TRUST_monitor;
    const unsigned submit = TRUST_put | TRUST_see_own | TRUST_read_own | TRUST_edit_own | TRUST_run;
    bool named = peer->uid != JOB_NOBODY;
    bool owner = named && (peer->uid == 0 || peer->uid == with->daemon_uid);
    unsigned plain = 0, all = 0, server = 0;
    if (owner && peer->door == TRUST_UNIX)
        all = server = TRUST_EVERYTHING;
    if (owner && peer->door == TRUST_LOOPBACK)
        plain |= stalk;
    if (with->group != NULL && named && peer->door != TRUST_NETWORK && model_in(peer, model.group))
        plain |= stalk;
    if (with->beanstalkd && peer->door != TRUST_NETWORK)
        plain |= stalk;
    if (with->command_user_count > 0 && named && peer->uid == model.command_user &&
        peer->door != TRUST_NETWORK)
        all |= submit;
    server |= plain;
    for (size_t i = 0; i < with->rule_count; i++) {
        const struct trust_rule *rule = &model.list[i];
        bool reaches = false, everywhere = rule->tube_count == 0;
        for (size_t k = 0; k < rule->tube_count; k++) {
            reaches = reaches || glob(rule->tubes[k], name);
            everywhere = everywhere || strcmp(rule->tubes[k], "*") == 0;
        }
        if (!model_fits(rule, peer))
            continue;
        if (reaches && rule->guarded)
            all |= rule->may;
        else if (reaches)
            plain |= rule->may;
        if (everywhere)
            server |= rule->may;
    }
    unsigned tube = guarded ? all : all | plain;
    if (tube & TRUST_put)
        tube |= TRUST_see_own;
    if (peer->door != TRUST_UNIX) {
        tube &= ~(unsigned)TRUST_run;
        server &= ~(unsigned)TRUST_admin;
    }
    if (guarded && !(tube & TRUST_run))
        tube &= ~(unsigned)(TRUST_put | TRUST_work | TRUST_edit | TRUST_pause | TRUST_edit_own);
    return (struct answer){tube & ~(unsigned)(TRUST_monitor | TRUST_admin),
                           server & (TRUST_monitor | TRUST_admin)};
}

/* Check tells its parent of each assertion, which takes longer than all that is asserted here. */
static void expect(bool holds, const struct trust_peer *peer, const char *name, unsigned found,
                   unsigned wanted)
{
    if (!holds)
        ck_abort_msg("tube %s, uid %u, door %d: 0x%x, not 0x%x", name, peer->uid, peer->door, found,
                     wanted);
}

static enum trust_verdict model_verdict(unsigned have, unsigned need)
{
    if ((have & need) == need)
        return TRUST_MAY;
    return have & TRUST_see ? TRUST_DENIED : TRUST_HIDDEN;
}

/* One peer and one tube, all rights, of jobs of three submitters. */
static void model_compare(const struct trust_peer *peer, const char *name)
{
    bool guarded = false;
    for (size_t i = 0; i < model.settings.guarded_count; i++)
        guarded = guarded || strcmp(model.guarded[i], name) == 0;
    struct answer answer = model_answer(peer, name, guarded);
    struct trust_view view;
    trust_view_of(&view, trust, peer);
    uint16_t class = trust_tube_class(trust, name, strlen(name));
    expect(trust_class_is_guarded(trust, class) == guarded, peer, name, !guarded, guarded);
    const uint32_t submitters[] = {JOB_NOBODY, peer->uid, 77};
    for (unsigned k = 0; k < 3; k++) {
        unsigned have = answer.tube;
        if (k == 1 && peer->uid != JOB_NOBODY)
            have |= (have & TRUST_see_own ? TRUST_see : 0u) |
                    (have & TRUST_read_own ? TRUST_read : 0u) |
                    (have & TRUST_edit_own ? TRUST_edit : 0u);
        unsigned found = trust_rights_on(&view, class, submitters[k]);
        expect(found == have, peer, name, found, have);
        for (unsigned bit = 0; bit < TRUST_RIGHT_COUNT; bit++)
            expect(trust_ask(&view, class, (trust_rights)(1u << bit), submitters[k]) ==
                       model_verdict(have, 1u << bit),
                   peer, name, found, have);
    }
    expect(view.server == answer.server, peer, name, view.server, answer.server);
    const unsigned server[] = {TRUST_monitor, TRUST_admin};
    for (unsigned k = 0; k < 2; k++)
        expect(trust_may_server(&view, (trust_rights)server[k]) ==
                   ((answer.server & server[k]) != 0),
               peer, name, view.server, answer.server);
}

START_TEST(table_is_what_the_model_says)
{
    const char *given = getenv("HILERA_SEED");
    seed = given != NULL ? strtoull(given, NULL, 10) : hash_random_seed();
    printf("# HILERA_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    int rounds = unit_rounds(10000);
    for (int round = 0; round < rounds; round++) {
        model_make();
        make(&model.settings);
        for (unsigned k = 0; k < 12; k++) {
            gid_t groups[2] = {chance(6), chance(6)};
            const struct trust_peer peer = {.door = (enum trust_door)chance(TRUST_DOOR_COUNT),
                                            .uid = chance(6) == 0 ? JOB_NOBODY : chance(6),
                                            .groups = groups,
                                            .group_count = chance(3)};
            char name[8];
            if (chance(4) == 0)
                strcpy(name, model.guard[chance(MODEL_GUARDED)]);
            else
                random_name(name, "abc");
            model_compare(&peer, name);
        }
        trust_free(&trust);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("trust_model");
    TCase *random = tcase_create("model");
    tcase_add_test(random, table_is_what_the_model_says);
    suite_add_tcase(suite, random);
    return unit_main(suite);
}
