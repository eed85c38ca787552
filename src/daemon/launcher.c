// SPDX-License-Identifier: MIT
/*
 * Where hilera-exec is: beside hilerad, as in a build that isn't installed, or where it was
 * installed to. Who can write beside the daemon's own file can replace the daemon, too.
 */
#include "daemon/daemon_priv.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LAUNCHER "hilera-exec"

const char *launcher_path(void)
{
    static char path[PATH_MAX + sizeof(LAUNCHER)];
    if (path[0] != '\0')
        return path;
    ssize_t len = readlink("/proc/self/exe", path, PATH_MAX - 1);
    path[len > 0 ? len : 0] = '\0';
    char *slash = strrchr(path, '/');
    if (slash != NULL) {
        memcpy(slash + 1, LAUNCHER, sizeof(LAUNCHER));
        if (access(path, X_OK) == 0)
            return path;
    }
    snprintf(path, sizeof(path), "%s/%s", HILERA_LIBEXECDIR, LAUNCHER);
    if (access(path, X_OK) == 0)
        return path;
    path[0] = '\0';
    return NULL;
}
