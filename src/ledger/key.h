// SPDX-License-Identifier: MIT
/*
 * Which job has a key. Part of ledger.h; key.c has the essay.
 */
#ifndef LEDGER_KEY_H
#define LEDGER_KEY_H

#include "ledger/state.h"

#define KEY_TEXT_MAX (JOB_TUBE_NAME_MAX + 1 + sizeof(uint32_t) + JOB_TEXT_MAX)

/* A key as it stands in an index: the tube's name, a NUL, the submitter, the key. */
struct key_text {
    size_t len;
    char bytes[KEY_TEXT_MAX];
};

/* NULL: it asks for none. */
static inline const char *job_key_of(const struct job *job)
{
    const struct job_options *options = job->extra != NULL ? job->extra->options : NULL;
    return options != NULL && options->key[0] != '\0' ? options->key : NULL;
}
void key_text_make(struct key_text *text, const struct job *job, const struct tube *tube,
                   const char *key);
/* The job's key in that tube; false: it has none, as most. */
static inline bool key_text_of(struct key_text *text, const struct job *job,
                               const struct tube *tube)
{
    const char *key = job_key_of(job);
    if (key != NULL)
        key_text_make(text, job, tube, key);
    return key != NULL;
}
/* The job that has the key; 0: none. */
uint64_t key_find(const struct ledger *ledger, const struct key_text *text) HELD;
/* The key is that job's, in that tube, unless somebody has it there. ENOMEM. */
int key_add(struct job *job, const struct tube *tube) HELD;
/* If it is that job's. */
void key_remove(struct job *job, const struct tube *tube) HELD;
/* Not held. */
void keys_free(struct ledger *ledger);

#endif
