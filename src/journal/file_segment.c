// SPDX-License-Identifier: MIT
/*
 * Segments as files: their names, how one is made and how it goes.
 *
 * A new one is made under another name, allocated, filled with zeros and synced, and only then
 * renamed into place and the directory synced. So a file with a segment's name is always whole, the
 * first commit in it needs no sync of the directory, and its blocks are written ones: a sync of a
 * commit writes data and no metadata. What a crash leaves half made has the other name, and is
 * taken away at the next start.
 */
#include "journal/file_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ZERO_PIECE ((size_t)256 * 1024)

void segment_name(uint32_t number, char name[SEGMENT_NAME_MAX])
{
    snprintf(name, SEGMENT_NAME_MAX, "segment-%06" PRIu32, number);
}

bool segment_number(const char *name, uint32_t *number)
{
    char again[SEGMENT_NAME_MAX];
    const char *digits = name + strlen("segment-");
    if (strncmp(name, "segment-", strlen("segment-")) != 0 || *digits < '0' || *digits > '9')
        return false;
    char *end;
    errno = 0;
    unsigned long value = strtoul(digits, &end, 10);
    if (errno != 0 || *end != '\0' || value > UINT32_MAX)
        return false;
    *number = (uint32_t)value;
    segment_name(*number, again);
    return strcmp(name, again) == 0;
}

struct segment *segment_new(uint32_t number, int fd, uint64_t size)
{
    struct segment *segment = calloc(1, sizeof(*segment));
    if (segment == NULL)
        return NULL;
    MAGIC_INIT(segment, SEGMENT_MAGIC);
    list_node_init(&segment->node);
    segment->number = number;
    segment->fd = fd;
    segment->size = size;
    return segment;
}

void segment_free(struct file_journal *file, struct segment **segment)
{
    struct segment *mine;
    MAGIC_TAKE(mine, segment, SEGMENT_MAGIC);
    ASSERT(!list_node_linked(&mine->node));
    (void)file->sys->close(mine->fd); /* what counts was synced before */
    MAGIC_WIPE(mine);
    free(mine);
}

int segment_remove(struct file_journal *file, struct segment **segment)
{
    char name[SEGMENT_NAME_MAX];
    segment_name((*segment)->number, name);
    segment_free(file, segment);
    return file->sys->unlink(file->directory, name);
}

static int segment_fill(const struct file_journal *file, int fd, uint64_t size, bool zeroed)
{
    int rc = file->sys->allocate(fd, size);
    if (rc != 0 || !zeroed)
        return rc != 0 ? rc : file->sys->sync(fd);
    unsigned char *zeros = calloc(1, ZERO_PIECE);
    if (zeros == NULL)
        return ENOMEM;
    for (uint64_t at = 0; rc == 0 && at < size; at += ZERO_PIECE)
        rc = file->sys->write(fd, zeros, size - at < ZERO_PIECE ? (size_t)(size - at) : ZERO_PIECE,
                              at);
    free(zeros);
    return rc != 0 ? rc : file->sys->sync(fd);
}

int segment_create(struct file_journal *file, uint32_t number, uint64_t size, bool zeroed,
                   struct segment **out)
{
    char name[SEGMENT_NAME_MAX], making[SEGMENT_NAME_MAX + 4];
    segment_name(number, name);
    snprintf(making, sizeof(making), "%s.new", name);
    int fd;
    int rc = file->sys->open(file->directory, making, O_RDWR | O_CREAT | O_TRUNC, 0600, &fd);
    if (rc != 0)
        return rc;
    const char *there = making;
    rc = segment_fill(file, fd, size, zeroed);
    if (rc == 0)
        rc = file->sys->rename(file->directory, making, name);
    if (rc == 0) {
        there = name;
        rc = file->sys->sync(file->directory);
    }
    *out = rc == 0 ? segment_new(number, fd, size) : NULL;
    if (rc == 0 && *out == NULL)
        rc = ENOMEM;
    if (rc != 0) {
        (void)file->sys->close(fd);
        (void)file->sys->unlink(file->directory, there);
    }
    return rc;
}
