// SPDX-License-Identifier: MIT
// How much a program may be given: as much as is said here is run by this system, and what is too
// much isn't.

#include "base/arguments.h"

#include "unit.h"

#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define WORD ((size_t)64 * 1024)

// A list of `count` words of so many bytes, each with its NUL, behind a program's name.
static char **list_make(size_t count, size_t size)
{
    char **list = calloc(count + 2, sizeof(*list));
    char *word = malloc(size);
    ck_assert(list != NULL && word != NULL);
    memset(word, 'x', size - 1);
    word[size - 1] = '\0';
    list[0] = strdup("true");
    for (size_t i = 1; i <= count; i++)
        list[i] = word;
    return list;
}

static void list_free(char **list)
{
    free(list[1]);
    free(list[0]);
    free(list);
}

// 0 or E2BIG, as the system says.
static int run(char *const *argv)
{
    char *const env[] = {NULL};
    pid_t pid;
    int rc = posix_spawn(&pid, "/bin/true", NULL, NULL, argv, env);
    if (rc == 0)
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    return rc;
}

static int say(char *const *argv, char why[256])
{
    return arguments_check(argv, NULL, why, 256);
}

static const rlim_t stacks[] = {(rlim_t)256 * 1024, (rlim_t)8 << 20, (rlim_t)20 << 20,
                                RLIM_INFINITY};

// As many words as are said to fit do fit, and with two more neither says so.
START_TEST(it_is_as_the_system_has_it)
{
    struct rlimit limit;
    char why[256] = "";
    ck_assert_int_eq(getrlimit(RLIMIT_STACK, &limit), 0);
    if (limit.rlim_max < stacks[_i])
        return; // more isn't ours to take
    limit.rlim_cur = stacks[_i];
    ck_assert_int_eq(setrlimit(RLIMIT_STACK, &limit), 0);
    size_t count = 1;
    int rc = 0;
    while (rc == 0) {
        char **list = list_make(count, WORD);
        rc = say(list, why);
        int real = rc == 0 ? run(list) : 0;
        list_free(list);
        ck_assert_msg(real == 0, "%zu words are said to fit: %s", count, strerror(real));
        count++;
    }
    ck_assert_int_eq(rc, E2BIG);
    ck_assert_ptr_nonnull(strstr(why, "more than this system gives a program"));
    char **list = list_make(count, WORD);
    ck_assert_int_eq(run(list), E2BIG);
    list_free(list);
}
END_TEST

START_TEST(a_word_has_its_own_limit)
{
    char why[256] = "";
    size_t most = 32 * (size_t)sysconf(_SC_PAGESIZE);
    char **list = list_make(1, most);
    ck_assert_int_eq(say(list, why), 0);
    ck_assert_int_eq(run(list), 0);
    list_free(list);
    list = list_make(1, most + 1);
    ck_assert_int_eq(say(list, why), E2BIG);
    ck_assert_int_eq(run(list), E2BIG);
    ck_assert_ptr_nonnull(strstr(why, "an argument or variable of"));
    ck_assert_int_eq(arguments_check(NULL, list, why, sizeof(why)), E2BIG);
    list_free(list);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("arguments");
    TCase *tcase = tcase_create("arguments");
    tcase_add_loop_test(tcase, it_is_as_the_system_has_it, 0, sizeof(stacks) / sizeof(stacks[0]));
    tcase_add_test(tcase, a_word_has_its_own_limit);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
