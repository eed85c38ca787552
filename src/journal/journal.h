// SPDX-License-Identifier: MIT
/*
 * The journal: the ordered log of every change, from which the broker's state is made again. This
 * is its face; what is in it has a header each:
 *
 *   frames.h    the log itself: frames of records, on whatever keeps them
 *   commit.h    changes gathered into frames, and the numbers that answers wait for
 *   compact.h   the living copied forward, so that what is before them may go
 *   stats.h     figures of all that, as values
 *   check.h     a look at one that nobody uses, and a copy of what is whole in it
 *
 * Arrows: other folders include this and nothing else; nothing of the folder includes it.
 */
#ifndef JOURNAL_JOURNAL_H
#define JOURNAL_JOURNAL_H

#include "journal/check.h"
#include "journal/commit.h"
#include "journal/compact.h"
#include "journal/frames.h"

#endif
