// SPDX-License-Identifier: MIT
/*
 * liar SOCKET FAULT [redis]: a small beanstalk server, or a Redis of lists, that makes one mistake,
 * to see that hilera-bench finds it. It listens on the Unix socket, prints "ready", and serves
 * until it is killed.
 *
 * It knows one tube, in the order of ids, and the commands that a run of the mixes put, drain and
 * cycle consists of. FAULT is one of:
 *   none     no mistake; the run must succeed, else the others prove nothing
 *   body     one byte of the fifth body is another
 *   swap     the fifth job has the sixth one's body
 *   cut      the fifth body is a byte short
 *   lost     the fifth job is never handed out
 *   twice    the fifth job is handed out again after it was deleted
 *   order    the fifth and the sixth job come in the wrong order
 *   word     the fifth delete is answered NOT_FOUND, or 0
 *   count    the statistics count one job too many
 *   line     an answer ends without CR
 *   more     something is said that nobody asked for
 *   close    the connection is closed at the fifth reserve
 */
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PEERS 16
#define JOBS 4096
#define BODY 256
#define BUFFER 65536
#define FIFTH 4
#define WORDS 8

struct job {
    char body[BODY];
    size_t size;
};

struct peer {
    int fd;
    char input[BUFFER];
    size_t len;
};

static struct job jobs[JOBS]; /* id - 1 is the index */
static int put, next, deleted, deletes;
static struct peer peers[PEERS];
static const char *fault;
static bool redis;

static bool is(const char *name)
{
    return strcmp(fault, name) == 0;
}

static void say(struct peer *peer, const char *text, size_t len)
{
    if (write(peer->fd, text, len) != (ssize_t)len)
        _exit(3);
}

static void say_line(struct peer *peer, const char *line)
{
    char text[512];
    int len = snprintf(text, sizeof(text), "%s%s", line, is("line") ? "\n" : "\r\n");
    say(peer, text, (size_t)len);
}

/* Which job comes at the n-th reserve; -1: none. */
static int job_at(int n)
{
    if (n >= put || (is("lost") && n >= FIFTH && n == put - 1))
        return -1;
    if (is("lost") && n >= FIFTH)
        return n + 1;
    if (is("twice") && n == FIFTH + 1)
        return FIFTH;
    if (is("order") && (n == FIFTH || n == FIFTH + 1) && put > FIFTH + 1)
        return 2 * FIFTH + 1 - n;
    return n;
}

static void reserve(struct peer *peer)
{
    char text[BODY + 128];
    int index = job_at(next);
    if (index < 0)
        return; /* it waits, for ever: a lost job is all that makes it */
    bool fifth = next++ == FIFTH;
    if (is("close") && fifth) {
        shutdown(peer->fd, SHUT_RDWR);
        return;
    }
    const struct job *job = &jobs[is("swap") && fifth ? index + 1 : index];
    size_t size = job->size - (is("cut") && fifth);
    int len = redis ? snprintf(text, 100, "$%zu\r\n", size)
                    : snprintf(text, 100, "RESERVED %d %zu\r\n", index + 1, size);
    memcpy(text + len, job->body, size);
    if (is("body") && fifth)
        text[(size_t)len + size - 1] ^= 1;
    memcpy(text + (size_t)len + size, "\r\n", 2);
    say(peer, text, (size_t)len + size + 2);
}

static void job_add(const char *body, size_t size)
{
    if (size > BODY || put == JOBS)
        _exit(3);
    memcpy(jobs[put].body, body, size);
    jobs[put++].size = size;
}

static void deleted_say(struct peer *peer, const char *good, const char *bad)
{
    deleted++;
    say_line(peer, is("word") && deletes++ == FIFTH ? bad : good);
    if (is("more") && deleted == FIFTH)
        say_line(peer, redis ? ":1" : "HELLO");
}

static void stats(struct peer *peer, bool tube)
{
    char body[512], text[600];
    int left = put - deleted;
    int len =
        tube ? snprintf(body, sizeof(body),
                        "---\ncurrent-jobs-ready: %d\ncurrent-jobs-reserved: 0\n"
                        "current-jobs-delayed: 0\ncurrent-jobs-buried: 0\ntotal-jobs: %d\n"
                        "cmd-delete: %d\n",
                        left, put + is("count"), deleted)
             : snprintf(body, sizeof(body), "---\npid: %d\nversion: \"liar\"\n", (int)getpid());
    len = snprintf(text, sizeof(text), "OK %d\r\n%s\r\n", len, body);
    say(peer, text, (size_t)len);
}

/* Runs the first command of the input; returns its bytes, 0: not all there. */
static size_t command(struct peer *peer)
{
    char answer[64];
    size_t size, used;
    char *end = memmem(peer->input, peer->len, "\r\n", 2);
    if (end == NULL)
        return 0;
    used = (size_t)(end - peer->input) + 2;
    if (sscanf(peer->input, "put %*u %*u %*u %zu", &size) == 1) {
        if (peer->len < used + size + 2)
            return 0;
        job_add(end + 2, size);
        (void)snprintf(answer, sizeof(answer), "INSERTED %d", put);
        say_line(peer, answer);
        return used + size + 2;
    }
    if (strncmp(peer->input, "reserve\r", 8) == 0) {
        reserve(peer);
    } else if (strncmp(peer->input, "delete ", 7) == 0) {
        deleted_say(peer, "DELETED", "NOT_FOUND");
    } else if (strncmp(peer->input, "stats", 5) == 0) {
        stats(peer, peer->input[5] == '-');
    } else {
        say_line(peer, peer->input[0] == 'u' ? "USING it" : "WATCHING 1");
    }
    return used;
}

/* ---- Redis ---- */

/* A line that is a command: a question, or the PING of a connection that begins. */
static void redis_question(struct peer *peer, const char *line)
{
    char body[128], text[200];
    if (strncmp(line, "LLEN ", 5) == 0) {
        const char *end = strchr(line, '\r');
        bool held = end != NULL && memmem(line, (size_t)(end - line), "-held-", 6) != NULL;
        (void)snprintf(text, sizeof(text), ":%d", held ? next - deleted : put - next + is("count"));
        say_line(peer, text);
    } else if (strncmp(line, "INFO ", 5) == 0) {
        int len = snprintf(body, sizeof(body),
                           "# Server\r\nredis_version:liar\r\nprocess_id:%d\r\n", (int)getpid());
        len = snprintf(text, sizeof(text), "$%d\r\n%s\r\n", len, body);
        say(peer, text, (size_t)len);
    } else {
        say_line(peer, "+PONG");
    }
}

/* As command(), of lines and of arrays of strings with their sizes. */
static size_t redis_command(struct peer *peer)
{
    const char *at = peer->input, *limit = peer->input + peer->len;
    const char *word[WORDS] = {""}, *end = memmem(at, peer->len, "\r\n", 2);
    size_t size[WORDS] = {0}, count = 0;
    char answer[64];
    if (end == NULL)
        return 0;
    if (sscanf(at, "*%zu\r", &count) != 1) {
        redis_question(peer, at);
        return (size_t)(end - at) + 2;
    }
    if (count == 0 || count > WORDS)
        _exit(3);
    at = end + 2;
    for (size_t i = 0; i < count; i++) {
        end = memmem(at, (size_t)(limit - at), "\r\n", 2);
        if (end == NULL || sscanf(at, "$%zu\r", &size[i]) != 1 ||
            (size_t)(limit - end) < size[i] + 4)
            return 0;
        word[i] = end + 2;
        at = word[i] + size[i] + 2;
    }
    if (word[0][0] == 'L' && word[0][1] == 'P') {
        job_add(word[2], size[2]);
        (void)snprintf(answer, sizeof(answer), ":%d", put - next);
        say_line(peer, answer);
    } else if (word[0][0] == 'B') {
        reserve(peer);
    } else {
        deleted_say(peer, ":1", ":0");
    }
    return (size_t)(at - peer->input);
}

static void serve(struct peer *peer)
{
    ssize_t n = read(peer->fd, peer->input + peer->len, sizeof(peer->input) - peer->len);
    if (n <= 0) {
        close(peer->fd);
        peer->fd = -1;
        return;
    }
    peer->len += (size_t)n;
    size_t used;
    while ((used = redis ? redis_command(peer) : command(peer)) > 0) {
        peer->len -= used;
        memmove(peer->input, peer->input + used, peer->len);
    }
}

static void welcome(int fd)
{
    for (int i = 0; i < PEERS; i++)
        if (peers[i].fd < 0) {
            peers[i].fd = fd;
            peers[i].len = 0;
            return;
        }
    _exit(3);
}

int main(int argc, char **argv)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct pollfd polls[PEERS + 1];
    if (argc < 3 || argc > 4 || strlen(argv[1]) >= sizeof(address.sun_path))
        return 2;
    fault = argv[2];
    redis = argc == 4 && strcmp(argv[3], "redis") == 0;
    strcpy(address.sun_path, argv[1]);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, PEERS) != 0)
        return 3;
    for (int i = 0; i < PEERS; i++)
        peers[i].fd = -1;
    if (puts("ready") < 0 || fflush(stdout) != 0 || fclose(stdout) != 0)
        return 3;
    for (;;) {
        for (int i = 0; i < PEERS; i++)
            polls[i] = (struct pollfd){peers[i].fd, POLLIN, 0};
        polls[PEERS] = (struct pollfd){fd, POLLIN, 0};
        if (poll(polls, PEERS + 1, -1) < 0)
            return 3;
        for (int i = 0; i < PEERS; i++)
            if (polls[i].revents)
                serve(&peers[i]);
        if (polls[PEERS].revents)
            welcome(accept(fd, NULL, NULL));
    }
}
