// SPDX-License-Identifier: MIT
/*
 * Telling whoever started the daemon that it is ready.
 *
 * Two ways, both without a library: systemd's notification socket, whose protocol is one datagram
 * of "NAME=VALUE" lines to the address in $NOTIFY_SOCKET (sd_notify(3), "Notes"), and a descriptor
 * inherited with --ready-fd, for other supervisors, scripts and tests: it gets a line for each
 * listener, with the real port, and its end means "ready" (or, without any line, "died").
 */
#include "daemon/daemon_priv.h"

#include "base/log.h"

#include <errno.h>
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

void notify_send(const char *state)
{
    if (manager_len == 0)
        return;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    size_t len = strlen(state);
    if (fd < 0 || sendto(fd, state, len, MSG_NOSIGNAL, (const struct sockaddr *)&manager,
                         manager_len) != (ssize_t)len)
        log_warning("the service manager was not told %s: %s", state, strerrordesc_np(errno));
    if (fd >= 0)
        close(fd);
}

void notify_ready_fd(int fd, const struct net *net)
{
    struct buf text = BUF_EMPTY;
    const char *name;
    int rc = 0;
    for (size_t i = 0; rc == 0 && (name = net_listener_name(net, i)) != NULL; i++)
        rc = buf_printf(&text, "%s\n", name);
    for (size_t done = 0; rc == 0 && done < text.len;) {
        ssize_t wrote = write(fd, text.data + done, text.len - done);
        if (wrote > 0)
            done += (size_t)wrote;
        else if (errno != EINTR)
            rc = errno;
    }
    if (rc != 0)
        log_warning("--ready-fd %d: %s", fd, strerrordesc_np(rc));
    buf_fini(&text);
    close(fd);
}
