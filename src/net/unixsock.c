// SPDX-License-Identifier: MIT
/*
 * The Unix socket: binding it where a killed daemon may have left its file.
 *
 * A socket file says nothing about whether anybody listens. Who wants to listen at a path first
 * locks path.lock (flock, which ends with the process however it ends) and keeps it; only who has
 * the lock may replace the file, so two daemons that start at once can't take it from each other.
 * Programs that don't know the lock are found by connecting: what answers is alive and is left
 * alone, what refuses is stale. Lock file and socket file are removed at the end, the lock file
 * last and while it is locked; who got a lock on a removed file sees that its name is gone and
 * starts over.
 *
 * The directory is trusted (base/trusted.h) and held as a descriptor, below which everything is
 * done. The socket has its mode and its group from the moment on at which it has a name: the mode
 * by fchmod before bind and by a umask that takes nothing of it away, the group by the one that
 * this thread has towards files. Nothing is changed by name afterwards, for a name may lead to
 * something else by then. Where root listens for another user, who may own a part of the way, bind
 * goes through the descriptor, too.
 */
#include "net/conn_priv.h"
#include "net/listener_priv.h"
#include "net/net_priv.h"

#include "base/log.h"
#include "base/trusted.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_TRIES 16 /* each failed try means that another daemon just ended */
#define BACKLOG 1024

/* The name in the directory. */
static const char *name_of(const struct listener *listener)
{
    const char *slash = strrchr(listener->path, '/');
    return slash != NULL ? slash + 1 : listener->path;
}

static void lock_name(const struct listener *listener, char *out, size_t size)
{
    snprintf(out, size, "%s.lock", name_of(listener));
}

/* Whether the name still leads to the file that is open. */
static bool same_file(const struct listener *listener, int fd, const char *name)
{
    struct stat open_file, named;
    return fstat(fd, &open_file) == 0 &&
           fstatat(listener->directory, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           open_file.st_dev == named.st_dev && open_file.st_ino == named.st_ino;
}

/* ---- the directory ---- */

static int directory_open(struct listener *listener, uid_t us, struct net_error *error)
{
    char path[sizeof(listener->path)];
    struct trusted_error refused;
    size_t len = (size_t)(name_of(listener) - listener->path);
    memcpy(path, listener->path, len);
    path[len] = '\0';
    int rc =
        trusted_open(len > 0 ? path : ".", TRUSTED_RUNTIME, us, &listener->directory, &refused);
    return rc == 0 ? 0 : net_fail(error, rc, "%s: %s", listener->name, refused.text);
}

/* How it is called by who binds and connects: through the descriptor, or if there is no /proc, from
 * within the directory, where *back gets the way out of it. */
static int address_find(const struct listener *listener, bool give, struct sockaddr_un *addr,
                        int *back)
{
    struct stat through, held;
    *addr = (struct sockaddr_un){.sun_family = AF_UNIX};
    *back = -1;
    if (!give) {
        snprintf(addr->sun_path, sizeof(addr->sun_path), "%s", listener->path);
        return 0;
    }
    int len =
        snprintf(addr->sun_path, sizeof(addr->sun_path), "/proc/self/fd/%d", listener->directory);
    if (stat(addr->sun_path, &through) == 0 && fstat(listener->directory, &held) == 0 &&
        through.st_dev == held.st_dev && through.st_ino == held.st_ino)
        len = snprintf(addr->sun_path, sizeof(addr->sun_path), "/proc/self/fd/%d/%s",
                       listener->directory, name_of(listener));
    else
        len = 0;
    if ((size_t)len >= sizeof(addr->sun_path))
        return ENAMETOOLONG;
    if (len > 0)
        return 0;
    snprintf(addr->sun_path, sizeof(addr->sun_path), "%s", name_of(listener));
    *back = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*back >= 0 && fchdir(listener->directory) == 0)
        return 0;
    int rc = errno;
    if (*back >= 0)
        close(*back);
    *back = -1;
    return rc;
}

static int go_back(int back)
{
    if (back < 0)
        return 0;
    int rc = fchdir(back) == 0 ? 0 : errno;
    close(back);
    return rc;
}

/* ---- the lock ---- */

/* A new one is the user's, if root listens for another: by its descriptor, and nobody else can have
 * made it. */
static int lock_open(const struct listener *listener, const char *name,
                     const struct net_owner *owner)
{
    int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
    int fd = openat(listener->directory, name, flags | O_CREAT | O_EXCL, 0600);
    if (fd < 0)
        return errno == EEXIST ? openat(listener->directory, name, flags) : -1;
    if (owner->give && fchown(fd, owner->uid, owner->gid) != 0) {
        int rc = errno;
        (void)unlinkat(listener->directory, name, 0);
        close(fd);
        errno = rc;
        return -1;
    }
    return fd;
}

/* One that was there may be anybody's, where everybody may write. */
static int lock_look(const struct listener *listener, const char *name, int fd,
                     const struct net_owner *owner, struct net_error *error)
{
    struct stat status;
    char whose[128];
    if (fstat(fd, &status) != 0)
        return net_fail(error, errno, "%s: can't look at its lock file: %s", listener->name,
                        strerrordesc_np(errno));
    if (!S_ISREG(status.st_mode))
        return net_fail(error, EEXIST,
                        "%s: its lock file %s is there and is no file; remove it, or use another "
                        "path",
                        listener->name, name);
    if (status.st_uid != 0 && status.st_uid != owner->uid)
        return net_fail(error, EACCES,
                        "%s: its lock file %s is there and belongs to %s; remove it, or use "
                        "another path",
                        listener->name, name,
                        trusted_user_text(status.st_uid, whose, sizeof(whose)));
    return 0;
}

static int lock_acquire(struct listener *listener, const struct net_owner *owner,
                        struct net_error *error)
{
    char lock[sizeof(listener->path) + 8];
    lock_name(listener, lock, sizeof(lock));
    for (int i = 0; i < LOCK_TRIES; i++) {
        int fd = lock_open(listener, lock, owner);
        if (fd < 0 && errno == ENOENT)
            continue;
        if (fd < 0)
            return net_fail(error, errno, "%s: can't make the lock file %s.lock: %s",
                            listener->name, listener->path, strerrordesc_np(errno));
        int rc = lock_look(listener, lock, fd, owner, error);
        if (rc != 0) {
            close(fd);
            return rc;
        }
        if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
            rc = errno;
            close(fd);
            if (rc == EINTR)
                continue;
            return net_fail(
                error, EADDRINUSE,
                "%s: another hilerad listens there (it holds %s.lock); stop it, or use another "
                "path",
                listener->name, listener->path);
        }
        if (same_file(listener, fd, lock)) {
            listener->lock_fd = fd;
            return 0;
        }
        close(fd);
    }
    return net_fail(error, EBUSY, "%s: the lock file %s.lock comes and goes; try again",
                    listener->name, listener->path);
}

static void lock_release(struct listener *listener)
{
    if (listener->lock_fd < 0)
        return;
    char lock[sizeof(listener->path) + 8];
    lock_name(listener, lock, sizeof(lock));
    if (same_file(listener, listener->lock_fd, lock))
        (void)unlinkat(listener->directory, lock, 0);
    close(listener->lock_fd);
    listener->lock_fd = -1;
}

/* ---- the socket ---- */

/* 0: nobody listens. EADDRINUSE: somebody does; `who` says who, if that can be known. EACCES. */
static int probe(const struct sockaddr_un *addr, char *who, size_t size)
{
    who[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    int rc = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 ? 0 : errno;
    if (rc == 0)
        occupant_describe_peer(fd, who, size);
    close(fd);
    /* EAGAIN: its backlog is full, so it is alive. ENOENT: it has just ended. EPROTOTYPE: a socket
     * of another kind, in use. */
    return rc == ECONNREFUSED || rc == ENOENT ? 0 : rc == EACCES ? EACCES : EADDRINUSE;
}

/* Makes way: removes a stale socket file, and nothing else. */
static int clear_path(struct listener *listener, const struct sockaddr_un *addr,
                      struct net_error *error)
{
    struct stat st;
    if (fstatat(listener->directory, name_of(listener), &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? 0
                               : net_fail(error, errno, "%s: can't look at it: %s", listener->name,
                                          strerrordesc_np(errno));
    if (!S_ISSOCK(st.st_mode))
        return net_fail(
            error, EEXIST,
            "%s: what is there is not a socket and is left alone; remove it, or use another "
            "path",
            listener->name);
    char who[128];
    int rc = probe(addr, who, sizeof(who));
    if (rc == EACCES)
        return net_fail(error, rc, "%s: another user's socket is there; use another path",
                        listener->name);
    if (rc != 0)
        return net_fail(error, EADDRINUSE, "%s: %s listens there; stop it, or use another path",
                        listener->name, who[0] != '\0' ? who : "another program");
    if (unlinkat(listener->directory, name_of(listener), 0) != 0 && errno != ENOENT)
        return net_fail(error, errno, "%s: can't remove the stale socket: %s", listener->name,
                        strerrordesc_np(errno));
    return 0;
}

/* The file is made here, with its mode and group. The umask is the process's: what other threads
 * make at this moment is for their user alone, and that it leaves. */
static int bind_file(const struct listener *listener, const struct sockaddr_un *addr, mode_t mode,
                     const struct net_owner *owner)
{
    mode_t before = umask(0777 & ~(mode | S_IRUSR | S_IWUSR));
    if (owner->give || owner->share)
        (void)setfsgid(owner->gid);
    int rc = bind(listener->fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 ? 0 : errno;
    if (owner->give || owner->share)
        (void)setfsgid(getegid());
    (void)umask(before);
    return rc;
}

/* Which file it is. In a directory with the set-group-id bit it has that one's group, which isn't
 * what was meant for another user. Where root may not give files a group, it has root's. */
static int file_remember(struct listener *listener, const struct net_owner *owner,
                         struct net_error *error)
{
    struct stat st;
    if (fstatat(listener->directory, name_of(listener), &st, AT_SYMLINK_NOFOLLOW) != 0)
        return net_fail(error, errno, "%s: can't look at it: %s", listener->name,
                        strerrordesc_np(errno));
    listener->dev = st.st_dev;
    listener->ino = st.st_ino;
    if (owner->give && st.st_gid != owner->gid)
        return net_fail(error, EPERM,
                        "%s: its directory gives it another group than the user's; take the "
                        "set-group-id bit away (chmod g-s), or use another directory",
                        listener->name);
    if (owner->share && st.st_gid != owner->gid)
        log_warning("%s: could not be given the group %u, and has %u; members of the former may "
                    "not reach it",
                    listener->name, owner->gid, st.st_gid);
    return 0;
}

static int bind_and_listen(struct listener *listener, const struct sockaddr_un *addr, mode_t mode,
                           const struct net_owner *owner, struct net_error *error)
{
    listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener->fd < 0 || fchmod(listener->fd, mode) != 0)
        return net_fail(error, errno, "%s: can't make a socket: %s", listener->name,
                        strerrordesc_np(errno));
    int rc = bind_file(listener, addr, mode, owner);
    if (rc != 0)
        return net_fail(error, rc, "%s: can't make it: %s; may we write in its directory?",
                        listener->name, strerrordesc_np(rc));
    rc = file_remember(listener, owner, error);
    if (rc == 0 && listen(listener->fd, BACKLOG) != 0)
        rc = net_fail(error, errno, "%s: can't listen: %s", listener->name, strerrordesc_np(errno));
    return rc;
}

void unixsock_remove(struct listener *listener)
{
    struct stat st;
    if (listener->directory < 0)
        return;
    if (listener->ino != 0 &&
        fstatat(listener->directory, name_of(listener), &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        st.st_dev == listener->dev && st.st_ino == listener->ino)
        (void)unlinkat(listener->directory, name_of(listener), 0);
    lock_release(listener);
    close(listener->directory);
    listener->directory = -1;
}

static int listener_open(struct listener *listener, mode_t mode, const struct net_owner *owner,
                         struct net_error *error)
{
    struct sockaddr_un addr;
    int back;
    int rc = directory_open(listener, owner->uid, error);
    if (rc == 0)
        rc = lock_acquire(listener, owner, error);
    if (rc != 0)
        return rc;
    rc = address_find(listener, owner->give, &addr, &back);
    if (rc != 0)
        return net_fail(error, rc, "%s: can't be reached through its directory: %s", listener->name,
                        strerrordesc_np(rc));
    rc = clear_path(listener, &addr, error);
    if (rc == 0)
        rc = bind_and_listen(listener, &addr, mode, owner, error);
    int returned = go_back(back);
    return rc != 0 || returned == 0
               ? rc
               : net_fail(error, returned, "%s: can't return to the working directory: %s",
                          listener->name, strerrordesc_np(returned));
}

int net_listen_unix_for(struct net *net, const char *path, mode_t mode,
                        const struct net_owner *owner, struct net_error *error)
{
    MAGIC_CHECK(net, NET_MAGIC);
    ASSERT(!net->started);
    struct listener *listener;
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof(listener->path))
        return net_fail(error, len == 0 ? EINVAL : ENAMETOOLONG,
                        "unix:%s: the path of a socket has 1 to %zu bytes, this one has %zu", path,
                        sizeof(listener->path) - 1, len);
    if (listener_new(&listener) != 0)
        return net_fail(error, ENOMEM, "unix:%s: out of memory", path);
    memcpy(listener->path, path, len + 1);
    snprintf(listener->name, sizeof(listener->name), "unix:%s", path);
    int rc = listener_open(listener, mode, owner, error);
    if (rc != 0) {
        listener_free(&listener);
        return rc;
    }
    return listener_add(net, &listener, error);
}

int net_listen_unix(struct net *net, const char *path, mode_t mode, struct net_error *error)
{
    const struct net_owner owner = {.uid = geteuid()};
    return net_listen_unix_for(net, path, mode, &owner, error);
}

/* A TCP socket has credentials for the kernel, too: of nobody. So the kind is asked first. */
int conn_peer_uid(const struct conn *conn, uid_t *uid)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);
    int domain;
    socklen_t domain_len = sizeof(domain);
    if (getsockopt(conn->fd, SOL_SOCKET, SO_DOMAIN, &domain, &domain_len) != 0)
        return errno;
    if (domain != AF_UNIX)
        return EOPNOTSUPP;
    if (getsockopt(conn->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
        return errno;
    *uid = peer.uid;
    return 0;
}
