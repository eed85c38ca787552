// SPDX-License-Identifier: MIT
/*
 * Where the data directory is, that it is there, and that it is nobody else's.
 *
 * As with the usual socket (place.c) what the service manager says goes first, then root's place,
 * then the user's.
 *
 * What is in it is run (jobs are commands) and shown to people, so it must be trusted: base/trusted
 * opens it, and from then on it is a descriptor. In a directory that is ours and that nobody else
 * may write, files can only have come from us or from root; one look at the start is enough.
 */
#include "daemon/datadir_priv.h"
#include "daemon/user_priv.h"

#include "base/log.h"
#include "base/trusted.h"
#include "config/config.h"
#include "journal/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
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

int datadir_place(const struct config *config, char *path, size_t size, struct journal_error *error)
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

/* ---- the directory ---- */

/* Files of ours begin so; what else is there is nobody's business here. */
static bool file_is_ours(const char *name)
{
    static const char *const begins[] = {"segment-", "journal.", "history.db", "programs."};
    for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++)
        if (strncmp(name, begins[i], strlen(begins[i])) == 0)
            return true;
    return false;
}

static int file_look(int directory, const char *path, const char *name, uid_t uid,
                     struct journal_error *error)
{
    struct stat status;
    char owner[128];
    if (!file_is_ours(name) || fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return 0;
    if (!S_ISREG(status.st_mode)) {
        snprintf(error->text, sizeof(error->text), "%s/%s is not a regular file; move it away",
                 path, name);
        return EINVAL;
    }
    if (status.st_uid != uid) {
        snprintf(error->text, sizeof(error->text),
                 "%s/%s belongs to %s, and not to the owner of the directory; if you know where it "
                 "comes from, give it to that one (chown), else move it away",
                 path, name, trusted_user_text(status.st_uid, owner, sizeof(owner)));
        return EACCES;
    }
    if (status.st_nlink > 1)
        log_notice("data directory %s: the file %s has another name elsewhere, too", path, name);
    return 0;
}

static int files_look(int directory, const char *path, uid_t uid, struct journal_error *error)
{
    int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
    if (stream == NULL) {
        int rc = errno;
        if (fd >= 0)
            close(fd);
        snprintf(error->text, sizeof(error->text), "%s can't be listed: %s", path,
                 strerrordesc_np(rc));
        return rc;
    }
    int rc = 0;
    const struct dirent *entry;
    while (rc == 0 && (entry = readdir(stream)) != NULL) // NOLINT(concurrency-mt-unsafe): our own
        rc = file_look(directory, path, entry->d_name, uid, error);
    closedir(stream);
    if (rc != 0 && error->text[0] == '\0')
        snprintf(error->text, sizeof(error->text), "%s can't be listed: %s", path,
                 strerrordesc_np(rc));
    return rc;
}

int datadir_directory_open(const char *path, const struct user *user, int *fd,
                           struct journal_error *error)
{
    const struct trusted_owner owner = {
        .uid = user->change ? user->uid : geteuid(), .gid = user->gid, .give = user->change};
    struct trusted_error refused;
    error->text[0] = '\0';
    int rc = trusted_make(path, TRUSTED_STATE, &owner, fd, &refused);
    if (rc != 0) {
        snprintf(error->text, sizeof(error->text), "%s", refused.text);
        return rc;
    }
    rc = files_look(*fd, path, owner.uid, error);
    if (rc != 0) {
        close(*fd);
        *fd = -1;
    }
    return rc;
}

void datadir_directory_narrow(int fd, const char *path)
{
    struct stat status;
    if (fstat(fd, &status) != 0 || (status.st_mode & 077) == 0)
        return;
    if (fchmod(fd, 0700) == 0)
        log_notice("data directory %s: others could look into it; its mode was %03o and is now 700",
                   path, status.st_mode & 0777);
    else
        log_error("data directory %s: others can look into it, and that can't be changed: %s", path,
                  strerrordesc_np(errno));
}
