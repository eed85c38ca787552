// SPDX-License-Identifier: MIT
/*
 * The other end of a connection: see peer.h. Timeouts are there for the case that a test fails;
 * none of them passes in a good run.
 */
#include "peer.h"

#include "base/clock.h"
#include "unit.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int peer_connect(int family, const struct sockaddr *addr, socklen_t len)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_msg(fd >= 0, "socket: %s", strerror(errno));
    struct timeval limit = {.tv_sec = PEER_SECONDS};
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)), 0);
    ck_assert_msg(connect(fd, addr, len) == 0, "connect: %s", strerror(errno));
    return fd;
}

int peer_unix(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    return peer_connect(AF_UNIX, (struct sockaddr *)&addr, sizeof(addr));
}

int peer_tcp(uint16_t port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons(port),
                               .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    return peer_connect(AF_INET, (struct sockaddr *)&addr, sizeof(addr));
}

void peer_send(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len > 0) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
        ck_assert_msg(n > 0, "send: %s", strerror(errno));
        at += n;
        len -= (size_t)n;
    }
}

void peer_say(int fd, const char *text)
{
    peer_send(fd, text, strlen(text));
}

void peer_send_in_pieces(int fd, const void *bytes, size_t len, size_t most,
                         struct unit_random *random)
{
    const char *at = bytes;
    while (len > 0) {
        size_t piece = 1 + (size_t)unit_random_below(random, most);
        if (piece > len)
            piece = len;
        peer_send(fd, at, piece);
        at += piece;
        len -= piece;
    }
}

void peer_read(int fd, void *bytes, size_t len)
{
    char *at = bytes;
    while (len > 0) {
        ssize_t n = recv(fd, at, len, 0);
        ck_assert_msg(n > 0, "recv, %zu bytes missing: %s", len,
                      n == 0 ? "closed" : strerror(errno));
        at += n;
        len -= (size_t)n;
    }
}

void peer_expect(int fd, const char *text)
{
    size_t want = strlen(text), have = 0;
    char *got = calloc(1, want + 1);
    ck_assert_ptr_nonnull(got);
    while (have < want && strncmp(got, text, have) == 0) {
        ssize_t n = recv(fd, got + have, want - have, 0);
        ck_assert_msg(n > 0, "expected \"%s\", got \"%s\", then %s", text, got,
                      n == 0 ? "the end" : strerror(errno));
        have += (size_t)n;
    }
    ck_assert_str_eq(got, text);
    free(got);
}

char *peer_line(int fd, char *line, size_t size)
{
    size_t len = 0;
    for (;;) {
        ck_assert_msg(len + 1 < size, "a line of more than %zu bytes", size);
        peer_read(fd, line + len, 1);
        if (line[len] == '\n')
            break;
        len++;
    }
    if (len > 0 && line[len - 1] == '\r')
        len--;
    line[len] = '\0';
    return line;
}

void peer_expect_eof(int fd)
{
    char byte = 0;
    ssize_t n = recv(fd, &byte, 1, 0);
    ck_assert_msg(n == 0 || (n < 0 && errno == ECONNRESET),
                  "expected the end, got %zd (byte %d), %s", n, byte, strerror(errno));
}

void peer_close(int *fd)
{
    close(*fd);
    *fd = -1;
}

void peer_until(bool (*happened)(void *arg), void *arg)
{
    struct timespec start, now;
    clock_gettime(CLOCK_MONOTONIC, &start);
    while (!happened(arg)) {
        sched_yield();
        clock_gettime(CLOCK_MONOTONIC, &now);
        ck_assert_msg(now.tv_sec - start.tv_sec < PEER_SECONDS, "it doesn't happen");
    }
}

/* ---- folders ---- */

static char temp_dir[PEER_PATH_MAX];

const char *peer_temp_make(void)
{
    const char *base = getenv("TMPDIR");
    /* a socket's path is short */
    if (base == NULL || strlen(base) > 40)
        base = "/tmp";
    snprintf(temp_dir, sizeof(temp_dir), "%s/hilera-unit.XXXXXX", base);
    ck_assert_ptr_nonnull(mkdtemp(temp_dir));
    return temp_dir;
}

char *peer_temp_path(char path[PEER_PATH_MAX], const char *name)
{
    ck_assert_int_lt(snprintf(path, PEER_PATH_MAX, "%s/%s", temp_dir, name), PEER_PATH_MAX);
    return path;
}

void peer_temp_remove(void)
{
    DIR *dir = opendir(temp_dir);
    ck_assert_ptr_nonnull(dir);
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.')
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
    ck_assert_msg(rmdir(temp_dir) == 0, "%s: %s", temp_dir, strerror(errno));
}

/* ---- random numbers ---- */

struct unit_random peer_random(void)
{
    const char *given = getenv("HILERA_SEED");
    return unit_random_seed(given != NULL ? strtoull(given, NULL, 0) : (uint64_t)clock_wall_ns());
}
