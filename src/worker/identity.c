// SPDX-License-Identifier: MIT
/*
 * Who the programs of a pool are: a user by name, its groups, and what a login knows of it.
 *
 * Names are looked up when the daemon starts: a job shouldn't wait for the name services. A user
 * gets the groups that it has at that moment.
 */
#include "worker/programs_priv.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_SIZE 256
#define LOOKUP_SIZE ((size_t)64 * 1024) /* for an entry of the user database */

static int group_find(const char *name, gid_t *gid)
{
    char *memory = malloc(LOOKUP_SIZE);
    if (memory == NULL)
        return ENOMEM;
    struct group entry, *found = NULL;
    int rc = getgrnam_r(name, &entry, memory, LOOKUP_SIZE, &found);
    if (found != NULL)
        *gid = entry.gr_gid;
    free(memory);
    return found != NULL ? 0 : rc != 0 ? rc : ENOENT;
}

static void identity_fill(struct identity *identity, const struct passwd *entry)
{
    identity->uid = entry->pw_uid;
    identity->gid = entry->pw_gid;
    snprintf(identity->name, sizeof(identity->name), "%s", entry->pw_name);
    snprintf(identity->home, sizeof(identity->home), "%s", entry->pw_dir);
    snprintf(identity->shell, sizeof(identity->shell), "%s", entry->pw_shell);
}

static int user_find(const char *name, struct identity *identity)
{
    char *memory = malloc(LOOKUP_SIZE);
    if (memory == NULL)
        return ENOMEM;
    struct passwd entry, *found = NULL;
    int rc = getpwnam_r(name, &entry, memory, LOOKUP_SIZE, &found);
    int count = IDENTITY_GROUPS_MAX;
    if (found == NULL)
        rc = rc != 0 ? rc : ENOENT;
    else if (getgrouplist(name, entry.pw_gid, identity->groups, &count) < 0)
        rc = E2BIG;
    else {
        identity->group_count = (size_t)count;
        identity_fill(identity, &entry);
    }
    free(memory);
    return rc;
}

int identity_find(const char *text, struct identity *identity, char *why, size_t why_size)
{
    char user[NAME_SIZE];
    const char *group = strchr(text, ':');
    *identity = (struct identity){.group_count = 0};
    snprintf(user, sizeof(user), "%.*s", (int)(group != NULL ? group - text : NAME_SIZE - 1), text);
    int rc = user_find(user, identity);
    if (rc != 0) {
        snprintf(why, why_size, "run_as: user \"%s\": %s", user,
                 rc == ENOENT ? "there is no such user" : strerrordesc_np(rc));
        return rc == ENOMEM ? rc : EINVAL;
    }
    if (group == NULL)
        return 0;
    rc = group_find(group + 1, &identity->gid);
    if (rc == 0)
        return 0;
    snprintf(why, why_size, "run_as: group \"%s\": %s", group + 1,
             rc == ENOENT ? "there is no such group" : strerrordesc_np(rc));
    return rc == ENOMEM ? rc : EINVAL;
}

void identity_own(struct identity *identity)
{
    *identity = (struct identity){.uid = geteuid(), .gid = getegid()};
    char *memory = malloc(LOOKUP_SIZE);
    struct passwd entry, *found = NULL;
    if (memory != NULL && getpwuid_r(identity->uid, &entry, memory, LOOKUP_SIZE, &found) == 0 &&
        found != NULL)
        identity_fill(identity, found);
    free(memory);
}
