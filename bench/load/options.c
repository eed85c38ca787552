// SPDX-License-Identifier: MIT
/*
 * The command line. A number that is given is kept apart from the mix's default until the mix is
 * known, since the options may stand in any order. An option that the mix does not look at is an
 * error: a figure must not be taken for one of another load.
 */
#include "load/options.h"

#include "base/assert.h"
#include "base/nearest.h"
#include "load/fault.h"
#include "load/pattern.h"

#include <hilera/version.h>

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CONNECTIONS_MAX 60000 /* an owner has 16 bits in the ledger, a port has as many */
#define DEPTH_MAX 10000
#define SIZE_MAX_BYTES (64u << 20)
#define JOBS_MAX UINT64_C(1000000000)
#define SECONDS_MAX 86400.0
#define GIVEN(letter) (UINT32_C(1) << ((letter) - 'a'))

HL_API const char *argp_program_version = "hilera-bench " HL_VERSION;

struct parse {
    struct options *options;
    uint32_t given; /* GIVEN() of the letters of mixes.def, and 'c', 'b' (size) */
};

enum {
    KEY_JSON = 1000,
    KEY_PID,
    KEY_PATIENCE,
    KEY_SEED,
    KEY_CROWD,
    KEY_ASK,
    KEY_LIST,
    KEY_RESTART,
    KEY_DATA
};

static const struct argp_option table[] = {
    {"server", 'a', "ADDRESS", 0,
     "The server: tcp:HOST:PORT or unix:PATH (tcp:127.0.0.1:11300); redis: in front for Redis", 0},
    {"mix", 'm', "MIX", 0, "What to load it with (cycle); see below", 0},
    {"connections", 'c', "N", 0, "So many connections at once", 0},
    {"depth", 'd', "N", 0, "So many commands in flight on each", 0},
    {"size", 'b', "BYTES", 0, "The size of the jobs' bodies, at least 8", 0},
    {"jobs", 'j', "N", 0, "So many jobs; a tenth of them is the warm-up", 0},
    {"seconds", 's', "S", 0, "In place of a number of jobs: so long, after a warm-up", 0},
    {"tubes", 't', "N", 0, "Spread over so many tubes", 0},
    {"waiters", 'w', "N", 0, "So many waiting consumers", 0},
    {"crowd", KEY_CROWD, "KIND", 0, "What the others do: idle, churn, slow, unread or asks", 0},
    {"ask", KEY_ASK, "WHAT", 0, "What they ask now and then: list-tube-used, reserve, stats-job",
     0},
    {"restart", KEY_RESTART, "COMMAND", 0, "How to start the server again: words, no shell", 0},
    {"data", KEY_DATA, "DIR", 0, "Where the server keeps the jobs, to measure the bytes", 0},
    {"seed", KEY_SEED, "N", 0, "For what is random; a run prints its own", 0},
    {"pid", KEY_PID, "PID", 0, "The server's process, if stats doesn't tell; 0: look at none", 0},
    {"patience", KEY_PATIENCE, "S", 0, "No answer for so long is a wrong answer (30)", 0},
    {"json", KEY_JSON, NULL, 0, "Print the report as one JSON object", 0},
    {"list", KEY_LIST, NULL, 0, "Print the names of the mixes", 0},
    {0}};

static uint64_t number_read(struct argp_state *state, const char *name, const char *text,
                            uint64_t min, uint64_t max)
{
    char *end;
    errno = 0;
    uint64_t number = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || number < min ||
        number > max)
        argp_error(state, "--%s needs a number from %" PRIu64 " to %" PRIu64 ", not \"%s\"", name,
                   min, max, text);
    return number;
}

static double seconds_read(struct argp_state *state, const char *name, const char *text)
{
    char *end;
    double number = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(number) || number < 0.001 || number > SECONDS_MAX)
        argp_error(state, "--%s needs a number of seconds from 0.001 to %.0f, not \"%s\"", name,
                   SECONDS_MAX, text);
    return number;
}

static const struct mix *mix_find(struct argp_state *state, const char *name)
{
    struct nearest nearest;
    nearest_init(&nearest, name);
    for (size_t i = 0; i < mix_count; i++) {
        if (strcmp(mixes[i].name, name) == 0)
            return &mixes[i];
        nearest_offer(&nearest, mixes[i].name);
    }
    const char *best = nearest_best(&nearest);
    argp_error(state, "there is no mix \"%s\"%s%s%s", name, best ? "; did you mean \"" : "",
               best ? best : "", best ? "\"?" : "");
    return NULL;
}

static void mixes_list(void)
{
    for (size_t i = 0; i < mix_count; i++)
        printf("%s\n", mixes[i].name);
    exit(0);
}

/* Options without a letter of mixes.def: any mix takes them. */
static error_t parse_common(struct options *o, int key, char *arg, struct argp_state *state)
{
    switch (key) {
    case 'a':
        o->server = arg;
        return 0;
    case 'm':
        o->mix = mix_find(state, arg);
        return 0;
    case KEY_SEED:
        o->seed = number_read(state, "seed", arg, 0, UINT64_MAX);
        return 0;
    case KEY_PID:
        o->pid = (int64_t)number_read(state, "pid", arg, 0, INT32_MAX);
        return 0;
    case KEY_PATIENCE:
        o->patience = seconds_read(state, "patience", arg);
        return 0;
    case KEY_JSON:
        o->json = true;
        return 0;
    case KEY_LIST:
        mixes_list();
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "it takes no arguments, but there is \"%s\"", arg);
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct parse *parse = state->input;
    struct options *o = parse->options;
    switch (key) {
    case 'c':
        o->connections = number_read(state, "connections", arg, 1, CONNECTIONS_MAX);
        break;
    case 'd':
        o->depth = number_read(state, "depth", arg, 1, DEPTH_MAX);
        break;
    case 'b':
        o->size = number_read(state, "size", arg, PATTERN_SIZE_MIN, SIZE_MAX_BYTES);
        break;
    case 'j':
        o->jobs = number_read(state, "jobs", arg, 1, JOBS_MAX);
        break;
    case 's':
        o->seconds = seconds_read(state, "seconds", arg);
        break;
    case 't':
        o->tubes = number_read(state, "tubes", arg, 1, JOBS_MAX);
        break;
    case 'w':
        o->waiters = number_read(state, "waiters", arg, 1, CONNECTIONS_MAX);
        break;
    case KEY_CROWD:
        o->crowd = arg;
        key = 'k';
        break;
    case KEY_ASK:
        o->ask = arg;
        key = 'q';
        break;
    case KEY_RESTART:
        o->restart = arg;
        key = 'r';
        break;
    case KEY_DATA:
        o->data = arg;
        key = 'l';
        break;
    default:
        return parse_common(o, key, arg, state);
    }
    parse->given |= GIVEN(key);
    return 0;
}

static void mix_help(FILE *stream, const struct mix *mix)
{
    (void)fprintf(stream, "  %-9s %s\n            -c %" PRIu64 " -b %" PRIu64, mix->name,
                  mix->summary, mix->connections, mix->size);
    const struct {
        char letter;
        uint64_t number;
    } rows[] = {{'d', mix->depth}, {'j', mix->jobs}, {'t', mix->tubes}, {'w', mix->waiters}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strchr(mix->options, rows[i].letter) != NULL && rows[i].number > 0)
            (void)fprintf(stream, " -%c %" PRIu64, rows[i].letter, rows[i].number);
    if (mix->seconds > 0)
        (void)fprintf(stream, " -s %g", mix->seconds);
    (void)fprintf(stream, "%s\n", strchr(mix->options, 'k') != NULL ? " --crowd idle" : "");
}

/* The mixes with their defaults, below the options of --help. */
static char *help_text(int key, const char *text, void *input)
{
    (void)input;
    char *out = NULL;
    size_t len;
    if (key != ARGP_KEY_HELP_POST_DOC)
        return (char *)text;
    FILE *stream = open_memstream(&out, &len);
    if (stream == NULL)
        return (char *)text;
    (void)fprintf(stream, "Mixes, and the options they take with their defaults:\n");
    for (size_t i = 0; i < mix_count; i++)
        mix_help(stream, &mixes[i]);
    (void)fprintf(stream,
                  "\nStatus: 0 every answer was right; 1 one was wrong; 2 the command line; "
                  "3 no server or no means.");
    (void)fclose(stream);
    return out;
}

static const struct argp argp = {
    .options = table,
    .parser = parse_option,
    .doc = "Loads a beanstalk server, or Redis lists, checks every answer, and measures.\v.",
    .help_filter = help_text};

static const char *option_name(char letter)
{
    for (const struct argp_option *option = table; option->name != NULL; option++)
        if (option->key == letter || (letter == 'k' && option->key == KEY_CROWD) ||
            (letter == 'q' && option->key == KEY_ASK) ||
            (letter == 'r' && option->key == KEY_RESTART) ||
            (letter == 'l' && option->key == KEY_DATA))
            return option->name;
    CANT_HAPPEN("an option that the table does not have");
}

/* What was given must mean something to the mix; what was not given is the mix's. */
static void complete(struct options *o, uint32_t given)
{
    const struct mix *mix = o->mix;
    for (const char *letter = "djstwkrlq"; *letter != '\0'; letter++)
        if ((given & GIVEN(*letter)) && strchr(mix->options, *letter) == NULL)
            unusable("the mix %s takes no --%s", mix->name, option_name(*letter));
    /* Most mixes end by one of the two; one that has both by default needs both. */
    bool both = mix->jobs > 0 && mix->seconds > 0;
    if (!both && (given & GIVEN('j')) && (given & GIVEN('s')))
        unusable("either --jobs or --seconds ends a run, not both");
    uint64_t *const numbers[] = {&o->connections, &o->depth, &o->size, &o->tubes, &o->waiters};
    const uint64_t defaults[] = {mix->connections, mix->depth, mix->size, mix->tubes, mix->waiters};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (*numbers[i] == 0)
            *numbers[i] = defaults[i];
    if (!(given & GIVEN('j')) && (both || !(given & GIVEN('s'))))
        o->jobs = mix->jobs;
    if (!(given & GIVEN('s')) && (both || !(given & GIVEN('j'))))
        o->seconds = mix->seconds;
}

void options_read(struct options *options, int argc, char **argv)
{
    struct timespec now;
    struct parse parse = {options, 0};
    memset(options, 0, sizeof(*options));
    (void)clock_gettime(CLOCK_REALTIME, &now);
    options->server = "tcp:127.0.0.1:11300";
    options->mix = &mixes[0];
    for (size_t i = 0; i < mix_count; i++)
        if (strcmp(mixes[i].name, "cycle") == 0)
            options->mix = &mixes[i];
    options->seed = (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
    options->patience = 30;
    options->crowd = "idle";
    options->pid = -1;
    argp_err_exit_status = FAULT_USAGE;
    setenv("ARGP_HELP_FMT", "no-dup-args-note", 0);
    error_t rc = argp_parse(&argp, argc, argv, 0, NULL, &parse);
    if (rc != 0)
        failed("the command line can't be read: %s", strerrordesc_np(rc));
    complete(options, parse.given);
}
