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
 * The mode is set on the socket before bind makes the file: there is no moment at which more people
 * could connect than are meant to.
 */
#include "net/net_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_TRIES 16 /* each failed try means that another daemon just ended */
#define BACKLOG 1024

static void lock_path(const char *path, char *out, size_t size)
{
    snprintf(out, size, "%s.lock", path);
}

/* Whether the name still leads to the file that is open. */
static bool same_file(int fd, const char *path)
{
    struct stat open_file, named;
    return fstat(fd, &open_file) == 0 && lstat(path, &named) == 0 &&
           open_file.st_dev == named.st_dev && open_file.st_ino == named.st_ino;
}

static int lock_acquire(struct listener *listener, struct net_error *error)
{
    char lock[sizeof(listener->path) + 8];
    lock_path(listener->path, lock, sizeof(lock));
    for (int i = 0; i < LOCK_TRIES; i++) {
        int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
            return net_fail(error, errno, "%s: can't make the lock file %s: %s", listener->name,
                            lock, strerrordesc_np(errno));
        if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
            int rc = errno;
            close(fd);
            if (rc == EINTR)
                continue;
            return net_fail(
                error, EADDRINUSE,
                "%s: another hilerad listens there (it holds %s); stop it, or use another "
                "path",
                listener->name, lock);
        }
        if (same_file(fd, lock)) {
            listener->lock_fd = fd;
            return 0;
        }
        close(fd);
    }
    return net_fail(error, EBUSY, "%s: the lock file %s comes and goes; try again", listener->name,
                    lock);
}

static void lock_release(struct listener *listener)
{
    if (listener->lock_fd < 0)
        return;
    char lock[sizeof(listener->path) + 8];
    lock_path(listener->path, lock, sizeof(lock));
    if (same_file(listener->lock_fd, lock))
        (void)unlink(lock);
    close(listener->lock_fd);
    listener->lock_fd = -1;
}

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
    if (lstat(listener->path, &st) != 0)
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
    if (unlink(listener->path) != 0 && errno != ENOENT)
        return net_fail(error, errno, "%s: can't remove the stale socket: %s", listener->name,
                        strerrordesc_np(errno));
    return 0;
}

static int bind_and_listen(struct listener *listener, const struct sockaddr_un *addr, mode_t mode,
                           struct net_error *error)
{
    listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener->fd < 0 || fchmod(listener->fd, mode) != 0)
        return net_fail(error, errno, "%s: can't make a socket: %s", listener->name,
                        strerrordesc_np(errno));
    if (bind(listener->fd, (const struct sockaddr *)addr, sizeof(*addr)) != 0)
        return net_fail(error, errno,
                        "%s: can't make it: %s; does its folder exist, and may we write there?",
                        listener->name, strerrordesc_np(errno));
    struct stat st;
    /* The umask took away from the mode, so it is given again. */
    if (chmod(listener->path, mode) != 0 || lstat(listener->path, &st) != 0 ||
        listen(listener->fd, BACKLOG) != 0) {
        int rc = errno;
        (void)unlink(listener->path);
        return net_fail(error, rc, "%s: can't listen: %s", listener->name, strerrordesc_np(rc));
    }
    listener->dev = st.st_dev;
    listener->ino = st.st_ino;
    return 0;
}

void unixsock_remove(struct listener *listener)
{
    struct stat st;
    if (listener->ino != 0 && lstat(listener->path, &st) == 0 && st.st_dev == listener->dev &&
        st.st_ino == listener->ino)
        (void)unlink(listener->path);
    lock_release(listener);
}

int net_listeners_give(struct net *net, uid_t uid, gid_t gid, struct net_error *error)
{
    MAGIC_CHECK(net, NET_MAGIC);
    ASSERT(!net->started);
    for (size_t i = 0; i < net->listener_count; i++) {
        const struct listener *listener = net->listeners[i];
        if (listener->tcp)
            continue;
        if (lchown(listener->path, uid, gid) != 0 || fchown(listener->lock_fd, uid, gid) != 0)
            return net_fail(error, errno, "%s: can't be given to another user: %s", listener->name,
                            strerrordesc_np(errno));
    }
    return 0;
}

int net_listen_unix(struct net *net, const char *path, mode_t mode, struct net_error *error)
{
    MAGIC_CHECK(net, NET_MAGIC);
    ASSERT(!net->started);
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof(addr.sun_path))
        return net_fail(error, len == 0 ? EINVAL : ENAMETOOLONG,
                        "unix:%s: the path of a socket has 1 to %zu bytes, this one has %zu", path,
                        sizeof(addr.sun_path) - 1, len);
    memcpy(addr.sun_path, path, len + 1);
    struct listener *listener;
    if (listener_new(&listener) != 0)
        return net_fail(error, ENOMEM, "unix:%s: out of memory", path);
    memcpy(listener->path, path, len + 1);
    snprintf(listener->name, sizeof(listener->name), "unix:%s", path);
    int rc = lock_acquire(listener, error);
    if (rc == 0)
        rc = clear_path(listener, &addr, error);
    if (rc == 0)
        rc = bind_and_listen(listener, &addr, mode, error);
    if (rc != 0) {
        listener_free(&listener);
        return rc;
    }
    return listener_add(net, &listener, error);
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
