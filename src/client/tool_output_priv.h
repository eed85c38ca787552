// SPDX-License-Identifier: MIT
/*
 * What jobs wrote and how they ended: bytes on a terminal (screen.c), output that is there
 * (output.c) or comes (follow.c), and the end (ended.c).
 */
#ifndef CLIENT_TOOL_OUTPUT_PRIV_H
#define CLIENT_TOOL_OUTPUT_PRIV_H

#include "client/tool_priv.h"

/* ---- screen.c: bodies and output of jobs, which a terminal gets made printable ---- */

struct screen {
    FILE *to;
    const char *what; /* "stdout", "the body": for the line about what is no text */
    bool filtered;    /* it is a terminal's, and not raw */
    bool open_line;   /* the last byte that was shown is no newline */
    uint64_t unshown; /* bytes that are no text */
    char cut[4];      /* the beginning of a character */
    size_t cut_len;
};

void screen_begin(struct screen *screen, FILE *to, const char *what, bool raw);
/* The next piece. ENOMEM. */
int screen_write(struct screen *screen, const void *bytes, size_t len);
/* No more comes: what is left, and the line about what wasn't shown. ENOMEM. */
int screen_end(struct screen *screen);

/* ---- output.c ---- */

/* What a job wrote to "stdout" or "stderr", as the daemon's "result" has it, in bytes. */
enum exit_code output_print(const cJSON *result, const char *name, struct screen *screen);
/* All of these streams of a job, each to its own; says what was cut. */
enum exit_code output_print_all(const cJSON *result, uint64_t id, bool out, bool err, bool raw);
/* Only says what was cut. */
void output_warnings(const cJSON *result, uint64_t id, bool out, bool err);

/* ---- follow.c: what a job writes, as it comes ---- */

/* Before: all zero but id, out and err, and attempt, if it isn't the present one that is to be the
 * first. */
struct follow {
    uint64_t id;
    bool out, err; /* which streams are shown */
    bool raw;      /* on a terminal, too */
    /* What is known: */
    uint64_t attempt, out_at, err_at;
    uint64_t shown;          /* the attempt whose output was shown last; 0: none */
    bool finished;           /* nothing more comes */
    uint64_t warned;         /* the attempt of which was said that it isn't all there; 0: none */
    bool lost;               /* the daemon doesn't keep what it wrote */
    unsigned idle;           /* answers in a row that told nothing new */
    struct screen screen[2]; /* stdout, stderr; of the attempt `shown` */
};

/* Shows what comes until the job is finished; with --json a line for each answer. Interrupted, or
 * after another failure, it can go on, with another connection. */
enum exit_code follow_job(const struct tool *tool, hl_client *client, struct follow *follow);

/* ---- ended.c ---- */

/* Asks until the job is finished or time is over: the answer of "wait", valid until the client's
 * next call. */
enum exit_code ended_await(hl_client *client, uint64_t id, int64_t deadline_ns, const char **text,
                           size_t *len);
/* How it ended, in the daemon's word; "": the answer doesn't say. */
const char *ended_outcome(const cJSON *answer);
enum exit_code ended_code(const char *outcome);
/* What it wrote, each stream to its own; says what was cut. */
enum exit_code ended_print(const cJSON *answer, uint64_t id, bool raw);
/* "job 5 failed: why, ran 1.2 s". ENOMEM. */
int ended_line(struct buf *line, uint64_t id, const cJSON *answer);

#endif
