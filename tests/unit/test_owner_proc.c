// SPDX-License-Identifier: MIT
// Who made a connection over TCP, where the kernel can't be asked by netlink: when the tables of
// /proc are read instead, and what counts as a line of them. What the answers mean is in
// test_owner.c.

#include "base/log.h"
#include "front/peer_priv.h"
#include "unit.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define STRANGER 4242

static void must(int rc)
{
    if (rc < 0)
        ck_abort_msg("%s", strerror(errno));
}

/* ---- netlink that isn't there ---- */

/* A process without it, as where the kernel was built without. */
static void without_netlink(int error)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const struct sock_fprog program = {.len = sizeof(code) / sizeof(*code), .filter = code};
    must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
}

static unsigned lines_said;

static void count_line(enum log_level level, const char *line, void *arg)
{
    (void)level, (void)line, (void)arg;
    lines_said++;
}

/* Both ends of a connection of this user's own. */
static void pair_make(int pair[2])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(at);
    int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(l);
    must(bind(l, (struct sockaddr *)&at, len));
    must(listen(l, 1));
    must(getsockname(l, (struct sockaddr *)&at, &len));
    pair[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(pair[0]);
    must(connect(pair[0], (struct sockaddr *)&at, len));
    pair[1] = accept4(l, NULL, NULL, SOCK_CLOEXEC);
    must(pair[1]);
    must(close(l));
}

static void child_must_pass(pid_t child)
{
    int status;
    must(child);
    must(waitpid(child, &status, 0));
    ck_assert_int_eq(status, 0);
}

static const struct without {
    int error;      /* of who asks for netlink */
    bool no_proc;   /* either; only root can do that */
    bool one_loop;  /* asks twice, not one of two each */
    bool found;     /* else it is nobody */
    bool tables;    /* are read from now on */
    unsigned lines; /* said, for all loops together */
} withouts[] = {
    {.error = EPROTONOSUPPORT, .found = true, .tables = true, .lines = 1},
    {.error = EAFNOSUPPORT, .found = true, .tables = true, .lines = 1},
    {.error = EPERM, .found = true, .tables = true, .lines = 1},
    {.error = EMFILE, .one_loop = true, .lines = 1}, /* no files left are no reason for /proc */
    {.error = EPROTONOSUPPORT, .no_proc = true, .one_loop = true, .tables = true, .lines = 2},
};

/* In the child. */
static bool is_found_without(const struct without *without, int fd)
{
    uint32_t expected = without->found ? geteuid() : JOB_NOBODY;
    struct owner_asker loops[2] = {{.netlink = -1}, {.netlink = -1}};
    bool good = true;
    log_set_sink(count_line, NULL);
    if (without->no_proc)
        must(chroot("/proc/self/fdinfo")); /* a directory without "proc" */
    without_netlink(without->error);
    for (int i = 0; i < 2; i++) {
        struct owner_asker *loop = &loops[without->one_loop ? 0 : i];
        enum trust_door door;
        uint32_t uid = without->found ? JOB_NOBODY : 0;
        owner_find(loop, fd, true, &door, &uid);
        good = good && uid == expected && loop->tables == without->tables;
    }
    return good && lines_said == without->lines;
}

START_TEST(without_netlink_it_is_read_from_proc)
{
    const struct without *without = &withouts[_i];
    int pair[2];
    if (without->no_proc)
        UNIT_NEEDS_ROOT("chroot");
    pair_make(pair);
    pid_t child = fork(); /* a filter is for good */
    if (child == 0)
        _exit(is_found_without(without, pair[1]) ? 0 : 1);
    child_must_pass(child);
    must(close(pair[0]));
    must(close(pair[1]));
}
END_TEST

/* ---- netlink without a handler ---- */

/* In the kernel's place, answers that are there before the question. Its name makes up the zeros of
 * the kernel's address. */
static int kernel_pretend(struct owner_asker *loop)
{
    int both[2];
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, both));
    snprintf(name.sun_path + sizeof(struct sockaddr_nl), 32, "hilera-test-%ld", (long)getpid());
    must(bind(both[1], (struct sockaddr *)&name, sizeof(name)));
    *loop = (struct owner_asker){.netlink = both[0]};
    return both[1];
}

static void kernel_refuses(int kernel, uint32_t sequence, int error)
{
    struct {
        struct nlmsghdr head;
        struct nlmsgerr body;
    } answer = {
        .head = {.nlmsg_len = sizeof(answer), .nlmsg_type = NLMSG_ERROR, .nlmsg_seq = sequence},
        .body = {.error = -error}};
    must((int)send(kernel, &answer, sizeof(answer), 0));
}

static void kernel_finds(int kernel, uint32_t sequence, int near, int far)
{
    struct sockaddr_in ends[2];
    for (int i = 0; i < 2; i++) {
        socklen_t len = sizeof(ends[i]);
        must(getsockname(i == 0 ? near : far, (struct sockaddr *)&ends[i], &len));
    }
    struct {
        struct nlmsghdr head;
        struct inet_diag_msg body;
    } answer = {.head = {.nlmsg_len = sizeof(answer),
                         .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                         .nlmsg_seq = sequence},
                .body = {.idiag_family = AF_INET,
                         .idiag_state = TCP_ESTABLISHED,
                         .idiag_uid = STRANGER,
                         .idiag_inode = 1,
                         .id = {.idiag_sport = ends[0].sin_port,
                                .idiag_dport = ends[1].sin_port,
                                .idiag_src = {ends[0].sin_addr.s_addr},
                                .idiag_dst = {ends[1].sin_addr.s_addr}}}};
    must((int)send(kernel, &answer, sizeof(answer), 0));
}

static const struct refusals {
    int error;
    uint32_t count;
} refusals[] = {
    {ENOENT, 2}, /* not found, neither is our own */
    {EINVAL, 1}, /* a kernel that knows no such question */
};

START_TEST(no_handler_is_read_from_proc)
{
    struct owner_asker loop;
    enum trust_door door;
    uint32_t uid;
    int pair[2], kernel = kernel_pretend(&loop);
    pair_make(pair);
    for (uint32_t i = 1; i <= refusals[_i].count; i++)
        kernel_refuses(kernel, i, refusals[_i].error);
    owner_find(&loop, pair[1], true, &door, &uid);
    ck_assert_uint_eq(uid, geteuid());
    ck_assert(loop.tables && loop.netlink == -1);
    must(close(kernel));
    must(close(pair[0]));
    must(close(pair[1]));
}
END_TEST

START_TEST(not_found_by_a_handler_is_nobody)
{
    struct owner_asker loop;
    enum trust_door door;
    uint32_t uid;
    int pair[2], kernel = kernel_pretend(&loop);
    pair_make(pair);
    kernel_refuses(kernel, 1, ENOENT); /* the other end; our own is found */
    kernel_finds(kernel, 2, pair[1], pair[0]);
    owner_find(&loop, pair[1], true, &door, &uid);
    ck_assert_uint_eq(uid, JOB_NOBODY);
    ck_assert(!loop.tables && loop.answered);
    kernel_refuses(kernel, 3, ENOENT); /* it isn't asked again */
    owner_find(&loop, pair[1], true, &door, &uid);
    ck_assert_uint_eq(uid, JOB_NOBODY);
    ck_assert_uint_eq(loop.sequence, 3);
    kernel_finds(kernel, 4, pair[0], pair[1]);
    owner_find(&loop, pair[1], true, &door, &uid);
    ck_assert_uint_eq(uid, STRANGER);
    kernel_refuses(kernel, 5, ENOMEM); /* that passes */
    owner_find(&loop, pair[1], true, &door, &uid);
    ck_assert_uint_eq(uid, JOB_NOBODY);
    ck_assert(!loop.tables);
    must(close(loop.netlink));
    loop = (struct owner_asker){.netlink = -1};
    must(close(pair[0])); /* our own end is reset or waits to be closed: nothing follows from it */
    owner_find(&loop, pair[1], true, &door, &uid);
    ck_assert_uint_eq(uid, JOB_NOBODY);
    ck_assert(!loop.tables);
    must(close(loop.netlink));
    must(close(kernel));
    must(close(pair[1]));
}
END_TEST

/* ---- the tables' text ---- */

/* 127.0.0.1, ::1 and ::ffff:127.0.0.1 with the ports 8080 and 35516. */
static struct owner_end end_of(bool ipv6, uint16_t port)
{
    struct owner_end end = {.ipv6 = ipv6, .port = htons(port)};
    if (ipv6)
        memcpy(end.address, &in6addr_loopback, sizeof(end.address));
    else
        end.address[0] = htonl(INADDR_LOOPBACK);
    return end;
}

#define TAIL "00000000:00000000 00:00000000 00000000"
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define IPV4 "0100007F"
#define MAPPED "0000000000000000FFFF0000" IPV4
#define IPV6 "00000000000000000000000001000000"
#else
#define IPV4 "7F000001"
#define MAPPED "00000000000000000000FFFF" IPV4
#define IPV6 "00000000000000000000000000000001"
#endif

static bool line_is_theirs(const char *line, size_t len, bool table6, bool ipv6,
                           struct owner_socket *found)
{
    const struct owner_end theirs = end_of(ipv6, 35516), ours = end_of(ipv6, 8080);
    char *exact = malloc(len + (len == 0)); /* as long as the line, for sanitizers */
    ck_assert_ptr_nonnull(exact);
    memcpy(exact, line, len);
    bool is = owner_proc_line(exact, len, table6, &theirs, &ours, found);
    free(exact);
    return is;
}

START_TEST(lines_of_every_kind_are_read)
{
    static const struct {
        const char *line;
        bool table6, ipv6;
    } rows[] = {
        {"   7: " IPV4 ":8ABC " IPV4 ":1F90 01 " TAIL "  4242        0 991 1 0000000000000000 20",
         false, false},
        {"12345: " IPV4 ":8ABC " IPV4 ":1F90 04 " TAIL " 4294967294 12 18446744073709551615", false,
         false},
        {"   7: " MAPPED ":8ABC " MAPPED ":1F90 05 " TAIL "  4242        0 991 1 00000000", true,
         false},
        {"   7: " IPV6 ":8ABC " IPV6 ":1F90 01 " TAIL "  4242        0 991 1 0000000000", true,
         true},
    };
    struct owner_socket found;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        size_t len = strlen(rows[i].line);
        ck_assert_msg(line_is_theirs(rows[i].line, len, rows[i].table6, rows[i].ipv6, &found),
                      "row %zu", i);
        ck_assert_uint_eq(found.uid, i == 1 ? 4294967294u : 4242);
        ck_assert_uint_eq(found.inode, i == 1 ? UINT64_MAX : 991);
        ck_assert_uint_eq(found.state, i == 1   ? TCP_FIN_WAIT1
                                       : i == 2 ? TCP_FIN_WAIT2
                                                : TCP_ESTABLISHED);
        /* in the other table, or of the other kind of address, it is none of theirs */
        ck_assert(!line_is_theirs(rows[i].line, len, !rows[i].table6, rows[i].ipv6, &found));
        ck_assert(!line_is_theirs(rows[i].line, len, rows[i].table6, !rows[i].ipv6, &found));
        /* cut off anywhere before the inode is whole, it is none */
        size_t least = (size_t)(strstr(rows[i].line, i == 1 ? " 184" : " 991") - rows[i].line) + 1;
        for (size_t part = 0; part <= least; part++)
            if (line_is_theirs(rows[i].line, part, rows[i].table6, rows[i].ipv6, &found))
                ck_abort_msg("row %zu: %zu bytes are enough", i, part);
    }
}
END_TEST

START_TEST(malformed_lines_are_nobodys)
{
    static const char *const lines[] = {
        "",
        " ",
        ":",
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid",
        ": " IPV4 ":8ABC " IPV4 ":1F90 01 " TAIL " 4242 0 991",
        "x7: " IPV4 ":8ABC " IPV4 ":1F90 01 " TAIL " 4242 0 991",
        "7 " IPV4 ":8ABC " IPV4 ":1F90 01 " TAIL " 4242 0 991",
        "7: " IPV4 ":1F90 " IPV4 ":8ABC 01 " TAIL " 4242 0 991", /* our own */
        "7: " IPV4 ":8ABC 00000000:0000 0A " TAIL " 4242 0 991",
        "7: " IPV4 "0:8ABC " IPV4 ":1F90 01 " TAIL " 4242 0 991",
        "7: " IPV4 ":8ABCD " IPV4 ":1F90 01 " TAIL " 4242 0 991",
        "7: " IPV4 ":8ABC" IPV4 ":1F90 01 " TAIL " 4242 0 991",
        "7: " IPV4 ":8ABC " IPV4 ":1F90 1 " TAIL " 4242 0 991",
        "7: " IPV4 ":8ABC " IPV4 ":1F90 001 " TAIL " 4242 0 991",
        "7: " IPV4 ":8ABC " IPV4 ":1F90 0G " TAIL " 4242 0 991",
        "7: " IPV4 ":8ABC " IPV4 ":1F90 01 00000000:00000000 00:00000000 4242 0 991",
        "7: " IPV4 ":8ABC " IPV4 ":1F90 01 " TAIL " -1 0 991",
        "7: " IPV4 ":8ABC " IPV4 ":1F90 01 " TAIL " 0x1 0 991",
        "7: " IPV4 ":8ABC " IPV4 ":1F90 01 " TAIL " 4294967296 0 991",
        "7: " IPV4 ":8ABC " IPV4 ":1F90 01 " TAIL " 99999999999999999999999 0 991",
        "7: " IPV4 ":8ABC " IPV4 ":1F90 01 " TAIL " 4242 0 18446744073709551616",
        "7: " IPV4 ":8ABC " IPV4 ":1F90 01 " TAIL " 4242 0 991x",
        "7: " IPV4 ":8ABC " IPV4 ":1F90 01 " TAIL " 4242 0 ",
    };
    struct owner_socket found;
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
        if (line_is_theirs(lines[i], strlen(lines[i]), false, false, &found))
            ck_abort_msg("row %zu is a socket: %s", i, lines[i]);
    static const char zeros[] = "7: " IPV4 ":8ABC " IPV4 ":\0F90 01 " TAIL " 4242 0 991";
    ck_assert(!line_is_theirs(zeros, sizeof(zeros) - 1, false, false, &found));
}
END_TEST

/* A table of lines, of which theirs is the last. */
static int table_read(const char *before, size_t times, const char *line,
                      struct owner_socket *found)
{
    const struct owner_end theirs = end_of(false, 35516), ours = end_of(false, 8080);
    FILE *file = tmpfile();
    ck_assert_ptr_nonnull(file);
    for (size_t i = 0; i < times; i++)
        ck_assert_int_ge(fputs(before, file), 0);
    ck_assert_int_ge(fputs(line, file), 0);
    ck_assert_int_eq(fflush(file), 0);
    must((int)lseek(fileno(file), 0, SEEK_SET));
    int rc = owner_proc_table(fileno(file), false, &theirs, &ours, found);
    ck_assert_int_eq(fclose(file), 0);
    return rc;
}

START_TEST(tables_are_read_by_lines)
{
    static const char theirs[] = "7: " IPV4 ":8ABC " IPV4 ":1F90 01 " TAIL " 4242 0 991 1 0\n";
    struct owner_socket found;
    char other[2 * sizeof(theirs)];
    ck_assert_int_eq(table_read("", 0, "", &found), ENOENT);
    ck_assert_int_eq(table_read("", 0, theirs, &found), 0);
    /* every place in the reader's buffer */
    for (int width = 1; width <= (int)sizeof(theirs); width++) {
        snprintf(other, sizeof(other), "%*s\n", width, "8: x");
        ck_assert_int_eq(table_read(other, 200, theirs, &found), 0);
        ck_assert_uint_eq(found.uid, 4242);
    }
    /* without its end, it may go on; a line too long to be one isn't read from its middle */
    char part[sizeof(theirs)];
    snprintf(part, sizeof(part), "%.*s", (int)sizeof(theirs) - 2, theirs);
    ck_assert_int_eq(table_read("x\n", 1, part, &found), ENOENT);
    for (size_t times = 4090; times <= 4100; times++)
        ck_assert_int_eq(table_read(" ", times, theirs, &found),
                         times + sizeof(theirs) - 1 <= 4096 ? 0 : ENOENT);
    ck_assert_int_eq(table_read("x", 8192, theirs, &found), ENOENT);
    ck_assert_int_eq(
        table_read("x", 10000, "\n7: " IPV4 ":8ABC " IPV4 ":1F90 01 " TAIL " 1 0 2\n", &found), 0);
    ck_assert_uint_eq(found.uid, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("owner_proc");
    TCase *sources = tcase_create("sources");
    tcase_add_loop_test(sources, without_netlink_it_is_read_from_proc, 0,
                        sizeof(withouts) / sizeof(withouts[0]));
    tcase_add_loop_test(sources, no_handler_is_read_from_proc, 0,
                        sizeof(refusals) / sizeof(refusals[0]));
    tcase_add_test(sources, not_found_by_a_handler_is_nobody);
    suite_add_tcase(suite, sources);
    TCase *text = tcase_create("text");
    tcase_add_test(text, lines_of_every_kind_are_read);
    tcase_add_test(text, malformed_lines_are_nobodys);
    tcase_add_test(text, tables_are_read_by_lines);
    suite_add_tcase(suite, text);
    return unit_main(suite);
}
