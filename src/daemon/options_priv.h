// SPDX-License-Identifier: MIT
/*
 * The command line (options.c, options_keep.c), and what hilerad does in place of serving (task.c):
 * to check, to salvage, to import; and how that says what it found (lines.c).
 */
#ifndef DAEMON_OPTIONS_PRIV_H
#define DAEMON_OPTIONS_PRIV_H

#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct task;
struct user;

/* ---- options.c: the command line ---- */

/* Options that are tasks; others are letters, or options.c's own. */
enum { KEY_TASK_CHECK_CONFIG = 512, KEY_TASK_CHECK, KEY_TASK_SALVAGE, KEY_TASK_IMPORT };
#define TASK_ARGUMENTS_MAX 2

/* Parameters that options of the command line set: --listen, --threads, --log-level, -z,
 * --insecure, and at most five of options_keep.c. */
#define OPTIONS_OVERRIDES_MAX 10
/* beanstalkd's options that have nothing to set here: -n -c */
#define OPTIONS_LEGACY_COUNT 2

/* What -b, -f, -F and -s said; texts are owned. */
struct options_keep {
    char *directory;  /* absolute; NULL: not said */
    const char *sync; /* -f, of argv; NULL: not said, or -F came later */
    char *interval;   /* of -f as the configuration writes it; NULL: 0, or not said */
    bool never;       /* -F */
    char *segment;    /* NULL: not said */
    uint64_t segment_asked, segment_given;
};

struct options {
    const char *config_file; /* NULL: where config_find_file says */
    char **listen; /* --listen and --port as the configuration writes them; owned, texts too */
    size_t listen_count;
    struct config_override override[OPTIONS_OVERRIDES_MAX];
    size_t override_count;
    const char *user;        /* NULL: whoever started it */
    unsigned verbosity;      /* how often -V was given */
    int ready_fd;            /* -1: none */
    const struct task *task; /* what to do in place of serving; NULL: serve */
    char *task_argument[TASK_ARGUMENTS_MAX];
    size_t task_arguments; /* given so far */
    bool memory;           /* --memory */
    struct options_keep keep;
    bool port_alone;
    bool legacy[OPTIONS_LEGACY_COUNT];
    /* of argv, as given: */
    char *log_level, *threads, *size, *port, *insecure;
    char **address; /* the array is ours */
    size_t address_count;
};

/* Reads argv. Prints and exits for --help, --version and mistakes (status 64). ENOMEM. */
int options_parse(struct options *options, int argc, char **argv);
void options_fini(struct options *options);
/* To the log: what options of beanstalkd mean here, one line each. */
void options_log(const struct options *options);

/* ---- options_keep.c ---- */

/* For each option as it comes. ENOMEM. */
int keep_directory(struct options_keep *keep, const char *given);
int keep_sync(struct options_keep *keep, const char *given);
void keep_never(struct options_keep *keep);
int keep_segment(struct options_keep *keep, const char *given);
/* At the end: what they mean in the configuration. */
void keep_override(struct options *options);
void keep_log(const struct options *options);
void keep_fini(struct options_keep *keep);

/* ---- task.c: what hilerad does in place of serving ---- */

/* What a task has to do with. */
struct task_order {
    const struct config *config; /* NULL: of a task that does without */
    const struct user *user;
    char *const *argument;
};

/* One thing done once; its option is a row of options.c. */
struct task {
    int key;           /* of options.c */
    const char *name;  /* "--check" */
    const char *wants; /* its arguments, for messages */
    size_t arguments;  /* TASK_ARGUMENTS_MAX at most; the first is the option's own */
    bool configured;   /* needs the configuration, */
    int unconfigured;  /* and ends with this status when that can't be loaded */
    int (*run)(const struct task_order *order); /* its exit status */
};

/* The task of an option, or NULL. */
const struct task *task_find(int key);

/* check.c, salvage.c, import.c */
int check_run(const struct task_order *order);
int salvage_run(const struct task_order *order);
int import_run(const struct task_order *order);

/* ---- lines.c: what is said in place of the log ---- */

/* A line of what a task has to say, to standard output; `arg` isn't used. */
void task_line(void *arg, const char *text);
/* One line, of whose text anything may be from outside: made printable. */
void line_print(FILE *to, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Flushes what was said: `status`, or 2 when it could not be written. */
int task_said(int status);

#endif
