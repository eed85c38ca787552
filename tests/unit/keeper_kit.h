// SPDX-License-Identifier: MIT
// A spawner of one row with one keeper, and the output of its programs: what tests of src/spawn
// have in common.
#ifndef KEEPER_KIT_H
#define KEEPER_KIT_H

#include "spawn/spawn_priv.h"

struct keeper_kit {
    struct spawner *spawner;
    struct spawn_keeper *keeper;
    int pipes[2]; // of the programs' output; a test may close the second one, and says so by -1
};
extern struct keeper_kit keeper_kit;

// Fixtures of a test. Orphans come to the test, whose end waits until nobody is left.
void keeper_kit_up(void);
void keeper_kit_down(void);
// The spawner, which knows that row, and its keeper.
void keeper_kit_begin(const struct spawn_program *row);
// What spawn_keeper_start says; without input.
int keeper_kit_start(const struct spawn_job *job);
// Waits for the keeper's next message; EPIPE: none comes any more.
int keeper_kit_hear_or_end(struct spawn_news *news);
// There must be one.
struct spawn_news keeper_kit_hear(void);

#endif
