// SPDX-License-Identifier: MIT
/*
 * What the peer of a session may: each command's row (commands.def) names a right and in which tube
 * it is needed, and the session asks here before it runs the command. Nothing is allowed that no
 * rule allows (trust.h).
 *
 * What a row can't know is asked where it is known: the tube of a job by the broker, that of a
 * submit's head and of a call's parameters by those who read them.
 *
 * Who may nothing in the tube "default" doesn't begin with watching it, for a worker of other tubes
 * would else wait in a line that it may not stand in; so a session may watch nothing, and then it
 * may not reserve.
 *
 * Who is refused a tube by `use` has none from then on, until a good one: a client that doesn't
 * wait for the answer would else put into the tube before what was meant for another.
 *
 * Cost: most peers may the same in every tube, or use the one tube that they asked for, so both are
 * kept with the session and a command costs one comparison.
 */
#include "front/reply_priv.h"
#include "front/rights_priv.h"

#include <stdio.h>
#include <string.h>

#define COMMAND(id, name, word, whose, right, scope)                                               \
    _Static_assert((SCOPE_##scope == SCOPE_NONE || SCOPE_##scope == SCOPE_SEEN ||                  \
                    COMMAND_##id == COMMAND_call) == ((right) == 0),                               \
                   "a command has a right, or a scope that says that it needs none");
#include "front/commands.def"
#undef COMMAND

static trust_rights rights_of(const struct session *session, const char *tube, size_t len)
{
    const struct trust_view *view = &session->view;
    return trust_rights_on(view, trust_tube_class(view->trust, tube, len), JOB_NOBODY);
}

void rights_use(struct session *session)
{
    const char *name = broker_tube_name(session->used);
    session->in_used = rights_of(session, name, strlen(name));
}

void rights_begin(struct session *session)
{
    session->everywhere = trust_rights_everywhere(&session->view);
    rights_use(session);
    if (!rights_in(session, JOB_TUBE_DEFAULT, sizeof(JOB_TUBE_DEFAULT) - 1, TRUST_work))
        broker_watch_none(&session->client);
}

bool rights_in(const struct session *session, const char *tube, size_t len, trust_rights need)
{
    return (session->everywhere & need) == need || (rights_of(session, tube, len) & need) == need;
}

bool rights_guarded(const struct session *session, const struct tube *tube)
{
    return trust_class_is_guarded(session->view.trust, broker_tube_class(tube));
}

/* ---- refusing ---- */

void rights_denied(struct session *session, trust_rights need, const char *tube, size_t len)
{
    char name[JOB_TUBE_NAME_MAX + 1];
    snprintf(name, sizeof(name), "%.*s", (int)len, tube);
    trust_denied(&session->view, need, name);
}

/* ---- the question ---- */

static bool may(const struct session *session, const struct command_args *args)
{
    const struct command *command = &commands[args->command];
    trust_rights need = command->right;
    switch (command->scope) {
    case SCOPE_USED:
        return (session->in_used & need) == need;
    case SCOPE_NAMED:
    case SCOPE_JOB_TO:
        return rights_in(session, args->name, args->name_len, need);
    case SCOPE_ANY_OF_NAMED:
        return (session->everywhere & need) != 0 ||
               (rights_of(session, args->name, args->name_len) & need) != 0;
    case SCOPE_WATCHED: /* each was asked for when it was watched */
        return broker_watch_count(&session->client) > 0;
    case SCOPE_NONE:
    case SCOPE_SEEN:
    case SCOPE_ITS_OWN:
    case SCOPE_JOB:
        return true;
    }
    return false;
}

bool rights_ask(struct session *session, const struct command_args *args)
{
    if (may(session, args))
        return true;
    const struct command *command = &commands[args->command];
    const char *name = args->name;
    size_t len = args->name_len;
    if (command->scope == SCOPE_USED || command->scope == SCOPE_WATCHED) {
        name = command->scope == SCOPE_USED ? broker_tube_name(session->used) : JOB_TUBE_DEFAULT;
        len = strlen(name);
    }
    rights_denied(session, command->right, name, len);
    if (args->command == COMMAND_use)
        session->in_used = 0;
    if (args->has_body)
        session_refuse_body(session, args->bytes, "NOT_ALLOWED\r\n");
    else
        reply_word(session, "NOT_ALLOWED\r\n");
    return false;
}
