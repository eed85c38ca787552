// SPDX-License-Identifier: MIT
/*
 * What the files of the differential test share: the two servers side by side, and what is allowed
 * to be different between their replies.
 */
#ifndef DIFFER_H
#define DIFFER_H

#include "wire.h"

#include <stdint.h>

#define DIFFER_LINES 6 /* connections to each server, besides the one that watches */

struct side {
    const char *name, *address;
    struct wire lines[DIFFER_LINES];
    struct wire watcher; /* asks for statistics, to see who waits */
    uint64_t stats_asked;
};

enum { REFERENCE, HILERA, SIDES };

extern struct side sides[SIDES];

/* ---- differ.c: what was said, for the report of a failure ---- */

/* Remembers it (the last few hundred), and sends it to both servers. */
void differ_say(int line, const void *bytes, size_t len);
/* Only remembers; "line: text". */
void differ_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A number from the statistics of the server, asked for on the watcher. */
uint64_t side_stat(struct side *side, const char *key);
/* Asks until the number is that: waits for what another connection brings about. */
void side_await(struct side *side, const char *key, uint64_t number);

/* Two texts of replies must be the same; ends the program with both if they aren't. */
void differ_same(int line, const struct buf *reference, const struct buf *hilera);

/* ---- differ_reply.c ---- */

/* Appends a reply in the form in which both are compared. */
void reply_normal(const struct buf *reply, struct buf *out);

/* ---- the two kinds of session ---- */

/* Plays a file (its form stands in differ_script.c); returns the number of replies compared. */
uint64_t script_play(const char *path);
/* So many random commands; returns the number of replies compared. */
uint64_t random_play(uint64_t seed, uint64_t commands);

#endif
