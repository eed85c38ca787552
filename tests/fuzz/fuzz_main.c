// SPDX-License-Identifier: MIT
/*
 * Runs a fuzz target without libFuzzer: over files, so that any compiler builds it and 'make check'
 * runs the corpus. Arguments are files and folders (their files, not folders inside); without any,
 * the program fuzz_NAME takes the folder tests/fuzz/corpus/NAME of the source tree ($top_srcdir).
 * Each file is one TAP line.
 *
 * A finding ends the process before its line and the plan are out, which the TAP driver reports;
 * stderr then tells what it was, and the file is the one after the last line.
 *
 * To add a target: tests/fuzz/fuzz_NAME.c with LLVMFuzzerTestOneInput, a corpus, four rows in
 * Makefile.am.
 */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int tests_run, tests_failed;

static void result(const char *path, const char *problem)
{
    tests_run++;
    if (problem != NULL)
        tests_failed++;
    printf("%sok %d - %s%s%s\n", problem != NULL ? "not " : "", tests_run, path,
           problem != NULL ? ": " : "", problem != NULL ? problem : "");
    fflush(stdout);
}

/* The whole file in memory of exactly its size, so that a sanitizer sees each byte read beyond. */
static uint8_t *read_whole(FILE *file, size_t *size)
{
    struct stat about;
    if (fstat(fileno(file), &about) != 0)
        return NULL;
    *size = (size_t)about.st_size;
    uint8_t *data = malloc(*size > 0 ? *size : 1);
    if (data != NULL && fread(data, 1, *size, file) != *size) {
        free(data);
        return NULL;
    }
    return data;
}

static void run_file(const char *path)
{
    size_t size = 0;
    FILE *file = fopen(path, "rbe");
    uint8_t *data = file != NULL ? read_whole(file, &size) : NULL;
    if (file != NULL)
        fclose(file);
    if (data == NULL) {
        result(path, "can't be read");
        return;
    }
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    result(path, NULL);
}

static int not_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void run_folder(const char *path)
{
    struct dirent **entry;
    int count = scandir(path, &entry, not_hidden, alphasort);
    if (count <= 0)
        result(path, count < 0 ? "can't be read" : "is empty");
    for (int i = 0; i < count; i++) {
        char *file = NULL;
        if (asprintf(&file, "%s/%s", path, entry[i]->d_name) < 0)
            abort();
        run_file(file);
        free(file);
        free(entry[i]);
    }
    if (count >= 0)
        free(entry);
}

static void run(const char *path)
{
    struct stat about;
    if (stat(path, &about) != 0)
        result(path, "is not there");
    else if (S_ISDIR(about.st_mode))
        run_folder(path);
    else
        run_file(path);
}

static int run_own_corpus(void)
{
    const char *top = getenv("top_srcdir");
    const char *name = strstr(program_invocation_short_name, "fuzz_");
    char *path = NULL;
    if (top == NULL || name == NULL) {
        fprintf(stderr, "usage: %s FILE|FOLDER... (or set top_srcdir to the source tree)\n",
                program_invocation_short_name);
        return EXIT_FAILURE;
    }
    if (asprintf(&path, "%s/tests/fuzz/corpus/%s", top, name + strlen("fuzz_")) < 0)
        abort();
    run(path);
    free(path);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    if (argc < 2 && run_own_corpus() != EXIT_SUCCESS)
        return EXIT_FAILURE;
    for (int i = 1; i < argc; i++)
        run(argv[i]);
    printf("1..%d\n", tests_run);
    return tests_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
