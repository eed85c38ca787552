// SPDX-License-Identifier: MIT
/*
 * A session's peer: who it is, and so what it may (session->view).
 *
 * It is asked once, when the connection is accepted. Where all peers of a door may the same nobody
 * is asked. Groups come with a Unix socket; those of a uid over loopback are looked up by a thread,
 * if any rule has groups, and the connection is paused until then.
 *
 * A peer that may nothing hears NOT_ALLOWED and is closed: no command of a stranger is read. The
 * log says who it was and what would let it in, once a minute a peer.
 */
#include "front/front_priv.h"
#include "front/peer_priv.h"
#include "front/reply_priv.h"
#include "front/rights_priv.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SAID_SIZE 64
#define SAID_NS (60 * HL_SECOND)

#define PEERS_MAGIC 0x9ee12501u

/* Of one loop, and touched by its thread alone. */
struct peer_loop {
    struct owner_asker asker;
    struct {
        uint32_t uid;
        enum trust_door door;
        int64_t until_ns; /* not said again before; clock_now_ns */
    } said[SAID_SIZE];
};

struct peers {
    unsigned magic;
    unsigned loop_count;
    bool ask_tcp;        /* loopback peers aren't all the same */
    struct gids *groups; /* NULL: no rule for loopback has any */
    struct peer_loop loop[];
};

int peers_new(struct peers **out, const struct trust *trust, unsigned loops)
{
    struct peers *peers = calloc(1, sizeof(*peers) + loops * sizeof(peers->loop[0]));
    if (peers == NULL)
        return ENOMEM;
    MAGIC_INIT(peers, PEERS_MAGIC);
    peers->loop_count = loops;
    for (unsigned i = 0; i < loops; i++)
        peers->loop[i].asker.netlink = -1;
    peers->ask_tcp = !trust_door_is_plain(trust, TRUST_LOOPBACK);
    int rc = 0;
    if (peers->ask_tcp && trust_door_has_groups(trust, TRUST_LOOPBACK))
        rc = gids_new(&peers->groups, loops);
    if (rc != 0)
        peers_free(&peers);
    else
        *out = peers;
    return rc;
}

int peers_start(struct peers *peers)
{
    if (peers == NULL)
        return 0;
    MAGIC_CHECK(peers, PEERS_MAGIC);
    return peers->groups != NULL ? gids_start(peers->groups) : 0;
}

void peers_free(struct peers **pointer)
{
    if (*pointer == NULL)
        return;
    struct peers *peers;
    MAGIC_TAKE(peers, pointer, PEERS_MAGIC);
    gids_free(&peers->groups);
    for (unsigned i = 0; i < peers->loop_count; i++)
        if (peers->loop[i].asker.netlink >= 0)
            close(peers->loop[i].asker.netlink);
    MAGIC_WIPE(peers);
    free(peers);
}

/* ---- strangers ---- */

static void refusal_log(struct peer_loop *loop, const struct trust_view *view)
{
    size_t place = (view->uid ^ (uint32_t)view->door) % SAID_SIZE;
    int64_t now_ns = clock_now_ns();
    char who[96];
    if (loop->said[place].until_ns > now_ns && loop->said[place].uid == view->uid &&
        loop->said[place].door == view->door)
        return;
    loop->said[place].uid = view->uid;
    loop->said[place].door = view->door;
    loop->said[place].until_ns = now_ns + SAID_NS;
    trust_who_text(who, sizeof(who), view);
    if (view->uid != JOB_NOBODY)
        log_warning("%s may do nothing here, and was closed; to let it in: acl \"NAME\" { users = "
                    "{\"%u\"} tubes = {\"TUBE\"} may = {\"submit\"} }",
                    who, view->uid);
    else
        log_warning("%s may do nothing here, and was closed; to let all such in: acl \"NAME\" { "
                    "anyone = yes doors = {\"%s\"} tubes = {\"TUBE\"} may = {\"submit\"} }",
                    who, trust_door_word(view->door));
}

static void peer_known(struct session *session, const struct trust_peer *peer)
{
    const struct front *front = session->front;
    trust_view_of(&session->view, front->settings.trust, peer);
    if (!trust_may_nothing(&session->view)) {
        rights_begin(session);
        return;
    }
    refusal_log(&front->peers->loop[conn_loop_index(session->conn)], &session->view);
    reply_word(session, "NOT_ALLOWED\r\n");
    conn_finish(session->conn);
}

/* ---- who comes ---- */

static void groups_known(void *memory, uint32_t uid, const gid_t *groups, size_t count)
{
    struct session *session = memory;
    MAGIC_CHECK(session, SESSION_MAGIC);
    const struct trust_peer peer = {
        .door = TRUST_LOOPBACK, .uid = uid, .groups = groups, .group_count = count};
    conn_resume(session->conn);
    peer_known(session, &peer);
}

/* Over loopback: with its groups, if they are to be had at once; else later. */
static void loopback_open(struct session *session, struct trust_peer *peer)
{
    struct peers *peers = session->front->peers;
    if (peer->uid != JOB_NOBODY && peers->groups != NULL &&
        !gids_cached(peers->groups, conn_loop_index(session->conn), peer->uid, &peer->groups,
                     &peer->group_count) &&
        gids_ask(peers->groups, session->conn, peer->uid, groups_known) == 0) {
        conn_pause(session->conn);
        return;
    }
    peer_known(session, peer);
}

void peer_open(struct session *session)
{
    struct peers *peers = session->front->peers;
    if (peers == NULL) {
        session->view = trust_all;
        rights_begin(session);
        return;
    }
    MAGIC_CHECK(peers, PEERS_MAGIC);
    struct trust_peer peer = {.group_count = 0};
    gid_t *groups = NULL;
    int fd = conn_descriptor(session->conn);
    if (!owner_find(&peers->loop[conn_loop_index(session->conn)].asker, fd, peers->ask_tcp,
                    &peer.door, &peer.uid)) {
        conn_finish(session->conn); /* it may nothing, and nobody is there to be told or let in */
        return;
    }
    if (peer.door == TRUST_LOOPBACK) {
        loopback_open(session, &peer);
        return;
    }
    if (peer.door == TRUST_UNIX && peer.uid != JOB_NOBODY)
        (void)owner_groups(fd, &groups, &peer.group_count);
    peer.groups = groups;
    peer_known(session, &peer);
    free(groups);
}
