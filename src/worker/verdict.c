// SPDX-License-Identifier: MIT
/*
 * What the end of a program means for its job: exit status 0 is done, 75 (EX_TEMPFAIL of
 * sysexits.h) asks for another attempt, 100 buries the job at once, everything else failed, with a
 * reason that names the status, the signal, or why the program couldn't even be started. When the
 * system can't start a process just now, that isn't the job's fault: it goes back without an
 * attempt, and its pool rests. But where the shortage is that of the program's user, whom the
 * process had become already, only this job is meant: the attempt has crashed.
 */
#include "worker/program_priv.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define EXIT_RETRY 75 /* EX_TEMPFAIL of sysexits.h */
#define EXIT_BURY 100 /* as qmail's and others' "permanent failure" */

static void judge_exit(struct job_outcome *outcome, int status, const char *program)
{
    outcome->exit_status = status;
    if (status == 0) {
        outcome->kind = JOB_OUTCOME_DONE;
        return;
    }
    outcome->kind = JOB_OUTCOME_FAILED;
    const char *meaning = "";
    if (status == EXIT_RETRY) {
        outcome->kind = JOB_OUTCOME_RETRY;
        meaning = " (try again)";
    } else if (status == EXIT_BURY) {
        outcome->kind = JOB_OUTCOME_BURIED;
        meaning = " (don't try again)";
    } else if (status == 126)
        meaning = " (cannot be run)";
    else if (status == 127)
        meaning = " (not found)";
    job_outcome_reason(outcome, "exit status %d%s of %s", status, meaning, program);
}

static void judge_signal(struct job_outcome *outcome, int status, const char *program)
{
    outcome->kind = JOB_OUTCOME_FAILED;
    outcome->signal = WTERMSIG(status);
    const char *name = sigabbrev_np(outcome->signal);
    const char *dumped = WCOREDUMP(status) ? ", core dumped" : "";
    if (name != NULL)
        job_outcome_reason(outcome, "%s was killed by signal %d (SIG%s)%s", program,
                           outcome->signal, name, dumped);
    else
        job_outcome_reason(outcome, "%s was killed by signal %d%s", program, outcome->signal,
                           dumped);
}

void verdict_end(struct job_outcome *outcome, int status, const char *program)
{
    if (WIFSIGNALED(status))
        judge_signal(outcome, status, program);
    else
        judge_exit(outcome, WEXITSTATUS(status), program);
}

/* ---- it didn't begin ---- */

/* The system has not enough of something. */
static bool is_shortage(int error)
{
    return error == EAGAIN || error == EMFILE || error == ENFILE || error == ENOMEM ||
           error == ETIMEDOUT || error == EPIPE;
}

static const char *error_text(int error)
{
    const char *text = strerrordesc_np(error);
    return text != NULL ? text : "unknown error";
}

/* Not at all the job's fault: it goes back, and the pool rests. */
static void rest(struct handler_call *call, const struct spawn_news *failed, const char *program)
{
    call->outcome->kind = JOB_OUTCOME_RETURNED;
    if (failed->error == EPIPE)
        snprintf(call->rest, sizeof(call->rest),
                 "the process that starts programs has gone; restart hilerad");
    else
        snprintf(call->rest, sizeof(call->rest), "can't start %.100s (%s)", program,
                 error_text(failed->error));
}

/* Its user has too many processes, say. It is tried again for long, and then buried. */
static const struct job_rules patient = {.set = JOB_RULE_CRASHES, .crashes = 20};

void verdict_no_start(struct handler_call *call, const struct spawn_news *failed,
                      const char *program)
{
    struct job_outcome *outcome = call->outcome;
    if (is_shortage(failed->error) && !failed->own) {
        rest(call, failed, program);
        return;
    }
    outcome->kind = JOB_OUTCOME_FAILED;
    if (is_shortage(failed->error)) {
        outcome->kind = JOB_OUTCOME_CRASHED;
        outcome->otherwise = &patient;
    }
    const char *text = error_text(failed->error);
    if (failed->step == SPAWN_STEP_exec || failed->step == SPAWN_STEP_fork)
        job_outcome_reason(outcome, "%s%s (%s)",
                           failed->error == ENOENT ? "program not found: " : "can't start ",
                           program, text);
    else if (failed->what[0] != '\0')
        job_outcome_reason(outcome, "can't start %s: can't %s %s (%s)", program,
                           spawn_step_verb(failed->step), failed->what, text);
    else
        job_outcome_reason(outcome, "can't %s %s (%s)", spawn_step_verb(failed->step), program,
                           text);
}
