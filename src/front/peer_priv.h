// SPDX-License-Identifier: MIT
/*
 * Who is on the other side: what the files of that share.
 */
#ifndef FRONT_PEER_PRIV_H
#define FRONT_PEER_PRIV_H

#include "front/front_priv.h"

/* ---- owner.c: the kernel's word ---- */

/* What one loop asks with. */
struct owner_asker {
    int netlink; /* -1: not opened yet */
    uint32_t sequence;
};

/*
 * Who made the connection `fd`, which stays open: the door, and the uid (JOB_NOBODY: nobody can
 * say). `named`: TCP over loopback is asked about, too. Never blocks.
 */
void owner_find(struct owner_asker *asker, int fd, bool named, enum trust_door *door,
                uint32_t *uid);
/* The groups of a Unix socket's peer, as they were when it connected; the array is the caller's to
 * free. Any errno: unknown, and none. */
int owner_groups(int fd, gid_t **groups, size_t *count);

/* ---- groups.c: the groups of a uid, looked up by a thread ---- */

struct gids;

/* `loops`: who asks. ENOMEM. */
int gids_new(struct gids **out, unsigned loops);
/* EAGAIN: no more threads. */
int gids_start(struct gids *groups);
/* When nobody asks any more. */
void gids_free(struct gids **groups);

/* An answer, on the loop's thread: those of the uid, to be used within the call. */
struct gids_request {
    struct loop_message message;
    uint32_t uid;
    gid_t *found;
    size_t count;
    struct gids *groups;
    unsigned loop;
    void (*known)(void *session, uint32_t uid, const gid_t *groups, size_t count);
};

/* true: they are known since less than a minute. */
bool gids_cached(struct gids *groups, unsigned loop, uint32_t uid, const gid_t **found,
                 size_t *count);
/* Calls `known` later, unless the connection is gone by then. ENOMEM, ESHUTDOWN: it won't. */
int gids_ask(struct gids *groups, struct conn *conn, uint32_t uid,
             void (*known)(void *session, uint32_t uid, const gid_t *groups, size_t count));

#endif
