// SPDX-License-Identifier: MIT
/* The C library's own calls, for those parts of the shim that must not come back into it. */
#ifndef SHIM_REAL_H
#define SHIM_REAL_H

#include <stddef.h>
#include <sys/types.h>

struct shim_control;

struct shim_real {
    int (*open)(const char *path, int flags, ...);
    int (*openat)(int directory, const char *path, int flags, ...);
    ssize_t (*write)(int fd, const void *bytes, size_t len);
    ssize_t (*pwrite)(int fd, const void *bytes, size_t len, off_t at);
    int (*posix_fallocate)(int fd, off_t at, off_t len);
    int (*ftruncate)(int fd, off_t len);
    int (*fdatasync)(int fd);
    int (*fsync)(int fd);
    int (*renameat)(int from_directory, const char *from, int to_directory, const char *to);
    int (*unlinkat)(int directory, const char *name, int flags);
};
extern struct shim_real shim_real;

/* Memory for the shim itself, which is never refused; free() frees it (shim_alloc.c). */
void *shim_calloc(size_t count, size_t size);
void *shim_realloc(void *old, size_t size);
/* From the first call on the daemon's allocations are counted. */
void shim_alloc_start(struct shim_control *mapped);

#endif
