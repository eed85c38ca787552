// SPDX-License-Identifier: MIT
/*
 * The names of tubes, for the broker's own files: see names.c.
 */
#ifndef BROKER_NAMES_PRIV_H
#define BROKER_NAMES_PRIV_H

#include "base/list.h"
#include "broker/broker.h"
#include "broker/held.h"

struct tube_name {
    unsigned magic;
    uint64_t number;        /* in order of making */
    struct list_node node;  /* tube_names.all */
    struct list_node ghost; /* tube_names.ghosts: its tube is gone */
    uint64_t gone;          /* a ghost: tube_names.time of then */
    size_t len;
    char text[];
};

/* The broker's. */
struct tube_names {
    struct list all; /* in order of making */
    uint64_t last;
    struct list readers; /* of struct broker_names, in order of beginning */
    struct list ghosts;  /* in order of going */
    size_t ghost_bytes;
    uint64_t time; /* counts readers */
};

void names_init(struct tube_names *names);
/* ENOMEM. */
int name_make(struct tube_names *names, const char *text, size_t len, struct tube_name **out) HELD;
/* Its tube is gone. */
void name_drop(struct tube_names *names, struct tube_name **name) HELD;

#endif
