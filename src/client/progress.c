// SPDX-License-Identifier: MIT
/*
 * A progress bar: one line on standard error that is drawn over itself, ten times a second at most.
 *
 * Only on a terminal, and never in the way of the output: whoever writes to standard output takes
 * it away first (progress_hide). The line is made by a pure function of the numbers and the width,
 * so it can be tested without a terminal.
 */

#include "client/tool_priv.h"
#include "client/tool_progress_priv.h"

#include "base/clock.h"

#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* What is done sooner needs no bar. */
#define PROGRESS_FIRST_NS (300 * HL_MILLISECOND)
#define PROGRESS_EVERY_NS (100 * HL_MILLISECOND)
#define PROGRESS_BAR_MAX 40
#define PROGRESS_LEFT_MAX_S UINT64_C(8640000) /* 100 days; a guess beyond it is none */
#define PROGRESS_BAR_LEAST 8                  /* a shorter bar says nothing */

void progress_begin(struct progress *progress)
{
    int64_t now_ns = clock_now_ns();
    *progress = (struct progress){
        .on = isatty(STDERR_FILENO), .started_ns = now_ns, .next_ns = now_ns + PROGRESS_FIRST_NS};
}

/* done * scale / total without overflow for any counters. */
static uint64_t share(uint64_t done, uint64_t total, uint64_t scale)
{
    return done >= total ? scale : (uint64_t)((unsigned __int128)done * scale / total);
}

static int append_numbers(struct buf *out, uint64_t done, uint64_t total, uint64_t failed,
                          int64_t elapsed_ns)
{
    int rc = total > 0 ? buf_printf(out, "%" PRIu64 "/%" PRIu64 " %3" PRIu64 "%%", done, total,
                                    share(done, total, 100))
                       : buf_printf(out, "%" PRIu64, done);
    if (rc == 0 && failed > 0)
        rc = buf_printf(out, "  %" PRIu64 " failed", failed);
    if (rc != 0 || elapsed_ns < HL_SECOND / 2 || done == 0)
        return rc;
    uint64_t rate =
        (uint64_t)((unsigned __int128)done * (uint64_t)HL_SECOND / (uint64_t)elapsed_ns);
    rc = buf_printf(out, "  %" PRIu64 "/s", rate);
    if (rc != 0 || total <= done || rate == 0)
        return rc;
    uint64_t left_s = (total - done) / rate;
    if (left_s > PROGRESS_LEFT_MAX_S)
        return 0;
    rc = buf_append_str(out, "  ");
    if (rc == 0)
        rc = left_s < 60 ? buf_printf(out, "%" PRIu64 " s", left_s)
                         : duration_append(out, (int64_t)left_s * HL_SECOND);
    return rc == 0 ? buf_append_str(out, " left") : rc;
}

int progress_format(struct buf *out, uint64_t done, uint64_t total, uint64_t failed,
                    int64_t elapsed_ns, size_t width)
{
    struct buf numbers = BUF_EMPTY;
    int rc = append_numbers(&numbers, done, total, failed, elapsed_ns);
    size_t bar = rc == 0 && width > numbers.len + 3 ? width - numbers.len - 3 : 0;
    if (bar > PROGRESS_BAR_MAX)
        bar = PROGRESS_BAR_MAX;
    if (rc == 0 && total > 0 && bar >= PROGRESS_BAR_LEAST) {
        size_t full = (size_t)share(done, total, bar);
        rc = buf_append_char(out, '[');
        for (size_t i = 0; rc == 0 && i < bar; i++)
            rc = buf_append_char(out, i < full ? '#' : '.');
        if (rc == 0)
            rc = buf_append_str(out, "] ");
    }
    if (rc == 0)
        rc = buf_append(out, numbers.data, numbers.len < width ? numbers.len : width);
    buf_fini(&numbers);
    return rc;
}

void progress_update(struct progress *progress, uint64_t done, uint64_t total, uint64_t failed)
{
    struct winsize size;
    if (!progress->on)
        return;
    int64_t now_ns = clock_now_ns();
    if (now_ns < progress->next_ns)
        return;
    progress->next_ns = now_ns + PROGRESS_EVERY_NS;
    size_t width =
        ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1U : 79;
    struct buf line = BUF_EMPTY;
    if (progress_format(&line, done, total, failed, now_ns - progress->started_ns, width) == 0)
        fprintf(stderr, "\r%s\x1b[K", line.data);
    buf_fini(&line);
    progress->shown = true;
}

void progress_hide(struct progress *progress)
{
    if (progress->shown)
        fputs("\r\x1b[K", stderr);
    progress->shown = false;
}
