// SPDX-License-Identifier: MIT
/*
 * The handler that runs a program for each job: the body is its standard input, its output is kept
 * up to a limit, its exit status decides. How a run goes is in program.c, what its end means in
 * verdict.c; the settings of the pool become here what those two need.
 */
#include "base/magic.h"
#include "worker/worker_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXEC_MAGIC 0x3e3ec001u

struct exec {
    unsigned magic;
    char **argv;
    char *directory;
    struct environment *environment;
    char **launcher; /* hilera-exec with its arguments; NULL: not needed */
    struct program program;
};

static int exec_check(const struct handler_settings *settings, char *why, size_t why_size)
{
    if (settings->argv == NULL || settings->argv[0] == NULL || settings->argv[0][0] == '\0') {
        snprintf(why, why_size,
                 "the handler exec needs argv with a program, like argv = {\"gzip\", \"-c\"}");
        return EINVAL;
    }
    int rc = environment_check(settings->environment, why, why_size);
    return rc == 0 ? launcher_check(settings, why, why_size) : rc;
}

static void exec_close(void **state)
{
    if (*state == NULL)
        return;
    struct exec *exec = *state;
    MAGIC_CHECK(exec, EXEC_MAGIC);
    *state = NULL;
    free(exec->argv);
    free(exec->directory);
    free(exec->launcher);
    environment_free(&exec->environment);
    MAGIC_WIPE(exec);
    free(exec);
}

static int argv_copy(struct exec *exec, const char *const *argv)
{
    size_t count = 0;
    while (argv[count] != NULL)
        count++;
    exec->argv = strings_copy(argv, count);
    return exec->argv != NULL ? 0 : ENOMEM;
}

static int exec_fill(struct exec *exec, const struct handler_settings *settings, char *why,
                     size_t why_size)
{
    int rc = argv_copy(exec, settings->argv);
    if (rc == 0)
        rc = environment_new(&exec->environment, settings->environment);
    if (rc == 0 && settings->directory != NULL && settings->directory[0] != '\0' &&
        (exec->directory = strdup(settings->directory)) == NULL)
        rc = ENOMEM;
    if (rc == 0)
        rc = launcher_new(&exec->launcher, settings, why, why_size);
    if (rc != 0)
        return rc;
    exec->program = program_of(settings);
    exec->program.spec.argv = exec->argv;
    exec->program.spec.directory = exec->directory;
    exec->program.spec.launcher = exec->launcher;
    return 0;
}

static int exec_open(const struct handler_settings *settings, void **state, char *why,
                     size_t why_size)
{
    struct exec *exec = calloc(1, sizeof(*exec));
    if (exec == NULL)
        return ENOMEM;
    MAGIC_INIT(exec, EXEC_MAGIC);
    *state = exec;
    int rc = exec_fill(exec, settings, why, why_size);
    if (rc != 0)
        exec_close(state);
    return rc;
}

static void exec_run(void *state, struct handler_call *call)
{
    struct exec *exec = state;
    MAGIC_CHECK(exec, EXEC_MAGIC);
    struct program program = exec->program;
    struct environment_own own = {0};
    program.input = call->lease->body;
    program.spec.env = environment_make(exec->environment, &own, call->lease);
    if (program.spec.env == NULL)
        verdict_no_start(call->outcome, ENOMEM, &program.spec, "");
    else
        program_run(&program, call);
    free(program.spec.env);
}

const struct handler handler_exec = {
    .name = "exec",
    .summary = "runs a program for each job, with the body as its standard input",
    .check = exec_check,
    .open = exec_open,
    .close = exec_close,
    .run = exec_run,
};
