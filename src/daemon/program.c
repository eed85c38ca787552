// SPDX-License-Identifier: MIT
/*
 * Whether the program of a pool is there.
 *
 * A job whose program is missing is buried with that reason, one after the other, so a mistyped
 * name is better found at the start. The search is posix_spawnp's: a name with a slash is a path,
 * another one is looked for in $PATH.
 *
 * One that root runs, and that is named by its whole path, must be root's, on a way that nobody
 * else can change.
 */
#include "daemon/program_priv.h"
#include "daemon/user_priv.h"

#include "base/trusted.h"
#include "config/config.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where posix_spawnp looks without a PATH (confstr's _CS_PATH). */
#define PROGRAM_PATH "/bin:/usr/bin"

/* 0, EISDIR, or why it can't be run. */
static int program_look(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return errno;
    if (S_ISDIR(status.st_mode))
        return EISDIR;
    return access(path, X_OK) != 0 ? errno : 0;
}

/* The best answer of all directories: found, or there but not to be run, or nowhere. */
static int program_search(const char *name)
{
    const char *path = getenv("PATH");
    int best = ENOENT;
    for (const char *at = path != NULL ? path : PROGRAM_PATH; best != 0; at++) {
        size_t len = strcspn(at, ":");
        char *file;
        if (asprintf(&file, "%.*s/%s", len > 0 ? (int)len : 1, len > 0 ? at : ".", name) < 0)
            return ENOMEM;
        int rc = program_look(file);
        free(file);
        if (rc == 0 || (rc == EACCES && best == ENOENT))
            best = rc;
        at += len;
        if (*at == '\0')
            break;
    }
    return best;
}

bool program_uid(const struct config_pool *pool, const struct user *user, uid_t *uid)
{
    *uid = user->change ? user->uid : geteuid();
    if (pool->run_as[0] == '\0')
        return true;
    char *name = strndup(pool->run_as, strcspn(pool->run_as, ":"));
    // NOLINTNEXTLINE(concurrency-mt-unsafe): no threads yet
    const struct passwd *entry = name != NULL ? getpwnam(name) : NULL;
    if (entry != NULL)
        *uid = entry->pw_uid;
    free(name);
    return entry != NULL;
}

bool program_is_roots(const struct config_pool *pool, const struct user *user)
{
    uid_t uid;
    return program_uid(pool, user, &uid) && uid == 0;
}

int program_trust(const char *name, char *why, size_t why_size)
{
    struct trusted_error refused;
    int fd;
    if (name[0] != '/')
        return 0;
    int rc = trusted_open(name, TRUSTED_PROGRAM, 0, &fd, &refused);
    if (rc == 0)
        close(fd);
    else
        snprintf(why, why_size, "%s", refused.text);
    return rc;
}

int program_check(const char *name, char *why, size_t why_size)
{
    bool path = strchr(name, '/') != NULL;
    int rc = path ? program_look(name) : program_search(name);
    if (rc == EISDIR)
        snprintf(why, why_size, "the program %s can't be run: it is a directory", name);
    else if (rc == ENOENT && !path)
        snprintf(why, why_size,
                 "the program %s is in no directory of PATH; install it, or name it by its path",
                 name);
    else if (rc != 0)
        snprintf(why, why_size, "the program %s can't be run: %s", name, strerrordesc_np(rc));
    return rc;
}

void pool_complain(const struct config *config, const struct config_pool *pool, enum config_id id,
                   const char *text)
{
    int line = pool->line[id] != 0 ? pool->line[id] : pool->end_line;
    fprintf(stderr, "hilerad: %s:%d: pool \"%s\": %s\n",
            config->file != NULL ? config->file : "built-in configuration", line, pool->name, text);
}
