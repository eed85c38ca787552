// SPDX-License-Identifier: MIT
/*
 * The handler that hands jobs to long-lived helper processes, over their standard input and output
 * (hilera-coproc(7)): what is slow to start is started once.
 *
 * A shift takes an idle helper, the one used last, or starts one, and has it until there are no
 * jobs for it; so there are never more than the pool has workers, and none before there is a job. A
 * helper that did well goes back to the idle ones; any other one is ended, its group killed, and
 * its process collected.
 *
 * No job is lost by that. When a helper ends or answers wrongly in the middle of a job, the attempt
 * counts as crashed (coproc_flight.c has the rules where there are several), and the rules say when
 * there is another, or that a job which kills every helper is buried. Helpers are started again
 * with a delay that doubles with the failures in a row, so that a helper which can't work at all
 * costs little. One that can't be started, or fails before it is ready, costs no job an attempt:
 * its jobs stay in hand until one does better, and the pool tells of the trouble.
 *
 * When the pool is freed, idle helpers see the end of their input and have `kill_after` to end.
 */
#include "worker/child_priv.h"
#include "worker/coproc_priv.h"
#include "worker/programs_priv.h"
#include "worker/worker_priv.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/magic.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COPROC_MAGIC 0x3e3ec0c1u
#define HELPER_MAGIC 0x3e3ec0c2u

#define FRESH_NS HL_MILLISECOND
/* Of a helper's restart. */
#define BACKOFF_NS (100 * HL_MILLISECOND)
#define BACKOFF_MAX_NS (30 * HL_SECOND)
#define START_NS (10 * HL_SECOND) /* from its start until its program must have begun */

struct coproc {
    unsigned magic;
    char *program;
    struct keepers keepers;
    struct coproc_terms terms;
    hl_lock *lock;
    struct list idle;  /* covered by lock, as is what follows; the one used last is first */
    unsigned failures; /* of helpers, in a row */
    int64_t start_ns;  /* no helper is started before */
    char trouble[WORKER_TROUBLE_MAX]; /* why the last one never got ready; "": it did */
};

static int64_t backoff(uint32_t times)
{
    int64_t wait_ns = BACKOFF_NS;
    for (uint32_t i = 1; i < times && wait_ns < BACKOFF_MAX_NS; i++)
        wait_ns *= 2;
    return wait_ns < BACKOFF_MAX_NS ? wait_ns : BACKOFF_MAX_NS;
}

/* ---- helpers ---- */

/* Until it has begun: 0, or why it can't. */
static int helper_await_start(struct coproc_helper *helper, pid_t *pid)
{
    int64_t until = clock_deadline(START_NS);
    for (;;) {
        int64_t left = until - clock_now_ns();
        struct pollfd fd = {.fd = child_fd(&helper->child), .events = POLLIN};
        struct timespec wait = {.tv_sec = left / HL_SECOND, .tv_nsec = left % HL_SECOND};
        struct spawn_news news;
        if (left <= 0) {
            child_bury(&helper->child);
            return ETIMEDOUT;
        }
        if (ppoll(&fd, 1, &wait, NULL) <= 0)
            continue;
        int rc = child_hear(&helper->child, &news);
        if (rc == EPIPE || (rc == 0 && news.word == SPAWN_BYE))
            return ESRCH;
        if (rc == 0 && news.word == SPAWN_FAILED)
            return news.error != 0 ? news.error : EINVAL;
        if (rc == 0 && news.word == SPAWN_STARTED) {
            *pid = news.pid;
            return 0;
        }
    }
}

static int helper_start(struct coproc *coproc, struct coproc_helper **out)
{
    struct coproc_helper *helper = calloc(1, sizeof(*helper));
    if (helper == NULL)
        return ENOMEM;
    MAGIC_INIT(helper, HELPER_MAGIC);
    list_node_init(&helper->idle);
    int rc = child_start(&helper->child, &coproc->keepers,
                         &(struct spawn_job){.tube = "", .tell = true}, false);
    if (rc == 0) {
        rc = helper_await_start(helper, &helper->pid);
        if (rc != 0)
            child_finish(&helper->child, true);
    }
    if (rc != 0) {
        MAGIC_WIPE(helper);
        free(helper);
        return rc;
    }
    log_info("helper %s started, pid %d", coproc->terms.program, (int)helper->pid);
    *out = helper;
    return 0;
}

/* How it ended, in words. */
static void status_print(int status, char *text, size_t size)
{
    const char *name = WIFSIGNALED(status) ? sigabbrev_np(WTERMSIG(status)) : NULL;
    if (WIFEXITED(status))
        snprintf(text, size, "it ended with status %d", WEXITSTATUS(status));
    else
        snprintf(text, size, "it was killed by signal %d%s%s%s", WTERMSIG(status),
                 name != NULL ? " (SIG" : "", name != NULL ? name : "", name != NULL ? ")" : "");
}

/* Kills it, unless it has ended, and collects it. `how` gets how it ended, NULL: nobody asks. */
static void helper_end(struct coproc_helper **helper, char *how, size_t how_size)
{
    struct coproc_helper *mine;
    MAGIC_TAKE(mine, helper, HELPER_MAGIC);
    int status = child_end(&mine->child);
    if (how != NULL)
        status_print(status, how, how_size);
    MAGIC_WIPE(mine);
    free(mine);
}

/* An idle helper that has ended, or says something although it has no job, is of no use. One that
 * has just answered isn't asked: the talk sees that, too, and the question costs a tenth of it. */
static bool helper_is_good(struct coproc_helper *helper)
{
    if (clock_now_ns() - helper->answered_ns < FRESH_NS)
        return true;
    struct pollfd out = {.fd = helper->child.out, .events = POLLIN};
    return !child_has_ended(&helper->child) && poll(&out, 1, 0) == 0;
}

/* The idle helper that was used last, or NULL. */
static struct coproc_helper *helper_take(struct coproc *coproc)
{
    for (;;) {
        struct list_node *node;
        {
            HL_LOCK_SCOPE(coproc->lock);
            node = list_pop(&coproc->idle);
        }
        if (node == NULL)
            return NULL;
        struct coproc_helper *helper = CONTAINER_OF(node, struct coproc_helper, idle);
        if (helper_is_good(helper))
            return helper;
        log_notice("helper %s, pid %d, %s while it had no job; it is ended", coproc->terms.program,
                   (int)helper->pid,
                   child_await(&helper->child, 0) ? "went away" : "wrote something");
        helper_end(&helper, NULL, 0);
    }
}

static void note_success(struct coproc *coproc)
{
    HL_LOCK_SCOPE(coproc->lock);
    coproc->failures = 0;
    coproc->start_ns = 0;
    coproc->trouble[0] = '\0';
}

static void helper_give(struct coproc *coproc, struct coproc_helper *helper)
{
    note_success(coproc);
    HL_LOCK_SCOPE(coproc->lock);
    list_prepend(&coproc->idle, &helper->idle);
}

static void note_failure(struct coproc *coproc)
{
    HL_LOCK_SCOPE(coproc->lock);
    if (coproc->failures < UINT32_MAX)
        coproc->failures++;
    coproc->start_ns = clock_deadline(backoff(coproc->failures));
}

/* ---- open, close ---- */

static int coproc_check(const struct handler_settings *settings, char *why, size_t why_size)
{
    if (settings->argv != NULL && settings->argv[0] != NULL && settings->argv[0][0] != '\0')
        return programs_check(settings, why, why_size);
    snprintf(why, why_size,
             "the handler coproc needs argv with a helper, like argv = {\"python3\", "
             "\"/path/helper.py\"}");
    return EINVAL;
}

static void coproc_close(void **state)
{
    if (*state == NULL)
        return;
    struct coproc *coproc = *state;
    MAGIC_CHECK(coproc, COPROC_MAGIC);
    *state = NULL;
    for (struct list_node *node = list_first(&coproc->idle); node != NULL;
         node = list_next(&coproc->idle, node))
        child_close(&CONTAINER_OF(node, struct coproc_helper, idle)->child.in);
    int64_t until = clock_deadline(coproc->terms.kill_after_ns);
    struct list_node *node;
    while ((node = list_pop(&coproc->idle)) != NULL) {
        struct coproc_helper *helper = CONTAINER_OF(node, struct coproc_helper, idle);
        if (!child_await(&helper->child, until - clock_now_ns()))
            log_notice("helper %s, pid %d, does not end with its input; it is killed",
                       coproc->terms.program, (int)helper->pid);
        helper_end(&helper, NULL, 0);
    }
    hl_lock_free(&coproc->lock);
    keepers_fini(&coproc->keepers);
    free(coproc->program);
    MAGIC_WIPE(coproc);
    free(coproc);
}

static int coproc_open(const struct handler_settings *settings, void **state, char *why,
                       size_t why_size)
{
    (void)why;
    (void)why_size;
    struct coproc *coproc = calloc(1, sizeof(*coproc));
    if (coproc == NULL)
        return ENOMEM;
    MAGIC_INIT(coproc, COPROC_MAGIC);
    list_init(&coproc->idle);
    coproc->program = strdup(settings->argv[0]);
    int rc = coproc->program == NULL ? ENOMEM : keepers_init(&coproc->keepers, settings);
    if (rc == 0)
        rc = hl_lock_new(&coproc->lock, "helpers", lock_class(LOCK_CLASS_coproc));
    if (rc == 0)
        coproc->terms = (struct coproc_terms){
            .program = coproc->program,
            .output_max = settings->output_max != 0 ? settings->output_max : HANDLER_OUTPUT_MAX,
            .kill_after_ns =
                settings->kill_after_ns > 0 ? settings->kill_after_ns : HANDLER_KILL_AFTER_NS};
    *state = coproc;
    if (rc != 0)
        coproc_close(state);
    return rc;
}

/* ---- a shift ---- */

/* Until a helper may be started. false: no job is in hand any more. */
static bool start_await(struct coproc *coproc, struct coproc_flight *flight)
{
    struct pollfd shift = {.fd = shift_fd(flight->shift), .events = POLLIN};
    while (flight->count > 0) {
        int64_t left;
        {
            HL_LOCK_SCOPE(coproc->lock);
            left = coproc->start_ns - clock_now_ns();
        }
        struct timespec wait = {0};
        if (left > 0)
            wait = (struct timespec){.tv_sec = left / HL_SECOND, .tv_nsec = left % HL_SECOND};
        if (ppoll(&shift, 1, &wait, NULL) > 0)
            flight_listen(flight);
        else if (left <= 0)
            return true;
    }
    return false;
}

/* Neither this nor what follows is limited as the pool's own lines are: the delays see to that. */
static void crashed(struct coproc *coproc, struct coproc_flight *flight, const char *why)
{
    const struct broker_lease *lease = &flight_job_of(list_first(&flight->jobs))->job.lease;
    note_failure(coproc);
    log_notice("helper %s failed with job %" PRIu64 " of tube %s: %s", coproc->terms.program,
               lease->id, lease->tube, why);
    flight_crash(flight, why);
}

/* It was never ready for a job, so no job can be at fault. They stay in hand. */
static void useless(struct coproc *coproc, const char *why)
{
    char text[WORKER_TROUBLE_MAX];
    snprintf(text, sizeof(text), "the helper %s failed before it was ready: %s",
             coproc->terms.program, why);
    note_failure(coproc);
    log_warning("%s; its jobs wait, and it is tried again", text);
    HL_LOCK_SCOPE(coproc->lock);
    memcpy(coproc->trouble, text, sizeof(text));
}

static bool coproc_trouble(void *state, char *text, size_t size)
{
    struct coproc *coproc = state;
    MAGIC_CHECK(coproc, COPROC_MAGIC);
    HL_LOCK_SCOPE(coproc->lock);
    snprintf(text, size, "%s", coproc->trouble);
    return text[0] != '\0';
}

/* false: there is no helper yet, or no job in hand any more. */
static bool helper_need(struct coproc *coproc, struct coproc_flight *flight)
{
    struct coproc_helper *helper = helper_take(coproc);
    if (helper == NULL && !start_await(coproc, flight))
        return false;
    int rc = helper != NULL ? 0 : helper_start(coproc, &helper);
    if (rc == 0) {
        flight_board(flight, helper);
        return true;
    }
    const char *text = strerrordesc_np(rc);
    char why[128];
    snprintf(why, sizeof(why), "it can't be started (%s)", text != NULL ? text : "unknown error");
    useless(coproc, why);
    return false;
}

/* `how` the helper ended, or wrongly, with jobs or after them. */
static void helper_failed(struct coproc *coproc, struct coproc_flight *flight, enum coproc_end end,
                          bool ready, uint64_t last_id, const char *how)
{
    const char *why = flight->why[0] != '\0' ? flight->why : how;
    if (flight->answers > 0)
        note_success(coproc);
    if (end == COPROC_UNREAD) /* a new one is never, so this ends */
        log_info("helper %s: %s while it had no job", coproc->terms.program, how);
    else if (end == COPROC_STOPPED)
        flight_crash(flight, NULL);
    else if (end == COPROC_BROKEN && !ready)
        useless(coproc, why);
    else if (end == COPROC_BROKEN)
        crashed(coproc, flight, why);
    else if (flight->why[0] == '\0') /* to end is its right */
        log_info("helper %s: %s, after job %" PRIu64, coproc->terms.program, how, last_id);
    else {
        note_failure(coproc);
        log_notice("helper %s was ended after job %" PRIu64 ": %s", coproc->terms.program, last_id,
                   why);
    }
}

/* The jobs in hand, and what can be had beside them, with one helper. */
static void coproc_fly(struct coproc *coproc, struct coproc_flight *flight)
{
    char how[JOB_REASON_MAX / 4];
    if (!helper_need(coproc, flight))
        return;
    enum coproc_end end = coproc_talk(flight);
    struct coproc_helper *helper = flight->helper;
    if (end == COPROC_ANSWERED)
        helper_give(coproc, helper);
    else {
        uint64_t last_id = helper->last_id;
        bool ready = helper->window > 0;
        helper_end(&helper, how, sizeof(how));
        helper_failed(coproc, flight, end, ready, last_id, how);
    }
    flight_board(flight, NULL);
}

/* Collects what was given to it while it stood. false: nothing, and nothing will be. */
static bool flight_goes_on(struct coproc_flight *flight)
{
    struct pollfd shift = {.fd = shift_fd(flight->shift), .events = POLLIN};
    while (flight->count == 0 && !shift_leave(flight->shift)) {
        flight_take(flight);
        if (flight->count == 0 && poll(&shift, 1, -1) > 0)
            flight_listen(flight);
    }
    return flight->count > 0;
}

static void coproc_serve(void *state, struct shift *shift)
{
    struct coproc *coproc = state;
    MAGIC_CHECK(coproc, COPROC_MAGIC);
    struct coproc_flight flight;
    if (flight_init(&flight, &coproc->terms, shift) != 0)
        return;
    do {
        if (!flight.final)
            coproc_fly(coproc, &flight);
        else
            flight_crash(&flight, NULL);
        flight_settle(&flight);
    } while (flight_goes_on(&flight));
}

const struct handler handler_coproc = {
    .name = "coproc",
    .summary = "hands jobs to long-lived helper processes",
    .programs = true,
    .variable = "HILERA_COPROC=" HL_STRINGIFY(COPROC_VERSION),
    .check = coproc_check,
    .open = coproc_open,
    .close = coproc_close,
    .serve = coproc_serve,
    .trouble = coproc_trouble,
};
