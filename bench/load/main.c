// SPDX-License-Identifier: MIT
/*
 * hilera-bench: loads a server that speaks beanstalkd's protocol, checks every answer while it
 * does, and tells how fast it was and what it cost.
 *
 * A run is one mix, one thread, one process. Order: the command line, the connection for questions,
 * the mix, its report; whatever goes wrong in between ends the process with one line (fault.h), so
 * a report is only ever printed of a run in which every answer was right.
 */
#include "load/fault.h"
#include "load/options.h"
#include "load/report.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

/* As many descriptors as this user may have: each connection is one. */
static void descriptors_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        failed("the limit of descriptors is not known: %s", strerrordesc_np(errno));
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        failed("the limit of descriptors can't be raised: %s", strerrordesc_np(errno));
}

int main(int argc, char **argv)
{
    struct options options = {0};
    static struct run run;
    options_read(&options, argc, argv);
    signal(SIGPIPE, SIG_IGN);
    descriptors_raise();
    run_init(&run, &options);
    options.mix->run(&run);
    ledger_all_deleted(run.ledger);
    report_print(&run);
    run_fini(&run);
    return 0;
}
