// SPDX-License-Identifier: MIT
/*
 * Past attempts as bytes, for the codec: one option of an entry, whose value is attempt after
 * attempt, the oldest first. Each is
 *
 *   letter          how it ended, job_outcomes.def
 *   exit status     and one more; 0: none
 *   signal, start in milliseconds since 1970, milliseconds that it took, bytes of the reason
 *   reason
 *
 * in numbers of base 128.
 */
#ifndef JOB_ATTEMPTS_PRIV_H
#define JOB_ATTEMPTS_PRIV_H

#include "job/bytes_priv.h"
#include "job/job.h"

#define PAST_ONE_MAX (1 + 5 + 5 + 2 * VARINT_MAX + 1 + JOB_PAST_REASON_MAX - 1)

/* Returns the end. */
char *past_encode(const struct job_attempts *past, char *to);
/* Whether the value is right; uses it up. */
void past_look(struct cursor *value);

#endif
