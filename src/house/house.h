// SPDX-License-Identifier: MIT
/*
 * Housekeeping: what happens by time.
 *
 *   due          a thread that sleeps until the earliest delayed job is due, and is woken by an
 *                earlier one
 *   housekeeping a repeating timer, once a second: memory back to the system when a large queue
 *                drained, and every purge_interval the purge hook
 *   compact      a thread that keeps the journal small, if the broker has one; commits wake it
 *   stats        a daemon thread that takes a sample every sample_interval into an immutable
 *                snapshot
 */
#ifndef HOUSE_HOUSE_H
#define HOUSE_HOUSE_H

#include "broker/broker.h"

struct house;

struct house_settings {
    struct broker *broker;
    void (*purge)(void *arg); /* retention, on the housekeeping timer's thread; NULL: none */
    void *purge_arg;
    int64_t purge_interval_ns;  /* 0 or less: HL_SECOND */
    int64_t sample_interval_ns; /* 0 or less: HL_SECOND */
};

int house_new(struct house **out, const struct house_settings *settings);
/* Stopped or never started, and nobody puts any more (a put may just be telling it of a deadline).
 */
void house_free(struct house **house);

/* EAGAIN: no more threads; nothing runs then. */
int house_start(struct house *house);
/* Cancels the timer, ends the threads and joins them. Again: does nothing. */
void house_stop(struct house *house);

/* ---- samples ---- */

/* Immutable and counted. */
struct house_sample {
    unsigned magic;
    _Atomic uint32_t refs;
    uint64_t number;  /* 1 for the first */
    int64_t taken_ns; /* clock_now_ns time */
    int64_t wall_ns;  /* since 1970 */
    struct broker_stats stats;
    double put_rate, finished_rate; /* jobs a second since the sample before; 0 in the first */
};

/* A reference on the latest sample; NULL: none was taken yet. */
struct house_sample *house_sample_ref(struct house *house);
void house_sample_unref(struct house_sample **sample);

#endif
