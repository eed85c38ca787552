// SPDX-License-Identifier: MIT
/*
 * A list of strings copied into one piece of memory: the pointers, a NULL, then the texts. What
 * outlives the settings it came from (argv, a pool's tubes) is kept so, and freed by one free.
 */
#include "worker/programs_priv.h"

#include <stdlib.h>
#include <string.h>

char **strings_copy(const char *const *list, size_t count)
{
    size_t size = (count + 1) * sizeof(char *);
    for (size_t i = 0; i < count; i++)
        size += strlen(list[i]) + 1;
    char **copy = malloc(size);
    if (copy == NULL)
        return NULL;
    char *text = (char *)(copy + count + 1);
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(list[i]) + 1;
        memcpy(text, list[i], len);
        copy[i] = text;
        text += len;
    }
    copy[count] = NULL;
    return copy;
}
