// SPDX-License-Identifier: MIT
/*
 * The talk with a helper: write jobs, read answers, until there are none.
 *
 * Everything is one poll: the helper's three pipes, its end, and the shift's descriptor. Each is
 * served by one system call a turn, so a helper that writes without end is still stopped, and one
 * that doesn't read is still listened to. What is to be written is copied into one buffer, as much
 * as a pipe holds, so many small jobs are one write; a large body goes through it in pieces. What
 * is read is taken apart to its end before anything is settled, so many answers are one hold of the
 * broker's lock.
 *
 * A helper that answers at once is spared the poll, and we the sleep: jobs are written without
 * asking whether there is room, and where the last answer came within LOOK_NS the next is looked
 * for that long before we sleep. Two wake-ups are what one job in flight costs; this is one of
 * them. The next job is on its way before the last one is settled.
 */
#include "worker/child_priv.h"
#include "worker/coproc_priv.h"
#include "worker/feed_priv.h"
#include "worker/program_priv.h"

#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define LOOK_NS (20 * HL_MICROSECOND)
#define READ_MAX ((size_t)64 * 1024)

/* Reads once. false: there is nothing now, or never will be. */
static bool hear(struct coproc_flight *flight)
{
    char bytes[READ_MAX];
    struct child *child = &flight->helper->child;
    ssize_t got = child->out < 0 ? 0 : read(child->out, bytes, sizeof(bytes));
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (got <= 0) {
        /* As a rule it is about to end, and how it ends says more than this. */
        child_close(&child->out);
        flight->due_ns = clock_deadline(HANDLER_DRAIN_NS);
        return false;
    }
    const char *why = NULL;
    int rc = coproc_read(&flight->helper->reader, bytes, (size_t)got, &flight_ear, flight, &why);
    if (rc != 0 && why != NULL)
        (void)flight_wrong(flight, "%s", why);
    return rc == 0;
}

/* ---- what is written ---- */

static size_t whole(const struct coproc_job *job)
{
    return job->head_len + job->job.lease.body->len + 1;
}

static size_t room(const struct coproc_helper *helper)
{
    return COPROC_OUT_MAX - helper->out_len;
}

static void out_add(struct coproc_flight *flight, const char *bytes, size_t len)
{
    struct coproc_helper *helper = flight->helper;
    memcpy(helper->out + helper->out_len, bytes, len);
    helper->out_len += len;
    flight->queued += len;
}

/* From that place of `bytes` on, which stand at `at` of the job, as much as there is room for. */
static void job_part(struct coproc_flight *flight, struct coproc_job *job, size_t at,
                     const char *bytes, size_t len)
{
    if (job->copied < at || job->copied >= at + len)
        return;
    size_t skip = job->copied - at;
    size_t most = room(flight->helper);
    size_t take = len - skip < most ? len - skip : most;
    out_add(flight, bytes + skip, take);
    job->copied += take;
}

static void job_copy(struct coproc_flight *flight, struct coproc_job *job)
{
    const struct job_body *body = job->job.lease.body;
    if (job->copied == 0)
        job->from = flight->queued;
    job_part(flight, job, 0, job->head, job->head_len);
    job_part(flight, job, job->head_len, body->bytes, body->len);
    job_part(flight, job, job->head_len + body->len, "\n", 1);
    if (job->copied < whole(job))
        return;
    job->to = flight->queued;
    flight->next = flight_job_of(list_next(&flight->jobs, &job->node));
}

/* "back" and "stop", which go between two jobs. */
static void orders_copy(struct coproc_flight *flight)
{
    for (struct list_node *node = list_first(&flight->jobs); node != NULL && flight->orders > 0;
         node = list_next(&flight->jobs, node)) {
        struct coproc_job *job = flight_job_of(node);
        char line[40];
        if (!job->ordered)
            continue;
        int len = snprintf(line, sizeof(line), "%s %" PRIu64 "\n",
                           job->job.stopped != STOP_NONE ? "stop" : "back", job->job.lease.id);
        if ((size_t)len > room(flight->helper))
            return;
        out_add(flight, line, (size_t)len);
        job->ordered = false;
        flight->orders--;
    }
}

static void out_fill(struct coproc_flight *flight)
{
    struct coproc_helper *helper = flight->helper;
    if (helper->out_at == helper->out_len)
        helper->out_at = helper->out_len = 0;
    if (flight->next != NULL && flight->next->copied > 0)
        job_copy(flight, flight->next);
    if (flight->orders > 0 && (flight->next == NULL || flight->next->copied == 0))
        orders_copy(flight);
    while (flight->next != NULL && room(helper) > 0)
        job_copy(flight, flight->next);
}

/* Writes once, if there is something. */
static void tell(struct coproc_flight *flight)
{
    struct coproc_helper *helper = flight->helper;
    if (helper->window == 0 || flight->stopped || helper->child.in < 0)
        return;
    out_fill(flight);
    if (helper->out_at == helper->out_len)
        return;
    ssize_t put =
        write(helper->child.in, helper->out + helper->out_at, helper->out_len - helper->out_at);
    if (put > 0) {
        helper->out_at += (size_t)put;
        flight->written += (uint64_t)put;
        flight->told_ns = clock_now_ns();
    } else if (put < 0 && errno != EAGAIN && errno != EINTR)
        child_close(&helper->child.in); /* it reads no more; its end will be seen */
}

/* ---- the turns ---- */

enum { ON_END, ON_SHIFT, ON_IN, ON_OUT, ON_ERR, ON_COUNT };

static void talk_poll(const struct coproc_flight *flight, struct pollfd fds[ON_COUNT])
{
    const struct coproc_helper *helper = flight->helper;
    const struct child *child = &helper->child;
    bool tells = helper->window > 0 && !flight->stopped &&
                 (helper->out_at < helper->out_len || flight->next != NULL || flight->orders > 0);
    fds[ON_END] = (struct pollfd){.fd = child_fd(child), .events = POLLIN};
    fds[ON_SHIFT] =
        (struct pollfd){.fd = flight->final ? -1 : shift_fd(flight->shift), .events = POLLIN};
    fds[ON_IN] = (struct pollfd){.fd = tells ? child->in : -1, .events = POLLOUT};
    fds[ON_OUT] = (struct pollfd){.fd = flight->stopped ? -1 : child->out, .events = POLLIN};
    fds[ON_ERR] = (struct pollfd){.fd = child->err, .events = POLLIN};
    int64_t due_ns = flight_due(flight), left = due_ns - clock_now_ns();
    struct timespec timeout = {0};
    if (due_ns != CLOCK_NEVER && left > 0)
        timeout = (struct timespec){.tv_sec = left / HL_SECOND, .tv_nsec = left % HL_SECOND};
    hl_thread_wait_begin("helper", flight->terms->program);
    int got = ppoll(fds, ON_COUNT, due_ns == CLOCK_NEVER ? NULL : &timeout, NULL);
    hl_thread_wait_end();
    ASSERT(got >= 0 || errno == EINTR || errno == ENOMEM);
    for (int i = 0; got < 0 && i < ON_COUNT; i++)
        fds[i].revents = 0;
}

/* What it writes there stands with the oldest of its jobs. */
static void hear_errors(struct coproc_flight *flight)
{
    struct coproc_job *job = flight_job_of(list_first(&flight->jobs));
    struct buf none = BUF_EMPTY;
    bool cut = false;
    struct capture err = {.fd = &flight->helper->child.err,
                          .into = job != NULL ? &job->job.outcome.err : &none,
                          .live = job != NULL ? &job->job.live : NULL,
                          .max = job != NULL ? flight->terms->output_max : 0,
                          .truncated = job != NULL ? &job->job.outcome.err_truncated : &cut};
    capture_read(&err);
}

static void talk_turn(struct coproc_flight *flight)
{
    struct pollfd fds[ON_COUNT];
    talk_poll(flight, fds);
    if (fds[ON_ERR].revents != 0)
        hear_errors(flight);
    if (fds[ON_OUT].revents != 0)
        (void)hear(flight);
    if (fds[ON_END].revents != 0 && child_has_ended(&flight->helper->child)) {
        /* What it wrote before: at most what a pipe holds. */
        for (int i = 0; i < 16 && !flight->stopped && flight->count > 0 && hear(flight); i++)
            continue;
        flight->ended_itself = true;
        return;
    }
    if (flight->helper->child.stuck != 0 && flight->count > 0)
        live_stuck(&flight_job_of(list_first(&flight->jobs))->job.live,
                   flight->helper->child.stuck);
    flight_settle(flight); /* makes room for what ends now */
    if (fds[ON_SHIFT].revents != 0)
        flight_listen(flight);
    if (!flight->broken)
        flight_look_at_clock(flight);
}

/* The answer of a helper that is quick. What is wrong with it, the turns will see. */
static void look_shortly(struct coproc_flight *flight)
{
    struct coproc_helper *helper = flight->helper;
    uint64_t before = flight->answers;
    if (!helper->quick || flight->count == 0)
        return;
    int64_t until = clock_now_ns() + LOOK_NS;
    while (flight->answers == before && !flight->broken && helper->child.out >= 0 &&
           clock_now_ns() < until)
        (void)hear(flight);
}

/* ---- the end ---- */

/* The helper is gone, and all that it was told since it had no job is still there. */
static bool nothing_was_read(const struct coproc_flight *flight)
{
    uint64_t told = flight->written > flight->quiet_at ? flight->written - flight->quiet_at : 0;
    int left = 0;
    if (told == 0)
        return true;
    int in = flight->helper->child.in;
    return in >= 0 && ioctl(in, FIONREAD, &left) == 0 && (uint64_t)left == told;
}

static bool talk_is_over(const struct coproc_flight *flight)
{
    if (flight->stopped || flight->ended_itself)
        return flight->ended_itself || (flight->final && flight->helper->child.stuck != 0);
    return flight->broken;
}

/* Between two jobs, there is nothing that belongs to neither. */
static void check_quiet(struct coproc_flight *flight)
{
    if (flight->count == 0 && flight->answers > 0 &&
        coproc_reader_is_inside(&flight->helper->reader))
        (void)flight_wrong(flight, "it wrote more behind its answer");
}

static enum coproc_end talk_end(struct coproc_flight *flight)
{
    struct coproc_helper *helper = flight->helper;
    if (flight->stopped)
        return COPROC_STOPPED;
    if (flight->count > 0)
        return flight->ended_itself && !flight->broken && helper->last_id != 0 &&
                       nothing_was_read(flight)
                   ? COPROC_UNREAD
                   : COPROC_BROKEN;
    if (flight->broken || flight->ended_itself)
        return COPROC_SPOILED;
    /* It is still starting, or is perhaps being told to stop a job that is over. */
    return helper->window == 0 ? COPROC_STOPPED : COPROC_ANSWERED;
}

enum coproc_end coproc_talk(struct coproc_flight *flight)
{
    struct coproc_helper *helper = flight->helper;
    for (;;) {
        check_quiet(flight);
        bool goes_on = !talk_is_over(flight) && !flight->stopped && !flight->final;
        if (goes_on && helper->window > 0)
            flight_take(flight);
        if (goes_on)
            tell(flight);
        flight_settle(flight);
        flight_arrange(flight);
        if (talk_is_over(flight) || (flight->count == 0 && flight->ended_count == 0))
            return talk_end(flight);
        uint64_t before = flight->answers;
        if (goes_on)
            look_shortly(flight);
        if (flight->answers == before && flight->ended_count == 0 && !flight->broken) {
            if (goes_on && !flight_stand(flight))
                continue;
            talk_turn(flight);
        }
        if (flight->answers != before)
            helper->quick = helper->answered_ns - flight->told_ns < LOOK_NS;
    }
}
