// SPDX-License-Identifier: MIT
/*
 * The inside of a listener: TCP (tcpsock.c), Unix (unixsock.c), and who is there already
 * (occupant.c).
 */
#ifndef NET_LISTENER_PRIV_H
#define NET_LISTENER_PRIV_H

#include "base/magic.h"
#include "net/net.h"

#include <event2/event.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

/* ---- listener.c ---- */

#define LISTENER_MAGIC 0x115731e3u

struct listener {
    unsigned magic;
    int fd;
    int directory; /* Unix: where the socket is; -1 */
    int lock_fd;   /* Unix: of path.lock; -1 */
    uint16_t port;
    bool tcp;
    dev_t dev; /* Unix: of the socket file we made */
    ino_t ino;
    struct net *net;
    struct event *event;
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    char name[160];
};

/* An open descriptor that listens becomes number net->listener_count. Takes `listener` over. */
int listener_add(struct net *net, struct listener **listener, struct net_error *error);
int listener_new(struct listener **out);
/* Closes it and removes its socket file. */
void listener_free(struct listener **listener);
/* On loop 0's thread, or before it runs. */
void listeners_accept(struct net *net);
void listeners_stop(struct net *net);
/* A connection that was accepted is closed, its descriptor given back; from any loop. */
void listeners_conn_gone(struct net *net);

/* ---- unixsock.c, tcpsock.c, occupant.c ---- */

/* text = format. Returns `rc`. */
int net_fail(struct net_error *error, int rc, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void unixsock_remove(struct listener *listener);
/* Who listens at that address: "beanstalkd (pid 77), which answers as beanstalkd 1.13", or "". */
void occupant_describe(const struct sockaddr *addr, socklen_t len, char *text, size_t size);
/* The same for a Unix socket that was just connected to. */
void occupant_describe_peer(int fd, char *text, size_t size);

#endif
