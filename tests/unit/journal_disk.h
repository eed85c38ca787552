// SPDX-License-Identifier: MIT
/*
 * A disk in memory, in place of the system's calls (struct journal_sys). It knows what was synced,
 * so power can fail; any of its calls can be made to fail; space can run out; and tests may look at
 * and spoil what is on it.
 *
 * After a sync that failed, some of what it should have written is taken for clean, as kernels do:
 * it is read as it was written, but no later sync brings it to the disk, unless it is written
 * again.
 *
 * A power loss keeps what was synced. Of what was written since, each sector of 512 bytes is kept
 * or not by chance, and so is each change of a name, unless the directory was synced. Thread-safe.
 */
#ifndef JOURNAL_DISK_H
#define JOURNAL_DISK_H

#include "journal/file_sys.h"
#include "unit_random.h"

extern const struct journal_sys disk_sys;

/* An empty disk with one directory; every path leads there. */
void disk_start(void);
void disk_stop(void);

struct journal;
/* A journal there, of segments as small as they may be, acquired; the caller's to close. */
struct journal *disk_journal(void);
/* Log messages go nowhere, for faults are what these tests are about. */
void disk_log_drop(void);

/* Calls that change something or can fail for outside reasons (reads and closes are not among
 * them), since disk_start or the last disk_fail. */
uint64_t disk_calls(void);
/* The n-th of them from now on (1: the next) fails with that error; `from_then_on`: and all after
 * it. n 0: none. */
void disk_fail(uint64_t n, int error, bool from_then_on);
/* Reads of that file fail in that range; name NULL: none does. */
void disk_bad_sector(const char *name, uint64_t at, uint64_t len);
/* Bytes that files may have together; 0: no limit. */
void disk_space(uint64_t bytes);

/* While dead, every such call fails and does nothing: what the program still does doesn't count. */
void disk_dead(bool dead);

/* All descriptors are gone, locks too; everything else stays: the process was killed. */
void disk_kill(void);
/* disk_kill, and what wasn't synced may be lost. */
void disk_power_loss(struct unit_random *random);

/* The bytes of a file, to be looked at or changed, until it is written to. NULL: there is none. */
unsigned char *disk_file(const char *name, size_t *size);
void disk_cut(const char *name, size_t size);
/* As ftruncate and rename would. */
void disk_remove(const char *name);
void disk_make(const char *name, size_t size);
/* Bytes of all files. */
uint64_t disk_used(void);
size_t disk_files(void);

/* Keeps the whole disk, and brings it back as often as wanted. */
void disk_save(void);
void disk_restore(void);

#endif
