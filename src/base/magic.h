// SPDX-License-Identifier: MIT
/*
 * Magic objects: each object on the heap begins with `unsigned magic`, set when it is made, checked
 * on entry of every function that takes it, and wiped when it goes. A stale or mistaken pointer
 * stops at the door with its type's name.
 */
#ifndef BASE_MAGIC_H
#define BASE_MAGIC_H

#include "base/assert.h"

#include <stddef.h>

#define MAGIC_INIT(obj, value) ((void)((obj)->magic = (value)))

/* The pointer is not null and points to a living object of this kind. */
#define MAGIC_CHECK(obj, value)                                                                    \
    do {                                                                                           \
        ASSERT((obj) != NULL);                                                                     \
        ASSERT((obj)->magic == (value));                                                           \
    } while (0)

/* For destroy and hand-over: moves *from to `to`, nulls *from, checks the object. */
#define MAGIC_TAKE(to, from, value)                                                                \
    do {                                                                                           \
        ASSERT((from) != NULL);                                                                    \
        (to) = *(from);                                                                            \
        *(from) = NULL;                                                                            \
        MAGIC_CHECK(to, value);                                                                    \
    } while (0)

/* Before the memory goes. */
#define MAGIC_WIPE(obj) ((void)((obj)->magic = 0xdeadbeefu))

#endif
