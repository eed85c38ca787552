// SPDX-License-Identifier: MIT
/*
 * The main thread between start and stop: it waits for signals, and does nothing else.
 *
 * A journal that has failed is like a signal, but for the status; running jobs are not waited for
 * then, since what becomes of them can't be recorded, and they run again after the restart.
 *
 * The signals are blocked in every thread and read from a signalfd here, so no code ever runs in a
 * signal handler. The stop waits for running jobs, on a thread of its own, because signals must
 * still be answered meanwhile: SIGQUIT shows what is being waited for, and a second SIGTERM or
 * SIGINT cuts the waiting short. The end of that thread arrives here through an eventfd.
 */
#include "daemon/daemon_priv.h"
#include "daemon/process_priv.h"

#include "base/assert.h"
#include "base/log.h"
#include "thr/thr.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct server {
    struct daemon *daemon;
    int signal_fd;
    int finished_fd; /* readable when the jobs have finished */
    bool stopping, impatient, failed;
    int64_t grace_ns;    /* for running jobs */
    hl_thread *finisher; /* NULL: not begun, or not to be had */
};

static void finisher_run(void *arg)
{
    struct server *server = arg;
    daemon_finish(server->daemon, server->grace_ns);
    uint64_t one = 1;
    MUST(write(server->finished_fd, &one, sizeof(one)) == sizeof(one) ? 0 : errno);
}

/* Whoever reads in the log that it stops finds that puts are refused. */
static void stop_begin(struct server *server)
{
    server->stopping = true;
    notify_send("STOPPING=1", 0);
    daemon_drain(server->daemon);
}

static void stop_go_on(struct server *server)
{
    const struct hl_thread_options options = {
        .target = finisher_run, .arg = server, .name = "stop", .daemon = HL_DAEMON_NO};
    int rc = hl_thread_new(&server->finisher, &options);
    if (rc == 0)
        rc = hl_thread_start(server->finisher);
    if (rc == 0)
        return;
    log_warning("no thread to watch the stop (%s): signals have to wait", strerrordesc_np(rc));
    hl_thread_free(&server->finisher);
    finisher_run(server);
}

static void stop_asked(struct server *server, int signal)
{
    if (!server->stopping) {
        server->grace_ns = server->daemon->config->grace;
        stop_begin(server);
        log_notice("SIG%s: stopping; running jobs may take %.3g s to finish, a second signal ends "
                   "them",
                   sigabbrev_np(signal), (double)server->grace_ns / HL_SECOND);
        stop_go_on(server);
    } else if (!server->impatient) {
        server->impatient = true;
        log_notice("SIG%s again: running jobs are ended now", sigabbrev_np(signal));
        daemon_hurry(server->daemon);
    }
}

static void failure_met(struct server *server)
{
    int error = atomic_load(&server->daemon->failed);
    log_error(
        "the journal has failed (%s): nothing is durable any more, so this daemon stops; after a "
        "restart everything is there again that was acknowledged at level commit; of level "
        "interval the last moments may be lost, and level memory keeps nothing",
        strerrordesc_np(error));
    notify_send("STATUS=the journal has failed: stopping", 0);
    server->failed = true;
    if (server->stopping)
        daemon_hurry(server->daemon);
    else {
        stop_begin(server);
        stop_go_on(server);
    }
}

static int wait_once(struct server *server, bool *finished)
{
    struct pollfd fds[] = {
        {.fd = server->signal_fd, .events = POLLIN},
        {.fd = server->finished_fd, .events = POLLIN},
        {.fd = server->failed ? -1 : server->daemon->failed_fd, .events = POLLIN}};
    hl_thread_wait_begin("signals", "");
    int ready = poll(fds, 3, -1);
    int rc = ready < 0 && errno != EINTR ? errno : 0;
    hl_thread_wait_end();
    if (rc != 0 || ready <= 0)
        return rc;
    *finished = fds[1].revents != 0;
    if (fds[2].revents != 0)
        failure_met(server);
    struct signalfd_siginfo info;
    if (fds[0].revents == 0 || read(server->signal_fd, &info, sizeof(info)) != sizeof(info))
        return 0;
    if (info.ssi_signo == SIGCHLD) {
        process_collect();
    } else if (info.ssi_signo == SIGQUIT) {
        threads_log();
    } else if (info.ssi_signo == SIGUSR1) {
        log_notice("SIGUSR1: asks to drain");
        (void)daemon_set_draining(server->daemon, true); /* a stop has done it already */
    } else if (info.ssi_signo == SIGHUP && !process_on_terminal()) {
        log_notice("SIGHUP: nothing to do; the configuration is read at a start only");
    } else {
        stop_asked(server, (int)info.ssi_signo);
    }
    return 0;
}

static int server_open(struct server *server)
{
    server->signal_fd = signalfd(-1, process_awaited(), SFD_CLOEXEC | SFD_NONBLOCK);
    if (server->signal_fd < 0)
        return errno;
    server->finished_fd = eventfd(0, EFD_CLOEXEC);
    return server->finished_fd < 0 ? errno : 0;
}

/* It can't wait for signals: whatever runs ends without grace. */
static void give_up(struct server *server, int rc)
{
    log_error("signals: %s", strerrordesc_np(rc));
    if (server->stopping) {
        daemon_hurry(server->daemon);
        return;
    }
    daemon_drain(server->daemon);
    daemon_finish(server->daemon, 0);
}

int signals_serve(struct daemon *daemon, void (*ready)(struct daemon *daemon, void *arg), void *arg)
{
    struct server server = {.daemon = daemon, .signal_fd = -1, .finished_fd = -1};
    bool finished = false;
    int rc = server_open(&server);
    process_collect(); /* of before the signal was waited for */
    if (rc == 0)
        ready(daemon, arg);
    while (rc == 0 && !finished)
        rc = wait_once(&server, &finished);
    if (rc != 0)
        give_up(&server, rc);
    if (server.finisher != NULL)
        MUST(hl_thread_join(server.finisher, HL_FOREVER));
    hl_thread_free(&server.finisher);
    if (server.signal_fd >= 0)
        close(server.signal_fd);
    if (server.finished_fd >= 0)
        close(server.finished_fd);
    return rc == 0 && server.failed ? EIO : rc;
}
