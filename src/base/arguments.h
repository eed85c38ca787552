// SPDX-License-Identifier: MIT
/*
 * How much a program's arguments and environment may be.
 */
#ifndef BASE_ARGUMENTS_H
#define BASE_ARGUMENTS_H

#include <stddef.h>

/*
 * Whether the system would run a program with these lists, each with a NULL at its end, or NULL,
 * from this process or one with the same limits. E2BIG: no, and `why` says how much it is, and how
 * much it may be.
 */
int arguments_check(char *const *argv, char *const *env, char *why, size_t why_size);

#endif
