// SPDX-License-Identifier: MIT
/*
 * Arguments of a line, by beanstalkd's rules; scan.c.
 */
#ifndef FRONT_SCAN_PRIV_H
#define FRONT_SCAN_PRIV_H

#include "front/front.h"

/* What is left of a line. */
struct scan {
    const char *at, *end;
};

/* Blanks, then a decimal number without sign. EINVAL: none, or too large. */
int scan_u64(struct scan *scan, uint64_t *number);
int scan_u32(struct scan *scan, uint32_t *number);
/* The rest of the line, all of it: a tube's name. EINVAL. */
int scan_tube(struct scan *scan, const char **name, size_t *len);
/* A tube's name up to the next blank or the end; no blanks before it. EINVAL. */
int scan_tube_word(struct scan *scan, const char **name, size_t *len);
/* The seconds of a wait: at most INT_MAX, as in beanstalkd. EINVAL. */
int scan_timeout(struct scan *scan, uint32_t *seconds);
/* Blanks, then a word of a-z 0-9 _ -. EINVAL. */
int scan_word(struct scan *scan, const char **word, size_t *len);
/*
 * As beanstalkd reads the number of `kick`: with C's strtoul, cut to 32 bits. White space, a sign,
 * and anything behind it; -1 is the largest there is. EINVAL: no number, or none of 64 bits.
 */
int scan_lax_u32(struct scan *scan, uint32_t *number);
/* Whatever is left, where it doesn't matter. EINVAL: it has a byte that no line may have. */
int scan_rest(struct scan *scan);
static inline bool scan_ended(const struct scan *scan)
{
    return scan->at == scan->end;
}

#endif
