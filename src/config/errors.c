// SPDX-License-Identifier: MIT
/*
 * The mistakes that were found, sorted by line, to be told at once. Where memory ran out they are
 * counted all the same.
 */
#include "config/config.h"
#include "config/config_priv.h"

#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

void config_errors_init(struct config_errors *errors)
{
    *errors = (struct config_errors){NULL, 0, 0};
}

void config_errors_fini(struct config_errors *errors)
{
    for (size_t i = 0; i < errors->kept; i++)
        free(errors->mistake[i].text);
    free(errors->mistake);
    config_errors_init(errors);
}

/* Keeps the mistakes sorted by line; those of one line stay in the order they were found. */
static int mistake_insert(struct config_errors *errors, int line, char *text)
{
    struct config_mistake *grown =
        reallocarray(errors->mistake, errors->kept + 1, sizeof(*errors->mistake));
    if (grown == NULL)
        return ENOMEM;
    errors->mistake = grown;
    size_t at = errors->kept++;
    for (; at > 0 && grown[at - 1].line > line; at--)
        grown[at] = grown[at - 1];
    grown[at] = (struct config_mistake){line, text};
    return 0;
}

void config_error(struct config_errors *errors, const char *file, int line, const char *format, ...)
{
    errors->count++;
    struct buf text = BUF_EMPTY;
    int rc = buf_append_str(&text, file);
    if (rc == 0 && line > 0)
        rc = buf_printf(&text, ":%d", line);
    if (rc == 0)
        rc = buf_append_str(&text, ": ");
    if (rc == 0) {
        va_list args;
        va_start(args, format);
        rc = buf_vprintf(&text, format, args);
        va_end(args);
    }
    char *whole = rc == 0 ? buf_detach(&text, NULL) : NULL;
    if (whole == NULL || mistake_insert(errors, line, whole) != 0)
        free(whole);
    buf_fini(&text);
}

void config_errors_each(struct config_errors *errors, void (*each)(const char *text))
{
    for (size_t i = 0; i < errors->kept; i++)
        each(errors->mistake[i].text);
    if (errors->kept < errors->count)
        each("there is more, but not enough memory to tell it");
}
