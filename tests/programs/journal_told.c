// SPDX-License-Identifier: MIT
/*
 * For tests/journals: what is to be told of a data directory, a fact a line.
 *
 *     journal_told daemon ADDRESS   what the daemon there tells: of each job, finished ones too,
 * all that `show` has and its body; of tubes their jobs by state, the first of each, and whether
 * they are paused; of groups their counts; how many of all there are journal_told entries DIR how
 * many entries of each type the journal has. Nobody else has the directory, which changes a little:
 * a copy
 *
 * What depends on the moment is left out. A later version may tell more of each thing, so a fact
 * names what it is about, and stands for itself; that there is nothing else is a fact of its own.
 */
#include "base/jsonobj.h"
#include "journal/journal.h"
#include "wire.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IDS_MAX 10000
#define BODY_WORDS 100 /* a longer body is told by its length and a checksum */

static struct wire wire;

/* ---- asking ---- */

static void ask(const char *command, struct buf *reply)
{
    buf_clear(reply);
    wire_send(&wire, command, strlen(command));
    if (!wire_reply(&wire, reply))
        wire_fail("the daemon hung up after: %s", command);
}

/* What stands behind the first line of a reply. */
static const char *behind_line(const struct buf *reply)
{
    return strchr(reply->data, '\n') + 1;
}

static cJSON *call(const char *method, const char *json)
{
    struct buf command = BUF_EMPTY, reply = BUF_EMPTY;
    cJSON *answer = NULL;
    (void)buf_printf(&command, "call %s %zu\r\n%s\r\n", method, strlen(json), json);
    ask(command.data, &reply);
    if (strncmp(reply.data, "OK ", 3) != 0 ||
        jsonobj_parse(&answer, behind_line(&reply), strtoul(reply.data + 3, NULL, 10), NULL) != 0)
        wire_fail("call %s %s: %s", method, json, reply.data);
    buf_fini(&command);
    buf_fini(&reply);
    return answer;
}

static const cJSON *member(const cJSON *object, const char *name)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, name);
    if (value == NULL)
        wire_fail("no member %s in an answer", name);
    return value;
}

/* ---- facts ---- */

static bool is_of_the_moment(const char *name)
{
    return strcmp(name, "age") == 0 || strcmp(name, "time_left") == 0;
}

/* All that is in a value, however deep: the path, then what stands there. */
static void value_tell(const char *path, const cJSON *value)
{
    char deeper[256];
    if (!cJSON_IsObject(value) && !cJSON_IsArray(value)) {
        char *text = cJSON_PrintUnformatted(value);
        if (text == NULL)
            wire_fail("no memory");
        printf("%s %s\n", path, text);
        free(text);
        return;
    }
    int index = 0;
    const cJSON *part;
    cJSON_ArrayForEach(part, value)
    {
        if (cJSON_IsArray(value))
            snprintf(deeper, sizeof(deeper), "%s.%d", path, index++);
        else if (is_of_the_moment(part->string))
            continue;
        else
            snprintf(deeper, sizeof(deeper), "%s.%s", path, part->string);
        value_tell(deeper, part);
    }
}

static void number_tell(const char *path, const cJSON *object, const char *name)
{
    printf("%s.%s %.0f\n", path, name, cJSON_GetNumberValue(member(object, name)));
}

static void counts_tell(const char *path, const cJSON *object)
{
    static const char *const names[] = {"ready",  "reserved",   "delayed",
                                        "buried", "unfinished", "bytes"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        number_tell(path, object, names[i]);
}

/* ---- jobs ---- */

static void body_tell(uint64_t id, struct buf *reply)
{
    char command[64];
    size_t len = 0;
    snprintf(command, sizeof(command), "peek %" PRIu64 "\r\n", id);
    ask(command, reply);
    if (strcmp(reply->data, "NOT_FOUND\r\n") == 0)
        return; /* a finished one */
    if (sscanf(reply->data, "FOUND %*u %zu", &len) != 1)
        wire_fail("%s%s", command, reply->data);
    const unsigned char *body = (const unsigned char *)behind_line(reply);
    uint64_t sum = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (size_t i = 0; i < len; i++)
        sum = (sum ^ body[i]) * UINT64_C(0x100000001b3);
    printf("job.%" PRIu64 ".body %zu bytes, %016" PRIx64, id, len, sum);
    if (len <= BODY_WORDS && memchr(body, '\n', len) == NULL)
        printf(": %.*s", (int)len, body);
    putchar('\n');
}

static void job_tell(uint64_t id, struct buf *reply)
{
    char json[64], path[64];
    snprintf(json, sizeof(json), "{\"id\":%" PRIu64 "}", id);
    snprintf(path, sizeof(path), "job.%" PRIu64, id);
    cJSON *answer = call("show", json);
    value_tell(path, member(answer, "job"));
    cJSON_Delete(answer);
    body_tell(id, reply);
}

static uint64_t ids[IDS_MAX];

static int id_compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

/* Of all pages. `filter`: a member of the question, with a comma behind it. */
static size_t ids_list(const char *filter)
{
    size_t count = 0;
    char json[128];
    snprintf(json, sizeof(json), "{%s\"limit\":500}", filter);
    for (;;) {
        const cJSON *job;
        cJSON *answer = call("list", json);
        cJSON_ArrayForEach(job, member(answer, "jobs"))
        {
            if (count == IDS_MAX)
                wire_fail("more than %d jobs", IDS_MAX);
            ids[count++] = (uint64_t)cJSON_GetNumberValue(member(job, "id"));
        }
        const cJSON *next = member(answer, "next");
        bool last = cJSON_IsNull(next);
        snprintf(json, sizeof(json), "{%s\"limit\":500,\"from\":%.0f}", filter,
                 last ? 0 : cJSON_GetNumberValue(next));
        cJSON_Delete(answer);
        if (last)
            break;
    }
    qsort(ids, count, sizeof(ids[0]), id_compare);
    return count;
}

static void jobs_tell(const char *what, const char *filter)
{
    struct buf reply = BUF_EMPTY;
    size_t count = ids_list(filter);
    fputs(what, stdout);
    for (size_t i = 0; i < count; i++)
        printf(" %" PRIu64, ids[i]);
    putchar('\n');
    for (size_t i = 0; i < count; i++)
        job_tell(ids[i], &reply);
    buf_fini(&reply);
}

/* ---- tubes, groups ---- */

static void first_tell(const char *tube, const char *state, struct buf *reply)
{
    char command[300];
    uint64_t id;
    snprintf(command, sizeof(command), "use %s\r\n", tube);
    ask(command, reply);
    snprintf(command, sizeof(command), "peek-%s\r\n", state);
    ask(command, reply);
    if (sscanf(reply->data, "FOUND %" SCNu64, &id) == 1)
        printf("tube.%s.first_%s %" PRIu64 "\n", tube, state, id);
}

/* 0: it is only there because somebody looks at it. */
static size_t tube_tell(const cJSON *tube, struct buf *reply)
{
    char path[256];
    const char *name = cJSON_GetStringValue(member(tube, "name"));
    bool paused = cJSON_GetNumberValue(member(tube, "pause_left")) > 0;
    if (!paused && cJSON_GetNumberValue(member(tube, "unfinished")) == 0 &&
        cJSON_GetNumberValue(member(tube, "buried")) == 0)
        return 0;
    snprintf(path, sizeof(path), "tube.%s", name);
    counts_tell(path, tube);
    printf("%s.paused %s\n", path, paused ? "yes" : "no");
    first_tell(name, "ready", reply);
    first_tell(name, "delayed", reply);
    first_tell(name, "buried", reply);
    return 1;
}

/* The daemon leaves out whose group it is if it is the asker's. */
static void group_tell(const cJSON *group)
{
    static const char *const names[] = {"unfinished", "put",     "done",
                                        "failed",     "deleted", "cancelled"};
    char path[512];
    const char *name = cJSON_GetStringValue(member(group, "name"));
    if (strchr(name, ':') != NULL)
        snprintf(path, sizeof(path), "group.%s", name);
    else
        snprintf(path, sizeof(path), "group.%u:%s", (unsigned)getuid(), name);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        number_tell(path, group, names[i]);
}

static void daemon_tell(const char *address)
{
    struct buf reply = BUF_EMPTY;
    const cJSON *part;
    size_t tubes = 0;
    wire_connect(&wire, address);
    jobs_tell("jobs", "");
    jobs_tell("finished", "\"state\":\"finished\",");
    cJSON *stats = call("stats", "{}");
    counts_tell("all", member(stats, "jobs"));
    cJSON_ArrayForEach(part, member(stats, "tubes"))
    {
        tubes += tube_tell(part, &reply);
    }
    printf("tubes %zu\n", tubes);
    cJSON_ArrayForEach(part, member(stats, "groups"))
    {
        group_tell(part);
    }
    printf("groups %d\n", cJSON_GetArraySize(member(stats, "groups")));
    cJSON_Delete(stats);
    buf_fini(&reply);
    wire_close(&wire);
}

/* ---- entries ---- */

static const struct entry_type {
    unsigned number;
    const char *word;
} entry_types[] = {
#define JOB_ENTRY(name, word, number, version, fields, what) {number, word},
#include "job/job_entries.def"
#undef JOB_ENTRY
};

#define ENTRY_TYPES (sizeof(entry_types) / sizeof(entry_types[0]))

static int entry_count(void *arg, uint64_t locator, const void *bytes, size_t len)
{
    uint64_t *counts = arg;
    struct job_entry entry;
    (void)locator;
    int rc = job_entry_decode(&entry, bytes, len);
    for (size_t i = 0; rc == 0 && i < ENTRY_TYPES; i++)
        counts[i] += entry_types[i].number == entry.type;
    return rc;
}

static void entries_tell(const char *directory)
{
    uint64_t counts[ENTRY_TYPES] = {0};
    struct journal *journal;
    const struct journal_settings settings = {.directory = directory, .prepare_inline = true};
    const struct journal_visitor visitor = {.record = entry_count, .arg = counts};
    struct journal_replayed replayed;
    struct journal_error error = {""};
    if (journal_open(&journal, &settings, &error) != 0 || journal_acquire(journal, &error) != 0 ||
        journal_replay(journal, &visitor, &replayed, &error) != 0)
        wire_fail("%s: %s", directory, error.text);
    for (size_t i = 0; i < ENTRY_TYPES; i++)
        printf("entries.%s %" PRIu64 "\n", entry_types[i].word, counts[i]);
    (void)journal_close(&journal);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "daemon") == 0)
        daemon_tell(argv[2]);
    else if (argc == 3 && strcmp(argv[1], "entries") == 0)
        entries_tell(argv[2]);
    else
        wire_fail("usage: journal_told daemon ADDRESS | entries DIR");
    return 0;
}
