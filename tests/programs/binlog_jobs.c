// SPDX-License-Identifier: MIT
/*
 * For tests/scenario/import.test: makes jobs in every state on a beanstalk server, and shows all of
 * a server's jobs, so that two servers can be compared.
 *
 *     binlog_jobs fill SOCKET SEED COUNT    random puts, reserves, deletes and so on; prints the
 *                                           last id
 *     binlog_jobs show SOCKET LAST_ID       a line for each job up to there
 *
 * What can't be equal at two times isn't shown: the age, and of what is left of a delay all but the
 * thousands of seconds (delays end in 500). What beanstalkd doesn't write down isn't made: a
 * release without delay. Of what it counts anew (the burial when a log is read) `show` tells no
 * count: buries of buried jobs; nor their order, which it doesn't keep.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BODY_MOST 60000
#define TUBES 5

static FILE *in, *out;
static uint64_t random_state;
static char body[BODY_MOST + 3];

static const char *tube_name(unsigned number)
{
    static char longest[201];
    static const char *const names[TUBES - 1] = {"default", "a", "mail/(x);y", "0.$_+-"};
    if (number < TUBES - 1)
        return names[number];
    memset(longest, 'n', 200);
    return longest;
}

_Noreturn static void give_up(const char *what, const char *detail)
{
    fprintf(stderr, "binlog_jobs: %s: %s\n", what, detail);
    exit(1);
}

static uint64_t random_below(uint64_t limit)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (random_state >> 33) % limit;
}

/* ---- the protocol ---- */

static void join_server(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        give_up(path, strerror(errno));
    in = fdopen(fd, "r");
    out = fdopen(dup(fd), "w");
    if (in == NULL || out == NULL)
        give_up(path, strerror(errno));
}

static void hear(char *line, size_t size)
{
    if (fflush(out) != 0 || fgets(line, (int)size, in) == NULL)
        give_up("no answer", strerror(errno));
    line[strcspn(line, "\r\n")] = '\0';
}

__attribute__((format(printf, 3, 4))) static void ask(char *line, size_t size, const char *format,
                                                      ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(out, format, args);
    va_end(args);
    fputs("\r\n", out);
    hear(line, size);
}

static bool starts(const char *line, const char *word)
{
    return strncmp(line, word, strlen(word)) == 0;
}

/* The answer's body, which a line announced with `len` bytes; a NUL behind it. */
static void body_read(size_t len)
{
    if (len > BODY_MOST || fread(body, 1, len + 2, in) != len + 2)
        give_up("a body", "cut off, or too long");
    body[len] = '\0';
}

/* ---- fill ---- */

static size_t random_len(void)
{
    uint64_t kind = random_below(20);
    return kind == 0 ? random_below(BODY_MOST) : kind == 1 ? 0 : random_below(200);
}

static uint64_t put(void)
{
    char line[300];
    size_t len = random_len();
    uint64_t delay = random_below(4) == 0 ? 1000 * random_below(50) + 500 : 0;
    ask(line, sizeof(line), "use %s", tube_name((unsigned)random_below(TUBES)));
    for (size_t i = 0; i < len; i++)
        body[i] = random_below(3) == 0 ? "\r\n\0z"[random_below(4)] : (char)random_below(256);
    fprintf(out, "put %" PRIu64 " %" PRIu64 " %" PRIu64 " %zu\r\n", random_below(UINT32_MAX), delay,
            100000 + random_below(1000), len);
    fwrite(body, 1, len, out);
    ask(line, sizeof(line), "%s", "");
    if (!starts(line, "INSERTED "))
        give_up("put", line);
    return strtoull(line + strlen("INSERTED "), NULL, 10);
}

/* A ready job is taken, and then buried, released with a delay, deleted or kept. */
static void work(void)
{
    char line[300];
    ask(line, sizeof(line), "reserve-with-timeout 0");
    if (!starts(line, "RESERVED "))
        return;
    char *end;
    uint64_t id = strtoull(line + strlen("RESERVED "), &end, 10);
    uint64_t pri = random_below(UINT32_MAX);
    body_read(strtoull(end, NULL, 10));
    switch (random_below(6)) {
    case 0:
    case 1:
        ask(line, sizeof(line), "bury %" PRIu64 " %" PRIu64, id, pri);
        break;
    case 2:
        ask(line, sizeof(line), "release %" PRIu64 " %" PRIu64 " %" PRIu64, id, pri,
            1000 * random_below(50) + 500);
        break;
    case 3:
        return;
    default:
        ask(line, sizeof(line), "delete %" PRIu64, id);
        break;
    }
    if (!starts(line, "BURIED") && !starts(line, "RELEASED") && !starts(line, "DELETED"))
        give_up("settle", line);
}

static int fill(uint64_t count)
{
    char line[300];
    uint64_t last = 0;
    for (unsigned i = 0; i < TUBES; i++)
        ask(line, sizeof(line), "watch %s", tube_name(i));
    for (uint64_t i = 0; i < count; i++) {
        uint64_t kind = random_below(100);
        if (kind < 45 || last == 0)
            last = put();
        else if (kind < 85)
            work();
        else if (kind < 93)
            ask(line, sizeof(line), "delete %" PRIu64, 1 + random_below(last));
        else if (kind < 97)
            ask(line, sizeof(line), "kick-job %" PRIu64, 1 + random_below(last));
        else
            ask(line, sizeof(line), "kick %" PRIu64, random_below(3));
    }
    printf("%" PRIu64 "\n", last);
    return 0;
}

/* ---- show ---- */

/* One line of the YAML of stats-job, in our form. */
static void stat_show(const char *line, const char *state)
{
    unsigned long long left;
    if (starts(line, "age:") || starts(line, "file:") || starts(line, "---") || line[0] == '\0')
        return;
    if (starts(line, "buries:") && strcmp(state, "buried") == 0)
        return;
    if (sscanf(line, "time-left: %llu", &left) == 1)
        printf(" time-left: %llu", left / 1000);
    else if (starts(line, "tube: \"")) /* since beanstalkd 1.13 */
        printf(" tube: %.*s", (int)strcspn(line + 7, "\""), line + 7);
    else
        printf(" %s", line);
}

static uint64_t body_hash(size_t len)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)body[i]) * UINT64_C(1099511628211);
    return hash;
}

static void job_show(uint64_t id)
{
    char line[300], state[32] = "", *rest = NULL;
    ask(line, sizeof(line), "stats-job %" PRIu64, id);
    if (!starts(line, "OK "))
        return;
    body_read(strtoull(line + strlen("OK "), NULL, 10));
    char *text = strdup(body);
    if (text == NULL)
        give_up("memory", strerror(errno));
    const char *found = strstr(text, "\nstate: ");
    if (found != NULL)
        sscanf(found, "\nstate: %31s", state);
    for (char *each = strtok_r(text, "\r\n", &rest); each != NULL;
         each = strtok_r(NULL, "\r\n", &rest))
        stat_show(each, state);
    free(text);
    ask(line, sizeof(line), "peek %" PRIu64, id);
    size_t len = 0;
    if (sscanf(line, "FOUND %*u %zu", &len) != 1)
        give_up("peek", line);
    body_read(len);
    printf(" body: %zu %" PRIx64 "\n", len, body_hash(len));
}

static int show(uint64_t last)
{
    for (uint64_t id = 1; id <= last; id++)
        job_show(id);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "fill") == 0) {
        join_server(argv[2]);
        random_state = strtoull(argv[3], NULL, 10);
        return fill(strtoull(argv[4], NULL, 10));
    }
    if (argc == 4 && strcmp(argv[1], "show") == 0) {
        join_server(argv[2]);
        return show(strtoull(argv[3], NULL, 10));
    }
    give_up("usage", "fill SOCKET SEED COUNT | show SOCKET LAST_ID");
}
