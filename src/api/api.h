// SPDX-License-Identifier: MIT
/*
 * The admin API: one table of methods (methods.def), JSON in, JSON out. Doors (the beanstalk port's
 * `call`, later HTTP) bring calls in and answers out; they know no method, and methods know no
 * door.
 *
 * A call is answered at once or later: `wait` and `join` answer when it happened, and what is in a
 * file only is told when that was read. Everything of a call runs on its door's thread but the fire
 * of its later, which says that the answer can be fetched:
 *
 *     api_call_start    0: answered. EINPROGRESS: later, and then
 *       -> later        fires on any thread, possibly before start has returned
 *       -> api_call_finish   on the door's thread. 0: now it is answered. EINPROGRESS: later, again
 *     api_call_late     at deadline_ns, if later_cancel said true; it is answered, mostly with
 *                       timed_out
 *     api_call_fini     when the answer was used, or after a cancel that said true
 *
 * An answer that can be of any size is made as it is read: see api_answer_size.
 *
 * Errors are {"code":WORD,"message":SENTENCE}; the words are those of base/errtab.def.
 */
#ifndef API_API_H
#define API_API_H

#include "base/buf.h"
#include "broker/broker.h"
#include "history/history.h"
#include "house/house.h"
#include "trust/trust.h"
#include "worker/worker.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct api;

struct api_connections {
    uint64_t open, accepted, accept_pauses, refused, bytes_in, bytes_out;
};

/* Of the data directory, what the broker doesn't know. */
struct api_store {
    const char *directory;        /* valid as long as the api; NULL: nothing is kept */
    uint64_t recovered_jobs;      /* that the start has found */
    uint64_t damages, torn_bytes; /* that it has found, too */
    int64_t recovery_ns;          /* how long that took */
};

/* What the methods speak about. All borrowed, all must outlive the api; NULL where it says so. */
struct api_links {
    struct broker *broker;
    struct history *history;
    struct house *house; /* NULL: `stats` has no samples */
    struct worker_pool *const *pools;
    size_t pool_count;
    /* What only the daemon can see, since doors lie above this folder. NULL: left out of `stats`.
     */
    void (*connections)(struct api_connections *out, void *arg);
    void (*commands)(void (*visit)(const char *name, uint64_t count, void *to), void *to,
                     void *arg);
    void (*store)(struct api_store *out, void *arg);
    /* Sets whether puts are refused. 0, also if it is so already; ESHUTDOWN: the daemon is
     * stopping. From the doors' threads. NULL: the broker is told, and nobody else. */
    int (*drain)(bool draining, void *arg);
    void *arg; /* for all of them */
};

/* Starts the clock of "uptime". ENOMEM. */
int api_new(struct api **out, const struct api_links *links);
/* No call is pending. */
void api_free(struct api **api);

struct api_method;
struct api_rows;
struct api_sight;

struct api_call {
    unsigned magic; /* the api's; api_call_start sets it */

    /* set by the door */
    struct later later;             /* fire: only pass it on */
    const struct trust_view *asker; /* what the other side may; outlives the call */

    /* for the door to read */
    int error;             /* 0: answer is the result; else answer is the error object */
    struct buf answer;     /* JSON, one line, no newline. Empty: memory ran out, say so */
    struct api_rows *rows; /* not NULL: a part of it is missing, read it by api_answer_next */
    size_t looked_at;      /* jobs and records, one by one: what it cost beside its answer */
    size_t rows_made;      /* of a list, so far; each costs as much as many that are looked at */
    int64_t deadline_ns;   /* when its time is over; CLOCK_NEVER */
    bool asks;             /* it waits for history alone, so it comes whoever does what */

    /* the api's */
    struct api *api;
    const struct api_method *method;
    struct ticket ticket; /* the door's, too: to be reached before it is told, as waiter's */
    struct broker_waiter waiter;
    struct worker_quiet quiet;        /* pool_drain */
    struct broker_op room;            /* the journal was busy: it runs again when there is room */
    struct cJSON *params;             /* then; else NULL */
    bool gives_up;                    /* there was none: it answers with what was done */
    struct broker_page page;          /* of what is changed by a filter: what was done so far */
    struct history_question question; /* of what isn't in memory */
    struct api_sight *sight;          /* of what it asks for; NULL */
    uint64_t id;                      /* of the parameters; 0: there is none */
    struct worker_output_wait output; /* output, as the next five */
    _Atomic unsigned tokens;
    bool waits; /* for something new, if there is nothing yet */
    uint32_t attempt;
    size_t out_at, err_at;
    struct broker_listener listener; /* events, as the next one */
    size_t limit;
    char tube[JOB_TUBE_NAME_MAX + 1]; /* join; "": all */
    char group[JOB_TEXT_MAX + 1];     /* join; "": none */
    int64_t timeout_ns;
};

/*
 * `method` and `json` are copied as needed; `json` may be empty, which is {}. The call is the
 * door's memory and must stay where it is until it is answered or cancelled.
 */
int api_call_start(struct api_call *call, struct api *api, const char *method, size_t method_len,
                   const char *json, size_t json_len);
int api_call_finish(struct api_call *call);
/*
 * For a call that is answered and has rows, on the door's thread. Each does a little at a time;
 * EINPROGRESS: call it again. _size: of the whole answer; 0: that is known, and if there are no
 * rows any more, `answer` has all of it. Else _next appends the next part of it; 0: that was the
 * last. ENOMEM. ESTALE: the reader was too slow, the rest can't be had.
 */
int api_answer_size(struct api_call *call, size_t *size);
int api_answer_next(struct api_call *call, struct buf *part);
void api_call_late(struct api_call *call);
void api_call_fini(struct api_call *call);

/*
 * The head of a `submit`: the JSON object of what is asked for with a job. EINVAL: `why` says what
 * is wrong and what would be right. ENOMEM. After 0 the texts are valid until api_submit_fini, and
 * while the struct stays where it is.
 */
struct api_submit {
    const char *tube; /* NULL: not given */
    uint32_t pri;
    int64_t delay_ns, ttr_ns;
    bool awaited;               /* how it ends will be asked for */
    struct job_options options; /* right */
    /* the api's */
    char tags[JOB_TAGS_SIZE];
    struct cJSON *json;
};
int api_submit_read(struct api_submit *submit, const char *json, size_t len, char *why,
                    size_t why_size);
void api_submit_fini(struct api_submit *submit);

/* Whether a pool of that tube could run a job of that body; asked where it may be that it couldn't
 * (rights_guarded). EMSGSIZE: `why` says how much is too much. */
int api_admit(const struct api *api, const char *tube, const char *bytes, size_t len, char *why,
              size_t why_size);

/* A sentence about a change for which there is no room, told apart by where: a tube, all tubes, the
 * journal, the disk, the groups. NULL: rc says something else. */
const char *api_no_room(int rc);

/* Answers an error of the door's own (body too big) in the same form. */
void api_call_refuse(struct api_call *call, int error, const char *message);

#endif
