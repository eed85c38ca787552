// SPDX-License-Identifier: MIT
/*
 * The children of the calling process, and the end of them.
 *
 * A keeper is a subreaper: whatever its program started, and whatever became of the parents in
 * between, comes to it in the end. So it is enough to kill one's own children until there are none:
 * each round brings those of the ones before. A child that isn't collected keeps its number, so a
 * kill by number never meets a stranger.
 */
#include "spawn/spawn_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUND_MAX 512 /* killed before the next look */

size_t children_list(pid_t *pids, size_t max, int *error)
{
    char path[64], text[8192];
    size_t count = 0;
    snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)gettid());
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    *error = fd < 0 ? ENOSYS : 0;
    if (fd < 0)
        return 0;
    ssize_t got = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[got > 0 ? got : 0] = '\0';
    /* A number that was cut at the end isn't followed by its blank, and waits for the next look. */
    for (char *at = text, *end; count < max; at = end + 1) {
        long pid = strtol(at, &end, 10);
        if (end == at || *end != ' ')
            break;
        pids[count++] = (pid_t)pid;
    }
    return count;
}

static bool is_of(pid_t pid, pid_t group)
{
    return group == 0 || getpgid(pid) == group;
}

/* One round; `group` 0: of all. The number of those that could be killed. */
static size_t children_kill(pid_t group, int *error)
{
    pid_t pids[ROUND_MAX];
    size_t killed = 0, count = children_list(pids, ROUND_MAX, error);
    for (size_t i = 0; i < count; i++) {
        if (!is_of(pids[i], group))
            continue;
        /* As long as this one is in it, and isn't collected, the group's number is the group's. It
         * is killed by itself, too: one of its group that may be killed doesn't mean that it may.
         */
        if (group != 0)
            (void)kill(-group, SIGKILL);
        if (kill(pids[i], SIGKILL) == 0)
            killed++;
        else
            *error = errno;
    }
    return killed;
}

/* Waits for one child of those, and collects what else has ended. */
static void children_collect(pid_t group)
{
    pid_t which = group == 0 ? -1 : -group;
    pid_t got;
    do
        got = waitpid(which, NULL, 0);
    while (got < 0 && errno == EINTR);
    while (got > 0)
        got = waitpid(which, NULL, WNOHANG);
}

pid_t children_first(void)
{
    pid_t pid = 0;
    int error;
    (void)children_list(&pid, 1, &error);
    return pid;
}

bool children_are_left(void)
{
    pid_t got;
    do
        got = waitpid(-1, NULL, WNOHANG);
    while (got > 0 || (got < 0 && errno == EINTR));
    return got == 0;
}

static int end_all(pid_t group)
{
    for (;;) {
        int error;
        size_t killed = children_kill(group, &error);
        if (killed > 0)
            children_collect(group);
        else if (error != 0 || group != 0 || !children_are_left())
            return error; /* else the list has missed one that came in between */
    }
}

int children_end(void)
{
    return end_all(0);
}

int children_end_group(pid_t group)
{
    return end_all(group);
}
