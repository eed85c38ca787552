// SPDX-License-Identifier: MIT
/*
 * The early ends of a run; see fault.h. Whatever was written to standard output before stays a
 * whole line: results are printed at once at the end of a run, never piece by piece.
 */
#include "load/fault.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

static void say(const char *kind, const char *format, va_list args)
{
    (void)fprintf(stderr, "hilera-bench: %s", kind);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
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
