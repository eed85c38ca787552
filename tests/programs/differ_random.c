// SPDX-License-Identifier: MIT
/*
 * Random sessions: bursts of commands on several connections, one burst after the other, each
 * answered by both servers before the next is said.
 *
 * What makes it repeatable: a burst ends with a marker, a peek at a buried job that nothing else
 * touches, so its answers are complete when the marker's is there. A connection whose marker does
 * not come waits in a reserve; whether it does is seen from the statistics (current-waiting), never
 * from time passing. Nothing happens by time here: delays, TTRs and pauses are 1000 s; what does
 * has its own session (time.session).
 *
 * Departures are kept out of the way. list-tubes has another order there once a tube is gone,
 * so its entries are sorted before the comparison. And among several connections that wait for the
 * same tube beanstalkd doesn't always serve the first. So the connections are in groups that watch
 * different tubes, and of a group only one waits at a time. While somebody waits a burst is one
 * command, for what it wakes goes on beside the rest of the burst, in any order. Of the jobs of a
 * connection that goes beanstalkd hands the one reserved first to who waits, hilera the one whose
 * lease would end first: so none goes while another waits.
 */
#include "differ.h"

#include "base/clock.h"

#include <hilera/thread.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unit_random.h>

#define SESSION_COMMANDS 2000
#define BURST_MAX 6
#define GROUP_TUBES 3
#define HELD_MAX 8
#define FIRST_ID 2 /* job 1 is the marker */

static const char marker_command[] = "peek 1\r\n";
static const char marker_reply[] = "FOUND 1 6\r\nmarker\r\n";

struct player {
    bool busy; /* its marker hasn't come */
    uint64_t held[HELD_MAX];
    unsigned held_next;
    struct buf heard[SIDES]; /* since the last comparison */
    uint64_t replies[SIDES];
    bool marked[SIDES];
};

static struct player players[DIFFER_LINES];
static struct unit_random dice;
static unsigned groups;
static uint64_t last_id, clean_id, compared; /* all below clean_id but the marker are deleted */
static bool closing; /* a session ends: who waits may get another job on each server */

static uint64_t below(uint64_t limit)
{
    return unit_random_below(&dice, limit);
}

static bool one_in(uint64_t count)
{
    return below(count) == 0;
}

/* ---- hearing ---- */

/* What a reply teaches for later commands: ids. */
static void learn(struct player *player, const struct buf *reply)
{
    uint64_t id;
    if (sscanf(reply->data, "INSERTED %" SCNu64, &id) == 1 && id > last_id)
        last_id = id;
    if (sscanf(reply->data, "RESERVED %" SCNu64, &id) == 1)
        player->held[player->held_next++ % HELD_MAX] = id;
}

static int line_order(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* list-tubes is known by the marker's tube, which nobody watches. */
static void tubes_sort(struct buf *text)
{
    char *names[64], *save = NULL;
    size_t count = 0;
    char *copy = text->len > 0 ? strdup(text->data) : NULL;
    if (copy == NULL || strstr(copy, "\n- marker\n") == NULL) {
        free(copy);
        return;
    }
    for (char *line = strtok_r(copy, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save))
        if (count < sizeof(names) / sizeof(names[0]))
            names[count++] = line;
    qsort(names, count, sizeof(names[0]), line_order);
    buf_clear(text);
    for (size_t i = 0; i < count; i++)
        (void)buf_printf(text, "%s\n", names[i]);
    free(copy);
}

static void drain(int which, int line)
{
    struct wire *wire = &sides[which].lines[line];
    struct player *player = &players[line];
    struct buf reply = BUF_EMPTY, normal = BUF_EMPTY;
    size_t len;
    wire_fill(wire);
    while ((len = wire_reply_len(wire)) > 0) {
        buf_clear(&reply);
        buf_clear(&normal);
        if (buf_append(&reply, wire->in.data, len) != 0)
            wire_fail("no memory for a reply");
        buf_consume(&wire->in, len);
        reply_normal(&reply, &normal);
        tubes_sort(&normal);
        if (buf_append(&player->heard[which], normal.data, normal.len) != 0)
            wire_fail("no memory for a reply");
        player->replies[which]++;
        if (which == REFERENCE)
            learn(player, &reply);
        if (strcmp(reply.data, marker_reply) == 0)
            player->marked[which] = true;
    }
    if (wire->ended)
        wire_fail("%s closed connection %d", sides[which].name, line);
    buf_fini(&reply);
    buf_fini(&normal);
}

/* How many haven't their marker. */
static unsigned drain_all(int which)
{
    unsigned left = 0;
    for (int line = 0; line < DIFFER_LINES; line++)
        if (players[line].busy && !players[line].marked[which]) {
            drain(which, line);
            left += !players[line].marked[which];
        }
    return left;
}

static unsigned busy_count(void)
{
    unsigned busy = 0;
    for (int line = 0; line < DIFFER_LINES; line++)
        busy += players[line].busy;
    return busy;
}

/* Until every busy connection has its marker, or waits for a job. */
static void settle_side(int which, int line, bool may_wait)
{
    if (!may_wait && busy_count() == 1 && players[line].busy) {
        while (!players[line].marked[which]) {
            wire_wait(&sides[which].lines[line]);
            drain(which, line);
        }
        return;
    }
    int64_t limit_ns = clock_now_ns() + (int64_t)wire_patience() * HL_SECOND;
    /* who waits is among those that are left, so equal numbers are the same connections */
    uint64_t left, waiting;
    while ((left = drain_all(which)) > 0) {
        waiting = side_stat(&sides[which], "current-waiting");
        if (waiting == left && drain_all(which) == left) /* and what it said before is read, too */
            return;
        if (clock_now_ns() > limit_ns)
            wire_fail("%s: %" PRIu64 " connections neither answer nor wait", sides[which].name,
                      left);
        sched_yield();
    }
}

static void compare(int line)
{
    struct player *player = &players[line];
    while (player->replies[HILERA] < player->replies[REFERENCE]) {
        wire_wait(&sides[HILERA].lines[line]);
        drain(HILERA, line);
    }
    if (!closing)
        differ_same(line, &player->heard[REFERENCE], &player->heard[HILERA]);
    compared += player->replies[REFERENCE];
    player->busy = !player->marked[REFERENCE];
    for (int which = 0; which < SIDES; which++) {
        buf_clear(&player->heard[which]);
        player->replies[which] = 0;
    }
}

/* After something was done on a connection; may_wait: it may be that it waits now. */
static void settle(int line, bool may_wait)
{
    settle_side(REFERENCE, line, may_wait);
    settle_side(HILERA, line, may_wait);
    for (int i = 0; i < DIFFER_LINES; i++)
        if (players[i].busy)
            compare(i);
}

static void burst_say(int line, struct buf *burst, bool may_wait)
{
    (void)buf_append_str(burst, marker_command);
    players[line].busy = true;
    players[line].marked[REFERENCE] = players[line].marked[HILERA] = false;
    differ_say(line, burst->data, burst->len);
    buf_clear(burst);
    settle(line, may_wait);
}

/* ---- commands ---- */

static int group_of(int line)
{
    return line % (int)groups;
}

static bool group_waits(int line)
{
    for (int i = 0; i < DIFFER_LINES; i++)
        if (players[i].busy && group_of(i) == group_of(line))
            return true;
    return false;
}

static void say_own_tube(int line, struct buf *out)
{
    (void)buf_printf(out, "group%d-%d", group_of(line), (int)below(GROUP_TUBES));
}

static void say_any_tube(struct buf *out)
{
    static const char *const names[] = {"default", "loose", "a/b+c;d.e$f_g()", "0"};
    if (one_in(3))
        (void)buf_append_str(out, names[below(4)]);
    else
        say_own_tube((int)below(DIFFER_LINES), out);
}

static void say_bad_name(struct buf *out)
{
    static const char *const names[] = {"-x", "a b", " a", "a ", "", "a*b", "a\"b"};
    (void)buf_append_str(out, names[below(7)]);
}

/* Mostly one that the connection has, or one that is there. */
static uint64_t some_id(int line)
{
    const struct player *player = &players[line];
    if (player->held_next > 0 && !one_in(3))
        return player->held[below(player->held_next < HELD_MAX ? player->held_next : HELD_MAX)];
    uint64_t recent = last_id > 60 ? last_id - 60 : FIRST_ID;
    return recent + below(last_id - recent + 4);
}

static uint64_t some_pri(void)
{
    static const uint64_t edges[] = {0, 1023, 1024, 4294967295};
    return one_in(4) ? edges[below(4)] : below(5);
}

static unsigned some_delay(void)
{
    return one_in(4) ? 1000 : 0;
}

static void say_body(struct buf *out, uint64_t len)
{
    for (uint64_t i = 0; i < len; i++)
        (void)buf_append_char(out, "abcdefghijklmnop\r\n 0"[below(20)]);
}

static void make_put(int line, struct buf *out)
{
    static const uint64_t sizes[] = {65535, 65536, 70000};
    (void)line;
    uint64_t size = one_in(150) ? sizes[below(3)] : below(one_in(10) ? 500 : 30);
    (void)buf_printf(out, "put %" PRIu64 " %u %u %" PRIu64 "\r\n", some_pri(), some_delay(),
                     one_in(10) ? 4294967295U : 1000U, size);
    say_body(out, size);
    (void)buf_append_str(out, "\r\n");
}

static void make_bad_put(int line, struct buf *out)
{
    static const char *const puts[] = {"put 1 2 3\r\n",
                                       "put 0 0 1000 3x\r\nnot-a-body\r\n",
                                       "put 0 0 1000 2\r\nabcd\r\n",
                                       "put  0 0 1000 0\r\n\r\n",
                                       "put 0 0 1000 3 \r\nkick x\r\n",
                                       "put 4294967296 0 1 1\r\n"};
    (void)line;
    (void)buf_append_str(out, puts[below(6)]);
}

static void make_take(int line, struct buf *out)
{
    (void)line;
    (void)buf_append_str(out, "reserve-with-timeout 0\r\n");
}

static void make_wait(int line, struct buf *out)
{
    if (group_waits(line))
        make_take(line, out);
    else
        (void)buf_append_str(out, one_in(2) ? "reserve\r\n" : "reserve-with-timeout 1000\r\n");
}

/* Commands with an id and nothing else. */
static void make_with_id(int line, struct buf *out)
{
    static const char *const words[] = {"delete", "delete",   "delete",    "reserve-job", "touch",
                                        "peek",   "kick-job", "stats-job", "delete"};
    (void)buf_printf(out, "%s %" PRIu64 "\r\n", words[below(9)], some_id(line));
}

static void make_release(int line, struct buf *out)
{
    (void)buf_printf(out, "release %" PRIu64 " %" PRIu64 " %u\r\n", some_id(line), some_pri(),
                     some_delay());
}

static void make_bury(int line, struct buf *out)
{
    (void)buf_printf(out, "bury %" PRIu64 " %" PRIu64 "\r\n", some_id(line), some_pri());
}

static void make_kick(int line, struct buf *out)
{
    (void)line;
    (void)buf_printf(out, "kick %" PRIu64 "\r\n", below(4));
}

static void make_with_tube(int line, struct buf *out)
{
    static const char *const words[] = {"use", "use", "stats-tube"};
    (void)line;
    (void)buf_printf(out, "%s ", words[below(3)]);
    if (one_in(20))
        say_bad_name(out);
    else
        say_any_tube(out);
    (void)buf_append_str(out, "\r\n");
}

static void make_watch(int line, struct buf *out)
{
    (void)buf_append_str(out, one_in(2) ? "watch " : "ignore ");
    if (one_in(20))
        say_bad_name(out);
    else
        say_own_tube(line, out);
    (void)buf_append_str(out, "\r\n");
}

static void make_look(int line, struct buf *out)
{
    static const char *const looks[] = {"peek-ready",     "peek-delayed",       "peek-buried",
                                        "list-tube-used", "list-tubes-watched", "list-tubes",
                                        "stats"};
    (void)line;
    (void)buf_printf(out, "%s\r\n", looks[below(7)]);
}

static void make_pause(int line, struct buf *out)
{
    (void)line;
    (void)buf_append_str(out, "pause-tube ");
    say_any_tube(out);
    (void)buf_append_str(out, one_in(3) ? " 1000\r\n" : " 0\r\n");
}

static void make_junk(int line, struct buf *out)
{
    static const char *const junk[] = {
        "",         "nonsense",   "put",        "peek",   "peek x",    "kick x", "touch -1",
        "reserves", "stats-json", "pause-tube", "bury 2", "release 2", "use",    "PUT 1"};
    (void)line;
    if (one_in(10)) {
        uint64_t len = 230 + below(400);
        len += len % 224 == 223; /* where beanstalkd takes the next line for the end of this one */
        for (uint64_t i = 0; i < len; i++)
            (void)buf_append_char(out, 'x');
    } else {
        (void)buf_append_str(out, junk[below(14)]);
    }
    (void)buf_append_str(out, "\r\n");
}

/* ends: what it wakes or waits for comes after the burst, so it ends it. */
static const struct kind {
    void (*make)(int line, struct buf *out);
    unsigned weight;
    bool ends;
} kinds[] = {
    {make_put, 20, false},  {make_bad_put, 1, false},  {make_take, 10, false},
    {make_wait, 6, true},   {make_with_id, 24, false}, {make_release, 8, false},
    {make_bury, 6, false},  {make_kick, 3, false},     {make_with_tube, 6, false},
    {make_watch, 5, false}, {make_look, 6, false},     {make_pause, 2, true},
    {make_junk, 3, false},
};

static const struct kind *some_kind(void)
{
    unsigned sum = 0;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        sum += kinds[i].weight;
    unsigned at = (unsigned)below(sum);
    const struct kind *kind = kinds;
    while (at >= kind->weight)
        at -= kind++->weight;
    return kind;
}

/* ---- connections ---- */

static void line_open(int line)
{
    struct buf burst = BUF_EMPTY;
    for (int i = 0; i < SIDES; i++)
        wire_connect(&sides[i].lines[line], sides[i].address);
    players[line].held_next = 0;
    (void)buf_append_str(&burst, "watch ");
    say_own_tube(line, &burst);
    (void)buf_append_str(&burst, "\r\nignore default\r\n");
    burst_say(line, &burst, false);
    buf_fini(&burst);
}

static void line_close(int line)
{
    differ_note("  %d closes", line);
    for (int i = 0; i < SIDES; i++) {
        uint64_t connections = side_stat(&sides[i], "current-connections");
        wire_close(&sides[i].lines[line]);
        side_await(&sides[i], "current-connections", connections - 1);
    }
    players[line].busy = false;
    settle(line, true);
}

/* ---- a session ---- */

/* One burst; returns how many commands it had. */
static uint64_t burst_random(int line)
{
    struct buf burst = BUF_EMPTY;
    uint64_t want = busy_count() > 0 ? 1 : 1 + below(BURST_MAX), said = 0;
    bool ends = false;
    while (said < want && !ends) {
        const struct kind *kind = some_kind();
        kind->make(line, &burst);
        ends = kind->ends;
        said++;
    }
    burst_say(line, &burst, ends);
    buf_fini(&burst);
    return said;
}

/* Deletes what is left, and looks at what then remains. */
static void session_clean(void)
{
    struct buf burst = BUF_EMPTY;
    closing = true;
    for (int line = 0; line < DIFFER_LINES; line++)
        line_close(line);
    closing = false;
    line_open(0);
    for (uint64_t id = clean_id; id <= last_id; id++) {
        (void)buf_printf(&burst, "delete %" PRIu64 "\r\n", id);
        if (id % 50 == 0)
            burst_say(0, &burst, false);
    }
    clean_id = last_id + 1;
    (void)buf_append_str(&burst, "list-tubes\r\nstats\r\n");
    burst_say(0, &burst, false);
    if (side_stat(&sides[HILERA], "current-jobs-ready") != 0 ||
        side_stat(&sides[HILERA], "current-jobs-buried") != 1)
        wire_fail("a job is left after all were deleted");
    line_close(0);
    buf_fini(&burst);
}

static void session_play(uint64_t commands)
{
    for (int line = 0; line < DIFFER_LINES; line++)
        line_open(line);
    for (uint64_t said = 0; said < commands;) {
        int line = (int)below(DIFFER_LINES);
        if (one_in(60) && busy_count() == players[line].busy) {
            line_close(line);
            line_open(line);
        }
        if (!players[line].busy)
            said += burst_random(line);
    }
    session_clean();
}

/* The job that markers peek at: number 1, buried in a tube that nobody else names. */
static void marker_bury(void)
{
    static const char first[] = "use marker\r\nwatch marker\r\nput 0 0 1000 6\r\nmarker\r\n"
                                "reserve\r\nbury 1 0\r\n";
    struct buf burst = BUF_EMPTY;
    for (int i = 0; i < SIDES; i++)
        wire_connect(&sides[i].lines[0], sides[i].address);
    (void)buf_append_str(&burst, first);
    burst_say(0, &burst, false);
    line_close(0);
    buf_fini(&burst);
}

uint64_t random_play(uint64_t seed, uint64_t commands)
{
    dice = unit_random_seed(seed);
    last_id = clean_id = FIRST_ID;
    marker_bury();
    for (uint64_t said = 0; said < commands; said += SESSION_COMMANDS) {
        groups = 1 + (unsigned)(said / SESSION_COMMANDS % 3);
        session_play(commands - said < SESSION_COMMANDS ? commands - said : SESSION_COMMANDS);
    }
    for (int line = 0; line < DIFFER_LINES; line++)
        for (int i = 0; i < SIDES; i++)
            buf_fini(&players[line].heard[i]);
    return compared;
}
