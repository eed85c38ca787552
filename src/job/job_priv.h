// SPDX-License-Identifier: MIT
/*
 * What body.c and job.c share: they are two faces of one piece of memory.
 */
#ifndef JOB_JOB_PRIV_H
#define JOB_JOB_PRIV_H

#include "job/job.h"

#define JOB_MAGIC 0x6a0b0000u

#endif
