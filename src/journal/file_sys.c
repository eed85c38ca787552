// SPDX-License-Identifier: MIT
/*
 * The system's calls behind struct journal_sys. Each does one thing completely or says why not:
 * short writes and interruptions end here. Nothing is retried that the disk refused. What has the
 * name of a file and is none (a named pipe, a link) is refused at once, with EINVAL or ELOOP.
 */
#include "journal/file_sys.h"

#include "journal/frames.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A limit on the size of files and a quota are full disks to the journal. */
static int refusal(int error)
{
    return error == EFBIG || error == EDQUOT ? ENOSPC : error;
}

static int real_open_directory(const char *path, bool make, int *directory)
{
    if (make && mkdir(path, 0700) != 0 && errno != EEXIST)
        return errno;
    *directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *directory >= 0 ? 0 : errno;
}

static int real_open(int directory, const char *name, int flags, mode_t mode, int *fd)
{
    struct stat about;
    *fd = openat(directory, name, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, mode);
    if (*fd < 0)
        return errno;
    int rc = fstat(*fd, &about) != 0 ? errno : S_ISREG(about.st_mode) ? 0 : EINVAL;
    if (rc != 0)
        close(*fd);
    return rc;
}

static int real_close(int fd)
{
    return close(fd) == 0 ? 0 : errno;
}

static int real_read(int fd, void *to, size_t len, uint64_t at, size_t *got)
{
    *got = 0;
    while (*got < len) {
        ssize_t some = pread(fd, (char *)to + *got, len - *got, (off_t)(at + *got));
        if (some == 0)
            break;
        if (some > 0)
            *got += (size_t)some;
        else if (errno != EINTR)
            return errno;
    }
    return 0;
}

static int real_write(int fd, const void *bytes, size_t len, uint64_t at)
{
    size_t done = 0;
    while (done < len) {
        ssize_t some = pwrite(fd, (const char *)bytes + done, len - done, (off_t)(at + done));
        if (some > 0)
            done += (size_t)some;
        else if (some == 0)
            return EIO;
        else if (errno != EINTR)
            return refusal(errno);
    }
    return 0;
}

static int real_allocate(int fd, uint64_t size)
{
    int rc;
    do
        rc = posix_fallocate(fd, 0, (off_t)size);
    while (rc == EINTR);
    return refusal(rc);
}

static int real_truncate(int fd, uint64_t size)
{
    return ftruncate(fd, (off_t)size) == 0 ? 0 : refusal(errno);
}

static int real_size(int fd, uint64_t *size)
{
    struct stat about;
    if (fstat(fd, &about) != 0)
        return errno;
    *size = (uint64_t)about.st_size;
    return 0;
}

static int real_sync_data(int fd)
{
    return fdatasync(fd) == 0 ? 0 : errno;
}

static int real_sync(int fd)
{
    return fsync(fd) == 0 ? 0 : errno;
}

static int real_rename(int directory, const char *from, const char *to)
{
    return renameat(directory, from, directory, to) == 0 ? 0 : errno;
}

static int real_unlink(int directory, const char *name)
{
    return unlinkat(directory, name, 0) == 0 ? 0 : errno;
}

static int real_list(int directory, int (*each)(const char *name, void *arg), void *arg)
{
    /* A descriptor of its own: closedir closes it, and a listing has a place. */
    int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    DIR *stream = fdopendir(fd);
    if (stream == NULL) {
        int rc = errno;
        close(fd);
        return rc;
    }
    int rc = 0;
    const struct dirent *entry;
    errno = 0;
    while (rc == 0 && (entry = readdir(stream)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            rc = each(entry->d_name, arg);
        errno = 0;
    }
    if (rc == 0)
        rc = errno;
    closedir(stream);
    return rc;
}

static int real_lock(int fd, bool shared)
{
    /* Of the open file, not of the process: a second open in the same process is a second one. */
    struct flock lock = {.l_type = shared ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
        return 0;
    return errno == EAGAIN || errno == EACCES ? EBUSY : errno;
}

const struct journal_sys journal_sys_real = {
    .open_directory = real_open_directory,
    .open = real_open,
    .close = real_close,
    .read = real_read,
    .write = real_write,
    .allocate = real_allocate,
    .truncate = real_truncate,
    .size = real_size,
    .sync_data = real_sync_data,
    .sync = real_sync,
    .rename = real_rename,
    .unlink = real_unlink,
    .list = real_list,
    .lock = real_lock,
};

int directory_open(const struct journal_settings *settings, const struct journal_sys *sys, int *fd)
{
    if (settings->held == 0)
        return sys->open_directory(settings->directory, !settings->read_only, fd);
    *fd = fcntl(settings->held, F_DUPFD_CLOEXEC, 0);
    return *fd >= 0 ? 0 : errno;
}
