// SPDX-License-Identifier: MIT
// The disk in memory. A file is two images: what a reader sees, and what would be there after a
// power loss. A sync copies one to the other; a directory's names are treated the same way.

#include "journal_disk.h"

#include "base/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR 512
#define FILES_MAX 512
#define FDS_MAX 1024
#define DIRECTORY_FD 100000

struct image {
    unsigned char *bytes;
    size_t size;
};

struct file {
    struct image now, synced;
    struct image stale; // a byte a sector: 1 if only `now` will ever have it
    int refs;           // fds and names
};

struct names {
    char name[FILES_MAX][40];
    struct file *file[FILES_MAX]; // NULL: unused
};

struct fd {
    struct file *file;
    int locked; // 0: no, 1: shared, 2: alone
};

static struct {
    pthread_mutex_t mutex;
    struct names now, synced, saved;
    struct fd fd[FDS_MAX];
    uint64_t calls, fail_at, space;
    int fail_error;
    bool fail_on, running, dead;
    char bad_name[40];
    uint64_t bad_at, bad_len;
} disk = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static size_t disk_odd(void)
{
    return disk.calls % 2;
}

// ---- images, files, names ----

static void image_copy(struct image *to, const struct image *from)
{
    free(to->bytes);
    to->bytes = malloc(from->size + 1);
    ASSERT(to->bytes != NULL);
    if (from->size > 0)
        memcpy(to->bytes, from->bytes, from->size);
    to->size = from->size;
}

static void image_resize(struct image *image, size_t size)
{
    if (image->bytes != NULL && size == image->size)
        return; // as a rule, in each sync; a sanitizer's realloc would copy the megabytes
    image->bytes = realloc(image->bytes, size + 1);
    ASSERT(image->bytes != NULL);
    if (size > image->size)
        memset(image->bytes + image->size, 0, size - image->size);
    image->size = size;
}

static void file_drop(struct file *file)
{
    if (file == NULL || --file->refs > 0)
        return;
    free(file->now.bytes);
    free(file->synced.bytes);
    free(file->stale.bytes);
    free(file);
}

static int names_find(const struct names *names, const char *name)
{
    for (int i = 0; i < FILES_MAX; i++)
        if (names->file[i] != NULL && strcmp(names->name[i], name) == 0)
            return i;
    return -1;
}

static void names_set(struct names *names, const char *name, struct file *file)
{
    int at = names_find(names, name);
    for (int i = 0; at < 0 && i < FILES_MAX; i++)
        if (names->file[i] == NULL)
            at = i;
    ASSERT(at >= 0 && strlen(name) < sizeof(names->name[at]));
    if (file != NULL)
        file->refs++;
    file_drop(names->file[at]);
    names->file[at] = file;
    strcpy(names->name[at], name);
}

static void names_clear(struct names *names)
{
    for (int i = 0; i < FILES_MAX; i++) {
        file_drop(names->file[i]);
        names->file[i] = NULL;
    }
}

static void names_copy(struct names *to, const struct names *from)
{
    names_clear(to);
    for (int i = 0; i < FILES_MAX; i++)
        if (from->file[i] != NULL)
            names_set(to, from->name[i], from->file[i]);
}

// Copies of the files, too.
static void names_clone(struct names *to, const struct names *from)
{
    names_clear(to);
    for (int i = 0; i < FILES_MAX; i++) {
        if (from->file[i] == NULL)
            continue;
        struct file *file = calloc(1, sizeof(*file));
        ASSERT(file != NULL);
        image_copy(&file->now, &from->file[i]->now);
        image_copy(&file->synced, &from->file[i]->now);
        names_set(to, from->name[i], file);
    }
}

static bool file_stale(const struct file *file, size_t at)
{
    return at / SECTOR < file->stale.size && file->stale.bytes[at / SECTOR] != 0;
}

static void file_stale_clear(struct file *file, size_t at, size_t len)
{
    for (size_t sector = at / SECTOR; sector * SECTOR < at + len && sector < file->stale.size;
         sector++)
        file->stale.bytes[sector] = 0;
}

static bool sector_dirty(const struct file *file, size_t at, size_t len)
{
    return at + len > file->synced.size ||
           memcmp(file->now.bytes + at, file->synced.bytes + at, len) != 0;
}

// Every other sector that the sync should have written is taken for clean.
static void file_sync_failed(struct file *file)
{
    image_resize(&file->stale, file->now.size / SECTOR + 1);
    for (size_t at = 0; at < file->now.size; at += SECTOR) {
        size_t len = file->now.size - at < SECTOR ? file->now.size - at : SECTOR;
        if (at / SECTOR % 2 == disk_odd() && sector_dirty(file, at, len))
            file->stale.bytes[at / SECTOR] = 1;
    }
}

static void file_sync(struct file *file)
{
    image_resize(&file->synced, file->now.size);
    if (file->stale.size == 0 && file->now.size > 0) {
        memcpy(file->synced.bytes, file->now.bytes, file->now.size);
        return;
    }
    for (size_t at = 0; at < file->now.size; at += SECTOR) {
        size_t len = file->now.size - at < SECTOR ? file->now.size - at : SECTOR;
        if (!file_stale(file, at))
            memcpy(file->synced.bytes + at, file->now.bytes + at, len);
    }
}

static uint64_t used(void)
{
    uint64_t bytes = 0;
    for (int i = 0; i < FILES_MAX; i++)
        if (disk.now.file[i] != NULL)
            bytes += disk.now.file[i]->now.size;
    return bytes;
}

// ---- the calls ----

#define ENTER() pthread_mutex_lock(&disk.mutex)
#define LEAVE(rc)                                                                                  \
    do {                                                                                           \
        int rc_ = (rc);                                                                            \
        pthread_mutex_unlock(&disk.mutex);                                                         \
        return rc_;                                                                                \
    } while (0)

// Counts a call; the error it must fail with.
static int called(void)
{
    if (disk.dead)
        return EIO;
    disk.calls++;
    bool fails = disk.fail_at != 0 &&
                 (disk.calls == disk.fail_at || (disk.fail_on && disk.calls > disk.fail_at));
    return fails ? disk.fail_error : 0;
}

static struct file *fd_file(int fd)
{
    ASSERT(fd >= 0 && fd < FDS_MAX && disk.fd[fd].file != NULL);
    return disk.fd[fd].file;
}

static int disk_open_directory(const char *path, bool make, int *directory)
{
    (void)path;
    (void)make;
    ENTER();
    int rc = called();
    *directory = rc == 0 ? DIRECTORY_FD : -1;
    LEAVE(rc);
}

static int disk_open(int directory, const char *name, int flags, mode_t mode, int *out)
{
    (void)mode;
    ASSERT(directory == DIRECTORY_FD);
    *out = -1;
    ENTER();
    int rc = called();
    if (rc != 0)
        LEAVE(rc);
    int at = names_find(&disk.now, name);
    if (at < 0 && (flags & O_CREAT) == 0)
        LEAVE(ENOENT);
    struct file *file = at >= 0 ? disk.now.file[at] : calloc(1, sizeof(*file));
    ASSERT(file != NULL);
    if (at < 0)
        names_set(&disk.now, name, file);
    if (flags & O_TRUNC)
        image_resize(&file->now, 0);
    int fd = 0;
    while (disk.fd[fd].file != NULL)
        fd++;
    ASSERT(fd < FDS_MAX);
    disk.fd[fd] = (struct fd){file, 0};
    file->refs++;
    *out = fd;
    LEAVE(0);
}

static int disk_close(int fd)
{
    if (fd == DIRECTORY_FD)
        return 0;
    ENTER();
    struct file *file = fd_file(fd);
    disk.fd[fd] = (struct fd){NULL, 0};
    file_drop(file);
    LEAVE(0);
}

static int disk_read(int fd, void *to, size_t len, uint64_t at, size_t *got)
{
    ENTER();
    struct file *file = fd_file(fd);
    int bad = names_find(&disk.now, disk.bad_name);
    if (bad >= 0 && disk.now.file[bad] == file && at < disk.bad_at + disk.bad_len &&
        at + len > disk.bad_at)
        LEAVE(EIO);
    *got = at >= file->now.size ? 0 : file->now.size - at < len ? file->now.size - at : len;
    if (*got > 0)
        memcpy(to, file->now.bytes + at, *got);
    LEAVE(0);
}

static int disk_write(int fd, const void *bytes, size_t len, uint64_t at)
{
    ENTER();
    struct file *file = fd_file(fd);
    int rc = called();
    size_t end = (size_t)at + len;
    if (disk.dead)
        LEAVE(rc);
    if (rc == 0 && end > file->now.size && disk.space != 0 &&
        used() + end - file->now.size > disk.space)
        rc = ENOSPC;
    if (rc != 0 && len > 1) // a write that fails may have done half of its work
        len /= 2;
    if (at + len > file->now.size && rc != ENOSPC)
        image_resize(&file->now, (size_t)at + len);
    if (rc != ENOSPC) {
        memcpy(file->now.bytes + at, bytes, len);
        file_stale_clear(file, (size_t)at, len);
    }
    LEAVE(rc);
}

static int disk_allocate(int fd, uint64_t size)
{
    ENTER();
    struct file *file = fd_file(fd);
    int rc = called();
    if (rc == 0 && size > file->now.size) {
        if (disk.space != 0 && used() + size - file->now.size > disk.space)
            rc = ENOSPC;
        else
            image_resize(&file->now, (size_t)size);
    }
    LEAVE(rc);
}

static int disk_truncate(int fd, uint64_t size)
{
    ENTER();
    struct file *file = fd_file(fd);
    int rc = called();
    if (rc == 0)
        image_resize(&file->now, (size_t)size);
    LEAVE(rc);
}

static int disk_size(int fd, uint64_t *size)
{
    ENTER();
    *size = fd_file(fd)->now.size;
    LEAVE(0);
}

static int disk_sync(int fd)
{
    ENTER();
    int rc = called();
    if (rc != 0 && fd != DIRECTORY_FD && !disk.dead)
        file_sync_failed(fd_file(fd));
    if (rc != 0)
        LEAVE(rc);
    if (fd == DIRECTORY_FD)
        names_copy(&disk.synced, &disk.now);
    else
        file_sync(fd_file(fd));
    LEAVE(0);
}

static int disk_rename(int directory, const char *from, const char *to)
{
    ASSERT(directory == DIRECTORY_FD);
    ENTER();
    int rc = called();
    int at = names_find(&disk.now, from);
    if (rc == 0 && at < 0)
        rc = ENOENT;
    if (rc == 0) {
        names_set(&disk.now, to, disk.now.file[at]);
        file_drop(disk.now.file[at]);
        disk.now.file[at] = NULL;
    }
    LEAVE(rc);
}

static int disk_unlink(int directory, const char *name)
{
    ASSERT(directory == DIRECTORY_FD);
    ENTER();
    int rc = called();
    int at = names_find(&disk.now, name);
    if (rc == 0 && at < 0)
        rc = ENOENT;
    if (rc == 0) {
        file_drop(disk.now.file[at]);
        disk.now.file[at] = NULL;
    }
    LEAVE(rc);
}

static int disk_list(int directory, int (*each)(const char *name, void *arg), void *arg)
{
    ASSERT(directory == DIRECTORY_FD);
    ENTER();
    int rc = called();
    for (int i = 0; rc == 0 && i < FILES_MAX; i++)
        if (disk.now.file[i] != NULL)
            rc = each(disk.now.name[i], arg);
    LEAVE(rc);
}

static int disk_lock(int fd, bool shared)
{
    ENTER();
    struct file *file = fd_file(fd);
    int rc = called();
    for (int i = 0; rc == 0 && i < FDS_MAX; i++)
        if (i != fd && disk.fd[i].file == file && disk.fd[i].locked > (shared ? 1 : 0))
            rc = EBUSY;
    if (rc == 0)
        disk.fd[fd].locked = shared ? 1 : 2;
    LEAVE(rc);
}

const struct journal_sys disk_sys = {
    .open_directory = disk_open_directory,
    .open = disk_open,
    .close = disk_close,
    .read = disk_read,
    .write = disk_write,
    .allocate = disk_allocate,
    .truncate = disk_truncate,
    .size = disk_size,
    .sync_data = disk_sync,
    .sync = disk_sync,
    .rename = disk_rename,
    .unlink = disk_unlink,
    .list = disk_list,
    .lock = disk_lock,
};

// ---- what tests do to it ----

void disk_kill(void)
{
    pthread_mutex_lock(&disk.mutex);
    for (int i = 0; i < FDS_MAX; i++) {
        file_drop(disk.fd[i].file);
        disk.fd[i] = (struct fd){NULL, 0};
    }
    pthread_mutex_unlock(&disk.mutex);
}

void disk_dead(bool dead)
{
    pthread_mutex_lock(&disk.mutex);
    disk.dead = dead;
    pthread_mutex_unlock(&disk.mutex);
}

void disk_stop(void)
{
    disk_kill();
    names_clear(&disk.now);
    names_clear(&disk.synced);
    names_clear(&disk.saved);
    disk.running = false;
}

void disk_start(void)
{
    if (disk.running)
        disk_stop();
    disk.running = true;
    disk.calls = disk.fail_at = disk.space = 0;
    disk.bad_name[0] = '\0';
    disk.dead = false;
}

uint64_t disk_calls(void)
{
    pthread_mutex_lock(&disk.mutex);
    uint64_t calls = disk.calls;
    pthread_mutex_unlock(&disk.mutex);
    return calls;
}

void disk_fail(uint64_t n, int error, bool from_then_on)
{
    pthread_mutex_lock(&disk.mutex);
    disk.calls = 0;
    disk.fail_at = n;
    disk.fail_error = error;
    disk.fail_on = from_then_on;
    pthread_mutex_unlock(&disk.mutex);
}

void disk_bad_sector(const char *name, uint64_t at, uint64_t len)
{
    strcpy(disk.bad_name, name != NULL ? name : "");
    disk.bad_at = at;
    disk.bad_len = len;
}

void disk_space(uint64_t bytes)
{
    pthread_mutex_lock(&disk.mutex);
    disk.space = bytes;
    pthread_mutex_unlock(&disk.mutex);
}

// Each sector as it was synced, or as it was written since.
static void file_lose(struct file *file, struct unit_random *random)
{
    struct image kept = {NULL, 0};
    image_copy(&kept, &file->synced);
    if (file->now.size != file->synced.size && unit_random_below(random, 2) == 0)
        image_resize(&kept, file->now.size);
    for (size_t at = 0; at < kept.size && at < file->now.size; at += SECTOR) {
        size_t len = kept.size - at < SECTOR ? kept.size - at : SECTOR;
        if (len > file->now.size - at)
            len = file->now.size - at;
        if (!file_stale(file, at) && unit_random_below(random, 2) == 0)
            memcpy(kept.bytes + at, file->now.bytes + at, len);
    }
    file_stale_clear(file, 0, file->now.size);
    free(file->now.bytes);
    file->now = kept;
    image_copy(&file->synced, &kept);
}

void disk_power_loss(struct unit_random *random)
{
    disk_kill();
    for (int i = 0; i < FILES_MAX; i++) {
        // A name that is new or gone since the directory was synced: by chance.
        const char *name = disk.now.name[i];
        if (disk.now.file[i] != NULL && names_find(&disk.synced, name) < 0 &&
            unit_random_below(random, 2) == 0)
            names_set(&disk.synced, name, disk.now.file[i]);
    }
    for (int i = 0; i < FILES_MAX; i++) {
        if (disk.synced.file[i] != NULL && names_find(&disk.now, disk.synced.name[i]) < 0 &&
            unit_random_below(random, 2) == 0) {
            file_drop(disk.synced.file[i]);
            disk.synced.file[i] = NULL;
        }
    }
    names_copy(&disk.now, &disk.synced);
    for (int i = 0; i < FILES_MAX; i++)
        if (disk.now.file[i] != NULL)
            file_lose(disk.now.file[i], random);
}

unsigned char *disk_file(const char *name, size_t *size)
{
    unsigned char *bytes = NULL;
    pthread_mutex_lock(&disk.mutex);
    int at = names_find(&disk.now, name);
    if (at >= 0) {
        *size = disk.now.file[at]->now.size;
        bytes = disk.now.file[at]->now.bytes;
    }
    pthread_mutex_unlock(&disk.mutex);
    return bytes;
}

void disk_cut(const char *name, size_t size)
{
    int at = names_find(&disk.now, name);
    ASSERT(at >= 0);
    image_resize(&disk.now.file[at]->now, size);
}

void disk_remove(const char *name)
{
    int at = names_find(&disk.now, name);
    ASSERT(at >= 0);
    file_drop(disk.now.file[at]);
    disk.now.file[at] = NULL;
}

void disk_make(const char *name, size_t size)
{
    struct file *file = calloc(1, sizeof(*file));
    ASSERT(file != NULL);
    image_resize(&file->now, size);
    names_set(&disk.now, name, file);
}

uint64_t disk_used(void)
{
    pthread_mutex_lock(&disk.mutex);
    uint64_t bytes = used();
    pthread_mutex_unlock(&disk.mutex);
    return bytes;
}

size_t disk_files(void)
{
    size_t count = 0;
    for (int i = 0; i < FILES_MAX; i++)
        count += disk.now.file[i] != NULL;
    return count;
}

void disk_save(void)
{
    names_clone(&disk.saved, &disk.now);
}

void disk_restore(void)
{
    disk_kill();
    names_clone(&disk.now, &disk.saved);
    names_copy(&disk.synced, &disk.now);
}
