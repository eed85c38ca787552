// SPDX-License-Identifier: MIT
/*
 * Who put a job: a uid of this machine, or nobody that is known.
 */
#ifndef JOB_SUBMITTER_H
#define JOB_SUBMITTER_H

#include <stdint.h>

/* A peer without a name put it. It is no uid: the kernel gives this one to nobody. */
#define JOB_NOBODY UINT32_MAX

#endif
