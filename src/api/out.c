// SPDX-License-Identifier: MIT
/*
 * Writing results: base/jsonobj with the error kept in one place, so that a method reads as a list
 * of what it answers. After the first failure (there is only one: no memory) nothing more is added
 * and the dispatcher answers with that error instead of half a result.
 */
#include "api/api_priv.h"

#include "base/base64.h"
#include "base/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool out_good(struct out out)
{
    return *out.rc == 0;
}

void out_u64(struct out out, const char *name, uint64_t number)
{
    if (out_good(out))
        *out.rc = jsonobj_add_u64(out.object, name, number);
}

void out_i64(struct out out, const char *name, int64_t number)
{
    if (out_good(out))
        *out.rc = jsonobj_add_i64(out.object, name, number);
}

void out_str(struct out out, const char *name, const char *text)
{
    if (out_good(out))
        *out.rc = jsonobj_add_str(out.object, name, text);
}

void out_bool(struct out out, const char *name, bool value)
{
    if (out_good(out))
        *out.rc = jsonobj_add_bool(out.object, name, value);
}

void out_null(struct out out, const char *name)
{
    if (out_good(out))
        *out.rc = jsonobj_add_item(out.object, name, cJSON_CreateNull());
}

void out_seconds(struct out out, const char *name, int64_t ns)
{
    if (out_good(out))
        *out.rc = jsonobj_add_seconds(out.object, name, ns);
}

struct out out_object(struct out out, const char *name)
{
    struct out child = {.object = out_good(out) ? cJSON_CreateObject() : NULL, .rc = out.rc};
    if (out_good(out))
        *out.rc = jsonobj_add_item(out.object, name, child.object);
    return child;
}

struct out out_array(struct out out, const char *name)
{
    struct out child = {.object = out_good(out) ? cJSON_CreateArray() : NULL, .rc = out.rc};
    if (out_good(out))
        *out.rc = jsonobj_add_item(out.object, name, child.object);
    return child;
}

/* Takes `item` over. */
static void array_append(struct out array, cJSON *item)
{
    if (item != NULL && cJSON_AddItemToArray(array.object, item))
        return;
    cJSON_Delete(item);
    *array.rc = ENOMEM;
}

struct out out_array_object(struct out array)
{
    struct out child = {.object = out_good(array) ? cJSON_CreateObject() : NULL, .rc = array.rc};
    if (out_good(array))
        array_append(array, child.object);
    return child;
}

void out_array_str(struct out array, const char *text)
{
    if (out_good(array))
        array_append(array, cJSON_CreateString(text));
}

/* ---- bytes ---- */

void out_bytes(struct out out, const char *name, const void *bytes, size_t len)
{
    if (out_good(out))
        *out.rc = jsonobj_add_bytes(out.object, name, bytes, len);
    /* A NUL is UTF-8, but no text shows it. */
    bool exact = len == 0 || (json_is_utf8(bytes, len) && memchr(bytes, '\0', len) == NULL);
    if (!out_good(out) || exact)
        return;
    char label[64];
    snprintf(label, sizeof(label), "%s_base64", name);
    struct buf text = BUF_EMPTY;
    *out.rc = base64_encode(&text, bytes, len);
    if (*out.rc == 0)
        out_str(out, label, text.data);
    buf_fini(&text);
}
