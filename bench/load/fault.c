// SPDX-License-Identifier: MIT
/*
 * The early ends of a run; see fault.h. Whatever was written to standard output before stays a
 * whole line: results are printed at once at the end of a run, never piece by piece.
 */
#include "load/fault.h"

#include "base/buf.h"
#include "base/text.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

/* What a server said may be in it. */
static void say(const char *kind, const char *format, va_list args)
{
    struct buf text = BUF_EMPTY, shown = BUF_EMPTY;
    if (buf_vprintf(&text, format, args) == 0 &&
        text_show(&shown, text.data, text.len, TEXT_LINE) == 0)
        (void)fprintf(stderr, "hilera-bench: %s%s\n", kind, shown.data);
    else
        (void)fprintf(stderr, "hilera-bench: %snot enough memory to say what\n", kind);
    buf_fini(&text);
    buf_fini(&shown);
}

void wrong(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say("WRONG: ", format, args);
    va_end(args);
    exit(FAULT_WRONG);
}

void failed(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say("", format, args);
    va_end(args);
    exit(FAULT_FAILED);
}

void unusable(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say("", format, args);
    va_end(args);
    exit(FAULT_USAGE);
}

void need_done(int rc)
{
    if (rc != 0)
        failed("not enough memory");
}

void *need(void *memory)
{
    if (memory == NULL)
        failed("not enough memory");
    return memory;
}
