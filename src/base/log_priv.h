// SPDX-License-Identifier: MIT
/*
 * The inside of the log: log.c makes lines and says where they go, log_queue.c keeps them for the
 * thread that writes.
 */
#ifndef BASE_LOG_PRIV_H
#define BASE_LOG_PRIV_H

#include "base/log.h"

#include <stddef.h>

/* Of a line at most, its newline included. */
#define LOG_LINE_BYTES 4096

/* A line of our own, with time, level and newline. Its length. */
size_t log_line_make(char line[LOG_LINE_BYTES], enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Takes it over, or drops and counts it. False: there is no queue. */
bool log_queue_put(const char *line, size_t len);

#endif
