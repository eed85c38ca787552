// SPDX-License-Identifier: MIT
/*
 * Bytes from outside made fit for a terminal.
 *
 * Whoever can put a job or name a thread could otherwise send escape sequences to the terminal of
 * whoever looks at it. UTF-8 is judged by base/json, a character at a time; what isn't a character
 * is shown as the bytes it is made of. There is one order: a character is either kept whole or
 * escaped whole, so the result is valid UTF-8 whatever came in.
 */

#include "client/text_priv.h"

#include "base/json.h"

#include <errno.h>
#include <stdbool.h>

/* The length of the character at `bytes` if it is valid UTF-8, else 0. */
static size_t character_len(const unsigned char *bytes, size_t len)
{
    unsigned char first = bytes[0];
    size_t want = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    return want <= len && json_is_utf8(bytes, want) ? want : 0;
}

/* C0, DEL, and C1, which UTF-8 writes as C2 80 to C2 9F; also U+2028 and U+2029, which are line
 * ends to some. */
static bool is_control(const unsigned char *bytes, size_t len)
{
    if (len == 1)
        return bytes[0] < 0x20 || bytes[0] == 0x7f;
    if (len == 2)
        return bytes[0] == 0xc2 && bytes[1] < 0xa0;
    return len == 3 && bytes[0] == 0xe2 && bytes[1] == 0x80 &&
           (bytes[2] == 0xa8 || bytes[2] == 0xa9);
}

static int append_escaped(struct buf *out, const unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        int rc = bytes[i] == '\n'   ? buf_append_str(out, "\\n")
                 : bytes[i] == '\r' ? buf_append_str(out, "\\r")
                 : bytes[i] == '\t' ? buf_append_str(out, "\\t")
                                    : buf_printf(out, "\\x%02x", bytes[i]);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int append_text(struct buf *out, const unsigned char *bytes, size_t len, bool page)
{
    for (size_t at = 0; at < len;) {
        size_t character = character_len(bytes + at, len - at);
        bool keep = character > 0 && !is_control(bytes + at, character);
        if (page && (bytes[at] == '\n' || bytes[at] == '\t'))
            keep = true;
        if (character == 0)
            character = 1;
        int rc = keep ? buf_append(out, bytes + at, character)
                      : append_escaped(out, bytes + at, character);
        if (rc != 0)
            return rc;
        at += character;
    }
    return 0;
}

int text_append_printable(struct buf *out, const void *bytes, size_t len)
{
    return append_text(out, bytes, len, false);
}

int text_append_page(struct buf *out, const void *bytes, size_t len)
{
    return append_text(out, bytes, len, true);
}
