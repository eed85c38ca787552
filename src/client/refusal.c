// SPDX-License-Identifier: MIT
/*
 * What a refusal says: "code" and "message" out of the JSON object of an ERROR answer.
 *
 * libhilera does without a JSON library, and this is the only JSON it looks into: two strings of a
 * flat object. The reader knows strings (with all their escapes) exactly and steps over any other
 * value by its brackets, so a daemon that adds members later is still understood. Depth and length
 * are bounded by the answer's own length; nothing recurses.
 */

#include "client/client_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct scan {
    const char *at, *end;
};

static void scan_space(struct scan *scan)
{
    while (scan->at < scan->end && strchr(" \t\r\n", *scan->at) && *scan->at)
        scan->at++;
}

/* Whether the next character (after white space) is `c`; takes it if so. */
static bool scan_take(struct scan *scan, char c)
{
    scan_space(scan);
    if (scan->at == scan->end || *scan->at != c)
        return false;
    scan->at++;
    return true;
}

/* Four hexadecimal digits behind "\u". */
static bool scan_hex4(struct scan *scan, unsigned *code)
{
    *code = 0;
    if (scan->end - scan->at < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        char c = *scan->at++;
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
                                                : 16;
        if (digit > 15)
            return false;
        *code = *code * 16 + digit;
    }
    return true;
}

/* UTF-8. NUL and halves of pairs become U+FFFD: the text is used as a C string. */
static int append_code_point(struct buf *out, unsigned code)
{
    if (code == 0 || (code >= 0xd800 && code < 0xe000))
        code = 0xfffd;
    char bytes[4];
    size_t len = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char mark[] = {0, 0x00, 0xc0, 0xe0, 0xf0};
    for (size_t i = len; i-- > 1; code >>= 6)
        bytes[i] = (char)(0x80 | (code & 0x3f));
    bytes[0] = (char)(mark[len] | code);
    return buf_append(out, bytes, len);
}

/* Behind "\u": one code point, of two escapes if the first is the first half of a pair. */
static int scan_unicode(struct scan *scan, struct buf *out)
{
    unsigned code, low;
    if (!scan_hex4(scan, &code))
        return EPROTO;
    if (code >= 0xd800 && code < 0xdc00 && scan->end - scan->at >= 6 && scan->at[0] == '\\' &&
        scan->at[1] == 'u') {
        struct scan ahead = {scan->at + 2, scan->end};
        if (!scan_hex4(&ahead, &low))
            return EPROTO;
        if (low >= 0xdc00 && low < 0xe000) {
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
            scan->at = ahead.at;
        }
    }
    return append_code_point(out, code);
}

/* A string with its quotes, decoded to the end of `out`. EPROTO, ENOMEM. */
static int scan_string(struct scan *scan, struct buf *out)
{
    if (!scan_take(scan, '"'))
        return EPROTO;
    while (scan->at < scan->end) {
        unsigned char c = (unsigned char)*scan->at++;
        int rc;
        if (c == '"')
            return 0;
        if (c < 0x20)
            return EPROTO;
        if (c != '\\') {
            rc = buf_append_char(out, (char)c);
        } else {
            static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
            c = scan->at < scan->end ? (unsigned char)*scan->at++ : 0;
            const char *plain = c ? strchr(from, c) : NULL;
            rc = plain      ? buf_append_char(out, to[plain - from])
                 : c == 'u' ? scan_unicode(scan, out)
                            : EPROTO;
        }
        if (rc != 0)
            return rc;
    }
    return EPROTO;
}

/* Steps over a value of any kind, up to the comma or bracket that ends it. `scratch` is
 * overwritten. */
static int scan_skip(struct scan *scan, struct buf *scratch)
{
    size_t depth = 0;
    for (;;) {
        scan_space(scan);
        if (scan->at == scan->end)
            return EPROTO;
        char c = *scan->at;
        if (depth == 0 && (c == ',' || c == '}'))
            return 0;
        if (c == '"') {
            buf_clear(scratch);
            int rc = scan_string(scan, scratch);
            if (rc != 0)
                return rc;
            continue;
        }
        if (c == '{' || c == '[')
            depth++;
        if (c == '}' || c == ']')
            depth--;
        scan->at++;
    }
}

static bool code_is_word(const struct buf *code)
{
    return code->len > 0 && code->len < CLIENT_CODE_MAX &&
           strspn(code->data, "abcdefghijklmnopqrstuvwxyz0123456789_") == code->len;
}

/* One member: its value goes to `code` or `message` if it has that name. */
static int member_read(struct scan *scan, struct buf *code, struct buf *message,
                       struct buf *scratch)
{
    buf_clear(scratch);
    int rc = scan_string(scan, scratch);
    if (rc != 0)
        return rc;
    struct buf *value = NULL;
    if (scratch->len == 4 && memcmp(scratch->data, "code", 4) == 0)
        value = code;
    else if (scratch->len == 7 && memcmp(scratch->data, "message", 7) == 0)
        value = message;
    if (!scan_take(scan, ':'))
        return EPROTO;
    if (!value)
        return scan_skip(scan, scratch);
    buf_clear(value);
    return scan_string(scan, value);
}

int refusal_read(const char *json, size_t len, char code[CLIENT_CODE_MAX], struct buf *message)
{
    struct scan scan = {json, json + len};
    struct buf word = BUF_EMPTY, scratch = BUF_EMPTY;
    int rc = scan_take(&scan, '{') ? 0 : EPROTO;
    buf_clear(message);
    while (rc == 0) {
        rc = member_read(&scan, &word, message, &scratch);
        if (rc == 0 && !scan_take(&scan, ','))
            break;
    }
    if (rc == 0 && !scan_take(&scan, '}'))
        rc = EPROTO;
    scan_space(&scan);
    if (rc == 0 && (scan.at != scan.end || message->len == 0 || !code_is_word(&word)))
        rc = EPROTO;
    if (rc == 0)
        memcpy(code, word.data, word.len + 1);
    buf_fini(&word);
    buf_fini(&scratch);
    return rc;
}
