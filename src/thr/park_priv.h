// SPDX-License-Identifier: MIT
/*
 * What the rest of the folder needs of parking beyond thr.h: its start, and a short spin before a
 * sleep.
 */
#ifndef THR_PARK_PRIV_H
#define THR_PARK_PRIV_H

#include <stdatomic.h>
#include <stdint.h>

/* Once, when the library is loaded. */
void park_init(void);

/* Tells the processor that this is a spin loop. */
static inline void park_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
