// SPDX-License-Identifier: MIT
/*
 * The system, replaceable: every call of the backend `file` that touches the disk. They return 0 or
 * an errno value. Directories are descriptors. Tests put a disk in memory here, which fails the
 * n-th call or loses what was not synced.
 *
 * Arrows: the files of that backend, and check, include this; it includes nothing of the folder.
 */
#ifndef JOURNAL_FILE_SYS_H
#define JOURNAL_FILE_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct journal_sys {
    /* make: also makes it (0700) if only its last part is missing. */
    int (*open_directory)(const char *path, bool make, int *directory);
    int (*open)(int directory, const char *name, int flags, mode_t mode, int *fd);
    int (*close)(int fd);
    /* *got is less than len only at the end of the file. */
    int (*read)(int fd, void *to, size_t len, uint64_t at, size_t *got);
    /* All of it, or an error. */
    int (*write)(int fd, const void *bytes, size_t len, uint64_t at);
    /* Makes the file so long, with space for each byte. ENOSPC. */
    int (*allocate)(int fd, uint64_t size);
    int (*truncate)(int fd, uint64_t size);
    int (*size)(int fd, uint64_t *size);
    int (*sync_data)(int fd);
    int (*sync)(int fd); /* of a file or a directory */
    int (*rename)(int directory, const char *from, const char *to);
    int (*unlink)(int directory, const char *name);
    /* Every name but . and .. */
    int (*list)(int directory, int (*each)(const char *name, void *arg), void *arg);
    /* A lock of the open file; shared or not. EBUSY: somebody has it. */
    int (*lock)(int fd, bool shared);
};

extern const struct journal_sys journal_sys_real;

struct journal_settings;

/* The directory of the settings, by the descriptor that they have or by its name. */
int directory_open(const struct journal_settings *settings, const struct journal_sys *sys, int *fd);

#endif
