// SPDX-License-Identifier: MIT
/*
 * One character of UTF-8, as RFC 3629 defines it, shared by JSON and the log. An inline function
 * because both walk every byte of what passes through them.
 */
#ifndef BASE_UTF8_PRIV_H
#define BASE_UTF8_PRIV_H

#include <stddef.h>
#include <stdint.h>

/*
 * How many bytes the character at `text` takes (1 to 4), its number in *code; 0 if what stands
 * there is not valid: a stray continuation byte, an overlong form, a surrogate, more than U+10FFFF,
 * or cut off by `len` (0 included).
 */
static inline size_t utf8_decode(const unsigned char *text, size_t len, uint32_t *code)
{
    if (len == 0)
        return 0;
    unsigned char lead = text[0];
    if (lead < 0x80) {
        *code = lead;
        return 1;
    }
    /* C0 and C1 could only begin overlong forms, F5 and up only what lies above U+10FFFF. */
    size_t need = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    if (need == 0 || need > len)
        return 0;
    uint32_t value = lead & (0x7fu >> need);
    for (size_t i = 1; i < need; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (text[i] & 0x3fu);
    }
    if (need == 3 && (value < 0x800 || (value >= 0xd800 && value <= 0xdfff)))
        return 0;
    if (need == 4 && (value < 0x10000 || value > 0x10ffff))
        return 0;
    *code = value;
    return need;
}

#endif
