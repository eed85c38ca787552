// SPDX-License-Identifier: MIT
/*
 * Log messages: one line, one write(2) to stderr, so lines of threads never mix. Bytes that aren't
 * printable ASCII or valid UTF-8 are escaped (\xNN, \n), so no outside data can fake a line. errno
 * survives every call. Thread-safe. Without a queue the caller waits for the write; with one nobody
 * does but the thread that serves it. Not under the broker's lock all the same: making a line takes
 * microseconds.
 *
 * Formats: plain "2026-11-22T15:04:05.123456Z level [thread] text"; for systemd "<N>text" with the
 * syslog level, which the journal understands (used when JOURNAL_STREAM is set by the service
 * manager).
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level {
    LOG_LEVEL_ERROR = 0,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_NOTICE,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG
};
enum log_format { LOG_FORMAT_PLAIN = 0, LOG_FORMAT_SYSTEMD };

/* Messages above the level are dropped before they are formatted. Default: notice, plain. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);
void log_set_format(enum log_format format);
/* "error", "warning", "notice", "info", "debug"; EINVAL otherwise. */
int log_level_parse(const char *text, enum log_level *level);
const char *log_level_name(enum log_level level);

/* Tests: lines go to the function instead of stderr (NULL: back to stderr). `line` has no newline.
 * Calls never overlap; the function must not log. */
void log_set_sink(void (*sink)(enum log_level level, const char *line, void *arg), void *arg);

#define log_error(...) log_message(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...) log_message(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...) log_message(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_message(LOG_LEVEL_DEBUG, __VA_ARGS__)

void log_message(enum log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * For messages that an outside event could repeat endlessly: at most one a second for each `struct
 * log_limit` (static, zeroed), with the number left out added to the next.
 */
struct log_limit {
    long long next_ns;
    unsigned suppressed;
};
void log_limited(struct log_limit *limit, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- the queue: whoever says something doesn't wait for the write (log_queue.c) ---- */

/* From here on lines are kept, 256 KiB of them, for a thread that runs log_queue_serve; what comes
 * when they are full is dropped and counted, and a line tells how many once it can be written. */
void log_queue_open(void);

/* What the thread waits for now: "lines", or who reads them. Called without locks. */
typedef void (*log_waits)(const char *object);
/* Writes lines until log_queue_close, and then what is left. One thread. */
void log_queue_serve(log_waits waits);

/* Waits until the lines so far are written, or the time is over. Nothing without a queue. */
void log_flush(int64_t timeout_ns);
/*
 * Lets the serving thread write what is left and return; from then on lines are written by who says
 * them. False: it isn't done within that time, so nobody reads; it goes on alone, and lines are
 * still queued.
 */
bool log_queue_close(int64_t timeout_ns);

struct log_stat {
    uint64_t dropped; /* lines, since the start */
    uint64_t pending; /* bytes that are not written yet */
};
void log_stat(struct log_stat *stat);

#endif
