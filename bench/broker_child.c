// SPDX-License-Identifier: MIT
/*
 * The work by other processes: a bench/broker of this or another build, whose rows are read from
 * its --json, and callgrind, which counts the instructions of one step of one row.
 *
 * A count is what callgrind collected inside of bench_counted, the function that runs the row's
 * step and nothing else, by the number of its operations. Neither the start nor the other steps of
 * the loop are in it, so the same program gives the same number on a busy machine, too.
 */
#include "broker_bench.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGS_MAX (32 + 2 * ROWS_MAX)
#define NUMBERS_MAX 8
#define MARK "summary:" /* of callgrind's file: all that was counted */

struct command {
    const char *argv[ARGS_MAX];
    size_t count;
    char numbers[NUMBERS_MAX][24];
    size_t numbers_count;
};

static void arg(struct command *command, const char *text)
{
    if (command->count + 1 >= ARGS_MAX)
        bench_fail("too many arguments for a child");
    command->argv[command->count++] = text;
}

static void arg_number(struct command *command, const char *option, uint64_t number)
{
    char *text = command->numbers[command->numbers_count++];
    (void)snprintf(text, sizeof(command->numbers[0]), "%" PRIu64, number);
    arg(command, option);
    arg(command, text);
}

/* This program, by its path; the other is as it was named. */
static const char *program(const struct settings *settings, enum side side)
{
    static char self[4096];
    if (side == SIDE_OTHER)
        return settings->against;
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (len <= 0)
        bench_fail("/proc/self/exe can't be read: %s", strerrordesc_np(errno));
    self[len] = '\0';
    return self;
}

static void common_args(struct command *command, const struct settings *settings)
{
    arg_number(command, "--jobs", settings->jobs);
    arg_number(command, "--depth", settings->depth);
    arg_number(command, "--size", settings->size);
    arg_number(command, "--present", settings->present);
}

/* Its standard output; *pid is to be waited for. */
static FILE *command_start(const struct command *command, pid_t *pid)
{
    int ends[2];
    posix_spawn_file_actions_t actions;
    char *argv[ARGS_MAX];
    bench_check("pipe", pipe2(ends, O_CLOEXEC) == 0 ? 0 : errno);
    memcpy(argv, command->argv, sizeof(argv)); /* posix_spawn leaves them as they are */
    bench_check("spawn", posix_spawn_file_actions_init(&actions));
    bench_check("spawn", posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO));
    int rc = posix_spawnp(pid, argv[0], &actions, NULL, argv, environ);
    if (rc != 0)
        bench_fail("%s can't be run: %s", argv[0], strerrordesc_np(rc));
    bench_check("spawn", posix_spawn_file_actions_destroy(&actions));
    (void)close(ends[1]);
    FILE *out = fdopen(ends[0], "r");
    bench_check("pipe", out == NULL ? errno : 0);
    return out;
}

static void command_end(const struct command *command, FILE **out, pid_t pid)
{
    int status;
    (void)fclose(*out);
    *out = NULL;
    bench_check("wait", waitpid(pid, &status, 0) == pid ? 0 : errno);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        bench_fail("%s ended with status %d", command->argv[0],
                   WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

/* ---- a round of another program ---- */

static double number_after(const char *line, const char *key)
{
    const char *at = strstr(line, key);
    return at == NULL ? 0 : strtod(at + strlen(key), NULL);
}

static void line_read(const char *line, enum side side)
{
    static const char key[] = "{\"row\":\"";
    char name[ROW_NAME_MAX];
    if (strncmp(line, key, sizeof(key) - 1) != 0)
        return;
    line += sizeof(key) - 1;
    size_t len = strcspn(line, "\"");
    if (len >= sizeof(name))
        return;
    memcpy(name, line, len);
    name[len] = '\0';
    struct row *row = row_find(name);
    if (row != NULL && row->wanted)
        row_add(row, side, number_after(line, "\"p10\":"), number_after(line, "\"median\":"));
}

void child_round(const struct settings *settings, enum side side)
{
    struct command command = {0};
    char line[512];
    pid_t pid;
    arg(&command, program(settings, side));
    common_args(&command, settings);
    arg_number(&command, "--rounds", 1);
    arg(&command, "--json");
    for (size_t i = 0; settings->only != 0 && row_at(i) != NULL; i++)
        if (row_at(i)->wanted) {
            arg(&command, "--only");
            arg(&command, row_at(i)->name);
        }
    FILE *out = command_start(&command, &pid);
    while (fgets(line, sizeof(line), out) != NULL)
        line_read(line, side);
    command_end(&command, &out, pid);
}

/* ---- instructions ---- */

static double collected(const char *path)
{
    char line[512];
    double sum = 0;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        bench_fail("callgrind's file can't be read: %s", strerrordesc_np(errno));
    while (fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, MARK, sizeof(MARK) - 1) == 0)
            sum = strtod(line + sizeof(MARK) - 1, NULL);
    (void)fclose(file);
    return sum;
}

static double row_count(const struct settings *settings, enum side side, const struct row *row)
{
    struct command command = {0};
    char path[4096];
    char option[4200];
    char line[512];
    pid_t pid;
    const char *dir = getenv("TMPDIR");
    (void)snprintf(path, sizeof(path), "%s/bench-broker-XXXXXX", dir != NULL ? dir : "/tmp");
    int fd = mkstemp(path);
    if (fd < 0)
        bench_fail("no temporary file %s: %s", path, strerrordesc_np(errno));
    (void)close(fd);
    (void)snprintf(option, sizeof(option), "--callgrind-out-file=%s", path);
    arg(&command, "valgrind");
    arg(&command, "-q");
    arg(&command, "--tool=callgrind");
    arg(&command, option);
    arg(&command, "--collect-atstart=no");
    arg(&command, "--toggle-collect=bench_counted");
    arg(&command, program(settings, side));
    arg(&command, "--counted");
    arg(&command, row->name);
    common_args(&command, settings);
    FILE *out = command_start(&command, &pid);
    while (fgets(line, sizeof(line), out) != NULL)
        ;
    command_end(&command, &out, pid);
    double sum = collected(path);
    (void)unlink(path);
    if (sum <= 0)
        bench_fail("callgrind counted nothing in %s", row->name);
    return sum / (double)(settings->jobs - settings->jobs % BLOCK);
}

void child_count(const struct settings *settings, enum side side)
{
    for (size_t i = 0; row_at(i) != NULL; i++)
        if (row_at(i)->wanted && row_at(i)->countable)
            row_add(row_at(i), side, 0, row_count(settings, side, row_at(i)));
}
