// SPDX-License-Identifier: MIT
/*
 * The daemon that is to be killed: see victim.h. It is always a child of ours and ended by its
 * process id, and its end is always collected, so the data directory is free when a call returns.
 * What it logs goes to the file `log` of the round, start after start.
 */
#include "victim.h"

#include "oracle.h"

#include "base/clock.h"

#include <hilera/thread.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wire.h>

static void path_of(const struct victim *victim, const char *name, char *path, size_t size)
{
    if ((size_t)snprintf(path, size, "%s/%s", victim->settings->directory, name) >= size)
        fail("%s: the path is too long", victim->settings->directory);
}

/* The levels of the tubes, where they aren't all the same. */
static void conf_write_tubes(FILE *conf, const struct victim_settings *settings)
{
    static const char *const names[] = {
        [LEVEL_COMMIT] = "commit", [LEVEL_INTERVAL] = "interval", [LEVEL_MEMORY] = "memory"};
    for (int i = 0; i < TUBES; i++)
        fprintf(conf, "tube \"%s\" {\n    durability = %s\n}\n", settings->tubes[i].name,
                names[settings->tubes[i].level]);
}

static void conf_write(const struct victim *victim)
{
    const struct victim_settings *settings = victim->settings;
    char path[512], data[512];
    bool levels = strcmp(settings->durability, "levels") == 0;
    path_of(victim, "hilerad.conf", path, sizeof(path));
    path_of(victim, "data", data, sizeof(data));
    FILE *conf = fopen(path, "we");
    if (conf == NULL || (mkdir(data, 0700) != 0 && errno != EEXIST))
        fail("%s: %s", settings->directory, strerror(errno));
    fprintf(conf, "data_dir = \"%s\"\ndurability = %s\nsync_interval = %dms\n", data,
            levels ? "commit" : settings->durability, settings->interval_ms);
    fprintf(conf, "segment_size = %" PRIu64 "\nsegment_size_max = %" PRIu64 "\n",
            settings->segment_size, settings->segment_size_max);
    fprintf(conf, "cache_size = %" PRIu64 "\nlog_level = info\n", settings->cache_size);
    if (levels)
        conf_write_tubes(conf, settings);
    if (victim->more != NULL)
        fputs(victim->more, conf);
    if (fclose(conf) != 0)
        fail("%s: %s", path, strerror(errno));
}

static void control_make(struct victim *victim)
{
    char path[512];
    path_of(victim, "control", path, sizeof(path));
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof(*victim->control)) != 0)
        fail("%s: %s", path, strerror(errno));
    victim->control =
        mmap(NULL, sizeof(*victim->control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (victim->control == MAP_FAILED)
        fail("%s: %s", path, strerror(errno));
    close(fd);
}

void victim_init(struct victim *victim, const struct victim_settings *settings)
{
    *victim = (struct victim){.settings = settings, .program = settings->hilerad, .ready_fd = -1};
    path_of(victim, "sock", victim->socket, sizeof(victim->socket));
    conf_write(victim);
    if (settings->shim != NULL)
        control_make(victim);
}

void victim_configure(struct victim *victim, const char *more)
{
    victim->more = more;
    conf_write(victim);
}

void victim_fini(struct victim *victim)
{
    if (victim->pid != 0)
        victim_kill(victim);
    if (victim->control != NULL)
        (void)munmap(victim->control, sizeof(*victim->control));
    victim->control = NULL;
}

void victim_disk(struct victim *victim, uint64_t seed, uint64_t loss_at, uint64_t fault_at,
                 int fault_error, bool fault_stays)
{
    struct shim_control *control = victim->control;
    control->seed = seed;
    control->fault_at = fault_at;
    control->fault_error = fault_error;
    control->fault_stays = fault_stays;
    control->lies = victim->settings->lies;
    control->alloc_at = control->alloc_count = 0;
    atomic_store(&control->history_error, 0);
    atomic_store(&control->history_slow_ms, 0);
    atomic_store(&control->calls, 0);
    atomic_store(&control->allocs, 0);
    atomic_store(&control->loss_at, loss_at);
    atomic_store(&control->lose_now, 0);
    atomic_store(&control->losing, 0);
    atomic_store(&control->lost, 0);
    atomic_store(&control->failed, 0);
}

/* In the child. */
static void victim_become(const struct victim *victim, int ready_fd)
{
    char conf[512], data[512], control[512], log[512], address[256];
    path_of(victim, "hilerad.conf", conf, sizeof(conf));
    path_of(victim, "data", data, sizeof(data));
    path_of(victim, "control", control, sizeof(control));
    path_of(victim, "log", log, sizeof(log));
    snprintf(address, sizeof(address), "unix:%s", victim->socket);
    int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (out < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0 || dup2(ready_fd, 3) < 0)
        _exit(126);
    if (ready_fd == 3)
        (void)fcntl(3, F_SETFD, 0);
    /* A harness that gives up, or is ended itself, leaves no daemon behind. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        _exit(126);
    dprintf(2, "---- start %d: %s ----\n", victim->starts, victim->program);
    if (victim->control != NULL &&
        (setenv("LD_PRELOAD", victim->settings->shim, 1) != 0 ||
         setenv(SHIM_CONTROL_ENV, control, 1) != 0 || setenv(SHIM_DATA_ENV, data, 1) != 0))
        _exit(126);
    execl(victim->program, victim->program, "--config", conf, "--listen", address, "--ready-fd",
          "3", (char *)NULL);
    dprintf(2, "%s: %s\n", victim->program, strerror(errno));
    _exit(127);
}

void victim_start(struct victim *victim)
{
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) != 0)
        fail("pipe: %s", strerror(errno));
    victim->starts++;
    fflush(NULL);
    victim->pid = fork();
    if (victim->pid < 0)
        fail("fork: %s", strerror(errno));
    if (victim->pid == 0)
        victim_become(victim, pipe_fds[1]);
    close(pipe_fds[1]);
    victim->ready_fd = pipe_fds[0];
}

bool victim_ready(struct victim *victim, int64_t limit_ns)
{
    char text[512];
    int64_t patience_ns = (int64_t)wire_patience() * HL_SECOND;
    int64_t wait_ns = limit_ns < 0 ? patience_ns : limit_ns;
    struct timespec wait = {.tv_sec = wait_ns / HL_SECOND, .tv_nsec = wait_ns % HL_SECOND};
    struct pollfd ready = {.fd = victim->ready_fd, .events = POLLIN};
    int rc = ppoll(&ready, 1, &wait, NULL);
    if (rc == 0 && limit_ns < 0)
        fail("the daemon is neither ready nor gone after %d s", wire_patience());
    return rc > 0 && read(victim->ready_fd, text, sizeof(text)) > 0;
}

static int victim_collect(struct victim *victim)
{
    int status = 0;
    while (waitpid(victim->pid, &status, 0) < 0)
        if (errno != EINTR)
            fail("waitpid: %s", strerror(errno));
    victim->pid = 0;
    close(victim->ready_fd);
    victim->ready_fd = -1;
    return status;
}

/* Stops it first: a power loss that has begun must be completed, not cut short. */
static void kill_with_shim(struct victim *victim)
{
    (void)kill(victim->pid, SIGSTOP);
    while (waitid(P_PID, (id_t)victim->pid, &(siginfo_t){0}, WSTOPPED | WEXITED | WNOWAIT) != 0)
        if (errno != EINTR)
            fail("waitid: %s", strerror(errno));
    if (atomic_load(&victim->control->losing) == 0)
        (void)kill(victim->pid, SIGKILL);
    (void)kill(victim->pid, SIGCONT);
}

void victim_kill(struct victim *victim)
{
    if (victim->control != NULL)
        kill_with_shim(victim);
    else
        (void)kill(victim->pid, SIGKILL);
    (void)victim_collect(victim);
}

void victim_lose(struct victim *victim)
{
    atomic_store(&victim->control->lose_now, 1);
    (void)syscall(SYS_futex, &victim->control->lose_now, FUTEX_WAKE, 1, NULL, NULL, 0);
    (void)victim_stop(victim, false);
}

int victim_stop(struct victim *victim, bool ask)
{
    /* The ready pipe is open in the daemon's hands only until it is ready; its end is waited for
     * by a process descriptor, with the same patience as an answer. */
    int fd = (int)pidfd_open(victim->pid, 0);
    struct pollfd gone = {.fd = fd, .events = POLLIN};
    if (ask)
        (void)kill(victim->pid, SIGTERM);
    if (fd < 0 || poll(&gone, 1, wire_patience() * 1000) <= 0)
        fail("the daemon does not end");
    close(fd);
    return victim_collect(victim);
}

bool victim_lost(const struct victim *victim)
{
    return victim->control != NULL && atomic_load(&victim->control->lost) != 0;
}

bool victim_failed(const struct victim *victim)
{
    return victim->control != NULL && atomic_load(&victim->control->failed) != 0;
}
