// SPDX-License-Identifier: MIT
/*
 * A bar on a terminal, for what takes long. progress.c does it.
 */
#ifndef CLIENT_TOOL_PROGRESS_PRIV_H
#define CLIENT_TOOL_PROGRESS_PRIV_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
    bool on; /* standard error is a terminal */
    bool shown;
    int64_t started_ns, next_ns;
};
void progress_begin(struct progress *progress);
/* Draws if it is time. total 0: not known. failed: shown if there are any. */
void progress_update(struct progress *progress, uint64_t done, uint64_t total, uint64_t failed);
/* Takes the bar off the screen; the next update brings it back. */
void progress_hide(struct progress *progress);
/* The bar's line, for tests: at most `width` columns. */
int progress_format(struct buf *out, uint64_t done, uint64_t total, uint64_t failed,
                    int64_t elapsed_ns, size_t width);

#endif
