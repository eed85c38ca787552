// SPDX-License-Identifier: MIT
/*
 * How much a program's arguments and environment may be, so that what can't be run is refused when
 * it is put. The kernel's rules: each text up to 32 pages with its NUL; all of them, and a pointer
 * for each, up to a quarter of the limit of the stack, which is at least 128 KiB and at most 6 MiB.
 */
#include "base/arguments.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TEXT_PAGES 32
#define OWN_SIZE ((size_t)4096) /* left for the variables of a run, and the program's path */
#define ALL_LEAST ((size_t)128 * 1024)
#define ALL_MOST ((size_t)6 * 1024 * 1024) /* also where the stack has no limit */

static size_t list_weigh(char *const *list, size_t *longest)
{
    size_t size = sizeof(char *);
    for (size_t i = 0; list != NULL && list[i] != NULL; i++) {
        size_t len = strlen(list[i]) + 1;
        size += len + sizeof(char *);
        if (len > *longest)
            *longest = len;
    }
    return size;
}

static size_t all_most(void)
{
    long most = sysconf(_SC_ARG_MAX); /* from the stack's limit; negative or vast if it has none */
    if (most < 0 || (size_t)most > ALL_MOST)
        return ALL_MOST;
    return (size_t)most > ALL_LEAST ? (size_t)most : ALL_LEAST;
}

int arguments_check(char *const *argv, char *const *env, char *why, size_t why_size)
{
    long page = sysconf(_SC_PAGESIZE);
    size_t one = (size_t)(page > 0 ? page : 4096) * TEXT_PAGES;
    size_t all = all_most() - OWN_SIZE, longest = 0;
    size_t size = list_weigh(argv, &longest) + list_weigh(env, &longest);
    if (longest > one) {
        snprintf(why, why_size,
                 "an argument or variable of %zu bytes is more than this system gives a program, "
                 "which is %zu; give it as standard input or in a file",
                 longest - 1, one - 1);
        return E2BIG;
    }
    if (size <= all)
        return 0;
    snprintf(why, why_size,
             "arguments and environment of %zu bytes are more than this system gives a program, "
             "which is %zu; give them as standard input or in a file",
             size, all);
    return E2BIG;
}
