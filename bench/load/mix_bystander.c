// SPDX-License-Identifier: MIT
/*
 * The mix bystander: connections put, and one beside them asks each 10 ms for something that needs
 * no disk. How long it waits is what a server makes those wait who only look, while others wait for
 * its disk.
 */
#include "load/asker.h"

void mix_bystander(struct run *run)
{
    const struct askers_load load = {.count = 1,
                                     .every_ns = INT64_C(10000000),
                                     .ask = "list-tube-used",
                                     .asked = "bystander_asked",
                                     .p50_us = "bystander_p50_us",
                                     .p99_us = "bystander_p99_us",
                                     .max_us = "bystander_max_us"};
    askers_run(run, &load);
}
