// SPDX-License-Identifier: MIT
/*
 * Addresses. TCP hosts may be names; they are looked up once, and the first answer is taken for all
 * connections of the run, so that all of them meet the same server.
 *
 * A connect is made blocking, as a run begins with all of its connections open; when the listener's
 * queue is full the kernel waits (a Unix socket says EAGAIN instead if it must not wait).
 */
#include "load/address.h"

#include "load/fault.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

static int unix_parse(const char *path, struct address *address, const char **why)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&address->socket;
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof(un->sun_path)) {
        *why = "the path of a Unix socket has 1 to 107 bytes";
        return EINVAL;
    }
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path, len + 1);
    address->len = sizeof(*un);
    address->local = true;
    return 0;
}

static bool is_loopback(const struct sockaddr_storage *socket)
{
    if (socket->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)socket;
        return ntohl(in->sin_addr.s_addr) >> 24 == 127;
    }
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)socket;
    return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

static int tcp_parse(const char *text, struct address *address, const char **why)
{
    char host[256];
    const char *colon = strrchr(text, ':');
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    *why = "a TCP address is tcp:HOST:PORT, an IPv6 one tcp:[ADDRESS]:PORT";
    if (colon == NULL || colon[1] == '\0' || strspn(colon + 1, "0123456789") != strlen(colon + 1))
        return EINVAL;
    size_t len = (size_t)(colon - text);
    if (len >= 2 && text[0] == '[' && colon[-1] == ']') {
        text++;
        len -= 2;
    }
    if (len == 0 || len >= sizeof(host))
        return EINVAL;
    memcpy(host, text, len);
    host[len] = '\0';
    if (getaddrinfo(host, colon + 1, &hints, &found) != 0) {
        *why = "the host is not known";
        return EINVAL;
    }
    memcpy(&address->socket, found->ai_addr, found->ai_addrlen);
    address->len = found->ai_addrlen;
    address->local = is_loopback(&address->socket);
    freeaddrinfo(found);
    return 0;
}

int address_parse(const char *text, struct address *address, const char **why)
{
    memset(address, 0, sizeof(*address));
    address->text = text;
    if (strncmp(text, "unix:", 5) == 0)
        return unix_parse(text + 5, address, why);
    if (strncmp(text, "tcp:", 4) == 0)
        return tcp_parse(text + 4, address, why);
    *why = "an address is tcp:HOST:PORT or unix:PATH";
    return EINVAL;
}

int address_try(const struct address *address, bool nonblocking)
{
    int on = 1;
    int fd = socket(address->socket.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (connect(fd, (const struct sockaddr *)&address->socket, address->len) != 0 ||
        (address->socket.ss_family != AF_UNIX &&
         setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0) ||
        (nonblocking && fcntl(fd, F_SETFL, O_NONBLOCK) != 0)) {
        int err = errno;
        close(fd);
        errno = err;
        return -1;
    }
    return fd;
}

int address_connect(const struct address *address, bool nonblocking)
{
    int fd = address_try(address, nonblocking);
    if (fd < 0)
        failed("no connection to %s: %s", address->text, strerrordesc_np(errno));
    return fd;
}
