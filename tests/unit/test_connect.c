// SPDX-License-Identifier: MIT
// How the client library connects: over TCP and Unix sockets, to daemons that are there, that are
// not, and that don't answer; and which socket is the default.

#include "scripted.h"
#include "unit.h"

#include <hilera/client.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

START_TEST(tcp_connects)
{
    static const struct scripted_step steps[] = {{SCRIPTED_EXPECT, "put 0 0 1 1\r\nx\r\n", 0},
                                                 {SCRIPTED_SEND, "INSERTED 1\r\n", 0},
                                                 {SCRIPTED_END, NULL, 0}};
    server = scripted_start(steps, 1);
    ck_assert_int_eq(hl_client_new(&client), 0);
    ck_assert_int_eq(hl_client_connect_tcp(client, scripted_address(server), PATIENCE), 0);
    const struct hl_client_put put = {.body = "x", .len = 1};
    uint64_t id = 0;
    ck_assert_int_eq(hl_client_put(client, &put, PATIENCE, &id), 0);
    hl_client_free(&client);
    scripted_end(server);
}
END_TEST

static const char *const bad_addresses[] = {
    "",        ":1",      "host:", "host:0", "host:65536", "host:x",
    "host:-1", "host: 1", "[::1",  "[::1]x", "[]:1",
};

START_TEST(bad_addresses_are_named)
{
    ck_assert_int_eq(hl_client_new(&client), 0);
    ck_assert_int_eq(hl_client_connect_tcp(client, bad_addresses[_i], PATIENCE), EINVAL);
    error_has("HOST:PORT");
    hl_client_free(&client);
}
END_TEST

START_TEST(nobody_there_is_said)
{
    static const struct scripted_step steps[] = {{SCRIPTED_END, NULL, 0}};
    server = scripted_start(steps, 1);
    char tcp[64], path[64], folder[] = "/tmp/hilera-test-XXXXXX";
    strcpy(tcp, scripted_address(server));
    ck_assert_int_eq(hl_client_new(&client), 0);
    ck_assert_int_eq(hl_client_connect_tcp(client, tcp, PATIENCE), 0);
    scripted_end(server);
    ck_assert_int_eq(hl_client_connect_tcp(client, tcp, PATIENCE), ECONNREFUSED);
    error_has(tcp);

    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/sock", folder);
    ck_assert_int_eq(hl_client_connect_unix(client, path, PATIENCE), ENOENT);
    error_has(path);
    // What a daemon that was killed leaves behind.
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(hl_client_connect_unix(client, path, PATIENCE), ECONNREFUSED);
    error_has("Connection refused");
    // One that is alive and accepts nobody: its queue takes one connection, and is full then.
    ck_assert_int_eq(listen(fd, 0), 0);
    hl_client *first;
    ck_assert_int_eq(hl_client_new(&first), 0);
    ck_assert_int_eq(hl_client_connect_unix(first, path, PATIENCE), 0);
    ck_assert_int_eq(hl_client_connect_unix(client, path, BLINK), ETIMEDOUT);
    ck_assert_int_eq(hl_client_connect_unix(client, path, 0), ETIMEDOUT);
    int interrupt = eventfd(1, EFD_CLOEXEC);
    hl_client_set_interrupt(client, interrupt);
    ck_assert_int_eq(hl_client_connect_unix(client, path, PATIENCE), EINTR);
    close(interrupt);
    hl_client_free(&first);
    close(fd);
    unlink(path);
    rmdir(folder);
    hl_client_free(&client);
}
END_TEST

START_TEST(a_path_too_long_is_named)
{
    char path[300];
    memset(path, 'a', sizeof(path));
    path[sizeof(path) - 1] = '\0';
    ck_assert_int_eq(hl_client_new(&client), 0);
    ck_assert_int_eq(hl_client_connect_unix(client, path, PATIENCE), ENAMETOOLONG);
    ck_assert_int_eq(hl_client_connect_unix(client, "", PATIENCE), EINVAL);
    hl_client_free(&client);
    hl_client_free(&client);
}
END_TEST

START_TEST(the_default_socket_is_chosen_in_order)
{
    char path[200], folder[] = "/tmp/hilera-test-XXXXXX", made[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    setenv("HILERA_SOCKET", "/a/b", 1);
    setenv("XDG_RUNTIME_DIR", folder, 1);
    ck_assert_int_eq(hl_client_default_socket(path, sizeof(path)), 0);
    ck_assert_str_eq(path, "/a/b");
    ck_assert_int_eq(hl_client_default_socket(path, 4), ENAMETOOLONG);
    setenv("HILERA_SOCKET", "", 1);
    snprintf(made, sizeof(made), "%s/hilera", folder);
    ck_assert_int_eq(mkdir(made, 0700), 0);
    strcat(made, "/hilera.sock");
    FILE *file = fopen(made, "w");
    ck_assert_ptr_nonnull(file);
    fclose(file);
    ck_assert_int_eq(hl_client_default_socket(path, sizeof(path)), 0);
    ck_assert_str_eq(path, made);
    unlink(made);
    *strrchr(made, '/') = '\0';
    rmdir(made);
    rmdir(folder);
    unsetenv("XDG_RUNTIME_DIR");
    ck_assert_int_eq(hl_client_default_socket(path, sizeof(path)), 0);
    ck_assert_str_eq(path, "/run/hilera/hilera.sock");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("connect");
    TCase *connecting = tcase_create("connecting");
    tcase_add_test(connecting, tcp_connects);
    tcase_add_loop_test(connecting, bad_addresses_are_named, 0,
                        sizeof(bad_addresses) / sizeof(bad_addresses[0]));
    tcase_add_test(connecting, nobody_there_is_said);
    tcase_add_test(connecting, a_path_too_long_is_named);
    tcase_add_test(connecting, the_default_socket_is_chosen_in_order);
    suite_add_tcase(suite, connecting);
    return unit_main(suite);
}
