// SPDX-License-Identifier: MIT
/*
 * Signs of another protocol, before the first good command; stranger.c has the essay.
 */
#ifndef FRONT_STRANGER_PRIV_H
#define FRONT_STRANGER_PRIV_H

#include "front/front.h"

/* So many bad lines are one too many. */
#define STRANGER_ERRORS 16
/* What every HTTP request has in its first line, in whatever case. */
#define STRANGER_PATTERN " HTTP/"
#define STRANGER_MATCHED (sizeof(STRANGER_PATTERN) - 1)

/* How much of the pattern stands at the end of what was seen (at first 0), or STRANGER_MATCHED if
 * all of it was there. */
unsigned stranger_match(unsigned state, const char *bytes, size_t len);
/* Is there a control byte in it, beside TAB, CR and LF? No command has one. */
bool stranger_bytes(const char *bytes, size_t len);
/* A line that is no good command: is it one of HTTP, or of DICT? */
bool stranger_line(const char *line, size_t len);
/* A line whose end need not have come: does it begin with a TLS hello, has it control bytes,
 * or is there, ended by LF alone, a line of HTTP in it? */
bool stranger_begins(const char *data, size_t len);

#endif
