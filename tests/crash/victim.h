// SPDX-License-Identifier: MIT
/*
 * The daemon that is to be killed: its configuration, its process, and what is done to its disk.
 */
#ifndef VICTIM_H
#define VICTIM_H

#include "oracle.h"
#include "shim.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct victim_settings {
    const char *hilerad;    /* the program */
    const char *shim;       /* the library to preload; NULL: none */
    const char *directory;  /* of the round: configuration, data directory, socket, log */
    const char *durability; /* "levels": as the tubes say */
    const struct tube *tubes;
    int interval_ms;
    uint64_t segment_size, segment_size_max, cache_size;
    uint64_t
        lies; /* each so manieth time its disk says that it has synced, and has not; 0: never */
};

struct victim {
    const struct victim_settings *settings;
    const char *program; /* of the next start; victim_init: as in the settings */
    pid_t pid;           /* 0: none */
    int ready_fd;
    int starts;
    const char *more; /* more lines of configuration; NULL: none */
    char socket[200];
    struct shim_control *control; /* NULL without shim */
};

/* Writes the configuration. */
void victim_init(struct victim *victim, const struct victim_settings *settings);
void victim_fini(struct victim *victim);

/* Writes it anew, for the next start, with these lines behind the others; the caller's. */
void victim_configure(struct victim *victim, const char *more);

/* What the shim does in the next start; before victim_start. loss_at, fault_at: 0: nothing. */
void victim_disk(struct victim *victim, uint64_t seed, uint64_t loss_at, uint64_t fault_at,
                 int fault_error, bool fault_stays);
void victim_start(struct victim *victim);
/* Waits until it serves; at most so long (-1: patience, whose end fails the program). false: it has
 * ended, or isn't there yet. */
bool victim_ready(struct victim *victim, int64_t limit_ns);
/* With a shim: the power goes now; waits for its end. */
void victim_lose(struct victim *victim);
/* SIGKILL, and waits for its end. */
void victim_kill(struct victim *victim);
/* SIGTERM (unless it ends by itself), and waits for its end. The status as of waitpid. */
int victim_stop(struct victim *victim, bool ask);
/* Whether the simulated power loss happened. */
bool victim_lost(const struct victim *victim);
/* Whether the fault happened. */
bool victim_failed(const struct victim *victim);

#endif
