// SPDX-License-Identifier: MIT
/*
 * A backend for tests that has a window: it stands before another journal, carries appends out
 * there at once and in their order, and says so later and in any order, as one does that asks other
 * machines. It can also have no room, be fenced off, or fail.
 */
#ifndef JOURNAL_WINDOW_H
#define JOURNAL_WINDOW_H

#include "journal/journal.h"

#include <stdbool.h>

struct window;

// Takes the place of *journal, which is replayed up to that frame, and closed with it.
struct window *window_before(struct journal **journal, uint64_t sequence, unsigned size,
                             bool distant);

// By itself (as it begins), a thread says that appends are done, in random order. Not so: they wait
// for window_done.
void window_by_itself(struct window *window, bool by_itself);
// How many appends wait for it. Blocks until there are so many at least.
unsigned window_await(struct window *window, unsigned count);
// The one that was begun as the n-th of those that wait (from 0) is done, on this thread.
void window_done(struct window *window, unsigned nth);

// What is begun from now on finds no room; or finds it again.
void window_no_room(struct window *window, bool none);
// The next append is the last that is looked at: it gets that result (ESTALE, EIO), and so do all
// after it. EIO: carried out, as it may be.
void window_break(struct window *window, int result);

struct window_stat {
    unsigned most;     // under way at a time
    unsigned overtook; // done before one that was begun before it
};
struct window_stat window_stat(struct window *window);

#endif
