// SPDX-License-Identifier: MIT
/*
 * The daemon's JSON for people: lists of fields, and tables of objects. field.c does it.
 */
#ifndef CLIENT_TOOL_FIELD_PRIV_H
#define CLIENT_TOOL_FIELD_PRIV_H

#include "client/tool_priv.h"

/* The value of a member for people, in one line. */
int field_append(struct buf *out, const cJSON *value);
/* An object as lines "label  value", nested objects indented below their label, arrays of objects
 * as tables. */
int field_print(const cJSON *object, size_t indent);
/* An array of objects, not empty, as a table with the keys of the row that has the most. */
int field_print_table(const cJSON *array, size_t indent);

#endif
