// SPDX-License-Identifier: MIT
/*
 * The mix restart: jobs are put into a server that keeps them on disk, it is ended and started
 * again, and must then have all of them, with their bodies, ids and order. Told are the time from
 * the start of its process to its first answer, and how many bytes it wrote for each put.
 *
 * What it wrote is read before it is started again, so its files are in the page cache: what is
 * measured is the server and not the disk. At the end the server is ended once more.
 */
#include "base/clock.h"
#include "load/daemon.h"
#include "load/fault.h"
#include "load/stage.h"
#include "load/stored.h"
#include "load/work.h"

#include <inttypes.h>
#include <time.h>
#include <unistd.h>

/* Between two tries to connect. Much shorter than what is measured, and no load for the machine. */
#define TRY_NS 200000

static int64_t patience_ns(const struct run *run)
{
    return (int64_t)(run->options.patience * 1e9);
}

static void stored_tell(struct run *run)
{
    struct stored stored;
    double jobs = (double)run->options.jobs;
    if (run->options.data == NULL)
        return;
    stored_measure(run->options.data, &stored);
    run_value(run, "log_bytes", (double)stored.used_bytes / jobs);
    run_value(run, "file_bytes", (double)stored.file_bytes / jobs);
}

/* Connects when the server listens. The first answer is that to the statistics. */
static void answer_await(struct run *run, int64_t start_ns)
{
    const struct timespec pause = {0, TRY_NS};
    int fd;
    while ((fd = address_try(&run->address, false)) < 0) {
        daemon_must_run();
        if (clock_now_ns() - start_ns > patience_ns(run))
            wrong("the server, started again, did not listen in %" PRId64 " s",
                  patience_ns(run) / 1000000000);
        (void)nanosleep(&pause, NULL);
    }
    close(fd);
    run_connect(run);
    run_value(run, "restart_ms", (double)(clock_now_ns() - start_ns) / 1e6);
}

static void again(struct run *run)
{
    pid_t old = run->server.pid;
    control_free(&run->control);
    daemon_end(old, patience_ns(run));
    stored_tell(run);
    int64_t start_ns = clock_now_ns();
    pid_t pid = daemon_start(run->options.restart);
    run->options.pid = -1;
    answer_await(run, start_ns);
    if (run->server.pid != pid)
        wrong("the process %d answers, but what was started is %d", (int)run->server.pid, (int)pid);
}

void mix_restart(struct run *run)
{
    const struct options *o = &run->options;
    if (o->restart == NULL)
        unusable("the mix restart needs --restart COMMAND, which starts the server again");
    if (run->server.pid == 0)
        failed("the server's process is not known, so it can't be ended");
    struct crew *crew = run_crew(run, o->connections, 1);
    stage_open(run, "fill", o->jobs, false);
    work_fill(run, crew, o->jobs, o->depth, 0);
    stage_close(run, crew);
    run_compare(run, 1);
    crew_free(&crew);
    again(run);
    int64_t full = process_resident(&run->server);
    run_compare_left(run, 1);
    crew = run_crew(run, o->connections, 1);
    stage_open(run, "drain", 2 * o->jobs, false);
    work_drain(run, crew, o->depth);
    stage_close(run, crew);
    run_compare_left(run, 1);
    crew_free(&crew);
    daemon_stop(patience_ns(run));
    run->resident = full;
}
