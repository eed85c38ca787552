// SPDX-License-Identifier: MIT
/*
 * A disk that is slow, to be preloaded into a daemon by tests/scenario/slow-disk.test and
 * bench/compare. The file $SLOW_DISK has its rules, one a line:
 *
 *     CALL NAMES MS EVERY
 *
 * CALL is "sync" (fsync, fdatasync), "write" (pwrite) or "read" (pread). NAMES is a pattern of the
 * shell for the file's name without its folder. Of the calls that fit, each EVERYth takes MS
 * milliseconds more. The file is read at every call, so the disk becomes slow and fast
 * again under a daemon that runs; who writes it renames a new one to its place. Each call that was
 * slow appends a byte to $SLOW_DISK.calls.
 *
 * A sync isn't passed on: the disk under the directory has no part in what is measured. So what is
 * written outlives the daemon, but not the machine.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define RULES_MAX 8
#define TEXT_MAX 1024
#define NAME_ROOM 128

static atomic_uint fitting[RULES_MAX]; /* calls that fitted the rule in that line */

/* The file's text, with a 0 behind it; false: there is none. */
static bool rules_read(char text[TEXT_MAX])
{
    const char *path = getenv("SLOW_DISK");
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return false;
    ssize_t len = read(fd, text, TEXT_MAX - 1); /* which isn't one of the calls here */
    close(fd);
    text[len > 0 ? len : 0] = '\0';
    return true;
}

/* The name of the file without its folder; "" if it has none. */
static const char *name_of(int fd, char path[], size_t size)
{
    char link[48];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, size - 1);
    path[len > 0 ? len : 0] = '\0';
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static void call_count(void)
{
    char path[TEXT_MAX];
    snprintf(path, sizeof(path), "%s.calls", getenv("SLOW_DISK"));
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    (void)!write(fd, ".", 1);
    close(fd);
}

static void wait_ms(long ms)
{
    struct timespec left = {ms / 1000, ms % 1000 * 1000000};
    call_count();
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        continue;
}

/* Takes the time that the rules say. */
static void be_slow(const char *call, int fd, char *text)
{
    char path[TEXT_MAX], names[NAME_ROOM], kind[8], *rest = NULL;
    const char *name = name_of(fd, path, sizeof(path));
    char *line = strtok_r(text, "\n", &rest);
    for (size_t i = 0; line != NULL && i < RULES_MAX; i++, line = strtok_r(NULL, "\n", &rest)) {
        long ms;
        unsigned every;
        if (sscanf(line, "%7s %127s %ld %u", kind, names, &ms, &every) != 4 || every == 0) {
            (void)fprintf(stderr, "slow disk: \"%s\" is no rule\n", line);
            abort();
        }
        if (strcmp(kind, call) == 0 && fnmatch(names, name, 0) == 0 &&
            atomic_fetch_add(&fitting[i], 1) % every == every - 1)
            wait_ms(ms);
    }
}

static int sync_slowly(const char *real_name, int fd)
{
    char text[TEXT_MAX];
    if (rules_read(text)) {
        be_slow("sync", fd, text);
        return 0;
    }
    int (*real)(int);
    *(void **)&real = dlsym(RTLD_NEXT, real_name);
    return real(fd);
}

EXPORT int fdatasync(int fd)
{
    return sync_slowly("fdatasync", fd);
}

EXPORT int fsync(int fd)
{
    return sync_slowly("fsync", fd);
}

EXPORT ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
    static ssize_t (*_Atomic real)(int, const void *, size_t, off_t);
    char text[TEXT_MAX];
    if (rules_read(text))
        be_slow("write", fd, text);
    ssize_t (*found)(int, const void *, size_t, off_t) = atomic_load(&real);
    if (found == NULL) {
        *(void **)&found = dlsym(RTLD_NEXT, "pwrite");
        atomic_store(&real, found);
    }
    return found(fd, bytes, len, at);
}

/* SQLite reads with whichever of the two it was built with. */
static ssize_t read_slowly(const char *real_name, int fd, void *bytes, size_t len, off_t at)
{
    char text[TEXT_MAX];
    ssize_t (*real)(int, void *, size_t, off_t);
    if (rules_read(text))
        be_slow("read", fd, text);
    *(void **)&real = dlsym(RTLD_NEXT, real_name);
    return real(fd, bytes, len, at);
}

EXPORT ssize_t pread(int fd, void *bytes, size_t len, off_t at)
{
    return read_slowly("pread", fd, bytes, len, at);
}

EXPORT ssize_t pread64(int fd, void *bytes, size_t len, off64_t at)
{
    return read_slowly("pread64", fd, bytes, len, at);
}
