// SPDX-License-Identifier: MIT
/*
 * The launcher: hilera-exec with its arguments, for pools that ask for what posix_spawn can't set.
 *
 * Names are looked up when the pool is made: a statically linked program can't ask the name
 * services, and a job shouldn't wait for them. A user gets the groups that it has at that moment.
 */
#include "worker/worker_priv.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LAUNCHER_GROUPS_MAX 256
#define NAME_SIZE 256
#define LOOKUP_SIZE ((size_t)64 * 1024) /* for an entry of the user database */

static const char *const limit_names[] = {
#define LIMIT(name, which) #name,
#include "worker/limits.def"
#undef LIMIT
};

_Static_assert(sizeof(limit_names) / sizeof(limit_names[0]) == HANDLER_LIMIT_COUNT, "a row each");

static bool is_text(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static bool launcher_needed(const struct handler_settings *settings)
{
    bool needed = settings->umask_set || settings->no_new_privs || is_text(settings->run_as);
    for (size_t i = 0; i < HANDLER_LIMIT_COUNT; i++)
        needed |= settings->limit[i].set;
    return needed;
}

/* ---- users ---- */

struct identity {
    uid_t uid;
    gid_t gid;
    gid_t groups[LAUNCHER_GROUPS_MAX];
    int group_count;
};

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

static int user_find(const char *name, struct identity *identity)
{
    char *memory = malloc(LOOKUP_SIZE);
    if (memory == NULL)
        return ENOMEM;
    struct passwd entry, *found = NULL;
    int rc = getpwnam_r(name, &entry, memory, LOOKUP_SIZE, &found);
    if (found != NULL) {
        identity->uid = entry.pw_uid;
        identity->gid = entry.pw_gid;
        identity->group_count = LAUNCHER_GROUPS_MAX;
        if (getgrouplist(name, entry.pw_gid, identity->groups, &identity->group_count) < 0)
            rc = E2BIG;
    } else if (rc == 0)
        rc = ENOENT;
    free(memory);
    return rc;
}

/* USER or USER:GROUP. */
static int identity_find(const char *text, struct identity *identity, char *why, size_t why_size)
{
    char user[NAME_SIZE];
    const char *group = strchr(text, ':');
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

/* ---- the arguments ---- */

int launcher_check(const struct handler_settings *settings, char *why, size_t why_size)
{
    if (is_text(settings->directory) && settings->directory[0] != '/') {
        snprintf(why, why_size, "directory = \"%s\" must be an absolute path", settings->directory);
        return EINVAL;
    }
    if (!launcher_needed(settings))
        return 0;
    if (!is_text(settings->launcher)) {
        snprintf(why, why_size,
                 "umask, limits, run_as and no_new_privs need the program hilera-exec, which isn't "
                 "installed");
        return EINVAL;
    }
    if (!is_text(settings->run_as))
        return 0;
    if (geteuid() != 0) {
        snprintf(why, why_size,
                 "run_as: only root can run programs as somebody else; leave it out");
        return EINVAL;
    }
    struct identity identity;
    return identity_find(settings->run_as, &identity, why, why_size);
}

static int groups_print(struct buf *text, const struct identity *identity)
{
    int rc = buf_append_str(text, "groups=");
    for (int i = 0; rc == 0 && i < identity->group_count; i++)
        rc = buf_printf(text, "%s%u", i > 0 ? "," : "", identity->groups[i]);
    return rc == 0 ? buf_append_char(text, '\0') : rc;
}

/* One argument after the other, each with its NUL. */
static int arguments_print(struct buf *text, const struct handler_settings *settings, char *why,
                           size_t why_size)
{
    int rc = buf_printf(text, "%s%c", settings->launcher, '\0');
    if (rc == 0 && settings->umask_set)
        rc = buf_printf(text, "umask=%03o%c", settings->umask, '\0');
    for (size_t i = 0; rc == 0 && i < HANDLER_LIMIT_COUNT; i++)
        if (settings->limit[i].set)
            rc = buf_printf(text, "limit=%s:%" PRIu64 "%c", limit_names[i], settings->limit[i].most,
                            '\0');
    if (rc == 0 && is_text(settings->run_as)) {
        struct identity identity;
        rc = identity_find(settings->run_as, &identity, why, why_size);
        if (rc == 0)
            rc = groups_print(text, &identity);
        if (rc == 0)
            rc = buf_printf(text, "user=%u:%u%c", identity.uid, identity.gid, '\0');
    }
    if (rc == 0 && settings->no_new_privs)
        rc = buf_printf(text, "no_new_privs%c", '\0');
    return rc == 0 ? buf_printf(text, "--%c", '\0') : rc;
}

int launcher_new(char ***out, const struct handler_settings *settings, char *why, size_t why_size)
{
    *out = NULL;
    if (!launcher_needed(settings))
        return 0;
    struct buf text = BUF_EMPTY;
    const char *list[LAUNCHER_ARGUMENTS_MAX];
    size_t count = 0;
    int rc = arguments_print(&text, settings, why, why_size);
    for (size_t at = 0; rc == 0 && at < text.len; at += strlen(text.data + at) + 1) {
        ASSERT(count < LAUNCHER_ARGUMENTS_MAX);
        list[count++] = text.data + at;
    }
    if (rc == 0 && (*out = strings_copy(list, count)) == NULL)
        rc = ENOMEM;
    buf_fini(&text);
    return rc;
}
