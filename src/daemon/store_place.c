// SPDX-License-Identifier: MIT
/*
 * Where the data directory is, and that it is there. As with the usual socket (place.c) what the
 * service manager says goes first, then root's place, then the user's.
 */
#include "daemon/daemon_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLACE_SYSTEM HILERA_LOCALSTATEDIR "/lib/hilera"

static int auto_place(char *path, size_t size)
{
    const char *given = getenv("STATE_DIRECTORY");
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    int len;
    /* systemd separates several by colons; which one would be meant can't be known */
    if (given != NULL && given[0] == '/' && strchr(given, ':') == NULL)
        len = snprintf(path, size, "%s", given);
    else if (geteuid() == 0)
        len = snprintf(path, size, "%s", PLACE_SYSTEM);
    else if (state != NULL && state[0] == '/')
        len = snprintf(path, size, "%s/hilera", state);
    else if (home != NULL && home[0] == '/')
        len = snprintf(path, size, "%s/.local/state/hilera", home);
    else
        return ENOENT;
    return len < 0 || (size_t)len >= size ? ENAMETOOLONG : 0;
}

int store_place(const struct config *config, char *path, size_t size, struct journal_error *error)
{
    const char *given = config->data_dir;
    int rc = 0;
    if (strcmp(given, CONFIG_PLACE_NONE) == 0)
        path[0] = '\0';
    else if (strcmp(given, CONFIG_PLACE_AUTO) == 0)
        rc = auto_place(path, size);
    else if (snprintf(path, size, "%s", given) >= (int)size)
        rc = ENAMETOOLONG;
    if (rc == ENOENT)
        snprintf(error->text, sizeof(error->text),
                 "neither XDG_STATE_HOME nor HOME is set, so there is no usual place for a user's "
                 "jobs; name a directory with -b DIR, or keep nothing with --memory");
    else if (rc != 0)
        snprintf(error->text, sizeof(error->text),
                 "the path of the data directory is longer than %zu bytes; name a shorter one with "
                 "-b DIR",
                 size - 1);
    return rc;
}

/* Each part of the path that is missing, for the user alone. */
static int parts_make(char *path)
{
    for (char *slash = path; slash != NULL;) {
        slash = strchr(slash + 1, '/');
        if (slash != NULL)
            *slash = '\0';
        int rc = mkdir(path, 0700) != 0 && errno != EEXIST ? errno : 0;
        if (slash != NULL)
            *slash = '/';
        if (rc != 0)
            return rc;
    }
    return 0;
}

int store_prepare(const char *path, const struct user *user, struct journal_error *error)
{
    char parts[STORE_PATH_MAX];
    struct stat status;
    if (stat(path, &status) == 0)
        return 0; /* what it is, and whose, the journal will find out */
    snprintf(parts, sizeof(parts), "%s", path);
    int rc = parts_make(parts);
    if (rc == 0 && user->change && chown(path, user->uid, user->gid) != 0)
        rc = errno;
    if (rc != 0)
        snprintf(error->text, sizeof(error->text),
                 "can't make the data directory %s: %s; make it, name another one with -b DIR, or "
                 "keep nothing with --memory",
                 path, strerrordesc_np(rc));
    return rc;
}
