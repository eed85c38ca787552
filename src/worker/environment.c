// SPDX-License-Identifier: MIT
/*
 * The environment of a pool's programs: what it lets through of the daemon's, and what everybody
 * has who logs in. A keeper adds what a run has of its own, HILERA_JOB_ID and the like.
 *
 * The list of a pool has NAME, a variable of the daemon's if it is there; PRE*, all whose names
 * begin so; NAME=VALUE, which is set, and goes before the daemon's. Without a list all of them
 * pass, for programs that are whoever started the daemon. Others stand apart: of the daemon's they
 * get only what is listed, and else PATH, HOME, USER, LOGNAME and SHELL of their user, LANG and TZ.
 */
#include "worker/programs_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PLACES_USUAL "PATH=/usr/local/bin:/usr/bin:/bin"

static const char *const own_names[] = {"HILERA_JOB_ID",   "HILERA_TUBE",      "HILERA_ATTEMPT",
                                        "HILERA_PRIORITY", "HILERA_SUBMITTED", "HILERA_SOCKET"};

static size_t name_length(const char *variable)
{
    return strcspn(variable, "=");
}

bool environment_is_own(const char *variable)
{
    size_t len = name_length(variable);
    for (size_t i = 0; i < sizeof(own_names) / sizeof(own_names[0]); i++)
        if (strlen(own_names[i]) == len && memcmp(own_names[i], variable, len) == 0)
            return true;
    return false;
}

int environment_check(const char *const *list, char *why, size_t why_size)
{
    for (size_t i = 0; list != NULL && list[i] != NULL; i++) {
        if (name_length(list[i]) == 0) {
            snprintf(why, why_size,
                     "environment: \"%s\" names no variable; \"PATH\", \"LC_*\" or "
                     "\"MODE=fast\" would be right",
                     list[i]);
            return EINVAL;
        }
        if (environment_is_own(list[i])) {
            snprintf(why, why_size, "environment: %s is set for each job; leave it out", list[i]);
            return EINVAL;
        }
    }
    return 0;
}

static bool matches(const char *pattern, const char *variable)
{
    size_t len = strlen(pattern);
    if (pattern[len - 1] == '*')
        return len - 1 <= name_length(variable) && memcmp(pattern, variable, len - 1) == 0;
    return len == name_length(variable) && memcmp(pattern, variable, len) == 0;
}

/* Whether the list lets the daemon's variable through. */
static bool passes(const char *const *list, const char *variable)
{
    for (size_t i = 0; list[i] != NULL; i++)
        if (list[i][name_length(list[i])] != '=' && matches(list[i], variable))
            return true;
    return false;
}

/* ---- a list of them, each name once ---- */

struct vars { /* no magic: on the stack */
    const char **list;
    size_t count, room;
    int rc;
};

/* In place of one of that name. */
static void add(struct vars *vars, const char *variable)
{
    size_t len = name_length(variable);
    for (size_t i = 0; i < vars->count; i++)
        if (name_length(vars->list[i]) == len && memcmp(vars->list[i], variable, len) == 0) {
            vars->list[i] = variable;
            return;
        }
    if (vars->count == vars->room) {
        size_t room = vars->room > 0 ? vars->room * 2 : 64;
        const char **list = realloc(vars->list, room * sizeof(*list));
        if (list == NULL) {
            vars->rc = ENOMEM;
            return;
        }
        vars->list = list;
        vars->room = room;
    }
    vars->list[vars->count++] = variable;
}

/* Those that the list names; NULL: all. */
static void add_daemons(struct vars *vars, const char *const *list)
{
    for (size_t i = 0; environ != NULL && environ[i] != NULL; i++)
        if (!environment_is_own(environ[i]) && (list == NULL || passes(list, environ[i])))
            add(vars, environ[i]);
}

/* What a login gives; the texts stand in `text`. */
#define LOGIN_TEXT 640

static void add_login(struct vars *vars, const struct identity *identity, char text[4][LOGIN_TEXT])
{
    static const char *const locale[] = {"LANG", "TZ", NULL};
    add(vars, PLACES_USUAL);
    add_daemons(vars, locale);
    snprintf(text[0], LOGIN_TEXT, "HOME=%s", identity->home[0] != '\0' ? identity->home : "/");
    snprintf(text[1], LOGIN_TEXT, "SHELL=%s",
             identity->shell[0] != '\0' ? identity->shell : "/bin/sh");
    add(vars, text[0]);
    add(vars, text[1]);
    if (identity->name[0] == '\0')
        return;
    snprintf(text[2], LOGIN_TEXT, "USER=%s", identity->name);
    snprintf(text[3], LOGIN_TEXT, "LOGNAME=%s", identity->name);
    add(vars, text[2]);
    add(vars, text[3]);
}

int environment_make(char ***out, const char *const *list, const struct identity *apart,
                     const char *variable)
{
    struct vars vars = {.list = NULL};
    char text[4][LOGIN_TEXT];
    bool listed = list != NULL && list[0] != NULL;
    if (apart != NULL)
        add_login(&vars, apart, text);
    if (listed || apart == NULL)
        add_daemons(&vars, listed ? list : NULL);
    for (size_t i = 0; listed && list[i] != NULL; i++)
        if (strchr(list[i], '=') != NULL)
            add(&vars, list[i]);
    if (variable != NULL)
        add(&vars, variable);
    *out = vars.rc == 0 ? strings_copy(vars.list, vars.count) : NULL;
    free(vars.list);
    return *out != NULL ? 0 : ENOMEM;
}
