// SPDX-License-Identifier: MIT
/*
 * The daemon's JSON for people.
 *
 * The shape follows the data: members that are single values become lines of label and value, a
 * list of objects becomes a table, an object inside becomes a section. So what a later daemon adds
 * is shown without a change here; fields.def only says how to show it better. Order is the
 * daemon's.
 */

#include "client/tool_field_priv.h"
#include "client/tool_priv.h"
#include "client/tool_table_priv.h"

#include "base/json.h"
#include "base/jsonobj.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum field_kind {
    FIELD_KIND_TEXT,
    FIELD_KIND_SECONDS,
    FIELD_KIND_TIME,
    FIELD_KIND_SIZE,
    FIELD_KIND_BLOCK,
    FIELD_KIND_HIDDEN,
    FIELD_KIND_MINOR,
    FIELD_KIND_FLAG
};

static const struct field {
    const char *section, *key, *label;
    enum field_kind kind;
} fields[] = {
#define FIELD(section, key, label, kind) {#section, #key, label, FIELD_KIND_##kind},
#include "client/fields.def"
#undef FIELD
};

/* `section`: the key of the object or list that the member is in; "": none. */
static const struct field *field_find(const char *section, const char *key)
{
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (strcmp(fields[i].key, key) == 0 &&
            (fields[i].section[0] == '\0' || strcmp(fields[i].section, section) == 0))
            return &fields[i];
    return NULL;
}

static enum field_kind field_kind(const char *section, const cJSON *value)
{
    const struct field *field = value->string ? field_find(section, value->string) : NULL;
    return field ? field->kind : FIELD_KIND_TEXT;
}

static int label_append(struct buf *out, const char *section, const char *key)
{
    const struct field *field = field_find(section, key);
    if (field)
        return buf_append_str(out, field->label);
    size_t start = out->len;
    int rc = text_show(out, key, strlen(key), TEXT_LINE);
    for (size_t i = start; rc == 0 && i < out->len; i++)
        if (out->data[i] == '_')
            out->data[i] = ' ';
    return rc;
}

uint64_t field_u64(const cJSON *object, const char *key)
{
    uint64_t number = 0;
    return jsonobj_get_u64(object, key, &number) == 0 ? number : 0;
}

int64_t field_seconds(const cJSON *object, const char *key)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key);
    double seconds = cJSON_IsNumber(value) ? value->valuedouble : 0;
    if (!(seconds > 0)) /* not a number, too */
        return 0;
    return seconds < (double)FIELD_SECONDS_MAX ? (int64_t)(seconds * (double)HL_SECOND)
                                               : FIELD_SECONDS_MAX * HL_SECOND;
}

const char *field_text(const cJSON *object, const char *key)
{
    const char *text;
    return jsonobj_get_str(object, key, &text) == 0 ? text : "";
}

/* ---- one value ---- */

static int time_append(struct buf *out, double seconds)
{
    struct tm when;
    char text[64];
    time_t whole = (time_t)seconds;
    if (!localtime_r(&whole, &when) ||
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &when) == 0)
        return buf_printf(out, "%.0f", seconds);
    return buf_append_str(out, text);
}

int size_append(struct buf *out, double bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t unit = 0;
    /* What would be rounded to 1024 is one of the next. */
    while (bytes >= 1023.95 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        bytes /= 1024;
        unit++;
    }
    return buf_printf(out, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
}

static int number_append(struct buf *out, enum field_kind kind, double number)
{
    /* Beyond it, nanoseconds do not fit; no daemon runs that long. */
    const double most_seconds = 9e9;
    if (kind == FIELD_KIND_SECONDS && number < most_seconds && number > -most_seconds)
        return duration_append(out, (int64_t)(number * (double)HL_SECOND));
    if (kind == FIELD_KIND_TIME && number > 0 && number < 1e11)
        return time_append(out, number);
    if (kind == FIELD_KIND_SIZE && number >= 0)
        return size_append(out, number);
    return buf_printf(out, "%.15g", number);
}

static int scalar_append(struct buf *out, enum field_kind kind, const cJSON *value)
{
    if (cJSON_IsString(value)) {
        uint64_t number;
        /* A number too large for a double arrives as the text of its digits, which is exact. */
        if (kind != FIELD_KIND_TEXT && json_parse_u64(value->valuestring, &number) == 0)
            return number_append(out, kind, (double)number);
        return text_show(out, value->valuestring, strlen(value->valuestring), TEXT_LINE);
    }
    if (cJSON_IsNumber(value))
        return number_append(out, kind, value->valuedouble);
    if (cJSON_IsBool(value))
        return buf_append_str(out, cJSON_IsTrue(value) ? "yes" : "no");
    return buf_append_str(out, cJSON_IsNull(value) ? "-" : "...");
}

static int value_append(struct buf *out, enum field_kind kind, const cJSON *value)
{
    const cJSON *item;
    int rc = 0;
    if (!cJSON_IsArray(value))
        return scalar_append(out, kind, value);
    if (!value->child)
        return buf_append_char(out, '-');
    cJSON_ArrayForEach(item, value)
    {
        if (rc == 0 && item != value->child)
            rc = buf_append_str(out, ", ");
        if (rc == 0)
            rc = scalar_append(out, kind, item);
    }
    return rc;
}

int field_append(struct buf *out, const cJSON *value)
{
    return value_append(out, field_kind("", value), value);
}

/* The key of an object or a list, which is the section of what is in it. */
static const char *section_of(const cJSON *container)
{
    return container->string ? container->string : "";
}

/* ---- tables ---- */

/* Which keys are columns: those of the row that has the most, since a daemon leaves out what a row
 * has not. */
struct columns {
    const char *section;
    const cJSON *keys;
    bool minor; /* the minor ones, too */
};

static bool is_column(const struct columns *columns, const cJSON *key)
{
    enum field_kind kind = field_kind(columns->section, key);
    return kind != FIELD_KIND_HIDDEN && (columns->minor || kind != FIELD_KIND_MINOR);
}

static const cJSON *widest_row(const cJSON *array)
{
    const cJSON *row, *widest = array->child;
    cJSON_ArrayForEach(row, array)
    {
        if (cJSON_GetArraySize(row) > cJSON_GetArraySize(widest))
            widest = row;
    }
    return widest;
}

/* `row` NULL: the head. */
static int table_row(struct table *table, const struct columns *columns, const cJSON *row)
{
    const cJSON *key;
    int rc = 0;
    cJSON_ArrayForEach(key, columns->keys)
    {
        struct buf text = BUF_EMPTY;
        if (rc != 0 || !is_column(columns, key))
            continue;
        const cJSON *value = cJSON_GetObjectItemCaseSensitive(row, key->string);
        if (!row)
            rc = label_append(&text, columns->section, key->string);
        else if (value)
            rc = value_append(&text, field_kind(columns->section, key), value);
        if (rc == 0)
            rc = table_add(table, text.data ? text.data : "", text.len);
        buf_fini(&text);
    }
    return rc;
}

/* A large one among them may have arrived as text. */
static bool column_has_numbers(const cJSON *array, const char *key)
{
    const cJSON *row;
    cJSON_ArrayForEach(row, array)
    {
        if (cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(row, key)))
            return true;
    }
    return false;
}

static int table_fill(struct table *table, const struct columns *columns, const cJSON *array)
{
    const cJSON *key, *row;
    size_t count = 0, column = 0;
    cJSON_ArrayForEach(key, columns->keys)
    {
        count += is_column(columns, key);
    }
    int rc = table_init(table, count);
    cJSON_ArrayForEach(key, columns->keys)
    {
        if (rc == 0 && is_column(columns, key)) {
            if (column_has_numbers(array, key->string))
                table_align_right(table, column);
            column++;
        }
    }
    if (rc == 0)
        rc = table_row(table, columns, NULL);
    cJSON_ArrayForEach(row, array)
    {
        if (rc == 0)
            rc = table_row(table, columns, row);
    }
    return rc;
}

int field_print_table(const cJSON *array, size_t indent)
{
    struct columns columns = {section_of(array), widest_row(array), true};
    size_t width = out_width();
    struct table table;
    int rc = table_fill(&table, &columns, array);
    if (rc == 0 && width > 0 && table_width(&table) + indent > width) {
        table_fini(&table);
        columns.minor = false;
        rc = table_fill(&table, &columns, array);
    }
    if (rc == 0)
        rc = table_print(&table, width, indent);
    table_fini(&table);
    return rc;
}

/* ---- objects ---- */

static bool is_table(const cJSON *value)
{
    return cJSON_IsArray(value) && cJSON_IsObject(value->child);
}

static bool is_section(const char *section, const cJSON *value)
{
    if (field_kind(section, value) == FIELD_KIND_BLOCK)
        return cJSON_IsString(value) && strchr(value->valuestring, '\n') != NULL;
    return cJSON_IsObject(value) || is_table(value);
}

static bool is_hidden(const char *section, const cJSON *value)
{
    enum field_kind kind = field_kind(section, value);
    return kind == FIELD_KIND_HIDDEN || (kind == FIELD_KIND_FLAG && cJSON_IsFalse(value)) ||
           (kind == FIELD_KIND_BLOCK && cJSON_IsString(value) && value->valuestring[0] == '\0');
}

static int block_print(const char *text, size_t indent)
{
    for (const char *line = text; *line;) {
        size_t len = strcspn(line, "\n");
        struct buf printable = BUF_EMPTY;
        int rc = text_show(&printable, line, len, TEXT_PAGE);
        if (rc == 0)
            out_printf("%*s%s\n", (int)indent, "", printable.data ? printable.data : "");
        buf_fini(&printable);
        if (rc != 0)
            return rc;
        line += len + (line[len] == '\n');
    }
    return 0;
}

static int section_print(const char *section, const cJSON *value, size_t indent)
{
    struct buf label = BUF_EMPTY;
    int rc = label_append(&label, section, value->string ? value->string : "");
    if (rc == 0) {
        out_printf("%*s", (int)indent, "");
        out_text(STYLE_HEAD, label.data ? label.data : "");
        out_printf("\n");
    }
    buf_fini(&label);
    if (rc != 0)
        return rc;
    if (cJSON_IsString(value))
        return block_print(value->valuestring, indent + 2);
    return is_table(value) ? field_print_table(value, indent + 2) : field_print(value, indent + 2);
}

static int line_print(const char *section, const cJSON *value, size_t indent, size_t labels)
{
    struct buf label = BUF_EMPTY, text = BUF_EMPTY;
    int rc = label_append(&label, section, value->string ? value->string : "");
    if (rc == 0)
        rc = value_append(&text, field_kind(section, value), value);
    if (rc == 0) {
        const char *name = label.data ? label.data : "";
        out_printf("%*s%s%*s%s\n", (int)indent, "", name, (int)(labels - text_width(name) + 2), "",
                   text.data ? text.data : "");
    }
    buf_fini(&label);
    buf_fini(&text);
    return rc;
}

int field_print(const cJSON *object, size_t indent)
{
    const char *section = section_of(object);
    const cJSON *value;
    size_t labels = 0;
    int rc = 0;
    cJSON_ArrayForEach(value, object)
    {
        struct buf label = BUF_EMPTY;
        if (rc == 0 && !is_section(section, value) && !is_hidden(section, value) && value->string)
            rc = label_append(&label, section, value->string);
        size_t width = label.data ? text_width(label.data) : 0;
        labels = width > labels ? width : labels;
        buf_fini(&label);
    }
    cJSON_ArrayForEach(value, object)
    {
        if (rc == 0 && !is_hidden(section, value))
            rc = is_section(section, value) ? section_print(section, value, indent)
                                            : line_print(section, value, indent, labels);
    }
    return rc;
}
