// SPDX-License-Identifier: MIT
/*
 * Connecting: over a Unix socket or TCP, within a deadline, and with an error that names the
 * address.
 *
 * The two need different waits. A TCP connect is started and then waited for with poll. A Unix
 * connect never stays under way: it succeeds, fails, or finds the listener's queue full, and then
 * there is nothing to poll; the kernel waits for room inside connect(2) for as long as SO_SNDTIMEO
 * says. So it is tried in slices, with a look at the deadline and the interrupt descriptor between
 * them.
 */

#include "client/client_priv.h"

#include "base/clock.h"
#include "base/text.h"
#include "base/trusted.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* How long an interrupt or a deadline may go unnoticed while a listener's queue is full. */
#define CONNECT_SLICE_NS (50 * HL_MILLISECOND)
#define CONNECT_HOST_MAX 255
#define CONNECT_PORT_MAX 5

static int connect_begin(struct hl_client *client, const char *address)
{
    hl_client_close(client);
    buf_clear(&client->address);
    if (text_show(&client->address, address, strlen(address), TEXT_LINE) != 0 ||
        buf_reserve(&client->address, 1) != 0) /* an empty one is a text, too */
        return client_fail(client, ENOMEM, "not enough memory for a connection");
    return 0;
}

static int connect_failed(struct hl_client *client, int err)
{
    if (err == ETIMEDOUT)
        return client_fail(client, err, "no daemon answers at %s within the time allowed",
                           client->address.data);
    if (err == EINTR)
        return client_fail(client, err, "interrupted while connecting to %s", client->address.data);
    return client_fail(client, err, "no daemon answers at %s (%s)", client->address.data,
                       strerrordesc_np(err));
}

static int connect_done(struct hl_client *client, int fd)
{
    client->fd = fd;
    strcpy(client->tube, "default");
    return 0;
}

/* ---- Unix ---- */

#define SYSTEM_SOCKET "/run/hilera/hilera.sock"

/*
 * Whether there is a socket of the user's own daemon that may be followed: a stranger's variable,
 * as it is left over after su or sudo -E, would lead root's commands to a daemon of that stranger.
 * 0; ENOENT: there is none; EACCES, with why: there is one, and it is somebody else's.
 */
static int runtime_socket(const char *directory, const char *path, struct trusted_error *why)
{
    char owner[128];
    struct stat status;
    int fd;
    why->text[0] = '\0';
    if (access(path, F_OK) != 0)
        return ENOENT;
    int rc = trusted_open(directory, TRUSTED_RUNTIME, geteuid(), &fd, why);
    if (rc != 0)
        return rc == EACCES ? EACCES : ENOENT;
    if (fstatat(fd, "hilera.sock", &status, AT_SYMLINK_NOFOLLOW) != 0)
        rc = ENOENT;
    else if (status.st_uid != 0 && status.st_uid != geteuid()) {
        snprintf(why->text, sizeof(why->text), "the socket %s belongs to %s", path,
                 trusted_user_text(status.st_uid, owner, sizeof(owner)));
        rc = EACCES;
    }
    close(fd);
    return rc;
}

/* The user's own daemon first, then the machine's. When neither is there the error names the one
 * that this user would start. */
static int default_socket(struct buf *path, struct trusted_error *why)
{
    const char *named = getenv("HILERA_SOCKET");
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    why->text[0] = '\0';
    if (named && *named)
        return buf_append_str(path, named);
    if (!runtime || !*runtime)
        return buf_append_str(path, SYSTEM_SOCKET);
    struct buf directory = BUF_EMPTY;
    int rc = buf_printf(&directory, "%s/hilera", runtime);
    if (rc == 0)
        rc = buf_printf(path, "%s/hilera/hilera.sock", runtime);
    if (rc == 0)
        rc = runtime_socket(directory.data, path->data, why);
    buf_fini(&directory);
    if (rc != ENOENT)
        return rc;
    if (geteuid() != 0 && access(SYSTEM_SOCKET, F_OK) != 0)
        return 0;
    buf_clear(path);
    return buf_append_str(path, SYSTEM_SOCKET);
}

static int default_socket_copy(char *buffer, size_t size, struct trusted_error *why)
{
    struct buf path = BUF_EMPTY;
    int rc = default_socket(&path, why);
    if (rc == 0 && path.len >= size)
        rc = ENAMETOOLONG;
    if (rc == 0)
        memcpy(buffer, path.data, path.len + 1);
    buf_fini(&path);
    return rc;
}

int hl_client_default_socket(char *buffer, size_t size)
{
    struct trusted_error why;
    return default_socket_copy(buffer, size, &why);
}

/* One connect of at most a slice. EAGAIN: the queue is still full. */
static int connect_slice(int fd, const struct sockaddr_un *address, int64_t deadline_ns)
{
    int64_t left_ns = deadline_ns - clock_now_ns();
    if (left_ns > CONNECT_SLICE_NS)
        left_ns = CONNECT_SLICE_NS;
    /* Zero would mean no limit. */
    struct timeval limit = {0, left_ns > HL_MICROSECOND ? left_ns / HL_MICROSECOND : 1};
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0)
        return errno;
    return connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ? 0 : errno;
}

int hl_client_connect_unix(hl_client *client, const char *path, int64_t timeout_ns)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int64_t deadline_ns = clock_deadline(timeout_ns);
    struct trusted_error why;
    char chosen[4096];
    int rc = 0;
    if (!path) {
        rc = default_socket_copy(chosen, sizeof(chosen), &why);
        path = rc == 0 ? chosen : "(the default socket)";
    }
    int begun = connect_begin(client, path);
    if (begun != 0)
        return begun;
    if (rc == ENOMEM)
        return client_fail(client, rc, "not enough memory for a connection");
    if (rc == EACCES)
        return client_fail(client, rc,
                           "%s; XDG_RUNTIME_DIR leads there: unset it, or name a socket that you "
                           "trust (HILERA_SOCKET)",
                           why.text);
    size_t len = strlen(path);
    if (rc != 0 || len >= sizeof(address.sun_path))
        return client_fail(client, ENAMETOOLONG,
                           "the path %s is longer than the %zu bytes a "
                           "socket's path may have",
                           client->address.data, sizeof(address.sun_path) - 1);
    if (len == 0)
        return client_fail(client, EINVAL, "the path of the socket is empty");
    memcpy(address.sun_path, path, len + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return client_fail(client, errno, "no socket to be had: %s", strerrordesc_np(errno));
    do {
        rc = connect_slice(fd, &address, deadline_ns);
        if (rc == EAGAIN || rc == EINTR)
            rc = clock_now_ns() >= deadline_ns ? ETIMEDOUT : EAGAIN;
        if (rc == EAGAIN && client->interrupt_fd >= 0 && stream_wait(client, -1, 0, 0) == EINTR)
            rc = EINTR;
    } while (rc == EAGAIN);
    if (rc == 0)
        return connect_done(client, fd);
    close(fd);
    return connect_failed(client, rc);
}

/* ---- TCP ---- */

struct host_port {
    char host[CONNECT_HOST_MAX + 1];
    char port[CONNECT_PORT_MAX + 1];
};

static bool port_valid(const char *port)
{
    size_t len = strlen(port);
    if (len == 0 || len > CONNECT_PORT_MAX || strspn(port, "0123456789") != len)
        return false;
    long number = strtol(port, NULL, 10);
    return number >= 1 && number <= 65535;
}

/* HOST, HOST:PORT, [HOST]:PORT, [HOST], or an IPv6 address. */
static bool host_port_read(const char *address, struct host_port *out)
{
    const char *host = address, *end, *port = NULL;
    const char *first = strchr(address, ':'), *last = strrchr(address, ':');
    if (address[0] == '[') {
        host = address + 1;
        end = strchr(host, ']');
        if (!end || (end[1] != '\0' && end[1] != ':'))
            return false;
        port = end[1] == ':' ? end + 2 : NULL;
    } else if (first && first == last) {
        end = first;
        port = first + 1;
    } else {
        end = address + strlen(address);
    }
    size_t len = (size_t)(end - host);
    if (len == 0 || len > CONNECT_HOST_MAX || (port && !port_valid(port)))
        return false;
    memcpy(out->host, host, len);
    out->host[len] = '\0';
    strcpy(out->port, port ? port : HL_CLIENT_TCP_PORT);
    return true;
}

/* One address of the host. */
static int connect_one(struct hl_client *client, const struct addrinfo *info, int64_t deadline_ns,
                       int *out)
{
    int fd = socket(info->ai_family, info->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    info->ai_protocol);
    if (fd < 0)
        return errno;
    int rc = connect(fd, info->ai_addr, info->ai_addrlen) == 0 ? 0 : errno;
    if (rc == EINPROGRESS || rc == EINTR) {
        rc = stream_wait(client, fd, POLLOUT, deadline_ns);
        socklen_t len = sizeof(rc);
        if (rc == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &rc, &len) != 0)
            rc = errno;
    }
    int on = 1;
    if (rc == 0 && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0)
        rc = errno;
    if (rc != 0)
        close(fd);
    else
        *out = fd;
    return rc;
}

static int lookup_failed(struct hl_client *client, int code)
{
    int err = code == EAI_SYSTEM ? errno : code == EAI_MEMORY ? ENOMEM : ENXIO;
    return client_fail(client, err, "the host of %s is not known (%s)", client->address.data,
                       code == EAI_SYSTEM ? strerrordesc_np(err) : gai_strerror(code));
}

int hl_client_connect_tcp(hl_client *client, const char *address, int64_t timeout_ns)
{
    int64_t deadline_ns = clock_deadline(timeout_ns);
    struct host_port target;
    if (!address)
        address = HL_CLIENT_TCP_HOST;
    bool good = host_port_read(address, &target);
    int rc = connect_begin(client, address);
    if (rc != 0)
        return rc;
    if (!good)
        return client_fail(client, EINVAL,
                           "\"%s\" is no address: it is HOST, HOST:PORT or [HOST]:PORT, with a "
                           "port from 1 to 65535",
                           client->address.data);
    buf_clear(&client->address);
    bool v6 = strchr(target.host, ':') != NULL;
    if (buf_append_str(&client->address, v6 ? "[" : "") != 0 ||
        text_show(&client->address, target.host, strlen(target.host), TEXT_LINE) != 0 ||
        buf_printf(&client->address, "%s:%s", v6 ? "]" : "", target.port) != 0)
        return client_fail(client, ENOMEM, "not enough memory for a connection");
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *list;
    int code = getaddrinfo(target.host, target.port, &hints, &list);
    if (code != 0)
        return lookup_failed(client, code);
    int fd = -1;
    rc = ENXIO;
    for (struct addrinfo *info = list; info && fd < 0 && rc != EINTR; info = info->ai_next)
        rc = connect_one(client, info, deadline_ns, &fd);
    freeaddrinfo(list);
    return fd >= 0 ? connect_done(client, fd) : connect_failed(client, rc);
}
