// SPDX-License-Identifier: MIT
/*
 * The names of tubes, apart from the tubes, so that a list of them can outlive some; names.c has
 * the essay. Part of job.h.
 *
 * Nothing here locks: names and their readers are covered by one lock of the caller's.
 */
#ifndef JOB_NAMES_H
#define JOB_NAMES_H

#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of names of tubes that are gone, which are kept for readers. */
#define JOB_NAMES_KEPT ((size_t)16 << 20)

struct tube_name {
    unsigned magic;
    uint64_t number;        /* in order of making */
    struct list_node node;  /* tube_names.all */
    struct list_node ghost; /* tube_names.ghosts: its tube is gone */
    uint64_t gone;          /* a ghost: tube_names.time of then */
    size_t len;
    char text[];
};

struct tube_names {
    struct list all; /* in order of making */
    uint64_t last;
    struct list readers; /* of struct name_reader, in order of beginning */
    struct list ghosts;  /* in order of going */
    size_t ghost_bytes;
    uint64_t time; /* counts readers */
};

/* Who goes through them. */
struct name_reader {
    struct list_node node; /* tube_names.readers */
    uint64_t began, last;
    const struct tube_name *first, *next; /* NULL: that was the last */
    bool lost;                            /* its place; it isn't among the readers any more */
};

void names_init(struct tube_names *names);
/* ENOMEM. */
int name_make(struct tube_names *names, const char *text, size_t len, struct tube_name **out);
/* Its tube is gone. */
void name_drop(struct tube_names *names, struct tube_name **name);

void name_reader_begin(struct name_reader *reader, struct tube_names *names);
/* The next one behind it that was there when the reader began; NULL. */
const struct tube_name *name_behind(const struct tube_names *names,
                                    const struct name_reader *reader, const struct tube_name *name);
void name_reader_end(struct name_reader *reader);
/* Frees up to `most` that no reader needs any more. Whether there are more of them. */
bool names_trim(struct tube_names *names, size_t most);

#endif
