// SPDX-License-Identifier: MIT
/*
 * Rounds on a damaged directory: what a life has left is copied, damaged in one place, and looked
 * at by --check, by a daemon that starts on it, and by --salvage and a daemon on what it saved.
 *
 * Any of them may refuse with a status of its own. None may be ended by a signal, and no daemon may
 * show a job with another body than that of its put, a body that nobody put, or give out an id
 * again. What else is lost is not judged here: a damaged record costs itself, and who looks at the
 * log is told. The journal's own tests flip each bit of a small one (tests/unit); here are the
 * programs, large segments, and bodies that are read back late.
 */
#include "crash.h"

#include "actors.h"

#include "base/clock.h"

#include <hilera/thread.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wire.h>

#define LIFE_ANSWERS 1500
#define LIFE_NS (20 * HL_SECOND)
#define TRIES 12
#define FILES_MAX 64
#define RESERVES 200
#define SALVAGE_EACH 3

struct
try {
    struct oracle *oracle;
    const char *from;      /* the data directory that is copied */
    struct victim *victim; /* with a directory of its own */
    char data[300];        /* the copy */
    char what[400];        /* was done to it */
};

/* ---- files ---- */

static char *file_read(int directory, const char *name, size_t *len)
{
    struct stat about;
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &about) != 0)
        fail("%s: %s", name, strerror(errno));
    *len = (size_t)about.st_size;
    char *bytes = malloc(*len + 1);
    if (bytes == NULL || pread(fd, bytes, *len, 0) != (ssize_t)*len)
        fail("%s: %s", name, strerror(errno));
    (void)close(fd);
    return bytes;
}

static void file_write(int directory, const char *name, const char *bytes, size_t len)
{
    int fd = openat(directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || pwrite(fd, bytes, len, 0) != (ssize_t)len)
        fail("%s: %s", name, strerror(errno));
    (void)close(fd);
}

static int directory_open(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        fail("%s: %s", path, strerror(errno));
    return fd;
}

/* Whether anything stands behind the header. */
static bool is_used(const char *bytes, size_t len)
{
    for (size_t i = 512; i < len; i++)
        if (bytes[i] != '\0')
            return true;
    return false;
}

/* Makes the directory anew; `names` gets those of its segments that can be damaged, which an empty
 * one can't, *used how many have frames. */
static unsigned data_copy(const struct try *try, char (*names)[64], unsigned *used)
{
    unsigned count = 0;
    const struct dirent *entry;
    int to, from = directory_open(try->from);
    round_remove(try->data);
    if (mkdir(try->data, 0700) != 0)
        fail("%s: %s", try->data, strerror(errno));
    to = directory_open(try->data);
    DIR *list = opendir(try->from);
    while (list != NULL && (entry = readdir(list)) != NULL) {
        size_t len;
        if (strncmp(entry->d_name, "segment-", 8) != 0)
            continue;
        char *bytes = file_read(from, entry->d_name, &len);
        file_write(to, entry->d_name, bytes, len);
        *used += is_used(bytes, len);
        free(bytes);
        if (len > 0 && count < FILES_MAX)
            snprintf(names[count++], sizeof(names[0]), "%.63s", entry->d_name);
    }
    if (list == NULL || count == 0)
        fail("%s: no segments", try->from);
    (void)closedir(list);
    (void)close(from);
    (void)close(to);
    return count;
}

/* ---- damage ---- */

/* A place in what was ever written: the header, near the beginning, or anywhere. */
static size_t some_place(struct oracle *oracle, const char *bytes, size_t len)
{
    size_t used = len;
    while (used > 1 && bytes[used - 1] == '\0')
        used--;
    size_t limits[] = {64, 512, used, used, used};
    size_t limit = limits[oracle_below(oracle, 5)];
    return (size_t)oracle_below(oracle, limit < used ? limit : used);
}

static void data_damage(struct try *try)
{
    static char names[FILES_MAX][64];
    static const char *const words[] = {"a bit flipped",     "cut",
                                        "512 bytes zeroed",  "16 bytes of rubbish",
                                        "moved by a sector", "removed"};
    struct oracle *oracle = try->oracle;
    unsigned used = 0, count = data_copy(try, names, &used);
    const char *name = names[oracle_below(oracle, count)];
    int directory = directory_open(try->data);
    size_t len, kept;
    char *bytes = file_read(directory, name, &len);
    size_t at = some_place(oracle, bytes, len), left = len - at;
    /* Bits as often as all the rest: the others are coarse. */
    uint64_t kind = oracle_one_in(oracle, 2) ? 0 : oracle_below(oracle, 6);
    if (used < 2 && (kind == 1 || kind == 5))
        kind = 0; /* without its only segment a directory is as good as new, ids and all */
    kept = kind == 1 ? at : len;
    if (kind == 0)
        bytes[at] ^= (char)(1 << oracle_below(oracle, 8));
    else if (kind == 2)
        memset(bytes + at, 0, left < 512 ? left : 512);
    else if (kind == 4 && left > 1024)
        memmove(bytes + at, bytes + at + 512, 512);
    for (size_t i = 0; kind == 3 && i < 16 && i < left; i++)
        bytes[at + i] = (char)oracle_below(oracle, 256);
    file_write(directory, name, bytes, kept);
    if (kind == 5)
        (void)unlinkat(directory, name, 0);
    snprintf(try->what, sizeof(try->what), "%s, byte %zu: %s", name, at, words[kind]);
    free(bytes);
    (void)close(directory);
}

/* ---- looking ---- */

static bool is_some_body(const struct oracle *oracle, const char *body, size_t len)
{
    for (size_t i = 0; i < oracle->job_count; i++)
        if (oracle->jobs[i]->id == 0 &&
            body_is(body, len, oracle->jobs[i]->serial, oracle->jobs[i]->size))
            return true;
    return false;
}

/* FOUND or RESERVED; anything else says that there is none. */
static void shown_judge(const struct try *try, const struct buf *reply)
{
    uint64_t id;
    size_t len;
    if (sscanf(reply->data, "FOUND %" SCNu64 " %zu", &id, &len) != 2 &&
        sscanf(reply->data, "RESERVED %" SCNu64 " %zu", &id, &len) != 2)
        return;
    const char *body = reply->data + reply->len - 2 - len;
    const struct job *job = oracle_job(try->oracle, id);
    if (job != NULL ? !body_is(body, len, job->serial, job->size)
                    : !is_some_body(try->oracle, body, len))
        fail("%s: job %" PRIu64 " has a body that nobody put", try->what, id);
    try->oracle->compared++;
}

static void reply_judge(const struct try *try, struct wire *wire, struct buf *reply)
{
    buf_clear(reply);
    if (!wire_reply(wire, reply))
        fail("%s: the daemon went while its jobs were looked at", try->what);
    shown_judge(try, reply);
}

static void jobs_judge(const struct try *try, struct wire *wire, struct buf *reply)
{
    struct oracle *oracle = try->oracle;
    for (size_t i = 0; i < oracle->job_count; i++) {
        char command[64];
        snprintf(command, sizeof(command), "peek %" PRIu64 "\r\n", oracle->jobs[i]->id);
        wire_send(wire, command, strlen(command));
        reply_judge(try, wire, reply);
    }
    for (int i = 0; i < RESERVES; i++) {
        static const char command[] = "reserve-with-timeout 0\r\n";
        wire_send(wire, command, sizeof(command) - 1);
        reply_judge(try, wire, reply);
    }
}

static void id_judge(const struct try *try, struct wire *wire, struct buf *reply)
{
    static const char command[] = "put 0 0 1 1\r\nx\r\n";
    wire_send(wire, command, sizeof(command) - 1);
    buf_clear(reply);
    if (!wire_reply(wire, reply))
        fail("%s: the daemon went at a put", try->what);
    uint64_t id = 0;
    if (sscanf(reply->data, "INSERTED %" SCNu64, &id) == 1 && oracle_job(try->oracle, id) != NULL)
        fail("%s: id %" PRIu64 " was given out again", try->what, id);
}

static void served_judge(const struct try *try)
{
    struct wire wire;
    struct buf reply = BUF_EMPTY;
    char address[256];
    snprintf(address, sizeof(address), "unix:%s", try->victim->socket);
    wire_connect(&wire, address);
    for (int i = 0; i < TUBES; i++) {
        char command[64];
        snprintf(command, sizeof(command), "watch %s\r\n", try->oracle->tubes[i].name);
        wire_send(&wire, command, strlen(command));
        reply_judge(try, &wire, &reply);
    }
    jobs_judge(try, &wire, &reply);
    id_judge(try, &wire, &reply);
    wire_close(&wire);
    buf_fini(&reply);
}

static void start_judge(const struct try *try, struct crash_tally *tally)
{
    victim_start(try->victim);
    bool ready = victim_ready(try->victim, -1);
    if (ready)
        served_judge(try);
    int status = victim_stop(try->victim, ready);
    if (WIFSIGNALED(status))
        fail("%s: the daemon was ended by signal %d", try->what, WTERMSIG(status));
    tally->lives += ready;
    tally->refused += !ready;
}

/* hilerad with a task, its words to the log; the shell tells of a signal as a status above 128. */
static int task_run(const struct try *try, const char *task, const char *to)
{
    char command[1400];
    const struct victim_settings *settings = try->victim->settings;
    snprintf(command, sizeof(command), "'%s' %s '%s' %s >>'%s/log' 2>&1", settings->hilerad, task,
             try->data, to, settings->directory);
    int status = system(command);
    if (!WIFEXITED(status) || WEXITSTATUS(status) > 2)
        fail("%s: hilerad %s ends with %#x: see the log", try->what, task, (unsigned)status);
    return WEXITSTATUS(status);
}

static void salvage_judge(struct try *try, struct crash_tally *tally)
{
    char to[320];
    snprintf(to, sizeof(to), "%s.saved", try->data);
    round_remove(to);
    if (task_run(try, "--salvage", to) == 2)
        return;
    round_remove(try->data);
    if (rename(to, try->data) != 0)
        fail("%s: %s", to, strerror(errno));
    start_judge(try, tally);
}

static void damage_try(struct try *try, unsigned number, struct crash_tally *tally)
{
    data_damage(try);
    (void)task_run(try, "--check", "");
    if (number % SALVAGE_EACH == 0)
        salvage_judge(try, tally);
    else
        start_judge(try, tally);
    tally->faults++;
}

/* ---- the round ---- */

static void life(struct victim *victim, struct oracle *oracle, struct crash_tally *tally)
{
    struct actors actors;
    round_start(victim);
    if (!actors_start(&actors, oracle, victim->socket) ||
        !actors_run(&actors, clock_now_ns() + LIFE_NS, LIFE_ANSWERS))
        fail("the daemon refuses or ended by itself");
    victim_kill(victim);
    actors_stop(&actors);
    tally->killed++;
    tally->answers += actors.answers;
}

/* As a kill leaves it that comes while a segment is prepared. */
static void segment_begin(const char *data)
{
    int directory = directory_open(data);
    file_write(directory, "segment-999999.new", "", 0);
    (void)close(directory);
}

void round_damage(const struct crash_options *options, uint64_t seed, struct crash_tally *tally)
{
    struct oracle oracle;
    struct victim victim, other;
    char directory[256], from[300];
    round_directory(options, seed, "");
    round_oracle(options, seed, &oracle);
    const struct victim_settings settings = round_settings(options, &oracle);
    struct victim_settings others = settings;
    victim_init(&victim, &settings);
    life(&victim, &oracle, tally);
    snprintf(from, sizeof(from), "%s/data", settings.directory);
    segment_begin(from);
    snprintf(directory, sizeof(directory), "%s/try", settings.directory);
    if (mkdir(directory, 0700) != 0)
        fail("%s: %s", directory, strerror(errno));
    others.directory = directory;
    victim_init(&other, &others);
    struct try try = {.oracle = &oracle, .from = from, .victim = &other};
    snprintf(try.data, sizeof(try.data), "%s/data", directory);
    for (unsigned i = 0; i < TRIES; i++)
        damage_try(&try, i, tally);
    tally->puts += oracle.job_count;
    tally->compared += oracle.compared;
    tally->went_on += oracle.went_on;
    victim_fini(&other);
    victim_fini(&victim);
    oracle_fini(&oracle);
    round_directory_drop();
}
