// SPDX-License-Identifier: MIT
// A spawner for the pools of a test: what hilerad has before it has threads.
#ifndef SPAWNED_H
#define SPAWNED_H

#include "worker/worker.h"

// Forks a spawner whose table has this pool's programs, and puts it into the settings. A pool whose
// handler runs none: nothing happens. One at a time.
void spawned_begin(struct worker_pool_settings *settings);
// Its keepers have no children, and it has none but them.
void spawned_check_alone(void);
// When the pool is freed.
void spawned_end(void);

#endif
