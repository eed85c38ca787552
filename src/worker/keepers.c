// SPDX-License-Identifier: MIT
/*
 * The keepers of a pool: each is the parent of one program at a time (src/spawn). There are as many
 * as programs have run at once, and those that have nothing to do end after a while.
 *
 * While a program runs its worker has time, and makes pipes for the next one. There are few such
 * sets, as where many programs run no processor has time to spare, and none where descriptors might
 * become few.
 *
 * The one used last is used next, so that the others may end. One that has ended is only noticed
 * when it is to be used; then another one is taken.
 */
#include "worker/child_priv.h"
#include "worker/worker.h"

#include "thr/thr.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- pipes ---- */

static void pipes_close(struct pipes *pipes)
{
    for (int i = 0; i < 2; i++) {
        child_close(&pipes->in[i]);
        child_close(&pipes->out[i]);
        child_close(&pipes->err[i]);
    }
}

/* Ours doesn't block; the program's does, as programs expect. */
static int pipe_make(int fds[2], int ours)
{
    if (pipe2(fds, O_CLOEXEC) != 0) {
        fds[0] = fds[1] = -1;
        return errno;
    }
    return fcntl(fds[ours], F_SETFL, O_NONBLOCK) == 0 ? 0 : errno;
}

static int pipes_make(struct pipes *pipes)
{
    *pipes = (struct pipes){{-1, -1}, {-1, -1}, {-1, -1}};
    int rc = pipe_make(pipes->in, 1);
    if (rc == 0)
        rc = pipe_make(pipes->out, 0);
    if (rc == 0)
        rc = pipe_make(pipes->err, 0);
    if (rc != 0)
        pipes_close(pipes);
    return rc;
}

/* The lowest number that is free is given: a high one says that few are left. A low one doesn't say
 * the opposite, but what a pool has ahead is little, and each start may use it. */
static bool is_far_from_limit(const struct pipes *pipes)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 && (rlim_t)pipes->err[1] < limit.rlim_cur / 2;
}

static bool pipes_take(struct keepers *keepers, struct pipes *pipes)
{
    HL_LOCK_SCOPE(keepers->lock);
    if (keepers->pipes_count == 0)
        return false;
    *pipes = keepers->pipes[--keepers->pipes_count];
    return true;
}

int keepers_pipes(struct keepers *keepers, struct pipes *pipes)
{
    while (pipes_take(keepers, pipes)) {
        if (is_far_from_limit(pipes))
            return 0;
        pipes_close(pipes); /* the limit has been lowered */
    }
    return pipes_make(pipes);
}

/* Whether it wants some. */
static bool wants_pipes(struct keepers *keepers)
{
    HL_LOCK_SCOPE(keepers->lock);
    return keepers->pipes_count < KEEPERS_PIPES && !keepers->near_limit;
}

/* Takes them over, if it may have them. */
static void pipes_give(struct keepers *keepers, struct pipes *pipes)
{
    bool far = is_far_from_limit(pipes);
    {
        HL_LOCK_SCOPE(keepers->lock);
        if (!far)
            keepers->near_limit = true;
        else if (keepers->pipes_count < KEEPERS_PIPES) {
            keepers->pipes[keepers->pipes_count++] = *pipes;
            return;
        }
    }
    pipes_close(pipes);
}

void keepers_pipes_ahead(struct keepers *keepers)
{
    struct pipes pipes;
    if (wants_pipes(keepers) && pipes_make(&pipes) == 0)
        pipes_give(keepers, &pipes);
}

/* ---- keepers ---- */

int keepers_init(struct keepers *keepers, const struct handler_settings *settings)
{
    *keepers = (struct keepers){.spawner = settings->spawner, .row = settings->row};
    if (settings->spawner == NULL)
        return EINVAL;
    return hl_lock_new(&keepers->lock, "keepers", lock_class(LOCK_CLASS_keepers));
}

void keepers_fini(struct keepers *keepers)
{
    for (size_t i = 0; i < keepers->count; i++)
        spawn_keeper_free(&keepers->idle[i]);
    for (size_t i = 0; i < keepers->pipes_count; i++)
        pipes_close(&keepers->pipes[i]);
    free(keepers->idle);
    hl_lock_free(&keepers->lock);
    *keepers = (struct keepers){.spawner = NULL};
}

static struct spawn_keeper *take(struct keepers *keepers)
{
    HL_LOCK_SCOPE(keepers->lock);
    return keepers->count > 0 ? keepers->idle[--keepers->count] : NULL;
}

/* Whether it has said farewell. */
static bool has_gone(const struct spawn_keeper *keeper)
{
    struct spawn_news news;
    return spawn_keeper_hear(keeper, &news) != EAGAIN;
}

int keepers_start(struct keepers *keepers, struct spawn_keeper **out, const struct spawn_job *job,
                  const int fds[3])
{
    for (;;) {
        struct spawn_keeper *keeper = take(keepers);
        bool is_new = keeper == NULL;
        int rc = is_new             ? spawn_keeper_new(&keeper, keepers->spawner, keepers->row)
                 : has_gone(keeper) ? EPIPE
                                    : 0;
        if (rc == 0)
            rc = spawn_keeper_start(keeper, job, fds);
        if (rc == 0) {
            *out = keeper;
            return 0;
        }
        spawn_keeper_free(&keeper);
        if (is_new || rc != EPIPE)
            return rc;
    }
}

static bool room_make(struct keepers *keepers)
{
    if (keepers->count < keepers->room)
        return true;
    size_t room = keepers->room > 0 ? keepers->room * 2 : 8;
    struct spawn_keeper **idle = realloc(keepers->idle, room * sizeof(struct spawn_keeper *));
    if (idle == NULL)
        return false;
    keepers->idle = idle;
    keepers->room = room;
    return true;
}

void keepers_give(struct keepers *keepers, struct spawn_keeper **keeper)
{
    {
        HL_LOCK_SCOPE(keepers->lock);
        if (room_make(keepers)) {
            keepers->idle[keepers->count++] = *keeper;
            *keeper = NULL;
        }
    }
    spawn_keeper_free(keeper);
}
