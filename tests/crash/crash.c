// SPDX-License-Identifier: MIT
/*
 * The crash harness: random work on a hilerad that is killed at random moments, and after each
 * restart the question whether all that it had acknowledged is there, and nothing else.
 *
 * A round has a data directory, a seed and several lives. A life: a start, which may be cut short a
 * few times first; the judge (judge.c); random work (actors.c, commands.c); the end. Kinds of end:
 *
 *     kill     SIGKILL, or now and then an orderly stop
 *     power    the power goes: what was not synced is kept, lost or torn (shim.c)
 *     fault    the disk refuses one call (round_fault.c)
 *     alloc    the system refuses memory (the same)
 *     damage   what it left is damaged (round_damage.c)
 *     results  SIGKILL, while jobs end, with clients that wait for them (round_results.c);
 *              results-power: a power loss; results-history: that, and
 *              history's disk is slow, full or broken
 *     proof    none: whether the judge finds what is wrong (round_proof.c)
 *
 * The seed makes all choices; only the moment of a SIGKILL depends on the machine. A round that
 * fails keeps its directory and says how to repeat it.
 *
 * With --older PATH the lives of a round, and its last start, belong to two programs by turns:
 * --hilerad and that one. So each reads what the other left, in both directions. Even seeds begin
 * with --hilerad, odd ones with the older; a start that is cut short is of either.
 */
#include "crash.h"

#include <hilera/thread.h>

#include <errno.h>
#include <ftw.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wire.h>

static const struct crash_options *the_options;
static uint64_t the_seed;
static char the_directory[200];
static const char *the_program;

static void failure_say(void)
{
    fprintf(stderr,
            "seed %" PRIu64 ", directory %s; to repeat: --kind %s --durability %s --lives %d "
            "--rounds 1 --seed %" PRIu64 " --every %" PRIu64 "%s%s%s%s\n",
            the_seed, the_directory, the_options->kind, the_options->durability, the_options->lives,
            the_seed, the_options->every, the_options->thread != NULL ? " --thread " : "",
            the_options->thread != NULL ? the_options->thread : "",
            the_options->older != NULL ? " --older " : "",
            the_options->older != NULL ? the_options->older : "");
    if (the_program != NULL)
        fprintf(stderr, "the last start was of %s\n", the_program);
}

void round_program(const char *program)
{
    the_program = program;
}

void fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("failed: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    failure_say();
    exit(1);
}

/* ---- kinds ---- */

static const struct kind {
    const char *name;
    bool shim;
    bool older; /* --older is possible */
    void (*run)(const struct crash_options *options, uint64_t seed, struct crash_tally *tally);
} kinds[] = {
    {"kill", false, true, round_crash},
    {"power", true, true, round_crash},
    {"fault", true, false, round_fault},
    {"alloc", true, false, round_fault},
    {"damage", false, false, round_damage},
    {"results", false, false, round_results},
    {"results-power", true, false, round_results},
    {"results-history", true, false, round_results},
    {"proof", false, false, round_proof},
};

static const struct kind *kind_of(const struct crash_options *options)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(options->kind, kinds[i].name) == 0)
            return &kinds[i];
    return NULL;
}

static bool kind_has_shim(const struct crash_options *options)
{
    return kind_of(options)->shim;
}

/* ---- directories ---- */

static int remove_one(const char *path, const struct stat *about, int type, struct FTW *where)
{
    (void)about;
    (void)type;
    (void)where;
    return remove(path);
}

void round_remove(const char *path)
{
    (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void round_directory(const struct crash_options *options, uint64_t seed, const char *part)
{
    the_seed = seed;
    snprintf(the_directory, sizeof(the_directory), "%.120s/%s-%s-%" PRIu64 "%s", options->directory,
             options->kind, options->durability, seed, part);
    round_remove(the_directory);
    if (mkdir(the_directory, 0700) != 0)
        fail("%s: %s", the_directory, strerror(errno));
}

void round_directory_drop(void)
{
    round_remove(the_directory);
}

/* ---- settings ---- */

void round_oracle(const struct crash_options *options, uint64_t seed, struct oracle *oracle)
{
    const char *durability = options->believe != NULL ? options->believe : options->durability;
    enum level level = strcmp(durability, "interval") == 0 ? LEVEL_INTERVAL : LEVEL_COMMIT;
    bool mixed = strcmp(durability, "levels") == 0;
    oracle_init(oracle, seed, level, mixed);
    if (kind_has_shim(options) && (mixed || level == LEVEL_INTERVAL))
        oracle->window_ns = CRASH_INTERVAL_MS * (HL_SECOND / 1000) + HL_SECOND;
}

/* Small segments as a rule, so that they turn over and compaction has work. */
struct victim_settings round_settings(const struct crash_options *options, struct oracle *oracle)
{
    static const uint64_t sizes[] = {65536, 65536, 131072, 1 << 20};
    uint64_t size = sizes[oracle_below(oracle, 4)];
    return (struct victim_settings){
        .hilerad = options->hilerad,
        .shim = kind_has_shim(options) ? options->shim : NULL,
        .directory = the_directory,
        .durability = options->durability,
        .tubes = oracle->tubes,
        .interval_ms = CRASH_INTERVAL_MS,
        .segment_size = size,
        .segment_size_max = size << oracle_below(oracle, 3),
        .cache_size = oracle_one_in(oracle, 2) || options->thread != NULL ? 65536 : 1 << 28,
        .lies = options->lies,
    };
}

/* ---- the command line ---- */

static void usage(void)
{
    fputs("usage: crash --hilerad PROGRAM --directory DIR [--shim LIBRARY] [--kind "
          "kill|power|fault|alloc|damage|results|results-power|results-history|proof]\n"
          "             [--durability commit|interval|levels|memory] [--rounds N] [--lives N] "
          "[--seed N]\n"
          "             [--every N] [--at N] [--thread NAME] [--lies N] [--believe DURABILITY]\n"
          "             [--older PROGRAM]\n",
          stderr);
    exit(2);
}

static uint64_t number(const char *text)
{
    char *end;
    uint64_t value = strtoull(text, &end, 0);
    if (end == text || *end != '\0')
        usage();
    return value;
}

static void older_check(const struct crash_options *options)
{
    if (!kind_of(options)->older)
        fprintf(stderr, "crash: --older is for the kinds kill and power, not for %s\n",
                options->kind);
    else if (access(options->older, X_OK) != 0)
        fprintf(stderr, "crash: --older %s: %s\n", options->older, strerror(errno));
    else
        return;
    exit(2);
}

static void options_read(struct crash_options *options, int argc, char **argv)
{
    /* A row of zeros ends it. */
    static const struct option names[15] = {
        {"hilerad", required_argument, NULL, 'h'},    {"shim", required_argument, NULL, 'S'},
        {"directory", required_argument, NULL, 'd'},  {"kind", required_argument, NULL, 'k'},
        {"durability", required_argument, NULL, 'D'}, {"rounds", required_argument, NULL, 'r'},
        {"lives", required_argument, NULL, 'l'},      {"seed", required_argument, NULL, 's'},
        {"every", required_argument, NULL, 'e'},      {"at", required_argument, NULL, 'a'},
        {"thread", required_argument, NULL, 't'},     {"lies", required_argument, NULL, 'L'},
        {"believe", required_argument, NULL, 'B'},    {"older", required_argument, NULL, 'o'}};
    int option;
    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1)
        switch (option) {
        case 'h':
            options->hilerad = optarg;
            break;
        case 'S':
            options->shim = optarg;
            break;
        case 'd':
            options->directory = optarg;
            break;
        case 'k':
            options->kind = optarg;
            break;
        case 'D':
            options->durability = optarg;
            break;
        case 'r':
            options->rounds = number(optarg);
            break;
        case 'l':
            options->lives = (int)number(optarg);
            break;
        case 's':
            options->seed = number(optarg);
            break;
        case 'L':
            options->lies = number(optarg);
            break;
        case 'a':
            options->at = number(optarg);
            break;
        case 't':
            options->thread = optarg;
            break;
        case 'B':
            options->believe = optarg;
            break;
        case 'o':
            options->older = optarg;
            break;
        case 'e':
            options->every = number(optarg);
            break;
        default:
            usage();
        }
    if (options->hilerad == NULL || options->directory == NULL || optind < argc ||
        options->every == 0 || kind_of(options) == NULL ||
        (kind_has_shim(options) && options->shim == NULL))
        usage();
    if (options->older != NULL)
        older_check(options);
}

int main(int argc, char **argv)
{
    struct crash_options options = {
        .kind = "kill", .durability = "commit", .rounds = 1, .lives = 5, .seed = 1, .every = 1};
    struct crash_tally tally = {0};
    options_read(&options, argc, argv);
    the_options = &options;
    wire_on_failure(failure_say);
    for (uint64_t round = 0; round < options.rounds; round++)
        kind_of(&options)->run(&options, options.seed + round, &tally);
    if (options.thread != NULL && tally.faults == 0)
        fail("nothing was refused to a thread \"%s\": there is none, or it asked for nothing",
             options.thread);
    printf("%s at %s: %" PRIu64 " rounds, %" PRIu64 " lives, ", options.kind, options.durability,
           options.rounds, tally.lives);
    if (options.older != NULL)
        printf("%" PRIu64 " of them of the older hilerad, ", tally.older);
    printf("%" PRIu64 " killed, %" PRIu64 " stopped, %" PRIu64 " power losses, %" PRIu64
           " faults; %" PRIu64 " puts, %" PRIu64 " answers, %" PRIu64 " refusals, %" PRIu64
           " in doubt, %" PRIu64 " jobs compared, %" PRIu64 " leases went on, %" PRIu64
           " ends told, %" PRIu64 " jobs to end again; nothing lost, nothing wrong\n",
           tally.killed, tally.stopped, tally.lost, tally.faults, tally.puts, tally.answers,
           tally.refused, tally.doubtful, tally.compared, tally.went_on, tally.told, tally.again);
    return 0;
}
