// SPDX-License-Identifier: MIT
/*
 * The inside of bench/broker, for its own files.
 *
 * A row is one figure that is told. Each kind of workload makes its rows once, and adds a value to
 * those that are wanted, round after round; broker.c prints the medians of the rounds. Two sides
 * can be set beside each other: this program, and the bench/broker of another build.
 */
#ifndef BENCH_BROKER_BENCH_H
#define BENCH_BROKER_BENCH_H

#include "blocking.h"
#include "broker/broker.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLOCK 64 /* operations whose time is taken together */
#define ROUNDS_MAX 99
#define ROW_NAME_MAX 32
#define ROWS_MAX 64

struct settings {
    unsigned rounds;
    uint64_t jobs;       /* operations of a row in a round */
    uint64_t depth;      /* jobs that lie in the tube meanwhile */
    uint64_t size;       /* bytes of a body */
    uint64_t present;    /* jobs for the figures of memory */
    bool json, count;    /* count: instructions in place of time */
    const char *against; /* the other program; NULL: none */
    const char *counted; /* the row to run under callgrind; NULL: none */
    unsigned only;       /* names that were given; 0: all rows */
};

enum side { SIDE_THIS = 0, SIDE_OTHER, SIDES };

struct row {
    char name[ROW_NAME_MAX];
    const char *unit;
    bool wanted;
    bool countable; /* it has a number of instructions */
    unsigned rounds[SIDES];
    double p10[SIDES][ROUNDS_MAX]; /* 0: it has none */
    double median[SIDES][ROUNDS_MAX];
};

/* broker.c */
void bench_fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
void bench_check(const char *what, int rc);
struct row *row_new(const char *prefix, const char *name, const char *unit, bool countable);
struct row *row_find(const char *name); /* NULL: there is none */
struct row *row_at(size_t index);       /* NULL: there are no more */
void row_add(struct row *row, enum side side, double p10, double median);
int double_compare(const void *a, const void *b);
/* One job with a body of so many bytes. */
uint64_t bench_put(struct broker *broker, const struct broker_put_spec *spec, size_t size);

/* broker_ops.c: operations one by one, on one thread. */
void ops_rows(void);
void ops_round(const struct settings *settings);
void ops_counted(const struct settings *settings);
/* What callgrind counts: nothing outside of it. */
struct rig;
void bench_counted(void (*run)(struct rig *rig), struct rig *rig);

/* broker_pool.c: a thread that puts and threads that take; and memory, which begins untouched. */
void pool_rows(void);
void pool_round(const struct settings *settings);
void memory_rows(void);
void memory_measure(const struct settings *settings);

/* broker_child.c: the same work by other processes. */
void child_round(const struct settings *settings, enum side side);
void child_count(const struct settings *settings, enum side side);

#endif
