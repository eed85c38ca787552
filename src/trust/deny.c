// SPDX-License-Identifier: MIT
/*
 * What the denied, and their administrator, are told: who, which right, where, and the section of
 * the configuration that would allow it.
 *
 * Users stand in it as numbers: looking a name up may block, and this is said on threads that
 * serve. The configuration takes both.
 */
#include "trust/trust_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A text that is cut, not overrun. */
struct line {
    char *text;
    size_t size, len;
};

__attribute__((format(printf, 2, 3))) static void line_add(struct line *line, const char *format,
                                                           ...)
{
    if (line->len + 1 >= line->size)
        return;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line->text + line->len, line->size - line->len, format, args);
    va_end(args);
    if (n > 0)
        line->len += (size_t)n;
}

static const char *door_text(enum trust_door door)
{
    static const char *const texts[] = {[TRUST_UNIX] = "over the Unix socket",
                                        [TRUST_LOOPBACK] = "over TCP from this machine",
                                        [TRUST_NETWORK] = "over the network"};
    return texts[door];
}

void trust_who_text(char *text, size_t size, const struct trust_view *view)
{
    if (view->uid == JOB_NOBODY)
        snprintf(text, size, "an anonymous peer %s", door_text(view->door));
    else
        snprintf(text, size, "uid %u %s", view->uid, door_text(view->door));
}

/* What a section must give for it: in guarded tubes what makes jobs run takes `run`. */
static trust_rights wanted(const struct trust_view *view, trust_rights need, const char *tube,
                           bool *guarded)
{
    *guarded = false;
    if (tube == NULL || view->trust == NULL)
        return need;
    *guarded =
        trust_class_is_guarded(view->trust, trust_tube_class(view->trust, tube, strlen(tube)));
    if (*guarded && (need & TRUST_RUN_RIGHTS))
        need |= TRUST_run;
    return need;
}

void trust_allow_text(char *text, size_t size, const struct trust_view *view, trust_rights need,
                      const char *tube)
{
    struct line line = {text, size, 0};
    bool guarded;
    need = wanted(view, need, tube, &guarded);
    if (view->door != TRUST_UNIX && (need & TRUST_UNIX_RIGHTS)) {
        char rights[TRUST_RIGHTS_TEXT];
        trust_rights_text(need & TRUST_UNIX_RIGHTS, rights, sizeof(rights));
        line_add(&line, "no acl section can: %s is for the Unix socket only", rights);
        return;
    }
    line_add(&line, "acl \"NAME\" { ");
    if (view->uid != JOB_NOBODY)
        line_add(&line, "users = {\"%u\"}", view->uid);
    else
        line_add(&line, "anyone = yes doors = {\"%s\"}", trust_door_word(view->door));
    line_add(&line, " tubes = {\"%s\"} may = {", tube != NULL ? tube : "*");
    const char *between = "";
    for (unsigned i = 0; i < TRUST_RIGHT_COUNT; i++) {
        if ((need >> i & 1) == 0)
            continue;
        line_add(&line, "%s\"%s\"", between, trust_right_word((enum trust_right_bit)i));
        between = ", ";
    }
    line_add(&line, "}%s }", guarded ? " guarded = yes" : "");
}

void trust_deny_text(char *why, size_t size, const struct trust_view *view, trust_rights need,
                     const char *tube)
{
    struct line line = {why, size, 0};
    char who[96], rights[TRUST_RIGHTS_TEXT], allow[TRUST_WHY_MAX];
    trust_who_text(who, sizeof(who), view);
    trust_rights_text(need, rights, sizeof(rights));
    trust_allow_text(allow, sizeof(allow), view, need, tube);
    if (tube != NULL)
        line_add(&line, "%s has no right to %s in the tube \"%s\"; ", who, rights, tube);
    else
        line_add(&line, "%s has no right to %s; ", who, rights);
    line_add(&line, "what would allow it: %s", allow);
}
