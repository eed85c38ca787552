// SPDX-License-Identifier: MIT
/*
 * For tests/scenario/kept.test, to be preloaded into a daemon: from the moment that the file
 * $BAD_DISK names is there, every fdatasync fails as it does when the disk has.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

__attribute__((visibility("default"))) int fdatasync(int fd)
{
    static int (*real)(int);
    const char *sign = getenv("BAD_DISK");
    if (sign != NULL && access(sign, F_OK) == 0) {
        errno = EIO;
        return -1;
    }
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "fdatasync");
    return real(fd);
}
