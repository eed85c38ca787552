// SPDX-License-Identifier: MIT
/*
 * Who listens at an address that is taken: for an error message, so everything here may fail and
 * then leaves words out.
 *
 * Two sources. /proc tells the process behind a listening TCP port (its socket's inode is in
 * /proc/net/tcp, and again among some process's descriptors), as far as we may look there. And the
 * program is greeted: a beanstalkd answers `stats` with its version and pid, a hilerad answers
 * `call ping` with its own. Waiting for that answer is bounded.
 */
#include "net/listener_priv.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GREETING_MS 500 /* in all; a server on this machine answers within one */
#define GREETING_MAX 4096

/* ---- by /proc ---- */

/* The name of a process as people know it. */
static void process_name(pid_t pid, char *name, size_t size)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
    name[0] = '\0';
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return;
    if (fgets(name, (int)size, file) != NULL)
        name[strcspn(name, "\n")] = '\0';
    fclose(file);
}

/* The inode of the socket that listens at the port, or 0. */
static uint64_t listening_inode(const char *table, uint16_t port)
{
    FILE *file = fopen(table, "re");
    if (file == NULL)
        return 0;
    char line[512];
    uint64_t found = 0;
    while (found == 0 && fgets(line, sizeof(line), file) != NULL) {
        unsigned local_port, state;
        uint64_t inode;
        /* slot: address:port remote:port state queues timer retransmits uid timeout inode */
        if (sscanf(line, " %*u: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x %*s %*s %*s %*u %*u %" SCNu64,
                   &local_port, &state, &inode) == 3 &&
            local_port == port && state == 0x0a)
            found = inode;
    }
    fclose(file);
    return found;
}

static bool process_has(const char *pid, const char *link)
{
    char path[300];
    snprintf(path, sizeof(path), "/proc/%s/fd", pid);
    DIR *dir = opendir(path);
    if (dir == NULL)
        return false;
    bool found = false;
    const struct dirent *entry;
    while (!found && (entry = readdir(dir)) != NULL) {
        char target[64];
        ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
        if (n > 0) {
            target[n] = '\0';
            found = strcmp(target, link) == 0;
        }
    }
    closedir(dir);
    return found;
}

static pid_t process_with_inode(uint64_t inode)
{
    char link[64];
    snprintf(link, sizeof(link), "socket:[%" PRIu64 "]", inode);
    DIR *proc = opendir("/proc");
    if (proc == NULL)
        return 0;
    pid_t found = 0;
    const struct dirent *entry;
    while (found == 0 && (entry = readdir(proc)) != NULL)
        if (isdigit((unsigned char)entry->d_name[0]) && process_has(entry->d_name, link))
            found = (pid_t)strtol(entry->d_name, NULL, 10);
    closedir(proc);
    return found;
}

static pid_t process_listening(const struct sockaddr *addr)
{
    uint16_t port = ntohs(addr->sa_family == AF_INET6
                              ? ((const struct sockaddr_in6 *)(const void *)addr)->sin6_port
                              : ((const struct sockaddr_in *)(const void *)addr)->sin_port);
    uint64_t inode = listening_inode("/proc/net/tcp", port);
    if (inode == 0)
        inode = listening_inode("/proc/net/tcp6", port);
    return inode != 0 ? process_with_inode(inode) : 0;
}

/* ---- by greeting ---- */

/* Sends the greeting and collects the answer until it has all of it, or time is up. */
static void greeting_exchange(const struct sockaddr *addr, socklen_t len, char *answer, size_t size)
{
    static const char greeting[] = "call ping 2\r\n{}\r\nstats\r\n";
    size_t have = 0;
    answer[0] = '\0';
    int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    struct pollfd look = {.fd = fd, .events = POLLOUT};
    if ((connect(fd, addr, len) == 0 || errno == EINPROGRESS) && poll(&look, 1, GREETING_MS) == 1 &&
        send(fd, greeting, sizeof(greeting) - 1, MSG_NOSIGNAL) == (ssize_t)sizeof(greeting) - 1) {
        look.events = POLLIN;
        while (have + 1 < size && poll(&look, 1, GREETING_MS) == 1) {
            ssize_t n = recv(fd, answer + have, size - 1 - have, 0);
            if (n <= 0)
                break;
            have += (size_t)n;
            answer[have] = '\0';
            if (strstr(answer, "hostname:") != NULL || strstr(answer, "\"version\"") != NULL)
                break;
        }
    }
    close(fd);
}

/* Copies the value behind `key`, without quotes; "" if there is none. */
static void greeting_value(const char *answer, const char *key, char *value, size_t size)
{
    value[0] = '\0';
    const char *at = strstr(answer, key);
    if (at == NULL)
        return;
    at += strlen(key);
    at += strspn(at, " :\"");
    size_t len = strcspn(at, "\",}\r\n");
    if (len >= size)
        len = size - 1;
    memcpy(value, at, len);
    value[len] = '\0';
}

static void greeting_describe(const struct sockaddr *addr, socklen_t len, char *text, size_t size)
{
    char answer[GREETING_MAX], version[32], pid[16];
    greeting_exchange(addr, len, answer, sizeof(answer));
    if (strncmp(answer, "OK ", 3) == 0 && strstr(answer, "\"version\"") != NULL) {
        greeting_value(answer, "\"version\"", version, sizeof(version));
        greeting_value(answer, "\"pid\"", pid, sizeof(pid));
        snprintf(text, size, "hilerad %s, pid %s", version, pid);
    } else if (strstr(answer, "\ncurrent-jobs-ready:") != NULL) {
        greeting_value(answer, "\nversion:", version, sizeof(version));
        greeting_value(answer, "\npid:", pid, sizeof(pid));
        snprintf(text, size, "beanstalkd %s, pid %s", version, pid);
    } else {
        text[0] = '\0';
    }
}

/* ---- both ---- */

void occupant_describe(const struct sockaddr *addr, socklen_t len, char *text, size_t size)
{
    char name[64] = "", greets[128];
    pid_t pid = process_listening(addr);
    if (pid != 0)
        process_name(pid, name, sizeof(name));
    /* Our own process would have to answer itself. */
    greets[0] = '\0';
    if (pid != getpid())
        greeting_describe(addr, len, greets, sizeof(greets));
    if (name[0] != '\0' && greets[0] != '\0')
        snprintf(text, size, "%s (pid %d), which answers as %s", name, (int)pid, greets);
    else if (name[0] != '\0')
        snprintf(text, size, "%s (pid %d)", name, (int)pid);
    else if (greets[0] != '\0')
        snprintf(text, size, "a program that answers as %s", greets);
    else
        text[0] = '\0';
}

void occupant_describe_peer(int fd, char *text, size_t size)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);
    char name[64];
    text[0] = '\0';
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0 || peer.pid <= 0)
        return;
    process_name(peer.pid, name, sizeof(name));
    if (name[0] != '\0')
        snprintf(text, size, "%s (pid %d)", name, (int)peer.pid);
}
