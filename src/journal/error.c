// SPDX-License-Identifier: MIT
/*
 * Sentences about errors, for people. They are formed where something went wrong, because there it
 * is known which file and what would help, and shown by whoever asked.
 */
#include "journal/frames.h"

#include <stdarg.h>
#include <stdio.h>

int journal_error_set(struct journal_error *error, int rc, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);
    return rc;
}
