// SPDX-License-Identifier: MIT
/*
 * Who may what, as this daemon has it: the acl sections, what the form of the daemon adds to them,
 * and the tubes that are guarded.
 *
 * Forms: a daemon that a user has started is that user's alone, and listens on its Unix socket only
 * unless it is told otherwise. One that root has started, with -u or without, or that runs under
 * the group "hilera" (the system's service), knows that group's members as operators.
 */
#include "daemon/access_priv.h"
#include "daemon/user_priv.h"

#include "base/log.h"
#include "config/config.h"
#include "net/net.h"
#include "trust/trust.h"
#include "worker/worker.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the form ---- */

static bool group_find(gid_t *gid)
{
    const struct group *group = getgrnam(ACL_GROUP);
    if (group == NULL)
        return false;
    *gid = group->gr_gid;
    return true;
}

bool access_is_personal(void)
{
    gid_t gid;
    return geteuid() != 0 && !(group_find(&gid) && gid == getegid());
}

/* ---- guarded tubes ---- */

/* Copies of names, with room for all there could be. */
struct names {
    char **name;
    size_t count;
};

static void names_free(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->name[i]);
    free(names->name);
}

static int names_add(struct names *names, const char *text, size_t len)
{
    char *copy = strndup(text, len);
    if (copy == NULL)
        return ENOMEM;
    names->name[names->count++] = copy;
    return 0;
}

static int pool_guards(struct names *names, const struct config_pool *pool)
{
    char why[512];
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < pool->tubes.count; i++) {
        size_t len;
        uint32_t weight;
        if (worker_tube_parse(pool->tubes.item[i], &len, &weight, why, sizeof(why)) == 0)
            rc = names_add(names, pool->tubes.item[i], len);
    }
    return rc;
}

/* Those of pools whose jobs say what is run, and those that are marked. */
static int guarded_list(struct names *names, const struct config *config)
{
    size_t most = config->tube_count;
    for (size_t i = 0; i < config->pool_count; i++)
        most += config->pool[i].tubes.count;
    *names = (struct names){calloc(most + 1, sizeof(*names->name)), 0};
    int rc = names->name != NULL ? 0 : ENOMEM;
    for (size_t i = 0; rc == 0 && i < config->pool_count; i++) {
        const struct handler *handler = handler_find(config->pool[i].handler);
        if (handler != NULL && handler->guarded)
            rc = pool_guards(names, &config->pool[i]);
    }
    for (size_t i = 0; rc == 0 && i < config->tube_count; i++)
        if (config->tube[i].guarded != 0)
            rc = names_add(names, config->tube[i].name, strlen(config->tube[i].name));
    return rc;
}

/* ---- the table ---- */

int access_build(struct trust **out, const struct config *config, const struct user *user)
{
    struct acl_rules rules = {.count = 0};
    struct names guarded = {NULL, 0};
    gid_t group;
    bool grouped = !access_is_personal() && group_find(&group);
    char why[512] = "out of memory";
    int rc = acl_rules_make(&rules, config);
    if (rc == 0)
        rc = guarded_list(&guarded, config);
    const struct trust_settings settings = {.rules = rules.rule,
                                            .rule_count = rules.count,
                                            .guarded = (const char *const *)guarded.name,
                                            .guarded_count = guarded.count,
                                            .daemon_uid = user->change ? user->uid : geteuid(),
                                            .beanstalkd = config->access == CONFIG_BEANSTALKD,
                                            .group = grouped ? &group : NULL,
                                            .command_users = rules.command_users,
                                            .command_user_count = rules.command_user_count,
                                            .command_groups = rules.command_groups,
                                            .command_group_count = rules.command_group_count};
    if (rc == 0)
        rc = trust_new(out, &settings, why, sizeof(why));
    if (rc != 0)
        log_error("who may what: %s", why);
    acl_rules_free(&rules);
    names_free(&guarded);
    return rc;
}

void access_log(const struct config *config)
{
    if (config->command_users.count > 0)
        log_notice(
            "command_users is kept for one more version; in its place say: acl \"commands\" "
            "{ users = {\"%s\"%s} tubes = {\"*\"} may = {\"submit\", \"run\"} guarded = yes }",
            config->command_users.item[0], config->command_users.count > 1 ? ", ..." : "");
    if (config->access == CONFIG_BEANSTALKD)
        log_notice("access = beanstalkd: everybody on this machine may use every tube but guarded "
                   "ones");
    for (size_t i = 0; config->insecure != 0 && i < config->listen.count; i++) {
        struct config_address address;
        const char *why;
        if (config_address_parse(config->listen.item[i], &address, &why) == 0 &&
            !config_address_is_local(&address))
            log_warning("%s: other machines reach this address, in plain text, as insecure = yes "
                        "allows",
                        config->listen.item[i]);
    }
}

/* ---- the sockets' files ---- */

struct net_owner access_socket_owner(const struct user *user)
{
    gid_t group;
    if (user->change)
        return (struct net_owner){.uid = user->uid, .gid = user->gid, .give = true};
    if (geteuid() == 0 && group_find(&group))
        return (struct net_owner){.uid = 0, .gid = group, .share = true};
    return (struct net_owner){.uid = geteuid(), .gid = getegid()};
}

/* Others than the owners and the group "hilera": all that is written, and access = beanstalkd. And
 * that group, where the file has another. */
static bool is_for_others(const struct trust_rule *rule, gid_t gid)
{
    bool over_unix = rule->doors == 0 || (rule->doors & 1u << TRUST_UNIX) != 0;
    if (!over_unix || rule->may == 0 || strcmp(rule->name, TRUST_BUILTIN_PREFIX "owner") == 0)
        return false;
    return strcmp(rule->name, TRUST_BUILTIN_GROUP) != 0 || rule->anyone || rule->user_count > 0 ||
           rule->group_count != 1 || rule->groups[0] != gid;
}

mode_t access_socket_mode(const struct config *config, const struct trust *trust,
                          const struct user *user)
{
    const struct net_owner owner = access_socket_owner(user);
    if (config->socket_mode != CONFIG_MODE_AUTO)
        return (mode_t)config->socket_mode;
    for (size_t i = 0; i < trust_rule_count(trust); i++)
        if (is_for_others(trust_rule_at(trust, i), owner.gid))
            return 0666;
    return 0660;
}

/* ---- for people ---- */

static void who_print(const struct trust_rule *rule)
{
    const char *between = "";
    if (rule->anyone) {
        printf("anyone");
        between = ", ";
    }
    for (size_t i = 0; i < rule->user_count; i++, between = ", ") {
        const struct passwd *user = getpwuid(rule->users[i]);
        printf("%s%s (%u)", between, user != NULL ? user->pw_name : "user", rule->users[i]);
    }
    for (size_t i = 0; i < rule->group_count; i++, between = ", ") {
        const struct group *group = getgrgid(rule->groups[i]);
        printf("%s@%s (%u)", between, group != NULL ? group->gr_name : "group", rule->groups[i]);
    }
    if (between[0] == '\0')
        printf("nobody");
}

static void doors_print(const struct trust_rule *rule)
{
    unsigned doors = rule->doors != 0 ? rule->doors : 1u << TRUST_UNIX | 1u << TRUST_LOOPBACK;
    const char *between = "";
    for (unsigned door = 0; door < TRUST_DOOR_COUNT; door++) {
        if ((doors >> door & 1) == 0)
            continue;
        printf("%s%s", between, trust_door_word((enum trust_door)door));
        between = ", ";
    }
}

static void rule_print(const struct trust_rule *rule)
{
    char rights[TRUST_RIGHTS_TEXT];
    trust_rights_text(rule->may, rights, sizeof(rights));
    printf("acl %s\n  who:   ", rule->name);
    who_print(rule);
    printf("\n  doors: ");
    doors_print(rule);
    printf("\n  tubes: ");
    for (size_t i = 0; i < rule->tube_count; i++)
        printf("%s%s", i > 0 ? ", " : "", rule->tubes[i]);
    if (rule->tube_count == 0)
        printf("none");
    printf("%s\n  may:   %s\n", rule->guarded ? ", guarded ones too" : "", rights);
}

/* NULL: it is built in. */
static const struct config_acl *section_of(const struct config *config,
                                           const struct trust_rule *rule)
{
    for (size_t i = 0; i < config->acl_count; i++)
        if (strcmp(config->acl[i].name, rule->name) == 0)
            return &config->acl[i];
    return NULL;
}

static bool reaches_any(const struct trust *trust, const struct trust_rule *rule,
                        const struct names *guarded)
{
    for (size_t i = 0; i < guarded->count; i++)
        if (trust_rule_gives(trust, rule, TRUST_UNIX, guarded->name[i]) != 0)
            return true;
    return false;
}

/* What it says without any effect: no mistake, but seldom meant. */
static void notes_print(const struct config *config, const struct trust *trust,
                        const struct trust_rule *rule, const struct names *guarded)
{
    const struct config_acl *acl = section_of(config, rule);
    if (acl == NULL)
        return;
    for (size_t i = 0; !rule->guarded && i < acl->may.count; i++)
        if (strcmp(acl->may.item[i], "run") == 0)
            puts("  note:  run has no effect without guarded = yes: it is for guarded tubes only");
    if (rule->guarded && !reaches_any(trust, rule, guarded))
        puts("  note:  guarded = yes has no effect: none of its tubes is guarded");
}

void access_print(const struct config *config, const struct trust *trust, const struct user *user)
{
    struct names guarded;
    printf("sockets: mode %04o\nguarded tubes:", (unsigned)access_socket_mode(config, trust, user));
    if (guarded_list(&guarded, config) == 0)
        for (size_t i = 0; i < guarded.count; i++)
            printf(" %s", guarded.name[i]);
    puts(guarded.count == 0 ? " none" : "");
    for (size_t i = 0; i < trust_rule_count(trust); i++) {
        rule_print(trust_rule_at(trust, i));
        notes_print(config, trust, trust_rule_at(trust, i), &guarded);
    }
    names_free(&guarded);
}
