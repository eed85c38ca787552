// SPDX-License-Identifier: MIT
/*
 * The groups of a uid, for peers over TCP: the system's lists of users may be anywhere (files, name
 * services), and asking may take long, so a thread asks, and the connection waits.
 *
 * Each loop keeps what it heard for a minute, in a small table: whoever hashes to the same place
 * takes it. A lookup that failed is no group, and isn't kept.
 */
#include "front/peer_priv.h"

#include "base/magic.h"

#include "base/clock.h"
#include "base/log.h"

#include <hilera/queue.h>
#include <hilera/thread.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_SIZE 128
#define CACHE_NS (60 * HL_SECOND)

#define GIDS_MAGIC 0x6709b501u

struct entry {
    uint32_t uid;
    int64_t until_ns; /* clock_now_ns; 0: nothing is here */
    gid_t *found;
    size_t count;
};

struct gids {
    unsigned magic;
    unsigned loops;
    struct entry *entry; /* loop * CACHE_SIZE + place */
    hl_queue *queue;     /* of struct gids_request */
    hl_thread *thread;   /* NULL: not started */
};

static struct entry *entry_of(struct gids *groups, unsigned loop, uint32_t uid)
{
    return &groups->entry[(size_t)loop * CACHE_SIZE + uid % CACHE_SIZE];
}

/* ---- the thread ---- */

static void lookups_run(void *arg)
{
    struct gids *groups = arg;
    void *item;
    while (hl_queue_get(groups->queue, &item, HL_FOREVER) == 0) {
        struct gids_request *request = item;
        int rc = trust_groups_of_uid(request->uid, &request->found, &request->count);
        if (rc != 0)
            log_warning("the groups of user %u can't be looked up: %s", request->uid,
                        strerrordesc_np(rc));
        (void)hl_queue_task_done(groups->queue);
        loop_post(&request->message);
    }
}

int gids_new(struct gids **out, unsigned loops)
{
    struct gids *groups = calloc(1, sizeof(*groups));
    if (groups == NULL)
        return ENOMEM;
    MAGIC_INIT(groups, GIDS_MAGIC);
    groups->loops = loops;
    groups->entry = calloc((size_t)loops * CACHE_SIZE, sizeof(*groups->entry));
    const struct hl_queue_options options = {.name = "group lookups"};
    int rc = groups->entry != NULL ? hl_queue_new(&groups->queue, &options) : ENOMEM;
    if (rc != 0)
        gids_free(&groups);
    else
        *out = groups;
    return rc;
}

int gids_start(struct gids *groups)
{
    MAGIC_CHECK(groups, GIDS_MAGIC);
    const struct hl_thread_options options = {
        .target = lookups_run, .arg = groups, .name = "groups", .daemon = HL_DAEMON_YES};
    int rc = hl_thread_new(&groups->thread, &options);
    if (rc == 0)
        rc = hl_thread_start(groups->thread);
    if (rc != 0)
        hl_thread_free(&groups->thread);
    return rc;
}

void gids_free(struct gids **pointer)
{
    if (*pointer == NULL)
        return;
    struct gids *groups;
    MAGIC_TAKE(groups, pointer, GIDS_MAGIC);
    if (groups->queue != NULL)
        hl_queue_shutdown(groups->queue, false);
    if (groups->thread != NULL)
        MUST(hl_thread_join(groups->thread, HL_FOREVER));
    hl_thread_free(&groups->thread);
    hl_queue_free(&groups->queue);
    for (size_t i = 0; groups->entry != NULL && i < (size_t)groups->loops * CACHE_SIZE; i++)
        free(groups->entry[i].found);
    free(groups->entry);
    MAGIC_WIPE(groups);
    free(groups);
}

/* ---- on the loops ---- */

bool gids_cached(struct gids *groups, unsigned loop, uint32_t uid, const gid_t **found,
                 size_t *count)
{
    MAGIC_CHECK(groups, GIDS_MAGIC);
    const struct entry *entry = entry_of(groups, loop, uid);
    if (entry->uid != uid || entry->until_ns <= clock_now_ns())
        return false;
    *found = entry->found;
    *count = entry->count;
    return true;
}

static void answer_deliver(struct loop_message *message, void *session)
{
    struct gids_request *request = CONTAINER_OF(message, struct gids_request, message);
    struct entry *entry = entry_of(request->groups, request->loop, request->uid);
    loop_drop(message->to);
    if (session != NULL)
        request->known(session, request->uid, request->found, request->count);
    if (request->found != NULL) {
        free(entry->found);
        *entry = (struct entry){.uid = request->uid,
                                .until_ns = clock_deadline(CACHE_NS),
                                .found = request->found,
                                .count = request->count};
    }
    free(request);
}

int gids_ask(struct gids *groups, struct conn *conn, uint32_t uid,
             void (*known)(void *session, uint32_t uid, const gid_t *groups, size_t count))
{
    MAGIC_CHECK(groups, GIDS_MAGIC);
    if (groups->thread == NULL)
        return ESHUTDOWN;
    /* no magic: it is on its way between two functions of this file */
    struct gids_request *request = calloc(1, sizeof(*request));
    if (request == NULL)
        return ENOMEM;
    *request =
        (struct gids_request){.message = {.to = conn_get_handle(conn), .deliver = answer_deliver},
                              .uid = uid,
                              .groups = groups,
                              .loop = conn_loop_index(conn),
                              .known = known};
    loop_hold(request->message.to);
    int rc = hl_queue_put_nowait(groups->queue, request);
    if (rc != 0) {
        loop_drop(request->message.to);
        free(request);
    }
    return rc;
}
