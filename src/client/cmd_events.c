// SPDX-License-Identifier: MIT
/*
 * hilera events: what happens to jobs and tubes, a line each, as it happens.
 *
 * Each question says which event was seen last, and is answered when there are more, so none is
 * missed between two; where the daemon couldn't keep them all, that is said. It goes on until it is
 * interrupted, nobody reads it any more, the job is gone that it follows, or there were so many.
 */

#include "client/tool_field_priv.h"
#include "client/tool_priv.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/jsonobj.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#define EVENTS_WAIT_NS (60 * HL_SECOND)
/* Answers in a row that bring nothing and come long before that. */
#define EVENTS_IDLE_MAX 1000

struct events_options {
    const char *tube, *group;
    uint64_t id;
    uint64_t after; /* 0: from now on */
    uint64_t limit; /* 0: none */
};

/* Where it is. */
struct events_follow {
    const struct events_options *options;
    uint64_t after, shown;
    unsigned idle;
    bool over; /* the job is gone, or there were so many */
};

static const struct argp_option events_argp_options[] = {
    {"tube", 't', "TUBE", 0, "Only those of this tube and its jobs", 0},
    {"group", 'g', "GROUP", 0, "Only those of the jobs of this group", 0},
    {"after", 'a', "NUMBER", 0, "Begin behind the event of this number, if it is still kept", 0},
    {"limit", 'n', "NUMBER", 0, "End after so many", 0},
    {0}};

static error_t events_parse(int key, char *arg, struct argp_state *state)
{
    struct events_options *events = state->input;
    switch (key) {
    case 't':
        events->tube = tube_option(arg, state);
        return 0;
    case 'g':
        events->group = arg;
        return 0;
    case 'a':
        events->after = number_option("after", arg, state);
        return 0;
    case 'n':
        events->limit = number_option("limit", arg, state);
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            argp_error(state, "one job, or none for all, but there is also \"%s\"", arg);
        if (json_parse_u64(arg, &events->id) != 0 || events->id == 0)
            argp_error(state, "\"%s\" is no job's id; ids are whole numbers from 1", arg);
        return 0;
    case ARGP_KEY_END:
        if ((events->tube != NULL) + (events->group != NULL) + (events->id != 0) > 1)
            argp_error(state, "--tube, --group and a job's id exclude each other");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- a line ---- */

static int append_time(struct buf *line, const cJSON *event)
{
    int64_t ns = field_seconds(event, "time");
    time_t whole = (time_t)(ns / HL_SECOND);
    struct tm when;
    char text[64];
    if (!localtime_r(&whole, &when) ||
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &when) == 0)
        return buf_append_str(line, "?");
    return buf_printf(line, "%s.%03d", text, (int)(ns % HL_SECOND / 1000000));
}

static int append_span(struct buf *line, const cJSON *event, const char *key)
{
    const cJSON *span = cJSON_GetObjectItemCaseSensitive(event, key);
    int rc = 0;
    if (span == NULL || !cJSON_IsNumber(span))
        return 0;
    rc = buf_printf(line, ", %s ", key);
    return rc == 0 ? field_append(line, span) : rc;
}

/* What became of a job. */
static int append_job(struct buf *line, const cJSON *event)
{
    const char *outcome = field_text(event, "outcome");
    int rc = buf_printf(line, ", %s -> %s", field_text(event, "from"), field_text(event, "to"));
    if (rc == 0 && outcome[0] != '\0')
        rc = buf_printf(line, ", %s", outcome);
    if (rc == 0 && strcmp(field_text(event, "event"), "reserve") == 0)
        rc = append_span(line, event, "waited");
    return rc == 0 ? append_span(line, event, "ran") : rc;
}

static int event_line(struct buf *line, const cJSON *event)
{
    const char *tube = field_text(event, "tube"), *from = field_text(event, "from_tube");
    uint64_t id = field_u64(event, "id");
    int rc = append_time(line, event);
    if (rc == 0)
        rc = buf_printf(line, " %-7s ", field_text(event, "event"));
    if (rc == 0 && id != 0)
        rc = buf_printf(line, " job %" PRIu64, id);
    if (rc == 0 && from[0] != '\0')
        rc = buf_printf(line, " from %s", from);
    if (rc == 0 && tube[0] != '\0')
        rc = buf_printf(line, " %s %s", from[0] != '\0' ? "to" : id != 0 ? "in" : "tube", tube);
    return rc == 0 && id != 0 ? append_job(line, event) : rc;
}

static enum exit_code event_show(const struct tool *tool, cJSON *event)
{
    if (tool->json)
        return out_object(event);
    struct buf line = BUF_EMPTY;
    int rc = event_line(&line, event);
    if (rc == 0) {
        out_text(STYLE_PLAIN, line.data);
        out_printf("\n");
    } else
        say("not enough memory");
    buf_fini(&line);
    return rc == 0 ? EXIT_CODE_OK : EXIT_CODE_FAILED;
}

static void gap_show(const struct tool *tool)
{
    if (tool->json)
        (void)out_json("{\"gap\":true}", strlen("{\"gap\":true}"));
    else
        say("events may be missing here: more than the daemon keeps, or they are too long ago");
}

/* ---- following ---- */

static cJSON *events_params(const struct events_follow *follow)
{
    const struct events_options *options = follow->options;
    uint64_t left = options->limit - follow->shown;
    cJSON *params = cJSON_CreateObject();
    if (params && (!options->tube || jsonobj_add_str(params, "tube", options->tube) == 0) &&
        (!options->group || jsonobj_add_str(params, "group", options->group) == 0) &&
        (!options->id || jsonobj_add_u64(params, "id", options->id) == 0) &&
        (!follow->after || jsonobj_add_u64(params, "after", follow->after) == 0) &&
        (!options->limit || jsonobj_add_u64(params, "limit", left) == 0) &&
        jsonobj_add_seconds(params, "wait", EVENTS_WAIT_NS) == 0)
        return params;
    cJSON_Delete(params);
    return NULL;
}

static enum exit_code no_answer(const char *what)
{
    say("the daemon's answer %s; that is no answer to what was asked", what);
    return EXIT_CODE_OUTPUT;
}

/* Takes one answer in, which came after so long. */
static enum exit_code events_take(const struct tool *tool, struct events_follow *follow,
                                  const cJSON *answer, int64_t took_ns)
{
    cJSON *events = cJSON_GetObjectItemCaseSensitive(answer, "events"), *event;
    enum exit_code code = EXIT_CODE_OK;
    uint64_t next;
    bool gap;
    if (!cJSON_IsArray(events) || jsonobj_get_u64(answer, "next", &next) != 0 ||
        jsonobj_get_bool(answer, "gap", &gap) != 0)
        return no_answer("has no events in it");
    bool some = events->child != NULL;
    if (!gap && (next < follow->after || (some && next == follow->after)))
        return no_answer("goes back");
    follow->idle = some || took_ns > EVENTS_WAIT_NS / 2 ? 0 : follow->idle + 1;
    if (follow->idle > EVENTS_IDLE_MAX)
        return no_answer("is empty, again and again");
    follow->after = next;
    if (gap)
        gap_show(tool);
    cJSON_ArrayForEach(event, events)
    {
        if (code != EXIT_CODE_OK || follow->over)
            break;
        code = event_show(tool, event);
        bool gone = follow->options->id != 0 && strcmp(field_text(event, "event"), "finish") == 0;
        follow->over = ++follow->shown == follow->options->limit || gone;
    }
    return code == EXIT_CODE_OK && !out_send() ? EXIT_CODE_OUTPUT : code;
}

static enum exit_code events_ask(const struct tool *tool, hl_client *client,
                                 struct events_follow *follow)
{
    const char *text;
    size_t len;
    cJSON *answer = NULL, *params = events_params(follow);
    int64_t begun_ns = clock_now_ns();
    if (params == NULL) {
        say("not enough memory");
        return EXIT_CODE_FAILED;
    }
    enum exit_code code =
        link_call(client, "events", params, EVENTS_WAIT_NS + LINK_ANSWER_NS, &text, &len);
    if (code == EXIT_CODE_OK)
        code = link_parse(text, len, &answer);
    if (code == EXIT_CODE_OK)
        code = events_take(tool, follow, answer, clock_now_ns() - begun_ns);
    cJSON_Delete(answer);
    return code;
}

enum exit_code command_events(struct tool *tool, int argc, char **argv)
{
    struct events_options events = {0};
    hl_client *client = NULL;
    command_parse(
        tool, "events", events_argp_options, events_parse, &events,
        "From now on, until it is interrupted; those of a job, until it is gone. An event "
        "is told when it is certain, as the level of its tube means that.\n\n"
        "  hilera events --tube mail\n"
        "  hilera events --json --group nightly | jq -c 'select(.event == \"bury\")'\n",
        argc, argv);
    struct events_follow follow = {.options = &events, .after = events.after};
    enum exit_code code = link_open(tool, &client);
    while (code == EXIT_CODE_OK && !follow.over)
        code = events_ask(tool, client, &follow);
    hl_client_free(&client);
    return code;
}
