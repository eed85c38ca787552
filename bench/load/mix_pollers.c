// SPDX-License-Identifier: MIT
/*
 * The mix pollers: connections put, and many others, idle but for that, ask something small once a
 * second each, as workers do that look for jobs without waiting for them. Told are what that costs
 * those who put, in rate and in the server's processor time, and how long the pollers wait.
 */
#include "load/asker.h"

void mix_pollers(struct run *run)
{
    const struct askers_load load = {.count = run->options.waiters,
                                     .every_ns = INT64_C(1000000000),
                                     .ask = "reserve",
                                     .asked = "pollers_asked",
                                     .p50_us = "pollers_p50_us",
                                     .p99_us = "pollers_p99_us",
                                     .max_us = "pollers_max_us"};
    askers_run(run, &load);
}
