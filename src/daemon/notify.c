// SPDX-License-Identifier: MIT
/*
 * Telling whoever started the daemon that it is ready.
 *
 * Two ways, both without a library: systemd's notification socket, whose protocol is one datagram
 * of "NAME=VALUE" lines to the address in $NOTIFY_SOCKET (sd_notify(3), "Notes"), and a descriptor
 * inherited with --ready-fd, for other supervisors, scripts and tests: it gets a line for each
 * listener, with the real port, and its end means "ready" (or, without any line, "died").
 */
#include "daemon/process_priv.h"

#include "base/buf.h"
#include "base/log.h"
#include "net/net.h"
#include "thr/thr.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_un manager; /* written before there are threads */
static socklen_t manager_len;      /* 0: there is none */

void notify_init(void)
{
    const char *path = getenv("NOTIFY_SOCKET");
    size_t len = path != NULL ? strlen(path) : 0;
    if (len > 1 && len < sizeof(manager.sun_path) && (path[0] == '/' || path[0] == '@')) {
        manager.sun_family = AF_UNIX;
        memcpy(manager.sun_path, path, len);
        if (path[0] == '@') /* the abstract namespace: no NUL behind, one in front */
            manager.sun_path[0] = '\0';
        manager_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    }
    unsetenv("NOTIFY_SOCKET");
}

/* EAGAIN: the manager doesn't read. */
static int send_to_manager(int fd, const char *state, int patience_ms)
{
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    size_t len = strlen(state);
    if (connect(fd, (const struct sockaddr *)&manager, manager_len) != 0)
        return errno;
    if (patience_ms > 0)
        (void)poll(&ready, 1, patience_ms);
    return send(fd, state, len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)len ? 0 : errno;
}

void notify_send(const char *state, int patience_ms)
{
    if (manager_len == 0)
        return;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int rc = fd < 0 ? errno : send_to_manager(fd, state, patience_ms);
    if (rc != 0)
        log_warning("the service manager was not told %s: %s", state, strerrordesc_np(rc));
    if (fd >= 0)
        close(fd);
}

/* ---- --ready-fd ---- */

struct announcement {
    int fd;
    struct buf text;
};

static void announce(void *arg)
{
    struct announcement *told = arg;
    int rc = 0;
    for (size_t done = 0; rc == 0 && done < told->text.len;) {
        ssize_t wrote = write(told->fd, told->text.data + done, told->text.len - done);
        if (wrote > 0)
            done += (size_t)wrote;
        else if (errno != EINTR)
            rc = errno;
    }
    if (rc != 0)
        log_warning("--ready-fd %d: %s", told->fd, strerrordesc_np(rc));
    close(told->fd);
    buf_fini(&told->text);
}

void notify_ready_fd(int fd, const struct net *net)
{
    static struct announcement told; /* once in a process */
    const struct hl_thread_options options = {
        .target = announce, .arg = &told, .name = "ready", .daemon = HL_DAEMON_YES};
    hl_thread *thread = NULL;
    const char *name;
    int rc = 0;
    told = (struct announcement){.fd = fd, .text = BUF_EMPTY};
    for (size_t i = 0; rc == 0 && (name = net_listener_name(net, i)) != NULL; i++)
        rc = buf_printf(&told.text, "%s\n", name);
    if (rc != 0)
        log_warning("--ready-fd %d: %s", fd, strerrordesc_np(rc));
    rc = hl_thread_new(&thread, &options);
    if (rc == 0)
        rc = hl_thread_start(thread);
    if (rc != 0)
        announce(&told);
    hl_thread_free(&thread);
}
