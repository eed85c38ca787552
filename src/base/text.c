// SPDX-License-Identifier: MIT
/*
 * Untrusted text; see text.h. One table says which characters are escaped, one function how: a
 * character is either kept whole or escaped whole.
 */
#include "base/text.h"

#include "base/utf8_priv.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* More than this many bytes to be escaped, and more than this share, are no text. */
#define UNREADABLE_MORE_THAN 8
#define UNREADABLE_PERCENT 30

/* From the first to the last, in order. */
static const struct {
    uint32_t first, last;
} escaped[] = {
    {0x0, 0x1f},      /* C0 */
    {0x7f, 0x9f},     /* DEL, C1 */
    {0x61c, 0x61c},   /* a mark of direction */
    {0x200e, 0x200f}, /* others */
    {0x2028, 0x202e}, /* separators of lines; embeddings and overrides of direction */
    {0x2066, 0x2069}, /* isolates of direction */
};

static bool code_is_plain(uint32_t code)
{
    if (code >= 0x20 && code < 0x7f)
        return true;
    for (size_t i = 0; i < sizeof(escaped) / sizeof(escaped[0]); i++)
        if (code <= escaped[i].last)
            return code < escaped[i].first;
    return true;
}

/* The bytes that the character at `bytes` takes if it is to be kept, else 0. */
static size_t kept(const unsigned char *bytes, size_t len, enum text_place where)
{
    uint32_t code = 0;
    size_t taken = utf8_decode(bytes, len, &code);
    if (taken == 0 || code_is_plain(code))
        return taken;
    if (where == TEXT_LINE)
        return 0;
    if (code == '\n' || code == '\t')
        return 1;
    return code == '\r' && where == TEXT_PAGE && len > 1 && bytes[1] == '\n' ? 1 : 0;
}

static size_t escape_byte(unsigned char byte, char *shown)
{
    static const char hex[] = "0123456789abcdef";
    static const char names[] = "\nn\rr\tt";
    const char *name = byte != '\0' ? strchr(names, byte) : NULL;
    shown[0] = '\\';
    if (name != NULL && byte < 0x20) {
        shown[1] = name[1];
        return 2;
    }
    shown[1] = 'x';
    shown[2] = hex[byte >> 4];
    shown[3] = hex[byte & 15];
    return 4;
}

size_t text_piece(const void *bytes, size_t len, enum text_place where, char shown[TEXT_PIECE_MAX],
                  size_t *shown_len)
{
    const unsigned char *text = bytes;
    size_t taken = kept(text, len, where);
    uint32_t code = 0xfffd;
    if (taken > 0) {
        memcpy(shown, text, taken);
        *shown_len = taken;
        return taken;
    }
    taken = utf8_decode(text, len, &code);
    taken = taken > 0 ? taken : 1;
    if (where == TEXT_JSON) { /* nothing above U+FFFF is escaped */
        *shown_len = (size_t)snprintf(shown, TEXT_PIECE_MAX, "\\u%04x", (unsigned)code);
        return taken;
    }
    *shown_len = 0;
    for (size_t i = 0; i < taken; i++)
        *shown_len += escape_byte(text[i], shown + *shown_len);
    return taken;
}

int text_show(struct buf *out, const void *bytes, size_t len, enum text_place where)
{
    const unsigned char *text = bytes;
    int rc = 0;
    for (size_t at = 0; rc == 0 && at < len;) {
        size_t run = at, taken;
        while (run < len && (taken = kept(text + run, len - run, where)) > 0)
            run += taken;
        rc = buf_append(out, text + at, run - at);
        at = run;
        if (rc == 0 && at < len) {
            char shown[TEXT_PIECE_MAX];
            size_t shown_len;
            at += text_piece(text + at, len - at, where, shown, &shown_len);
            rc = buf_append(out, shown, shown_len);
        }
    }
    return rc;
}

static bool is_for_terminals(uint32_t code)
{
    return (code >= '\a' && code <= '\r') || code == 0x1b;
}

bool text_is_readable(const void *bytes, size_t len)
{
    const unsigned char *text = bytes;
    size_t bad = 0;
    for (size_t at = 0; at < len;) {
        uint32_t code = 0;
        size_t taken = utf8_decode(text + at, len - at, &code);
        if (taken > 0 && code == 0)
            return false;
        if (taken == 0 || (!code_is_plain(code) && !is_for_terminals(code)))
            bad++;
        at += taken > 0 ? taken : 1;
    }
    return bad <= UNREADABLE_MORE_THAN || bad * 100 <= len * UNREADABLE_PERCENT;
}

size_t text_cut(const void *bytes, size_t len)
{
    const unsigned char *text = bytes;
    for (size_t back = 1; back <= 3 && back <= len; back++) {
        unsigned char byte = text[len - back];
        if ((byte & 0xc0) == 0x80)
            continue;
        size_t need = byte < 0xc2 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : byte < 0xf5 ? 4 : 1;
        return need > back ? back : 0;
    }
    return 0;
}
