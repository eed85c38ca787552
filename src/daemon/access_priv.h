// SPDX-License-Identifier: MIT
/*
 * Who may what: acl sections as rules (acl.c), and the table that is made of them (access.c).
 */
#ifndef DAEMON_ACCESS_PRIV_H
#define DAEMON_ACCESS_PRIV_H

#include "config/config.h"
#include "net/net.h"
#include "trust/trust.h"

struct user;

/* ---- acl.c: acl sections as rules ---- */

#define ACL_GROUP "hilera" /* its members are operators */

/* Rules, and what they point to beside the configuration. */
struct acl_rules {
    struct trust_rule *rule; /* of each section */
    size_t count;
    uint32_t *command_users;
    size_t command_user_count;
    gid_t *command_groups;
    size_t command_group_count;
};

/* Every mistake; `names`: users and groups that don't exist are mistakes, too. On the main thread,
 * as all here. */
void acl_check(const struct config *config, bool names, struct config_errors *errors);
/* Of a configuration that was checked; names that don't exist are warned of in the log. ENOMEM. */
int acl_rules_make(struct acl_rules *rules, const struct config *config);
void acl_rules_free(struct acl_rules *rules);

/* ---- access.c: who may what ---- */

/* Whether this daemon is a user's own: not started by root, and not the system's service. */
bool access_is_personal(void);
/* The table. Any errno: why was logged. */
int access_build(struct trust **out, const struct config *config, const struct user *user);
/* What a start says of it. */
void access_log(const struct config *config);
/* The table to standard output. */
void access_print(const struct config *config, const struct trust *trust, const struct user *user);
/* The mode of the Unix sockets. */
mode_t access_socket_mode(const struct config *config, const struct trust *trust,
                          const struct user *user);
/* The group of the Unix sockets, and whose process they are to serve. */
struct net_owner access_socket_owner(const struct user *user);

#endif
