// SPDX-License-Identifier: MIT
/*
 * The model: see shim_disk.h. The real files always have what was written, as the page cache has.
 * Beside each stands what unsynced changes have replaced, by sectors of 512 bytes, in the order of
 * the changes; a sync forgets it. The power loss goes back through that order: of each change all
 * sectors are kept, or all dropped, or each by a toss of the coin; a sector that a later change has
 * kept stays as it is. The same for the entries of the directory, each alone or only the last ones,
 * as file systems do.
 *
 * What a failed sync has covered is gone for the kernel (its pages count as clean), so a later sync
 * doesn't make it sure; only writing it again does.
 *
 * A file that is unlinked or replaced goes to a graveyard beside the directory until that is
 * synced.
 */
#include "shim_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim_real.h"

#define SECTOR 512
#define NAME_SIZE 64

struct change {
    bool resize; /* old size in `at`; else sectors */
    bool doomed; /* a sync of it has failed */
    uint64_t at; /* of the first sector */
    size_t len;  /* whole sectors */
    char *old;   /* so many bytes */
};

struct shim_file {
    struct shim_file *next;
    dev_t device;
    ino_t inode;
    int fd; /* our own, for reading and writing */
    bool history;
    struct change *changes;
    size_t count, cap;
};

enum entry_kind { ENTRY_CREATED, ENTRY_RENAMED, ENTRY_UNLINKED };

struct entry {
    enum entry_kind kind;
    char name[NAME_SIZE], to[NAME_SIZE]; /* to: RENAMED */
    char grave[NAME_SIZE];               /* what it replaced; "": nothing */
};

static struct shim_file *files;
static struct entry *entries;
static size_t entry_count, entry_cap;
static int data_fd = -1, grave_fd = -1;
static dev_t data_device;
static ino_t data_inode;
static unsigned graves;
static uint64_t dice;

static void give_up(const char *what)
{
    fprintf(stderr, "crash shim: %s: %s\n", what, strerror(errno));
    abort();
}

static void *enough(void *array, size_t *cap, size_t need, size_t size)
{
    if (need <= *cap)
        return array;
    *cap = need * 2 + 16;
    array = shim_realloc(array, *cap * size);
    if (array == NULL)
        give_up("no memory");
    return array;
}

static uint64_t toss(uint64_t sides)
{
    dice += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t bits = dice;
    bits = (bits ^ bits >> 31) * UINT64_C(0xd6e8feb86659fd93);
    bits = (bits ^ bits >> 29) * UINT64_C(0xd6e8feb86659fd93);
    return (bits ^ bits >> 32) % sides;
}

/* ---- what there is ---- */

static void graves_empty(void)
{
    char name[NAME_SIZE];
    for (unsigned i = 0; i < 100000; i++) {
        snprintf(name, sizeof(name), "%u", i);
        if (shim_real.unlinkat(grave_fd, name, 0) != 0 && i >= graves)
            return;
    }
}

void disk_init(const char *directory, uint64_t seed)
{
    char grave[4096];
    struct stat about;
    snprintf(grave, sizeof(grave), "%s.graves", directory);
    if (mkdir(grave, 0700) != 0 && errno != EEXIST)
        give_up(grave);
    data_fd = shim_real.open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    grave_fd = shim_real.open(grave, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (data_fd < 0 || grave_fd < 0 || fstat(data_fd, &about) != 0)
        give_up(directory);
    data_device = about.st_dev;
    data_inode = about.st_ino;
    dice = seed;
    graves_empty();
}

bool disk_is_directory(int fd)
{
    struct stat about;
    return data_fd >= 0 && fstat(fd, &about) == 0 && about.st_ino == data_inode &&
           about.st_dev == data_device;
}

struct shim_file *disk_file(int fd)
{
    struct stat about;
    if (files == NULL || fstat(fd, &about) != 0 || !S_ISREG(about.st_mode))
        return NULL;
    struct shim_file *file = files;
    while (file != NULL && (file->inode != about.st_ino || file->device != about.st_dev))
        file = file->next;
    return file;
}

bool disk_is_history(const struct shim_file *file)
{
    return file->history;
}

static struct entry *entry_add(enum entry_kind kind, const char *name)
{
    entries = enough(entries, &entry_cap, entry_count + 1, sizeof(*entries));
    struct entry *entry = &entries[entry_count++];
    *entry = (struct entry){.kind = kind};
    snprintf(entry->name, sizeof(entry->name), "%s", name);
    return entry;
}

static void file_add(int fd, bool history)
{
    char path[64];
    struct stat about;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    struct shim_file *file = shim_calloc(1, sizeof(*file)); /* no magic: never handed out */
    if (file == NULL || fstat(fd, &about) != 0)
        give_up(path);
    file->fd = shim_real.open(path, O_RDWR | O_CLOEXEC);
    if (file->fd < 0)
        give_up(path);
    file->device = about.st_dev;
    file->inode = about.st_ino;
    file->history = history;
    file->next = files;
    files = file;
}

void disk_opened(int fd, const char *name, bool created)
{
    struct stat about;
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode))
        return;
    if (disk_file(fd) == NULL)
        file_add(fd, strncmp(name, DISK_HISTORY, sizeof(DISK_HISTORY) - 1) == 0);
    if (created)
        (void)entry_add(ENTRY_CREATED, name);
}

/* ---- changes ---- */

static struct change *change_add(struct shim_file *file)
{
    file->changes = enough(file->changes, &file->cap, file->count + 1, sizeof(*file->changes));
    struct change *change = &file->changes[file->count++];
    *change = (struct change){.old = NULL};
    return change;
}

static uint64_t file_size(const struct shim_file *file)
{
    struct stat about;
    if (fstat(file->fd, &about) != 0)
        give_up("fstat");
    return (uint64_t)about.st_size;
}

static void sectors_keep(struct shim_file *file, uint64_t at, size_t len)
{
    struct change *change = change_add(file);
    change->at = at / SECTOR * SECTOR;
    change->len = (size_t)((at + len + SECTOR - 1) / SECTOR * SECTOR - change->at);
    change->old = shim_calloc(1, change->len);
    if (change->old == NULL || pread(file->fd, change->old, change->len, (off_t)change->at) < 0)
        give_up("what was there before");
}

void disk_will_write(struct shim_file *file, uint64_t at, size_t len)
{
    uint64_t size = file_size(file);
    if (len == 0)
        return;
    if (at + len > size)
        disk_will_resize(file, at + len);
    sectors_keep(file, at, len);
}

void disk_will_resize(struct shim_file *file, uint64_t size)
{
    uint64_t now = file_size(file);
    if (size == now)
        return;
    if (size < now)
        sectors_keep(file, size, (size_t)(now - size));
    struct change *change = change_add(file);
    change->resize = true;
    change->at = now;
}

static bool grave_dig(const char *name, char *grave)
{
    snprintf(grave, NAME_SIZE, "%u", graves);
    if (shim_real.renameat(data_fd, name, grave_fd, grave) != 0) {
        grave[0] = '\0';
        return false;
    }
    graves++;
    return true;
}

int disk_rename(const char *from, const char *to)
{
    char grave[NAME_SIZE] = "";
    struct stat about;
    if (fstatat(data_fd, from, &about, AT_SYMLINK_NOFOLLOW) != 0)
        return errno;
    (void)grave_dig(to, grave);
    if (shim_real.renameat(data_fd, from, data_fd, to) != 0)
        return errno;
    struct entry *entry = entry_add(ENTRY_RENAMED, from);
    snprintf(entry->to, sizeof(entry->to), "%s", to);
    snprintf(entry->grave, sizeof(entry->grave), "%s", grave);
    return 0;
}

int disk_unlink(const char *name)
{
    char grave[NAME_SIZE];
    if (!grave_dig(name, grave))
        return errno;
    struct entry *entry = entry_add(ENTRY_UNLINKED, name);
    snprintf(entry->grave, sizeof(entry->grave), "%s", grave);
    return 0;
}

/* ---- syncs ---- */

static bool overlap(const struct change *a, const struct change *b)
{
    return !a->resize && !b->resize && a->at < b->at + b->len && b->at < a->at + a->len;
}

/* A doomed change that was written over since, and that has been synced. */
static bool is_repaired(const struct shim_file *file, size_t index)
{
    for (size_t i = index + 1; i < file->count; i++)
        if (!file->changes[i].doomed && overlap(&file->changes[index], &file->changes[i]))
            return true;
    return false;
}

void disk_synced(struct shim_file *file)
{
    size_t left = 0;
    for (size_t i = 0; i < file->count; i++) {
        struct change change = file->changes[i];
        if (change.doomed && !change.resize && !is_repaired(file, i))
            file->changes[left++] = change;
        else
            free(change.old);
    }
    file->count = left;
}

void disk_sync_failed(struct shim_file *file)
{
    for (size_t i = 0; i < file->count; i++)
        file->changes[i].doomed = true;
}

void disk_directory_synced(void)
{
    for (size_t i = 0; i < entry_count; i++)
        if (entries[i].grave[0] != '\0')
            (void)shim_real.unlinkat(grave_fd, entries[i].grave, 0);
    entry_count = 0;
}

/* ---- the loss ---- */

/* Goes one change back, but for sectors that are settled. */
static void change_undo(struct shim_file *file, const struct change *change, unsigned char *settled,
                        uint64_t size)
{
    enum { KEEP, DROP, TEAR } fate = (int)toss(3);
    for (size_t done = 0; done < change->len && change->at + done < size; done += SECTOR) {
        uint64_t sector = (change->at + done) / SECTOR;
        size_t len = change->len - done < SECTOR ? change->len - done : SECTOR;
        if (change->at + done + len > size)
            len = (size_t)(size - change->at - done);
        if (settled[sector])
            continue;
        if (fate == KEEP || (fate == TEAR && toss(2) == 0))
            settled[sector] = 1;
        else if (shim_real.pwrite(file->fd, change->old + done, len, (off_t)(change->at + done)) !=
                 (ssize_t)len)
            give_up("going back");
    }
}

static void file_lose(struct shim_file *file)
{
    uint64_t size = file_size(file), most = size;
    for (size_t i = 0; i < file->count; i++)
        if (file->changes[i].resize && file->changes[i].at > most)
            most = file->changes[i].at;
    unsigned char *settled = shim_calloc(1, (size_t)(most / SECTOR + 1));
    if (settled == NULL)
        give_up("no memory");
    bool sized = false;
    for (size_t i = file->count; i > 0; i--) {
        const struct change *change = &file->changes[i - 1];
        if (!change->resize) {
            change_undo(file, change, settled, size);
        } else if (!sized && toss(2) == 0) {
            if (shim_real.ftruncate(file->fd, (off_t)change->at) != 0)
                give_up("going back to an older size");
            size = change->at;
        } else {
            sized = true; /* a later size is on the disk, so no earlier one is */
        }
    }
    free(settled);
}

/* Whether a later entry that was kept needs this one. */
static bool is_needed(const struct entry *entry, size_t index, const bool *kept)
{
    for (size_t i = index + 1; i < entry_count; i++)
        if (kept[i] &&
            (strcmp(entries[i].name, entry->name) == 0 || strcmp(entries[i].to, entry->name) == 0 ||
             (entry->to[0] != '\0' &&
              (strcmp(entries[i].name, entry->to) == 0 || strcmp(entries[i].to, entry->to) == 0))))
            return true;
    return false;
}

static void entry_undo(const struct entry *entry)
{
    int rc = 0;
    if (entry->kind == ENTRY_CREATED)
        rc = shim_real.unlinkat(data_fd, entry->name, 0);
    if (entry->kind == ENTRY_RENAMED)
        rc = shim_real.renameat(data_fd, entry->to, data_fd, entry->name);
    const char *name = entry->kind == ENTRY_RENAMED ? entry->to : entry->name;
    if (rc == 0 && entry->grave[0] != '\0')
        rc = shim_real.renameat(grave_fd, entry->grave, data_fd, name);
    if (rc != 0)
        give_up("an entry of the directory");
}

static void directory_lose(void)
{
    bool *kept = shim_calloc(entry_count + 1, sizeof(*kept));
    bool ordered = toss(2) == 0, keep = false;
    if (kept == NULL)
        give_up("no memory");
    for (size_t i = entry_count; i > 0; i--) {
        keep = (ordered && keep) || toss(2) == 0;
        kept[i - 1] = keep || is_needed(&entries[i - 1], i - 1, kept);
        if (!kept[i - 1])
            entry_undo(&entries[i - 1]);
    }
    free(kept);
    graves_empty();
}

void disk_lose(void)
{
    for (struct shim_file *file = files; file != NULL; file = file->next)
        file_lose(file);
    directory_lose();
}
