// SPDX-License-Identifier: MIT
// Who made a connection: over Unix sockets and loopback of every kind, for sockets of another user
// that live, half-close, close at once, are reset and have their port taken by root, or are handed
// on. Never more than whoever made the socket. All of it by netlink and by the tables of /proc,
// which are taken where netlink isn't there, and read with care.

#include "front/peer_priv.h"
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define STRANGER 4242
#define TRIES 500

static struct owner_asker asker = {.netlink = -1};

/* For tests that run with netlink and with the tables of /proc. */
static void ask_by(int tables)
{
    if (asker.netlink >= 0)
        close(asker.netlink);
    asker = (struct owner_asker){.netlink = -1, .tables = tables != 0};
}

static void must(int rc)
{
    if (rc < 0)
        ck_abort_msg("%s", strerror(errno));
}

/* An address of a kind: "4" 127.0.0.1, "6" ::1, "m" ::ffff:127.0.0.1. */
static socklen_t address(char kind, in_port_t port, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof(*out));
    if (kind == '4') {
        struct sockaddr_in *ipv4 = (void *)out;
        *ipv4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
        ipv4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return sizeof(*ipv4);
    }
    struct sockaddr_in6 *ipv6 = (void *)out;
    *ipv6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
    must(inet_pton(AF_INET6, kind == '6' ? "::1" : "::ffff:127.0.0.1", &ipv6->sin6_addr));
    return sizeof(*ipv6);
}

static int listener(char kind, in_port_t *port)
{
    struct sockaddr_storage at;
    socklen_t len = address(kind == 'm' ? '6' : kind, 0, &at);
    int fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), off = 0, on = 1;
    must(fd);
    if (at.ss_family == AF_INET6) {
        must(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)));
        if (kind == 'm')
            ((struct sockaddr_in6 *)(void *)&at)->sin6_addr = in6addr_any;
    }
    must(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)));
    must(bind(fd, (struct sockaddr *)&at, len));
    must(listen(fd, 64));
    len = sizeof(at);
    must(getsockname(fd, (struct sockaddr *)&at, &len));
    *port = at.ss_family == AF_INET ? ((struct sockaddr_in *)(void *)&at)->sin_port
                                    : ((struct sockaddr_in6 *)(void *)&at)->sin6_port;
    return fd;
}

/* A socket that this user has made, connected. `from`: its own port; 0: any. */
static int connected(uid_t uid, char kind, in_port_t port, in_port_t from)
{
    struct sockaddr_storage at, mine;
    int on = 1;
    socklen_t len = address(kind, port, &at), mine_len = address(kind, from, &mine);
    must(seteuid(uid));
    int fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(fd);
    must(seteuid(0));
    if (from != 0) {
        must(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)));
        if (bind(fd, (struct sockaddr *)&mine, mine_len) != 0 && errno == EADDRINUSE) {
            must(close(fd));
            return -1;
        }
    }
    must(connect(fd, (struct sockaddr *)&at, len));
    return fd;
}

static int accepted(int from)
{
    int fd = accept4(from, NULL, NULL, SOCK_CLOEXEC);
    must(fd);
    return fd;
}

static uint32_t owner(int fd, enum trust_door expected)
{
    enum trust_door door;
    uint32_t uid;
    owner_find(&asker, fd, true, &door, &uid);
    if (door != expected)
        ck_abort_msg("door %d, not %d", door, expected);
    return uid;
}

static void reset(int fd)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    must(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)));
    must(close(fd));
}

START_TEST(loopback_of_every_kind_has_its_owner)
{
    ask_by(_i);
    static const char listens[] = {'4', '6', 'm', 'm'}, connects[] = {'4', '6', '4', 'm'};
    UNIT_NEEDS_ROOT("hundreds of tries as another user");
    for (unsigned i = 0; i < sizeof(listens); i++) {
        in_port_t port;
        int l = listener(listens[i], &port);
        int c = connected(STRANGER, connects[i], port, 0), s = accepted(l);
        ck_assert_uint_eq(owner(s, TRUST_LOOPBACK), STRANGER);
        /* what it has sent before it shut its side is its own */
        must(send(c, "put", 3, MSG_NOSIGNAL));
        must(shutdown(c, SHUT_WR));
        ck_assert_uint_eq(owner(s, TRUST_LOOPBACK), STRANGER);
        must(close(s));
        must(close(c));
        c = connected(0, connects[i], port, 0);
        s = accepted(l);
        ck_assert_uint_eq(owner(s, TRUST_LOOPBACK), 0);
        enum trust_door door;
        uint32_t uid;
        owner_find(&asker, s, false, &door, &uid); /* not asked for */
        ck_assert_uint_eq(uid, JOB_NOBODY);
        must(close(s));
        must(close(c));
        must(close(l));
    }
}
END_TEST

START_TEST(closed_at_once_is_nobody)
{
    ask_by(_i);
    UNIT_NEEDS_ROOT("hundreds of tries as another user");
    in_port_t port;
    int l = listener('4', &port);
    for (int i = 0; i < unit_rounds(TRIES); i++) {
        int c = connected(STRANGER, '4', port, 0);
        must(send(c, "put", 3, MSG_NOSIGNAL));
        if (i % 2 == 0)
            must(close(c));
        int s = accepted(l);
        if (i % 2 != 0)
            must(close(c));
        if (owner(s, TRUST_LOOPBACK) != JOB_NOBODY)
            ck_abort_msg("try %d: somebody", i);
        must(close(s));
    }
    must(close(l));
}
END_TEST

START_TEST(closed_meanwhile_is_never_another)
{
    ask_by(_i);
    UNIT_NEEDS_ROOT("hundreds of tries as another user");
    in_port_t port;
    int l = listener('4', &port), tries = unit_rounds(TRIES);
    pid_t child = fork();
    must(child);
    if (child == 0) {
        for (int i = 0; i < tries; i++) {
            int c = connected(STRANGER, '4', port, 0);
            if (i % 3 == 0)
                reset(c);
            else
                close(c);
        }
        _exit(0);
    }
    for (int i = 0; i < tries; i++) {
        int s = accepted(l);
        enum trust_door door;
        uint32_t uid;
        owner_find(&asker, s, true, &door, &uid);
        if (uid != STRANGER && uid != JOB_NOBODY)
            ck_abort_msg("try %d: uid %u", i, uid);
        must(close(s));
    }
    int status;
    must(waitpid(child, &status, 0));
    ck_assert_int_eq(status, 0);
    must(close(l));
}
END_TEST

/* The stranger's bytes, then a reset, then root on the same port, all before accept. */
START_TEST(port_taken_by_root_is_not_roots)
{
    ask_by(_i);
    UNIT_NEEDS_ROOT("hundreds of tries as another user");
    in_port_t port;
    int l = listener('4', &port);
    unsigned both = 0;
    for (int i = 0; i < unit_rounds(TRIES); i++) {
        struct sockaddr_in mine;
        socklen_t len = sizeof(mine);
        int c = connected(STRANGER, '4', port, 0);
        must(getsockname(c, (struct sockaddr *)&mine, &len));
        must(send(c, "put", 3, MSG_NOSIGNAL));
        reset(c);
        int root = connected(0, '4', port, mine.sin_port);
        int first = accepted(l);
        if (root < 0) { // somebody else has taken the port meanwhile
            must(close(first));
            continue;
        }
        int second = accepted(l);
        enum trust_door door;
        uint32_t uid;
        char bytes[4] = "";
        ssize_t got = recv(first, bytes, sizeof(bytes), MSG_DONTWAIT);
        owner_find(&asker, first, true, &door, &uid);
        if (uid != JOB_NOBODY)
            ck_abort_msg("try %d: the stranger's %zd bytes are uid %u's", i, got, uid);
        both += owner(second, TRUST_LOOPBACK) == 0;
        must(close(first));
        must(close(second));
        reset(root);
    }
    ck_assert_uint_gt(both, 0);
    must(close(l));
}
END_TEST

START_TEST(handed_on_is_its_makers)
{
    ask_by(_i);
    UNIT_NEEDS_ROOT("hundreds of tries as another user");
    in_port_t port;
    int l = listener('6', &port);
    int c = connected(STRANGER, '6', port, 0), s = accepted(l);
    pid_t child = fork(); /* root has it, too, and alone in the end */
    must(child);
    if (child == 0) {
        char byte;
        close(s);
        _exit(recv(c, &byte, 1, 0) == 0 ? 0 : 1);
    }
    must(close(c));
    ck_assert_uint_eq(owner(s, TRUST_LOOPBACK), STRANGER);
    must(close(s));
    int status;
    must(waitpid(child, &status, 0));
    must(close(l));
}
END_TEST

START_TEST(other_addresses_are_the_network)
{
    struct ifaddrs *all, *at;
    must(getifaddrs(&all));
    for (at = all; at != NULL; at = at->ifa_next)
        if (at->ifa_addr != NULL && at->ifa_addr->sa_family == AF_INET &&
            ntohl(((struct sockaddr_in *)(void *)at->ifa_addr)->sin_addr.s_addr) >> 24 != 127)
            break;
    if (at == NULL) {
        printf("# skipped: this machine has no address but loopback's\n");
        freeifaddrs(all);
        return;
    }
    struct sockaddr_in to = *(struct sockaddr_in *)(void *)at->ifa_addr;
    socklen_t len = sizeof(to);
    freeifaddrs(all);
    int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0);
    must(bind(l, (struct sockaddr *)&to, len));
    must(listen(l, 1));
    must(getsockname(l, (struct sockaddr *)&to, &len));
    must(connect(c, (struct sockaddr *)&to, len));
    int s = accepted(l);
    ck_assert_uint_eq(owner(s, TRUST_NETWORK), JOB_NOBODY);
    must(close(s));
    must(close(c));
    must(close(l));
}
END_TEST

START_TEST(unix_peers_have_their_groups)
{
    UNIT_NEEDS_ROOT("hundreds of tries as another user");
    const struct sockaddr_un at = {.sun_family =
                                       AF_UNIX}; /* bound to a name that the kernel chooses */
    struct sockaddr_un bound;
    socklen_t len = sizeof(at.sun_family);
    int l = socket(AF_UNIX, SOCK_STREAM, 0);
    must(bind(l, (const struct sockaddr *)&at, len));
    must(listen(l, 1));
    len = sizeof(bound);
    must(getsockname(l, (struct sockaddr *)&bound, &len));
    gid_t many[100];
    for (unsigned i = 0; i < 100; i++)
        many[i] = 5000 + i;
    for (unsigned count = 0; count <= 100; count += 50) {
        int go[2];
        must(pipe(go));
        pid_t child = fork();
        must(child);
        if (child == 0) {
            char byte;
            int c = socket(AF_UNIX, SOCK_STREAM, 0);
            must(setgroups(count, many));
            must(setresgid(7, 7, 7));
            must(setresuid(STRANGER, STRANGER, STRANGER));
            must(connect(c, (struct sockaddr *)&bound, len));
            close(go[1]);
            _exit(read(go[0], &byte, 1) == 0 ? 0 : 1);
        }
        close(go[0]);
        int s = accepted(l);
        ck_assert_uint_eq(owner(s, TRUST_UNIX), STRANGER);
        gid_t *groups;
        size_t found;
        ck_assert_int_eq(owner_groups(s, &groups, &found), 0);
        ck_assert_uint_eq(found, count + 1);
        ck_assert_uint_eq(groups[found - 1], 7);
        if (count > 0)
            ck_assert_uint_eq(groups[count - 1], 5000 + count - 1);
        free(groups);
        close(go[1]);
        int status;
        must(waitpid(child, &status, 0));
        ck_assert_int_eq(status, 0);
        must(close(s));
    }
    must(close(l));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("owner");
    TCase *owners = tcase_create("owner");
    tcase_add_loop_test(owners, loopback_of_every_kind_has_its_owner, 0, 2);
    tcase_add_loop_test(owners, closed_at_once_is_nobody, 0, 2);
    tcase_add_loop_test(owners, closed_meanwhile_is_never_another, 0, 2);
    tcase_add_loop_test(owners, port_taken_by_root_is_not_roots, 0, 2);
    tcase_add_loop_test(owners, handed_on_is_its_makers, 0, 2);
    tcase_add_test(owners, other_addresses_are_the_network);
    tcase_add_test(owners, unix_peers_have_their_groups);
    suite_add_tcase(suite, owners);
    return unit_main(suite);
}
