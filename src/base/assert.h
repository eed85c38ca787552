// SPDX-License-Identifier: MIT
/*
 * Assertions, in kinds. They are for our own bugs, stay on in every build, and print what, where
 * and on which thread before abort(). What came from a socket, a file, a user or a child process is
 * never asserted on: that is an error with a name.
 */
#ifndef BASE_ASSERT_H
#define BASE_ASSERT_H

/* Something that holds by construction. */
#define ASSERT(cond)                                                                               \
    ((cond) ? (void)0 : assert_failed("assertion", #cond, __FILE__, __LINE__, __func__))

/* A call that returns 0 or an errno value, and can only fail by our mistake
 * (pthread_mutex_destroy). Evaluates it once. */
#define MUST(call)                                                                                 \
    do {                                                                                           \
        int must_rc_ = (call);                                                                     \
        if (must_rc_ != 0)                                                                         \
            assert_call_failed(#call, must_rc_, __FILE__, __LINE__, __func__);                     \
    } while (0)

/* A place that is never reached. */
#define CANT_HAPPEN(why) assert_failed("can't happen", (why), __FILE__, __LINE__, __func__)

/* Costly checks (walking a whole structure): on with HILERA_EXPENSIVE=1 in the environment, as the
 * tests set it. */
#define ASSERT_EXPENSIVE(cond)                                                                     \
    ((!assert_expensive() || (cond))                                                               \
         ? (void)0                                                                                 \
         : assert_failed("expensive assertion", #cond, __FILE__, __LINE__, __func__))

#include <stdbool.h>

_Noreturn void assert_failed(const char *kind, const char *what, const char *file, int line,
                             const char *function) __attribute__((cold));
_Noreturn void assert_call_failed(const char *call, int rc, const char *file, int line,
                                  const char *function) __attribute__((cold));
bool assert_expensive(void);
/* Called before the message of a broken rule is written, and bounded in time as that is. */
void assert_before_end(void (*what)(void));

#endif
