// SPDX-License-Identifier: MIT
/*
 * What the driver and the preloaded shim share: a small file that both have mapped.
 *
 * The shim counts the calls that change the data directory: writes, syncs, files that are opened,
 * renamed, unlinked, made longer or shorter. At the call loss_at the power goes; at the call
 * fault_at the disk refuses. Allocations of memory are counted, too, and refused from alloc_at on;
 * all of them, or those of one thread. All count from 1; 0: never.
 */
#ifndef SHIM_H
#define SHIM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define SHIM_CONTROL_ENV "HILERA_CRASH_CONTROL" /* path of the file */
#define SHIM_DATA_ENV "HILERA_CRASH_DATA"       /* the data directory, absolute */

struct shim_control {
    uint64_t seed;
    _Atomic uint64_t calls;   /* so far */
    _Atomic uint64_t loss_at; /* may be set while it runs */
    uint64_t fault_at;
    int fault_error;  /* EIO, ENOSPC */
    bool fault_stays; /* every later call of that kind is refused, too */
    bool history;     /* history's files count, too */
    /* May be set while it runs: writes and syncs of history's files are refused with it; each sync
     * of them takes so long. 0: not. */
    _Atomic int history_error;
    _Atomic unsigned history_slow_ms;
    /* Each so manieth sync is only said to be done, to see that it is found; where history's files
     * count, only of those. Or 0. */
    uint64_t lies;
    _Atomic uint64_t allocs; /* of memory, so far */
    uint64_t alloc_at;       /* which is refused, and so many from it on; 0: none */
    uint64_t alloc_count;
    char alloc_thread[16];    /* the thread's name, as the kernel has it; "": all threads count */
    _Atomic int lose_now;     /* a futex; 1: the power goes without waiting for a call */
    _Atomic int losing;       /* the shim is at it: it must not be disturbed */
    _Atomic int lost, failed; /* it happened */
};

#endif
