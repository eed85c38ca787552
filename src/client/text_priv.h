// SPDX-License-Identifier: MIT
/*
 * Bytes from outside made fit for one line of a terminal. Shared by library and tool.
 */
#ifndef CLIENT_TEXT_PRIV_H
#define CLIENT_TEXT_PRIV_H

#include "base/buf.h"

#include <stddef.h>

/*
 * Appends `bytes`: printable characters of valid UTF-8 as they are, newline, return and tab as \n
 * \r \t, a backslash as it is, any other control character (C1 included) or byte as \xNN. So
 * nothing can move the cursor or fake a line. ENOMEM.
 */
int text_append_printable(struct buf *out, const void *bytes, size_t len);

/* The same, but newlines and tabs stay: for a body shown on a terminal. ENOMEM. */
int text_append_page(struct buf *out, const void *bytes, size_t len);

#endif
