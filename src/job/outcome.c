// SPDX-License-Identifier: MIT
/*
 * Outcomes: how one attempt at a job ended. Filled by a handler, read by the broker, copied into
 * the job's record.
 */
#include "job/job.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const words[JOB_OUTCOME_COUNT] = {
#define JOB_OUTCOME(name, word, letter, fate) word,
#include "job/job_outcomes.def"
#undef JOB_OUTCOME
};

static const enum job_fate fates[JOB_OUTCOME_COUNT] = {
#define JOB_OUTCOME(name, word, letter, fate) JOB_FATE_##fate,
#include "job/job_outcomes.def"
#undef JOB_OUTCOME
};

const char *job_outcome_word(enum job_outcome_kind kind)
{
    ASSERT(kind < JOB_OUTCOME_COUNT);
    return words[kind];
}

enum job_fate job_outcome_fate(enum job_outcome_kind kind)
{
    ASSERT(kind < JOB_OUTCOME_COUNT);
    return fates[kind];
}

void job_outcome_init(struct job_outcome *outcome)
{
    outcome->kind = JOB_OUTCOME_DONE;
    outcome->exit_status = -1;
    outcome->signal = 0;
    outcome->reason[0] = '\0';
    buf_init(&outcome->out);
    buf_init(&outcome->err);
    outcome->out_truncated = outcome->err_truncated = false;
    outcome->started_ns = outcome->ended_ns = 0;
    outcome->retry_ns = -1;
    outcome->rules = outcome->otherwise = NULL;
    outcome->usage = (struct job_usage){.user_ns = -1, .system_ns = -1};
    outcome->progress = -1;
    outcome->progress_text[0] = '\0';
}

void job_outcome_fini(struct job_outcome *outcome)
{
    buf_fini(&outcome->out);
    buf_fini(&outcome->err);
}

void job_outcome_reason(struct job_outcome *outcome, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(outcome->reason, sizeof(outcome->reason), format, args);
    va_end(args);
}

const char *job_reason_text(const char *reason)
{
    size_t mark = sizeof(JOB_REASON_SAID) - 1;
    return strncmp(reason, JOB_REASON_SAID, mark) == 0 ? reason + mark : reason;
}

size_t job_reason_ours(const char *reason)
{
    const char *said = strstr(reason, JOB_REASON_SAID);
    return said != NULL ? (size_t)(said - reason) : strlen(reason);
}
