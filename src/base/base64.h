// SPDX-License-Identifier: MIT
/*
 * Base64 (RFC 4648, section 4), for bytes that a JSON text can't have. Pure functions.
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/buf.h"

#include <stddef.h>

/* Appends the text that stands for `bytes`. ENOMEM: nothing was added. */
int base64_encode(struct buf *out, const void *bytes, size_t len);
/*
 * Appends the bytes that `text` stands for. EINVAL: it isn't base64: the length must be a multiple
 * of four, padding stands only at the end, and no other character is allowed. ENOMEM. After an
 * error part of it may be in `out`.
 */
int base64_decode(struct buf *out, const char *text);

#endif
