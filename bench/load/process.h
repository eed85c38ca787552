// SPDX-License-Identifier: MIT
/*
 * The server's process, seen from outside: processor time and resident memory. Only where it runs
 * on this machine and may be looked at; elsewhere everything is 0.
 */
#ifndef LOAD_PROCESS_H
#define LOAD_PROCESS_H

#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct process {
    pid_t pid; /* 0: unknown */
    clockid_t clock;
};

struct process_times {
    int64_t cpu_ns;          /* all of its threads, gone ones too, exact */
    int64_t user_ns, sys_ns; /* in ticks of the kernel: only their proportion is used */
};

/* pid 0, or one that is not there: an unknown process. */
void process_find(struct process *process, pid_t pid);

struct process_times process_times(const struct process *process);

/* Bytes resident now. */
int64_t process_resident(const struct process *process);

/* This process's own processor time. */
int64_t process_self_cpu_ns(void);

#endif
