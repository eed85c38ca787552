// SPDX-License-Identifier: MIT
/*
 * bench/broker: what the broker's operations cost, in the process, without sockets.
 *
 *     make bench/broker && bench/broker [--only NAME]... [--count] [--against OTHER]
 *
 * Rows are operations on one thread, in nanoseconds (p10 and median of blocks of 64), the same with
 * a journal that keeps nothing ("durable-"), rate and processor time of a thread that puts while
 * workers take, and the memory of a job. --list names them. Each is taken in each round; printed is
 * the median of the rounds.
 *
 * Times of two builds can be compared only if they were taken in turn: --against OTHER, which is a
 * bench/broker of another build, runs both, A B B A, and prints the ratios. Instructions (--count)
 * are exact, and don't care.
 *
 * While it measures it keeps the processors from deep sleep where it may (/dev/cpu_dma_latency).
 */
#include "broker_bench.h"

#include "base/nearest.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define JOBS_MIN BLOCK
#define JOBS_MAX 100000000
#define JOBS_DEFAULT 64000
#define JOBS_COUNTED 6400 /* as good as a million: the numbers are exact */
#define SIZE_MAX_BYTES (64u << 20)

void bench_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fputs("bench/broker: ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
    exit(1);
}

void bench_check(const char *what, int rc)
{
    if (rc != 0)
        bench_fail("%s: %s", what, strerrordesc_np(rc));
}

uint64_t bench_put(struct broker *broker, const struct broker_put_spec *spec, size_t size)
{
    struct job_body *body;
    uint64_t id;
    bench_check("body", job_body_new(&body, size));
    memset(body->bytes, 'x', size);
    bench_check("put", broker_put(broker, spec, &body, &id));
    return id;
}

/* ---- rows ---- */

static struct row rows[ROWS_MAX];
static size_t rows_count;

struct row *row_new(const char *prefix, const char *name, const char *unit, bool countable)
{
    if (rows_count == ROWS_MAX)
        bench_fail("there are more rows than ROWS_MAX");
    struct row *row = &rows[rows_count++];
    (void)snprintf(row->name, sizeof(row->name), "%s%s", prefix, name);
    row->unit = unit;
    row->countable = countable;
    return row;
}

struct row *row_at(size_t index)
{
    return index < rows_count ? &rows[index] : NULL;
}

struct row *row_find(const char *name)
{
    for (size_t i = 0; i < rows_count; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

void row_add(struct row *row, enum side side, double p10, double median)
{
    if (row->rounds[side] == ROUNDS_MAX)
        return;
    row->p10[side][row->rounds[side]] = p10;
    row->median[side][row->rounds[side]++] = median;
}

int double_compare(const void *a, const void *b)
{
    double one = *(const double *)a, two = *(const double *)b;
    return one < two ? -1 : one > two;
}

/* 0: there is none. */
static double middle(const double *values, unsigned count)
{
    double sorted[ROUNDS_MAX];
    if (count == 0)
        return 0;
    memcpy(sorted, values, count * sizeof(*values));
    qsort(sorted, count, sizeof(*sorted), double_compare);
    return count % 2 == 1 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

/* The median of the ratios of each round: this program's to the other's. */
static double ratio(double (*values)[ROUNDS_MAX], const unsigned *counts)
{
    double ratios[ROUNDS_MAX];
    unsigned count = 0;
    for (unsigned i = 0; i < counts[SIDE_THIS] && i < counts[SIDE_OTHER]; i++)
        if (values[SIDE_THIS][i] > 0 && values[SIDE_OTHER][i] > 0)
            ratios[count++] = values[SIDE_THIS][i] / values[SIDE_OTHER][i];
    return middle(ratios, count);
}

/* ---- the report ---- */

static void cell(double value, int decimals)
{
    if (value > 0)
        printf(" %10.*f", decimals, value);
    else
        printf(" %10s", "-");
}

static void row_print(struct row *row, const struct settings *settings)
{
    const double p10 = middle(row->p10[SIDE_THIS], row->rounds[SIDE_THIS]);
    const double median = middle(row->median[SIDE_THIS], row->rounds[SIDE_THIS]);
    const double other_p10 = middle(row->p10[SIDE_OTHER], row->rounds[SIDE_OTHER]);
    const double other = middle(row->median[SIDE_OTHER], row->rounds[SIDE_OTHER]);
    const char *unit = settings->count ? "instr." : row->unit;
    if (settings->json) {
        printf("{\"row\":\"%s\",\"unit\":\"%s\",\"p10\":%.3f,\"median\":%.3f", row->name, unit, p10,
               median);
        if (settings->against != NULL)
            printf(",\"other_p10\":%.3f,\"other_median\":%.3f,\"ratio_p10\":%.4f,\"ratio\":%.4f",
                   other_p10, other, ratio(row->p10, row->rounds), ratio(row->median, row->rounds));
        printf("}\n");
        return;
    }
    printf("%-22s %-8s", row->name, unit);
    if (!settings->count) {
        cell(p10, 1);
        if (settings->against != NULL) {
            cell(other_p10, 1);
            cell(ratio(row->p10, row->rounds), 3);
        }
    }
    cell(median, settings->count || row->p10[SIDE_THIS][0] > 0 ? 1 : 2);
    if (settings->against != NULL) {
        cell(other, settings->count || row->p10[SIDE_THIS][0] > 0 ? 1 : 2);
        cell(ratio(row->median, row->rounds), settings->count ? 4 : 3);
    }
    printf("\n");
}

static void header_print(const struct settings *settings)
{
    if (settings->json)
        return;
    printf("bodies of %" PRIu64 " bytes, %" PRIu64 " jobs in the tube, %" PRIu64 " operations",
           settings->size, settings->depth, settings->jobs);
    if (settings->count)
        printf("\n%-22s %-8s", "", "");
    else
        printf(", median of %u rounds\n%-22s %-8s %10s", settings->rounds, "", "", "p10");
    if (settings->against == NULL)
        printf(" %10s\n", settings->count ? "each" : "median");
    else if (settings->count)
        printf(" %10s %10s %10s\n", "this", "other", "ratio");
    else
        printf(" %10s %10s %10s %10s %10s\n", "other", "ratio", "median", "other", "ratio");
}

static void report(const struct settings *settings)
{
    header_print(settings);
    for (size_t i = 0; i < rows_count; i++)
        if (rows[i].wanted && (!settings->count || rows[i].countable))
            row_print(&rows[i], settings);
}

/* ---- the command line ---- */

enum { KEY_PRESENT = 1000, KEY_JSON, KEY_LIST, KEY_COUNT, KEY_AGAINST, KEY_COUNTED };

static const struct argp_option table[] = {
    {"rounds", 'r', "N", 0, "So many rounds (5)", 0},
    {"jobs", 'j', "N", 0,
     "So many operations of each row in a round (64000; with --count 6400). Pools do ten times as "
     "many",
     0},
    {"size", 'b', "BYTES", 0, "The size of the jobs' bodies (64)", 0},
    {"depth", 'd', "N", 0, "So many jobs lie in the tube (1000)", 0},
    {"present", KEY_PRESENT, "N", 0, "So many jobs for the figures of memory (1000000)", 0},
    {"only", 'o', "NAME", 0, "Only this row; may be given several times", 0},
    {"count", KEY_COUNT, NULL, 0, "Count instructions, by callgrind", 0},
    {"against", KEY_AGAINST, "PROGRAM", 0,
     "Run this bench/broker of another build, too, in turn, and print the ratios", 0},
    {"json", KEY_JSON, NULL, 0, "A JSON object a row", 0},
    {"list", KEY_LIST, NULL, 0, "Print the names of the rows", 0},
    {"counted", KEY_COUNTED, "NAME", OPTION_HIDDEN, "What callgrind is given to run", 0},
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

static void only_add(struct argp_state *state, struct settings *settings, const char *name)
{
    struct row *row = row_find(name);
    struct nearest nearest;
    nearest_init(&nearest, name);
    for (size_t i = 0; i < rows_count; i++)
        nearest_offer(&nearest, rows[i].name);
    const char *best = nearest_best(&nearest);
    if (row == NULL)
        argp_error(state, "there is no row \"%s\"%s%s%s", name, best ? "; did you mean \"" : "",
                   best ? best : "", best ? "\"?" : "");
    else
        row->wanted = true;
    settings->only++;
}

static void names_print(void)
{
    for (size_t i = 0; i < rows_count; i++)
        printf("%s\n", rows[i].name);
    exit(0);
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    struct settings *settings = state->input;
    switch (key) {
    case 'r':
        settings->rounds = (unsigned)number_read(state, "rounds", text, 1, ROUNDS_MAX);
        return 0;
    case 'j':
        settings->jobs = number_read(state, "jobs", text, JOBS_MIN, JOBS_MAX);
        return 0;
    case 'b':
        settings->size = number_read(state, "size", text, 1, SIZE_MAX_BYTES);
        return 0;
    case 'd':
        settings->depth = number_read(state, "depth", text, 0, JOBS_MAX);
        return 0;
    case KEY_PRESENT:
        settings->present = number_read(state, "present", text, 1, JOBS_MAX);
        return 0;
    case 'o':
        only_add(state, settings, text);
        return 0;
    case KEY_JSON:
        settings->json = true;
        return 0;
    case KEY_COUNT:
        settings->count = true;
        return 0;
    case KEY_AGAINST:
        settings->against = text;
        return 0;
    case KEY_COUNTED:
        settings->counted = text;
        return 0;
    case KEY_LIST:
        names_print();
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "it takes no arguments, but there is \"%s\"", text);
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void settings_read(struct settings *settings, int argc, char **argv)
{
    static const struct argp argp = {
        table, parse_option,
        NULL,  "What the broker's operations cost, in the process, without sockets.",
        NULL,  NULL,
        NULL};
    argp_err_exit_status = 2;
    (void)argp_parse(&argp, argc, argv, 0, NULL, settings);
    if (settings->jobs == 0)
        settings->jobs = settings->count ? JOBS_COUNTED : JOBS_DEFAULT;
    bool any = false;
    for (size_t i = 0; i < rows_count; i++) {
        if (settings->only == 0)
            rows[i].wanted = true;
        any |= rows[i].wanted && rows[i].countable;
    }
    if (settings->count && !any) {
        (void)fputs("bench/broker: --count has nothing to count in these rows\n", stderr);
        exit(2);
    }
    if (settings->against != NULL && access(settings->against, X_OK) != 0) {
        (void)fprintf(stderr, "bench/broker: --against %s: %s\n", settings->against,
                      strerrordesc_np(errno));
        exit(2);
    }
}

/* Whether valgrind is anywhere in PATH. */
static bool valgrind_is_here(void)
{
    const char *path = getenv("PATH");
    char name[4096];
    while (path != NULL && *path != '\0') {
        size_t len = strcspn(path, ":");
        (void)snprintf(name, sizeof(name), "%.*s/valgrind", (int)len, path);
        if (access(name, X_OK) == 0)
            return true;
        path += len + (path[len] == ':');
    }
    return false;
}

/* ---- what is done ---- */

static void count(const struct settings *settings)
{
    if (!valgrind_is_here()) {
        (void)fputs("bench/broker: --count needs valgrind, which is not here\n", stderr);
        exit(2);
    }
    child_count(settings, SIDE_THIS);
    if (settings->against != NULL)
        child_count(settings, SIDE_OTHER);
}

static void compare(const struct settings *settings)
{
    for (unsigned round = 0; round < settings->rounds; round++) {
        child_round(settings, round % 2 == 0 ? SIDE_THIS : SIDE_OTHER);
        child_round(settings, round % 2 == 0 ? SIDE_OTHER : SIDE_THIS);
    }
}

static void measure(const struct settings *settings)
{
    memory_measure(settings);
    for (unsigned round = 0; round < settings->rounds; round++) {
        ops_round(settings);
        pool_round(settings);
    }
}

int main(int argc, char **argv)
{
    struct settings settings = {.rounds = 5, .size = 64, .depth = 1000, .present = 1000000};
    uint32_t no_latency = 0;
    ops_rows();
    pool_rows();
    memory_rows();
    settings_read(&settings, argc, argv);
    if (settings.counted != NULL) {
        ops_counted(&settings);
        return 0;
    }
    int dma = open("/dev/cpu_dma_latency", O_WRONLY | O_CLOEXEC);
    if (dma >= 0)
        (void)!write(dma, &no_latency, sizeof(no_latency));
    if (settings.count)
        count(&settings);
    else if (settings.against != NULL)
        compare(&settings);
    else
        measure(&settings);
    report(&settings);
    return 0;
}
