// SPDX-License-Identifier: MIT
/*
 * Connections for the programs of the scenario tests: see wire.h. The sockets block when they
 * send and don't when they read; who must wait polls, with the patience as limit, so that a
 * server that hangs ends the test with a sentence.
 */
#include "wire.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <hilera/thread.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static void (*failure_say)(void);

int wire_patience(void)
{
    const char *text = getenv("CK_TIMEOUT_MULTIPLIER");
    int multiplier = text != NULL ? atoi(text) : 1;
    return 60 * (multiplier > 0 ? multiplier : 1);
}

void wire_on_failure(void (*say)(void))
{
    failure_say = say;
}

void wire_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    void (*say)(void) = failure_say;
    failure_say = NULL;
    if (say != NULL)
        say();
    exit(1);
}

/* ---- connecting ---- */

static int wire_try(const char *address)
{
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    struct sockaddr_in port = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)atoi(address)),
                               .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    bool is_unix = strncmp(address, "unix:", 5) == 0;
    int fd = socket(is_unix ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        wire_fail("socket: %s", strerror(errno));
    struct timeval limit = {.tv_sec = wire_patience()};
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    int rc;
    if (is_unix) {
        snprintf(path.sun_path, sizeof(path.sun_path), "%s", address + 5);
        rc = connect(fd, (struct sockaddr *)&path, sizeof(path));
    } else {
        rc = connect(fd, (struct sockaddr *)&port, sizeof(port));
    }
    if (rc == 0)
        return fd;
    rc = errno;
    close(fd);
    errno = rc;
    return -1;
}

void wire_connect(struct wire *wire, const char *address)
{
    *wire = (struct wire){.fd = -1, .address = address, .in = BUF_EMPTY};
    int64_t limit_ns = clock_now_ns() + (int64_t)wire_patience() * HL_SECOND;
    while ((wire->fd = wire_try(address)) < 0) {
        if (errno != ENOENT && errno != ECONNREFUSED)
            wire_fail("connect to %s: %s", address, strerror(errno));
        if (clock_now_ns() > limit_ns)
            wire_fail("nobody listens at %s", address);
        sched_yield();
    }
}

void wire_shut(struct wire *wire)
{
    if (shutdown(wire->fd, SHUT_WR) != 0)
        wire_fail("shutdown: %s", strerror(errno));
}

void wire_close(struct wire *wire)
{
    close(wire->fd);
    wire->fd = -1;
    buf_fini(&wire->in);
}

/* ---- bytes ---- */

void wire_send(struct wire *wire, const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len > 0) {
        ssize_t n = send(wire->fd, at, len, MSG_NOSIGNAL);
        if (n <= 0)
            wire_fail("send: %s", strerror(errno));
        at += n;
        len -= (size_t)n;
    }
}

void wire_fill(struct wire *wire)
{
    while (!wire->ended) {
        if (buf_reserve(&wire->in, 4096) != 0)
            wire_fail("no memory for a reply");
        ssize_t n = recv(wire->fd, wire->in.data + wire->in.len, wire->in.cap - wire->in.len - 1,
                         MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (n <= 0) /* 0, or a reset: either way nothing more comes */
            wire->ended = true;
        else
            wire->in.len += (size_t)n;
    }
}

void wire_wait(struct wire *wire)
{
    struct pollfd ready = {.fd = wire->fd, .events = POLLIN};
    int rc;
    do
        rc = poll(&ready, 1, wire_patience() * 1000);
    while (rc < 0 && errno == EINTR);
    if (rc <= 0)
        wire_fail("%s: no reply within %d s; so far: \"%.*s\"", wire->address, wire_patience(),
                  (int)wire->in.len, wire->in.data != NULL ? wire->in.data : "");
}

/* ---- replies ---- */

static bool has_body(const char *line, size_t len)
{
    static const char *const words[] = {"OK ", "FOUND ", "RESERVED ", "RESERVED_TOKEN ", "ERROR "};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (len > strlen(words[i]) && memcmp(line, words[i], strlen(words[i])) == 0)
            return true;
    return false;
}

size_t wire_reply_len(struct wire *wire)
{
    const char *data = wire->in.data;
    const char *end = wire->in.len > 0 ? memmem(data, wire->in.len, "\r\n", 2) : NULL;
    if (end == NULL)
        return 0;
    size_t line = (size_t)(end - data);
    if (!has_body(data, line))
        return line + 2;
    const char *number = end;
    while (number[-1] != ' ')
        number--;
    size_t whole = line + 2 + (size_t)strtoul(number, NULL, 10) + 2;
    if (whole > wire->in.len)
        return 0;
    if (memcmp(data + whole - 2, "\r\n", 2) != 0)
        wire_fail("the body of \"%.*s\" does not end where it should", (int)line, data);
    return whole;
}

bool wire_reply(struct wire *wire, struct buf *reply)
{
    size_t len;
    wire_fill(wire);
    while ((len = wire_reply_len(wire)) == 0) {
        if (wire->ended)
            return false;
        wire_wait(wire);
        wire_fill(wire);
    }
    if (buf_append(reply, wire->in.data, len) != 0)
        wire_fail("no memory for a reply");
    buf_consume(&wire->in, len);
    return true;
}
