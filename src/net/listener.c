// SPDX-License-Identifier: MIT
/*
 * Accepting: all listeners live on loop 0, which hands each new connection to the loop that has the
 * fewest.
 *
 * At connections_max callers are told so and closed; they would wait for who may never leave. The
 * last places are for who is on this machine, and the very last for root and the daemon's own user,
 * so that whoever takes all of them doesn't keep those out who can end it. Where descriptors run
 * out earlier, the same is done with one that is kept for that (spare_fd).
 *
 * When there is no memory for sockets, or somebody else took the spare descriptor, the listeners
 * are taken out of the loop: epoll would report them again and again. Callers wait in the kernel's
 * backlog meanwhile. Accepting is tried again when a connection closes, and after a second, for
 * what is missing may also come back from elsewhere (a child's pipes). What is logged about any of
 * this is at most one line a second.
 */
#include "net/conn_priv.h"
#include "net/listener_priv.h"
#include "net/loop_priv.h"
#include "net/net_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ACCEPT_BATCH 64 /* in one turn, so that a rush of callers doesn't hold up the loop */
#define ACCEPT_RETRY_NS HL_SECOND

/* ---- handing over ---- */

struct newcomer {
    unsigned magic;
    int fd;
    struct loop_message message;
};
#define NEWCOMER_MAGIC 0x2e3c0e05u

static struct loop *loop_least(const struct net *net)
{
    struct loop *least = net->loops[0];
    uint64_t least_count = UINT64_MAX;
    for (unsigned i = 0; i < net->loop_count; i++) {
        struct loop *loop = net->loops[i];
        /* closed is read first: it never runs ahead of accepted */
        uint64_t closed = counter_get(&loop->closed);
        uint64_t count = counter_get(&loop->accepted) - closed;
        if (count < least_count) {
            least = loop;
            least_count = count;
        }
    }
    return least;
}

static void newcomer_deliver(struct loop_message *message, void *session)
{
    (void)session;
    struct newcomer *newcomer = CONTAINER_OF(message, struct newcomer, message);
    MAGIC_CHECK(newcomer, NEWCOMER_MAGIC);
    conn_open(message->to.loop, newcomer->fd);
    MAGIC_WIPE(newcomer);
    free(newcomer);
}

static void hand_over(struct net *net, int fd)
{
    struct loop *loop = loop_least(net);
    atomic_fetch_add(&net->connections, 1);
    if (loop == net->loops[0]) {
        conn_open(loop, fd);
        return;
    }
    struct newcomer *newcomer = calloc(1, sizeof(*newcomer));
    if (newcomer == NULL) {
        close(fd);
        listeners_conn_gone(net);
        return;
    }
    MAGIC_INIT(newcomer, NEWCOMER_MAGIC);
    newcomer->fd = fd;
    newcomer->message = (struct loop_message){.to = {.loop = loop}, .deliver = newcomer_deliver};
    loop_post(&newcomer->message);
}

/* ---- refusing ---- */

static void spare_take(struct net *net)
{
    if (net->spare_fd < 0)
        net->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void spare_give(struct net *net)
{
    if (net->spare_fd >= 0)
        close(net->spare_fd);
    net->spare_fd = -1;
}

/* Tells the caller, and closes. */
static void refuse(struct net *net, int fd, const char *why)
{
    const char *text = net->protocol->refusal;
    char dropped[256];
    log_limited(&net->accept_log, LOG_LEVEL_WARNING,
                "no more connections for now: %s; callers are told so and closed", why);
    counter_add(&net->refused, 1);
    if (text != NULL)
        (void)!send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
    /* what it has said may not stay unread, or the end of the connection overtakes the text */
    (void)!recv(fd, dropped, sizeof(dropped), MSG_DONTWAIT);
    close(fd);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many connections there may be before this caller is one too many. */
static size_t places_for(const struct net *net, const struct listener *listener, int fd)
{
    size_t max = net->settings.connections_max;
    size_t local = least(NET_PLACES_LOCAL, max / 4), own = least(NET_PLACES_OWN, local / 4);
    if (listener->tcp)
        return max - local;
    struct ucred peer;
    socklen_t len = sizeof(peer);
    bool is_own = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
                  (peer.uid == 0 || peer.uid == geteuid());
    return is_own ? max : max - own;
}

static bool is_full_for(const struct net *net, const struct listener *listener, int fd)
{
    size_t max = net->settings.connections_max;
    uint64_t open = atomic_load(&net->connections);
    return max != 0 && open + least(NET_PLACES_LOCAL, max) >= max &&
           open >= places_for(net, listener, fd);
}

/* ---- accepting ---- */

static void accept_pause(struct net *net, const char *why)
{
    log_limited(&net->accept_log, LOG_LEVEL_WARNING,
                "no more connections for now: %s; callers wait until one leaves", why);
    net->accept_paused = true;
    counter_add(&net->accept_pauses, 1);
    for (size_t i = 0; i < net->listener_count; i++)
        if (net->listeners[i]->event != NULL)
            (void)event_del(net->listeners[i]->event);
    (void)timer_set(net->loops[0], &net->accept_timer, clock_deadline(ACCEPT_RETRY_NS));
    atomic_store(&net->retry_wanted, true);
}

static int accept_one(const struct listener *listener)
{
    // cppcheck-suppress nullPointer ; who connects isn't asked for, which the call allows
    return accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/* There is no descriptor for the next caller: the spare one is used to tell so. */
static void accept_to_refuse(struct net *net, const struct listener *listener, const char *why)
{
    spare_give(net);
    int fd = accept_one(listener);
    if (fd >= 0)
        refuse(net, fd, why);
    spare_take(net);
    if (fd < 0 || net->spare_fd < 0)
        accept_pause(net, why);
}

/* The errors that end a batch: false for those of one caller, who left before we came to him. */
static bool accept_failed(struct net *net, const struct listener *listener, int error)
{
    switch (error) {
    case EAGAIN:
        return true;
    case EMFILE:
        accept_to_refuse(net, listener,
                         "this process has no descriptors left (see its limit of open files)");
        return net->accept_paused;
    case ENFILE:
        accept_to_refuse(net, listener, "the system has no descriptors left");
        return net->accept_paused;
    case ENOBUFS:
    case ENOMEM:
        accept_pause(net, "the system has no memory left for sockets");
        return true;
    default:
        return false;
    }
}

static void listener_event(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct listener *listener = arg;
    MAGIC_CHECK(listener, LISTENER_MAGIC);
    struct net *net = listener->net;
    loop_awake(net->loops[0]);
    for (int i = 0; i < ACCEPT_BATCH && !net->accept_paused; i++) {
        int conn_fd = accept_one(listener);
        if (conn_fd < 0) {
            if (accept_failed(net, listener, errno))
                return;
            continue;
        }
        if (is_full_for(net, listener, conn_fd)) {
            refuse(net, conn_fd, "the limit of connections is reached");
            continue;
        }
        if (listener->tcp) {
            int on = 1;
            (void)setsockopt(conn_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
            (void)setsockopt(conn_fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
        }
        hand_over(net, conn_fd);
    }
}

static void accept_resume(struct net *net)
{
    if (!net->accept_paused)
        return;
    net->accept_paused = false;
    (void)timer_set(net->loops[0], &net->accept_timer, CLOCK_NEVER);
    listeners_accept(net);
}

static void accept_timer_fired(struct loop_timer *timer)
{
    accept_resume(CONTAINER_OF(timer, struct net, accept_timer));
}

static void retry_deliver(struct loop_message *message, void *session)
{
    (void)session;
    struct net *net = CONTAINER_OF(message, struct net, retry);
    atomic_store(&net->retry_posted, false);
    accept_resume(net);
}

void listeners_conn_gone(struct net *net)
{
    atomic_fetch_sub(&net->connections, 1);
    if (atomic_load(&net->retry_wanted) && atomic_exchange(&net->retry_wanted, false) &&
        !atomic_exchange(&net->retry_posted, true)) {
        net->retry = (struct loop_message){.to = {.loop = net->loops[0]}, .deliver = retry_deliver};
        loop_post(&net->retry);
    }
}

void listeners_accept(struct net *net)
{
    if (net->accept_timer.fire == NULL)
        timer_init(&net->accept_timer, accept_timer_fired);
    spare_take(net);
    net->accepting = true;
    bool all = true;
    for (size_t i = 0; i < net->listener_count; i++) {
        struct listener *listener = net->listeners[i];
        if (listener->event == NULL)
            listener->event = event_new(net->loops[0]->base, listener->fd, EV_READ | EV_PERSIST,
                                        listener_event, listener);
        all = all && listener->event != NULL && event_add(listener->event, NULL) == 0;
    }
    if (!all) /* all of them try again, with the same timer */
        accept_pause(net, "no memory is left to listen");
}

void listeners_stop(struct net *net)
{
    net->accepting = net->accept_paused = false;
    spare_give(net);
    if (net->accept_timer.fire != NULL)
        (void)timer_set(net->loops[0], &net->accept_timer, CLOCK_NEVER);
    for (size_t i = 0; i < net->listener_count; i++)
        listener_free(&net->listeners[i]);
    net->listener_count = 0;
}

/* ---- the object ---- */

int listener_new(struct listener **out)
{
    struct listener *listener = calloc(1, sizeof(*listener));
    if (listener == NULL)
        return ENOMEM;
    MAGIC_INIT(listener, LISTENER_MAGIC);
    listener->fd = listener->directory = listener->lock_fd = -1;
    *out = listener;
    return 0;
}

void listener_free(struct listener **pointer)
{
    if (*pointer == NULL)
        return;
    struct listener *listener;
    MAGIC_TAKE(listener, pointer, LISTENER_MAGIC);
    if (listener->event != NULL)
        event_free(listener->event);
    if (!listener->tcp)
        unixsock_remove(listener);
    if (listener->fd >= 0)
        close(listener->fd);
    MAGIC_WIPE(listener);
    free(listener);
}

int listener_add(struct net *net, struct listener **pointer, struct net_error *error)
{
    struct listener *listener;
    MAGIC_TAKE(listener, pointer, LISTENER_MAGIC);
    if (net->listener_count == NET_LISTENERS_MAX) {
        int rc = net_fail(error, E2BIG, "%s: there are %d listeners already, which is the limit",
                          listener->name, NET_LISTENERS_MAX);
        listener_free(&listener);
        return rc;
    }
    listener->net = net;
    net->listeners[net->listener_count++] = listener;
    return 0;
}
