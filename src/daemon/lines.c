// SPDX-License-Identifier: MIT
/*
 * What the program says to people in place of the log: lines of which anything may be from outside,
 * and whether all of it could be written.
 */
#include "daemon/options_priv.h"

#include "base/buf.h"
#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void line_print(FILE *to, const char *format, ...)
{
    struct buf text = BUF_EMPTY, shown = BUF_EMPTY;
    va_list args;
    va_start(args, format);
    if (buf_vprintf(&text, format, args) == 0 &&
        text_show(&shown, text.data, text.len, TEXT_LINE) == 0)
        fprintf(to, "%s\n", shown.len > 0 ? shown.data : "");
    va_end(args);
    buf_fini(&text);
    buf_fini(&shown);
}

void task_line(void *arg, const char *text)
{
    (void)arg;
    line_print(stdout, "%s", text);
}

int task_said(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fprintf(stderr, "hilerad: standard output: %s\n", strerrordesc_np(errno));
    return 2;
}
