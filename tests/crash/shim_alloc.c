// SPDX-License-Identifier: MIT
/*
 * Memory that isn't there: the allocation alloc_at of the daemon, and so many behind it, are
 * refused (shim.h). They count from its first call to the data directory on: before that libraries
 * read its configuration, and some of them die of it, but nobody has been told anything. The C
 * library lets its allocator be replaced by functions of these names, and then uses them itself, so
 * what libraries allocate counts too; its own are known as __libc_malloc and so on. The shim
 * doesn't count what it needs for itself.
 */
#include "shim_real.h"

#include "shim.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static struct shim_control *_Atomic control; /* NULL: not yet */

void shim_alloc_start(struct shim_control *mapped)
{
    atomic_store(&control, mapped);
}

void *shim_calloc(size_t count, size_t size)
{
    return __libc_calloc(count, size);
}

void *shim_realloc(void *old, size_t size)
{
    return __libc_realloc(old, size);
}

/* Asked each time: a thread gets its name after its first allocations. */
static int is_thread(const char *name)
{
    char mine[16] = "";
    return prctl(PR_GET_NAME, mine) == 0 && strcmp(mine, name) == 0;
}

/* Without a lock: it is called from everywhere. */
static int is_refused(void)
{
    struct shim_control *here = atomic_load_explicit(&control, memory_order_relaxed);
    if (here == NULL || (here->alloc_thread[0] != '\0' && !is_thread(here->alloc_thread)))
        return 0;
    uint64_t number = atomic_fetch_add(&here->allocs, 1) + 1, at = here->alloc_at;
    if (at == 0 || number < at || number >= at + here->alloc_count)
        return 0;
    atomic_store(&here->failed, 1);
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size)
{
    return is_refused() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return is_refused() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return is_refused() ? NULL : __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return is_refused() ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    *memory = is_refused() ? NULL : __libc_memalign(alignment, size);
    return *memory == NULL ? ENOMEM : 0;
}
