// SPDX-License-Identifier: MIT
/*
 * How the allocator is set for a queue: what one thread allocates another one frees, most of it are
 * small blocks that live in the order in which they came, and a backlog comes and goes as a whole.
 *
 * One arena: glibc gives each thread its own and grows it by a system call for each few pages,
 * which for bodies of 16 KiB was one mprotect a job; blocks that are freed by another thread than
 * theirs lock that arena all the same. The common arena grows by a mebibyte at a time. Small blocks
 * don't reach it: each thread keeps some at hand.
 *
 * Memory goes back to the system when a backlog is gone (house.c, malloc_trim), and in steps of a
 * few mebibytes when the end of the heap is free. Setting any of these also fixes the
 * size from which a block is a mapping of its own, which would otherwise rise with use: large ones
 * go back at once.
 */
#include "daemon/process_priv.h"

#include <malloc.h>

#define GROW_BY ((int)1 << 20)
#define TRIM_FROM ((int)4 << 20)
#define MAP_FROM ((int)1 << 20)

void memory_prepare(void)
{
    /* Each answers 1; where the C library has another allocator they change nothing. */
    (void)mallopt(M_ARENA_MAX, 1);
    (void)mallopt(M_TOP_PAD, GROW_BY);
    (void)mallopt(M_TRIM_THRESHOLD, TRIM_FROM);
    (void)mallopt(M_MMAP_THRESHOLD, MAP_FROM);
}
