// SPDX-License-Identifier: MIT
// Who may do what: words, rules, classes of tubes and peers, views, the question; and the whole
// table against a model of a few lines, for random rules, peers and tubes.

#include "trust/trust.h"
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAEMON_UID 900

static struct trust *trust;

static struct trust *made(const struct trust_settings *settings)
{
    struct trust *table = NULL;
    char why[256] = "";
    int rc = trust_new(&table, settings, why, sizeof(why));
    ck_assert_msg(rc == 0, "%s", why);
    return table;
}

// The table of a few rules, without any others but the built-in ones.
static void make(const struct trust_rule *rules, size_t count, const char *const *guarded,
                 size_t guarded_count)
{
    const struct trust_settings settings = {.rules = rules,
                                            .rule_count = count,
                                            .guarded = guarded,
                                            .guarded_count = guarded_count,
                                            .daemon_uid = DAEMON_UID};
    trust = made(&settings);
}

static void drop(void)
{
    trust_free(&trust);
}

static struct trust_view view_of(enum trust_door door, uint32_t uid)
{
    struct trust_view view;
    const struct trust_peer peer = {.door = door, .uid = uid};
    trust_view_of(&view, trust, &peer);
    return view;
}

static uint16_t class_of(const char *tube)
{
    return trust_tube_class(trust, tube, strlen(tube));
}

static enum trust_verdict ask(struct trust_view view, const char *tube, trust_rights need)
{
    return trust_ask(&view, class_of(tube), need, JOB_NOBODY);
}

#define MAY(view, tube, need) ck_assert_int_eq(ask(view, tube, need), TRUST_MAY)
#define DENIED(view, tube, need) ck_assert_int_eq(ask(view, tube, need), TRUST_DENIED)
#define HIDDEN(view, tube, need) ck_assert_int_eq(ask(view, tube, need), TRUST_HIDDEN)

/* ---- words ---- */

START_TEST(words_and_bundles)
{
    trust_rights rights;
    bool bundle;
    ck_assert_int_eq(trust_rights_parse("read-own", &rights, &bundle), 0);
    ck_assert_uint_eq(rights, TRUST_read_own);
    ck_assert(!bundle);
    ck_assert_int_eq(trust_rights_parse("submit", &rights, &bundle), 0);
    ck_assert_uint_eq(rights, TRUST_put | TRUST_see_own | TRUST_read_own | TRUST_edit_own);
    ck_assert(bundle);
    ck_assert_int_eq(trust_rights_parse("operator", &rights, NULL), 0);
    ck_assert_uint_eq(rights & (TRUST_run | TRUST_admin), 0);
    ck_assert_int_eq(trust_rights_parse("all", &rights, NULL), 0);
    ck_assert_uint_eq(rights, TRUST_EVERYTHING);
    ck_assert_int_eq(trust_rights_parse("see_own", &rights, NULL), ENOENT);
    ck_assert_int_eq(trust_rights_parse("", &rights, NULL), ENOENT);
    char text[TRUST_RIGHTS_TEXT];
    trust_rights_text(TRUST_see | TRUST_edit_own, text, sizeof(text));
    ck_assert_str_eq(text, "see, edit-own");
    trust_rights_text(0, text, sizeof(text));
    ck_assert_str_eq(text, "nothing");
    trust_rights_text(TRUST_EVERYTHING, text, sizeof(text));
    ck_assert_uint_lt(strlen(text), sizeof(text) - 1);
    enum trust_door door;
    ck_assert_int_eq(trust_door_parse("loopback", &door), 0);
    ck_assert_int_eq(door, TRUST_LOOPBACK);
    ck_assert_int_eq(trust_door_parse("http", &door), ENOENT);
}
END_TEST

/* ---- what holds without a rule ---- */

START_TEST(default_is_no)
{
    static const char *const guarded[] = {"commands"};
    make(NULL, 0, guarded, 1);
    struct trust_view zeroed = {.trust = NULL};
    HIDDEN(zeroed, "a", TRUST_see);
    ck_assert(trust_may_nothing(&zeroed));
    ck_assert(!trust_may_server(&zeroed, TRUST_monitor));
    for (unsigned door = 0; door < TRUST_DOOR_COUNT; door++) {
        struct trust_view stranger = view_of((enum trust_door)door, 1000);
        struct trust_view nobody = view_of((enum trust_door)door, JOB_NOBODY);
        ck_assert(trust_may_nothing(&stranger));
        ck_assert(trust_may_nothing(&nobody));
        for (unsigned bit = 0; bit < TRUST_RIGHT_COUNT; bit++) {
            HIDDEN(stranger, "a", (trust_rights)(1u << bit));
            HIDDEN(nobody, "commands", (trust_rights)(1u << bit));
        }
    }
    drop();
}
END_TEST

START_TEST(owners_have_all_on_the_unix_socket)
{
    static const char *const guarded[] = {"commands"};
    make(NULL, 0, guarded, 1);
    const uint32_t owners[] = {0, DAEMON_UID};
    for (unsigned i = 0; i < 2; i++) {
        struct trust_view view = view_of(TRUST_UNIX, owners[i]);
        MAY(view, "a", TRUST_TUBE_RIGHTS);
        MAY(view, "commands", TRUST_TUBE_RIGHTS);
        ck_assert(trust_may_server(&view, TRUST_SERVER_RIGHTS));
        view = view_of(TRUST_LOOPBACK, owners[i]);
        MAY(view, "a", TRUST_see | TRUST_read | TRUST_put | TRUST_work | TRUST_edit | TRUST_pause);
        DENIED(view, "a", TRUST_run);
        HIDDEN(view, "commands", TRUST_see);
        ck_assert(trust_may_server(&view, TRUST_monitor));
        ck_assert(!trust_may_server(&view, TRUST_admin));
        view = view_of(TRUST_NETWORK, owners[i]);
        ck_assert(trust_may_nothing(&view));
    }
    drop();
}
END_TEST

START_TEST(all_may_all)
{
    ck_assert_int_eq(trust_ask(&trust_all, 0, TRUST_TUBE_RIGHTS, 5), TRUST_MAY);
    ck_assert_int_eq(trust_ask(&trust_all, TRUST_CLASSES_MAX - 1, TRUST_TUBE_RIGHTS, JOB_NOBODY),
                     TRUST_MAY);
    ck_assert(trust_may_server(&trust_all, TRUST_SERVER_RIGHTS));
    ck_assert(!trust_may_nothing(&trust_all));
    ck_assert_uint_eq(trust_all.uid, JOB_NOBODY);
    ck_assert_uint_eq(trust_tube_class(NULL, "x", 1), 0);
    ck_assert(!trust_class_is_guarded(NULL, 0));
}
END_TEST

START_TEST(group_is_operator_and_can_be_replaced)
{
    static const gid_t group = 55;
    static const char *const guarded[] = {"commands"};
    struct trust_settings settings = {
        .guarded = guarded, .guarded_count = 1, .daemon_uid = DAEMON_UID, .group = &group};
    const struct trust_peer member = {
        .door = TRUST_UNIX, .uid = 1000, .groups = &group, .group_count = 1};
    struct trust_view view;
    trust = made(&settings);
    trust_view_of(&view, trust, &member);
    MAY(view, "a", TRUST_see | TRUST_read | TRUST_put | TRUST_work | TRUST_edit | TRUST_pause);
    HIDDEN(view, "commands", TRUST_see);
    ck_assert(trust_may_server(&view, TRUST_monitor));
    ck_assert(!trust_may_server(&view, TRUST_admin));
    drop();

    static const char *const tubes[] = {"a"};
    const struct trust_rule instead = {.name = TRUST_BUILTIN_GROUP,
                                       .groups = &group,
                                       .group_count = 1,
                                       .tubes = tubes,
                                       .tube_count = 1,
                                       .may = TRUST_see};
    settings.rules = &instead;
    settings.rule_count = 1;
    trust = made(&settings);
    trust_view_of(&view, trust, &member);
    MAY(view, "a", TRUST_see);
    DENIED(view, "a", TRUST_put);
    HIDDEN(view, "b", TRUST_see);
    ck_assert(!trust_may_server(&view, TRUST_monitor));
    drop();
}
END_TEST

START_TEST(as_beanstalkd)
{
    static const char *const guarded[] = {"commands"};
    const struct trust_settings settings = {
        .guarded = guarded, .guarded_count = 1, .daemon_uid = DAEMON_UID, .beanstalkd = true};
    trust = made(&settings);
    const uint32_t uids[] = {1000, JOB_NOBODY};
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned door = TRUST_UNIX; door <= TRUST_LOOPBACK; door++) {
            struct trust_view view = view_of((enum trust_door)door, uids[i]);
            MAY(view, "a",
                TRUST_see | TRUST_read | TRUST_put | TRUST_work | TRUST_edit | TRUST_pause);
            HIDDEN(view, "commands", TRUST_see);
            ck_assert(trust_may_server(&view, TRUST_monitor));
            ck_assert(!trust_may_server(&view, TRUST_admin));
        }
        struct trust_view view = view_of(TRUST_NETWORK, uids[i]);
        ck_assert(trust_may_nothing(&view));
    }
    drop();
}
END_TEST

START_TEST(plain_doors_need_no_names)
{
    static const char *const all[] = {"*"}, *const some[] = {"a*"};
    static const uint32_t users[] = {1000};
    const struct trust_settings open = {.daemon_uid = DAEMON_UID, .beanstalkd = true};
    trust = made(&open);
    ck_assert(!trust_door_is_plain(trust, TRUST_UNIX));
    ck_assert(trust_door_is_plain(trust, TRUST_LOOPBACK)); /* the owners may no more there */
    ck_assert(trust_door_is_plain(trust, TRUST_NETWORK));  /* nobody may a thing */
    drop();
    make(NULL, 0, NULL, 0);
    ck_assert(!trust_door_is_plain(trust, TRUST_LOOPBACK));
    drop();

    struct trust_rule rule = {.name = "r",
                              .users = users,
                              .user_count = 1,
                              .tubes = some,
                              .tube_count = 1,
                              .may = TRUST_see | TRUST_run | TRUST_admin};
    struct trust_settings settings = open;
    settings.rules = &rule;
    settings.rule_count = 1;
    trust = made(&settings);
    ck_assert(trust_door_is_plain(trust, TRUST_LOOPBACK)); /* these don't come over TCP */
    drop();
    rule.may = TRUST_see | TRUST_put | TRUST_edit_own;
    trust = made(&settings);
    ck_assert(trust_door_is_plain(trust, TRUST_LOOPBACK)); /* all may edit all */
    drop();
    settings.beanstalkd = false;
    trust = made(&settings);
    ck_assert(!trust_door_is_plain(trust, TRUST_LOOPBACK));
    drop();
    /* whoever it is may put, and see his own: it does matter who it is */
    const struct trust_rule anyone = {.name = "r",
                                      .anyone = true,
                                      .doors = 1u << TRUST_NETWORK,
                                      .tubes = all,
                                      .tube_count = 1,
                                      .may = TRUST_put};
    make(&anyone, 1, NULL, 0);
    ck_assert(!trust_door_is_plain(trust, TRUST_NETWORK));
    drop();
}
END_TEST

START_TEST(command_users_submit_and_run)
{
    static const uint32_t users[] = {1000};
    static const char *const guarded[] = {"commands"};
    const struct trust_settings settings = {.guarded = guarded,
                                            .guarded_count = 1,
                                            .daemon_uid = DAEMON_UID,
                                            .command_users = users,
                                            .command_user_count = 1};
    trust = made(&settings);
    struct trust_view view = view_of(TRUST_UNIX, 1000);
    MAY(view, "commands", TRUST_put | TRUST_run);
    HIDDEN(view, "commands", TRUST_read);
    ck_assert_int_eq(trust_ask(&view, class_of("commands"), TRUST_read | TRUST_edit, 1000),
                     TRUST_MAY);
    ck_assert_int_eq(trust_ask(&view, class_of("commands"), TRUST_edit, 1001), TRUST_HIDDEN);
    view = view_of(TRUST_LOOPBACK, 1000);
    HIDDEN(view, "commands", TRUST_put);
    ck_assert_int_eq(trust_ask(&view, class_of("commands"), TRUST_edit, 1000), TRUST_DENIED);
    drop();
}
END_TEST

/* ---- rules ---- */

START_TEST(guarded_needs_the_word_and_run)
{
    static const char *const guarded[] = {"commands", "made-up"};
    static const char *const all[] = {"*"};
    static const uint32_t users[] = {1000, 1001};
    const struct trust_rule rules[] = {
        {.name = "plain",
         .users = users,
         .user_count = 2,
         .tubes = all,
         .tube_count = 1,
         .may = TRUST_EVERYTHING},
        {.name = "guarded",
         .users = users,
         .user_count = 1,
         .tubes = guarded,
         .tube_count = 1,
         .guarded = true,
         .may = TRUST_see | TRUST_put | TRUST_edit},
    };
    make(rules, 2, guarded, 2);
    ck_assert(trust_class_is_guarded(trust, class_of("commands")));
    ck_assert(!trust_class_is_guarded(trust, class_of("command")));
    struct trust_view first = view_of(TRUST_UNIX, 1000), second = view_of(TRUST_UNIX, 1001);
    MAY(first, "command", TRUST_put | TRUST_edit | TRUST_run);
    MAY(first, "commands", TRUST_see);
    DENIED(first, "commands", TRUST_put);
    DENIED(first, "commands", TRUST_edit);
    HIDDEN(first, "made-up", TRUST_see);
    HIDDEN(second, "commands", TRUST_see);
    ck_assert(trust_may_server(&first, TRUST_admin));
    drop();
}
END_TEST

START_TEST(server_rights_come_with_all_tubes)
{
    static const char *const all[] = {"*"}, *const some[] = {"a-*"};
    static const uint32_t users[] = {1, 2, 3};
    const struct trust_rule rules[] = {
        {.name = "all",
         .users = &users[0],
         .user_count = 1,
         .tubes = all,
         .tube_count = 1,
         .may = TRUST_see | TRUST_monitor},
        {.name = "some",
         .users = &users[1],
         .user_count = 1,
         .tubes = some,
         .tube_count = 1,
         .may = TRUST_see | TRUST_monitor | TRUST_admin},
        {.name = "alone", .users = &users[2], .user_count = 1, .may = TRUST_monitor},
    };
    make(rules, 3, NULL, 0);
    struct trust_view view = view_of(TRUST_UNIX, 1);
    ck_assert(trust_may_server(&view, TRUST_monitor));
    view = view_of(TRUST_UNIX, 2);
    ck_assert(!trust_may_server(&view, TRUST_monitor));
    ck_assert(!trust_may_server(&view, TRUST_admin));
    MAY(view, "a-1", TRUST_see);
    view = view_of(TRUST_UNIX, 3);
    ck_assert(trust_may_server(&view, TRUST_monitor));
    HIDDEN(view, "a-1", TRUST_see);
    ck_assert(!trust_may_nothing(&view));
    drop();
}
END_TEST

START_TEST(own_jobs_are_ones_own)
{
    static const char *const all[] = {"*"};
    const struct trust_rule rule = {.name = "anyone",
                                    .anyone = true,
                                    .tubes = all,
                                    .tube_count = 1,
                                    .may = TRUST_put | TRUST_read_own | TRUST_edit_own};
    make(&rule, 1, NULL, 0);
    struct trust_view view = view_of(TRUST_UNIX, 1000), nobody = view_of(TRUST_UNIX, JOB_NOBODY);
    ck_assert_int_eq(trust_ask(&view, class_of("a"), TRUST_see | TRUST_read | TRUST_edit, 1000),
                     TRUST_MAY);
    ck_assert_int_eq(trust_ask(&view, class_of("a"), TRUST_work, 1000), TRUST_DENIED);
    ck_assert_int_eq(trust_ask(&view, class_of("a"), TRUST_see, 1001), TRUST_HIDDEN);
    ck_assert_int_eq(trust_ask(&view, class_of("a"), TRUST_see, JOB_NOBODY), TRUST_HIDDEN);
    ck_assert_int_eq(trust_ask(&nobody, class_of("a"), TRUST_see, JOB_NOBODY), TRUST_HIDDEN);
    ck_assert_int_eq(trust_ask(&nobody, class_of("a"), TRUST_put, JOB_NOBODY), TRUST_MAY);
    ck_assert(trust_may_any(&nobody, class_of("a"), TRUST_put | TRUST_see));
    ck_assert(!trust_may_any(&nobody, class_of("a"), TRUST_see));
    drop();
}
END_TEST

START_TEST(network_must_be_named)
{
    static const char *const all[] = {"*"};
    const struct trust_rule rules[] = {
        {.name = "here", .anyone = true, .tubes = all, .tube_count = 1, .may = TRUST_see},
        {.name = "there",
         .anyone = true,
         .doors = 1u << TRUST_NETWORK,
         .tubes = all,
         .tube_count = 1,
         .may = TRUST_see | TRUST_put | TRUST_run | TRUST_admin},
    };
    make(rules, 1, NULL, 0);
    struct trust_view view = view_of(TRUST_NETWORK, JOB_NOBODY);
    ck_assert(trust_may_nothing(&view));
    drop();
    make(rules, 2, NULL, 0);
    view = view_of(TRUST_NETWORK, JOB_NOBODY);
    MAY(view, "a", TRUST_see | TRUST_put);
    DENIED(view, "a", TRUST_run);
    ck_assert(!trust_may_server(&view, TRUST_admin));
    view = view_of(TRUST_UNIX, 1000);
    MAY(view, "a", TRUST_see);
    DENIED(view, "a", TRUST_put);
    drop();
}
END_TEST

/* ---- tubes ---- */

START_TEST(patterns_fit_as_they_read)
{
    static const char *const tubes[] = {"a-*", "*-b", "x?z", "whole", "*mid*dle*"};
    struct trust_rule rules[5];
    static const uint32_t users[] = {0, 1, 2, 3, 4, 5};
    for (unsigned i = 0; i < 5; i++)
        rules[i] = (struct trust_rule){.name = tubes[i],
                                       .users = &users[i + 1],
                                       .user_count = 1,
                                       .tubes = &tubes[i],
                                       .tube_count = 1,
                                       .may = TRUST_see};
    make(rules, 5, NULL, 0);
    static const struct {
        unsigned rule;
        const char *fits, *doesnt;
    } cases[] = {{0, "a-", "a"},           {0, "a-b", "ba-"},          {1, "-b", "b"},
                 {1, "a-b-b", "a-b-"},     {2, "xyz", "xyyz"},         {2, "x-z", "xz"},
                 {3, "whole", "whole-"},   {3, "whole", "whol"},       {4, "middle", "dlemid"},
                 {4, "a-mid-dle-b", "mi"}, {4, "midmidle.dle", "midd"}};
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct trust_view view = view_of(TRUST_UNIX, cases[i].rule + 1);
        MAY(view, cases[i].fits, TRUST_see);
        HIDDEN(view, cases[i].doesnt, TRUST_see);
    }
    /* Bytes that no name has are like those that no pattern names. */
    struct trust_view view = view_of(TRUST_UNIX, 3);
    ck_assert_int_eq(trust_ask(&view, trust_tube_class(trust, "x\0z", 3), TRUST_see, JOB_NOBODY),
                     TRUST_MAY);
    ck_assert_int_eq(trust_ask(&view, trust_tube_class(trust, "*", 1), TRUST_see, JOB_NOBODY),
                     TRUST_HIDDEN);
    drop();
}
END_TEST

START_TEST(too_many_classes_are_refused)
{
    struct trust_rule rules[16];
    char text[16][8];
    const char *tubes[16];
    for (unsigned i = 0; i < 16; i++) {
        snprintf(text[i], sizeof(text[i]), "*%c*", 'a' + (int)i);
        tubes[i] = text[i];
        rules[i] = (struct trust_rule){
            .name = text[i], .anyone = true, .tubes = &tubes[i], .tube_count = 1, .may = TRUST_see};
    }
    struct trust_settings settings = {.rules = rules, .rule_count = 11, .daemon_uid = DAEMON_UID};
    trust = made(&settings);
    ck_assert_uint_ge(trust_class_count(trust), 2048);
    drop();
    char why[256];
    for (settings.rule_count = 13; settings.rule_count <= 16; settings.rule_count += 3) {
        why[0] = '\0';
        ck_assert_int_eq(trust_new(&trust, &settings, why, sizeof(why)), E2BIG);
        ck_assert_ptr_nonnull(strstr(why, "too many ways"));
    }
    static struct trust_rule many[TRUST_RULES_MAX + 1];
    for (unsigned i = 0; i <= TRUST_RULES_MAX; i++)
        many[i] = rules[0];
    settings.rules = many;
    settings.rule_count = TRUST_RULES_MAX;
    trust = made(&settings);
    drop();
    settings.rule_count = TRUST_RULES_MAX + 1;
    ck_assert_int_eq(trust_new(&trust, &settings, why, sizeof(why)), E2BIG);
    ck_assert_ptr_nonnull(strstr(why, "250"));
}
END_TEST

/* ---- users that aren't there ---- */

START_TEST(uids_are_looked_up_with_their_groups)
{
    gid_t *groups;
    size_t count;
    ck_assert_int_eq(trust_groups_of_uid(4000000000u, &groups, &count), 0);
    ck_assert_uint_eq(count, 0);
    free(groups);
    ck_assert_int_eq(trust_groups_of_uid(0, &groups, &count), 0);
    bool found = false;
    for (size_t i = 0; i < count; i++)
        found = found || groups[i] == 0;
    ck_assert(found);
    free(groups);

    static const gid_t root = 0;
    static const char *const all[] = {"*"};
    const struct trust_rule rule = {.name = "root's",
                                    .groups = &root,
                                    .group_count = 1,
                                    .doors = 1u << TRUST_UNIX | 1u << TRUST_LOOPBACK,
                                    .tubes = all,
                                    .tube_count = 1,
                                    .guarded = true,
                                    .may = TRUST_see | TRUST_run};
    make(&rule, 1, NULL, 0);
    struct trust_view view;
    ck_assert_int_eq(trust_view_of_uid(&view, trust, 0), 0);
    MAY(view, "a", TRUST_run);
    ck_assert_int_eq(trust_view_of_uid(&view, trust, 4000000000u), 0);
    HIDDEN(view, "a", TRUST_run);
    ck_assert_int_eq(trust_view_of_uid(&view, trust, JOB_NOBODY), 0);
    ck_assert(trust_may_nothing(&view));
    drop();
}
END_TEST

/* ---- what people are told ---- */

START_TEST(denials_name_the_line)
{
    static const char *const guarded[] = {"commands"};
    make(NULL, 0, guarded, 1);
    char why[TRUST_WHY_MAX];
    struct trust_view view = view_of(TRUST_UNIX, 1000);
    trust_deny_text(why, sizeof(why), &view, TRUST_edit, "mail");
    ck_assert_str_eq(why,
                     "uid 1000 over the Unix socket has no right to edit in the tube \"mail\"; "
                     "what would allow it: acl \"NAME\" { users = {\"1000\"} "
                     "tubes = {\"mail\"} may = {\"edit\"} }");
    trust_deny_text(why, sizeof(why), &view, TRUST_put, "commands");
    ck_assert_ptr_nonnull(strstr(why, "may = {\"put\", \"run\"} guarded = yes }"));
    trust_deny_text(why, sizeof(why), &view, TRUST_admin, NULL);
    ck_assert_ptr_nonnull(strstr(why, "has no right to admin; "));
    ck_assert_ptr_nonnull(strstr(why, "tubes = {\"*\"} may = {\"admin\"} }"));
    view = view_of(TRUST_NETWORK, JOB_NOBODY);
    trust_deny_text(why, sizeof(why), &view, TRUST_put, "mail");
    ck_assert_ptr_nonnull(strstr(why, "anyone = yes doors = {\"network\"} tubes = {\"mail\"}"));
    view = view_of(TRUST_LOOPBACK, 1000);
    trust_deny_text(why, sizeof(why), &view, TRUST_put, "commands");
    ck_assert_ptr_nonnull(strstr(why, "no acl section can: run is for the Unix socket only"));
    memset(why, 'x', sizeof(why));
    trust_deny_text(why, 10, &view, TRUST_put, "commands");
    ck_assert_uint_eq(strlen(why), 9);
    ck_assert_int_eq(why[10], 'x');
    drop();
}
END_TEST

START_TEST(rules_tell_what_they_give)
{
    static const char *const guarded[] = {"commands"}, *const all[] = {"*"};
    static const uint32_t users[] = {1000};
    const struct trust_rule rule = {.name = "deploy",
                                    .users = users,
                                    .user_count = 1,
                                    .tubes = all,
                                    .tube_count = 1,
                                    .may = TRUST_put | TRUST_monitor | TRUST_run};
    make(&rule, 1, guarded, 1);
    size_t count = trust_rule_count(trust);
    const struct trust_rule *kept = trust_rule_at(trust, count - 1);
    ck_assert_str_eq(kept->name, "deploy");
    ck_assert_str_eq(trust_rule_at(trust, 0)->name, "builtin-owner");
    const struct trust_peer peer = {.door = TRUST_UNIX, .uid = 1000};
    ck_assert(trust_rule_fits(kept, &peer));
    ck_assert(!trust_rule_fits(trust_rule_at(trust, 0), &peer));
    ck_assert_uint_eq(trust_rule_gives(trust, kept, TRUST_UNIX, "a"),
                      TRUST_put | TRUST_see_own | TRUST_run);
    ck_assert_uint_eq(trust_rule_gives(trust, kept, TRUST_LOOPBACK, "a"),
                      TRUST_put | TRUST_see_own);
    ck_assert_uint_eq(trust_rule_gives(trust, kept, TRUST_UNIX, "commands"), 0);
    ck_assert_uint_eq(trust_rule_gives(trust, kept, TRUST_UNIX, NULL), TRUST_monitor);
    drop();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("trust");
    TCase *rules = tcase_create("rules");
    tcase_add_test(rules, words_and_bundles);
    tcase_add_test(rules, default_is_no);
    tcase_add_test(rules, owners_have_all_on_the_unix_socket);
    tcase_add_test(rules, all_may_all);
    tcase_add_test(rules, group_is_operator_and_can_be_replaced);
    tcase_add_test(rules, as_beanstalkd);
    tcase_add_test(rules, plain_doors_need_no_names);
    tcase_add_test(rules, command_users_submit_and_run);
    tcase_add_test(rules, guarded_needs_the_word_and_run);
    tcase_add_test(rules, server_rights_come_with_all_tubes);
    tcase_add_test(rules, own_jobs_are_ones_own);
    tcase_add_test(rules, network_must_be_named);
    tcase_add_test(rules, patterns_fit_as_they_read);
    tcase_add_test(rules, too_many_classes_are_refused);
    tcase_add_test(rules, uids_are_looked_up_with_their_groups);
    tcase_add_test(rules, denials_name_the_line);
    tcase_add_test(rules, rules_tell_what_they_give);
    suite_add_tcase(suite, rules);
    return unit_main(suite);
}
