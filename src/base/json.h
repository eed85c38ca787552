// SPDX-License-Identifier: MIT
/*
 * What cJSON can't do, as text: 64-bit integers stay exact, and bytes that aren't UTF-8 stay
 * visible.
 *
 * cJSON keeps numbers as double, which is exact to 2^53 only. Written numbers therefore go through
 * cJSON's raw nodes (see jsonobj.h), and texts to be parsed first pass through json_quote_integers,
 * after which a large integer arrives as a string of its digits.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Appends `bytes` as a JSON string with its quotes. What isn't valid UTF-8 becomes the text \xNN
 * for each such byte (so it reads \\xNN in JSON), and so does NUL, at which readers that keep C
 * strings would stop; other control characters become \uNNNN. ENOMEM: part of it may be in `out`.
 */
int json_append_string(struct buf *out, const void *bytes, size_t len);
/* The inside of such a string before JSON's own quoting: valid UTF-8, bad bytes and NUL as \xNN.
 * ENOMEM: part of it may be in `out`. */
int json_sanitize(struct buf *out, const void *bytes, size_t len);
/* Whether all of it is valid UTF-8 (no overlong forms, no surrogates, up to U+10FFFF). */
bool json_is_utf8(const void *bytes, size_t len);

/* Copies JSON text to `out` with every integer of more than 15 digits, outside of strings, put in
 * quotes. Says nothing about whether it is valid; bad JSON stays bad. ENOMEM: part of it may be in
 * `out`. */
int json_quote_integers(struct buf *out, const char *text, size_t len);

/* Decimal digits only, the whole text. EINVAL: empty, sign, space, other characters. ERANGE: above
 * 2^64 - 1. */
int json_parse_u64(const char *text, uint64_t *number);

#endif
