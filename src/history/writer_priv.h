// SPDX-License-Identifier: MIT
/*
 * Who writes records, and who rests while they can't be written: ends.c, rest.c and writer.c have
 * the essays.
 */
#ifndef HISTORY_WRITER_PRIV_H
#define HISTORY_WRITER_PRIV_H

#include "history/history_priv.h"

/* ends.c */

int ends_init(struct offered *offered);
void ends_fini(struct history *history);
/* Without locks: what was offered until now is a record when it returns, or lost. */
void ends_settle(struct history *history);

/* rest.c */

/* [held] Whether a record of so many bytes is lost, for want of room. */
bool rest_is_over(const struct history *history, size_t memory);
/* [held] After records came; after a batch was written; after a second. Each: whether
 * history_wants_rest says something else now; then settings.rest is to be called. *hangs: whether
 * it was found just now that nothing is written. */
bool rest_look(struct history *history);
bool rest_written(struct history *history);
bool rest_tick(struct history *history, bool *hangs);
/* Without locks. */
void rest_tell(const struct history *history);

/* writer.c */

#define WRITER_BATCH 4096
#define WRITER_BATCH_BYTES ((size_t)4 << 20)
/* Written records that stay in memory, since who waits for a job asks for its record at once. */
#define WRITER_RECENT_BYTES ((size_t)2 << 20)

int writer_start(struct history *history);
/* After the last add: writes what it can, and ends. */
void writer_stop(struct history *history);
/* [held] Whether it has to be woken for what there is to do; if so, call writer_wake after. */
bool writer_wanted(struct history *history);
void writer_wake(struct history *history);

#endif
