// SPDX-License-Identifier: MIT
/*
 * Options: what may be asked for with a job beside priority, delay and TTR. Part of job/job.h.
 *
 * They are given once, with the put, and never change: one immutable piece of memory that hangs on
 * the job's side record and goes with it, and a few options of the PUT entry in the journal, which
 * keep it over restarts and copies. To add one: a member, a row in options.def, and a member of the
 * head that `submit` reads. Rules are options, too; one is added by a row in rules.def.
 */
#ifndef JOB_OPTIONS_H
#define JOB_OPTIONS_H

#include "job/rules.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JOB_TEXT_MAX 200  /* bytes of name, group, key, one tag */
#define JOB_TAGS_SIZE 512 /* bytes of all tags with their NULs */
#define JOB_OPTION_TIME_MAX (INT64_C(3155760000) * 1000000000) /* 100 years */

/* Bits of job_options.set. */
enum { JOB_OPTION_RETENTION = 1 << 0, JOB_OPTION_AT = 1 << 1, JOB_OPTION_AUTHORISED = 1 << 2 };

struct job_options {
    unsigned magic;
    uint32_t set;
    struct job_rules rules;
    int64_t retention_ns; /* 0: it leaves no record */
    int64_t at_wall_ns;   /* since 1970 */
    uint32_t
        authorised; /* 1: who put it may have commands run; said by the door, never asked for */
    /* Texts are UTF-8 without control characters; "" (in what is copied from, NULL too): none. */
    const char *name, *group, *key;
    const char *tags; /* one behind the other, each with its NUL */
    size_t tags_size; /* bytes; 0: there are none */
    size_t encoded;   /* bytes it takes in the journal */
};

/*
 * Whether it is right: numbers in the bounds of options.def, texts as they must be, no empty tag
 * and none with a comma (lists of them are written with commas). EINVAL: `why` says what is wrong
 * and what would be right.
 */
int job_options_check(const struct job_options *like, char *why, size_t why_size);
#define JOB_OPTIONS_WHY_MAX 160 /* bytes that are enough for it */

/* Nothing is asked for. */
bool job_options_are_empty(const struct job_options *like);
/* A copy in one piece; magic and encoded of `like` aren't looked at. It is right. ENOMEM. */
int job_options_copy(struct job_options **out, const struct job_options *like);
/* Takes NULL, too. */
void job_options_free(struct job_options **options);

/* `tags` may be NULL when tags_size is 0. */
bool job_tags_have(const char *tags, size_t tags_size, const char *tag);
/* The one behind `tag` (NULL: the first); NULL: there is none. */
const char *job_tags_next(const char *tags, size_t tags_size, const char *tag);

/* "fixed", "exponential"; static. */
const char *job_backoff_word(uint32_t kind);

#endif
