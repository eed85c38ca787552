// SPDX-License-Identifier: MIT
/*
 * What the end of a program means for its job: exit status 0 is done, 75 (EX_TEMPFAIL of
 * sysexits.h) asks for another attempt, 100 buries the job at once, everything else failed, with a
 * reason that names the status, the signal, or why the program couldn't even be started. When the
 * system can't start a process just now, that isn't the job's fault: the attempt crashed.
 */
#include "worker/worker_priv.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

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

static bool is_directory(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

void verdict_no_start(struct job_outcome *outcome, int rc, const struct child_spec *spec,
                      const char *doing)
{
    bool transient = rc == EAGAIN || rc == EMFILE || rc == ENFILE || rc == ENOMEM;
    outcome->kind = transient ? JOB_OUTCOME_CRASHED : JOB_OUTCOME_FAILED;
    const char *text = strerrordesc_np(rc);
    if (text == NULL)
        text = "unknown error";
    const char *program = spec->argv[0];
    if (doing[0] != '\0')
        job_outcome_reason(outcome, "can't start %s: can't set %s (%s)", program, doing, text);
    else if (rc == ENOENT && spec->directory != NULL && !is_directory(spec->directory))
        job_outcome_reason(outcome, "can't start %s: there is no directory %s", program,
                           spec->directory);
    else if (spec->launcher != NULL && access(spec->launcher[0], X_OK) != 0)
        job_outcome_reason(outcome, "can't start %s: %s can't be run (%s)", program,
                           spec->launcher[0], text);
    else
        job_outcome_reason(outcome, "%s%s (%s)",
                           rc == ENOENT ? "program not found: " : "can't start ", program, text);
}
