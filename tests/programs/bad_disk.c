// SPDX-License-Identifier: MIT
/*
 * For tests/scenario/kept.test and full.test, to be preloaded into a daemon. From the moment that
 * the file $BAD_DISK names is there, every fdatasync fails as it does when the disk has. While the
 * file $FULL_DISK names is there, no file gets more space than it has: posix_fallocate, with which
 * the journal makes its segments, and the write behind the end of a file find the disk full.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static bool sign_is_there(const char *variable)
{
    const char *sign = getenv(variable);
    return sign != NULL && access(sign, F_OK) == 0;
}

EXPORT int fdatasync(int fd)
{
    static int (*real)(int);
    if (sign_is_there("BAD_DISK")) {
        errno = EIO;
        return -1;
    }
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "fdatasync");
    return real(fd);
}

EXPORT int posix_fallocate(int fd, off_t at, off_t len)
{
    static int (*real)(int, off_t, off_t);
    if (sign_is_there("FULL_DISK"))
        return ENOSPC;
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "posix_fallocate");
    return real(fd, at, len);
}

EXPORT ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
    static ssize_t (*real)(int, const void *, size_t, off_t);
    struct stat about;
    if (sign_is_there("FULL_DISK") && fstat(fd, &about) == 0 && S_ISREG(about.st_mode) &&
        at + (off_t)len > about.st_size) {
        errno = ENOSPC;
        return -1;
    }
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "pwrite");
    return real(fd, bytes, len, at);
}
