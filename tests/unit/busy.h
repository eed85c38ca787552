// SPDX-License-Identifier: MIT
/*
 * A journal on the disk in memory (journal_disk.h) that is so busy that operations have to stand in
 * line, until the test compacts: broker_compact makes room. Every function fails the test itself.
 */
#ifndef BUSY_H
#define BUSY_H

#include "broker/broker.h"
#include "unit.h"

// A put that doesn't stand. What it answers; *id if it is put.
int busy_put(struct broker *broker, struct tube *tube, size_t len, uint64_t *id);
// All that this thread has changed is durable.
void busy_commit(struct broker *broker);

// Jobs come and go until a put would have to wait for compaction.
void busy_puts(struct broker *broker, struct tube *tube);
/*
 * Jobs of that tube until the disk is full; most are deleted then, and what is left of the space
 * goes to changes, until one has to wait. The job that it is about: the client has it, which
 * watches the tube. Afterwards disk_space(0).
 */
uint64_t busy_changes(struct broker *broker, struct tube *tube, struct broker_client *client);
// Compacts until nothing is due.
void busy_compact(struct broker *broker);

#endif
