// SPDX-License-Identifier: MIT
/*
 * Log messages.
 *
 * A message is formatted into one local buffer, escaped into another that is the line, and leaves
 * in one write(2). A line has at most 4096 bytes, its newline included: that is PIPE_BUF, up to
 * which a write to a pipe is never mixed with another's (pipe(7)); what is longer is cut and ends
 * in "...". Where a queue is open (log_queue.c) the line goes there, and another thread writes it.
 *
 * What could pretend to be something else is escaped, as everywhere (text.h).
 *
 * A line that can't be written (stderr is closed, full or gone) is lost: a log must not stop the
 * service.
 */
#include "base/assert.h"
#include "base/clock.h"
#include "base/log_priv.h"
#include "base/text.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CUT_MARK "..."
#define THREAD_NAME_BYTES 16 /* as long as the kernel keeps them, with the NUL */
#define NS_PER_SECOND INT64_C(1000000000)
#define LIMIT_INTERVAL_NS NS_PER_SECOND /* of log_limited */

struct level_row {
    const char *name;
    int syslog; /* the numbers of syslog(3), which systemd reads from "<N>" (sd-daemon(3)) */
};

static const struct level_row level_table[] = {
    [LOG_LEVEL_ERROR] = {"error", 3},   [LOG_LEVEL_WARNING] = {"warning", 4},
    [LOG_LEVEL_NOTICE] = {"notice", 5}, [LOG_LEVEL_INFO] = {"info", 6},
    [LOG_LEVEL_DEBUG] = {"debug", 7},
};
#define LEVEL_COUNT (sizeof(level_table) / sizeof(level_table[0]))

static _Atomic int level_now = LOG_LEVEL_NOTICE;
static _Atomic int format_now = LOG_FORMAT_PLAIN;

/* The sink is called under its lock: its calls never overlap, and after log_set_sink the old one is
 * not running. */
static pthread_mutex_t sink_lock = PTHREAD_MUTEX_INITIALIZER;
static void (*sink_function)(enum log_level level, const char *line, void *arg);
static void *sink_arg;
static _Atomic bool sink_set; /* lets the normal case do without the lock */

struct line {
    char text[LOG_LINE_BYTES + 1];
    size_t len;
    size_t limit; /* escaping stops here */
    bool cut;
};

static const struct level_row *level_row(enum log_level level)
{
    ASSERT((size_t)level < LEVEL_COUNT);
    return &level_table[level];
}

void log_set_level(enum log_level level)
{
    (void)level_row(level);
    atomic_store_explicit(&level_now, (int)level, memory_order_relaxed);
}

enum log_level log_get_level(void)
{
    return (enum log_level)atomic_load_explicit(&level_now, memory_order_relaxed);
}

void log_set_format(enum log_format format)
{
    ASSERT(format == LOG_FORMAT_PLAIN || format == LOG_FORMAT_SYSTEMD);
    atomic_store_explicit(&format_now, (int)format, memory_order_relaxed);
}

int log_level_parse(const char *text, enum log_level *level)
{
    if (text == NULL)
        return EINVAL;
    for (size_t i = 0; i < LEVEL_COUNT; i++) {
        if (strcmp(level_table[i].name, text) == 0) {
            *level = (enum log_level)i;
            return 0;
        }
    }
    return EINVAL;
}

const char *log_level_name(enum log_level level)
{
    return level_row(level)->name;
}

void log_set_sink(void (*sink)(enum log_level level, const char *line, void *arg), void *arg)
{
    MUST(pthread_mutex_lock(&sink_lock));
    sink_function = sink;
    sink_arg = arg;
    atomic_store_explicit(&sink_set, sink != NULL, memory_order_relaxed);
    MUST(pthread_mutex_unlock(&sink_lock));
}

/* ---- putting a line together ---- */

/* Text of our own, short enough that it fits. */
static void line_add(struct line *line, const char *text)
{
    size_t len = strlen(text);
    ASSERT(len <= LOG_LINE_BYTES - line->len);
    memcpy(line->text + line->len, text, len);
    line->len += len;
}

/* Any bytes, escaped, until they end or the limit is reached; a character is added whole or not at
 * all. */
static void line_add_escaped(struct line *line, const char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        char shown[TEXT_PIECE_MAX];
        size_t shown_len;
        size_t taken = text_piece(text + at, len - at, TEXT_LINE, shown, &shown_len);
        if (line->len + shown_len > line->limit) {
            line->cut = true;
            return;
        }
        memcpy(line->text + line->len, shown, shown_len);
        line->len += shown_len;
        at += taken;
    }
}

static void line_add_time(struct line *line)
{
    int64_t wall_ns = clock_wall_ns();
    time_t seconds = (time_t)(wall_ns / NS_PER_SECOND);
    struct tm utc;
    if (gmtime_r(&seconds, &utc) == NULL) {
        line_add(line, "(no time)");
        return;
    }
    char text[80];
    int micros = (int)(wall_ns % NS_PER_SECOND / 1000);
    snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", utc.tm_year + 1900,
             utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, micros);
    line_add(line, text);
}

static void line_add_head(struct line *line, enum log_level level)
{
    const struct level_row *row = level_row(level);
    if (atomic_load_explicit(&format_now, memory_order_relaxed) == LOG_FORMAT_SYSTEMD) {
        const char mark[] = {'<', (char)('0' + row->syslog), '>', '\0'};
        line_add(line, mark);
        return;
    }
    char name[THREAD_NAME_BYTES];
    if (pthread_getname_np(pthread_self(), name, sizeof(name)) != 0)
        name[0] = '\0';
    line_add_time(line);
    line_add(line, " ");
    line_add(line, row->name);
    line_add(line, " [");
    line_add_escaped(line, name, strlen(name));
    line_add(line, "] ");
}

/* ---- letting it go ---- */

/* True if a sink took it. */
static bool line_to_sink(enum log_level level, const char *text)
{
    if (!atomic_load_explicit(&sink_set, memory_order_relaxed))
        return false;
    MUST(pthread_mutex_lock(&sink_lock));
    bool taken = sink_function != NULL;
    if (taken)
        sink_function(level, text, sink_arg);
    MUST(pthread_mutex_unlock(&sink_lock));
    return taken;
}

static void line_leave(struct line *line, enum log_level level)
{
    line->text[line->len] = '\0';
    if (line_to_sink(level, line->text))
        return;
    line->text[line->len++] = '\n';
    if (log_queue_put(line->text, line->len))
        return;
    ssize_t written;
    do
        written = write(STDERR_FILENO, line->text, line->len);
    while (written < 0 && errno == EINTR);
}

/* `tail` is ours and short; it stays even where the message is cut. */
__attribute__((format(printf, 4, 0))) static void line_make(struct line *line, enum log_level level,
                                                            const char *tail, const char *format,
                                                            va_list args)
{
    /* Formatting is not cut in the middle of a character: escaping reaches its own, nearer limit
     * before. */
    char text[LOG_LINE_BYTES];
    int length = vsnprintf(text, sizeof(text), format, args);
    if (length < 0)
        length = snprintf(text, sizeof(text), "(can't be formatted) %s", format);
    size_t text_len = (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1;

    line->len = 0;
    line->cut = false;
    line->limit = LOG_LINE_BYTES - strlen("\n") - strlen(CUT_MARK) - strlen(tail);
    line_add_head(line, level);
    line_add_escaped(line, text, text_len);
    if (line->cut)
        line_add(line, CUT_MARK);
    line_add(line, tail);
}

__attribute__((format(printf, 3, 0))) static void emit(enum log_level level, const char *tail,
                                                       const char *format, va_list args)
{
    struct line line;
    line_make(&line, level, tail, format, args);
    line_leave(&line, level);
}

size_t log_line_make(char text[LOG_LINE_BYTES], enum log_level level, const char *format, ...)
{
    struct line line;
    va_list args;
    va_start(args, format);
    line_make(&line, level, "", format, args);
    va_end(args);
    line.text[line.len++] = '\n';
    memcpy(text, line.text, line.len);
    return line.len;
}

void log_message(enum log_level level, const char *format, ...)
{
    if (level > log_get_level())
        return;
    int saved = errno;
    va_list args;
    va_start(args, format);
    emit(level, "", format, args); /* %m sees the caller's errno */
    va_end(args);
    errno = saved;
}

/* Whether it is this caller's turn; if not, it has been counted. */
static bool limit_passes(struct log_limit *limit)
{
    long long now = clock_now_ns();
    long long next = __atomic_load_n(&limit->next_ns, __ATOMIC_RELAXED);
    /* Further ahead than one interval: set under another clock (tests change it), so it says
     * nothing. */
    bool early = now < next && next - now <= LIMIT_INTERVAL_NS;
    if (!early && __atomic_compare_exchange_n(&limit->next_ns, &next, now + LIMIT_INTERVAL_NS,
                                              false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        return true;
    __atomic_fetch_add(&limit->suppressed, 1, __ATOMIC_RELAXED);
    return false;
}

void log_limited(struct log_limit *limit, enum log_level level, const char *format, ...)
{
    if (level > log_get_level())
        return;
    int saved = errno;
    if (!limit_passes(limit))
        return;
    char tail[64] = "";
    unsigned suppressed = __atomic_exchange_n(&limit->suppressed, 0, __ATOMIC_RELAXED);
    if (suppressed > 0)
        snprintf(tail, sizeof(tail), " (and %u more like it, left out)", suppressed);
    va_list args;
    va_start(args, format);
    errno = saved;
    emit(level, tail, format, args);
    va_end(args);
    errno = saved;
}
