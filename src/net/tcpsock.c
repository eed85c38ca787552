// SPDX-License-Identifier: MIT
/*
 * TCP listeners. Besides binding, this names who has the port when it is taken: on a machine that
 * runs beanstalkd, its port is the first thing a new hilerad runs into.
 *
 * Of the addresses a name resolves to only the first is used: one listener, one line in the log.
 * Who wants both families names both addresses.
 *
 * On loopback nothing is ever congested, so the cheapest control there is will do: where the
 * system's default is BBR, its pacing was a tenth of the CPU time of a short request.
 */
#include "net/listener_priv.h"
#include "net/net_priv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG 1024
#define UNSENT_MAX (256 * 1024) /* bytes that the kernel takes and can't send yet */

struct tcp_address {
    struct sockaddr_storage addr;
    socklen_t len;
};

static int address_resolve(const char *host, uint16_t port, struct tcp_address *out,
                           struct net_error *error)
{
    char service[8];
    snprintf(service, sizeof(service), "%u", port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    bool any = host == NULL || host[0] == '\0';
    int rc = getaddrinfo(any ? NULL : host, service, &hints, &list);
    if (rc != 0)
        return net_fail(error, EINVAL,
                        "%s: no such address: %s; use an address of this machine such as "
                        "127.0.0.1",
                        any ? "*" : host, gai_strerror(rc));
    memcpy(&out->addr, list->ai_addr, list->ai_addrlen);
    out->len = list->ai_addrlen;
    freeaddrinfo(list);
    return 0;
}

/* "127.0.0.1:11300", "[::1]:11300" */
static void address_name(const struct tcp_address *address, char *name, size_t size, uint16_t *port)
{
    char host[INET6_ADDRSTRLEN];
    if (address->addr.ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const void *)&address->addr;
        *port = ntohs(in6->sin6_port);
        snprintf(name, size, "[%s]:%u", inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host)),
                 *port);
    } else {
        const struct sockaddr_in *in = (const void *)&address->addr;
        *port = ntohs(in->sin_port);
        snprintf(name, size, "%s:%u", inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host)), *port);
    }
}

static int bind_failed(const struct listener *listener, const struct tcp_address *address, int rc,
                       struct net_error *error)
{
    char who[256] = "";
    switch (rc) {
    case EADDRINUSE:
        occupant_describe((const struct sockaddr *)&address->addr, address->len, who, sizeof(who));
        return net_fail(error, rc, "%s: the port is in use by %s; stop that, or use another port",
                        listener->name, who[0] != '\0' ? who : "another program");
    case EADDRNOTAVAIL:
        return net_fail(error, rc, "%s: this machine has no such address", listener->name);
    case EACCES:
        return net_fail(error, rc, "%s: ports below 1024 need root (or CAP_NET_BIND_SERVICE)",
                        listener->name);
    default:
        return net_fail(error, rc, "%s: can't listen: %s", listener->name, strerrordesc_np(rc));
    }
}

static bool is_loopback(const struct tcp_address *address)
{
    if (address->addr.ss_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(
            &((const struct sockaddr_in6 *)(const void *)&address->addr)->sin6_addr);
    const struct sockaddr_in *in = (const void *)&address->addr;
    return ntohl(in->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

static int bind_and_listen(struct listener *listener, struct tcp_address *address)
{
    int family = address->addr.ss_family;
    listener->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener->fd < 0)
        return errno;
    /* REUSEADDR: connections of the last run that linger in TIME_WAIT don't matter */
    int on = 1;
    if (setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0)
        return errno;
    static const char control[] =
        "reno"; /* accepted sockets inherit it; without it all works, too */
    if (is_loopback(address))
        (void)setsockopt(listener->fd, IPPROTO_TCP, TCP_CONGESTION, control, sizeof(control) - 1);
    /* What a reader leaves unread waits here, in bounds, and not in the kernel's megabytes. */
    int unsent = UNSENT_MAX;
    (void)setsockopt(listener->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
    if (bind(listener->fd, (struct sockaddr *)&address->addr, address->len) != 0 ||
        listen(listener->fd, BACKLOG) != 0)
        return errno;
    address->len = sizeof(address->addr);
    return getsockname(listener->fd, (struct sockaddr *)&address->addr, &address->len) == 0 ? 0
                                                                                            : errno;
}

int net_listen_tcp(struct net *net, const char *host, uint16_t port, struct net_error *error)
{
    MAGIC_CHECK(net, NET_MAGIC);
    ASSERT(!net->started);
    struct tcp_address address = {.len = 0};
    int rc = address_resolve(host, port, &address, error);
    if (rc != 0)
        return rc;
    struct listener *listener;
    if (listener_new(&listener) != 0)
        return net_fail(error, ENOMEM, "%s: out of memory", host != NULL ? host : "*");
    listener->tcp = true;
    address_name(&address, listener->name, sizeof(listener->name), &listener->port);
    rc = bind_and_listen(listener, &address);
    if (rc != 0) {
        rc = bind_failed(listener, &address, rc, error);
        listener_free(&listener);
        return rc;
    }
    address_name(&address, listener->name, sizeof(listener->name), &listener->port);
    return listener_add(net, &listener, error);
}
