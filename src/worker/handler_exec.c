// SPDX-License-Identifier: MIT
/*
 * The handler that runs a program for each job: the body is its standard input, its output is kept
 * up to a limit, its exit status decides. How a run goes is in program.c, what its end means in
 * verdict.c; the settings of the pool become here what those two need.
 */
#include "worker/child_priv.h"
#include "worker/program_priv.h"
#include "worker/programs_priv.h"
#include "worker/worker_priv.h"

#include "base/magic.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXEC_MAGIC 0x3e3ec001u

struct exec {
    unsigned magic;
    char *name; /* of the program */
    struct keepers keepers;
    struct program program;
};

static int exec_check(const struct handler_settings *settings, char *why, size_t why_size)
{
    if (settings->argv == NULL || settings->argv[0] == NULL || settings->argv[0][0] == '\0') {
        snprintf(why, why_size,
                 "the handler exec needs argv with a program, like argv = {\"gzip\", \"-c\"}");
        return EINVAL;
    }
    return programs_check(settings, why, why_size);
}

static void exec_close(void **state)
{
    if (*state == NULL)
        return;
    struct exec *exec = *state;
    MAGIC_CHECK(exec, EXEC_MAGIC);
    *state = NULL;
    free(exec->name);
    keepers_fini(&exec->keepers);
    MAGIC_WIPE(exec);
    free(exec);
}

static int exec_open(const struct handler_settings *settings, void **state, char *why,
                     size_t why_size)
{
    (void)why;
    (void)why_size;
    struct exec *exec = calloc(1, sizeof(*exec));
    if (exec == NULL)
        return ENOMEM;
    MAGIC_INIT(exec, EXEC_MAGIC);
    *state = exec;
    exec->program = program_of(settings, &exec->keepers);
    exec->program.name = exec->name = strdup(settings->argv[0]);
    int rc = exec->name != NULL ? keepers_init(&exec->keepers, settings) : ENOMEM;
    if (rc != 0)
        exec_close(state);
    return rc;
}

static void exec_run(void *state, struct handler_call *call)
{
    struct exec *exec = state;
    MAGIC_CHECK(exec, EXEC_MAGIC);
    struct program program = exec->program;
    program.input = call->lease->body;
    program.job = program_job(call->lease);
    program_run(&program, call);
}

const struct handler handler_exec = {
    .name = "exec",
    .summary = "runs a program for each job, with the body as its standard input",
    .programs = true,
    .check = exec_check,
    .open = exec_open,
    .close = exec_close,
    .run = exec_run,
};
