// SPDX-License-Identifier: MIT
/*
 * The rules that stand without being written.
 *
 *   builtin-owner          root and the daemon's own user: all, everywhere, over the Unix socket
 *   builtin-loopback       the same two over loopback: what beanstalkd lets everybody do
 *   builtin-group          members of the daemon's group, where there is one: operator
 *   builtin-anyone         access = beanstalkd: everybody on this machine, as with beanstalkd
 *   builtin-command-users  command_users of the configuration: submit and run, in guarded tubes too
 *
 * A section named builtin-group stands in place of that rule. builtin-jobs, for the user that jobs'
 * programs have, gives nothing until a section of that name does.
 */
#include "trust/trust_priv.h"

#include <string.h>

static const char *const every_tube[] = {"*"};

static trust_rights word_rights(const char *word)
{
    trust_rights rights = 0;
    (void)trust_rights_parse(word, &rights, NULL);
    return rights;
}

static bool is_replaced(const struct trust_settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->rule_count; i++)
        if (strcmp(settings->rules[i].name, name) == 0)
            return true;
    return false;
}

static int owner_add(struct rules *rules, const struct trust_settings *settings)
{
    const uint32_t owners[] = {0, settings->daemon_uid};
    struct trust_rule rule = {.name = TRUST_BUILTIN_PREFIX "owner",
                              .users = owners,
                              .user_count = settings->daemon_uid != 0 ? 2 : 1,
                              .doors = 1u << TRUST_UNIX,
                              .tubes = every_tube,
                              .tube_count = 1,
                              .guarded = true,
                              .may = TRUST_EVERYTHING};
    int rc = rules_add(rules, &rule);
    if (rc != 0)
        return rc;
    rule.name = TRUST_BUILTIN_PREFIX "loopback";
    rule.doors = 1u << TRUST_LOOPBACK;
    rule.guarded = false;
    rule.may = word_rights("beanstalk");
    return rules_add(rules, &rule);
}

static int others_add(struct rules *rules, const struct trust_settings *settings)
{
    struct trust_rule rule = {.tubes = every_tube, .tube_count = 1};
    int rc = 0;
    if (settings->group != NULL && !is_replaced(settings, TRUST_BUILTIN_GROUP)) {
        rule.name = TRUST_BUILTIN_GROUP;
        rule.groups = settings->group;
        rule.group_count = 1;
        rule.may = word_rights("operator");
        rc = rules_add(rules, &rule);
        rule.group_count = 0;
    }
    if (rc == 0 && settings->beanstalkd) {
        rule.name = TRUST_BUILTIN_PREFIX "anyone";
        rule.anyone = true;
        rule.may = word_rights("beanstalk");
        rc = rules_add(rules, &rule);
        rule.anyone = false;
    }
    if (rc == 0 && (settings->command_user_count > 0 || settings->command_group_count > 0)) {
        rule.name = TRUST_BUILTIN_PREFIX "command-users";
        rule.users = settings->command_users;
        rule.user_count = settings->command_user_count;
        rule.groups = settings->command_groups;
        rule.group_count = settings->command_group_count;
        rule.guarded = true;
        rule.may = (trust_rights)(word_rights("submit") | TRUST_run);
        rc = rules_add(rules, &rule);
    }
    return rc;
}

int builtin_add(struct rules *rules, const struct trust_settings *settings)
{
    int rc = owner_add(rules, settings);
    return rc != 0 ? rc : others_add(rules, settings);
}
