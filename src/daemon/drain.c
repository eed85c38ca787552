// SPDX-License-Identifier: MIT
/*
 * Draining: puts are refused, everything else goes on.
 *
 * Three ask for it: SIGUSR1 (as with beanstalkd), the methods drain and undrain, and the stop,
 * which is for good. They come on different threads, and the broker's flag, the log and what the
 * service manager is told have to agree in the end; so one lock covers the whole change.
 */
#include "daemon/daemon_priv.h"
#include "daemon/process_priv.h"

#include "base/log.h"
#include "broker/broker.h"
#include "thr/thr.h"

#include <hilera/lock.h>

#include <errno.h>

/* [drain_lock] */
static void change(struct daemon *daemon, bool draining)
{
    daemon->draining = draining;
    broker_drain(daemon->broker, draining);
    if (draining)
        log_notice("draining: puts are refused until \"hilera undrain\"");
    else
        log_notice("not draining any more: puts are taken");
    notify_send(draining ? "STATUS=draining: puts are refused" : "STATUS=puts are taken", 0);
}

int daemon_set_draining(struct daemon *daemon, bool draining)
{
    HL_LOCK_SCOPE(daemon->drain_lock);
    if (daemon->stopping)
        return draining ? 0 : ESHUTDOWN;
    if (daemon->draining != draining)
        change(daemon, draining);
    return 0;
}

void daemon_drain_for_good(struct daemon *daemon)
{
    HL_LOCK_SCOPE(daemon->drain_lock);
    daemon->stopping = true;
    broker_drain(daemon->broker, true);
}
