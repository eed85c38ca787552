// SPDX-License-Identifier: MIT
/*
 * The mix tubes: producers put into tubes chosen at random, and on each tube a consumer waits. With
 * more tubes than waiters each waiter watches several. What it costs that many tubes exist.
 */
#include "load/relay.h"

void mix_tubes(struct run *run)
{
    const struct options *o = &run->options;
    relay_run(run, "tubes", o->connections, o->waiters, o->tubes);
}
