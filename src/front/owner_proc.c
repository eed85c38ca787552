// SPDX-License-Identifier: MIT
/*
 * Sockets of TCP in the tables of /proc, for systems without NETLINK_SOCK_DIAG.
 *
 * The tables have a line for each socket of the network namespace, and know no questions: the lines
 * are read one by one until one has the pair of addresses. That takes the longer the more
 * connections the machine has. A line that isn't as expected names no socket; nothing is guessed.
 *
 *   sl  local_address rem_address   st tx_queue:rx_queue tr:tm->when retrnsmt  uid  timeout inode
 *    0: 0100007F:1F90 0100007F:8ABC 01 00000000:00000000 00:00000000 00000000 1000        0 12345
 * ...
 *
 * An address is its words of 32 bits as numbers of this machine, in hexadecimal digits, a port is a
 * number. A socket of IPv6 that is connected to IPv4 stands in the table of IPv6, with mapped
 * addresses. /proc/self/net is there where /proc has nothing but processes (subset=pid), too.
 */
#include "front/peer_priv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK 4096                     /* what the kernel gives at once; a line has 200 bytes */
#define TABLE_MAX (64u << 20)          /* some 400,000 sockets; behind it nobody is found */
#define MAPPED htonl(UINT32_C(0xffff)) /* the third word of IPv4 within IPv6 */

/* ---- a line ---- */

/* What is left of it. */
struct rest {
    const char *at, *end;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void blanks_skip(struct rest *rest)
{
    while (rest->at < rest->end && is_blank(*rest->at))
        rest->at++;
}

static bool sign_skip(struct rest *rest, char sign)
{
    if (rest->at >= rest->end || *rest->at != sign)
        return false;
    rest->at++;
    return true;
}

/* Exactly so many digits. */
static bool hex_read(struct rest *rest, unsigned digits, uint32_t *out)
{
    static const char known[] = "0123456789ABCDEF";
    *out = 0;
    for (unsigned i = 0; i < digits; i++) {
        const char *digit =
            rest->at < rest->end && *rest->at != '\0' ? strchr(known, *rest->at) : NULL;
        if (digit == NULL)
            return false;
        *out = *out << 4 | (uint32_t)(digit - known);
        rest->at++;
    }
    return true;
}

/* A word of decimal digits, with what separates it from the one before. */
static bool number_read(struct rest *rest, uint64_t max, uint64_t *out)
{
    blanks_skip(rest);
    const char *from = rest->at;
    *out = 0;
    for (; rest->at < rest->end && *rest->at >= '0' && *rest->at <= '9'; rest->at++) {
        uint64_t digit = (uint64_t)(*rest->at - '0');
        if (*out > (max - digit) / 10)
            return false;
        *out = *out * 10 + digit;
    }
    return rest->at > from && (rest->at == rest->end || is_blank(*rest->at));
}

static bool word_skip(struct rest *rest)
{
    blanks_skip(rest);
    const char *from = rest->at;
    while (rest->at < rest->end && !is_blank(*rest->at))
        rest->at++;
    return rest->at > from;
}

static bool end_parse(struct rest *rest, bool ipv6, struct owner_end *end)
{
    uint32_t word[4] = {0}, port;
    blanks_skip(rest);
    for (unsigned i = 0; i < (ipv6 ? 4u : 1u); i++)
        if (!hex_read(rest, 8, &word[i]))
            return false;
    if (!sign_skip(rest, ':') || !hex_read(rest, 4, &port) || rest->at >= rest->end ||
        !is_blank(*rest->at))
        return false;
    *end = (struct owner_end){.ipv6 = ipv6, .port = htons((uint16_t)port)};
    if (ipv6 && word[0] == 0 && word[1] == 0 && word[2] == MAPPED)
        *end = (struct owner_end){.port = end->port, .address = {word[3]}};
    else
        memcpy(end->address, word, sizeof(word));
    return true;
}

static bool end_equals(const struct owner_end *end, const struct owner_end *other)
{
    return end->ipv6 == other->ipv6 && end->port == other->port &&
           memcmp(end->address, other->address, sizeof(end->address)) == 0;
}

/* A line's own number. */
static bool index_skip(struct rest *rest)
{
    blanks_skip(rest);
    const char *from = rest->at;
    while (rest->at < rest->end && *rest->at >= '0' && *rest->at <= '9')
        rest->at++;
    return rest->at > from && sign_skip(rest, ':');
}

bool owner_proc_line(const char *line, size_t len, bool ipv6, const struct owner_end *theirs,
                     const struct owner_end *ours, struct owner_socket *found)
{
    struct rest rest = {.at = line, .end = line + len};
    struct owner_end near, far;
    uint64_t number, uid, inode;
    uint32_t state;
    if (!index_skip(&rest) || !end_parse(&rest, ipv6, &near) || !end_parse(&rest, ipv6, &far) ||
        !end_equals(&near, theirs) || !end_equals(&far, ours))
        return false;
    blanks_skip(&rest);
    if (!hex_read(&rest, 2, &state) || rest.at >= rest.end || !is_blank(*rest.at) ||
        !word_skip(&rest) /* the queues */ || !word_skip(&rest) /* the timer */ ||
        !word_skip(&rest) /* retransmits */ || !number_read(&rest, UINT32_MAX, &uid) ||
        !number_read(&rest, UINT64_MAX, &number) /* timeouts */ ||
        !number_read(&rest, UINT64_MAX, &inode))
        return false;
    *found = (struct owner_socket){.state = state, .uid = (uint32_t)uid, .inode = inode};
    return true;
}

/* ---- a table ---- */

/* The lines within `len` bytes; what is left of the last one moves to the front. */
static bool lines_read(char *buffer, size_t *len, bool *cut, bool ipv6,
                       const struct owner_end *theirs, const struct owner_end *ours,
                       struct owner_socket *found)
{
    char *at = buffer, *end = buffer + *len, *newline;
    while ((newline = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        if (!*cut && owner_proc_line(at, (size_t)(newline - at), ipv6, theirs, ours, found))
            return true;
        *cut = false;
        at = newline + 1;
    }
    *len = (size_t)(end - at);
    if (*len == CHUNK) { /* no line is as long as that */
        *cut = true;
        *len = 0;
    }
    memmove(buffer, at, *len);
    return false;
}

int owner_proc_table(int fd, bool ipv6, const struct owner_end *theirs,
                     const struct owner_end *ours, struct owner_socket *found)
{
    char buffer[CHUNK];
    size_t len = 0, all = 0;
    bool cut = false;
    while (all < TABLE_MAX) {
        ssize_t got = read(fd, buffer + len, sizeof(buffer) - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno;
        if (got == 0) /* a last line without its end isn't whole */
            return ENOENT;
        len += (size_t)got;
        all += (size_t)got;
        if (lines_read(buffer, &len, &cut, ipv6, theirs, ours, found))
            return 0;
    }
    return ENOENT;
}

static int table_ask(const char *path, bool ipv6, const struct owner_end *theirs,
                     const struct owner_end *ours, struct owner_socket *found)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? ENOTSUP : errno;
    int rc = owner_proc_table(fd, ipv6, theirs, ours, found);
    close(fd);
    return rc;
}

int owner_proc_find(const struct owner_end *theirs, const struct owner_end *ours,
                    struct owner_socket *found)
{
    int rc = ENOENT;
    if (!theirs->ipv6)
        rc = table_ask("/proc/self/net/tcp", false, theirs, ours, found);
    if (rc != ENOENT)
        return rc;
    rc = table_ask("/proc/self/net/tcp6", true, theirs, ours, found);
    /* A system without IPv6 has no table of it. */
    return rc == ENOTSUP && !theirs->ipv6 ? ENOENT : rc;
}
