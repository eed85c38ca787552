// SPDX-License-Identifier: MIT
/*
 * Job bodies whose content tells which job they belong to: a body that was swapped, cut, shifted,
 * or left by another run is known by looking at it alone.
 */
#ifndef LOAD_PATTERN_H
#define LOAD_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATTERN_SIZE_MIN 8 /* the serial number itself */

/* Once, before the others. Runs with different seeds don't know each other's bodies. */
void pattern_init(uint64_t seed);

/* Writes the body of job `serial`, `size` bytes. */
void pattern_fill(char *body, size_t size, uint64_t serial);

/* The serial number in a body. */
uint64_t pattern_serial(const char *body);

/* Is it the whole and untouched body of job `serial`? */
bool pattern_is(const char *body, size_t size, uint64_t serial);

#endif
