// SPDX-License-Identifier: MIT
/*
 * Whether the daemon before was told to end, was ended, or went down with the machine: a file in
 * the data directory that is there as long as a daemon runs its pools, and has the kernel's number
 * of this boot of the machine.
 *
 * There, and of this boot: somebody, or something, ended that daemon, perhaps a job that it ran.
 * There, and of another boot: the machine went down. Not there: it stopped by itself, though
 * perhaps with a journal that failed. What can't be read or written counts as "it stopped": nobody
 * is blamed in error.
 */
#include "daemon/datadir_priv.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LIFE_FILE "journal.boot"
#define BOOT_ID_FILE "/proc/sys/kernel/random/boot_id"
#define BOOT_ID_MAX 64

/* Up to the end of the line; "" if there is none. */
static void line_read(int directory, const char *path, char line[BOOT_ID_MAX])
{
    int fd = openat(directory, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    ssize_t len = fd >= 0 ? read(fd, line, BOOT_ID_MAX - 1) : 0;
    if (fd >= 0)
        close(fd);
    line[len > 0 ? len : 0] = '\0';
    line[strcspn(line, "\n")] = '\0';
}

bool life_was_cut(int directory)
{
    char then[BOOT_ID_MAX], now[BOOT_ID_MAX];
    line_read(directory, LIFE_FILE, then);
    line_read(AT_FDCWD, BOOT_ID_FILE, now);
    return now[0] != '\0' && strcmp(then, now) == 0;
}

static int life_write(int directory, const char *boot)
{
    char text[BOOT_ID_MAX + 1];
    ssize_t len = snprintf(text, sizeof(text), "%s\n", boot);
    int fd = openat(directory, LIFE_FILE, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return errno;
    int rc = ftruncate(fd, 0) != 0 ? errno : 0; /* that of another boot */
    ssize_t put = rc == 0 ? pwrite(fd, text, (size_t)len, 0) : len;
    if (put != len)
        rc = put < 0 ? errno : EIO;
    if (rc == 0 && (fsync(fd) != 0 || fsync(directory) != 0))
        rc = errno;
    close(fd);
    return rc;
}

int life_begin(int directory)
{
    char boot[BOOT_ID_MAX];
    line_read(AT_FDCWD, BOOT_ID_FILE, boot);
    if (boot[0] == '\0' || life_was_cut(directory)) /* not known, or there already */
        return 0;
    return life_write(directory, boot);
}

void life_end(int directory)
{
    if (unlinkat(directory, LIFE_FILE, 0) != 0 && errno != ENOENT)
        log_warning(
            "data directory: %s can't be removed: %s; jobs that run now are charged with the "
            "end of this daemon",
            LIFE_FILE, strerrordesc_np(errno));
}
