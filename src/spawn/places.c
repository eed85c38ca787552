// SPDX-License-Identifier: MIT
/*
 * Which files a program's name may mean: itself if it has a slash, else one in each place of the
 * PATH that the program is to have. Nothing is looked at here; the child tries them, as the user
 * and in the directory that the program has.
 */
#include "spawn/spawn_priv.h"

#include <stdlib.h>
#include <string.h>

#define PLACES_USUAL "/usr/local/bin:/usr/bin:/bin"

static const char *places_in(char *const *env)
{
    for (size_t i = 0; env[i] != NULL; i++)
        if (strncmp(env[i], "PATH=", 5) == 0)
            return env[i] + 5;
    return NULL;
}

char **places_of(const char *name, char *const *env, const char *fallback)
{
    bool is_path = strchr(name, '/') != NULL;
    const char *places = is_path ? "" : places_in(env);
    if (places == NULL)
        places = fallback != NULL ? fallback : PLACES_USUAL;
    size_t count = 1, name_size = strlen(name) + 1;
    for (const char *at = places; *at != '\0'; at++)
        count += *at == ':';
    char **list =
        malloc((count + 1) * sizeof(char *) + strlen(places) + count * (sizeof("./") + name_size));
    if (list == NULL)
        return NULL;
    char *to = (char *)(list + count + 1);
    for (size_t i = 0; i < count; i++) {
        size_t len = strcspn(places, ":");
        list[i] = to;
        if (!is_path) { /* an empty place is the directory itself, as in a shell */
            memcpy(to, len > 0 ? places : ".", len > 0 ? len : 1);
            to += len > 0 ? len : 1;
            *to++ = '/';
        }
        memcpy(to, name, name_size);
        to += name_size;
        places += len + (places[len] == ':');
    }
    list[count] = NULL;
    return list;
}
