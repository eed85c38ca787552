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
 *
 * A start that reads many jobs is another matter: all of that memory is wanted at once, and the
 * kernel gives it page by page, each with a fault of its own, which was a quarter of the time. So
 * the heap grows once, by about what will be needed, and asks for huge pages there: 2 MiB a fault.
 * What isn't touched costs address space only. Afterwards no more huge pages are made of it, so
 * that single pages which were given back stay with the system.
 */
#include "daemon/daemon_priv.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define GROW_BY ((int)1 << 20)
#define TRIM_FROM ((int)4 << 20)
#define MAP_FROM ((int)1 << 20)

#define EXPECT_MIN ((uint64_t)8 << 20) /* less isn't worth it */
#define EXPECT_MAX ((uint64_t)1 << 30) /* more is not asked for ahead */
#define HUGE_PAGE ((uintptr_t)2 << 20) /* where it is another size, the kernel asks for nothing */
#define BLOCK ((size_t)MAP_FROM / 2)   /* one that comes out of the heap */
#define BLOCKS ((GROW_BY + TRIM_FROM) / (MAP_FROM / 2) + 2) /* so many fill what it has */

void memory_prepare(void)
{
    /* Each answers 1; where the C library has another allocator they change nothing. */
    (void)mallopt(M_ARENA_MAX, 1);
    (void)mallopt(M_TOP_PAD, GROW_BY);
    (void)mallopt(M_TRIM_THRESHOLD, TRIM_FROM);
    (void)mallopt(M_MMAP_THRESHOLD, MAP_FROM);
}

/* What the heap grew by; nothing else of the process is there. */
static struct {
    char *from, *to;
} expected;

/* Whole huge pages of it. */
static void expected_advise(int advice)
{
    uintptr_t from = ((uintptr_t)expected.from + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
    uintptr_t to = (uintptr_t)expected.to & ~(HUGE_PAGE - 1);
    if (from < to) /* a kernel without huge pages refuses, and nothing is lost */
        (void)madvise(expected.from + (from - (uintptr_t)expected.from), to - from, advice);
}

void memory_expect(uint64_t bytes)
{
    if (bytes < EXPECT_MIN)
        return;
    (void)mallopt(M_TOP_PAD, (int)(bytes < EXPECT_MAX ? bytes : EXPECT_MAX));
    (void)mallopt(M_TRIM_THRESHOLD, INT32_MAX);
    void *block[BLOCKS];
    size_t count = 0;
    char *before = sbrk(0), *after = before;
    while (count < BLOCKS && after == before && (block[count] = malloc(BLOCK)) != NULL) {
        count++;
        after = sbrk(0);
    }
    while (count > 0)
        free(block[--count]);
    if (after > before) {
        expected.from = before;
        expected.to = after;
        expected_advise(MADV_HUGEPAGE);
    }
}

void memory_settle(void)
{
    memory_prepare();
    if (expected.to == NULL)
        return;
    expected_advise(MADV_NOHUGEPAGE);
    expected.from = expected.to = NULL;
    (void)malloc_trim((size_t)GROW_BY);
}
