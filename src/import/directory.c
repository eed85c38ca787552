// SPDX-License-Identifier: MIT
/*
 * The directory of a beanstalkd: which files it has, its lock, and bytes of files.
 *
 * The lock is a record lock (fcntl) on the file "lock", held for writing by a beanstalkd that runs.
 * It is taken for reading here, which keeps beanstalkd out and doesn't need a right to write. A
 * copy of a directory may lack the file; then there is nobody to be kept out.
 */
#include "import/import_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int refuse(const struct import *import, int rc, struct journal_error *error)
{
    return journal_error_set(error, rc, "%s: %s", import->path, strerrordesc_np(rc));
}

static int lock_take(struct import *import, struct journal_error *error)
{
    struct stat status = {.st_mode = 0};
    import->lock = openat(import->directory, "lock",
                          O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (import->lock < 0)
        return errno == ENOENT ? 0 : refuse(import, errno, error);
    if (fstat(import->lock, &status) != 0 || !S_ISREG(status.st_mode))
        return journal_error_set(error, EINVAL, "%s/lock: not a regular file", import->path);
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    if (fcntl(import->lock, F_SETLK, &lock) == 0)
        return 0;
    if (errno != EACCES && errno != EAGAIN)
        return refuse(import, errno, error);
    lock = (struct flock){.l_type = F_RDLCK, .l_whence = SEEK_SET};
    if (fcntl(import->lock, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
        return journal_error_set(error, EBUSY,
                                 "%s: beanstalkd (process %jd) runs on it; stop it first",
                                 import->path, (intmax_t)lock.l_pid);
    return journal_error_set(error, EBUSY, "%s: a beanstalkd runs on it; stop it first",
                             import->path);
}

/* The N of "binlog.N"; 0: it is none. */
static uint64_t file_number(const char *name)
{
    static const char before[] = "binlog.";
    if (strncmp(name, before, strlen(before)) != 0)
        return 0;
    const char *digits = name + strlen(before);
    if (*digits < '1' || *digits > '9' || strlen(digits) > 18 ||
        digits[strspn(digits, "0123456789")] != '\0')
        return 0;
    return strtoull(digits, NULL, 10);
}

static int file_add(struct import *import, uint64_t number)
{
    struct import_file *grown =
        reallocarray(import->file, import->file_count + 1, sizeof(*import->file));
    if (grown == NULL)
        return ENOMEM;
    import->file = grown;
    grown[import->file_count++] = (struct import_file){.number = number, .fd = -1};
    return 0;
}

static int file_compare(const void *a, const void *b)
{
    const struct import_file *left = a, *right = b;
    return left->number < right->number ? -1 : left->number > right->number;
}

static int files_list(struct import *import)
{
    int fd = dup(import->directory);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        int rc = errno;
        if (fd >= 0)
            close(fd);
        return rc;
    }
    int rc = 0;
    const struct dirent *entry;
    errno = 0;
    while (rc == 0 && (entry = readdir(dir)) != NULL) { // NOLINT(concurrency-mt-unsafe): our own
        uint64_t number = file_number(entry->d_name);
        if (number != 0)
            rc = file_add(import, number);
        errno = 0;
    }
    if (rc == 0)
        rc = errno;
    closedir(dir);
    if (import->file_count > 1)
        qsort(import->file, import->file_count, sizeof(*import->file), file_compare);
    return rc;
}

static int binlog_open(struct import *import, struct import_file *file, struct journal_error *error)
{
    char name[32];
    struct stat status = {.st_mode = 0};
    snprintf(name, sizeof(name), "binlog.%" PRIu64, file->number);
    file->fd = openat(import->directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    int rc = file->fd < 0 || fstat(file->fd, &status) != 0 ? errno : 0;
    if (rc == 0 && !S_ISREG(status.st_mode))
        rc = EINVAL;
    file->size = rc == 0 ? (size_t)status.st_size : 0;
    if (rc != 0)
        journal_error_set(error, rc, "%s/%s: %s", import->path, name,
                          rc == EINVAL ? "not a regular file" : strerrordesc_np(rc));
    return rc;
}

int import_files_open(struct import *import, struct journal_error *error)
{
    import->directory = open(import->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (import->directory < 0)
        return refuse(import, errno, error);
    int rc = lock_take(import, error);
    if (rc != 0)
        return rc;
    rc = files_list(import);
    if (rc != 0)
        return refuse(import, rc, error);
    if (import->file_count == 0)
        return journal_error_set(
            error, ENOENT, "%s: there is no binlog of beanstalkd (binlog.1 ...)", import->path);
    for (size_t i = 0; rc == 0 && i < import->file_count; i++)
        rc = binlog_open(import, &import->file[i], error);
    return rc;
}

void import_files_close(struct import *import)
{
    for (size_t i = 0; i < import->file_count; i++)
        if (import->file[i].fd >= 0)
            close(import->file[i].fd);
    free(import->file);
    if (import->lock >= 0)
        close(import->lock);
    if (import->directory >= 0)
        close(import->directory);
}

int import_file_read_at(const struct import_file *file, void *to, size_t len, size_t at)
{
    for (size_t done = 0; done < len;) {
        ssize_t some = pread(file->fd, (char *)to + done, len - done, (off_t)(at + done));
        if (some == 0)
            return EIO;
        if (some > 0)
            done += (size_t)some;
        else if (errno != EINTR)
            return errno;
    }
    return 0;
}

static int source_read(const void *arg, void *to, size_t len, size_t at)
{
    return import_file_read_at(arg, to, len, at);
}

/* Where there are no holes, or a file system knows of none, it is where it is. */
static size_t source_next(const void *arg, size_t at)
{
    const struct import_file *file = arg;
    off_t found = lseek(file->fd, (off_t)at, SEEK_DATA);
    if (found >= 0)
        return (size_t)found;
    return errno == ENXIO ? file->size : at;
}

struct binlog_source import_file_source(const struct import_file *file)
{
    return (struct binlog_source){
        .size = file->size, .read = source_read, .next = source_next, .arg = file};
}
