// SPDX-License-Identifier: MIT
/*
 * SHA-256 (FIPS 180-4): for what must not be turned back, such as tokens in the journal. Checksums
 * against damage are another matter, and faster.
 *
 * A pure function, any thread; about a third of a microsecond for up to 55 bytes.
 */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stddef.h>

#define SHA256_SIZE 32

void sha256(const void *bytes, size_t len, unsigned char hash[SHA256_SIZE]);

#endif
