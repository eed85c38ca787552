// SPDX-License-Identifier: MIT
/*
 * How hilera-bench ends early: the server was wrong, or the run could not be made. Both print one
 * line and end the process, so that no figure of such a run is ever printed.
 */
#ifndef LOAD_FAULT_H
#define LOAD_FAULT_H

enum {
    FAULT_WRONG = 1,  /* an answer, a body or a job's fate was not as it must be */
    FAULT_USAGE = 2,  /* the command line */
    FAULT_FAILED = 3, /* no server, no descriptors, no memory: nothing is known about the server */
};

/* The server answered wrongly: says what was expected and what came. */
_Noreturn void wrong(const char *format, ...) __attribute__((format(printf, 1, 2), cold));

/* The run can't go on for a reason that is not the server's correctness. */
_Noreturn void failed(const char *format, ...) __attribute__((format(printf, 1, 2), cold));

/* The options don't fit together. */
_Noreturn void unusable(const char *format, ...) __attribute__((format(printf, 1, 2), cold));

/* Memory, or the end with a message. */
void *need(void *memory);

/* The same for a function that answers 0 unless there is none. */
void need_done(int rc);

#endif
