// SPDX-License-Identifier: MIT
/*
 * Base64 in (RFC 4648, section 4), for output of jobs that is not text.
 *
 * Strict: the length is a multiple of four, padding stands only at the end, and no other character
 * is allowed, so that a garbled answer is noticed instead of printed.
 */

#include "client/tool_priv.h"

#include <errno.h>
#include <string.h>

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

int base64_append(struct buf *out, const char *text)
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
