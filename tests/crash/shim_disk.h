// SPDX-License-Identifier: MIT
/*
 * What a disk has surely, and what only perhaps: the model behind the shim (shim.c). All under the
 * shim's lock.
 */
#ifndef SHIM_DISK_H
#define SHIM_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What the names of history's files begin with. */
#define DISK_HISTORY "history.db"

struct shim_file;

/* The data directory. Empties the graveyard beside it, where unlinked files wait. */
void disk_init(const char *directory, uint64_t seed);

/* Whether fd is the data directory. */
bool disk_is_directory(int fd);
/* The file of the data directory behind fd; NULL: it isn't one. */
struct shim_file *disk_file(int fd);
/* Whether it is one of history's. */
bool disk_is_history(const struct shim_file *file);
/* fd was opened there just now. */
void disk_opened(int fd, const char *name, bool created);

/* Before the change: keeps what would be there without it. */
void disk_will_write(struct shim_file *file, uint64_t at, size_t len);
void disk_will_resize(struct shim_file *file, uint64_t size);
/* Instead of the system's; 0 or an errno value. */
int disk_rename(const char *from, const char *to);
int disk_unlink(const char *name);

/* All so far is on the disk; or, after a sync that failed, perhaps never will be. */
void disk_synced(struct shim_file *file);
void disk_sync_failed(struct shim_file *file);
void disk_directory_synced(void);

/* Makes the directory what it may be after a power loss at this moment. */
void disk_lose(void);

#endif
