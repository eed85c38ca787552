// SPDX-License-Identifier: MIT
// The runner of the unit tests: Check's, with TAP on standard output and nothing else.
//
// Check reads its time limits from the environment when a test case is made, which is before
// unit_main runs; hence the constructor. Where tests share one process Check can't end a test that
// hangs, so one alarm stands over the whole program: its death leaves the plan unprinted, which the
// TAP driver reports as an error.

#include "unit.h"

#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

int unit_main(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, unit_forks() ? CK_FORK : CK_NOFORK);
    srunner_set_tap(runner, "-");
    if (!unit_forks())
        alarm(UNIT_PROGRAM_SECONDS);
    setvbuf(stdout, NULL, _IOLBF, 0);
    srunner_run_all(runner, CK_SILENT);
    int run = srunner_ntests_run(runner);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    // To a harness that reads the TAP a status other than 0 is an error beside the failed tests.
    bool told = failed == 0 || getenv("tap_harness") != NULL;
    return run > 0 && told ? EXIT_SUCCESS : EXIT_FAILURE;
}
