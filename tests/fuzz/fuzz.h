// SPDX-License-Identifier: MIT
/*
 * What every fuzz target has: libFuzzer's entry, called once for each input. It returns 0; a
 * finding is a failed assertion or a sanitizer's report. `data` is exactly `size` bytes, not
 * terminated.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
