// SPDX-License-Identifier: MIT
/*
 * Where the usual socket is. The client looks in the same places (src/client), so that on one
 * machine `hilera` finds `hilerad` without being told. Like the client, the daemon follows no
 * variable into a directory of somebody else.
 */
#include "daemon/settings_priv.h"

#include "base/trusted.h"
#include "config/config.h"
#include "net/net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PLACE_SYSTEM "/run/hilera"
#define PLACE_SOCKET "hilera.sock"

/* The directory, without making it. ENOENT: nothing says where. */
static int place_directory(char *path, size_t size)
{
    const char *given = getenv("RUNTIME_DIRECTORY");
    const char *user = getenv("XDG_RUNTIME_DIR");
    int len;
    /* systemd separates several by colons; which one would be meant can't be known */
    if (given != NULL && given[0] == '/' && strchr(given, ':') == NULL)
        len = snprintf(path, size, "%s", given);
    else if (geteuid() == 0)
        len = snprintf(path, size, "%s", PLACE_SYSTEM);
    else if (user != NULL && user[0] == '/')
        len = snprintf(path, size, "%s/hilera", user);
    else
        return ENOENT;
    return len < 0 || (size_t)len >= size ? ENAMETOOLONG : 0;
}

int place_socket_path(char *path, size_t size)
{
    char directory[CONFIG_PATH_MAX];
    int rc = place_directory(directory, sizeof(directory));
    path[0] = '\0';
    if (rc == 0)
        snprintf(path, size, "%s/" PLACE_SOCKET, directory);
    return rc;
}

int place_socket(char *path, size_t size, struct net_error *error)
{
    char directory[CONFIG_PATH_MAX];
    int rc = place_directory(directory, sizeof(directory));
    if (rc == ENOENT) {
        snprintf(error->text, sizeof(error->text),
                 "XDG_RUNTIME_DIR is not set, so there is no usual place for a user's socket; set "
                 "it, or name the socket with --listen unix:PATH");
        return rc;
    }
    int len = rc == 0 ? snprintf(path, size, "%s/" PLACE_SOCKET, directory) : -1;
    if (len < 0 || (size_t)len >= size) {
        snprintf(error->text, sizeof(error->text),
                 "the usual socket's path is longer than %d bytes; name a shorter one with "
                 "--listen unix:PATH",
                 CONFIG_PATH_MAX - 1);
        return ENAMETOOLONG;
    }
    const struct trusted_owner owner = {.uid = geteuid(), .mode = geteuid() == 0 ? 0755 : 0700};
    struct trusted_error refused;
    int fd;
    rc = trusted_make(directory, TRUSTED_RUNTIME, &owner, &fd, &refused);
    if (rc == 0)
        close(fd);
    else
        snprintf(error->text, sizeof(error->text), "%s", refused.text);
    return rc;
}
