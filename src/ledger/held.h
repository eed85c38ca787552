// SPDX-License-Identifier: MIT
/*
 * Who has the broker's lock, for the compiler: HELD after a prototype, or before the definition of
 * a static function, says that it is called with the lock held, and gives it back held.
 *
 * clang follows it through all calls (-Wthread-safety, tests/style/held.sh): a call without the
 * lock, a lock that is taken twice, and a path that keeps it are errors. It can't look through
 * pointers to functions; what is called so with the lock is marked, too. For other compilers the
 * marks are nothing.
 *
 * The lock is one capability by name, `broker_domain`, whichever broker it is of: there is no
 * object of that name.
 */
#ifndef LEDGER_HELD_H
#define LEDGER_HELD_H

#ifdef __clang__
struct __attribute__((capability("lock"))) broker_capability {
    char name;
};
extern struct broker_capability broker_domain;
#define HELD __attribute__((requires_capability(broker_domain)))
#define TAKES_LOCK __attribute__((acquire_capability(broker_domain)))
#define GIVES_LOCK __attribute__((release_capability(broker_domain)))
/* The definition of a function that takes or gives the lock itself. */
#define IS_LOCK __attribute__((no_thread_safety_analysis))
#else
#define HELD
#define TAKES_LOCK
#define GIVES_LOCK
#define IS_LOCK
#endif

#endif
