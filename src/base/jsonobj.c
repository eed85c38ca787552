// SPDX-License-Identifier: MIT
/*
 * cJSON with exact numbers and any bytes.
 *
 * Out: numbers are raw nodes (their digits, printed as they are), strings pass json_sanitize. In:
 * the text passes json_quote_integers, so a large integer arrives as a string of digits, and the
 * readers here accept both forms. Everything else is cJSON's own affair and its functions may be
 * used beside these.
 *
 * Parsing refuses what would let two readers see two things in one text: bytes that aren't UTF-8,
 * and NUL, plain or as \u0000, at which cJSON's strings would end. cJSON's own leniencies (control
 * characters count as white space, a leading zero is a number) are kept.
 *
 * cJSON_GetErrorPtr is not used anywhere: it reads a global that every parse of any thread writes.
 */
#include "base/jsonobj.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/utf8_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Below 2^53 a whole double is the number that was written; from there on it may be a neighbour. */
#define EXACT_DOUBLE_LIMIT 9007199254740992.0

/* ---- parsing ---- */

/*
 * Where the first thing stands that isn't allowed anywhere in a text; len if there is none. A
 * backslash is always looked at together with what follows it: outside of strings it is an error
 * that cJSON reports.
 */
static size_t bad_character(const char *text, size_t len)
{
    static const char nul[] = "\\u0000";
    for (size_t at = 0; at < len;) {
        uint32_t code = 0;
        size_t taken = utf8_decode((const unsigned char *)text + at, len - at, &code);
        if (taken == 0 || code == 0)
            return at;
        if (code == '\\') {
            if (len - at >= strlen(nul) && memcmp(text + at, nul, strlen(nul)) == 0)
                return at;
            if (len - at > 1 && (text[at + 1] == '\\' || text[at + 1] == '"'))
                taken = 2;
        }
        at += taken;
    }
    return len;
}

/*
 * The offset in `text` of what stands at `offset` in its quoted form, which differs by added quotes
 * only.
 */
static size_t offset_unquoted(const char *text, size_t len, const char *quoted, size_t offset)
{
    size_t at = 0;
    for (size_t i = 0; i < offset && at < len; i++) {
        if (text[at] == quoted[i])
            at++;
    }
    return at;
}

static int parse_quoted(cJSON **out, const struct buf *quoted, size_t *offset)
{
    const char *end = quoted->data;
    /* cJSON returns NULL for both; malloc leaves ENOMEM behind, bad text doesn't. */
    errno = 0;
    /* The NUL behind the text counts: cJSON wants to see it there if nothing may follow. */
    cJSON *root = cJSON_ParseWithLengthOpts(quoted->data, quoted->len + 1, &end, true);
    if (root != NULL) {
        *out = root;
        return 0;
    }
    *offset = (size_t)(end - quoted->data);
    return errno == ENOMEM ? ENOMEM : EINVAL;
}

int jsonobj_parse(cJSON **out, const char *text, size_t len, size_t *where)
{
    size_t offset = bad_character(text, len);
    if (offset < len || len == 0) {
        if (where != NULL)
            *where = offset;
        return EINVAL;
    }
    struct buf quoted = BUF_EMPTY;
    int rc = json_quote_integers(&quoted, text, len);
    if (rc == 0)
        rc = parse_quoted(out, &quoted, &offset);
    if (rc == EINVAL && where != NULL)
        *where = offset_unquoted(text, len, quoted.data, offset);
    buf_fini(&quoted);
    return rc;
}

/* ---- writing ---- */

static int result_of(const cJSON *added)
{
    return added != NULL ? 0 : ENOMEM;
}

int jsonobj_add_u64(cJSON *object, const char *name, uint64_t number)
{
    char digits[24];
    snprintf(digits, sizeof(digits), "%" PRIu64, number);
    return result_of(cJSON_AddRawToObject(object, name, digits));
}

int jsonobj_add_i64(cJSON *object, const char *name, int64_t number)
{
    char digits[24];
    snprintf(digits, sizeof(digits), "%" PRId64, number);
    return result_of(cJSON_AddRawToObject(object, name, digits));
}

int jsonobj_add_bytes(cJSON *object, const char *name, const void *bytes, size_t len)
{
    struct buf text = BUF_EMPTY;
    int rc = json_sanitize(&text, bytes, len);
    if (rc == 0)
        rc = result_of(cJSON_AddStringToObject(object, name, text.len > 0 ? text.data : ""));
    buf_fini(&text);
    return rc;
}

int jsonobj_add_str(cJSON *object, const char *name, const char *text)
{
    return jsonobj_add_bytes(object, name, text, strlen(text));
}

int jsonobj_add_bool(cJSON *object, const char *name, bool value)
{
    return result_of(cJSON_AddBoolToObject(object, name, value));
}

int jsonobj_add_seconds(cJSON *object, const char *name, int64_t ns)
{
    int64_t micros = ns / 1000; /* towards zero */
    uint64_t amount = micros < 0 ? (uint64_t)-micros : (uint64_t)micros;
    char text[40];
    snprintf(text, sizeof(text), "%s%" PRIu64 ".%06" PRIu64, micros < 0 ? "-" : "",
             amount / 1000000, amount % 1000000);
    return result_of(cJSON_AddRawToObject(object, name, text));
}

int jsonobj_add_item(cJSON *object, const char *name, cJSON *child)
{
    if (child == NULL)
        return ENOMEM;
    if (cJSON_AddItemToObject(object, name, child))
        return 0;
    cJSON_Delete(child);
    return ENOMEM;
}

/* ---- reading ---- */

static const cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static int number_from_double(double value, uint64_t *number)
{
    /* Written so that a NaN fails too. */
    if (!(value >= 0 && value < EXACT_DOUBLE_LIMIT))
        return EINVAL;
    uint64_t whole = (uint64_t)value;
    if ((double)whole < value)
        return EINVAL;
    *number = whole;
    return 0;
}

int jsonobj_get_u64(const cJSON *object, const char *name, uint64_t *number)
{
    const cJSON *item = member(object, name);
    if (item == NULL)
        return ENOENT;
    if (cJSON_IsNumber(item))
        return number_from_double(item->valuedouble, number);
    if (!cJSON_IsString(item) && !cJSON_IsRaw(item))
        return EINVAL;
    return json_parse_u64(item->valuestring, number) == 0 ? 0 : EINVAL;
}

int jsonobj_get_str(const cJSON *object, const char *name, const char **text)
{
    const cJSON *item = member(object, name);
    if (item == NULL)
        return ENOENT;
    if (!cJSON_IsString(item))
        return EINVAL;
    *text = item->valuestring;
    return 0;
}

int jsonobj_get_bool(const cJSON *object, const char *name, bool *value)
{
    const cJSON *item = member(object, name);
    if (item == NULL)
        return ENOENT;
    if (!cJSON_IsBool(item))
        return EINVAL;
    *value = cJSON_IsTrue(item);
    return 0;
}
