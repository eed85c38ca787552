// SPDX-License-Identifier: MIT
/*
 * Crowds of bad company for a running hilerad, and one client that must be answered all the while,
 * the canary. Usage:
 *
 *     crowd ADDRESS PID idle N       N connections that say nothing
 *     crowd ADDRESS PID churn N      N that come, do something by halves, and go
 *     crowd ADDRESS PID slow N       N that send a put byte by byte
 *     crowd ADDRESS PID unread N     N that ask for a lot, over and over, and never read
 *
 * The canary asks between the steps of each, and its answers must be right; how long they take is
 * bench's to measure. The daemon's resident memory (VmRSS of PID) is read before and at the worst
 * moment, and printed as "memory: N bytes more", for the caller to judge. In the end everybody is
 * gone, and the daemon must have noticed.
 *
 * Ends with 0; with 77, and a line why, where descriptors are too few; else says what was wrong.
 */
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define CHURN_OPEN 200    /* of a churning crowd are there at once */
#define SLOW_BODY 100     /* bytes of a body that comes slowly */
#define TUBES 2000        /* that list-tubes lists */
#define BODY_SIZE 60000   /* of the job that is peeked at */
#define UNREAD_ASKED 2000 /* times, by each who doesn't read, if the daemon takes it */

static const char *address;
static long daemon_pid;
static struct wire canary;
static struct wire *crowd;
static uint64_t sung;

/* ---- the canary, the daemon ---- */

static void expect(struct wire *wire, const char *text)
{
    struct buf reply = BUF_EMPTY;
    if (!wire_reply(wire, &reply))
        wire_fail("the daemon closed a connection; expected was \"%s\"", text);
    if (strncmp(reply.data, text, strlen(text)) != 0)
        wire_fail("\"%.80s\" was answered; expected was \"%s\"", reply.data, text);
    buf_fini(&reply);
}

static void say(struct wire *wire, const char *text)
{
    wire_send(wire, text, strlen(text));
}

/* A job of its own, from beginning to end. */
static void canary_sing(void)
{
    struct buf reply = BUF_EMPTY;
    uint64_t id;
    say(&canary, "put 0 0 60 4\r\nsong\r\nreserve-with-timeout 0\r\n");
    expect(&canary, "INSERTED ");
    if (!wire_reply(&canary, &reply) ||
        sscanf(reply.data, "RESERVED %" SCNu64 " 4\r\nsong\r\n", &id) != 1)
        wire_fail("the canary did not get its job: \"%s\"", reply.len > 0 ? reply.data : "");
    buf_clear(&reply);
    (void)buf_printf(&reply, "delete %" PRIu64 "\r\n", id);
    say(&canary, reply.data);
    expect(&canary, "DELETED\r\n");
    buf_fini(&reply);
    sung++;
}

static uint64_t daemon_stat(const char *key)
{
    struct buf reply = BUF_EMPTY;
    say(&canary, "stats\r\n");
    if (!wire_reply(&canary, &reply))
        wire_fail("the daemon closed the canary's connection");
    const char *found = strstr(reply.data, key);
    uint64_t number = found != NULL ? strtoull(found + strlen(key), NULL, 10) : UINT64_MAX;
    buf_fini(&reply);
    return number;
}

static void daemon_await(const char *key, uint64_t number)
{
    for (int tries = 0; daemon_stat(key) != number; tries++)
        if (tries > 1000000)
            wire_fail("%s does not become %" PRIu64, key, number);
}

static uint64_t daemon_memory(void)
{
    char path[64], line[200];
    uint64_t kib = 0;
    snprintf(path, sizeof(path), "/proc/%ld/status", daemon_pid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        wire_fail("%s: %s", path, strerror(errno));
    while (fgets(line, sizeof(line), file) != NULL && sscanf(line, "VmRSS: %" SCNu64, &kib) != 1)
        continue;
    fclose(file);
    return kib * 1024;
}

static void memory_say(uint64_t before)
{
    uint64_t now = daemon_memory();
    printf("memory: %" PRIu64 " bytes more\n", now > before ? now - before : 0);
}

/* ---- the crowds ---- */

static void crowd_leave(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        wire_close(&crowd[i]);
        if (i % 100 == 0)
            canary_sing();
    }
    daemon_await("current-connections: ", 1);
}

static void crowd_come(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        wire_connect(&crowd[i], address);
        if (i % 100 == 0)
            canary_sing();
    }
    daemon_await("current-connections: ", count + 1);
}

static void crowd_idle(size_t count)
{
    uint64_t before = daemon_memory();
    crowd_come(count);
    memory_say(before);
    crowd_leave(count);
}

/* What somebody does who then goes: some are answered first, others don't wait for it. */
static void churn_act(struct wire *wire, size_t number)
{
    static const char *const acts[] = {
        "",
        "watch nowhere\r\nignore default\r\nreserve\r\n",
        "use churn\r\nput 0 0 60 10\r\n01234",
        "use churn\r\nput 0 0 60 3\r\nabc\r\nwatch churn\r\nreserve\r\n",
        "stats\r\nlist-tubes\r\nquit\r\n",
        "put 0 0 60",
        "nonsense\r\nuse churn\r\nput 9 100 60 1\r\nx\r\n",
        "watch churn\r\nreserve-with-timeout 0\r\npeek 1\r\n",
    };
    size_t act = number % (sizeof(acts) / sizeof(acts[0]));
    say(wire, acts[act]);
    if (act == 1 && number % 2 == 1)
        expect(wire, "WATCHING 2");
    if (act == 6)
        expect(wire, "UNKNOWN_COMMAND");
}

static void crowd_churn(size_t count)
{
    uint64_t before = daemon_memory();
    size_t open = count < CHURN_OPEN ? count : CHURN_OPEN;
    for (size_t i = 0; i < count; i++) {
        struct wire *wire = &crowd[i % open];
        if (i >= open)
            wire_close(wire);
        wire_connect(wire, address);
        churn_act(wire, i);
        if (i % 50 == 0)
            canary_sing();
    }
    memory_say(before);
    crowd_leave(open);
    daemon_await("current-jobs-reserved: ", 0);
    daemon_await("current-waiting: ", 0);
}

static void crowd_slow(size_t count)
{
    char text[SLOW_BODY + 64];
    uint64_t before = daemon_memory();
    int head = snprintf(text, sizeof(text), "put 5 0 60 %d\r\n", SLOW_BODY);
    memset(text + head, 'x', SLOW_BODY);
    memcpy(text + head + SLOW_BODY, "\r\n", 2);
    size_t len = (size_t)head + SLOW_BODY + 2;
    crowd_come(count);
    for (size_t at = 0; at < len; at++) {
        for (size_t i = 0; i < count; i++)
            wire_send(&crowd[i], &text[at], 1);
        canary_sing();
    }
    for (size_t i = 0; i < count; i++)
        expect(&crowd[i], "INSERTED ");
    memory_say(before);
    crowd_leave(count);
    daemon_await("current-jobs-ready: ", count);
}

/* ---- who doesn't read ---- */

/* Thousands of tubes, each kept by a job, and one large job; its id. */
static uint64_t unread_prepare(void)
{
    struct buf text = BUF_EMPTY, reply = BUF_EMPTY;
    uint64_t id;
    for (int i = 0; i < TUBES; i++) {
        buf_clear(&text);
        (void)buf_printf(&text, "use a-rather-long-name-of-a-tube-%d\r\nput 0 0 60 0\r\n\r\n", i);
        say(&canary, text.data);
        expect(&canary, "USING ");
        expect(&canary, "INSERTED ");
    }
    buf_clear(&text);
    (void)buf_printf(&text, "use big\r\nput 0 0 60 %d\r\n", BODY_SIZE);
    for (int i = 0; i < BODY_SIZE; i++)
        (void)buf_append_char(&text, 'b');
    (void)buf_append_str(&text, "\r\nuse default\r\n");
    say(&canary, text.data);
    expect(&canary, "USING ");
    if (!wire_reply(&canary, &reply) || sscanf(reply.data, "INSERTED %" SCNu64, &id) != 1)
        wire_fail("no job to peek at");
    expect(&canary, "USING ");
    buf_fini(&text);
    buf_fini(&reply);
    return id;
}

/* One more question, if the socket takes it whole. */
static void unread_ask(struct wire *wire, const char *question)
{
    (void)!send(wire->fd, question, strlen(question), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void crowd_unread(size_t count)
{
    char peek[64];
    snprintf(peek, sizeof(peek), "peek %" PRIu64 "\r\n", unread_prepare());
    crowd_come(count);
    uint64_t before = daemon_memory();
    for (int round = 0; round < UNREAD_ASKED; round++) {
        for (size_t i = 0; i < count; i++)
            unread_ask(&crowd[i], i % 2 == 0 ? peek : "list-tubes\r\n");
        if (round % 10 == 0)
            canary_sing();
    }
    memory_say(before);
    crowd_leave(count);
}

/* ---- the program ---- */

/* Descriptors for so many connections, here and (the caller sees to that) in the daemon. */
static void descriptors_need(size_t count)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        wire_fail("getrlimit: %s", strerror(errno));
    rlim_t need = count + 100;
    if (limit.rlim_cur >= need)
        return;
    limit.rlim_cur = need;
    if (limit.rlim_max < need)
        limit.rlim_max = need;
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
        return;
    printf("this needs %ju descriptors, and there may not be so many (ulimit -Hn)\n",
           (uintmax_t)need);
    exit(77);
}

static const struct {
    const char *name;
    void (*run)(size_t count);
} crowds[] = {
    {"idle", crowd_idle}, {"churn", crowd_churn}, {"slow", crowd_slow}, {"unread", crowd_unread}};

int main(int argc, char **argv)
{
    size_t count = argc == 5 ? strtoull(argv[4], NULL, 10) : 0;
    if (count == 0) {
        fprintf(stderr, "usage: crowd ADDRESS PID idle|churn|slow|unread N\n");
        return 64;
    }
    address = argv[1];
    daemon_pid = atol(argv[2]);
    descriptors_need(count);
    crowd = calloc(count, sizeof(*crowd));
    if (crowd == NULL)
        wire_fail("no memory for %zu connections", count);
    wire_connect(&canary, address);
    for (size_t i = 0; i < sizeof(crowds) / sizeof(crowds[0]); i++)
        if (strcmp(crowds[i].name, argv[3]) == 0) {
            crowds[i].run(count);
            canary_sing();
            printf("the canary was answered %" PRIu64 " times\n", sung);
            wire_close(&canary);
            free(crowd);
            return 0;
        }
    wire_fail("there is no crowd \"%s\"", argv[3]);
}
