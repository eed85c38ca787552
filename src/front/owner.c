// SPDX-License-Identifier: MIT
/*
 * Who made a connection, as the kernel knows it.
 *
 * Of a Unix socket it tells the user and the groups that the peer had when it connected. Of TCP
 * over loopback it tells the owner of the other end (NETLINK_SOCK_DIAG, one question by the pair of
 * addresses, answered within the call; where there is no such thing, owner_proc.c). That answer is
 * of whatever socket has these addresses at this moment, and ours may have had another one at its
 * other end: one that was reset, or closed, and whose port was taken since. So it counts only with
 * an inode (a socket that a process has open), in a state in which it is connected, and if our own
 * end, asked afterwards, is still connected, too: then both are of one connection, for a port can't
 * be taken twice. Everything else is anonymous: no answer, a socket that its process has closed, a
 * user that this namespace has no name for. So are peers from other machines, and from addresses
 * that aren't loopback's.
 */
#include "front/peer_priv.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- users that have no name here ---- */

#define OVERFLOW_UID 65534u /* what the kernel says of them (kernel.overflowuid) */

/* Whether every user has its own number here, as in the first user namespace. */
static bool namespace_is_whole(void)
{
    static const char whole[] = "0 0 4294967295";
    static _Atomic int known; /* 0: not looked yet; 1: no; 2: yes */
    int answer = atomic_load(&known);
    if (answer == 0) {
        char text[256] = "";
        int fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
        ssize_t len = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;
        if (fd >= 0)
            close(fd);
        size_t at = 0;
        for (ssize_t i = 0; i < len; i++) /* blanks of any number count as one */
            if (text[i] != ' ' && text[i] != '\n')
                text[at++] = text[i];
            else if (at > 0 && text[at - 1] != ' ')
                text[at++] = ' ';
        text[at] = '\0';
        answer = strncmp(text, whole, strlen(whole)) == 0 ? 2 : 1;
        atomic_store(&known, answer);
    }
    return answer == 2;
}

static uint32_t uid_named(uint32_t uid)
{
    return uid == OVERFLOW_UID && !namespace_is_whole() ? JOB_NOBODY : uid;
}

/* ---- addresses ---- */

static bool end_read(struct owner_end *end, const struct sockaddr_storage *storage)
{
    *end = (struct owner_end){.ipv6 = false};
    if (storage->ss_family == AF_INET) {
        struct sockaddr_in ipv4;
        memcpy(&ipv4, storage, sizeof(ipv4));
        end->port = ipv4.sin_port;
        end->address[0] = ipv4.sin_addr.s_addr;
        return true;
    }
    if (storage->ss_family != AF_INET6)
        return false;
    struct sockaddr_in6 ipv6;
    memcpy(&ipv6, storage, sizeof(ipv6));
    end->port = ipv6.sin6_port;
    end->ipv6 = !IN6_IS_ADDR_V4MAPPED(&ipv6.sin6_addr);
    if (end->ipv6)
        memcpy(end->address, &ipv6.sin6_addr, sizeof(end->address));
    else
        memcpy(end->address, &ipv6.sin6_addr.s6_addr[12], sizeof(end->address[0]));
    return true;
}

static bool end_is_loopback(const struct owner_end *end)
{
    if (!end->ipv6)
        return ntohl(end->address[0]) >> 24 == IN_LOOPBACKNET;
    return memcmp(end->address, &in6addr_loopback, sizeof(end->address)) == 0;
}

/* Ours and the other one; false: it is none of TCP, or isn't connected any more. */
static bool ends_find(int fd, struct owner_end *ours, struct owner_end *theirs)
{
    struct sockaddr_storage storage;
    socklen_t len = sizeof(storage);
    if (getsockname(fd, (struct sockaddr *)&storage, &len) != 0 || !end_read(ours, &storage))
        return false;
    len = sizeof(storage);
    return getpeername(fd, (struct sockaddr *)&storage, &len) == 0 && end_read(theirs, &storage);
}

/* ---- the question ---- */

/* From now on this loop reads the tables. */
static void tables_take(struct owner_asker *asker, int error)
{
    static atomic_flag said = ATOMIC_FLAG_INIT;
    asker->tables = true;
    if (asker->netlink >= 0)
        close(asker->netlink);
    asker->netlink = -1;
    if (!atomic_flag_test_and_set(&said))
        log_notice("the system can't be asked who connects over TCP (NETLINK_SOCK_DIAG: %s); "
                   "/proc/net is read for each such connection",
                   strerrordesc_np(error));
}

/* Whether the error says that there is nobody to ask, now and later. */
static bool is_absent(int error)
{
    static const int absent[] = {EPROTONOSUPPORT, EAFNOSUPPORT, ESOCKTNOSUPPORT,
                                 EOPNOTSUPP,      ENOSYS,       EPERM,
                                 EACCES,          EINVAL,       ECONNREFUSED};
    for (size_t i = 0; i < sizeof(absent) / sizeof(*absent); i++)
        if (error == absent[i])
            return true;
    return false;
}

/* The first is said once, by whichever loop meets it; the others may pass. */
static void say_nobody_tells(int error)
{
    static atomic_flag said = ATOMIC_FLAG_INIT;
    static struct log_limit limit;
    if (!is_absent(error))
        log_limited(&limit, LOG_LEVEL_WARNING,
                    "the system didn't tell who has connected over TCP (%s): anonymous",
                    strerrordesc_np(error));
    else if (!atomic_flag_test_and_set(&said))
        log_warning("the system doesn't tell who connects over TCP (%s); such peers are anonymous",
                    strerrordesc_np(error));
}

static int asker_open(struct owner_asker *asker)
{
    if (asker->netlink < 0)
        asker->netlink =
            socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
    return asker->netlink >= 0 ? 0 : errno;
}

/* For the socket at `near` that is connected to `far`. */
static int question_send(struct owner_asker *asker, const struct owner_end *near,
                         const struct owner_end *far)
{
    struct {
        struct nlmsghdr head;
        struct inet_diag_req_v2 body;
    } question = {.head = {.nlmsg_len = sizeof(question),
                           .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                           .nlmsg_flags = NLM_F_REQUEST,
                           .nlmsg_seq = ++asker->sequence},
                  .body = {.sdiag_family = near->ipv6 ? AF_INET6 : AF_INET,
                           .sdiag_protocol = IPPROTO_TCP,
                           .idiag_states = UINT32_MAX,
                           .id = {.idiag_sport = near->port,
                                  .idiag_dport = far->port,
                                  .idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}}}};
    memcpy(question.body.id.idiag_src, near->address, sizeof(near->address));
    memcpy(question.body.id.idiag_dst, far->address, sizeof(far->address));
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    return sendto(asker->netlink, &question, sizeof(question), 0, (struct sockaddr *)&kernel,
                  sizeof(kernel)) == (ssize_t)sizeof(question)
               ? 0
               : errno;
}

/* Reads up to the answer to the last question; an error is what the kernel answered. */
static int answer_read(struct owner_asker *asker, struct inet_diag_msg *answer)
{
    struct nlmsghdr buffer[4096 / sizeof(struct nlmsghdr)];
    for (;;) {
        struct sockaddr_nl from = {.nl_pid = 1};
        socklen_t from_len = sizeof(from);
        ssize_t len = recvfrom(asker->netlink, buffer, sizeof(buffer), MSG_DONTWAIT,
                               (struct sockaddr *)&from, &from_len);
        if (len < 0 && errno == EINTR)
            continue;
        if (len < 0)
            return errno;
        if (len < (ssize_t)sizeof(*buffer))
            return EBADMSG;
        if (from.nl_pid != 0 || buffer->nlmsg_seq != asker->sequence)
            continue;
        if (buffer->nlmsg_type == NLMSG_ERROR && len >= (ssize_t)NLMSG_LENGTH(sizeof(int)))
            return -((const struct nlmsgerr *)NLMSG_DATA(buffer))->error;
        if (buffer->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
            len < (ssize_t)NLMSG_LENGTH(sizeof(*answer)))
            return EBADMSG;
        memcpy(answer, NLMSG_DATA(buffer), sizeof(*answer));
        return 0;
    }
}

/* Whether the answer is of that very socket. */
static bool answer_fits(const struct inet_diag_msg *answer, const struct owner_end *near,
                        const struct owner_end *far)
{
    size_t size = near->ipv6 ? sizeof(near->address) : sizeof(near->address[0]);
    /* A socket of IPv6 that is connected to IPv4 tells mapped addresses. */
    const uint32_t *src = answer->id.idiag_src, *dst = answer->id.idiag_dst;
    if (!near->ipv6 && answer->idiag_family == AF_INET6) {
        src += 3;
        dst += 3;
    }
    return answer->id.idiag_sport == near->port && answer->id.idiag_dport == far->port &&
           memcmp(src, near->address, size) == 0 && memcmp(dst, far->address, size) == 0;
}

/* ENOENT: the kernel has no such socket, or nobody who knows. */
static int netlink_ask(struct owner_asker *asker, const struct owner_end *near,
                       const struct owner_end *far, struct owner_socket *found)
{
    struct inet_diag_msg answer;
    int rc = question_send(asker, near, far);
    if (rc == 0)
        rc = answer_read(asker, &answer);
    if (rc != 0)
        return rc;
    if (!answer_fits(&answer, near, far))
        return EBADMSG;
    asker->answered = true;
    *found = (struct owner_socket){
        .state = answer.idiag_state, .uid = answer.idiag_uid, .inode = answer.idiag_inode};
    return 0;
}

/* Our own end is connected: nobody else's socket can have had the other end's addresses. */
static bool is_connected(int fd)
{
    struct tcp_info info = {.tcpi_state = 0};
    socklen_t len = sizeof(info);
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
           (info.tcpi_state == TCP_ESTABLISHED || info.tcpi_state == TCP_CLOSE_WAIT);
}

/*
 * The kernel says the same, ENOENT, where it has no handler for TCP and where it has no such
 * socket. Our own end tells: there is one as long as it is connected.
 */
static bool handler_is_missing(struct owner_asker *asker, int fd, const struct owner_end *ours,
                               const struct owner_end *theirs)
{
    struct owner_socket own;
    return !asker->answered && netlink_ask(asker, ours, theirs, &own) == ENOENT && is_connected(fd);
}

static int socket_find(struct owner_asker *asker, int fd, const struct owner_end *ours,
                       const struct owner_end *theirs, struct owner_socket *found)
{
    int rc = 0;
    if (!asker->tables) {
        rc = asker_open(asker);
        if (rc == 0)
            rc = netlink_ask(asker, theirs, ours, found);
        if (is_absent(rc) || (rc == ENOENT && handler_is_missing(asker, fd, ours, theirs)))
            tables_take(asker, rc);
    }
    if (asker->tables)
        rc = owner_proc_find(theirs, ours, found);
    if (rc != 0 && rc != ENOENT)
        say_nobody_tells(rc);
    return rc;
}

static uint32_t tcp_owner(struct owner_asker *asker, int fd, const struct owner_end *ours,
                          const struct owner_end *theirs)
{
    struct owner_socket found;
    if (socket_find(asker, fd, ours, theirs, &found) != 0 || found.inode == 0 ||
        (found.state != TCP_ESTABLISHED && found.state != TCP_FIN_WAIT1 &&
         found.state != TCP_FIN_WAIT2) ||
        !is_connected(fd))
        return JOB_NOBODY;
    return uid_named(found.uid);
}

bool owner_find(struct owner_asker *asker, int fd, bool named, enum trust_door *door, uint32_t *uid)
{
    struct owner_end ours, theirs;
    struct ucred peer;
    int domain = AF_UNSPEC;
    socklen_t len = sizeof(domain);
    *door = TRUST_NETWORK;
    *uid = JOB_NOBODY;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) != 0)
        return false;
    if (domain == AF_UNIX) {
        *door = TRUST_UNIX;
        len = sizeof(peer);
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0)
            *uid = uid_named(peer.uid);
        return true;
    }
    if (!ends_find(fd, &ours, &theirs))
        return false;
    if (!end_is_loopback(&ours) || !end_is_loopback(&theirs))
        return true;
    *door = TRUST_LOOPBACK;
    if (named)
        *uid = tcp_owner(asker, fd, &ours, &theirs);
    return *uid != JOB_NOBODY || is_connected(fd);
}

/* ---- groups of a Unix socket's peer ---- */

#define GROUPS_FIRST 32

int owner_groups(int fd, gid_t **groups, size_t *count)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);
    *groups = NULL;
    *count = 0;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
        return errno;
    size_t room = GROUPS_FIRST;
    for (int tries = 0; tries < 2; tries++) {
        gid_t *found = calloc(room + 1, sizeof(*found));
        if (found == NULL)
            return ENOMEM;
        len = (socklen_t)(room * sizeof(*found));
        if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, found, &len) == 0) {
            *count = len / sizeof(*found);
            found[(*count)++] = peer.gid;
            *groups = found;
            return 0;
        }
        int rc = errno;
        free(found);
        if (rc != ERANGE)
            return rc;
        room = len / sizeof(*found);
    }
    return ERANGE;
}
