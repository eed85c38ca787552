// SPDX-License-Identifier: MIT
/*
 * What counts as a full disk: a limit on the size of files, or a quota, is one, as for the journal.
 * SQLite takes ENOSPC alone for that and calls all else an I/O error, so its writes go through
 * here.
 */
#include "history/database_priv.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

static ssize_t told(ssize_t written)
{
    if (written < 0 && (errno == EFBIG || errno == EDQUOT))
        errno = ENOSPC;
    return written;
}

static ssize_t full_write(int fd, const void *bytes, size_t len)
{
    return told(write(fd, bytes, len));
}

static ssize_t full_pwrite(int fd, const void *bytes, size_t len, off_t at)
{
    return told(pwrite(fd, bytes, len, at));
}

_Static_assert(sizeof(off_t) == sizeof(int64_t), "pwrite is pwrite64");

/* By SQLite's names; it uses those that it was built with. */
static const struct {
    const char *name;
    sqlite3_syscall_ptr call;
} calls[] = {{"write", (sqlite3_syscall_ptr)full_write},
             {"pwrite", (sqlite3_syscall_ptr)full_pwrite},
             {"pwrite64", (sqlite3_syscall_ptr)full_pwrite}};

static void calls_set(void)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    if (vfs == NULL || vfs->iVersion < 3 || vfs->xSetSystemCall == NULL)
        return;
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        if (vfs->xGetSystemCall(vfs, calls[i].name) != NULL)
            (void)vfs->xSetSystemCall(vfs, calls[i].name, calls[i].call);
}

void full_begin(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    MUST(pthread_once(&once, calls_set));
}
