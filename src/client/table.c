// SPDX-License-Identifier: MIT
/*
 * Tables that fit the terminal.
 *
 * Each column is as wide as its widest cell. If that is more than there is room for, the widest
 * column gives way a step at a time, so narrow ones stay whole, down to a least width at which the
 * line may become too long after all. A cut cell ends in a mark. Where there is no terminal nothing
 * is cut: a program may be reading.
 *
 * Widths are columns of the terminal, not bytes: cells are UTF-8 in the user's locale.
 */

#include "client/tool_priv.h"
#include "client/tool_table_priv.h"

#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define TABLE_GAP 2
#define TABLE_LEAST 5 /* no column is cut below it */

int table_init(struct table *table, size_t columns)
{
    *table = (struct table){.columns = columns};
    table->right = calloc(columns + 1, sizeof(*table->right));
    return table->right ? 0 : ENOMEM;
}

void table_fini(struct table *table)
{
    for (size_t i = 0; i < table->count; i++)
        free(table->cell[i]);
    free(table->cell);
    free(table->right);
    *table = (struct table){0};
}

int table_add(struct table *table, const char *text, size_t len)
{
    struct buf cell = BUF_EMPTY;
    if (table->count == table->cap) {
        size_t cap = table->cap ? 2 * table->cap : 8 * table->columns;
        char **grown = reallocarray(table->cell, cap, sizeof(*grown));
        if (!grown)
            return ENOMEM;
        table->cell = grown;
        table->cap = cap;
    }
    int rc = text_show(&cell, text, len, TEXT_LINE);
    char *copy = rc == 0 ? buf_detach(&cell, NULL) : NULL;
    buf_fini(&cell);
    if (!copy)
        return ENOMEM;
    table->cell[table->count++] = copy;
    return 0;
}

void table_align_right(struct table *table, size_t column)
{
    table->right[column] = true;
}

/* The natural width of each column; returns that of a line. */
static size_t table_measure(const struct table *table, size_t *widths)
{
    size_t total = table->columns > 0 ? (table->columns - 1) * TABLE_GAP : 0;
    for (size_t i = 0; i < table->count; i++) {
        size_t cell = text_width(table->cell[i]), *width = &widths[i % table->columns];
        if (cell > *width) {
            total += cell - *width;
            *width = cell;
        }
    }
    return total;
}

size_t table_width(const struct table *table)
{
    size_t *widths = calloc(table->columns + 1, sizeof(*widths));
    size_t total = widths ? table_measure(table, widths) : 0;
    free(widths);
    return total;
}

static void table_fit(const struct table *table, size_t width, size_t *widths)
{
    size_t total = table_measure(table, widths);
    while (width > 0 && total > width) {
        size_t widest = 0;
        for (size_t i = 1; i < table->columns; i++)
            if (widths[i] > widths[widest])
                widest = i;
        if (widths[widest] <= TABLE_LEAST)
            break;
        widths[widest]--;
        total--;
    }
}

/* How many bytes of the text fit into `width` columns. */
static size_t bytes_that_fit(const char *text, size_t width)
{
    size_t len = strlen(text), used = 0, at = 0;
    mbstate_t state = {0};
    while (at < len) {
        wchar_t wide;
        size_t taken = mbrtowc(&wide, text + at, len - at, &state);
        if (taken == 0 || taken > len - at) {
            taken = 1;
            wide = L'?';
            memset(&state, 0, sizeof(state));
        }
        int columns = wcwidth(wide);
        used += columns < 0 ? 1 : (size_t)columns;
        if (used > width)
            break;
        at += taken;
    }
    return at;
}

static void cell_print(const char *text, size_t width, bool right, bool last)
{
    size_t have = text_width(text);
    if (have > width) {
        size_t fit = bytes_that_fit(text, width - 1);
        out_write(text, fit);
        out_printf("%s", MB_CUR_MAX > 1 ? "\xe2\x80\xa6" : "~");
        have = width;
    } else {
        if (right)
            out_printf("%*s", (int)(width - have), "");
        out_printf("%s", text);
    }
    if (!last)
        out_printf("%*s", (int)(TABLE_GAP + (right ? 0 : width - have)), "");
}

int table_print(const struct table *table, size_t width, size_t indent)
{
    size_t *widths = calloc(table->columns + 1, sizeof(*widths));
    if (!widths)
        return ENOMEM;
    table_fit(table, width > indent ? width - indent : width, widths);
    for (size_t i = 0; i < table->count; i++) {
        size_t column = i % table->columns;
        bool head = i < table->columns, last = column == table->columns - 1;
        if (column == 0)
            out_printf("%*s", (int)indent, "");
        if (column == 0 && head)
            out_style(STYLE_HEAD);
        cell_print(table->cell[i], widths[column], table->right[column], last);
        if (last && head)
            out_style(STYLE_PLAIN);
        if (last)
            out_printf("\n");
    }
    free(widths);
    return 0;
}
