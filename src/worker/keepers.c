// SPDX-License-Identifier: MIT
/*
 * The keepers of a pool: each is the parent of one program at a time (src/spawn). There are as many
 * as programs have run at once, and those that have nothing to do end after a while.
 *
 * The one used last is used next, so that the others may end. One that has ended is only noticed
 * when it is to be used; then another one is taken.
 */
#include "worker/worker_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
