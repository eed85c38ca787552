// SPDX-License-Identifier: MIT
/*
 * Keys of jobs that are gone: what the broker asks of whoever keeps their records. Part of the face
 * of the broker.
 */
#ifndef BROKER_KEEPING_H
#define BROKER_KEEPING_H

#include "thr/thr.h"

#include <stddef.h>

struct broker;

/* Whoever is asked has so much for himself in a question. */
#define BROKER_QUESTION_MEMORY 256

/*
 * Which job that is gone, and whose record is kept, had this key of this submitter in this tube.
 * Memory and texts stay until the later fires, or is cancelled (thr/later.h).
 */
struct broker_key_question {
    struct later later; /* `fire` is the broker's */
    const char *tube, *key;
    uint32_t submitter;
    uint64_t id; /* the answer; 0: none, or it can't be found out */
    _Alignas(max_align_t) char memory[BROKER_QUESTION_MEMORY];
};

/*
 * Asked without the lock, on the thread that puts, which may be one that must not wait for a disk.
 * 0: `id` is the answer. EINPROGRESS: `later` fires when it is; where later.fire is NULL, EAGAIN in
 * its place, and nothing is on its way. ENOMEM.
 */
typedef int broker_key_ask(struct broker_key_question *question, void *arg);

#endif
