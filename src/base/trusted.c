// SPDX-License-Identifier: MIT
/*
 * The walk: a descriptor of the directory that was reached, the text of what is still ahead, and
 * the text of what is behind, for messages. A link puts its target in front of what is ahead; an
 * absolute one begins anew at `/`.
 *
 * Each part is looked at twice: as what the name leads to (O_PATH | O_NOFOLLOW, which opens
 * anything and waits for nobody), and, the last one, as what was opened. Between the two only who
 * may write the directory can put something else there, and that is nobody but root and us.
 */
#include "base/trusted.h"

#include "base/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/magic.h>
#include <pwd.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define LINKS_MAX 40      /* the kernel's own limit of links in a path */
#define MAKE_TRIES 8      /* each failed one means that somebody made or removed it just then */
#define NOBODY 65534      /* how the kernel shows a uid that a user namespace has no number for */
#define LOOKUP_SIZE 16384 /* for getpwuid_r; what needs more counts as unknown */

static const struct rule {
    const char *what;
    int flags;
    bool directory;
    bool roots;  /* it may be root's, too */
    bool sticky; /* others may write if they can't take away what isn't theirs */
} rules[] = {
    [TRUSTED_CONFIGURATION] = {"the configuration", O_RDONLY, .roots = true},
    [TRUSTED_PLUGIN] = {"the plug-in", O_RDONLY, .roots = true},
    [TRUSTED_PROGRAM] = {"the program", O_PATH, .roots = true},
    [TRUSTED_STATE] = {"the data directory", O_RDONLY | O_DIRECTORY, .directory = true},
    [TRUSTED_RUNTIME] = {"the directory of the socket", O_RDONLY | O_DIRECTORY, .directory = true,
                         .roots = true, .sticky = true},
};

struct walk {
    const char *path; /* as it was given */
    const struct rule *rule;
    const struct trusted_owner *owner; /* of what is missing; NULL: nothing is made */
    uid_t us;
    bool nobody_is_root;
    struct trusted_error *error;
    int fd;             /* the directory that was reached; -1 */
    struct stat status; /* of it */
    char ahead[PATH_MAX], behind[PATH_MAX];
    uid_t passed; /* whose the last part was that isn't root's; 0: all were */
    unsigned links;
};

static int refuse(const struct walk *walk, int rc, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int refuse(const struct walk *walk, int rc, const char *format, ...)
{
    char *text = walk->error->text;
    size_t size = sizeof(walk->error->text);
    va_list args;
    va_start(args, format);
    int len = snprintf(text, size, "%s %s ", walk->rule->what, walk->path);
    if (len > 0 && (size_t)len < size)
        vsnprintf(text + len, size - (size_t)len, format, args);
    va_end(args);
    return rc;
}

const char *trusted_user_text(uid_t uid, char *text, size_t size)
{
    char room[LOOKUP_SIZE];
    struct passwd entry, *found = NULL;
    if (getpwuid_r(uid, &entry, room, sizeof(room), &found) == 0 && found != NULL)
        snprintf(text, size, "%s (uid %u)", found->pw_name, uid);
    else
        snprintf(text, size, "uid %u", uid);
    return text;
}

/* ---- whose, and who may write ---- */

static bool is_root(const struct walk *walk, uid_t uid)
{
    return uid == 0 || (uid == NOBODY && walk->nobody_is_root);
}

/* The group has the owner's name, is the owner's first group, and nobody else is in it. */
static bool group_is_private(const struct stat *status)
{
    char user_room[LOOKUP_SIZE], group_room[LOOKUP_SIZE];
    struct passwd user, *owner = NULL;
    struct group entry, *group = NULL;
    if (getpwuid_r(status->st_uid, &user, user_room, sizeof(user_room), &owner) != 0 ||
        owner == NULL || owner->pw_gid != status->st_gid ||
        getgrgid_r(status->st_gid, &entry, group_room, sizeof(group_room), &group) != 0 ||
        group == NULL || strcmp(group->gr_name, owner->pw_name) != 0)
        return false;
    for (char **member = group->gr_mem; *member != NULL; member++)
        if (strcmp(*member, owner->pw_name) != 0)
            return false;
    return true;
}

static bool others_write(const struct stat *status)
{
    if ((status->st_mode & S_IWOTH) != 0)
        return true;
    return (status->st_mode & S_IWGRP) != 0 && !group_is_private(status);
}

static int refuse_writers(const struct walk *walk, const char *what, mode_t mode)
{
    const char *who = (mode & S_IWOTH) != 0 ? "everybody" : "a group";
    return refuse(walk, EACCES,
                  "isn't trusted: %s may write %s; take that right away (chmod %s %s), or use "
                  "another place",
                  who, what, (mode & S_IWOTH) != 0 ? "go-w" : "g-w", what);
}

static int refuse_owner(const struct walk *walk, const char *what, uid_t uid)
{
    char owner[128], us[128];
    trusted_user_text(uid, owner, sizeof(owner));
    trusted_user_text(walk->us, us, sizeof(us));
    return refuse(walk, EACCES, "isn't trusted: %s belongs to %s, and must belong to %s%s", what,
                  owner, walk->us != 0 ? "root or " : "", us);
}

/* The owner of a part of the way. */
static int owner_check(struct walk *walk, const struct stat *status)
{
    if (!is_root(walk, status->st_uid) && status->st_uid != walk->us)
        return refuse_owner(walk, walk->behind, status->st_uid);
    /* Where we act for ourselves, what root put into our directory is no danger to us. */
    if (walk->passed != 0 && status->st_uid != walk->passed && walk->us != geteuid())
        return refuse(walk, EACCES,
                      "isn't trusted: %s is root's, but in a directory that isn't; name a path on "
                      "which the owner doesn't change back",
                      walk->behind);
    if (!is_root(walk, status->st_uid))
        walk->passed = status->st_uid;
    return 0;
}

/* A directory that is to be passed. */
static int directory_check(struct walk *walk, const struct stat *status)
{
    struct statfs system;
    int rc = owner_check(walk, status);
    if (rc != 0)
        return rc;
    if ((status->st_mode & S_ISVTX) == 0 && others_write(status))
        return refuse_writers(walk, walk->behind, status->st_mode);
    if (fstatfs(walk->fd, &system) == 0 && system.f_type == PROC_SUPER_MAGIC)
        return refuse(walk, EACCES, "isn't trusted: %s is on procfs; name the file itself",
                      walk->behind);
    return 0;
}

/* What was opened in the end. */
static int target_check(struct walk *walk, int fd)
{
    struct stat status;
    const struct rule *rule = walk->rule;
    if (fstat(fd, &status) != 0)
        return refuse(walk, errno, "can't be looked at: %s", strerrordesc_np(errno));
    if (rule->directory ? !S_ISDIR(status.st_mode) : !S_ISREG(status.st_mode))
        return refuse(walk,
                      S_ISDIR(status.st_mode) ? EISDIR
                      : rule->directory       ? ENOTDIR
                                              : EINVAL,
                      "is not a %s", rule->directory ? "directory" : "regular file");
    int rc = owner_check(walk, &status);
    if (rc != 0)
        return rc;
    if (!rule->roots && status.st_uid != walk->us) {
        char owner[128], us[128];
        return refuse(walk, EACCES,
                      "belongs to %s, and hilerad works on it as %s; start it as the owner (-u), "
                      "or give it away with chown",
                      trusted_user_text(status.st_uid, owner, sizeof(owner)),
                      trusted_user_text(walk->us, us, sizeof(us)));
    }
    if (rule->sticky && (status.st_mode & S_ISVTX) != 0)
        return 0;
    return others_write(&status) ? refuse_writers(walk, walk->behind, status.st_mode) : 0;
}

/* ---- the way ---- */

/* Behind one more part. The text only serves messages, so what is too long is cut. */
static void behind_add(struct walk *walk, const char *part)
{
    size_t len = strlen(walk->behind);
    const char *slash = len > 0 && walk->behind[len - 1] == '/' ? "" : "/";
    snprintf(walk->behind + len, sizeof(walk->behind) - len, "%s%s", slash, part);
}

static void reach(struct walk *walk, int fd)
{
    if (walk->fd >= 0)
        close(walk->fd);
    walk->fd = fd;
}

static int begin(struct walk *walk)
{
    int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &walk->status) != 0) {
        int rc = errno;
        if (fd >= 0)
            close(fd);
        return refuse(walk, rc, "can't be opened: /: %s", strerrordesc_np(rc));
    }
    reach(walk, fd);
    strcpy(walk->behind, "/");
    walk->nobody_is_root = walk->status.st_uid == NOBODY;
    walk->passed = 0;
    return directory_check(walk, &walk->status);
}

/* Puts the text before what is ahead. */
static int ahead_put(struct walk *walk, const char *text)
{
    size_t len = strlen(text), left = strlen(walk->ahead);
    if (len + 1 + left >= sizeof(walk->ahead))
        return refuse(walk, ENAMETOOLONG, "is too long a path");
    memmove(walk->ahead + len + 1, walk->ahead, left + 1);
    memcpy(walk->ahead, text, len);
    walk->ahead[len] = '/';
    return 0;
}

/* The next part, taken from what is ahead. false: there is none. */
static bool ahead_take(struct walk *walk, char part[NAME_MAX + 2])
{
    char *at = walk->ahead + strspn(walk->ahead, "/");
    size_t len = strcspn(at, "/");
    size_t kept = len < NAME_MAX + 1 ? len : NAME_MAX + 1; /* too long, as the system will say */
    memcpy(part, at, kept);
    part[kept] = '\0';
    memmove(walk->ahead, at + len, strlen(at + len) + 1);
    return len > 0;
}

static bool ahead_is_empty(const struct walk *walk)
{
    return walk->ahead[strspn(walk->ahead, "/")] == '\0';
}

/* `fd` is the link itself. */
static int link_follow(struct walk *walk, int fd, const struct stat *status)
{
    char target[PATH_MAX];
    struct statfs system;
    if (!is_root(walk, status->st_uid) && status->st_uid != walk->us)
        return refuse_owner(walk, walk->behind, status->st_uid);
    if (fstatfs(walk->fd, &system) == 0 && system.f_type == PROC_SUPER_MAGIC)
        return refuse(walk, EACCES, "isn't trusted: %s is on procfs; name the file itself",
                      walk->behind);
    ssize_t len = readlinkat(fd, "", target, sizeof(target) - 1);
    if (len < 0)
        return refuse(walk, errno, "can't be opened: %s: %s", walk->behind, strerrordesc_np(errno));
    target[len] = '\0';
    if (++walk->links > LINKS_MAX)
        return refuse(walk, ELOOP, "has too many links on its way");
    int rc = ahead_put(walk, target);
    if (rc == 0 && target[0] == '/')
        return begin(walk);
    char *slash = strrchr(walk->behind, '/');
    if (rc == 0 && slash != NULL)
        slash[slash == walk->behind ? 1 : 0] = '\0';
    return rc;
}

/* ---- what is missing ---- */

/* A directory that this call has made, and nobody can have replaced. */
static int made_give(struct walk *walk, int fd, bool last)
{
    const struct trusted_owner *owner = walk->owner;
    mode_t mode = last ? owner->mode : owner->give ? 0755 : 0;
    bool give = last && owner->give;
    struct stat status;
    if (!give && mode == 0)
        return 0;
    if (fstat(fd, &status) != 0 || status.st_uid != geteuid())
        return refuse(walk, EAGAIN, "was replaced while it was made");
    if ((mode != 0 && fchmod(fd, mode) != 0) || (give && fchown(fd, owner->uid, owner->gid) != 0))
        return refuse(walk, errno, "can't be given to its users: %s", strerrordesc_np(errno));
    return 0;
}

/* EEXIST: somebody else made something there, which is looked at like all else. */
static int missing_make(struct walk *walk, const char *part, int *fd)
{
    if (walk->owner->give && !is_root(walk, walk->status.st_uid))
        return refuse(walk, EACCES,
                      "isn't there, and is not made by root below a directory that isn't root's; "
                      "make it as its user, or start hilerad as that user");
    if (mkdirat(walk->fd, part, 0700) != 0)
        return errno == EEXIST ? EEXIST
                               : refuse(walk, errno, "can't be made: %s: %s", walk->behind,
                                        strerrordesc_np(errno));
    *fd = openat(walk->fd, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (*fd < 0)
        return refuse(walk, errno, "can't be opened: %s", strerrordesc_np(errno));
    int rc = made_give(walk, *fd, ahead_is_empty(walk));
    if (rc != 0)
        close(*fd);
    return rc;
}

/* The part as the name leads to it, made if it is missing and may be. */
static int part_open(struct walk *walk, const char *part, int *fd)
{
    int rc = EEXIST;
    for (int i = 0; rc == EEXIST && i < MAKE_TRIES; i++) {
        *fd = openat(walk->fd, part, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (*fd >= 0)
            return 0;
        if (errno != ENOENT || walk->owner == NULL)
            return refuse(walk, errno, "can't be opened: %s: %s", walk->behind,
                          strerrordesc_np(errno));
        rc = missing_make(walk, part, fd);
    }
    return rc == EEXIST ? refuse(walk, EAGAIN, "comes and goes; try again") : rc;
}

/* ---- all of it ---- */

/* The last part: what is there is opened, and only that. */
static int target_open(struct walk *walk, const char *part, int *fd)
{
    *fd =
        openat(walk->fd, part, walk->rule->flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (*fd < 0)
        return refuse(walk, errno, "can't be opened: %s", strerrordesc_np(errno));
    int rc = target_check(walk, *fd);
    if (rc != 0)
        close(*fd);
    return rc;
}

/* One part. *fd gets the target when it was that. */
static int step(struct walk *walk, const char *part, int *fd)
{
    int here;
    struct stat status;
    behind_add(walk, part);
    int rc = part_open(walk, part, &here);
    if (rc != 0)
        return rc;
    if (fstat(here, &status) != 0)
        rc = refuse(walk, errno, "can't be looked at: %s", strerrordesc_np(errno));
    else if (S_ISLNK(status.st_mode))
        rc = link_follow(walk, here, &status);
    else if (ahead_is_empty(walk) && !S_ISDIR(status.st_mode) && !S_ISREG(status.st_mode))
        rc = refuse(walk, EINVAL, "is not a %s",
                    walk->rule->directory ? "directory" : "regular file");
    else if (ahead_is_empty(walk))
        rc = target_open(walk, part, fd);
    else if (!S_ISDIR(status.st_mode))
        rc = refuse(walk, ENOTDIR, "can't be opened: %s is not a directory", walk->behind);
    else {
        reach(walk, here);
        walk->status = status;
        return directory_check(walk, &status);
    }
    close(here);
    return rc;
}

static int walk_all(struct walk *walk, int *fd)
{
    char part[NAME_MAX + 2];
    int rc = begin(walk);
    while (rc == 0 && *fd < 0 && ahead_take(walk, part))
        rc = step(walk, part, fd);
    if (rc == 0 && *fd < 0) /* it is `/`, or ends in one that a link led to */
        rc = target_open(walk, ".", fd);
    if (walk->fd >= 0)
        close(walk->fd);
    return rc;
}

static int walk_path(struct walk *walk, int *fd)
{
    *fd = -1;
    walk->error->text[0] = '\0';
    int rc = 0;
    if (walk->path[0] != '/') {
        if (getcwd(walk->ahead, sizeof(walk->ahead)) == NULL || walk->ahead[0] != '/')
            return refuse(walk, ENOENT, "can't be opened: the working directory has no path");
    }
    size_t len = strlen(walk->ahead);
    if (walk->path[0] == '\0')
        rc = refuse(walk, ENOENT, "can't be opened: its path is empty");
    else if (snprintf(walk->ahead + len, sizeof(walk->ahead) - len, "/%s", walk->path) >=
             (int)(sizeof(walk->ahead) - len))
        rc = refuse(walk, ENAMETOOLONG, "is too long a path");
    if (rc == 0)
        rc = walk_all(walk, fd);
    if (rc != 0)
        *fd = -1;
    return rc;
}

int trusted_open(const char *path, enum trusted_kind kind, uid_t us, int *fd,
                 struct trusted_error *error)
{
    struct walk walk = {.path = path, .rule = &rules[kind], .us = us, .error = error, .fd = -1};
    return walk_path(&walk, fd);
}

int trusted_make(const char *path, enum trusted_kind kind, const struct trusted_owner *owner,
                 int *fd, struct trusted_error *error)
{
    struct walk walk = {.path = path,
                        .rule = &rules[kind],
                        .owner = owner,
                        .us = owner->uid,
                        .error = error,
                        .fd = -1};
    ASSERT(rules[kind].directory);
    return walk_path(&walk, fd);
}
