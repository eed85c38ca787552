// SPDX-License-Identifier: MIT
/*
 * Commands that take several turns; task.c has the essay.
 */
#ifndef FRONT_TASK_PRIV_H
#define FRONT_TASK_PRIV_H

#include "front/session_priv.h"

struct task_kind {
    /* Does a part, which should take as long as the turn (conn_has_turn). true: there is more.
     * false: that was all, and it is answered. */
    bool (*step)(struct session *session, struct task *task);
    void (*release)(struct task *task);
};

/* The beginning of what such a command needs. */
struct task {
    const struct task_kind *kind;
};

/* Takes the task over, and does its first part. */
void task_start(struct session *session, struct task *task);
void task_go_on(struct session *session);
void task_abandon(struct session *session);

/* walk.c */

/* "WORD done\r\n", now or later; takes over the walk, which has just begun. `word` is static. */
void walk_start(struct session *session, struct broker_bulk *walk, const char *word);

#endif
