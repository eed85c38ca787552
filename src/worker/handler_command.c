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
 * What is wrong with a command (no such directory, no such program) is found by whoever starts it,
 * with the rights that it has.
 */
#include "worker/child_priv.h"
#include "worker/command_priv.h"
#include "worker/program_priv.h"
#include "worker/programs_priv.h"
#include "worker/worker_priv.h"

#include "base/magic.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMMANDS_MAGIC 0x3e3ec0cdu

struct commands {
    unsigned magic;
    const struct trust *trust;
    struct keepers keepers;
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
    return programs_check(settings, why, why_size);
}

/* What is told in fewer bytes can't be too much: a system lets a program have 128 KiB at least, and
 * the words that a command may have (command.c) weigh nine bytes each beside their own. */
#define LIGHT_SIZE ((size_t)48 * 1024)

/* Only what no other attempt could mend. Whether it is a command at all is the run's to say, as for
 * jobs that come otherwise. */
static int commands_admit(const char *bytes, size_t len, char *why, size_t why_size)
{
    struct command command;
    if (len < LIGHT_SIZE || command_read(&command, bytes, len, why, why_size) != 0)
        return 0;
    int rc = command_weigh(&command, why, why_size);
    command_fini(&command);
    return rc == E2BIG ? EMSGSIZE : 0;
}

static void commands_close(void **state)
{
    if (*state == NULL)
        return;
    struct commands *commands = *state;
    MAGIC_CHECK(commands, COMMANDS_MAGIC);
    *state = NULL;
    keepers_fini(&commands->keepers);
    MAGIC_WIPE(commands);
    free(commands);
}

static int commands_open(const struct handler_settings *settings, void **state, char *why,
                         size_t why_size)
{
    (void)why;
    (void)why_size;
    struct commands *commands = calloc(1, sizeof(*commands));
    if (commands == NULL)
        return ENOMEM;
    MAGIC_INIT(commands, COMMANDS_MAGIC);
    *state = commands;
    commands->trust = settings->trust;
    commands->program = program_of(settings, &commands->keepers);
    int rc = keepers_init(&commands->keepers, settings);
    if (rc != 0)
        commands_close(state);
    return rc;
}

/* ---- a run ---- */

static int input_make(struct job_body **input, const struct command *command)
{
    int rc = job_body_new(input, command->input_len);
    if (rc == 0 && command->input_len > 0)
        memcpy((*input)->bytes, command->input, command->input_len);
    return rc;
}

/* What the command says; where it says nothing the spawner's table does. */
static void command_start(const struct commands *commands, const struct command *command,
                          struct handler_call *call)
{
    struct job_body *input = NULL;
    struct program program = commands->program;
    int rc = input_make(&input, command);
    program.name = command->argv[0];
    program.input = input;
    program.job = program_job(call->lease);
    program.job.argv = command->argv;
    program.job.env = command->env;
    program.job.directory = command->directory;
    program.job.has_umask = command->has_umask;
    program.job.umask = command->umask;
    if (rc == 0)
        program_run(&program, call);
    else
        verdict_no_start(call, &(struct spawn_news){.error = rc, .step = SPAWN_STEP_order},
                         program.name);
    job_body_unref(&input);
}

/* Whether the submitter may have a command run now; if not, the outcome says why. */
static bool submitter_may_run(const struct commands *commands, struct handler_call *call)
{
    const struct broker_lease *lease = call->lease;
    struct trust_view view;
    call->outcome->kind = JOB_OUTCOME_BURIED;
    if (!lease->authorised || lease->submitter == JOB_NOBODY) {
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
    if (rc == 0 && command_weigh(&command, why, sizeof(why)) != 0) {
        call->outcome->kind = JOB_OUTCOME_BURIED;
        job_outcome_reason(call->outcome, "can't be run: %s", why);
    } else if (rc == 0)
        command_start(commands, &command, call);
    if (rc == 0) {
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
    .programs = true,
    .check = commands_check,
    .admit = commands_admit,
    .open = commands_open,
    .close = commands_close,
    .run = commands_run,
};
