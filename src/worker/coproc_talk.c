// SPDX-License-Identifier: MIT
/*
 * The talk with a helper about one job: wait until it is ready, write the job, read its answer.
 *
 * Everything is one poll: the helper's three pipes, its end, and the pool's stop. Each descriptor
 * is served by one system call a turn, so a helper that writes without end is still stopped, and
 * one that doesn't read is still listened to.
 *
 * What a helper writes is never trusted. A line that is wrong ends the talk and the helper, with a
 * sentence about it; the job is then no worse off than if the helper had crashed. Once the answer
 * is complete it stands, whatever the helper does afterwards.
 *
 * A helper that answers at once is spared the poll, and we the sleep: the job is written without
 * asking whether there is room, and where the last answer came within LOOK_NS the next is looked
 * for that long before we sleep. Two wake-ups a job are what such a job costs; this is one of them.
 *
 * When the job must stop: TERM to the helper's group, after a time KILL, as the handler exec does.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/magic.h"
#include "worker/coproc_priv.h"
#include "worker/live_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define LOOK_NS (20 * HL_MICROSECOND)
#define READ_MAX ((size_t)64 * 1024)

struct talk {
    struct coproc_helper *helper;
    const struct coproc_terms *terms;
    struct handler_call *call;
    char head[JOB_TUBE_NAME_MAX + 128]; /* of the job */
    size_t head_len, sent;              /* bytes of head, body and line feed that are written */
    bool answered, broken, ended, stopped;
    int64_t due_ns; /* of being ready, or of the KILL; CLOCK_NEVER */
    char *why;
    size_t why_size;
    struct capture err;
};

/* ---- the lines of a helper ---- */

static int wrong(struct talk *talk, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int wrong(struct talk *talk, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(talk->why, talk->why_size, format, args);
    va_end(args);
    talk->broken = true;
    return EPROTO;
}

static void answer(struct talk *talk, enum job_outcome_kind kind, const char *reason)
{
    talk->call->outcome->kind = kind;
    job_outcome_reason(talk->call->outcome, "%s", *reason != '\0' ? reason : "the helper says so");
    talk->answered = true;
}

static void keep_progress(struct talk *talk, const struct coproc_message *message)
{
    live_progress(talk->call->live, talk->call->outcome, (int)message->number, message->text);
}

/* What it says of the job stands with the job's stderr. */
static void keep_line(struct talk *talk, const char *text)
{
    const struct capture *err = &talk->err;
    if (live_keep(err->live, err->into, err->max, err->truncated, text, strlen(text)) == 0)
        (void)live_keep(err->live, err->into, err->max, err->truncated, "\n", 1);
}

static int on_job_message(struct talk *talk, const struct coproc_message *message, size_t *body_len)
{
    uint64_t id = message->id;
    if (id != talk->call->lease->id || talk->sent == 0 || talk->answered)
        return wrong(talk, "it said \"%s\" for job %" PRIu64 ", which %s", message->word, id,
                     id == talk->helper->last_id || talk->answered ? "it has answered already"
                                                                   : "it doesn't have");
    if (message->verb == COPROC_RESULT)
        *body_len = (size_t)message->number;
    else if (message->verb == COPROC_RETRY) {
        talk->call->outcome->retry_ns = (int64_t)message->number * HL_SECOND;
        answer(talk, JOB_OUTCOME_RETRY, message->text);
    } else if (message->verb == COPROC_FAIL)
        answer(talk, JOB_OUTCOME_FAILED, message->text);
    else if (message->verb == COPROC_PROGRESS)
        keep_progress(talk, message);
    else
        keep_line(talk, message->text);
    return 0;
}

static int hear_line(void *arg, char *text, size_t *body_len)
{
    struct talk *talk = arg;
    struct coproc_message message;
    int rc = coproc_message_read(&message, text, talk->helper->ready, talk->why, talk->why_size);
    if (rc != 0) {
        talk->broken = true;
        return rc;
    }
    if (message.verb == COPROC_READY) {
        talk->helper->ready = true;
        talk->due_ns = CLOCK_NEVER;
        return 0;
    }
    if (message.verb == COPROC_LOG && message.id == 0) {
        log_info("helper %s: %s", talk->terms->program, message.text);
        return 0;
    }
    return on_job_message(talk, &message, body_len);
}

static void hear_body(void *arg, const char *bytes, size_t len)
{
    struct talk *talk = arg;
    struct job_outcome *outcome = talk->call->outcome;
    (void)live_keep(talk->call->live, &outcome->out, talk->terms->output_max,
                    &outcome->out_truncated, bytes, len);
}

static void hear_body_end(void *arg)
{
    struct talk *talk = arg;
    talk->call->outcome->kind = JOB_OUTCOME_DONE;
    talk->answered = true;
}

static const struct coproc_ear ear = {
    .line = hear_line, .body = hear_body, .body_end = hear_body_end};

/* Reads once. false: there is nothing now, or never will be. */
static bool hear(struct talk *talk)
{
    char bytes[READ_MAX];
    struct child *child = &talk->helper->child;
    ssize_t got = child->out < 0 ? 0 : read(child->out, bytes, sizeof(bytes));
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (got <= 0) {
        /* As a rule it is about to end, and how it ends says more than this. */
        child_close(&child->out);
        talk->due_ns = clock_deadline(HANDLER_DRAIN_NS);
        return false;
    }
    const char *why = NULL;
    int rc = coproc_read(&talk->helper->reader, bytes, (size_t)got, &ear, talk, &why);
    if (rc != 0 && why != NULL)
        (void)wrong(talk, "%s", why);
    return rc == 0;
}

/* ---- the job ---- */

static void head_make(struct talk *talk)
{
    const struct broker_lease *lease = talk->call->lease;
    talk->head_len = (size_t)snprintf(
        talk->head, sizeof(talk->head), "job %" PRIu64 " %" PRIu32 " %" PRIu32 " %" PRIu32 " %s\n",
        lease->id, lease->body->len, lease->attempt, lease->pri, lease->tube);
}

static size_t whole(const struct talk *talk)
{
    return talk->head_len + talk->call->lease->body->len + 1;
}

static void tell(struct talk *talk)
{
    char feed[] = "\n";
    struct job_body *body = talk->call->lease->body;
    struct iovec part[3] = {{talk->head, talk->head_len}, {body->bytes, body->len}, {feed, 1}};
    size_t skip = talk->sent;
    for (int i = 0; i < 3; i++) {
        size_t cut = skip < part[i].iov_len ? skip : part[i].iov_len;
        part[i].iov_base = (char *)part[i].iov_base + cut;
        part[i].iov_len -= cut;
        skip -= cut;
    }
    ssize_t put = writev(talk->helper->child.in, part, 3);
    if (put >= 0)
        talk->sent += (size_t)put;
    else if (errno != EAGAIN && errno != EINTR)
        child_close(&talk->helper->child.in); /* it reads no more; its end will be seen */
}

/* ---- the turns ---- */

enum { ON_END, ON_STOP, ON_IN, ON_OUT, ON_ERR, ON_COUNT };

static void talk_poll(const struct talk *talk, struct pollfd fds[ON_COUNT])
{
    const struct child *child = &talk->helper->child;
    bool tells = talk->helper->ready && talk->sent < whole(talk);
    fds[ON_END] = (struct pollfd){.fd = child->pid_fd, .events = POLLIN};
    fds[ON_STOP] =
        (struct pollfd){.fd = talk->stopped ? -1 : talk->call->stop_fd, .events = POLLIN};
    fds[ON_IN] = (struct pollfd){.fd = tells ? child->in : -1, .events = POLLOUT};
    fds[ON_OUT] = (struct pollfd){.fd = talk->stopped ? -1 : child->out, .events = POLLIN};
    fds[ON_ERR] = (struct pollfd){.fd = child->err, .events = POLLIN};
    struct timespec timeout = {0};
    int64_t left = talk->due_ns - clock_now_ns();
    if (talk->due_ns != CLOCK_NEVER && left > 0)
        timeout = (struct timespec){.tv_sec = left / HL_SECOND, .tv_nsec = left % HL_SECOND};
    if (ppoll(fds, ON_COUNT, talk->due_ns == CLOCK_NEVER ? NULL : &timeout, NULL) < 0) {
        ASSERT(errno == EINTR || errno == ENOMEM);
        for (int i = 0; i < ON_COUNT; i++)
            fds[i].revents = 0;
    }
}

/* Ready too late, or still there after the TERM. */
static void talk_is_due(struct talk *talk)
{
    talk->due_ns = CLOCK_NEVER;
    if (talk->stopped)
        child_signal(&talk->helper->child, SIGKILL);
    else if (talk->helper->child.out < 0)
        (void)wrong(talk, "it closed its standard output without an answer");
    else
        (void)wrong(talk, "it did not say \"ready %d\" within %g s", COPROC_VERSION,
                    (double)talk->terms->ready_ns / (double)HL_SECOND);
}

static void talk_turn(struct talk *talk)
{
    struct pollfd fds[ON_COUNT];
    talk_poll(talk, fds);
    if (fds[ON_IN].revents != 0)
        tell(talk);
    if (fds[ON_ERR].revents != 0)
        capture_read(&talk->err);
    if (fds[ON_OUT].revents != 0)
        (void)hear(talk);
    if (fds[ON_END].revents != 0) {
        /* What it wrote before: at most what a pipe holds. */
        for (int i = 0; i < 16 && !talk->stopped && !talk->answered && hear(talk); i++)
            continue;
        talk->ended = true;
    } else if (fds[ON_STOP].revents != 0 && !talk->answered) {
        talk->stopped = true;
        talk->due_ns = clock_deadline(talk->terms->kill_after_ns);
        child_signal(&talk->helper->child, SIGTERM);
    } else if (clock_now_ns() >= talk->due_ns)
        talk_is_due(talk);
}

/* The answer of a helper that is quick. What is wrong with it, the turns will see. */
static void look_shortly(struct talk *talk)
{
    if (!talk->helper->quick)
        return;
    int64_t until = clock_now_ns() + LOOK_NS;
    while (!talk->answered && !talk->broken && talk->helper->child.out >= 0 &&
           clock_now_ns() < until)
        (void)hear(talk);
}

/* The helper is gone, and all we wrote is still there. */
static bool nothing_was_read(const struct talk *talk)
{
    int left = 0;
    if (talk->sent == 0)
        return true;
    int in = talk->helper->child.in;
    return in >= 0 && ioctl(in, FIONREAD, &left) == 0 && (size_t)left == talk->sent;
}

static bool talk_is_over(const struct talk *talk)
{
    if (talk->stopped || talk->ended)
        return talk->ended;
    /* An answer that came before the helper took the whole job: it won't take the rest. */
    return talk->answered || talk->broken;
}

enum coproc_end coproc_talk(struct coproc_helper *helper, const struct coproc_terms *terms,
                            struct handler_call *call, char *why, size_t why_size)
{
    struct job_outcome *outcome = call->outcome;
    struct talk talk = {.helper = helper,
                        .terms = terms,
                        .call = call,
                        .due_ns = helper->ready ? CLOCK_NEVER : clock_deadline(terms->ready_ns),
                        .why = why,
                        .why_size = why_size,
                        .err = {.fd = &helper->child.err,
                                .into = &outcome->err,
                                .max = terms->output_max,
                                .truncated = &outcome->err_truncated,
                                .live = call->live}};
    bool old = helper->ready;
    why[0] = '\0';
    head_make(&talk);
    int64_t started_ns = clock_now_ns();
    if (old) {
        tell(&talk);
        look_shortly(&talk);
    }
    hl_thread_wait_begin("helper", terms->program);
    while (!talk_is_over(&talk))
        talk_turn(&talk);
    hl_thread_wait_end();
    if (talk.answered) {
        helper->last_id = call->lease->id;
        helper->answered_ns = clock_now_ns();
        helper->quick = helper->answered_ns - started_ns < LOOK_NS;
        if (!talk.broken && talk.sent < whole(&talk))
            (void)wrong(&talk, "it answered before it had read the whole job");
        if (!talk.broken && coproc_reader_is_inside(&helper->reader))
            (void)wrong(&talk, "it wrote more behind its answer");
        return talk.broken || talk.ended ? COPROC_SPOILED : COPROC_ANSWERED;
    }
    if (talk.stopped)
        return COPROC_STOPPED;
    return old && talk.ended && !talk.broken && nothing_was_read(&talk) ? COPROC_UNREAD
                                                                        : COPROC_BROKEN;
}
