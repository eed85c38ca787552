// SPDX-License-Identifier: MIT
/*
 * Counting what was written. Servers make their files longer than what is in them, by ranges of
 * zeros that are written to later, so sizes and blocks tell how they prepare and not how much they
 * log. All logs that are compared end their entries with something that is not 0 at once or within
 * a few bytes, and write each file from its beginning: so what was written to it ends at the last
 * byte that is not 0. That is true of a fresh directory from which nothing was removed yet: files
 * that are used again keep their old bytes.
 */
#include "load/stored.h"

#include "load/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <string.h>
#include <unistd.h>

#define BLOCK 65536

/* How far the file is in use. */
static uint64_t file_used(const char *path)
{
    static char block[BLOCK];
    uint64_t at = 0, used = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        failed("%s can't be read: %s", path, strerrordesc_np(errno));
    for (;;) {
        ssize_t n = read(fd, block, sizeof(block));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            failed("%s can't be read: %s", path, strerrordesc_np(errno));
        if (n == 0)
            break;
        for (size_t i = (size_t)n; i > 0; i--)
            if (block[i - 1] != 0) {
                used = at + i;
                break;
            }
        at += (uint64_t)n;
    }
    close(fd);
    return used;
}

void stored_measure(const char *dir, struct stored *stored)
{
    char *const roots[] = {(char *)dir, NULL};
    *stored = (struct stored){0, 0};
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    if (walk == NULL)
        failed("%s can't be read: %s", dir, strerrordesc_np(errno));
    for (FTSENT *entry; (entry = fts_read(walk)) != NULL;) {
        if (entry->fts_info == FTS_ERR || entry->fts_info == FTS_DNR || entry->fts_info == FTS_NS)
            failed("%s can't be read: %s", entry->fts_path, strerrordesc_np(entry->fts_errno));
        if (entry->fts_info != FTS_F)
            continue;
        stored->file_bytes += (uint64_t)entry->fts_statp->st_size;
        stored->used_bytes += file_used(entry->fts_path);
    }
    (void)fts_close(walk);
}
