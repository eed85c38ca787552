// SPDX-License-Identifier: MIT
/*
 * Base64, out and in. Reading is strict, so that a garbled text is noticed and not taken for other
 * bytes.
 */
#include "base/base64.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int base64_encode(struct buf *out, const void *bytes, size_t len)
{
    const unsigned char *from = bytes;
    int rc = buf_reserve(out, (len + 2) / 3 * 4);
    for (size_t at = 0; rc == 0 && at < len; at += 3) {
        size_t have = len - at < 3 ? len - at : 3;
        uint32_t three = (uint32_t)from[at] << 16;
        if (have > 1)
            three |= (uint32_t)from[at + 1] << 8;
        if (have > 2)
            three |= from[at + 2];
        const char four[] = {digits[three >> 18], digits[three >> 12 & 63],
                             (char)(have > 1 ? digits[three >> 6 & 63] : '='),
                             (char)(have > 2 ? digits[three & 63] : '=')};
        rc = buf_append(out, four, sizeof(four));
    }
    return rc;
}

static int sextet(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int base64_decode(struct buf *out, const char *text)
{
    size_t len = strlen(text);
    if (len % 4 != 0)
        return EINVAL;
    for (size_t i = 0; i < len; i += 4) {
        size_t pad = 0;
        uint32_t group = 0;
        if (i + 4 == len)
            pad = (size_t)(text[i + 3] == '=') + (size_t)(text[i + 3] == '=' && text[i + 2] == '=');
        for (size_t k = 0; k < 4; k++) {
            int bits = k >= 4 - pad ? 0 : sextet(text[i + k]);
            if (bits < 0)
                return EINVAL;
            group = group << 6 | (uint32_t)bits;
        }
        char bytes[3] = {(char)(group >> 16), (char)(group >> 8), (char)group};
        int rc = buf_append(out, bytes, 3 - pad);
        if (rc != 0)
            return rc;
    }
    return 0;
}
