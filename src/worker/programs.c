// SPDX-License-Identifier: MIT
/*
 * The rows of the spawner's table, made from what the pools say. The spawner is forked with them,
 * so they are made before it, and what they say is settled from then on.
 *
 * Programs stand apart (struct handler_settings) where they aren't whoever started the daemon: that
 * of a service, with -u, with run_as. Then they begin in their home, have an environment of their
 * own, gain no privileges, and nothing of a job outlives it. Where they are whoever started the
 * daemon, all is as if that person had started them.
 */
#include "worker/programs_priv.h"

#include "base/magic.h"
#include "spawn/spawn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define PROGRAMS_MAGIC 0x3e3ea700u

static const struct {
    const char *name;
    int resource;
} limits[HANDLER_LIMIT_COUNT] = {
#define LIMIT(name, which) {#name, RLIMIT_##which},
#include "worker/limits.def"
#undef LIMIT
};

_Static_assert(HANDLER_LIMIT_COUNT <= SPAWN_LIMITS_MAX, "a place for each limit");

/* What a row points to. */
struct texts {
    char **argv, **env;
    char *directory, *home, *socket, *places;
    gid_t *groups;
};

struct worker_programs {
    unsigned magic;
    size_t count, room;
    struct texts *texts;
    struct spawn_program *row;
};

static bool is_text(const char *text)
{
    return text != NULL && text[0] != '\0';
}

int programs_check(const struct handler_settings *settings, char *why, size_t why_size)
{
    if (is_text(settings->directory) && settings->directory[0] != '/') {
        snprintf(why, why_size, "directory = \"%s\" must be an absolute path", settings->directory);
        return EINVAL;
    }
    int rc = environment_check(settings->environment, why, why_size);
    if (rc != 0 || !is_text(settings->run_as))
        return rc;
    if (geteuid() != 0) {
        snprintf(why, why_size,
                 "run_as: only root can run programs as somebody else; leave it out");
        return EINVAL;
    }
    struct identity identity;
    return identity_find(settings->run_as, &identity, why, why_size);
}

int worker_programs_new(struct worker_programs **out, size_t count)
{
    struct worker_programs *programs = calloc(1, sizeof(*programs));
    if (programs == NULL)
        return ENOMEM;
    MAGIC_INIT(programs, PROGRAMS_MAGIC);
    programs->room = count;
    programs->texts = calloc(count + 1, sizeof(*programs->texts));
    programs->row = calloc(count + 1, sizeof(*programs->row));
    *out = programs;
    if (programs->texts != NULL && programs->row != NULL)
        return 0;
    worker_programs_free(out);
    return ENOMEM;
}

static void texts_free(struct texts *texts)
{
    free(texts->argv);
    free(texts->env);
    free(texts->directory);
    free(texts->home);
    free(texts->socket);
    free(texts->places);
    free(texts->groups);
    *texts = (struct texts){.argv = NULL};
}

void worker_programs_free(struct worker_programs **programs)
{
    if (*programs == NULL)
        return;
    struct worker_programs *mine;
    MAGIC_TAKE(mine, programs, PROGRAMS_MAGIC);
    for (size_t i = 0; mine->texts != NULL && i < mine->count; i++)
        texts_free(&mine->texts[i]);
    free(mine->texts);
    free(mine->row);
    MAGIC_WIPE(mine);
    free(mine);
}

const struct spawn_program *worker_programs_table(const struct worker_programs *programs,
                                                  size_t *count)
{
    MAGIC_CHECK(programs, PROGRAMS_MAGIC);
    *count = programs->count;
    return programs->row;
}

/* ---- a row ---- */

/* A copy of a text that is there. false: no memory. */
static bool text_set(char **to, const char *text)
{
    if (!is_text(text))
        return true;
    *to = strdup(text);
    return *to != NULL;
}

static int argv_set(struct texts *texts, const char *const *argv)
{
    size_t count = 0;
    while (argv[count] != NULL)
        count++;
    texts->argv = strings_copy(argv, count);
    return texts->argv != NULL ? 0 : ENOMEM;
}

static int texts_set(struct texts *texts, const struct handler *handler,
                     const struct handler_settings *settings, const struct identity *identity)
{
    int rc = environment_make(&texts->env, settings->environment, settings->apart ? identity : NULL,
                              handler->variable);
    if (rc == 0 && !handler->guarded)
        rc = argv_set(texts, settings->argv);
    if (rc != 0)
        return rc;
    if (is_text(settings->socket) &&
        asprintf(&texts->socket, "HILERA_SOCKET=%s", settings->socket) < 0)
        return ENOMEM;
    bool good = text_set(&texts->directory, settings->directory) &&
                text_set(&texts->places, settings->apart ? NULL : getenv("PATH"));
    if (good && settings->apart)
        good = text_set(&texts->home, identity->home[0] == '/' ? identity->home : "/");
    texts->groups = calloc(identity->group_count + 1, sizeof(gid_t));
    if (!good || texts->groups == NULL)
        return ENOMEM;
    memcpy(texts->groups, identity->groups, identity->group_count * sizeof(gid_t));
    return 0;
}

static void limits_set(struct spawn_program *row, const struct handler_settings *settings)
{
    for (size_t i = 0; i < HANDLER_LIMIT_COUNT; i++)
        if (settings->limit[i].set)
            row->limit[row->limit_count++] = (struct spawn_limit){.name = limits[i].name,
                                                                  .resource = limits[i].resource,
                                                                  .soft = settings->limit[i].most,
                                                                  .hard = settings->limit[i].most};
}

static void row_fill(struct spawn_program *row, const struct texts *texts,
                     const struct handler_settings *settings, const struct identity *identity)
{
    enum handler_leftovers leftovers = settings->leftovers;
    if (leftovers == HANDLER_LEFTOVERS_AUTO)
        leftovers = settings->apart ? HANDLER_LEFTOVERS_KILL : HANDLER_LEFTOVERS_LEAVE;
    *row =
        (struct spawn_program){.argv = texts->argv,
                               .env = texts->env,
                               .socket = texts->socket,
                               .places = texts->places,
                               .directory = texts->directory,
                               .home = texts->home,
                               .change_user = is_text(settings->run_as) || is_text(settings->user),
                               .uid = identity->uid,
                               .gid = identity->gid,
                               .groups = texts->groups,
                               .group_count = identity->group_count,
                               .no_new_privs = settings->no_new_privs == HANDLER_AUTO
                                                   ? settings->apart
                                                   : settings->no_new_privs == HANDLER_YES,
                               .has_umask = settings->umask_set,
                               .umask = (mode_t)settings->umask,
                               .leave = leftovers == HANDLER_LEFTOVERS_LEAVE};
    limits_set(row, settings);
}

int worker_programs_add(struct worker_programs *programs, const struct handler *handler,
                        const struct handler_settings *settings, char *why, size_t why_size)
{
    MAGIC_CHECK(programs, PROGRAMS_MAGIC);
    ASSERT(handler->programs && programs->count < programs->room);
    const char *user = is_text(settings->run_as) ? settings->run_as : settings->user;
    struct identity identity;
    int rc = 0;
    if (is_text(user))
        rc = identity_find(user, &identity, why, why_size);
    else
        identity_own(&identity);
    struct texts *texts = &programs->texts[programs->count];
    if (rc == 0)
        rc = texts_set(texts, handler, settings, &identity);
    if (rc != 0) {
        texts_free(texts);
        return rc;
    }
    row_fill(&programs->row[programs->count], texts, settings, &identity);
    programs->count++;
    return 0;
}
