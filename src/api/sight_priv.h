// SPDX-License-Identifier: MIT
/*
 * What is known of one job, in the broker or in history. sight.c finds it.
 */
#ifndef API_SIGHT_PRIV_H
#define API_SIGHT_PRIV_H

#include "api/api_priv.h"

/* Asks call->question, whose later is seen to here. As history_ask; after EINPROGRESS the call
 * waits, and not for a time; `finish` is called after the answer, and takes it by api_asked. */
int api_ask(struct api_call *call);
/* What history_ask would have said. */
int api_asked(struct api_call *call);

struct api_sight {
    unsigned magic;
    bool here; /* it is in the broker, as `view` says */
    struct job_view view;
    /* How it ended, if it is gone or buried, and the asker may see it: its record; or, if none is
     * kept, what else is known of its end. NULL: nothing. */
    struct job_record *record;
};
/* 0: call->sight is about that job. EINPROGRESS: the call waits, and `finish` calls it again.
 * ENOMEM. */
int sight_take(struct api_call *call, uint64_t id);
/* What the call has of it, or of any answer that nobody has taken. */
void sight_drop(struct api_call *call);

#endif
