// SPDX-License-Identifier: MIT
/*
 * The handler for jobs that are commands: the body says what to run (command.c), the rest is as in
 * program.c.
 *
 * Who may put such a job may run programs as the daemon's user. So the handler is guarded: its
 * tubes take jobs over a Unix socket only, from those who may run (trust.h). A job may have come
 * into the tube before the handler had it, or when its submitter might what he may not any more; so
 * the submitter is asked for again before anything is run, by his uid as the system knows it now. A
 * job of nobody is buried and never run.
 *
 * What is wrong with a command (no such directory, no such program) is looked for before anything
 * is started: posix_spawn has one number for all of it.
 */
#include "base/magic.h"
#include "worker/worker_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COMMANDS_MAGIC 0x3e3ec0cdu

struct commands {
    unsigned magic;
    char *directory; /* for commands that name none; NULL: the daemon's */
    struct environment *environment;
    const struct trust *trust;
    char **launcher; /* as of exec */
    struct program program;
};

static int commands_check(const struct handler_settings *settings, char *why, size_t why_size)
{
    if (settings->argv != NULL && settings->argv[0] != NULL) {
        snprintf(why, why_size,
                 "the handler command takes programs from its jobs; leave argv out, or use the "
                 "handler exec");
        return EINVAL;
    }
    int rc = environment_check(settings->environment, why, why_size);
    return rc == 0 ? launcher_check(settings, why, why_size) : rc;
}

static void commands_close(void **state)
{
    if (*state == NULL)
        return;
    struct commands *commands = *state;
    MAGIC_CHECK(commands, COMMANDS_MAGIC);
    *state = NULL;
    free(commands->directory);
    free(commands->launcher);
    environment_free(&commands->environment);
    MAGIC_WIPE(commands);
    free(commands);
}

static int commands_fill(struct commands *commands, const struct handler_settings *settings,
                         char *why, size_t why_size)
{
    int rc = environment_new(&commands->environment, settings->environment);
    if (rc == 0 && settings->directory != NULL && settings->directory[0] != '\0' &&
        (commands->directory = strdup(settings->directory)) == NULL)
        rc = ENOMEM;
    if (rc == 0)
        rc = launcher_new(&commands->launcher, settings, why, why_size);
    if (rc != 0)
        return rc;
    commands->trust = settings->trust;
    commands->program = program_of(settings);
    commands->program.spec.directory = commands->directory;
    commands->program.spec.launcher = commands->launcher;
    return 0;
}

static int commands_open(const struct handler_settings *settings, void **state, char *why,
                         size_t why_size)
{
    struct commands *commands = calloc(1, sizeof(*commands));
    if (commands == NULL)
        return ENOMEM;
    MAGIC_INIT(commands, COMMANDS_MAGIC);
    *state = commands;
    int rc = commands_fill(commands, settings, why, why_size);
    if (rc != 0)
        commands_close(state);
    return rc;
}

/* ---- a run ---- */

static int directory_check(const char *directory)
{
    struct stat info;
    if (stat(directory, &info) != 0)
        return errno;
    if (!S_ISDIR(info.st_mode))
        return ENOTDIR;
    return access(directory, X_OK) == 0 ? 0 : errno;
}

static const char *places_of(char *const *env)
{
    for (size_t i = 0; env[i] != NULL; i++)
        if (strncmp(env[i], "PATH=", 5) == 0)
            return env[i] + 5;
    return NULL;
}

static int input_make(struct job_body **input, const char *text)
{
    size_t len = text != NULL ? strlen(text) : 0;
    int rc = job_body_new(input, len);
    if (rc == 0 && len > 0)
        memcpy((*input)->bytes, text, len);
    return rc;
}

/* Finds the program and runs it; spec has everything but its file. */
static void program_start(struct program *program, const struct command *command,
                          struct handler_call *call)
{
    struct job_body *input = NULL;
    char *path = NULL;
    int rc = program_find(&path, command->argv[0], places_of(program->spec.env),
                          program->spec.directory);
    if (rc == 0)
        rc = input_make(&input, command->input);
    program->spec.path = path;
    program->input = input;
    if (rc == 0)
        program_run(program, call);
    else
        verdict_no_start(call->outcome, rc, &program->spec, "");
    job_body_unref(&input);
    free(path);
}

/* What the command says, with the pool's own where it says nothing. */
static void command_start(const struct commands *commands, const struct command *command,
                          struct handler_call *call)
{
    struct program program = commands->program;
    struct environment_own own = {0};
    program.spec.argv = command->argv;
    program.spec.has_umask = command->has_umask;
    program.spec.umask = command->umask;
    if (command->directory != NULL)
        program.spec.directory = command->directory;
    int rc = program.spec.directory != NULL ? directory_check(program.spec.directory) : 0;
    if (rc != 0) {
        const char *text = strerrordesc_np(rc);
        call->outcome->kind = JOB_OUTCOME_FAILED;
        job_outcome_reason(call->outcome, "can't work in %s (%s)", program.spec.directory,
                           text != NULL ? text : "unknown error");
        return;
    }
    program.spec.env = command->env != NULL
                           ? environment_join(command->env, command->env_count, &own, call->lease)
                           : environment_make(commands->environment, &own, call->lease);
    if (program.spec.env != NULL)
        program_start(&program, command, call);
    else
        verdict_no_start(call->outcome, ENOMEM, &program.spec, "");
    free(program.spec.env);
}

/* Whether the submitter may have a command run now; if not, the outcome says why. */
static bool submitter_may_run(const struct commands *commands, struct handler_call *call)
{
    const struct broker_lease *lease = call->lease;
    struct trust_view view;
    call->outcome->kind = JOB_OUTCOME_BURIED;
    if (!lease->vouched || lease->submitter == JOB_NOBODY) {
        job_outcome_reason(call->outcome,
                           "not put as a command: it came when its tube had no pool for commands, "
                           "or was moved here; put it anew with hilera run");
        return false;
    }
    if (lease->submitter == 0 || lease->submitter == (uint32_t)geteuid())
        return true; /* may all, without a look into the system's lists of groups */
    int rc = commands->trust != NULL ? trust_view_of_uid(&view, commands->trust, lease->submitter)
                                     : EACCES;
    uint16_t class = trust_tube_class(commands->trust, lease->tube, strlen(lease->tube));
    if (rc == 0 && trust_ask(&view, class, TRUST_run, JOB_NOBODY) == TRUST_MAY)
        return true;
    if (rc != 0 && rc != EACCES) {
        call->outcome->kind = JOB_OUTCOME_CRASHED; /* nobody knows; it is tried again */
        job_outcome_reason(call->outcome, "can't look up the groups of uid %" PRIu32 " (%s)",
                           lease->submitter, strerrordesc_np(rc));
        return false;
    }
    job_outcome_reason(call->outcome,
                       "uid %" PRIu32 " put it, and may not (or not any more) have commands run in "
                       "the tube \"%s\"",
                       lease->submitter, lease->tube);
    return false;
}

static void commands_run(void *state, struct handler_call *call)
{
    const struct commands *commands = state;
    MAGIC_CHECK(commands, COMMANDS_MAGIC);
    const struct job_body *body = call->lease->body;
    struct command command;
    char why[JOB_REASON_MAX];
    if (!submitter_may_run(commands, call))
        return;
    call->outcome->kind = JOB_OUTCOME_DONE;
    int rc = command_read(&command, body->bytes, body->len, why, sizeof(why));
    if (rc == 0) {
        command_start(commands, &command, call);
        command_fini(&command);
        return;
    }
    call->outcome->kind = rc == EINVAL ? JOB_OUTCOME_BURIED : JOB_OUTCOME_CRASHED;
    if (rc == EINVAL)
        job_outcome_reason(call->outcome, "not a command: %s", why);
    else
        job_outcome_reason(call->outcome, "not enough memory to read the command");
}

const struct handler handler_command = {
    .name = "command",
    .summary = "runs the command that the job is, as hilera run puts it",
    .guarded = true,
    .check = commands_check,
    .open = commands_open,
    .close = commands_close,
    .run = commands_run,
};
