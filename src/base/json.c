// SPDX-License-Identifier: MIT
/*
 * JSON as text: strings from any bytes, and integers that survive a parser with doubles.
 *
 * Strings. Bytes from outside (tube names, output of programs) need not be UTF-8, JSON must be.
 * Each byte that isn't becomes the four characters \xNN: visible, and never an invalid answer. NUL
 * is treated the same way, because a reader that keeps strings as C strings (cJSON does) would lose
 * what follows. This is for people: a text that holds a literal "\x41" looks the same as an escaped
 * byte.
 *
 * Integers. A double holds every integer of 15 decimal digits exactly, not every one of 16. The
 * pre-pass therefore puts quotes around integers of more digits and leaves everything else as it
 * is. It is no validator: what was bad JSON stays bad JSON (a number before a colon gets no quotes,
 * it would become a key), and the parser behind it says so.
 */
#include "base/json.h"

#include "base/utf8_priv.h"

#include <errno.h>
#include <string.h>

/* Integers up to this many digits are exact in a double (DBL_DIG of float.h). */
#define EXACT_DIGITS 15

static const char hex[] = "0123456789abcdef";

/* ---- strings ---- */

/* How many bytes from `at` on can be copied as they are; `quoting`: into a JSON string. */
static size_t plain_run(const unsigned char *bytes, size_t len, size_t at, bool quoting)
{
    size_t start = at;
    while (at < len) {
        uint32_t code = 0;
        size_t taken = utf8_decode(bytes + at, len - at, &code);
        if (taken == 0 || code == 0)
            break;
        if (quoting && (code < 0x20 || code == '"' || code == '\\'))
            break;
        at += taken;
    }
    return at - start;
}

/* A byte that plain_run stopped at, in its escaped form. */
static int append_escaped(struct buf *out, unsigned char byte, bool quoting)
{
    if (quoting && (byte == '"' || byte == '\\')) {
        const char pair[] = {'\\', (char)byte};
        return buf_append(out, pair, sizeof(pair));
    }
    if (quoting && byte > 0 && byte < 0x20) {
        const char unicode[] = {'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]};
        return buf_append(out, unicode, sizeof(unicode));
    }
    /* In JSON the backslash of \xNN itself has to be escaped. */
    const char shown[] = {'\\', '\\', 'x', hex[byte >> 4], hex[byte & 15]};
    size_t skip = quoting ? 0 : 1;
    return buf_append(out, shown + skip, sizeof(shown) - skip);
}

static int append_shown(struct buf *out, const void *bytes, size_t len, bool quoting)
{
    const unsigned char *text = bytes;
    size_t at = 0;
    while (at < len) {
        size_t run = plain_run(text, len, at, quoting);
        int rc = buf_append(out, text + at, run);
        at += run;
        if (rc == 0 && at < len)
            rc = append_escaped(out, text[at++], quoting);
        if (rc != 0)
            return rc;
    }
    return 0;
}

int json_append_string(struct buf *out, const void *bytes, size_t len)
{
    int rc = buf_append_char(out, '"');
    if (rc == 0)
        rc = append_shown(out, bytes, len, true);
    if (rc == 0)
        rc = buf_append_char(out, '"');
    return rc;
}

int json_sanitize(struct buf *out, const void *bytes, size_t len)
{
    return append_shown(out, bytes, len, false);
}

bool json_is_utf8(const void *bytes, size_t len)
{
    const unsigned char *text = bytes;
    for (size_t at = 0; at < len;) {
        uint32_t code = 0;
        size_t taken = utf8_decode(text + at, len - at, &code);
        if (taken == 0)
            return false;
        at += taken;
    }
    return true;
}

/* ---- integers ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The length of the string at text[0] == '"' with both its quotes; up to the end if it isn't
 * closed. */
static size_t string_length(const char *text, size_t len)
{
    size_t at = 1;
    while (at < len && text[at] != '"')
        at += text[at] == '\\' && len - at > 1 ? 2 : 1;
    return at < len ? at + 1 : len;
}

/* The length of what a reader would take for a number, well-formed or not. */
static size_t number_length(const char *text, size_t len)
{
    size_t at = 0;
    while (at < len && text[at] != '\0' && strchr("0123456789+-.eE", text[at]) != NULL)
        at++;
    return at;
}

/* Whether that number is an integer a double may not hold. */
static bool is_large_integer(const char *text, size_t len)
{
    size_t sign = text[0] == '-' ? 1 : 0;
    for (size_t at = sign; at < len; at++) {
        if (!is_digit(text[at]))
            return false;
    }
    return len - sign > EXACT_DIGITS;
}

static bool colon_follows(const char *text, size_t len)
{
    size_t at = 0;
    while (at < len && (unsigned char)text[at] <= ' ') /* what cJSON skips as white space */
        at++;
    return at < len && text[at] == ':';
}

static int append_quoted(struct buf *out, const char *text, size_t len)
{
    int rc = buf_reserve(out, len + 2);
    if (rc == 0)
        rc = buf_append_char(out, '"');
    if (rc == 0)
        rc = buf_append(out, text, len);
    if (rc == 0)
        rc = buf_append_char(out, '"');
    return rc;
}

int json_quote_integers(struct buf *out, const char *text, size_t len)
{
    size_t copied = 0; /* everything before is in `out` */
    for (size_t at = 0; at < len;) {
        const char *here = text + at;
        if (*here == '"') {
            at += string_length(here, len - at);
            continue;
        }
        if (*here != '-' && !is_digit(*here)) {
            at++;
            continue;
        }
        size_t token = number_length(here, len - at);
        at += token;
        if (!is_large_integer(here, token) || colon_follows(text + at, len - at))
            continue;
        int rc = buf_append(out, text + copied, (size_t)(here - text) - copied);
        if (rc == 0)
            rc = append_quoted(out, here, token);
        if (rc != 0)
            return rc;
        copied = at;
    }
    return buf_append(out, text + copied, len - copied);
}

int json_parse_u64(const char *text, uint64_t *number)
{
    size_t len = strlen(text);
    if (len == 0 || strspn(text, "0123456789") != len)
        return EINVAL;
    uint64_t value = 0;
    for (size_t at = 0; at < len; at++) {
        unsigned digit = (unsigned)(text[at] - '0');
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return ERANGE;
    }
    *number = value;
    return 0;
}
