// SPDX-License-Identifier: MIT
// The error table, looked up both ways.
//
// The rows of errtab.def become one constant array. It is searched from front to back: it has some
// thirty rows and is asked only when an error leaves the program, which is no hot path. A switch
// would do the errno direction faster, but the array serves both directions from one expansion of
// the table.
//
// To add an error: one row in errtab.def, nothing here.

#include "base/errtab.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

struct error_row {
    const char *code;
    int err;
    const char *text;
};

static const struct error_row error_rows[] = {
#define ERR(code, err, text) {#code, err, text},
#include "base/errtab.def"
#undef ERR
};

static const size_t error_count = sizeof(error_rows) / sizeof(error_rows[0]);

static const struct error_row *row_find(int err)
{
    for (size_t i = 0; i < error_count; i++)
        if (error_rows[i].err == err)
            return &error_rows[i];
    return NULL;
}

const char *error_code(int err)
{
    if (err == 0)
        return "ok";
    const struct error_row *row = row_find(err);
    return row ? row->code : "internal";
}

const char *error_text(int err)
{
    if (err == 0)
        return "No error.";
    const struct error_row *row = row_find(err);
    if (row)
        return row->text;
    const char *text = strerrordesc_np(err);
    return text ? text : "unknown error";
}

int error_from_code(const char *code)
{
    if (!code)
        return 0;
    for (size_t i = 0; i < error_count; i++)
        if (strcmp(error_rows[i].code, code) == 0)
            return error_rows[i].err;
    return 0;
}
