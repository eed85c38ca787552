// SPDX-License-Identifier: MIT
/*
 * A load that is hard on the space of a journal, and a witness of what it takes: for
 * tests/scenario/space.test, and with large numbers for tests/soak/space.
 *
 *     hoard ADDRESS MIX jobs=N size=BYTES [size_max=BYTES] [depth=N] [seed=N] [slack=BYTES]
 *
 * Each body tells whose it is (bench/load/pattern.h), and each one that comes back is compared byte
 * by byte with what was put. Every twentieth of the way the statistics are asked for, and a line
 * tells of seconds, commands, jobs that are there, live bytes, bytes written to, bytes of all
 * files, segments. With `slack` the run fails when all files together are more than three times
 * what lived at most and so much more, which is what compaction promises (store/pressure.c): the
 * journal isn't made smaller at once when the living become fewer, which happens in any mix. What
 * lives is also the results that history doesn't have yet, and it takes all of them at once, now
 * and then; on a busy machine that is thousands. So the living are asked for after each batch.
 * Where much is deleted at once the journal may not grow meanwhile. In the end, when nothing comes
 * any more, the bound is that of what lives then.
 *
 * A new mix is a function and a row of `mixes`.
 */
#include "base/clock.h"
#include "load/pattern.h"
#include "unit_random.h"
#include "wire.h"

#include <stdlib.h>
#include <string.h>

/* What is sent before replies are read: bytes of either direction. */
#define BATCH_BYTES ((size_t)1 << 20)
#define DEPTH_MAX 1024
/* What a command makes live beside the bytes that it has: of a job or of a result. */
#define RECORD_BYTES 256
#define LINES 20
/* Of the mixes pin and random: how many jobs are there at a time. */
#define PRESENT_MAX 3000

enum said {
    SAID_PUT,
    SAID_DELETE,
    SAID_RESERVE_JOB,
    SAID_RESERVE,
    SAID_RELEASE,
    SAID_BURY,
    SAID_PEEK
};

static struct {
    const char *address;
    uint64_t jobs, size, size_max, depth, seed, slack;
} option = {.size = 100, .depth = 64, .seed = 1};

static const struct mix {
    const char *name;
    void (*run)(void);
    bool drains; /* the living become fewer faster than compaction can follow */
} * mix;

static struct wire wire, witness;
static struct buf out, in;
static struct {
    enum said said;
    uint64_t serial;
} waiting[DEPTH_MAX];
static size_t waiting_count;
static size_t coming; /* bytes of bodies */

static uint64_t *ids; /* of each serial that is there, else 0 */
static uint64_t present, present_bytes;
static uint64_t done, total; /* steps */
static uint64_t next_line;
static int64_t started_ns;
static uint64_t live_last, live_most; /* by the statistics; at most, counting what came since */
static uint64_t worst_over;           /* the most that total was over three times that, in bytes */
static struct unit_random dice;

/* ---- bodies ---- */

static size_t size_of(uint64_t serial)
{
    if (option.size_max <= option.size)
        return option.size;
    struct unit_random own = {serial};
    return option.size + unit_random_below(&own, option.size_max - option.size + 1);
}

static void body_check(const char *reply, size_t len, uint64_t *serial)
{
    const char *body = memchr(reply, '\n', len);
    if (body == NULL)
        wire_fail("no body: %.*s", (int)len, reply);
    body++;
    size_t size = len - (size_t)(body - reply) - 2;
    uint64_t id = strtoull(strchr(reply, ' '), NULL, 10);
    *serial = size >= PATTERN_SIZE_MIN ? pattern_serial(body) : 0;
    if (*serial == 0 || *serial > option.jobs || ids[*serial] != id || size != size_of(*serial))
        wire_fail("job %" PRIu64 " came with a body that isn't its own (%zu bytes)", id, size);
    if (!pattern_is(body, size, *serial))
        wire_fail("job %" PRIu64 ": the body is damaged", id);
}

/* ---- the statistics ---- */

static uint64_t figure(const char *json, const char *name)
{
    char quoted[64];
    snprintf(quoted, sizeof(quoted), "\"%s\":", name);
    const char *at = strstr(json, "\"journal\":");
    at = at != NULL ? strstr(at, quoted) : NULL;
    if (at == NULL)
        wire_fail("the statistics have no %s", name);
    return strtoull(at + strlen(quoted), NULL, 10);
}

struct figures {
    uint64_t live, used, all, segments;
};

static struct figures figures_get(void)
{
    static struct buf json;
    buf_clear(&json);
    wire_send(&witness, "call stats 2\r\n{}\r\n", 18);
    if (!wire_reply(&witness, &json))
        wire_fail("the daemon has hung up");
    return (struct figures){figure(json.data, "bytes_live"), figure(json.data, "bytes_used"),
                            figure(json.data, "bytes_total"), figure(json.data, "segments")};
}

static uint64_t over_of(const struct figures *now, uint64_t live)
{
    return now->all > 3 * live ? now->all - 3 * live : 0;
}

/* After a batch: none of it can have lived beside more than lived before it. */
static void live_look(uint64_t came)
{
    if (option.slack == 0)
        return;
    if (live_last + came > live_most)
        live_most = live_last + came;
    live_last = figures_get().live;
}

static void line_print(const struct figures *now)
{
    printf("%8.2f %10" PRIu64 " %10" PRIu64 " %12" PRIu64 " %12" PRIu64 " %12" PRIu64 " %6" PRIu64
           "\n",
           (double)(clock_now_ns() - started_ns) / 1e9, done, present, now->live, now->used,
           now->all, now->segments);
    fflush(stdout);
}

static void look(void)
{
    static uint64_t all_before;
    const struct figures now = figures_get();
    uint64_t over = over_of(&now, mix->drains ? now.live : live_most);
    if (over > worst_over)
        worst_over = over;
    line_print(&now);
    if (option.slack != 0 && over > option.slack &&
        (!mix->drains || now.all > all_before + option.slack))
        wire_fail("%" PRIu64 " bytes of files for %" PRIu64 " that live and %" PRIu64
                  " that did at most: %" PRIu64 " more than three times that, %" PRIu64
                  " are allowed",
                  now.all, now.live, live_most, over, option.slack);
    all_before = now.all;
}

/* At the end nothing comes any more, and the bound is reached whatever there was. */
static void settle(void)
{
    int64_t until_ns = clock_now_ns() + wire_patience() * INT64_C(1000000000);
    struct figures now = figures_get();
    while (option.slack != 0 && over_of(&now, now.live) > option.slack) {
        if (clock_now_ns() > until_ns)
            wire_fail("%" PRIu64 " bytes of files for %" PRIu64 " that live, and it stays so",
                      now.all, now.live);
        now = figures_get();
    }
    line_print(&now);
}

/* ---- asking ---- */

static void reply_check(enum said said, uint64_t serial)
{
    static const char *const good[] = {"INSERTED ", "DELETED", "RESERVED ", "RESERVED ",
                                       "RELEASED",  "BURIED",  "FOUND "};
    if (strncmp(in.data, good[said], strlen(good[said])) != 0)
        wire_fail("job %" PRIu64 " (%" PRIu64 "): not %s but %.60s", ids[serial], serial,
                  good[said], in.data);
    uint64_t whose = serial;
    if (said == SAID_PUT) {
        ids[serial] = strtoull(in.data + strlen(good[said]), NULL, 10);
    } else if (said == SAID_RESERVE_JOB || said == SAID_RESERVE || said == SAID_PEEK) {
        body_check(in.data, in.len, &whose);
        if (said != SAID_RESERVE && whose != serial)
            wire_fail("asked for %" PRIu64 ", got %" PRIu64, serial, whose);
    }
}

static uint64_t reserved[DEPTH_MAX]; /* serials, of the last batch */
static size_t reserved_count;

static void flush(void)
{
    uint64_t came = out.len + waiting_count * RECORD_BYTES;
    wire_send(&wire, out.data, out.len);
    buf_clear(&out);
    for (size_t i = 0; i < waiting_count; i++) {
        buf_clear(&in);
        if (!wire_reply(&wire, &in))
            wire_fail("the daemon has hung up");
        reply_check(waiting[i].said, waiting[i].serial);
        if (waiting[i].said == SAID_RESERVE)
            reserved[reserved_count++] = pattern_serial(strchr(in.data, '\n') + 1);
        if (waiting[i].said == SAID_DELETE)
            ids[waiting[i].serial] = 0;
    }
    waiting_count = 0;
    coming = 0;
    live_look(came);
    if (done >= next_line) {
        look();
        next_line = done + total / LINES + 1;
    }
}

static void said(enum said what, uint64_t serial)
{
    waiting[waiting_count].said = what;
    waiting[waiting_count++].serial = serial;
    if (what == SAID_PEEK || what == SAID_RESERVE_JOB)
        coming += size_of(serial);
    if (waiting_count >= option.depth || out.len >= BATCH_BYTES || coming >= BATCH_BYTES)
        flush();
}

static void must(int rc)
{
    if (rc != 0)
        wire_fail("no memory");
}

static void put(uint64_t serial)
{
    size_t size = size_of(serial);
    must(buf_printf(&out, "put 0 0 600 %zu\r\n", size));
    must(buf_reserve(&out, size + 2));
    pattern_fill(out.data + out.len, size, serial);
    out.len += size;
    must(buf_append(&out, "\r\n", 2));
    present++;
    present_bytes += size;
    done++;
    said(SAID_PUT, serial);
}

/* The ids of what was put must be known. */
static void known(uint64_t serial)
{
    if (ids[serial] == 0)
        flush();
}

static void delete (uint64_t serial)
{
    known(serial);
    must(buf_printf(&out, "delete %" PRIu64 "\r\n", ids[serial]));
    present--;
    present_bytes -= size_of(serial);
    done++;
    said(SAID_DELETE, serial);
}

static void ask(enum said what, uint64_t serial, const char *verb, const char *arguments)
{
    known(serial);
    must(buf_printf(&out, "%s %" PRIu64 "%s\r\n", verb, ids[serial], arguments));
    done++;
    said(what, serial);
}

/* ---- the mixes ---- */

static void mix_release(void)
{
    total = 2 * option.jobs;
    put(1);
    for (uint64_t i = 0; i < option.jobs; i++) {
        ask(SAID_RESERVE_JOB, 1, "reserve-job", "");
        ask(SAID_RELEASE, 1, "release", " 7 1000");
    }
    delete (1);
}

static void put_all(void)
{
    total = 2 * option.jobs;
    for (uint64_t serial = 1; serial <= option.jobs; serial++)
        put(serial);
    flush();
}

static void mix_oldest(void)
{
    put_all();
    for (uint64_t serial = 1; serial <= option.jobs; serial++)
        delete (serial);
}

static void mix_newest(void)
{
    put_all();
    for (uint64_t serial = option.jobs; serial > 0; serial--)
        delete (serial);
}

static void mix_second(void)
{
    put_all();
    for (uint64_t first = 1; first <= 2; first++)
        for (uint64_t serial = first; serial <= option.jobs; serial += 2)
            delete (serial);
}

static void mix_shuffled(void)
{
    put_all();
    uint64_t *order = malloc((option.jobs + 1) * sizeof(*order));
    must(order == NULL);
    for (uint64_t i = 0; i < option.jobs; i++) {
        uint64_t at = unit_random_below(&dice, i + 1);
        order[i] = order[at];
        order[at] = i + 1;
    }
    for (uint64_t i = 0; i < option.jobs; i++)
        delete (order[i]);
    free(order);
}

/* A few stay from the beginning to the end; the rest comes and goes. */
static void mix_pin(void)
{
    const uint64_t old = 5;
    total = 2 * option.jobs;
    for (uint64_t serial = 1; serial <= option.jobs; serial++) {
        put(serial);
        if (serial > old + PRESENT_MAX)
            delete (serial - PRESENT_MAX);
    }
    for (uint64_t serial = 1; serial <= option.jobs; serial++)
        if (known(serial), ids[serial] != 0)
            ask(SAID_PEEK, serial, "peek", "");
}

static void churn(uint64_t serial)
{
    ask(SAID_RESERVE_JOB, serial, "reserve-job", "");
    if (unit_random_below(&dice, 2) == 0)
        ask(SAID_BURY, serial, "bury", " 3");
    else
        ask(SAID_RELEASE, serial, "release", unit_random_below(&dice, 2) == 0 ? " 5 0" : " 5 1000");
}

static void mix_random(void)
{
    uint64_t here[PRESENT_MAX], last = 0;
    size_t count = 0;
    total = 3 * option.jobs;
    while (last < option.jobs) {
        uint64_t roll = unit_random_below(&dice, 3);
        if (count == 0 || (roll == 0 && count < PRESENT_MAX)) {
            here[count++] = ++last;
            put(last);
            continue;
        }
        size_t at = unit_random_below(&dice, count);
        if (roll == 1) {
            churn(here[at]);
        } else {
            delete (here[at]);
            here[at] = here[--count];
        }
    }
    for (size_t i = 0; i < count; i++)
        ask(SAID_PEEK, here[i], "peek", "");
}

/* Past the cache and back: all are put, some peeked at, all reserved, compared and deleted. */
static void mix_backlog(void)
{
    put_all();
    total = 3 * option.jobs;
    for (uint64_t i = 0; i < option.jobs / 50 + 1; i++)
        ask(SAID_PEEK, 1 + unit_random_below(&dice, option.jobs), "peek", "");
    flush();
    uint64_t left = option.jobs;
    while (left > 0) {
        uint64_t batch = option.depth < BATCH_BYTES / option.size + 1
                             ? option.depth
                             : BATCH_BYTES / option.size + 1;
        reserved_count = 0;
        for (uint64_t i = 0; i < batch && i < left; i++) {
            must(buf_append_str(&out, "reserve-with-timeout 0\r\n"));
            done++;
            said(SAID_RESERVE, 0);
        }
        flush();
        uint64_t batch_serials[DEPTH_MAX];
        size_t count = reserved_count;
        memcpy(batch_serials, reserved, sizeof(reserved));
        for (size_t i = 0; i < count; i++)
            delete (batch_serials[i]);
        flush();
        left -= count;
    }
}

static const struct mix mixes[] = {
    {"release", mix_release, false}, {"oldest", mix_oldest, true},     {"newest", mix_newest, true},
    {"second", mix_second, true},    {"shuffled", mix_shuffled, true}, {"pin", mix_pin, false},
    {"random", mix_random, false},   {"backlog", mix_backlog, true}};

/* ---- the command line ---- */

static void option_read(const char *text)
{
    static const struct {
        const char *name;
        uint64_t *value;
    } options[] = {{"jobs=", &option.jobs},         {"size=", &option.size},
                   {"size_max=", &option.size_max}, {"depth=", &option.depth},
                   {"seed=", &option.seed},         {"slack=", &option.slack}};
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        size_t len = strlen(options[i].name);
        if (strncmp(text, options[i].name, len) == 0) {
            *options[i].value = strtoull(text + len, NULL, 0);
            return;
        }
    }
    wire_fail("\"%s\" is none of jobs= size= size_max= depth= seed= slack=", text);
}

int main(int argc, char **argv)
{
    if (argc < 4)
        wire_fail("hoard ADDRESS MIX jobs=N [...]");
    for (int i = 3; i < argc; i++)
        option_read(argv[i]);
    if (option.jobs == 0 || option.size < PATTERN_SIZE_MIN || option.depth == 0 ||
        option.depth > DEPTH_MAX)
        wire_fail("jobs= is 1 at least, size= %d, depth= 1 to %d", PATTERN_SIZE_MIN, DEPTH_MAX);
    ids = calloc(option.jobs + 1, sizeof(*ids));
    must(ids == NULL);
    pattern_init(option.seed);
    dice = (struct unit_random){option.seed};
    wire_connect(&wire, argv[1]);
    wire_connect(&witness, argv[1]);
    started_ns = clock_now_ns();
    for (size_t i = 0; i < sizeof(mixes) / sizeof(mixes[0]); i++)
        if (strcmp(mixes[i].name, argv[2]) == 0)
            mix = &mixes[i];
    if (mix == NULL)
        wire_fail("there is no mix \"%s\"", argv[2]);
    printf("#   time       done    present         live         used        total   segs\n");
    mix->run();
    flush();
    look();
    settle();
    double seconds = (double)(clock_now_ns() - started_ns) / 1e9;
    printf("# %s: %" PRIu64 " commands in %.2f s, %.0f a second; at most %" PRIu64
           " bytes beyond three times the living\n",
           argv[2], done, seconds, (double)done / seconds, worst_over);
    wire_close(&wire);
    wire_close(&witness);
    buf_fini(&out);
    buf_fini(&in);
    free(ids);
    return 0;
}
