// SPDX-License-Identifier: MIT
/*
 * A keeper: the parent of one program at a time, for one worker of the broker.
 *
 * It waits in one place, for the broker's messages and for the end of its children: SIGCHLD is
 * blocked but while it sleeps. It is a subreaper, so whatever a program leaves behind becomes its
 * child. After the usual program there is nobody, which costs one question; where somebody is left
 * the broker is told, reads the pipes as long as it likes, and then has the rest killed.
 *
 * What a row with `leave` leaves behind on purpose (a server in a session of its own) would be
 * mixed up with what the next job starts. So the keeper stays behind with it, as its parent and for
 * nothing else, and the worker gets another keeper. The same with what may not be killed, such as a
 * program that has become another user's. The broker hears of that: in the answer to a signal if it
 * is the program itself, else when the keeper has cleaned up.
 *
 * Where jobs follow each other a child stands ready for the next one (run_ahead): it is made while
 * the worker settles the last job, becomes a session, and reads the start itself while the keeper
 * is held by vfork. So a start wakes one process, which has little left to do. The child waits for
 * a moment only, as a keeper in vfork counts as load; what it hears that is no start it leaves to
 * the keeper. Rows whose jobs say the program have none: to read these takes memory, and a child
 * that is killed at that would leave the keeper's in disorder.
 *
 * The end of the channel is the end: the broker has died or wants no more. All that runs is killed
 * and collected, and the keeper goes; with what may not be killed it stays behind and holds the
 * lock, so that the job isn't run again beside it. While it starts a program it is held by vfork
 * until that has begun; the spawner sees to a keeper that is held for too long.
 */
#include "spawn/spawn_priv.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define IDLE_S 60                   /* without a program, after which it goes */
#define SOON_NS ((int64_t)10000000) /* from a program's end to the start of one that follows it */
#define AHEAD_US 20000              /* for which a child stands ready */
#define CHANNEL_FD 3
#define LOCK_FD 4
#define FACTS 6 /* HILERA_ variables of a run, with HILERA_SOCKET */
#define FACT_SIZE 288

struct keeper {
    const struct spawn_program *row;
    struct spawn_shared *shared;
    sigset_t unblocked;
    bool spared; /* when memory runs out; its programs aren't */
    pid_t self;
    pid_t pid;   /* of the program; 0: none */
    pid_t group; /* of that, or of the last one until it is cleaned; 0: none */
    size_t env_count;
    char fact[FACTS][FACT_SIZE];
    char **env; /* of a run; kept for the next one */
    size_t env_room;
    char **paths;       /* of a row with argv: where its program may be; NULL: not known yet */
    bool may_ahead;     /* a child may stand ready for the next job */
    bool ahead;         /* the next one shall: jobs follow each other */
    int64_t idle_ns;    /* since when it has no program */
    volatile int heard; /* enum heard: by the child that stood ready */
    struct packet packet;
};

enum heard { HEARD_NOTHING, HEARD_START, HEARD_ASK };

static void answer(const struct spawn_answer *answer)
{
    /* Nobody there: the next poll tells. */
    (void)packet_send(CHANNEL_FD, answer, sizeof(*answer), NULL, 0, NULL, 0);
}

static void tell(enum spawn_word word)
{
    answer(&(struct spawn_answer){.word = (uint32_t)word, .news = {.word = word}});
}

/* Nothing is left to do but to be the parent of some that live on. */
static void step_aside(struct keeper *keeper)
{
    keeper->shared->left = 1;
    (void)prctl(PR_SET_NAME, "hilera-left", 0, 0, 0);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0)
        (void)dup2(null, STDERR_FILENO);
}

/* They belong to no job that could run again. */
static _Noreturn void stay_behind(struct keeper *keeper)
{
    step_aside(keeper);
    /* When the spawner ends they are nobody's. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    (void)close_range(CHANNEL_FD, ~0U, 0);
    while (waitpid(-1, NULL, 0) >= 0 || errno == EINTR)
        continue;
    _exit(0);
}

/* They may not be killed, and their job runs again when they have ended: the lock is held until
 * then, longer than by the spawner. What comes from them meanwhile is killed if that is allowed. */
static _Noreturn void stay_with_lock(struct keeper *keeper)
{
    step_aside(keeper);
    (void)close(CHANNEL_FD);
    do
        (void)children_end();
    while (waitpid(-1, NULL, 0) >= 0 || errno == EINTR);
    _exit(0);
}

static _Noreturn void leave(struct keeper *keeper)
{
    if (keeper->pid != 0)
        (void)kill(-keeper->pid, SIGKILL);
    (void)children_end();
    if (children_are_left())
        stay_with_lock(keeper);
    _exit(0);
}

/* ---- a start ---- */

static bool facts_set(struct keeper *keeper, const struct order *order)
{
    const struct spawn_start *head = order->head;
    int64_t wall = head->submitted_ns > 0 ? head->submitted_ns : 0;
    snprintf(keeper->fact[0], FACT_SIZE, "HILERA_JOB_ID=%" PRIu64, head->id);
    int len = snprintf(keeper->fact[1], FACT_SIZE, "HILERA_TUBE=%s", order->tube);
    snprintf(keeper->fact[2], FACT_SIZE, "HILERA_ATTEMPT=%" PRIu32, head->attempt);
    snprintf(keeper->fact[3], FACT_SIZE, "HILERA_PRIORITY=%" PRIu32, head->pri);
    snprintf(keeper->fact[4], FACT_SIZE, "HILERA_SUBMITTED=%" PRId64 ".%06" PRId64,
             wall / 1000000000, wall % 1000000000 / 1000);
    return len < FACT_SIZE;
}

/* Room for these variables and those of a run; how many these are, into *count. */
static int env_need(struct keeper *keeper, char *const *base, size_t *count)
{
    *count = 0;
    while (base[*count] != NULL)
        (*count)++;
    size_t room = *count + FACTS + 1;
    if (room <= keeper->env_room)
        return 0;
    char **env = realloc(keeper->env, room * sizeof(*env));
    if (env == NULL)
        return ENOMEM;
    keeper->env = env;
    keeper->env_room = room;
    return 0;
}

/* The row's variables or the job's, and behind them those of the run. */
static int env_set(struct keeper *keeper, const struct order *order)
{
    char *const *base = order->env != NULL ? order->env : keeper->row->env;
    size_t count;
    int rc = env_need(keeper, base, &count);
    if (rc != 0)
        return rc;
    if (!facts_set(keeper, order))
        return EPROTO;
    memcpy(keeper->env, base, count * sizeof(*base));
    for (size_t i = 0; order->head->id != 0 && i < FACTS - 1; i++)
        keeper->env[count++] = keeper->fact[i];
    if (keeper->row->socket != NULL)
        keeper->env[count++] = (char *)(uintptr_t)keeper->row->socket;
    keeper->env[count] = NULL;
    return 0;
}

static void fail(enum spawn_step step, int error, const char *what)
{
    struct spawn_answer failed = {
        .word = SPAWN_FAILED,
        .news = {
            .word = SPAWN_FAILED, .step = step, .error = error, .own = step > SPAWN_STEP_user}};
    snprintf(failed.news.what, sizeof(failed.news.what), "%s", what != NULL ? what : "");
    answer(&failed);
}

/* What the step was about. */
static const char *what_failed(const struct begin *begin)
{
    const struct spawn_program *row = begin->row;
    switch ((enum spawn_step)begin->shared->step) {
    case SPAWN_STEP_limit:
        return begin->shared->index >= 0 && (size_t)begin->shared->index < row->limit_count
                   ? row->limit[begin->shared->index].name
                   : "";
    case SPAWN_STEP_directory:
        return begin->directory != NULL ? begin->directory : "/";
    default:
        return "";
    }
}

/* Whether it may say what it says: of a row that names the program, nothing. */
static bool is_allowed(const struct keeper *keeper, const struct order *order)
{
    bool says = order->argv != NULL || order->env != NULL || order->directory != NULL ||
                (order->head->flags & SPAWN_HAS_UMASK) != 0;
    return keeper->row->argv != NULL ? !says : order->argv != NULL;
}

/* What a start says, and whether it may. */
static int order_take(struct keeper *keeper, struct order *order)
{
    int rc = order_read(order, &keeper->packet);
    if (rc == 0 && !is_allowed(keeper, order))
        rc = EPERM;
    return rc == 0 ? env_set(keeper, order) : rc;
}

/* What all programs of the row have; env and paths are there. */
static struct begin begin_of(const struct keeper *keeper, char *const *paths)
{
    const struct spawn_program *row = keeper->row;
    return (struct begin){.row = row,
                          .argv = row->argv,
                          .env = keeper->env,
                          .paths = paths,
                          .directory = row->directory,
                          .has_umask = row->has_umask,
                          .umask = row->umask,
                          .fds = keeper->packet.fds,
                          .spared = keeper->spared,
                          .keeper = keeper->self,
                          .shared = keeper->shared};
}

/* The child has begun, or is to be collected. */
static void note_start(struct keeper *keeper, const struct begin *begin, pid_t pid)
{
    const struct spawn_start *head = (const struct spawn_start *)(void *)keeper->packet.bytes;
    if (keeper->shared->step != SPAWN_STEP_NONE) {
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            continue;
        fail((enum spawn_step)keeper->shared->step, keeper->shared->error, what_failed(begin));
        return;
    }
    keeper->pid = keeper->group = pid;
    if ((head->flags & SPAWN_TELL) != 0)
        answer(&(struct spawn_answer){.word = SPAWN_STARTED,
                                      .news = {.word = SPAWN_STARTED, .pid = pid}});
}

static void run(struct keeper *keeper, const struct order *order, char *const *paths)
{
    struct begin begin = begin_of(keeper, paths);
    if (keeper->row->argv == NULL)
        begin.argv = order->argv;
    if (order->directory != NULL)
        begin.directory = order->directory;
    if ((order->head->flags & SPAWN_HAS_UMASK) != 0) {
        begin.has_umask = true;
        begin.umask = (mode_t)order->head->umask;
    }
    pid_t pid = begin_program(&begin);
    if (pid < 0)
        fail(SPAWN_STEP_fork, errno, "");
    else
        note_start(keeper, &begin, pid);
}

static void start(struct keeper *keeper)
{
    struct order order;
    char **paths = NULL;
    if (keeper->group != 0) /* the last one isn't over: no broker of ours asks for this */
        return;
    keeper->ahead = keeper->may_ahead && clock_now_ns() - keeper->idle_ns < SOON_NS;
    int rc = order_take(keeper, &order);
    if (rc == 0) {
        const char *name = keeper->row->argv != NULL ? keeper->row->argv[0] : order.argv[0];
        paths = places_of(name, keeper->env, keeper->row->places);
        rc = paths == NULL ? ENOMEM : 0;
    }
    if (rc == 0)
        run(keeper, &order, paths);
    else
        fail(SPAWN_STEP_order, rc, "");
    free(paths);
    order_fini(&order);
}

static bool is_start(const struct packet *packet)
{
    return packet->len >= sizeof(struct spawn_start) &&
           ((const struct spawn_start *)(const void *)packet->bytes)->verb == SPAWN_START;
}

/* ---- messages ---- */

static void signal_pass(const struct keeper *keeper, int sig)
{
    struct spawn_answer alive = {.word = SPAWN_ALIVE, .news = {.word = SPAWN_ALIVE}};
    if (keeper->pid != 0 && sig > 0) {
        (void)kill(-keeper->pid, sig);
        /* One that is stopped wouldn't hear of it. */
        if (sig == SIGTERM)
            (void)kill(-keeper->pid, SIGCONT);
        /* Of the group it is enough that one may be signalled; what counts is the program. */
        if (kill(keeper->pid, 0) != 0 && errno == EPERM) {
            alive.news.error = EPERM;
            alive.news.pid = keeper->pid;
        }
    }
    answer(&alive);
}

static void clean(struct keeper *keeper, bool all, bool again)
{
    if (keeper->pid != 0 || keeper->group == 0)
        return;
    int error = children_end_group(keeper->group);
    if (all || !keeper->row->leave)
        error = children_end();
    bool left = children_are_left();
    keeper->group = 0;
    answer(&(struct spawn_answer){.word = SPAWN_CLEANED,
                                  .news = {.word = SPAWN_CLEANED,
                                           .others = left,
                                           .error = left ? error : 0,
                                           .pid = left ? children_first() : 0}});
    if (left && again && error != 0)
        stay_with_lock(keeper);
    if (left)
        stay_behind(keeper);
}

/* What isn't a start. */
static void obey(struct keeper *keeper)
{
    const struct spawn_ask *ask = (const struct spawn_ask *)(const void *)keeper->packet.bytes;
    if (keeper->packet.len != sizeof(*ask))
        return;
    if (ask->verb == SPAWN_SIGNAL)
        signal_pass(keeper, ask->sig);
    else if (ask->verb == SPAWN_CLEAN)
        clean(keeper, ask->all != 0, ask->again != 0);
}

static void listen_once(struct keeper *keeper)
{
    int rc = packet_receive(CHANNEL_FD, &keeper->packet, MSG_DONTWAIT);
    if (rc == EPIPE)
        leave(keeper);
    if (rc == EMFILE) /* a start whose pipes had no room */
        fail(SPAWN_STEP_order, rc, "");
    if (rc != 0)
        return;
    if (is_start(&keeper->packet))
        start(keeper);
    else
        obey(keeper);
    packet_close(&keeper->packet);
}

/* ---- a start, ahead ---- */

/* A start of a row that has its argv: with more in it, which no broker of ours sends, reading it
 * would take memory. */
static bool is_plain(const struct packet *packet)
{
    const struct spawn_start *head = (const struct spawn_start *)(const void *)packet->bytes;
    return head->argc == 0 && head->envc == 0 && packet->fd_count == 3;
}

/* In the child, with the keeper's memory: the start that it stands ready for. What else may come,
 * or that nothing does, is the keeper's. */
static void start_await(void *arg)
{
    struct keeper *keeper = arg;
    struct order order;
    int rc = packet_receive(CHANNEL_FD, &keeper->packet, 0);
    if (rc != 0 && rc != EMFILE)
        _exit(0);
    if (rc == 0 && !is_start(&keeper->packet)) {
        keeper->heard = HEARD_ASK;
        _exit(0);
    }
    keeper->heard = HEARD_START;
    if (rc == 0 && !is_plain(&keeper->packet))
        rc = EPERM;
    if (rc == 0) {
        rc = order_take(keeper, &order);
        order_fini(&order);
    }
    if (rc == 0)
        return;
    keeper->shared->error = rc;
    keeper->shared->step = SPAWN_STEP_order;
    _exit(0);
}

/* What a child that stands ready can't make itself. */
static bool ahead_prepare(struct keeper *keeper)
{
    size_t count;
    if (env_need(keeper, keeper->row->env, &count) != 0)
        return false;
    if (keeper->paths == NULL)
        keeper->paths = places_of(keeper->row->argv[0], keeper->row->env, keeper->row->places);
    return keeper->paths != NULL;
}

/* There was no start. */
static void ahead_end(struct keeper *keeper, pid_t pid)
{
    int status = 0;
    keeper->ahead = false;
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (WIFSIGNALED(status)) /* it may have taken a message along; a new keeper knows where it is */
        leave(keeper);
    if (keeper->heard == HEARD_ASK)
        obey(keeper);
}

/* There is no program. Back when the next one has begun, or didn't come soon. */
static void run_ahead(struct keeper *keeper)
{
    keeper->heard = HEARD_NOTHING;
    if (!ahead_prepare(keeper)) {
        ahead_end(keeper, 0);
        return;
    }
    struct begin begin = begin_of(keeper, keeper->paths);
    begin.wait = start_await;
    begin.arg = keeper;
    pid_t pid = begin_program(&begin);
    keeper->packet.fd_count = 0; /* they were the child's alone */
    if (pid > 0 && keeper->heard == HEARD_START)
        note_start(keeper, &begin, pid);
    else
        ahead_end(keeper, pid);
}

/* ---- the end of a program ---- */

static int64_t time_ns(const struct timeval *time)
{
    return (int64_t)time->tv_sec * 1000000000 + (int64_t)time->tv_usec * 1000;
}

/* Collects what has ended. */
static void collect(struct keeper *keeper)
{
    struct spawn_answer ended = {.word = 0};
    struct rusage used;
    int status;
    pid_t got;
    while ((got = wait4(-1, &status, WNOHANG, &used)) > 0 || (got < 0 && errno == EINTR)) {
        if (got != keeper->pid)
            continue;
        keeper->pid = 0;
        ended = (struct spawn_answer){
            .word = SPAWN_ENDED,
            .news = {.word = SPAWN_ENDED,
                     .status = status,
                     .user_ns = time_ns(&used.ru_utime),
                     .system_ns = time_ns(&used.ru_stime),
                     .max_rss = (uint64_t)used.ru_maxrss * 1024}}; /* it is in KiB */
    }
    if (ended.word == 0)
        return;
    ended.news.others = got == 0;
    keeper->idle_ns = clock_now_ns();
    if (!ended.news.others)
        keeper->group = 0;
    answer(&ended);
}

/* ---- its life ---- */

static void settle_in(struct keeper *keeper, int channel, int lock)
{
    spawn_settle_in("hilera-keeper", &keeper->unblocked);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    /* Above what they become. */
    int high = fcntl(channel, F_DUPFD_CLOEXEC, LOCK_FD + 1);
    int high_lock = lock >= 0 ? fcntl(lock, F_DUPFD_CLOEXEC, LOCK_FD + 1) : -1;
    if (high < 0 || (lock >= 0 && high_lock < 0) || dup3(high, CHANNEL_FD, O_CLOEXEC) < 0 ||
        (lock >= 0 && dup3(high_lock, LOCK_FD, O_CLOEXEC) < 0))
        _exit(1); /* the broker sees the channel end */
    (void)close_range(lock >= 0 ? LOCK_FD + 1 : LOCK_FD, ~0U, 0);
    keeper->self = getpid();
    keeper->spared = begin_is_spared();
    const struct timeval patience = {.tv_usec = AHEAD_US};
    keeper->may_ahead = keeper->row->argv != NULL && setsockopt(CHANNEL_FD, SOL_SOCKET, SO_RCVTIMEO,
                                                                &patience, sizeof(patience)) == 0;
}

_Noreturn void keeper_main(const struct spawn_program *row, int channel, int lock,
                           struct spawn_shared *shared)
{
    static struct keeper keeper; /* no magic: the one of its process */
    static const struct timespec idle = {.tv_sec = IDLE_S};
    keeper.row = row;
    keeper.shared = shared;
    settle_in(&keeper, channel, lock);
    answer(&(struct spawn_answer){.word = SPAWN_READY});
    for (;;) {
        if (keeper.ahead && keeper.group == 0) {
            run_ahead(&keeper);
            continue;
        }
        struct pollfd fd = {.fd = CHANNEL_FD, .events = POLLIN};
        bool is_idle = keeper.group == 0;
        int got = ppoll(&fd, 1, is_idle ? &idle : NULL, &keeper.unblocked);
        collect(&keeper);
        if (got > 0)
            listen_once(&keeper);
        else if (got == 0 && is_idle) {
            tell(SPAWN_BYE);
            _exit(0);
        }
    }
}
