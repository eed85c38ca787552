// SPDX-License-Identifier: MIT
/*
 * Who is on the other side: what the files of that share.
 */
#ifndef FRONT_PEER_PRIV_H
#define FRONT_PEER_PRIV_H

#include "front/front.h"

#include <netinet/in.h>

/* ---- owner.c: the kernel's word ---- */

/* What one loop asks with. */
struct owner_asker {
    int netlink; /* -1: not opened yet */
    uint32_t sequence;
    bool answered; /* netlink has found a socket before */
    bool tables;   /* there is no netlink: the tables of /proc are read */
};

/* One end of a connection. IPv4 that was mapped to IPv6 is IPv4. */
struct owner_end {
    bool ipv6;
    in_port_t port; /* in network order, as the rest */
    uint32_t address[4];
};

/* What the kernel says of a socket. */
struct owner_socket {
    unsigned state; /* TCP_ESTABLISHED and the others */
    uint32_t uid;
    uint64_t inode; /* 0: no process has it open */
};

/*
 * Who made the connection `fd`, which stays open: the door, and the uid (JOB_NOBODY: nobody can
 * say). `named`: TCP over loopback is asked about, too. False: it has gone meanwhile. Never blocks.
 */
bool owner_find(struct owner_asker *asker, int fd, bool named, enum trust_door *door,
                uint32_t *uid);
/* The groups of a Unix socket's peer, as they were when it connected; the array is the caller's to
 * free. Any errno: unknown, and none. */
int owner_groups(int fd, gid_t **groups, size_t *count);

/* ---- owner_proc.c: where the kernel can't be asked, its tables ---- */

/* The socket at `theirs` that is connected to `ours`. ENOENT: there is none. ENOTSUP: there are no
 * tables. Others as from the system. Reads up to the line: some 150 bytes for each socket. */
int owner_proc_find(const struct owner_end *theirs, const struct owner_end *ours,
                    struct owner_socket *found);
/* The same within one table, from where `fd` is at. */
int owner_proc_table(int fd, bool ipv6, const struct owner_end *theirs,
                     const struct owner_end *ours, struct owner_socket *found);
/* Whether a line, without its end, is that socket's. `ipv6`: which table it is of. */
bool owner_proc_line(const char *line, size_t len, bool ipv6, const struct owner_end *theirs,
                     const struct owner_end *ours, struct owner_socket *found);

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
