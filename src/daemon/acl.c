// SPDX-License-Identifier: MIT
/*
 * The configuration's acl sections as rules (trust/trust.h): names become uids, gids, doors and
 * rights, and what makes no sense is a mistake with its line.
 *
 * One function reads a section, for the check as for the start; the two differ in where complaints
 * go. A user or group that doesn't exist is a mistake only where the whole file is checked: at a
 * start it is a warning, since a package's user may come later, and the rule fits the others.
 */
#include "daemon/access_priv.h"

#include "base/json.h"
#include "base/log.h"
#include "base/nearest.h"
#include "config/config.h"
#include "trust/trust.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where complaints go. */
struct complaints {
    const struct config *config;
    struct config_errors *errors; /* NULL: it was checked before, names alone are looked at */
    bool names;                   /* those that don't exist are mistakes */
};

static const char *file_name(const struct config *config)
{
    return config->file != NULL ? config->file : "built-in configuration";
}

/* ---- names ---- */

/* A user or (with @ in front) a group: a name or a number. ENOENT. */
static int name_find(const char *text, bool *is_group, uint32_t *id)
{
    uint64_t number;
    *is_group = text[0] == '@';
    text += *is_group;
    if (json_parse_u64(text, &number) == 0 && number < UINT32_MAX) {
        *id = (uint32_t)number;
        return 0;
    }
    if (*is_group) {
        const struct group *group = getgrnam(text);
        if (group == NULL)
            return ENOENT;
        *id = group->gr_gid;
        return 0;
    }
    const struct passwd *user = getpwnam(text);
    if (user == NULL)
        return ENOENT;
    *id = user->pw_uid;
    return 0;
}

static void name_unknown(const struct complaints *to, int line, const char *what, const char *text)
{
    bool group = text[0] == '@';
    static const char format[] =
        "%s: there is no %s \"%s\"; the name of one, or a number, would be "
        "right";
    if (to->errors != NULL && to->names)
        config_error(to->errors, file_name(to->config), line, format, what,
                     group ? "group" : "user", text + group);
    else if (to->errors == NULL)
        log_warning("%s:%d: %s: there is no %s \"%s\"; it fits nobody of that name",
                    file_name(to->config), line, what, group ? "group" : "user", text + group);
}

/* ---- one section ---- */

/* Its complaint, with the section in front; false, for callers to return. */
__attribute__((format(printf, 4, 5))) static bool complain(const struct complaints *to,
                                                           const struct config_acl *acl,
                                                           enum config_id id, const char *format,
                                                           ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    int line = id < CONFIG_ID_COUNT && acl->line[id] != 0 ? acl->line[id] : acl->end_line;
    if (to->errors != NULL)
        config_error(to->errors, file_name(to->config), line, "acl \"%s\": %s", acl->name, text);
    return false;
}

/* ENOMEM. */
static int users_take(const struct complaints *to, const struct config_acl *acl,
                      struct trust_rule *rule)
{
    uint32_t *users = calloc(acl->users.count + 1, sizeof(*users));
    gid_t *groups = calloc(acl->users.count + 1, sizeof(*groups));
    rule->users = users;
    rule->groups = groups;
    if (users == NULL || groups == NULL)
        return ENOMEM;
    char what[64];
    snprintf(what, sizeof(what), "acl \"%.40s\": users", acl->name);
    for (size_t i = 0; i < acl->users.count; i++) {
        bool is_group;
        uint32_t id;
        if (name_find(acl->users.item[i], &is_group, &id) != 0)
            name_unknown(to, acl->line[CONFIG_ACL_users], what, acl->users.item[i]);
        else if (is_group)
            groups[rule->group_count++] = id;
        else
            users[rule->user_count++] = id;
    }
    return 0;
}

static bool doors_take(const struct complaints *to, const struct config_acl *acl,
                       struct trust_rule *rule)
{
    for (size_t i = 0; i < acl->doors.count; i++) {
        enum trust_door door;
        if (trust_door_parse(acl->doors.item[i], &door) != 0)
            return complain(to, acl, CONFIG_ACL_doors,
                            "there is no door \"%s\"; there are unix, loopback and network",
                            acl->doors.item[i]);
        rule->doors |= 1u << door;
    }
    if (rule->doors == 1u << TRUST_NETWORK && acl->anyone == 0)
        return complain(to, acl, CONFIG_ACL_doors,
                        "nobody is known by name over the network; say anyone = yes, or another "
                        "door");
    return true;
}

/* Patterns are names of tubes with stars and question marks. */
static bool tube_is_good(const char *text)
{
    char plain[JOB_TUBE_NAME_MAX + 2];
    size_t len = strlen(text);
    if (len == 0 || len > JOB_TUBE_NAME_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        plain[i] = (char)(text[i] == '*' || text[i] == '?' ? 'x' : text[i]);
    return job_tube_name_check(plain, len) == 0;
}

static bool tubes_check(const struct complaints *to, const struct config_acl *acl)
{
    for (size_t i = 0; i < acl->tubes.count; i++)
        if (!tube_is_good(acl->tubes.item[i]))
            return complain(to, acl, CONFIG_ACL_tubes,
                            "no tube can be called \"%s\"; %s; here * "
                            "stands for any of these bytes and ? for one",
                            acl->tubes.item[i], job_tube_name_rule());
    return true;
}

/* Names beside the star would only seem to narrow it. */
static bool is_everywhere(const struct config_acl *acl)
{
    return acl->tubes.count == 1 && strcmp(acl->tubes.item[0], "*") == 0;
}

static bool word_unknown(const struct complaints *to, const struct config_acl *acl,
                         const char *word)
{
    struct nearest nearest;
    nearest_init(&nearest, word);
    for (unsigned bit = 0; bit < TRUST_RIGHT_COUNT; bit++)
        nearest_offer(&nearest, trust_right_word((enum trust_right_bit)bit));
    const char *near = nearest_best(&nearest);
    return complain(to, acl, CONFIG_ACL_may, "there is no right \"%s\"%s%s%s; there are %s", word,
                    near != NULL ? ", did you mean " : "", near != NULL ? near : "",
                    near != NULL ? "?" : "", trust_rights_list());
}

/* One word of `may`. Rights to the daemon go with all tubes, or with none; a bundle leaves monitor
 * out elsewhere, and admin is never left out in silence. */
static bool word_take(const struct complaints *to, const struct config_acl *acl, const char *word,
                      struct trust_rule *rule)
{
    trust_rights rights;
    bool is_bundle;
    if (trust_rights_parse(word, &rights, &is_bundle) != 0)
        return word_unknown(to, acl, word);
    bool everywhere = acl->tubes.count == 0 || is_everywhere(acl);
    if (is_bundle && !everywhere)
        rights &= (trust_rights)~TRUST_monitor;
    if ((rights & TRUST_SERVER_RIGHTS) != 0 && !everywhere)
        return complain(to, acl, CONFIG_ACL_may,
                        "%s%s is a right to the whole daemon, and goes with tubes = {\"*\"} only",
                        word, is_bundle ? " has admin in it, which" : "");
    if (!is_bundle && (rights & TRUST_UNIX_RIGHTS) != 0 && rule->doors != 0 &&
        (rule->doors & 1u << TRUST_UNIX) == 0)
        return complain(to, acl, CONFIG_ACL_may,
                        "%s is for the Unix socket only, which isn't among its doors", word);
    rule->may |= rights;
    return true;
}

static bool may_take(const struct complaints *to, const struct config_acl *acl,
                     struct trust_rule *rule)
{
    for (size_t i = 0; i < acl->may.count; i++)
        if (!word_take(to, acl, acl->may.item[i], rule))
            return false;
    if (acl->may.count == 0)
        return complain(to, acl, CONFIG_ACL_may,
                        "says nothing that they may; say what: may = {\"submit\"}");
    if (acl->tubes.count == 0 && (rule->may & TRUST_TUBE_RIGHTS) != 0)
        return complain(
            to, acl, CONFIG_ACL_tubes,
            "says not in which tubes; name them, as tubes = {\"mail\", \"a-*\"}, or all: "
            "tubes = {\"*\"}");
    return true;
}

static bool name_take(const struct complaints *to, const struct config_acl *acl,
                      struct trust_rule *rule)
{
    rule->name = acl->name;
    if (strncmp(acl->name, TRUST_BUILTIN_PREFIX, strlen(TRUST_BUILTIN_PREFIX)) == 0 &&
        strcmp(acl->name, TRUST_BUILTIN_GROUP) != 0 && strcmp(acl->name, TRUST_BUILTIN_JOBS) != 0)
        return complain(to, acl, CONFIG_ID_COUNT,
                        "names that begin with " TRUST_BUILTIN_PREFIX " are built in; only "
                        "" TRUST_BUILTIN_GROUP " and " TRUST_BUILTIN_JOBS " may be replaced");
    if (acl->users.count == 0 && acl->anyone == 0)
        return complain(to, acl, CONFIG_ACL_users,
                        "says not whom it is for; name users, as users = {\"www-data\", "
                        "\"@staff\"}, or say anyone = yes");
    if (acl->users.count > 0 && acl->anyone != 0)
        return complain(to, acl, CONFIG_ACL_anyone,
                        "has users and anyone = yes; say one or the other: anyone is all of them");
    return true;
}

/* Mistakes go to the complaints, and the rule gives nothing then. ENOMEM only. */
static int section_take(const struct complaints *to, const struct config_acl *acl,
                        struct trust_rule *rule)
{
    *rule = (struct trust_rule){.anyone = acl->anyone != 0,
                                .tubes = (const char *const *)acl->tubes.item,
                                .tube_count = acl->tubes.count,
                                .guarded = acl->guarded != 0};
    bool good = name_take(to, acl, rule);
    good = doors_take(to, acl, rule) && good;
    good = tubes_check(to, acl) && good;
    good = may_take(to, acl, rule) && good;
    if (!good)
        rule->may = 0;
    return users_take(to, acl, rule);
}

/* ---- all of them ---- */

static int command_users_take(const struct complaints *to, struct acl_rules *rules)
{
    const struct config_list *users = &to->config->command_users;
    rules->command_users = calloc(users->count + 1, sizeof(*rules->command_users));
    rules->command_groups = calloc(users->count + 1, sizeof(*rules->command_groups));
    if (rules->command_users == NULL || rules->command_groups == NULL)
        return ENOMEM;
    for (size_t i = 0; i < users->count; i++) {
        bool is_group;
        uint32_t id;
        if (name_find(users->item[i], &is_group, &id) != 0)
            name_unknown(to, to->config->line[CONFIG_DAEMON_command_users], "command_users",
                         users->item[i]);
        else if (is_group)
            rules->command_groups[rules->command_group_count++] = id;
        else
            rules->command_users[rules->command_user_count++] = id;
    }
    return 0;
}

static int rules_take(const struct complaints *to, struct acl_rules *rules)
{
    *rules = (struct acl_rules){.count = 0};
    rules->rule = calloc(to->config->acl_count + 1, sizeof(*rules->rule));
    int rc = rules->rule != NULL ? command_users_take(to, rules) : ENOMEM;
    for (size_t i = 0; rc == 0 && i < to->config->acl_count; i++)
        rc = section_take(to, &to->config->acl[i], &rules->rule[rules->count++]);
    if (rc != 0)
        acl_rules_free(rules);
    return rc;
}

void acl_check(const struct config *config, bool names, struct config_errors *errors)
{
    const struct complaints to = {.config = config, .errors = errors, .names = names};
    struct acl_rules rules;
    if (rules_take(&to, &rules) != 0)
        config_error(errors, file_name(config), 0, "there is no memory to check its acl sections");
    else
        acl_rules_free(&rules);
}

int acl_rules_make(struct acl_rules *rules, const struct config *config)
{
    const struct complaints to = {.config = config};
    return rules_take(&to, rules);
}

void acl_rules_free(struct acl_rules *rules)
{
    for (size_t i = 0; i < rules->count; i++) {
        free((uint32_t *)(uintptr_t)rules->rule[i].users);
        free((gid_t *)(uintptr_t)rules->rule[i].groups);
    }
    free(rules->rule);
    free(rules->command_users);
    free(rules->command_groups);
    *rules = (struct acl_rules){.count = 0};
}
