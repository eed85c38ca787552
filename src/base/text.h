// SPDX-License-Identifier: MIT
/*
 * Text from outside (names, reasons, bodies, what jobs wrote, answers of a daemon) made fit to be
 * shown. All of it that reaches a terminal, a log or a message goes through text_show, or through
 * text_piece where there is no memory to be had.
 *
 * Escaped is what could pretend to be something else: control characters with those of C1, which
 * terminals act on; what turns the direction of writing, by which a line reads otherwise than it
 * is; the line separators of Unicode; and bytes that aren't UTF-8. The result is valid UTF-8
 * whatever came in. A backslash stays one, so this is for people: bytes can't be had back from it.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

enum text_place {
    TEXT_LINE, /* within one line: newline, return, tab are \n \r \t, others \xNN for each byte */
    TEXT_PAGE, /* the same, but tabs and ends of lines (LF, CR LF) stay */
    TEXT_JSON  /* JSON text that means the same: \uNNNN, bad bytes \ufffd; LF and tabs stay */
};

/* Appends it. ENOMEM: part of it may be in `out`. */
int text_show(struct buf *out, const void *bytes, size_t len, enum text_place where);

#define TEXT_PIECE_MAX 16 /* a character of three bytes, each of them as \xNN */
/*
 * The first character of `bytes`, which aren't empty, as it is shown: at most TEXT_PIECE_MAX bytes
 * in `shown`, their number in *shown_len. Returns how many bytes of the input that were.
 */
size_t text_piece(const void *bytes, size_t len, enum text_place where, char shown[TEXT_PIECE_MAX],
                  size_t *shown_len);

/* Whether people could read it as text: no NUL, and few bytes that have to be escaped; colours and
 * what else goes to terminals count as text. */
bool text_is_readable(const void *bytes, size_t len);
/* How many bytes at the end are the beginning of a character that isn't all there: 0 to 3. */
size_t text_cut(const void *bytes, size_t len);

#endif
