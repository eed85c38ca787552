// SPDX-License-Identifier: MIT
/*
 * The one place where cJSON objects meet 64-bit numbers and raw bytes; see json.h for the text
 * side. In a library of its own, so that libhilera does without cJSON. All functions leave cJSON's
 * ownership rules as they are.
 */
#ifndef BASE_JSONOBJ_H
#define BASE_JSONOBJ_H

#include <cjson/cJSON.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Parses exact: large integers arrive as strings of digits. `text` need not be terminated. EINVAL:
 * not JSON, not UTF-8, trailing text, or a NUL inside, also as \u0000 (*where, if not NULL, is the
 * offset of the error in `text`). ENOMEM. Nesting is bounded by cJSON.
 */
int jsonobj_parse(cJSON **out, const char *text, size_t len, size_t *where);

/* Adds a number that stays exact / a string from any bytes (json_sanitize) / others. ENOMEM: the
 * object is unchanged. */
int jsonobj_add_u64(cJSON *object, const char *name, uint64_t number);
int jsonobj_add_i64(cJSON *object, const char *name, int64_t number);
int jsonobj_add_bytes(cJSON *object, const char *name, const void *bytes, size_t len);
int jsonobj_add_str(cJSON *object, const char *name, const char *text);
int jsonobj_add_bool(cJSON *object, const char *name, bool value);
/* Nanoseconds as a decimal number of seconds with 6 digits ("1.250000"). */
int jsonobj_add_seconds(cJSON *object, const char *name, int64_t ns);
/* Adds `child` and takes it over, also when it fails (then it is deleted). ENOMEM; also if child is
 * NULL. */
int jsonobj_add_item(cJSON *object, const char *name, cJSON *child);

/* Reads a member. ENOENT: not there. EINVAL: not a whole number in range (a number or a string of
 * digits). */
int jsonobj_get_u64(const cJSON *object, const char *name, uint64_t *number);
/* The member's text, valid as long as the object. ENOENT. EINVAL: not a string. */
int jsonobj_get_str(const cJSON *object, const char *name, const char **text);
int jsonobj_get_bool(const cJSON *object, const char *name, bool *value);

#endif
