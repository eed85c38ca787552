// SPDX-License-Identifier: MIT
/*
 * What a job says of its program, as the texts of a start, and back.
 *
 * The broker may be in the hands of somebody who means no good, so a keeper believes nothing: each
 * text must end within the bytes that came, and there must be as many as the head says. What is too
 * long for a packet comes in a memfd that nobody can change any more; without its seals it is
 * refused.
 */
#include "spawn/spawn_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define WORDS_MAX ((uint32_t)1 << 20) /* no system runs more: each costs eight bytes and a NUL */

/* ---- the broker's side ---- */

static size_t list_size(char *const *list, uint32_t *count)
{
    size_t size = 0;
    *count = 0;
    for (; list != NULL && list[*count] != NULL; (*count)++)
        size += strlen(list[*count]) + 1;
    return size;
}

static char *text_put(char *to, const char *text)
{
    return stpcpy(to, text) + 1;
}

int order_pack(const struct spawn_job *job, struct spawn_start *head, char **texts,
               size_t *text_len)
{
    *head = (struct spawn_start){.verb = SPAWN_START,
                                 .flags = (job->has_umask ? SPAWN_HAS_UMASK : 0u) |
                                          (job->directory != NULL ? SPAWN_HAS_DIRECTORY : 0u) |
                                          (job->env != NULL ? SPAWN_HAS_ENV : 0u) |
                                          (job->tell ? SPAWN_TELL : 0u),
                                 .id = job->id,
                                 .attempt = job->attempt,
                                 .pri = job->pri,
                                 .submitted_ns = job->submitted_ns,
                                 .umask = job->umask};
    size_t len = strlen(job->tube) + 1;
    if (job->directory != NULL)
        len += strlen(job->directory) + 1;
    len += list_size(job->argv, &head->argc);
    len += list_size(job->env, &head->envc);
    if (len > SPAWN_TEXT_MAX)
        return E2BIG;
    head->len = (uint32_t)len;
    char *to = *texts = malloc(len);
    if (to == NULL)
        return ENOMEM;
    *text_len = len;
    to = text_put(to, job->tube);
    if (job->directory != NULL)
        to = text_put(to, job->directory);
    for (uint32_t i = 0; i < head->argc; i++)
        to = text_put(to, job->argv[i]);
    for (uint32_t i = 0; i < head->envc; i++)
        to = text_put(to, job->env[i]);
    return 0;
}

int order_seal(const char *texts, size_t len, int *fd)
{
    *fd = memfd_create("hilera-start", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (*fd < 0)
        return errno;
    int rc = 0;
    for (size_t at = 0; rc == 0 && at < len;) {
        ssize_t put = write(*fd, texts + at, len - at);
        if (put > 0)
            at += (size_t)put;
        else
            rc = put == 0 ? ENOSPC : errno == EINTR ? 0 : errno;
    }
    if (rc == 0 && fcntl(*fd, F_ADD_SEALS, SEALS) != 0)
        rc = errno;
    if (rc != 0) {
        close(*fd);
        *fd = -1;
    }
    return rc;
}

/* ---- the keeper's side ---- */

static int map_open(struct order *order, int fd, size_t len)
{
    struct stat status;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &status) != 0 || len == 0 ||
        len > SPAWN_TEXT_MAX || (uint64_t)status.st_size != len)
        return EPROTO;
    void *map = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return errno;
    order->map = map;
    order->map_len = len;
    return 0;
}

/* The next text, or NULL where none ends. */
static const char *text_next(const char **at, const char *end)
{
    const char *text = *at;
    const char *nul = text < end ? memchr(text, '\0', (size_t)(end - text)) : NULL;
    if (nul == NULL)
        return NULL;
    *at = nul + 1;
    return text;
}

static bool list_read(char **list, uint32_t count, const char **at, const char *end)
{
    for (uint32_t i = 0; i < count; i++) {
        const char *text = text_next(at, end);
        if (text == NULL)
            return false;
        list[i] = (char *)(uintptr_t)text;
    }
    list[count] = NULL;
    return true;
}

static int texts_read(struct order *order, const char *at, size_t len)
{
    const struct spawn_start *head = order->head;
    const char *end = at + len;
    if (head->argc > WORDS_MAX || head->envc > WORDS_MAX)
        return EPROTO;
    size_t words = (size_t)head->argc + head->envc;
    order->list = words > 0 ? malloc((words + 2) * sizeof(char *)) : order->none;
    if (order->list == NULL)
        return ENOMEM;
    char **env = order->list + head->argc + 1;
    order->tube = text_next(&at, end);
    if ((head->flags & SPAWN_HAS_DIRECTORY) != 0)
        order->directory = text_next(&at, end);
    bool good = order->tube != NULL &&
                (order->directory != NULL || (head->flags & SPAWN_HAS_DIRECTORY) == 0) &&
                list_read(order->list, head->argc, &at, end) &&
                list_read(env, head->envc, &at, end) && at == end;
    if (!good)
        return EPROTO;
    order->argv = head->argc > 0 ? order->list : NULL;
    order->env = (head->flags & SPAWN_HAS_ENV) != 0 ? env : NULL;
    return 0;
}

int order_read(struct order *order, const struct packet *packet)
{
    *order = (struct order){.head = (const struct spawn_start *)(const void *)packet->bytes};
    if (packet->len < sizeof(*order->head) || packet->fd_count < 3)
        return EPROTO;
    const struct spawn_start *head = order->head;
    size_t behind = packet->len - sizeof(*head);
    if (packet->fd_count == 3)
        return behind == head->len ? texts_read(order, packet->bytes + sizeof(*head), behind)
                                   : EPROTO;
    int rc = behind == 0 ? map_open(order, packet->fds[3], head->len) : EPROTO;
    return rc == 0 ? texts_read(order, order->map, order->map_len) : rc;
}

void order_fini(struct order *order)
{
    if (order->list != order->none)
        free(order->list);
    if (order->map != NULL)
        munmap(order->map, order->map_len);
    *order = (struct order){.head = NULL};
}
