// SPDX-License-Identifier: MIT
/*
 * The handler coproc inside: the lines that helpers write, one helper process, and the talk with it
 * about one job. The protocol is in hilera-coproc(7).
 */
#ifndef WORKER_COPROC_PRIV_H
#define WORKER_COPROC_PRIV_H

#include "worker/worker_priv.h"

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

/* ---- coproc_talk.c: one helper, one job ---- */

struct coproc_helper {
    unsigned magic;
    struct list_node idle; /* in the handler's list; covered by its lock */
    struct child child;
    struct coproc_reader reader;
    bool ready;          /* it said so */
    bool quick;          /* its last answer came while we looked for it, without sleeping */
    uint64_t last_id;    /* the job it answered last; 0: none */
    int64_t answered_ns; /* when */
};

struct coproc_terms {
    const char *program;   /* for messages */
    size_t output_max;     /* bytes kept of a result, and of stderr */
    int64_t ready_ns;      /* how long a helper may take to say that it is ready */
    int64_t kill_after_ns; /* from TERM to KILL */
};

/* How a talk ended, beside the outcome. */
enum coproc_end {
    COPROC_ANSWERED, /* the outcome is the helper's; it can have another job */
    COPROC_SPOILED,  /* likewise, but the helper must go: `why` */
    COPROC_BROKEN,   /* no answer, the helper must go: `why` */
    COPROC_UNREAD,   /* an old helper ended before it read anything of the job */
    COPROC_STOPPED   /* no answer: the job had to stop, and the helper has ended */
};

/*
 * Gives the job to the helper and waits for its answer; whatever happens, the helper has nothing of
 * it any more when this returns, or must be ended. `why` (why_size bytes): what went wrong.
 */
enum coproc_end coproc_talk(struct coproc_helper *helper, const struct coproc_terms *terms,
                            struct handler_call *call, char *why, size_t why_size);

#endif
