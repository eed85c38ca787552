// SPDX-License-Identifier: MIT
/*
 * Moments of the wall clock as people and programs write them: RFC 3339, such as
 * "2026-11-23T08:30:00Z", "2026-11-23 08:30:00.25+01:00". A time zone is always there, so the
 * machine's own never matters. Pure functions.
 */
#ifndef BASE_WHEN_H
#define BASE_WHEN_H

#include <stddef.h>
#include <stdint.h>

/* Nanoseconds since 1970. EINVAL: it isn't such a moment, or none that exists (a 31st of April).
 * ERANGE: before 1970, or beyond what fits (the year 2262). */
int when_parse(const char *text, int64_t *ns);

#define WHEN_SIZE 40
/* "2026-11-23T08:30:00Z", with as many digits behind the seconds as are needed; ns from 0. */
void when_format(char text[WHEN_SIZE], int64_t ns);

#endif
