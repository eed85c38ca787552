// SPDX-License-Identifier: MIT
/*
 * The shim: preloaded into the daemon (LD_PRELOAD), it stands between it and its data directory. It
 * knows which changes were synced (shim_disk.c), lets the power go at one call, or has the disk
 * refuse one; which, the driver says in a file that both have mapped (shim.h).
 *
 * It knows the calls that hilera's journal uses, and stops the daemon loudly where something else
 * is done to those files, so that nothing gets past it unseen. One lock around each call: the order
 * in which it sees them is the order in which they happened. A sync isn't passed on: the disk under
 * the directory is of no interest here, and may be memory.
 */
#include "shim.h"
#include "shim_disk.h"
#include "shim_real.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum call {
    CALL_OPEN,
    CALL_WRITE,
    CALL_ALLOCATE,
    CALL_TRUNCATE,
    CALL_SYNC,
    CALL_RENAME,
    CALL_UNLINK
};

struct shim_real shim_real;
static struct shim_control *control;
static const char *data_path; /* where `control` isn't NULL */
static enum call failed_call;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* dlsym answers with an object pointer, which ISO C can't turn into a function's. */
static void real_find(void *to, const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL) {
        fprintf(stderr, "crash shim: there is no %s\n", name);
        abort();
    }
    memcpy(to, &found, sizeof(found));
}

static void control_map(const char *path)
{
    int fd = shim_real.open(path, O_RDWR | O_CLOEXEC);
    void *map = fd < 0 ? MAP_FAILED
                       : mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        fprintf(stderr, "crash shim: %s: %s\n", path, strerror(errno));
        abort();
    }
    control = map;
    close(fd);
}

/* ---- loss and fault ---- */

static void unknown(const char *name)
{
    fprintf(stderr, "crash shim: %s on the data directory: the shim doesn't know what that does\n",
            name);
    abort();
}

static void power_goes(void)
{
    atomic_store(&control->losing, 1);
    disk_lose();
    atomic_store(&control->lost, 1);
    (void)kill(getpid(), SIGKILL);
    for (;;)
        (void)pause();
}

/* A thread of ours in the daemon: waits for the driver's word. */
static void *power_watch(void *arg)
{
    (void)arg;
    while (atomic_load(&control->lose_now) == 0)
        (void)syscall(SYS_futex, &control->lose_now, FUTEX_WAIT, 0, NULL, NULL, 0);
    pthread_mutex_lock(&lock);
    power_goes();
    return NULL;
}

/* With every signal blocked: those are for the daemon's own threads. */
static void power_watch_start(void)
{
    pthread_t thread;
    sigset_t all, before;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&thread, NULL, power_watch, NULL) != 0)
        unknown("pthread_create");
    (void)pthread_detach(thread);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* A call begins, under the lock. Not 0: the disk refuses it. */
static int call_begins(enum call call)
{
    shim_alloc_start(control);
    uint64_t number = atomic_fetch_add(&control->calls, 1) + 1;
    bool again = control->fault_stays && atomic_load(&control->failed) && call == failed_call;
    if (number != control->fault_at && !again)
        return 0;
    failed_call = call;
    atomic_store(&control->failed, 1);
    return control->fault_error;
}

/* It has happened, as far as the page cache knows. */
static void call_ends(void)
{
    uint64_t loss = atomic_load(&control->loss_at);
    /* Zero from then on: whoever else sets it to zero knows whether it was in time. */
    if (loss != 0 && atomic_load(&control->calls) >= loss &&
        atomic_compare_exchange_strong(&control->loss_at, &loss, 0))
        power_goes();
}

/* ---- the calls ---- */

/* path: from the directory. */
static int open_there(int directory, const char *path, const char *name, int flags, mode_t mode)
{
    struct stat about;
    pthread_mutex_lock(&lock);
    int rc = call_begins(CALL_OPEN), fd = -1;
    bool there = fstatat(directory, path, &about, AT_SYMLINK_NOFOLLOW) == 0;
    if (rc == 0) {
        if (there && (flags & O_TRUNC) != 0 && about.st_size > 0)
            unknown("O_TRUNC");
        fd = shim_real.openat(directory, path, flags, mode);
        rc = fd < 0 ? errno : 0;
    }
    if (fd >= 0)
        disk_opened(fd, name, !there);
    call_ends();
    pthread_mutex_unlock(&lock);
    errno = rc;
    return fd;
}

int openat(int directory, const char *name, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(args, mode_t) : 0;
    va_end(args);
    /* Listings open ".", which changes nothing. */
    if (control != NULL && strcmp(name, ".") != 0 && disk_is_directory(directory))
        return open_there(directory, name, name, flags, mode);
    return shim_real.openat(directory, name, flags, mode);
}

/* Not 0: it is one of history's, and they are refused. */
static int history_refused(const struct shim_file *file)
{
    return file != NULL && disk_is_history(file) ? atomic_load(&control->history_error) : 0;
}

/* A write that is refused has got half way. */
static ssize_t write_there(struct shim_file *file, int fd, const void *bytes, size_t len, off_t at)
{
    int rc = call_begins(CALL_WRITE);
    rc = rc != 0 ? rc : history_refused(file);
    size_t some = rc == 0 ? len : len / 2;
    disk_will_write(file, (uint64_t)at, some);
    ssize_t done = shim_real.pwrite(fd, bytes, some, at);
    if (rc == 0 && done < 0)
        rc = errno;
    call_ends();
    errno = rc;
    return rc == 0 ? done : -1;
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
    if (control == NULL)
        return shim_real.pwrite(fd, bytes, len, at);
    pthread_mutex_lock(&lock);
    struct shim_file *file = disk_file(fd);
    ssize_t done =
        file != NULL ? write_there(file, fd, bytes, len, at) : shim_real.pwrite(fd, bytes, len, at);
    int rc = errno;
    pthread_mutex_unlock(&lock);
    errno = rc;
    return done;
}

ssize_t write(int fd, const void *bytes, size_t len)
{
    if (control != NULL) {
        pthread_mutex_lock(&lock);
        if (disk_file(fd) != NULL)
            unknown("write");
        pthread_mutex_unlock(&lock);
    }
    return shim_real.write(fd, bytes, len);
}

int posix_fallocate(int fd, off_t at, off_t len)
{
    if (control == NULL)
        return shim_real.posix_fallocate(fd, at, len);
    pthread_mutex_lock(&lock);
    struct shim_file *file = disk_file(fd);
    struct stat about;
    int rc = file != NULL ? call_begins(CALL_ALLOCATE) : 0;
    if (rc == 0) {
        if (file != NULL && fstat(fd, &about) == 0 && about.st_size < at + len)
            disk_will_resize(file, (uint64_t)(at + len));
        rc = shim_real.posix_fallocate(fd, at, len);
    }
    if (file != NULL)
        call_ends();
    pthread_mutex_unlock(&lock);
    return rc;
}

int ftruncate(int fd, off_t len)
{
    if (control == NULL)
        return shim_real.ftruncate(fd, len);
    pthread_mutex_lock(&lock);
    struct shim_file *file = disk_file(fd);
    int rc = file != NULL ? call_begins(CALL_TRUNCATE) : 0;
    if (rc == 0) {
        if (file != NULL)
            disk_will_resize(file, (uint64_t)len);
        rc = shim_real.ftruncate(fd, len) != 0 ? errno : 0;
    }
    if (file != NULL)
        call_ends();
    pthread_mutex_unlock(&lock);
    errno = rc;
    return rc == 0 ? 0 : -1;
}

/* The power may go before or after it takes effect, so a loss at this call is one without it. */
static int sync_there(int fd, struct shim_file *file)
{
    static uint64_t syncs;
    int rc = call_begins(CALL_SYNC);
    bool honest = control->history && (file == NULL || !disk_is_history(file));
    rc = rc != 0 ? rc : history_refused(file);
    (void)fd;
    call_ends();
    if (rc == 0 && !honest && control->lies != 0 && ++syncs % control->lies == 0)
        return 0;
    if (rc == 0 && file != NULL)
        disk_synced(file);
    else if (rc == 0)
        disk_directory_synced();
    else if (file != NULL)
        disk_sync_failed(file);
    errno = rc;
    return rc == 0 ? 0 : -1;
}

static int sync_any(int fd, int (*real)(int fd))
{
    if (control == NULL)
        return real(fd);
    pthread_mutex_lock(&lock);
    struct shim_file *file = disk_file(fd);
    unsigned slow_ms = atomic_load(&control->history_slow_ms);
    if (slow_ms > 0 && file != NULL && disk_is_history(file)) {
        pthread_mutex_unlock(&lock); /* nobody else's is slow */
        (void)poll(NULL, 0, (int)slow_ms);
        pthread_mutex_lock(&lock);
    }
    int done = file != NULL || disk_is_directory(fd) ? sync_there(fd, file) : real(fd);
    int rc = errno;
    pthread_mutex_unlock(&lock);
    errno = rc;
    return done;
}

int fdatasync(int fd)
{
    return sync_any(fd, shim_real.fdatasync);
}

int fsync(int fd)
{
    return sync_any(fd, shim_real.fsync);
}

/* Under the lock: a call on entries of the directory. */
static int entry_change(enum call call, const char *name, const char *to)
{
    pthread_mutex_lock(&lock);
    int rc = call_begins(call);
    if (rc == 0)
        rc = call == CALL_RENAME ? disk_rename(name, to) : disk_unlink(name);
    call_ends();
    pthread_mutex_unlock(&lock);
    errno = rc;
    return rc == 0 ? 0 : -1;
}

int renameat(int from_directory, const char *from, int to_directory, const char *to)
{
    if (control == NULL || !disk_is_directory(from_directory))
        return shim_real.renameat(from_directory, from, to_directory, to);
    if (!disk_is_directory(to_directory))
        unknown("renameat to another directory");
    return entry_change(CALL_RENAME, from, to);
}

int unlinkat(int directory, const char *name, int flags)
{
    if (control == NULL || !disk_is_directory(directory))
        return shim_real.unlinkat(directory, name, flags);
    return entry_change(CALL_UNLINK, name, NULL);
}

/* ---- history's files ---- */

/*
 * SQLite names its files by whole paths, and uses the calls of large files. What is in shared
 * memory (-shm) is made anew by the first process that opens the others, so it isn't looked at.
 */
static const char *history_name(const char *path)
{
    static const char shared[] = "-shm";
    size_t len = strlen(data_path), path_len = strlen(path);
    if (control == NULL || !control->history || strncmp(path, data_path, len) != 0 ||
        path[len] != '/' || strncmp(path + len + 1, DISK_HISTORY, sizeof(DISK_HISTORY) - 1) != 0 ||
        strcmp(path + path_len - (sizeof(shared) - 1), shared) == 0)
        return NULL;
    return path + len + 1;
}

int open64(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(args, mode_t) : 0;
    va_end(args);
    const char *name = history_name(path);
    if (name != NULL)
        return open_there(AT_FDCWD, path, name, flags, mode);
    if (shim_real.open == NULL) /* a library's constructor, before ours */
        real_find(&shim_real.open, "open");
    return shim_real.open(path, flags, mode);
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t at)
{
    return pwrite(fd, bytes, len, at);
}

int ftruncate64(int fd, off64_t len)
{
    return ftruncate(fd, len);
}

int unlink(const char *path)
{
    const char *name = history_name(path);
    return name != NULL ? entry_change(CALL_UNLINK, name, NULL)
                        : shim_real.unlinkat(AT_FDCWD, path, 0);
}

/* ---- the start ---- */

static void __attribute__((constructor)) shim_start(void)
{
    real_find(&shim_real.open, "open");
    real_find(&shim_real.openat, "openat");
    real_find(&shim_real.write, "write");
    real_find(&shim_real.pwrite, "pwrite");
    real_find(&shim_real.posix_fallocate, "posix_fallocate");
    real_find(&shim_real.ftruncate, "ftruncate");
    real_find(&shim_real.fdatasync, "fdatasync");
    real_find(&shim_real.fsync, "fsync");
    real_find(&shim_real.renameat, "renameat");
    real_find(&shim_real.unlinkat, "unlinkat");
    const char *path = getenv(SHIM_CONTROL_ENV), *data = getenv(SHIM_DATA_ENV);
    if (path == NULL || data == NULL)
        return;
    data_path = realpath(data, NULL); /* as SQLite has it */
    if (data_path == NULL)
        unknown("realpath");
    control_map(path);
    disk_init(data, control->seed);
    power_watch_start();
}
