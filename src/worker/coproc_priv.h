// SPDX-License-Identifier: MIT
/*
 * The handler coproc inside: the lines that helpers write, the jobs in hand of one worker, and the
 * talk with one helper process about them. The protocol is in hilera-coproc(7).
 */
#ifndef WORKER_COPROC_PRIV_H
#define WORKER_COPROC_PRIV_H

#include "worker/child_priv.h"
#include "worker/shift_priv.h"

#define COPROC_VERSION 1
#define COPROC_LINE_MAX ((size_t)4096) /* of a helper's line, with its line feed */

/* ---- coproc_line.c: bytes into lines and bodies ---- */

/* Who hears of them. EPROTO from line: it is wrong, and nothing more is read. */
struct coproc_ear {
    /* One line, terminated, without its line feed; may be written to. *body_len: SIZE_MAX, or how
     * many bytes of a body follow. */
    int (*line)(void *arg, char *text, size_t *body_len);
    void (*body)(void *arg, const char *bytes, size_t len);
    void (*body_end)(void *arg);
};

struct coproc_reader {
    char line[COPROC_LINE_MAX];
    size_t line_len;
    size_t body_left;
    enum { COPROC_LINE = 0, COPROC_BODY, COPROC_BODY_LF } state;
};

/* EPROTO: a line too long, a body without its line feed, or what `line` said. *why, static, is set
 * for the first two. */
int coproc_read(struct coproc_reader *reader, const char *bytes, size_t len,
                const struct coproc_ear *ear, void *arg, const char **why);
/* In the middle of a line or a body. */
bool coproc_reader_is_inside(const struct coproc_reader *reader);

/* ---- coproc_message.c: what a line says ---- */

enum coproc_verb {
    COPROC_READY,
    COPROC_BEGIN,
    COPROC_BACK,
    COPROC_RESULT,
    COPROC_RETRY,
    COPROC_FAIL,
    COPROC_PROGRESS,
    COPROC_LOG
};

#define COPROC_RETRY_MAX_S 86400

struct coproc_message {
    enum coproc_verb verb;
    const char *word; /* the verb; static */
    uint64_t id;      /* of the job; log: 0 for the daemon's log. READY: 0 */
    uint64_t number;  /* RESULT: bytes of the body. RETRY: seconds. PROGRESS: percent, 0 to 100.
                         READY: the window, from 1. Else 0 */
    const char *text; /* RETRY, FAIL, PROGRESS, LOG: what is said, within the line; may be "" */
};

/*
 * Takes one line apart, which is written to. `greeted`: the helper has said that it is ready; it
 * must say so first and not again. EPROTO: `why` (why_size bytes) has what it said and what would
 * be right.
 */
int coproc_message_read(struct coproc_message *message, char *line, bool greeted, char *why,
                        size_t why_size);

/* ---- one helper ---- */

#define COPROC_OUT_MAX ((size_t)64 * 1024) /* what a pipe holds by default */

struct coproc_helper {
    unsigned magic;
    struct list_node idle; /* in the handler's list; covered by its lock */
    struct child child;
    pid_t pid; /* for messages */
    struct coproc_reader reader;
    size_t window;       /* jobs that it may have at once; 0: it isn't ready yet */
    bool quick;          /* its last answer came while we looked for it, without sleeping */
    uint64_t last_id;    /* the job it answered last; 0: none */
    int64_t answered_ns; /* when */
    /* To be written, and not yet: from out_at to out_len. */
    size_t out_at, out_len;
    char out[COPROC_OUT_MAX];
};

struct coproc_terms {
    const char *program;   /* for messages */
    size_t output_max;     /* bytes kept of a result, and of stderr */
    int64_t kill_after_ns; /* from TERM to KILL */
};

/* ---- coproc_flight.c: the jobs in hand ---- */

#define COPROC_READY_NS (30 * HL_SECOND)     /* from a helper's start to its "ready" */
#define COPROC_STOP_NS (50 * HL_MILLISECOND) /* from "stop" to TERM */

struct coproc_job {
    struct shift_job job; /* first */
    struct list_node node;
    bool begun;     /* the helper said so, or it is the oldest one that it has */
    bool asked;     /* to come back */
    bool ordered;   /* "back" or "stop" is yet to be written */
    int64_t due_ns; /* its time limit, or the end of patience after "stop"; CLOCK_NEVER */
    size_t copied;  /* bytes of head, body and line feed that are in the helper's `out`, or were */
    uint64_t from, to; /* where in the helper's input, from 0; `to` once all is copied, else
                          UINT64_MAX */
    size_t head_len;
    char head[JOB_TUBE_NAME_MAX + 128];
};

/* What one worker is about; on the stack of coproc_serve. */
struct coproc_flight {
    const struct coproc_terms *terms;
    struct shift *shift;
    struct coproc_helper *helper;
    struct list jobs;          /* of struct coproc_job, the oldest first; told ones before others */
    size_t count;              /* of them */
    size_t allowed;            /* at the moment, of the helper's window */
    struct coproc_job *next;   /* the first that isn't copied wholly; NULL: none */
    struct coproc_job *bodied; /* whose result is being read */
    size_t orders;             /* jobs that are `ordered` */
    struct shift_job *ended[SHIFT_MAX]; /* to be settled */
    size_t ended_count;
    uint64_t answers;         /* of this helper, since it was boarded */
    uint64_t queued, written; /* bytes of its input */
    uint64_t quiet_at;        /* what was queued when it had no job the last time */
    int64_t told_ns;          /* of the last write */
    int64_t due_ns;           /* of being ready, or of the KILL; CLOCK_NEVER */
    bool stands;              /* perhaps, in line for more */
    bool wanted;              /* somebody waits for a job */
    bool final;               /* the pool stops */
    bool stopped;             /* TERM was sent */
    bool broken;              /* it did something wrong: `why` */
    bool ended_itself;        /* its process has ended */
    char why[JOB_REASON_MAX / 2];
};

/* With the first job of the shift. ENOMEM: that one was given back, and there is none. */
int flight_init(struct coproc_flight *flight, const struct coproc_terms *terms,
                struct shift *shift);
/* The jobs in hand are told to that helper from now on; NULL: there is none. */
void flight_board(struct coproc_flight *flight, struct coproc_helper *helper);
/* Takes as many more as there are and room is for. */
void flight_take(struct coproc_flight *flight);
/* Gets into line for them where there is room. false: there is something to take. */
bool flight_stand(struct coproc_flight *flight);
/* Reads the shift's descriptor, and does what it says. */
void flight_listen(struct coproc_flight *flight);
/* What is due by now: limits of jobs, patience, KILL. */
void flight_look_at_clock(struct coproc_flight *flight);
/* When that is to be called at the latest. */
int64_t flight_due(const struct coproc_flight *flight);
/* After jobs came, went, or were told: the oldest one counts as begun; some are returned where
 * somebody else wants one. */
void flight_arrange(struct coproc_flight *flight);
/* Settles what ended. */
void flight_settle(struct coproc_flight *flight);
/* The job takes no more part; its outcome stands. */
void flight_end(struct coproc_flight *flight, struct coproc_job *job);
/* The helper is gone. Jobs that it had begun crashed for that reason (NULL: they were stopped),
 * others go back. */
void flight_crash(struct coproc_flight *flight, const char *why);
/* It did something wrong. EPROTO. */
int flight_wrong(struct coproc_flight *flight, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct coproc_job *flight_job_of(struct list_node *node);

/* ---- coproc_answer.c: what the helper says ---- */

extern const struct coproc_ear flight_ear; /* arg: the flight */

/* ---- coproc_talk.c: the pipes ---- */

/* How a talk ended. */
enum coproc_end {
    COPROC_ANSWERED, /* no job is in hand, and the helper can have others */
    COPROC_SPOILED,  /* no job is in hand, but the helper must go: flight->why, or it has ended */
    COPROC_BROKEN,   /* the helper must go, and its jobs have crashed: likewise */
    COPROC_UNREAD,   /* an old helper ended before it read anything of the jobs: they are in hand */
    COPROC_STOPPED   /* the jobs had to stop; the helper must go */
};

/* Gives jobs to the helper that was boarded and hears its answers, until one of these. */
enum coproc_end coproc_talk(struct coproc_flight *flight);

#endif
