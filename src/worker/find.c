// SPDX-License-Identifier: MIT
/*
 * Which file a program's name means, by a PATH that isn't the daemon's: posix_spawnp looks in the
 * daemon's own.
 */
#include "worker/worker_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLACES_USUAL "/usr/local/bin:/usr/bin:/bin"

/* 0: it can be run. */
static int runnable(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return errno == ENOTDIR ? ENOENT : errno;
    if (!S_ISREG(info.st_mode))
        return EACCES;
    return access(path, X_OK) == 0 ? 0 : errno;
}

/* One place of a PATH; an empty one is the directory itself, as in a shell. NULL: out of memory. */
static char *path_make(const char *place, size_t len, const char *directory, const char *name)
{
    char *path;
    int rc;
    if (len > 0 && place[0] == '/')
        rc = asprintf(&path, "%.*s/%s", (int)len, place, name);
    else if (len > 0)
        rc = asprintf(&path, "%s/%.*s/%s", directory, (int)len, place, name);
    else
        rc = asprintf(&path, "%s/%s", directory, name);
    return rc < 0 ? NULL : path;
}

int program_find(char **path, const char *name, const char *places, const char *directory)
{
    int found = ENOENT;
    *path = NULL;
    if (strchr(name, '/') != NULL)
        return 0;
    const char *at = places != NULL ? places : PLACES_USUAL;
    for (;;) {
        size_t len = strcspn(at, ":");
        char *file = path_make(at, len, directory != NULL ? directory : ".", name);
        if (file == NULL)
            return ENOMEM;
        int rc = runnable(file);
        if (rc == 0) {
            *path = file;
            return 0;
        }
        free(file);
        if (rc == EACCES)
            found = rc;
        if (at[len] == '\0')
            return found;
        at += len + 1;
    }
}
