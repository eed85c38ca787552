// SPDX-License-Identifier: MIT
/*
 * Rest: how who makes records faster than they can be written is slowed down.
 *
 * When the queue is full, who makes records is asked to rest, until half of it is written. What is
 * on its way meanwhile is taken still, up to twice the queue. If no batch is written for
 * HISTORY_REST_NS the disk hangs (or the journal's, for which records are held): then jobs go on,
 * and their records are lost past the queue until it writes again. A disk that fails is known at
 * once, and nobody rests for it.
 */
#include "base/clock.h"
#include "history/writer_priv.h"

bool rest_is_over(const struct history *history, size_t memory)
{
    bool writes = history->stats.healthy && !history->hangs;
    size_t most = history->settings.queue_bytes;
    if (writes && history->settings.rest != NULL)
        most *= 2;
    /* One that is larger than the whole queue may wait in it alone. */
    return history->stats.pending > 0 && history->pending_bytes + memory > most;
}

bool rest_look(struct history *history)
{
    if (history->settings.rest == NULL || history->rest_since_ns != 0 || history->hangs ||
        !history->stats.healthy || history->pending_bytes <= history->settings.queue_bytes)
        return false;
    history->rest_since_ns = clock_now_ns();
    history->stats.resting = true;
    return true;
}

static bool rest_end(struct history *history)
{
    bool rested = history->stats.resting;
    history->rest_since_ns = 0;
    history->stats.resting = false;
    return rested;
}

bool rest_written(struct history *history)
{
    history->hangs = false;
    if (history->rest_since_ns != 0)
        history->rest_since_ns = clock_now_ns();
    return history->pending_bytes <= history->settings.queue_bytes / 2 && rest_end(history);
}

bool rest_tick(struct history *history, bool *hangs)
{
    *hangs = false;
    if (history->rest_since_ns == 0)
        return false;
    bool fails = !history->stats.healthy;
    *hangs = !fails && clock_now_ns() - history->rest_since_ns >= HISTORY_REST_NS;
    if (!fails && !*hangs)
        return false;
    history->hangs = *hangs;
    history->stats.healthy = false;
    return rest_end(history);
}

void rest_tell(const struct history *history)
{
    if (history->settings.rest != NULL)
        history->settings.rest(history->settings.arg);
}

bool history_wants_rest(struct history *history)
{
    HL_LOCK_SCOPE(history->lock);
    return history->stats.resting;
}
