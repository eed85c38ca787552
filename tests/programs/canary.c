// SPDX-License-Identifier: MIT
/*
 * Writers at a running hilerad, and a canary beside them: one connection that is asked each 50 ms
 * for what needs no disk, and must be answered at once whatever the disk does. Usage:
 *
 *     canary ADDRESS put WRITERS TUBE JOBS DISK QUIET SLOW RULES
 *     canary ADDRESS ask ASKERS REQUESTS ANSWERS DISK QUIET SLOW RULES
 *     canary ADDRESS look JOBS
 *
 * put: so many connections keep one put in flight each, into TUBE. The first QUIET seconds are with
 * the disk as it is; after QUIET_PUTS puts only the canary is asked in them, so that what is
 * written is bounded. Then RULES are written into the file DISK (slow_disk.c), and SLOW seconds
 * follow. Nobody is waited for at the end: who still waits counts with the wait so far, and the
 * disk stays slow. Each job that was acknowledged is a line in the file JOBS. Printed are, a line
 * each, with times in microseconds:
 *
 *     quiet_longest, slow_longest    the canary's longest wait in each part
 *     asked                          how often the canary was answered
 *     quiet_puts, slow_puts          acknowledged puts
 *     slow_put_longest               the longest wait of a put in the second part
 *     refused, refused_early         other answers to puts; those before a put's 30 s of patience
 *
 * ask: in place of puts the connections keep one of the requests in flight that are in the file
 * REQUESTS, a line each with \r\n where the wire has a line's end. The first lines of the
 * answers go to the file ANSWERS, behind the number of the request's line, from 0 on. They count as
 * puts do; ERROR is refused.
 *
 * look: each job of the file must be there, with its body. Prints how many they are.
 *
 * One thread does all. What it needs for itself is in the waits, in both parts alike.
 */
#include "wire.h"

#include "base/clock.h"

#include <errno.h>
#include <hilera/thread.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define ASK_NS (50 * HL_MILLISECOND)
#define PUT_PATIENCE_NS (30 * HL_SECOND)
#define QUIET_PUTS 120000
#define EVENTS 64
#define BODY_ROOM 32
#define BATCH 100 /* questions on their way, of look */

struct asker {
    struct wire wire;
    int64_t since_ns; /* when what waits was sent; 0: nothing waits */
    uint64_t number;  /* of the job that is put, or of the request */
    bool refused;
};

enum part { QUIET, SLOW, PARTS };

static struct {
    int64_t longest_ns, put_longest_ns;
    uint64_t puts;
} seen[PARTS];

static const char *address;
static struct asker canary, *writers;
static size_t writer_count;
static enum part part;
static uint64_t asked, refused, refused_early, numbers;
static FILE *jobs;           /* or answers */
static struct buf *requests; /* of ask; NULL: put */
static size_t request_count;

static void say(struct wire *wire, const char *text)
{
    wire_send(wire, text, strlen(text));
}

static size_t body_print(char body[BODY_ROOM], uint64_t number)
{
    return (size_t)snprintf(body, BODY_ROOM, "job number %" PRIu64, number);
}

static FILE *file_open(const char *path, const char *mode)
{
    FILE *file = fopen(path, mode);
    if (file == NULL)
        wire_fail("%s: %s", path, strerror(errno));
    return file;
}

static void file_close(FILE *file, const char *path)
{
    if (fclose(file) != 0)
        wire_fail("%s: %s", path, strerror(errno));
}

/* ---- put ---- */

static void disk_rule(const char *disk, const char *rules)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s.new", disk);
    FILE *file = file_open(path, "w");
    (void)fprintf(file, "%s\n", rules);
    file_close(file, path);
    if (rename(path, disk) != 0)
        wire_fail("%s: %s", disk, strerror(errno));
}

static void longer(int64_t *longest_ns, int64_t since_ns, int64_t now_ns)
{
    if (since_ns != 0 && now_ns - since_ns > *longest_ns)
        *longest_ns = now_ns - since_ns;
}

static void writer_put(struct asker *writer)
{
    char text[128], body[BODY_ROOM];
    writer->number = ++numbers;
    if (requests != NULL) {
        const struct buf *request = &requests[writer->number % request_count];
        writer->since_ns = clock_now_ns();
        wire_send(&writer->wire, request->data, request->len);
        return;
    }
    size_t len = body_print(body, writer->number);
    snprintf(text, sizeof(text), "put 0 0 60 %zu\r\n%s\r\n", len, body);
    writer->since_ns = clock_now_ns();
    say(&writer->wire, text);
}

/* Who was refused puts no more: the answers that follow would be the same. */
static void writer_answered(struct asker *writer, const char *reply, int64_t now_ns)
{
    uint64_t id;
    int64_t waited_ns = now_ns - writer->since_ns;
    bool is_good = sscanf(reply, "INSERTED %" SCNu64 "\r\n", &id) == 1;
    if (is_good || (requests != NULL && strncmp(reply, "OK ", 3) == 0)) {
        if (requests == NULL)
            (void)fprintf(jobs, "%" PRIu64 " %" PRIu64 "\n", id, writer->number);
        else
            (void)fprintf(jobs, "%" PRIu64 " %.*s\n", writer->number % request_count,
                          (int)strcspn(reply, "\r"), reply);
        seen[part].puts++;
        longer(&seen[part].put_longest_ns, writer->since_ns, now_ns);
        if (part == SLOW || seen[QUIET].puts < QUIET_PUTS)
            writer_put(writer);
        else
            writer->since_ns = 0;
        return;
    }
    writer->refused = true;
    refused++;
    refused_early += waited_ns < PUT_PATIENCE_NS;
    (void)fprintf(stderr, "after %" PRId64 " ms a put was answered %.40s", waited_ns / 1000000,
                  reply);
    writer->since_ns = 0;
}

static void canary_answered(const char *reply, int64_t now_ns)
{
    if (strncmp(reply, "USING default\r\n", 15) != 0)
        wire_fail("the canary was answered \"%.40s\"", reply);
    longer(&seen[part].longest_ns, canary.since_ns, now_ns);
    canary.since_ns = 0;
    asked++;
}

static void asker_hear(struct asker *asker)
{
    size_t len;
    wire_fill(&asker->wire);
    int64_t now_ns = clock_now_ns();
    while ((len = wire_reply_len(&asker->wire)) > 0) {
        if (asker->since_ns == 0)
            wire_fail("an answer that nobody asked for: \"%.40s\"", asker->wire.in.data);
        if (asker == &canary)
            canary_answered(asker->wire.in.data, now_ns);
        else
            writer_answered(asker, asker->wire.in.data, now_ns);
        buf_consume(&asker->wire.in, len);
    }
    if (asker->wire.ended)
        wire_fail("the daemon closed a connection");
}

static void asker_connect(struct asker *asker, int epoll, const char *tube)
{
    struct buf reply = BUF_EMPTY;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = asker};
    wire_connect(&asker->wire, address);
    if (tube != NULL) {
        if (buf_printf(&reply, "use %s\r\n", tube) != 0)
            wire_fail("no memory");
        say(&asker->wire, reply.data);
        buf_clear(&reply);
        if (!wire_reply(&asker->wire, &reply) || strncmp(reply.data, "USING ", 6) != 0)
            wire_fail("use %s was refused", tube);
    }
    buf_fini(&reply);
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, asker->wire.fd, &event) != 0)
        wire_fail("epoll: %s", strerror(errno));
}

/* Until then: the canary is asked when it is time, everybody is heard. */
static void listen_until(int epoll, int64_t until_ns)
{
    static int64_t ask_ns;
    struct epoll_event events[EVENTS];
    int64_t now_ns;
    while ((now_ns = clock_now_ns()) < until_ns) {
        if (canary.since_ns == 0 && now_ns >= ask_ns) {
            canary.since_ns = now_ns;
            ask_ns = now_ns + ASK_NS;
            say(&canary.wire, "list-tube-used\r\n");
        }
        int64_t next_ns = canary.since_ns == 0 && ask_ns < until_ns ? ask_ns : until_ns;
        int count = epoll_wait(epoll, events, EVENTS, (int)((next_ns - now_ns) / 1000000) + 1);
        if (count < 0 && errno != EINTR)
            wire_fail("epoll: %s", strerror(errno));
        for (int i = 0; i < count; i++)
            asker_hear(events[i].data.ptr);
    }
    longer(&seen[part].longest_ns, canary.since_ns, now_ns);
    for (size_t i = 0; i < writer_count; i++)
        longer(&seen[part].put_longest_ns, writers[i].since_ns, now_ns);
}

static void figures_print(void)
{
    const struct {
        const char *name;
        uint64_t number;
    } figures[] = {
        {"quiet_longest", (uint64_t)seen[QUIET].longest_ns / 1000},
        {"slow_longest", (uint64_t)seen[SLOW].longest_ns / 1000},
        {"asked", asked},
        {"quiet_puts", seen[QUIET].puts},
        {"slow_puts", seen[SLOW].puts},
        {"slow_put_longest", (uint64_t)seen[SLOW].put_longest_ns / 1000},
        {"refused", refused},
        {"refused_early", refused_early},
    };
    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++)
        printf("%s %" PRIu64 "\n", figures[i].name, figures[i].number);
}

static int64_t seconds_ns(const char *text)
{
    return (int64_t)(strtod(text, NULL) * 1e9);
}

/* WRITERS TUBE JOBS DISK QUIET SLOW RULES */
static void put(char **words)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    writer_count = strtoull(words[0], NULL, 10);
    writers = calloc(writer_count, sizeof(*writers));
    if (epoll < 0 || writers == NULL)
        wire_fail("no epoll, or no memory");
    jobs = file_open(words[2], "w");
    asker_connect(&canary, epoll, NULL);
    for (size_t i = 0; i < writer_count; i++)
        asker_connect(&writers[i], epoll, words[1]);
    for (size_t i = 0; i < writer_count; i++)
        writer_put(&writers[i]);
    listen_until(epoll, clock_now_ns() + seconds_ns(words[4]));
    part = SLOW;
    disk_rule(words[3], words[6]);
    for (size_t i = 0; i < writer_count; i++)
        if (writers[i].since_ns == 0 && !writers[i].refused)
            writer_put(&writers[i]);
    listen_until(epoll, clock_now_ns() + seconds_ns(words[5]));
    file_close(jobs, words[2]);
    figures_print();
    free(writers);
}

/* ---- ask ---- */

/* One line of the file as it goes over the wire. */
static void request_take(struct buf *request, const char *line)
{
    size_t len = strcspn(line, "\n");
    while (len > 0) {
        bool is_end = len >= 4 && memcmp(line, "\\r\\n", 4) == 0;
        if (buf_append(request, is_end ? "\r\n" : line, is_end ? 2 : 1) != 0)
            wire_fail("no memory");
        line += is_end ? 4 : 1;
        len -= is_end ? 4 : 1;
    }
}

/* ASKERS REQUESTS and as put */
static void ask(char **words)
{
    static char tube[] = "default";
    char *line = NULL;
    size_t size = 0;
    FILE *file = file_open(words[1], "r");
    while (getline(&line, &size, file) > 0) {
        requests = realloc(requests, (request_count + 1) * sizeof(*requests));
        if (requests == NULL)
            wire_fail("no memory");
        requests[request_count] = (struct buf){0};
        request_take(&requests[request_count++], line);
    }
    (void)fclose(file);
    free(line);
    if (request_count == 0)
        wire_fail("%s has no request", words[1]);
    words[1] = tube;
    put(words);
}

/* ---- look ---- */

struct job {
    uint64_t id, number;
};

static void job_ask(struct wire *wire, const struct job *job)
{
    char text[64];
    snprintf(text, sizeof(text), "peek %" PRIu64 "\r\n", job->id);
    say(wire, text);
}

static void job_check(struct wire *wire, const struct job *job)
{
    char body[BODY_ROOM], expected[BODY_ROOM + 64];
    struct buf reply = BUF_EMPTY;
    size_t len = body_print(body, job->number);
    snprintf(expected, sizeof(expected), "FOUND %" PRIu64 " %zu\r\n%s\r\n", job->id, len, body);
    if (!wire_reply(wire, &reply))
        wire_fail("the daemon closed a connection");
    if (reply.len != strlen(expected) || memcmp(reply.data, expected, reply.len) != 0)
        wire_fail("job %" PRIu64 ", which was acknowledged: peek was answered \"%.40s\"", job->id,
                  reply.data);
    buf_fini(&reply);
}

static void look(char **words)
{
    struct job batch[BATCH];
    uint64_t found = 0;
    size_t count;
    jobs = file_open(words[0], "r");
    wire_connect(&canary.wire, address);
    do {
        count = 0;
        while (count < BATCH &&
               fscanf(jobs, "%" SCNu64 " %" SCNu64, &batch[count].id, &batch[count].number) == 2)
            job_ask(&canary.wire, &batch[count++]);
        for (size_t i = 0; i < count; i++)
            job_check(&canary.wire, &batch[i]);
        found += count;
    } while (count == BATCH);
    (void)fclose(jobs);
    wire_close(&canary.wire);
    printf("%" PRIu64 "\n", found);
}

int main(int argc, char **argv)
{
    address = argc > 1 ? argv[1] : "";
    if (argc == 10 && strcmp(argv[2], "put") == 0) {
        put(&argv[3]);
    } else if (argc == 10 && strcmp(argv[2], "ask") == 0) {
        ask(&argv[3]);
    } else if (argc == 4 && strcmp(argv[2], "look") == 0) {
        look(&argv[3]);
    } else {
        (void)fprintf(stderr, "usage: canary ADDRESS put WRITERS TUBE JOBS DISK QUIET SLOW RULES\n"
                              "       canary ADDRESS ask ASKERS REQUESTS ANSWERS DISK QUIET SLOW "
                              "RULES\n"
                              "       canary ADDRESS look JOBS\n");
        return 64;
    }
    return 0;
}
