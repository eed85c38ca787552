// SPDX-License-Identifier: MIT
/*
 * Past attempts: made where an attempt ends (outside of locks), hung on the job under one, written
 * into the journal with each change that adds one and with each copy of the job.
 */
#include "base/clock.h"
#include "base/magic.h"
#include "job/attempts_priv.h"

#include <errno.h>
#include <stdlib.h>

#define JOB_PAST_MAGIC 0x6a0b9a57u
#define NS_PER_MS 1000000
/* About what one takes without its reason. */
#define PAST_FIXED 16

static const char letters[JOB_OUTCOME_COUNT] = {
#define JOB_OUTCOME(name, word, letter, fate) letter,
#include "job/job_outcomes.def"
#undef JOB_OUTCOME
};

/* ---- the list ---- */

/* Without times and reason's bytes beyond `len`. NULL: no memory. */
static struct job_attempts *past_make(const char *reason, size_t len)
{
    if (len >= JOB_PAST_REASON_MAX)
        len = JOB_PAST_REASON_MAX - 1;
    struct job_attempts *past = calloc(1, sizeof(*past) + len + 1);
    if (past == NULL)
        return NULL;
    MAGIC_INIT(past, JOB_PAST_MAGIC);
    if (len > 0)
        memcpy(past->reason, reason, len);
    return past;
}

static int64_t whole_ms(int64_t at_ns)
{
    return at_ns > 0 ? at_ns / NS_PER_MS * NS_PER_MS : 0;
}

int job_attempts_new(struct job_attempts **out, const struct job_outcome *outcome)
{
    struct job_attempts *past = past_make(outcome->reason, strlen(outcome->reason));
    if (past == NULL)
        return ENOMEM;
    int64_t now = clock_now_ns(), wall = clock_wall_ns();
    int64_t ended = outcome->ended_ns != 0 ? outcome->ended_ns : now;
    int64_t started = outcome->started_ns != 0 ? outcome->started_ns : ended;
    past->kind = (int)outcome->kind;
    past->exit_status = outcome->exit_status;
    past->signal = outcome->signal;
    past->started_wall_ns = whole_ms(wall - (now - started));
    past->ended_wall_ns = past->started_wall_ns + whole_ms(ended - started);
    *out = past;
    return 0;
}

void job_attempts_free(struct job_attempts **list)
{
    struct job_attempts *past = *list;
    *list = NULL;
    while (past != NULL) {
        struct job_attempts *next = past->next;
        MAGIC_CHECK(past, JOB_PAST_MAGIC);
        MAGIC_WIPE(past);
        free(past);
        past = next;
    }
}

void job_attempts_append(struct job_attempts **list, struct job_attempts **past)
{
    if (*past == NULL)
        return;
    MAGIC_CHECK(*past, JOB_PAST_MAGIC);
    struct job_attempts **end = list;
    while (*end != NULL)
        end = &(*end)->next;
    *end = *past;
    *past = NULL;
    unsigned count = 0;
    for (const struct job_attempts *each = *list; each != NULL; each = each->next)
        count++;
    for (; count > JOB_PAST_MAX; count--) {
        struct job_attempts *oldest = *list;
        *list = oldest->next;
        oldest->next = NULL;
        job_attempts_free(&oldest);
    }
}

/* ---- as bytes ---- */

/* What a status may be on disk: 0 none, else one more than it is. */
static uint32_t status_number(int exit_status)
{
    return exit_status >= 0 ? (uint32_t)exit_status + 1 : 0;
}

static uint64_t ms_between(int64_t from_ns, int64_t to_ns)
{
    return to_ns > from_ns ? (uint64_t)((to_ns - from_ns) / NS_PER_MS) : 0;
}

char *past_encode(const struct job_attempts *past, char *to)
{
    for (; past != NULL; past = past->next) {
        size_t len = strlen(past->reason);
        *to++ = letters[past->kind];
        to = write_number(to, status_number(past->exit_status));
        to = write_number(to, past->signal > 0 ? (uint32_t)past->signal : 0);
        to = write_number(to, (uint64_t)(past->started_wall_ns / NS_PER_MS));
        to = write_number(to, ms_between(past->started_wall_ns, past->ended_wall_ns));
        to = write_number(to, len);
        to = write_bytes(to, past->reason, len);
    }
    return to;
}

size_t job_attempts_size(const struct job_attempts *past)
{
    size_t size = 0;
    for (; past != NULL; past = past->next)
        size += PAST_FIXED + strlen(past->reason);
    return size;
}

/* One of them, as it is written. */
struct attempt {
    int kind;
    uint32_t status, signal;
    uint64_t started_ms, took_ms;
    const char *reason;
    size_t reason_len;
};

/* What a record may say of them, for they go into one. */
#define MS_MAX (JOB_WALL_MAX_NS / NS_PER_MS)

static int kind_of_letter(unsigned letter)
{
    int kind = 0;
    while (kind < JOB_OUTCOME_COUNT && (unsigned char)letters[kind] != letter)
        kind++;
    return kind;
}

static void attempt_read(struct cursor *value, struct attempt *attempt)
{
    attempt->kind = kind_of_letter(read_byte(value));
    attempt->status = (uint32_t)read_number_up_to(value, (uint64_t)INT32_MAX + 1);
    attempt->signal = (uint32_t)read_number_up_to(value, INT32_MAX);
    attempt->started_ms = read_number_up_to(value, MS_MAX);
    attempt->took_ms = read_number_up_to(value, MS_MAX);
    attempt->reason_len = read_number_up_to(value, JOB_PAST_REASON_MAX - 1);
    attempt->reason = read_bytes(value, attempt->reason_len);
    if (attempt->kind == JOB_OUTCOME_COUNT || attempt->started_ms + attempt->took_ms > MS_MAX ||
        (attempt->reason_len > 0 && memchr(attempt->reason, '\0', attempt->reason_len) != NULL))
        value->bad = true;
}

void past_look(struct cursor *value)
{
    struct attempt attempt;
    unsigned count = 0;
    /* Long forms of numbers are read, but must not outgrow who writes them again. */
    if ((size_t)(value->end - value->at) > (size_t)JOB_PAST_MAX * PAST_ONE_MAX)
        value->bad = true;
    while (!value->bad && value->at != value->end && ++count <= JOB_PAST_MAX)
        attempt_read(value, &attempt);
}

int job_attempts_of_entry(struct job_attempts **list, const struct job_entry *entry)
{
    if (entry->past_len == 0)
        return 0;
    struct cursor value = {(const unsigned char *)entry->past_bytes,
                           (const unsigned char *)entry->past_bytes + entry->past_len, false};
    while (value.at != value.end) {
        struct attempt attempt;
        attempt_read(&value, &attempt);
        ASSERT(!value.bad); /* decoding has been here */
        struct job_attempts *past = past_make(attempt.reason, attempt.reason_len);
        if (past == NULL)
            return ENOMEM;
        past->kind = attempt.kind;
        past->exit_status = attempt.status > 0 ? (int)(attempt.status - 1) : -1;
        past->signal = (int)attempt.signal;
        past->started_wall_ns = (int64_t)attempt.started_ms * NS_PER_MS;
        past->ended_wall_ns = past->started_wall_ns + (int64_t)attempt.took_ms * NS_PER_MS;
        job_attempts_append(list, &past);
    }
    return 0;
}
