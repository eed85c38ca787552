// SPDX-License-Identifier: MIT
/*
 * The inside of a connection (conn.c), and the gate that may hold it (gate.c). All of it belongs to
 * its loop's thread.
 */
#ifndef NET_CONN_PRIV_H
#define NET_CONN_PRIV_H

#include "base/buf.h"
#include "base/list.h"
#include "base/magic.h"
#include "net/loop_priv.h"
#include "net/output_priv.h"

#include <event2/event_struct.h>

/* ---- conn.c ---- */

#define CONN_MAGIC 0xc0222e02u

struct conn_timer {
    struct loop_timer timer;
    struct conn *conn;
};

struct conn {
    unsigned magic;
    int fd;
    uint64_t id;
    struct loop *loop;
    struct list_node node;
    struct list_node ready;
    struct list_node held_node; /* linked: the gate holds it */
    struct net_mark until;
    int64_t asked_ns; /* when it came, or was held last, or conn_asks */
    struct event event;
    short interest;     /* what `event` is registered for, 0: not registered */
    bool paused;        /* by the session: an answer will come later */
    bool finishing;     /* nothing more is executed; close when all is written */
    bool broken;        /* close now */
    bool eof;           /* read returned 0 */
    bool peer_closed;   /* the other side shut its side, there may be unread bytes yet */
    bool hangup_told;   /* for this pause */
    bool stalled;       /* too many answers wait */
    bool write_blocked; /* the last write found no room */
    bool going;         /* conn_go_on */
    int budget;         /* commands left in this turn */
    size_t out_stop;    /* bytes of `out` past which this turn is over */
    struct outqueue out;
    struct buf pending; /* input not executed yet */
    char *sink;         /* conn_receive */
    size_t sink_left;
    struct conn_timer *timer; /* NULL: it was never set */
    max_align_t session[];
};

/* Takes the descriptor over, also when it fails (then it is closed). */
void conn_open(struct loop *loop, int fd);
/* Ends every turn of a connection: writes, closes, asks for events. It may be gone after. */
void conn_settle(struct conn *conn);
static inline bool conn_turn_over(const struct conn *conn)
{
    return conn->budget <= 0 || conn->out.bytes > conn->out_stop;
}
/* Puts it on the loop's ready list, and executes what it has when its turn comes. */
void conn_make_ready(struct conn *conn);
void conn_run_ready(struct conn *conn);
/* Writes what waits, unless the socket is known to be full. */
void conn_flush(struct conn *conn);
void conn_close(struct conn *conn);

/* ---- gate.c ---- */

/* After a connection executed something. */
void gate_look(struct conn *conn);

static inline bool conn_is_held(const struct conn *conn)
{
    return list_node_linked(&conn->held_node);
}
/* Once a turn: lets go of those whose time has come. */
void gate_turn(struct loop *loop);
/* Whether it would now; for a loop that is about to sleep. */
bool gate_is_open(struct loop *loop);

#endif
