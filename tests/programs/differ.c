// SPDX-License-Identifier: MIT
/*
 * The differential test: the same sessions against a beanstalkd and against hilerad, replies
 * compared. Usage:
 *
 *     differ BEANSTALKD HILERAD script FILE      plays one session from a file
 *     differ BEANSTALKD HILERAD random SEED N    N random commands
 *
 * where the first two are addresses ("unix:PATH" or a port). Both servers must be fresh. It prints
 * how many replies were compared and ends with 0, or says what differed, with what was said before,
 * and ends with 1.
 *
 * What may differ is listed in differ_reply.c (values), and in the sessions themselves (where a
 * reply is expected of one server only).
 */
#include "differ.h"

#include "base/clock.h"

#include <hilera/thread.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct side sides[SIDES] = {[REFERENCE] = {.name = "beanstalkd"}, [HILERA] = {.name = "hilerad"}};

/* ---- what was said ---- */

#define LOG_NOTES 200
#define LOG_NOTE_SIZE 200

static char notes[LOG_NOTES][LOG_NOTE_SIZE];
static uint64_t noted;

/* Escaped, so that a terminal survives it. */
static void text_escape(char *out, size_t size, const char *bytes, size_t len)
{
    size_t at = 0;
    for (size_t i = 0; i < len && at + 8 < size; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c == '\r' || c == '\n')
            at += (size_t)snprintf(out + at, size - at, "\\%c", c == '\r' ? 'r' : 'n');
        else if (c < ' ' || c > '~')
            at += (size_t)snprintf(out + at, size - at, "\\x%02x", c);
        else
            out[at++] = (char)c;
    }
    if (at < size)
        snprintf(out + at, size - at, "%s", at + 8 >= size ? "..." : "");
}

void differ_note(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(notes[noted++ % LOG_NOTES], LOG_NOTE_SIZE, format, args);
    va_end(args);
}

static void notes_say(void)
{
    uint64_t first = noted > LOG_NOTES ? noted - LOG_NOTES : 0;
    fprintf(stderr, "what was said before (connection> bytes):\n");
    for (uint64_t i = first; i < noted; i++)
        fprintf(stderr, "%s\n", notes[i % LOG_NOTES]);
}

void differ_say(int line, const void *bytes, size_t len)
{
    char text[LOG_NOTE_SIZE - 20];
    text_escape(text, sizeof(text), bytes, len);
    differ_note("  %d> %s", line, text);
    for (int i = 0; i < SIDES; i++)
        wire_send(&sides[i].lines[line], bytes, len);
}

void differ_same(int line, const struct buf *reference, const struct buf *hilera)
{
    if (reference->len == hilera->len &&
        (reference->len == 0 || memcmp(reference->data, hilera->data, hilera->len) == 0))
        return;
    size_t at = 0;
    while (at < reference->len && at < hilera->len && reference->data[at] == hilera->data[at])
        at++;
    size_t from = at > 200 ? at - 200 : 0;
    char texts[SIDES][2000];
    text_escape(texts[REFERENCE], 2000, reference->data + from, reference->len - from);
    text_escape(texts[HILERA], 2000, hilera->data + from, hilera->len - from);
    wire_fail("connection %d: replies differ at byte %zu\n%s: %s\n%s: %s", line, at,
              sides[REFERENCE].name, texts[REFERENCE], sides[HILERA].name, texts[HILERA]);
}

/* ---- statistics ---- */

uint64_t side_stat(struct side *side, const char *key)
{
    struct buf reply = BUF_EMPTY;
    char pattern[64];
    side->stats_asked++;
    wire_send(&side->watcher, "stats\r\n", 7);
    if (!wire_reply(&side->watcher, &reply))
        wire_fail("%s closed the connection that asks for statistics", side->name);
    snprintf(pattern, sizeof(pattern), "\n%s: ", key);
    const char *found = strstr(reply.data, pattern);
    if (found == NULL)
        wire_fail("%s has no %s in its statistics", side->name, key);
    uint64_t number = strtoull(found + strlen(pattern), NULL, 10);
    buf_fini(&reply);
    return number;
}

void side_await(struct side *side, const char *key, uint64_t number)
{
    int64_t limit_ns = clock_now_ns() + (int64_t)wire_patience() * HL_SECOND;
    uint64_t now;
    while ((now = side_stat(side, key)) != number) {
        if (clock_now_ns() > limit_ns)
            wire_fail("%s: %s stays %" PRIu64 ", and should be %" PRIu64, side->name, key, now,
                      number);
        sched_yield();
    }
}

/* The number of stats commands, which isn't compared reply by reply: without the watcher's. */
static void stats_compare(void)
{
    uint64_t others[SIDES];
    for (int i = 0; i < SIDES; i++)
        others[i] = side_stat(&sides[i], "cmd-stats") - sides[i].stats_asked;
    if (others[REFERENCE] != others[HILERA])
        wire_fail("cmd-stats is %" PRIu64 " and %" PRIu64, others[REFERENCE], others[HILERA]);
}

/* ---- the program ---- */

static int usage(void)
{
    fprintf(stderr, "usage: differ BEANSTALKD HILERAD script FILE\n"
                    "       differ BEANSTALKD HILERAD random SEED COMMANDS\n");
    return 64;
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return usage();
    for (int i = 0; i < SIDES; i++) {
        sides[i].address = argv[1 + i];
        wire_connect(&sides[i].watcher, sides[i].address);
    }
    wire_on_failure(notes_say);
    uint64_t replies;
    if (strcmp(argv[3], "script") == 0)
        replies = script_play(argv[4]);
    else if (strcmp(argv[3], "random") == 0 && argc == 6)
        replies = random_play(strtoull(argv[4], NULL, 0), strtoull(argv[5], NULL, 10));
    else
        return usage();
    if (replies == 0)
        wire_fail("no reply was compared");
    stats_compare();
    for (int i = 0; i < SIDES; i++)
        wire_close(&sides[i].watcher);
    printf("%" PRIu64 " replies are the same\n", replies);
    return 0;
}
