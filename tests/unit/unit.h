// SPDX-License-Identifier: MIT
// What every unit test program shares: the runner, and a few ways to say "this must be so".
//
// A program tests one module: it builds one Suite and returns unit_main(suite). Results go to
// standard output as TAP. Each test runs in a process of its own, so that a crash, a hang (300 s)
// or a leak is that test's failure and no other's. Not under ThreadSanitizer and not with
// CK_FORK=no in the environment (for a debugger): there all tests share the one process, and a test
// that must die is left out.
#ifndef UNIT_H
#define UNIT_H

#include <check.h>

// Runs the suite, prints TAP, frees the suite. Returns main's exit status: 0 only if every test
// passed and there was at least one.
int unit_main(Suite *suite);

// At the beginning of a test that only root can make: for others it ends there, and counts as
// skipped. `why`: how much is missed.
#define UNIT_NEEDS_ROOT(why)                                                                       \
    do {                                                                                           \
        if (unit_skips(__func__, _i, why))                                                         \
            return;                                                                                \
    } while (0)
int unit_skips(const char *function, int loop, const char *why);

// True when each test has its own process.
int unit_forks(void);

// How often a test repeats what each repetition makes only a little surer (steps of a random run,
// rounds of a race): `full` times; a tenth of that where a sanitizer makes each many times slower
// and sees as much in fewer, unless HILERA_ROUNDS=full is in the environment. The suite's plain
// build does all.
int unit_rounds(int full);

// Bytes of memory that the process has allocated, as the allocator itself (the sanitizer's, in such
// a build) counts them: nothing else may allocate while two of them are compared.
size_t unit_allocated(void);

// Adds a test that must end by signal `sig` (SIGABRT for a failed assertion). Left out when tests
// share a process.
void unit_add_death(TCase *tcase, const TTest *test, int sig);

#endif
