// SPDX-License-Identifier: MIT
/*
 * A program that runs: our end of it. Its parent is a keeper (src/spawn), which starts it with the
 * three pipes that are made here, passes signals on to its group, and tells how it ended.
 *
 * The end is told by one message. Mostly nobody is left then; where somebody is, child_finish has
 * the keeper kill them, and waits until they are gone, so that a job never has two runs at once. A
 * keeper that goes away in the middle (a job can kill its parent) takes the program with it; the
 * spawner sees to that, and is waited for, too.
 *
 * A program may have become another user's, by sudo and the like, and then the keeper can't kill
 * it. That is logged here, once for each child, whoever meets it.
 */
#include "worker/child_priv.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PIPE_READ 0
#define PIPE_WRITE 1

void child_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

int child_start(struct child *child, struct keepers *keepers, const struct spawn_job *job,
                bool keep)
{
    struct pipes pipes;
    *child = (struct child){.keepers = keepers,
                            .id = job->id,
                            .in = -1,
                            .out = -1,
                            .err = -1,
                            .theirs = {-1, -1},
                            .usage = {.user_ns = -1, .system_ns = -1}};
    int rc = keepers_pipes(keepers, &pipes);
    if (rc != 0)
        return rc;
    child->in = pipes.in[PIPE_WRITE];
    child->out = pipes.out[PIPE_READ];
    child->err = pipes.err[PIPE_READ];
    child->theirs[0] = pipes.out[PIPE_WRITE];
    child->theirs[1] = pipes.err[PIPE_WRITE];
    rc = keepers_start(keepers, &child->keeper, job,
                       (const int[3]){pipes.in[PIPE_READ], child->theirs[0], child->theirs[1]});
    child_close(&pipes.in[PIPE_READ]);
    if (rc != 0 || !keep)
        child_let_go(child);
    if (rc == 0)
        return 0;
    child_close(&child->in);
    child_close(&child->out);
    child_close(&child->err);
    return rc;
}

int child_fd(const struct child *child)
{
    return child->keeper != NULL ? spawn_keeper_fd(child->keeper) : -1;
}

/* Of whom the log speaks. */
static void whose(const struct child *child, char *text, size_t size)
{
    if (child->id != 0)
        snprintf(text, size, "job %" PRIu64, child->id);
    else
        snprintf(text, size, "a helper");
}

#define WHOSE_MAX 32

static void note_stuck(struct child *child, const struct spawn_news *news)
{
    char text[WHOSE_MAX];
    if (child->stuck != 0)
        return;
    child->stuck = news->pid;
    whose(child, text, sizeof(text));
    log_warning("%s: its program, pid %d, is to be stopped and can't be (%s): it has become "
                "another user's, as by sudo; as root, say: kill -KILL %d",
                text, (int)news->pid, strerrordesc_np(news->error), (int)news->pid);
}

/* What is left of a program that has ended, or whose keeper has gone. */
static void say_left(const struct child *child, pid_t pid)
{
    char text[WHOSE_MAX];
    whose(child, text, sizeof(text));
    log_warning("%s: its program has left pid %d behind, which can't be killed (%s): it has "
                "become another user's, as by sudo; as root, say: kill -KILL %d",
                text, (int)pid, strerrordesc_np(EPERM), (int)pid);
}

static void note_end(struct child *child, const struct spawn_news *news)
{
    child->ended = true;
    child->others = news->others;
    child->status = news->status;
    child->usage = (struct job_usage){
        .user_ns = news->user_ns, .system_ns = news->system_ns, .max_rss = news->max_rss};
}

int child_hear(struct child *child, struct spawn_news *news)
{
    if (child->keeper == NULL)
        return EPIPE;
    int rc = spawn_keeper_hear(child->keeper, news);
    if (rc == EPIPE)
        child_bury(child);
    if (rc != 0)
        return rc;
    child->answered = true;
    if (news->word == SPAWN_ENDED)
        note_end(child, news);
    else if (news->word == SPAWN_ALIVE && news->error != 0)
        note_stuck(child, news);
    else if (news->word == SPAWN_BYE)
        spawn_keeper_free(&child->keeper);
    return 0;
}

void child_let_go(struct child *child)
{
    child_close(&child->theirs[0]);
    child_close(&child->theirs[1]);
}

void child_signal(struct child *child, int sig)
{
    child->answered = false;
    if (child->keeper != NULL)
        spawn_keeper_signal(child->keeper, sig);
}

bool child_has_ended(struct child *child)
{
    struct spawn_news news;
    while (!child->ended && child->keeper != NULL && child_hear(child, &news) == 0)
        continue;
    return child->ended || child->keeper == NULL;
}

bool child_await(struct child *child, int64_t timeout_ns)
{
    int64_t until = clock_deadline(timeout_ns);
    while (!child_has_ended(child)) {
        struct pollfd fd = {.fd = child_fd(child), .events = POLLIN};
        int64_t left = until - clock_now_ns();
        if (left < 0)
            left = 0;
        if (until == CLOCK_NEVER && child->stuck != 0 && child->answered)
            return false; /* it would be for ever */
        struct timespec wait = {.tv_sec = left / HL_SECOND, .tv_nsec = left % HL_SECOND};
        if (ppoll(&fd, 1, until == CLOCK_NEVER ? NULL : &wait, NULL) == 0 && left == 0)
            return child_has_ended(child);
    }
    return true;
}

int child_end(struct child *child)
{
    bool killed = !child_has_ended(child);
    if (killed) {
        child_signal(child, SIGKILL);
        (void)child_await(child, CLOCK_NEVER);
        if (!child->ended && child->stuck != 0)
            child_abandon(child);
    }
    int status = child->ended ? child->status : SIGKILL;
    child_finish(child, killed);
    return status;
}

void child_abandon(struct child *child)
{
    char text[WHOSE_MAX];
    if (child->keeper == NULL)
        return;
    whose(child, text, sizeof(text));
    log_warning("%s: pid %d is not waited for; until it has ended, a daemon that is started with "
                "this data directory waits with its programs",
                text, (int)child->stuck);
    spawn_keeper_free(&child->keeper);
}

void child_bury(struct child *child)
{
    pid_t left = child->keeper != NULL ? spawn_keeper_bury(&child->keeper) : 0;
    if (left != 0)
        say_left(child, left);
}

/* The keeper, until nobody is left; NULL afterwards if some may not be killed, or it went away. */
static void clean(struct child *child, bool all)
{
    struct spawn_news news;
    spawn_keeper_clean(child->keeper, all, child->again);
    for (;;) {
        struct pollfd fd = {.fd = child_fd(child), .events = POLLIN};
        if (poll(&fd, 1, -1) < 0)
            continue;
        int rc = child_hear(child, &news);
        if (rc == EPIPE)
            return;
        if (rc == 0 && news.word == SPAWN_CLEANED)
            break;
    }
    if (!news.others)
        return;
    if (news.error == EPERM)
        say_left(child, news.pid);
    spawn_keeper_free(&child->keeper);
}

void child_finish(struct child *child, bool all)
{
    child_close(&child->in);
    child_close(&child->out);
    child_close(&child->err);
    child_let_go(child);
    if (child->keeper != NULL && child->ended && child->others)
        clean(child, all);
    if (child->keeper != NULL)
        keepers_give(child->keepers, &child->keeper);
}
