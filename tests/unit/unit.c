// SPDX-License-Identifier: MIT
// The runner of the unit tests: Check's, with TAP on standard output and nothing else.
//
// Check reads its time limits from the environment when a test case is made, which is before
// unit_main runs; hence the constructor. Where tests share one process Check can't end a test that
// hangs, so one alarm stands over the whole program: its death leaves the plan unprinted, which the
// TAP driver reports as an error.
//
// Check knows no skipped tests. Where there can be some, for who isn't root, the tests run in a
// child: what it prints is read here, line by line, and the result of each test that has said so in
// the memory which both share is told as a skipped one.

#include "unit.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

// They end what hangs, and nothing else: a machine under a load of 16 needs a tenth of them.
#define UNIT_TEST_SECONDS "300"
#define UNIT_PROGRAM_SECONDS 3000

__attribute__((constructor)) static void unit_limits(void)
{
    setenv("CK_DEFAULT_TIMEOUT", UNIT_TEST_SECONDS, 0);
}

// A sanitizer's allocator ends the program on an impossible size unless told to answer NULL, as the
// C library's does: the paths behind ENOMEM are tested with such sizes. These are the hooks that
// the sanitizers ask at their start.
#if defined(__SANITIZE_ADDRESS__)
__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}
#elif defined(__SANITIZE_THREAD__)
__attribute__((visibility("default"))) const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "allocator_may_return_null=1";
}
#endif

int unit_forks(void)
{
#ifdef __SANITIZE_THREAD__
    // ThreadSanitizer has a thread of its own and does not follow a fork from there into new
    // threads.
    return 0;
#else
    const char *fork_word = getenv("CK_FORK");
    return !fork_word || strcmp(fork_word, "no") != 0;
#endif
}

int unit_rounds(int full)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    const char *wanted = getenv("HILERA_ROUNDS");
    return wanted && strcmp(wanted, "full") == 0 ? full : (full + 9) / 10;
#else
    return full;
#endif
}

// Of the sanitizers' runtime, where there is one.
extern size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

size_t unit_allocated(void)
{
    if (__sanitizer_get_current_allocated_bytes)
        return __sanitizer_get_current_allocated_bytes();
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

void unit_add_death(TCase *tcase, const TTest *test, int sig)
{
    if (unit_forks())
        tcase_add_test_raise_signal(tcase, test, sig);
}

// ---- skipped tests ----

#define SKIPS_MAX 64
#define SKIP_TEXT 96

struct skip {
    char function[SKIP_TEXT];
    int loop;
    char why[SKIP_TEXT];
};

static struct skips {
    _Atomic unsigned count;
    struct skip all[SKIPS_MAX];
} * skips; // NULL: root, who skips nothing

int unit_skips(const char *function, int loop, const char *why)
{
    if (geteuid() == 0)
        return 0;
    unsigned place = skips ? atomic_load(&skips->count) : SKIPS_MAX;
    if (place == SKIPS_MAX) {
        printf("# skipped: %s: %s, which only root can do\n", function, why);
        return 1;
    }
    struct skip *skip = &skips->all[place];
    snprintf(skip->function, sizeof(skip->function), "%s", function);
    snprintf(skip->why, sizeof(skip->why), "%s", why);
    skip->loop = loop;
    atomic_store(&skips->count, place + 1); // tests run one after the other
    return 1;
}

// The function's name of a line "ok 3 - FILE:CASE:TEST: Passed"; false: it is another line.
static bool test_passed(char *line, char **name)
{
    char *end = strstr(line, ": Passed\n");
    if (strncmp(line, "ok ", 3) != 0 || !end)
        return false;
    *end = '\0';
    char *colon = strrchr(line, ':');
    *name = colon ? colon + 1 : line;
    return true;
}

static const struct skip *skip_find(const char *name, int loop)
{
    for (unsigned i = 0; i < atomic_load(&skips->count); i++) {
        const struct skip *skip = &skips->all[i];
        size_t len = strlen(name);
        if (skip->loop == loop && strncmp(skip->function, name, len) == 0 &&
            (skip->function[len] == '\0' || strcmp(skip->function + len, "_fn") == 0))
            return skip;
    }
    return NULL;
}

static void tell_skipped(FILE *tap)
{
    char line[4096], last[sizeof(line)] = "", *name;
    int loop = 0; // Check runs the rounds of a loop test one after the other
    while (fgets(line, sizeof(line), tap)) {
        if (!test_passed(line, &name)) {
            fputs(line, stdout);
            continue;
        }
        loop = strcmp(last, name) == 0 ? loop + 1 : 0;
        snprintf(last, sizeof(last), "%s", name);
        const struct skip *skip = skip_find(name, loop);
        if (skip)
            printf("%s # SKIP %s, which only root can do\n", line, skip->why);
        else
            printf("%s: Passed\n", line);
    }
}

// In the child, which runs the tests, it returns; in the parent only where there is no child.
static void skips_begin(void)
{
    int tap[2];
    const char *fork_word = getenv("CK_FORK");
    if (geteuid() == 0 || (fork_word && strcmp(fork_word, "no") == 0) || pipe(tap) != 0)
        return;
    skips = mmap(NULL, sizeof(*skips), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t tests = skips != MAP_FAILED ? fork() : -1;
    if (tests < 0)
        abort();
    dup2(tests == 0 ? tap[1] : tap[0], tests == 0 ? STDOUT_FILENO : STDIN_FILENO);
    close(tap[0]);
    close(tap[1]);
    if (tests == 0)
        return;
    int status = 0;
    tell_skipped(stdin);
    waitpid(tests, &status, 0);
    fflush(stdout);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE);
}

int unit_main(Suite *suite)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    skips_begin();
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, unit_forks() ? CK_FORK : CK_NOFORK);
    srunner_set_tap(runner, "-");
    if (!unit_forks())
        alarm(UNIT_PROGRAM_SECONDS);
    srunner_run_all(runner, CK_SILENT);
    int run = srunner_ntests_run(runner);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    // To a harness that reads the TAP a status other than 0 is an error beside the failed tests.
    bool told = failed == 0 || getenv("tap_harness") != NULL;
    return run > 0 && told ? EXIT_SUCCESS : EXIT_FAILURE;
}
