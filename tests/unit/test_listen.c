// SPDX-License-Identifier: MIT
/*
 * Listeners: socket files that are stale, alive, or none; ports that are taken and by whom; what is
 * left behind; accepting when there is no room for more.
 */
#include "base/log.h"
#include "echo.h"
#include "peer.h"
#include "unit.h"

#include <hilera/version.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct echo *echo;
static struct net_error error;
static char path[PEER_PATH_MAX], lock[PEER_PATH_MAX];

static void up(void)
{
    peer_temp_make();
    peer_temp_path(path, "s");
    peer_temp_path(lock, "s.lock");
    echo = calloc(1, sizeof(*echo));
    ck_assert_ptr_nonnull(echo);
    error.text[0] = '\0';
}

static void down(void)
{
    free(echo);
    peer_temp_remove();
}

static struct net *net_make(size_t connections_max)
{
    const struct net_settings settings = {.loops = 1, .connections_max = connections_max};
    struct net *net;
    ck_assert_int_eq(net_new(&net, &settings, &echo_protocol, echo), 0);
    return net;
}

static void net_end(struct net **net)
{
    net_stop(*net, 0);
    net_free(net);
}

static bool exists(const char *file)
{
    struct stat st;
    return lstat(file, &st) == 0;
}

static void says(const char *part)
{
    ck_assert_msg(strstr(error.text, part) != NULL, "\"%s\" is not in \"%s\"", part, error.text);
}

/* A socket bound at `path`, as a program that knows nothing of the lock file makes it. */
static int foreign_socket(bool listening)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    if (listening)
        ck_assert_int_eq(listen(fd, 8), 0);
    return fd;
}

static void is_served(void)
{
    int fd = peer_unix(path);
    peer_say(fd, "echo hello\n");
    peer_expect(fd, "hello\n");
    peer_close(&fd);
}

/* ---- Unix ---- */

START_TEST(socket_has_its_mode_and_goes_at_the_end)
{
    mode_t old = umask(0077);
    struct net *net = net_make(0);
    ck_assert_int_eq(net_listen_unix(net, path, 0666, &error), 0);
    umask(old);
    struct stat st;
    ck_assert_int_eq(lstat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0666);
    char name[PEER_PATH_MAX + 8];
    snprintf(name, sizeof(name), "unix:%s", path);
    ck_assert_str_eq(net_listener_name(net, 0), name);
    ck_assert_ptr_null(net_listener_name(net, 1));
    ck_assert_int_eq(net_start(net), 0);
    is_served();
    net_stop_listening(net);
    ck_assert(!exists(path) && !exists(lock));
    net_end(&net);
}
END_TEST

START_TEST(stale_socket_is_replaced)
{
    int dead = foreign_socket(true);
    close(dead);
    ck_assert(exists(path));
    struct net *net = net_make(0);
    ck_assert_msg(net_listen_unix(net, path, 0600, &error) == 0, "%s", error.text);
    ck_assert_int_eq(net_start(net), 0);
    is_served();
    net_end(&net);
    ck_assert(!exists(path));
}
END_TEST

/* What a killed daemon leaves: its socket file and its lock file, which nobody holds any more. */
START_TEST(leftovers_of_a_killed_daemon_are_replaced)
{
    int fds[2];
    ck_assert_int_eq(pipe(fds), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        struct net *net = net_make(0);
        bool good = net_listen_unix(net, path, 0600, &error) == 0;
        (void)!write(fds[1], good ? "y" : "n", 1);
        pause();
        _exit(0);
    }
    char ready = 0;
    ck_assert_int_eq(read(fds[0], &ready, 1), 1);
    ck_assert_int_eq(ready, 'y');
    struct net *net = net_make(0);
    ck_assert_int_eq(net_listen_unix(net, path, 0600, &error), EADDRINUSE);
    says("another hilerad listens there");
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert(exists(path) && exists(lock));
    ck_assert_msg(net_listen_unix(net, path, 0600, &error) == 0, "%s", error.text);
    ck_assert_int_eq(net_start(net), 0);
    is_served();
    net_end(&net);
    close(fds[0]);
    close(fds[1]);
}
END_TEST

START_TEST(live_socket_of_another_program_is_refused)
{
    int alive = foreign_socket(true);
    struct net *net = net_make(0);
    ck_assert_int_eq(net_listen_unix(net, path, 0600, &error), EADDRINUSE);
    says("listens there");
    char self[64];
    snprintf(self, sizeof(self), "(pid %d)", (int)getpid());
    says(self);
    ck_assert(exists(path) && !exists(lock));
    close(alive);
    net_end(&net);
}
END_TEST

START_TEST(what_is_no_socket_is_left_alone)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, "precious", 8), 8);
    close(fd);
    struct net *net = net_make(0);
    ck_assert_int_eq(net_listen_unix(net, path, 0600, &error), EEXIST);
    says("not a socket");
    net_end(&net);
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_size, 8);
    /* nor is a link followed */
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(symlink("nowhere", path), 0);
    net = net_make(0);
    ck_assert_int_eq(net_listen_unix(net, path, 0600, &error), EEXIST);
    net_end(&net);
}
END_TEST

START_TEST(socket_of_somebody_else_is_not_removed_at_the_end)
{
    struct net *net = net_make(0);
    ck_assert_int_eq(net_listen_unix(net, path, 0600, &error), 0);
    ck_assert_int_eq(unlink(path), 0);
    int other = foreign_socket(true);
    net_end(&net);
    ck_assert(exists(path));
    close(other);
}
END_TEST

START_TEST(bad_paths_are_named)
{
    struct net *net = net_make(0);
    char far[300];
    memset(far, 'x', sizeof(far) - 1);
    far[sizeof(far) - 1] = '\0';
    ck_assert_int_eq(net_listen_unix(net, far, 0600, &error), ENAMETOOLONG);
    says("107 bytes");
    ck_assert_int_eq(net_listen_unix(net, "", 0600, &error), EINVAL);
    char missing[PEER_PATH_MAX];
    ck_assert_int_eq(net_listen_unix(net, peer_temp_path(missing, "no/s"), 0600, &error), ENOENT);
    says("no/s");
    net_end(&net);
}
END_TEST

/* ---- TCP ---- */

/* A child that listens on a port of its choice and gives everybody the same answer. */
static pid_t impostor(uint16_t *port, const char *answer)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    ck_assert_int_eq(listen(fd, 4), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    *port = ntohs(addr.sin_port);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        char got[256];
        int conn = accept(fd, NULL, NULL);
        ssize_t n = recv(conn, got, sizeof(got), 0);
        if (n > 0)
            (void)!write(conn, answer, strlen(answer));
        pause();
        _exit(0);
    }
    close(fd);
    return pid;
}

static void impostor_end(pid_t pid)
{
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

static void taken_by(const char *answer, const char *expected)
{
    uint16_t port;
    pid_t pid = impostor(&port, answer);
    struct net *net = net_make(0);
    ck_assert_int_eq(net_listen_tcp(net, "127.0.0.1", port, &error), EADDRINUSE);
    char address[64], process[64];
    snprintf(address, sizeof(address), "127.0.0.1:%u: ", port);
    snprintf(process, sizeof(process), "(pid %d)", (int)pid);
    says(address);
    says(process);
    says(expected);
    net_end(&net);
    impostor_end(pid);
}

START_TEST(port_in_use_is_named)
{
    taken_by("UNKNOWN_COMMAND\r\nUNKNOWN_COMMAND\r\n"
             "OK 900\r\n---\ncurrent-jobs-urgent: 0\ncurrent-jobs-ready: 7\npid: 77\n"
             "version: \"1.13\"\nhostname: \"here\"\n",
             "answers as beanstalkd 1.13, pid 77");
    taken_by(
        "OK 44\r\n{\"version\":\"0.1.0\",\"pid\":78,\"uptime\":1.000000}\r\nUNKNOWN_COMMAND\r\n",
        "answers as hilerad 0.1.0, pid 78");
    taken_by("SSH-2.0-thing \"version\" hostname:\r\n", "stop that, or use another port");
    ck_assert_ptr_null(strstr(error.text, "answers as"));
}
END_TEST

START_TEST(tcp_addresses)
{
    struct net *net = net_make(0);
    ck_assert_int_eq(net_listen_tcp(net, "127.0.0.1", 0, &error), 0);
    ck_assert_uint_ne(net_listener_port(net, 0), 0);
    char name[64];
    snprintf(name, sizeof(name), "127.0.0.1:%u", net_listener_port(net, 0));
    ck_assert_str_eq(net_listener_name(net, 0), name);
    ck_assert_int_eq(net_listen_tcp(net, "no such host", 1, &error), EINVAL);
    says("no such host");
    ck_assert_int_eq(net_listen_tcp(net, "192.0.2.1", 0, &error), EADDRNOTAVAIL);
    says("no such address");
    net_end(&net);
}
END_TEST

/* ---- no room ---- */

static bool has_refused(void *arg)
{
    struct net_stats stats;
    net_stats(arg, &stats);
    return stats.refused > 0;
}

static bool has_one_connection(void *arg)
{
    struct net_stats stats;
    net_stats(arg, &stats);
    return stats.connections == 1;
}

START_TEST(one_more_than_the_limit_is_told_and_closed)
{
    struct net *net = net_make(2);
    ck_assert_int_eq(net_listen_unix(net, path, 0600, &error), 0);
    ck_assert_int_eq(net_listen_tcp(net, "127.0.0.1", 0, &error), 0);
    ck_assert_int_eq(net_start(net), 0);
    int first = peer_unix(path), second = peer_unix(path), third = peer_unix(path);
    peer_expect(third, "full\n");
    peer_expect_eof(third);
    int fourth = peer_tcp(net_listener_port(net, 1));
    peer_expect(fourth, "full\n");
    peer_expect_eof(fourth);
    peer_say(first, "echo one\n");
    peer_expect(first, "one\n");
    struct net_stats stats;
    net_stats(net, &stats);
    ck_assert_uint_eq(stats.accepted, 2);
    ck_assert_uint_eq(stats.refused, 2);
    peer_close(&second);
    peer_until(has_one_connection, net);
    int fifth = peer_unix(path);
    peer_say(fifth, "echo two\n");
    peer_expect(fifth, "two\n");
    peer_close(&first);
    peer_close(&third);
    peer_close(&fourth);
    peer_close(&fifth);
    is_served();
    net_end(&net);
}
END_TEST

static void is_taken(int fd)
{
    peer_say(fd, "echo taken\n");
    peer_expect(fd, "taken\n");
}

static void is_full(int fd)
{
    peer_expect(fd, "full\n");
    peer_expect_eof(fd);
    peer_close(&fd);
}

/* A connection of another user: it is who calls that counts. */
static int peer_of_another(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        _exit(setresuid(65534, 65534, 65534) == 0 &&
                      connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0
                  ? 0
                  : 1);
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    struct timeval patience = {.tv_sec = PEER_SECONDS};
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    return fd;
}

/* Of 64 places a quarter is for Unix sockets, and of these a quarter for root and our own user. */
START_TEST(the_last_places_are_kept)
{
    enum { ALL = 64, FAR = 48, NEAR = 12 };
    bool is_root = geteuid() == 0;
    struct net *net = net_make(ALL);
    ck_assert_int_eq(net_listen_unix(net, path, 0666, &error), 0);
    ck_assert_int_eq(net_listen_tcp(net, "127.0.0.1", 0, &error), 0);
    ck_assert_int_eq(net_start(net), 0);
    if (is_root) {
        char folder[PEER_PATH_MAX];
        snprintf(folder, sizeof(folder), "%s", path);
        *strrchr(folder, '/') = '\0';
        ck_assert_int_eq(chmod(folder, 0711), 0);
    } else {
        printf("# 2 checks skipped: only root can be another user\n");
    }
    int fds[ALL], count = 0;
    for (; count < FAR; count++)
        is_taken(fds[count] = peer_tcp(net_listener_port(net, 1)));
    is_full(peer_tcp(net_listener_port(net, 1)));
    for (; count < FAR + NEAR; count++)
        is_taken(fds[count] = is_root ? peer_of_another() : peer_unix(path));
    is_full(peer_tcp(net_listener_port(net, 1)));
    if (is_root)
        is_full(peer_of_another());
    for (; count < ALL; count++)
        is_taken(fds[count] = peer_unix(path));
    is_full(peer_unix(path));
    while (count > 0)
        peer_close(&fds[--count]);
    net_end(&net);
}
END_TEST

static int warnings;

static void count_warning(enum log_level level, const char *line, void *arg)
{
    (void)arg;
    if (level <= LOG_LEVEL_WARNING && strstr(line, "no more connections") != NULL)
        warnings++;
}

/* Takes every descriptor there is, so that accept gets none. */
static int take_descriptors(int *taken, int most)
{
    int count = 0, fd;
    while (count < most && (fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        taken[count++] = fd;
    return count;
}

START_TEST(out_of_descriptors_callers_are_told)
{
    enum { MOST = 256 };
    struct net *net = net_make(0);
    ck_assert_int_eq(net_listen_unix(net, path, 0600, &error), 0);
    ck_assert_int_eq(net_start(net), 0);
    int served = peer_unix(path);
    peer_say(served, "echo before\n");
    peer_expect(served, "before\n");
    log_set_sink(count_warning, NULL);
    struct rlimit old, few;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
    few = old;
    few.rlim_cur = 100;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    int waiting = peer_unix(path);
    peer_say(waiting, "echo waited\n");
    peer_expect(waiting, "waited\n");
    int next = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), taken[MOST];
    int count = take_descriptors(taken, MOST);
    ck_assert_int_gt(count, 0);
    ck_assert_int_lt(count, MOST);
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    ck_assert_int_eq(connect(next, (struct sockaddr *)&addr, sizeof(addr)), 0);
    peer_until(has_refused, net);
    struct net_stats before, after;
    net_stats(net, &before);
    /* It doesn't spin: while others are served a hundred times, it looks for that and no more. */
    for (int i = 0; i < 100; i++) {
        peer_say(served, "echo during\n");
        peer_expect(served, "during\n");
    }
    net_stats(net, &after);
    ck_assert_uint_le(after.turns - before.turns, 210);
    ck_assert_int_eq(warnings, 1);
    ck_assert_uint_eq(after.refused, 1);
    peer_expect(next, "full\n");
    peer_expect_eof(next);
    peer_close(&next);
    while (count > 0)
        close(taken[--count]);
    next = peer_unix(path);
    peer_say(next, "echo resumed\n");
    peer_expect(next, "resumed\n");
    peer_close(&waiting);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
    log_set_sink(NULL, NULL);
    peer_close(&served);
    peer_close(&next);
    net_end(&net);
}
END_TEST

START_TEST(start_and_stop_without_anybody)
{
    for (int i = 0; i < 20; i++) {
        struct net *net = net_make(0);
        ck_assert_int_eq(net_listen_unix(net, path, 0600, &error), 0);
        ck_assert_int_eq(net_start(net), 0);
        net_end(&net);
        ck_assert(!exists(path) && !exists(lock));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("listen");
    TCase *unix_case = tcase_create("unix");
    tcase_add_checked_fixture(unix_case, up, down);
    tcase_add_test(unix_case, socket_has_its_mode_and_goes_at_the_end);
    tcase_add_test(unix_case, stale_socket_is_replaced);
    tcase_add_test(unix_case, leftovers_of_a_killed_daemon_are_replaced);
    tcase_add_test(unix_case, live_socket_of_another_program_is_refused);
    tcase_add_test(unix_case, what_is_no_socket_is_left_alone);
    tcase_add_test(unix_case, socket_of_somebody_else_is_not_removed_at_the_end);
    tcase_add_test(unix_case, bad_paths_are_named);
    suite_add_tcase(suite, unix_case);

    TCase *tcp = tcase_create("tcp");
    tcase_add_checked_fixture(tcp, up, down);
    tcase_add_test(tcp, port_in_use_is_named);
    tcase_add_test(tcp, tcp_addresses);
    suite_add_tcase(suite, tcp);

    TCase *room = tcase_create("room");
    tcase_add_checked_fixture(room, up, down);
    tcase_add_test(room, one_more_than_the_limit_is_told_and_closed);
    tcase_add_test(room, the_last_places_are_kept);
    tcase_add_test(room, out_of_descriptors_callers_are_told);
    tcase_add_test(room, start_and_stop_without_anybody);
    suite_add_tcase(suite, room);
    return unit_main(suite);
}
