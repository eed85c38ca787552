// SPDX-License-Identifier: MIT
/*
 * Processor time comes from the process's CPU clock, which the kernel brings up to date when it is
 * read: exact to the nanosecond, where /proc/PID/stat counts ticks of 10 ms and
 * /proc/PID/schedstat is renewed only now and then. The ticks serve for the split between user and
 * system. Resident memory is smaps_rollup's: statm may lag by some pages for each thread.
 */
#include "load/process.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NS_PER_SECOND INT64_C(1000000000)

static int64_t read_clock(clockid_t clock)
{
    struct timespec now;
    if (clock_gettime(clock, &now) != 0)
        return 0;
    return (int64_t)now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

/* A file of /proc/PID into `text`; false if it can't be read. */
static int proc_read(pid_t pid, const char *name, char *text, size_t size)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    size_t len = fread(text, 1, size - 1, file);
    (void)fclose(file);
    text[len] = '\0';
    return len > 0;
}

void process_find(struct process *process, pid_t pid)
{
    process->pid = pid > 0 && clock_getcpuclockid(pid, &process->clock) == 0 ? pid : 0;
}

struct process_times process_times(const struct process *process)
{
    struct process_times times = {0, 0, 0};
    char text[1024];
    unsigned long user, sys;
    if (process->pid == 0)
        return times;
    times.cpu_ns = read_clock(process->clock);
    if (!proc_read(process->pid, "stat", text, sizeof(text)))
        return times;
    /* The name may hold anything; the fields begin behind its last parenthesis. */
    const char *fields = strrchr(text, ')');
    if (fields != NULL &&
        sscanf(fields, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &sys) == 2) {
        int64_t tick_ns = NS_PER_SECOND / sysconf(_SC_CLK_TCK);
        times.user_ns = (int64_t)user * tick_ns;
        times.sys_ns = (int64_t)sys * tick_ns;
    }
    return times;
}

int64_t process_resident(const struct process *process)
{
    char text[4096];
    unsigned long kib, pages;
    if (process->pid == 0)
        return 0;
    if (proc_read(process->pid, "smaps_rollup", text, sizeof(text))) {
        const char *rss = strstr(text, "\nRss:");
        if (rss != NULL && sscanf(rss, "\nRss: %lu kB", &kib) == 1)
            return (int64_t)kib * 1024;
    }
    if (proc_read(process->pid, "statm", text, sizeof(text)) &&
        sscanf(text, "%*u %lu", &pages) == 1)
        return (int64_t)pages * sysconf(_SC_PAGESIZE);
    return 0;
}

int64_t process_self_cpu_ns(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}
