// SPDX-License-Identifier: MIT
/*
 * Tubes, of which there may be very many: how many of what, and lists of them. Part of broker.h.
 *
 * broker_names are the names of all tubes as they are at one moment, read a part at a time, for who
 * has to know the size of the whole before the first part goes out, and may have to wait between
 * parts.
 *
 * Nothing is copied at the beginning: what costs memory are the names of tubes that go while
 * somebody still reads. Of these BROKER_NAMES_KEPT bytes are kept; beyond that whoever began first
 * has lost its place.
 */
#ifndef BROKER_NAMES_H
#define BROKER_NAMES_H

#include "base/list.h"
#include "job/job.h"

#define BROKER_PAUSES_MAX 10000  /* tubes that are paused, where that is in the journal */
#define BROKER_PAUSES_SHARE 625  /* more of them, for root and the daemon's own user */
#define BROKER_WATCHED_MAX 10000 /* by one client */
#define BROKER_NAMES_KEPT JOB_NAMES_KEPT

struct broker;
struct broker_stats;

/* Memory is the caller's. The calls are made by one thread at a time. */
struct broker_names {
    struct broker *broker;
    struct name_reader reader; /* the broker's */
};

void broker_names_begin(struct broker_names *names, struct broker *broker);
/* Begins again with the first; the names are the same. */
void broker_names_rewind(struct broker_names *names);
/* Copies the next ones, in order of the tubes' making. *count 0: there are no more. ESTALE: its
 * place is lost. */
int broker_names_next(struct broker_names *names, char (*to)[JOB_TUBE_NAME_MAX + 1], size_t max,
                      size_t *count);
void broker_names_end(struct broker_names *names);

/* Visits the tubes in order of creation with copies, without the lock; the walk lets go of it in
 * between, so tubes made or gone meanwhile may be seen or not. false from visit ends it. ENOMEM. */
int broker_each_tube(struct broker *broker,
                     bool (*visit)(const char *name, const struct broker_stats *stats, void *arg),
                     void *arg);

#endif
