// SPDX-License-Identifier: MIT
/*
 * Choosing jobs on the command line: the options of list and of the commands that change many jobs,
 * and the parameters that they become.
 *
 * What they choose comes in pages, and a daemon that names a next page for ever is found out here.
 *
 * Durations go to the daemon as seconds and are compared there, with its clock.
 */

#include "client/tool_choose_priv.h"
#include "client/tool_priv.h"

#include "base/json.h"
#include "base/jsonobj.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* No daemon has as many jobs as so many pages of 500, or as so many without a match, for each of
 * which it looks through thousands. */
#define PAGES_MAX 1000000
#define PAGES_EMPTY_MAX 100000

static const char *const states[] = {"ready", "delayed", "reserved", "buried"};

static const char *filter_state(const char *arg, struct argp_state *state)
{
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
        if (strcmp(states[i], arg) == 0)
            return states[i];
    argp_error(state, "--state wants ready, delayed, reserved or buried, not \"%s\"", arg);
    return NULL;
}

void filter_init(struct filter *filter)
{
    *filter = (struct filter){.older_ns = HL_FOREVER, .younger_ns = HL_FOREVER};
}

bool filter_given(const struct filter *filter)
{
    return filter->tube || filter->state || filter->older_ns != HL_FOREVER ||
           filter->younger_ns != HL_FOREVER || filter->name || filter->group || filter->tag;
}

uint64_t number_option(const char *option, const char *arg, struct argp_state *state)
{
    uint64_t number = 0;
    if (json_parse_u64(arg, &number) != 0 || number == 0)
        argp_error(state, "--%s wants a whole number from 1, not \"%s\"", option, arg);
    return number;
}

const char *tube_option(const char *arg, struct argp_state *state)
{
    if (!hl_client_tube_valid(arg))
        argp_error(state,
                   "\"%s\" is no name for a tube: it has 1 to %d characters of A-Z a-z 0-9 - + / ; "
                   ". $ _ ( ) and does not begin with -",
                   arg, HL_CLIENT_TUBE_MAX);
    return arg;
}

error_t filter_parse(struct filter *filter, int key, char *arg, struct argp_state *state)
{
    switch (key) {
    case 't':
        filter->tube = tube_option(arg, state);
        return 0;
    case 'S':
        filter->state = filter_state(arg, state);
        return 0;
    case 'o':
        filter->older_ns = duration_option("older", arg, state);
        return 0;
    case 'y':
        filter->younger_ns = duration_option("younger", arg, state);
        return 0;
    case FILTER_NAME:
        filter->name = arg;
        return 0;
    case 'g':
        filter->group = arg;
        return 0;
    case FILTER_TAG:
        filter->tag = arg;
        return 0;
    case 'n':
        filter->limit = number_option("limit", arg, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int filter_add(const struct filter *filter, cJSON *params)
{
    int rc = 0;
    if (filter->tube)
        rc = jsonobj_add_str(params, "tube", filter->tube);
    if (rc == 0 && filter->state)
        rc = jsonobj_add_str(params, "state", filter->state);
    if (rc == 0 && filter->name)
        rc = jsonobj_add_str(params, "name", filter->name);
    if (rc == 0 && filter->group)
        rc = jsonobj_add_str(params, "group", filter->group);
    if (rc == 0 && filter->tag)
        rc = jsonobj_add_str(params, "tag", filter->tag);
    if (rc == 0 && filter->older_ns != HL_FOREVER)
        rc = jsonobj_add_seconds(params, "older", filter->older_ns);
    if (rc == 0 && filter->younger_ns != HL_FOREVER)
        rc = jsonobj_add_seconds(params, "younger", filter->younger_ns);
    if (rc == 0 && filter->from != 0)
        rc = jsonobj_add_u64(params, "from", filter->from);
    if (rc == 0 && filter->until != 0)
        rc = jsonobj_add_u64(params, "until", filter->until);
    return rc;
}

enum exit_code filter_next(struct filter *filter, const cJSON *answer, uint64_t found)
{
    uint64_t from = filter->from, next = field_u64(answer, "next");
    uint64_t until = field_u64(answer, "until");
    filter->pages++;
    filter->empty = found > 0 ? 0 : filter->empty + 1;
    bool moves = next == 0 || from == 0 || (filter->down ? next < from : next > from);
    filter->from = next;
    filter->until = until;
    if (!moves)
        say("the daemon's list does not end: behind %" PRIu64 " it goes on at %" PRIu64, from,
            next);
    else if (next != 0 && until != 0 && next > until)
        say("the daemon's list does not end: its last job is %" PRIu64
            ", and it goes on at %" PRIu64,
            until, next);
    else if (next != 0 && (filter->pages >= PAGES_MAX || filter->empty >= PAGES_EMPTY_MAX))
        say("the daemon's list does not end: there were %u pages, and nothing in the last %u",
            filter->pages, filter->empty);
    else
        return EXIT_CODE_OK;
    return EXIT_CODE_OUTPUT;
}
