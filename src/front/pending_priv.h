// SPDX-License-Identifier: MIT
/*
 * Answers that come later; pending.c has the essay.
 */
#ifndef FRONT_PENDING_PRIV_H
#define FRONT_PENDING_PRIV_H

#include "front/session_priv.h"

/*
 * What a session waits for: the first part of what a command needs that waits, in memory of its
 * own, beyond the session's end. All run on the loop's thread but pending_fire.
 */
struct pending {
    struct later *later; /* its fire calls pending_fire, or only posts the message */
    struct loop_message message;
    /* Takes the memory back and answers. `why`: 0 it has fired; ETIMEDOUT the time is over;
     * ECANCELED the other side sends no more. It may wait again, for the same or for more. */
    void (*answer)(struct session *session, struct pending *pending, int why);
    /* Whether it isn't ended by that `why`. NULL: it is. */
    bool (*endures)(struct pending *pending, int why);
    /* Takes the memory back, without a session. */
    void (*release)(struct pending *pending);
};

/* Before anything that can make it fire; then one of the two below. */
void pending_begin(struct session *session, struct pending *pending);
/* It waits, until then at most (clock_now_ns time). The memory is pending.c's. */
void pending_wait(struct session *session, struct pending *pending, int64_t deadline_ns);
/* It needn't wait, and won't fire. */
void pending_drop(struct pending *pending);
/* Once, from any thread. */
void pending_fire(struct pending *pending);

/* The wait is over for that reason, unless what is waited for is about to come, or nothing is. */
void pending_end(struct session *session, int why);
/* The session ends. */
void pending_abandon(struct session *session);

#endif
