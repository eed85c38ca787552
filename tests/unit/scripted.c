// SPDX-License-Identifier: MIT
// The server that plays a script; see scripted.h.

#include "scripted.h"

#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct scripted {
    const struct scripted_step *steps;
    int listener;
    pthread_t thread;
    char folder[32];
    char address[64];
    char fault[256];
};

static int write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return errno;
        bytes += sent;
        len -= (size_t)sent;
    }
    return 0;
}

// 0 on end of file.
static size_t read_full(int fd, char *bytes, size_t len)
{
    size_t have = 0;
    while (have < len) {
        ssize_t got = recv(fd, bytes + have, len - have, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        have += (size_t)got;
    }
    return have;
}

static void expect(struct scripted *self, int fd, const char *text, size_t len)
{
    char *got = malloc(len + 1);
    size_t have = got ? read_full(fd, got, len) : 0;
    if (got)
        got[have] = '\0';
    if (!got || have != len || memcmp(got, text, len) != 0)
        snprintf(self->fault, sizeof(self->fault), "expected \"%.80s\", got \"%.80s\"", text,
                 got ? got : "");
    free(got);
}

static void skip(struct scripted *self, int fd, size_t len)
{
    char some[4096];
    while (len > 0) {
        size_t want = len < sizeof(some) ? len : sizeof(some);
        if (read_full(fd, some, want) != want) {
            snprintf(self->fault, sizeof(self->fault), "%zu bytes did not come", len);
            return;
        }
        len -= want;
    }
}

static void play(struct scripted *self, int fd, const struct scripted_step *step)
{
    size_t len = step->len || !step->text ? step->len : strlen(step->text);
    char some[4096];
    switch (step->verb) {
    case SCRIPTED_END:
        break;
    case SCRIPTED_EXPECT:
        expect(self, fd, step->text, len);
        break;
    case SCRIPTED_SEND:
        write_all(fd, step->text, len);
        break;
    case SCRIPTED_TRICKLE:
        for (size_t i = 0; i < len; i++)
            write_all(fd, step->text + i, 1);
        break;
    case SCRIPTED_HANG_UP:
        shutdown(fd, SHUT_WR);
        break;
    case SCRIPTED_RESET:
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
        break;
    case SCRIPTED_DRAIN:
        while (read_full(fd, some, sizeof(some)) > 0)
            continue;
        break;
    case SCRIPTED_COUNT:
        skip(self, fd, step->len);
        break;
    case SCRIPTED_REPEAT:
        for (size_t i = 0; i < step->len && write_all(fd, step->text, strlen(step->text)) == 0; i++)
            continue;
        break;
    }
}

static void *serve(void *arg)
{
    struct scripted *self = arg;
    int fd = accept4(self->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) {
        snprintf(self->fault, sizeof(self->fault), "accept: %s", strerrordesc_np(errno));
        return NULL;
    }
    for (const struct scripted_step *step = self->steps;
         step->verb != SCRIPTED_END && self->fault[0] == '\0'; step++)
        play(self, fd, step);
    close(fd);
    return NULL;
}

static void listen_unix(struct scripted *self)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(self->folder, "/tmp/hilera-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(self->folder));
    snprintf(self->address, sizeof(self->address), "%s/sock", self->folder);
    strcpy(address.sun_path, self->address);
    self->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(self->listener, 0);
    ck_assert_int_eq(bind(self->listener, (const struct sockaddr *)&address, sizeof(address)), 0);
}

static void listen_tcp(struct scripted *self)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    self->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(self->listener, 0);
    ck_assert_int_eq(bind(self->listener, (const struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(getsockname(self->listener, (struct sockaddr *)&address, &len), 0);
    snprintf(self->address, sizeof(self->address), "127.0.0.1:%u", ntohs(address.sin_port));
}

struct scripted *scripted_start(const struct scripted_step *steps, int tcp)
{
    struct scripted *self = calloc(1, sizeof(*self));
    ck_assert_ptr_nonnull(self);
    self->steps = steps;
    if (tcp)
        listen_tcp(self);
    else
        listen_unix(self);
    ck_assert_int_eq(listen(self->listener, 1), 0);
    ck_assert_int_eq(pthread_create(&self->thread, NULL, serve, self), 0);
    return self;
}

const char *scripted_address(const struct scripted *self)
{
    return self->address;
}

void scripted_end(struct scripted *self)
{
    ck_assert_int_eq(pthread_join(self->thread, NULL), 0);
    close(self->listener);
    if (self->folder[0]) {
        unlink(self->address);
        rmdir(self->folder);
    }
    char fault[sizeof(self->fault)];
    memcpy(fault, self->fault, sizeof(fault));
    free(self);
    ck_assert_msg(fault[0] == '\0', "the scripted server: %s", fault);
}

hl_client *client;
struct scripted *server;

void scripted_begin(const struct scripted_step *steps)
{
    server = scripted_start(steps, 0);
    ck_assert_int_eq(hl_client_new(&client), 0);
    ck_assert_int_eq(hl_client_connect_unix(client, scripted_address(server), PATIENCE), 0);
    ck_assert(hl_client_is_connected(client));
}

void scripted_finish(void)
{
    hl_client_free(&client);
    ck_assert_ptr_null(client);
    scripted_end(server);
}

void error_has(const char *part)
{
    ck_assert_msg(strstr(hl_client_error(client), part) != NULL, "\"%s\" has no \"%s\"",
                  hl_client_error(client), part);
}
