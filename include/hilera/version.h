// SPDX-License-Identifier: MIT
/*
 * The version of the installed headers, and what every one of them shares:
 * the export mark, "wait without end", and the place of a call.
 *
 * Conventions of the whole library:
 *  - A function that can fail returns 0 or an errno value; results go out
 *    through pointers, which are left alone when it fails.
 *  - Durations are nanoseconds in int64_t, named `_ns`. They are measured on the
 *    monotonic clock: setting the wall clock changes no wait.
 *  - Objects are opaque. `hl_x_free(&x)` takes the address of the pointer and
 *    nulls it; freeing a null pointer does nothing.
 *  - Everything may be called from any thread unless its comment says otherwise.
 */
#ifndef HILERA_VERSION_H
#define HILERA_VERSION_H

#include <stdint.h>

#define HL_VERSION_MAJOR 0
#define HL_VERSION_MINOR 1
#define HL_VERSION_PATCH 0
#define HL_VERSION "0.1.0"

#if defined(__cplusplus)
#define HL_BEGIN_DECLS extern "C" {
#define HL_END_DECLS }
#else
#define HL_BEGIN_DECLS
#define HL_END_DECLS
#endif

/* Marks what libhilera.so exports; everything else in it is hidden. */
#define HL_API __attribute__((visibility("default")))

/* Wait until it happens, however long that takes (Python's timeout=None). */
#define HL_FOREVER INT64_MAX

/* Units for durations, so that call sites read `3 * HL_SECOND`. */
#define HL_MICROSECOND INT64_C(1000)
#define HL_MILLISECOND INT64_C(1000000)
#define HL_SECOND INT64_C(1000000000)

/* "file.c:42" of the call, for reports that name the place. */
#define HL_STRINGIFY_(x) #x
#define HL_STRINGIFY(x) HL_STRINGIFY_(x)
#define HL_HERE __FILE__ ":" HL_STRINGIFY(__LINE__)

HL_BEGIN_DECLS

/* The version of the library that is running, "0.1.0"; static storage. */
HL_API const char *hl_version(void);

HL_END_DECLS

#endif
