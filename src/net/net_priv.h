// SPDX-License-Identifier: MIT
/*
 * What the files of net share: the loop, the connection, the listener, and who may touch which
 * part.
 *
 * Everything belongs to one loop's thread, except what is marked "shared": the inbox, the wake
 * flag, counters (written by the loop, read by anybody), and what net_new fixed for good.
 */
#ifndef NET_NET_PRIV_H
#define NET_NET_PRIV_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/log.h"
#include "base/magic.h"
#include "base/map.h"
#include "net/net.h"
#include "thr/thr.h"

#include <event2/event.h>
#include <event2/event_struct.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

/* ---- output.c: answers that wait to be written ---- */

/* One run of bytes: its own (up to cap, behind the struct), or somebody else's with a release. */
struct outseg {
    struct outseg *next;
    const char *data; /* what is not written yet */
    size_t len;
    size_t cap;  /* 0: somebody else's memory */
    size_t held; /* bytes of memory that go when it goes */
    void (*release)(void *arg);
    void *arg;
    char bytes[];
};

/* Segments of the usual size that a loop keeps for its connections. */
struct outpool {
    struct outseg *free;
    size_t free_count;
};

struct outqueue {
    struct outseg *head, *tail;
    size_t bytes; /* that wait, in all segments */
    size_t held;  /* of memory, by all segments */
};

void outpool_fini(struct outpool *pool);
/* All of these: ENOMEM, with nothing added. */
int outqueue_append(struct outqueue *queue, struct outpool *pool, const void *bytes, size_t len);
int outqueue_append_ref(struct outqueue *queue, struct outpool *pool, const void *data, size_t len,
                        void (*release)(void *arg), void *arg);
/* Room for `size` bytes in one piece; NULL: no memory. _used adds what was written there. */
char *outqueue_space(struct outqueue *queue, struct outpool *pool, size_t size);
void outqueue_used(struct outqueue *queue, size_t len);
/* Writes what the socket takes. 0: all of it. EAGAIN: it takes no more now. Others: it is dead. */
int outqueue_flush(struct outqueue *queue, struct outpool *pool, int fd, size_t *written);
/* For who has to wait: what is held becomes about as much as the bytes that wait. */
void outqueue_pack(struct outqueue *queue, struct outpool *pool);
void outqueue_clear(struct outqueue *queue, struct outpool *pool);

/* ---- timers.c ---- */

struct loop_timer {
    int64_t at_ns;
    size_t pos; /* HEAP_NOWHERE: not set */
    void (*fire)(struct loop_timer *timer);
};

void timer_init(struct loop_timer *timer, void (*fire)(struct loop_timer *timer));
/* CLOCK_NEVER unsets. ENOMEM. */
int timer_set(struct loop *loop, struct loop_timer *timer, int64_t at_ns);

int timers_init(struct loop *loop);
void timers_fini(struct loop *loop);
/* Fires what is due. */
void timers_run(struct loop *loop);
/* Before sleeping: makes libevent wake the loop for the earliest. */
void timers_arm(struct loop *loop);

/* ---- inbox.c ---- */

int inbox_init(struct loop *loop);
void inbox_fini(struct loop *loop);
/* Delivers what is there. */
void inbox_drain(struct loop *loop);
/* Says that the loop is going to sleep; false: don't, something has come. */
bool inbox_may_sleep(struct loop *loop);
/* Wakes the loop in any case. From any thread. */
void inbox_ring(struct loop *loop);

/* ---- loop.c ---- */

#define LOOP_MAGIC 0x10093e01u

struct loop {
    unsigned magic;
    unsigned index;
    struct net *net;
    char name[16];
    hl_thread *thread;
    struct event_base *base;
    char *in; /* 2 * NET_READ_SIZE: what a connection kept, and what is read behind it */
    char scratch[CONN_SPACE_MAX]; /* where writes go that have no memory */
    struct outpool pool;
    struct list conns; /* of conn.node */
    struct list ready; /* of conn.ready: have input to execute without waiting for more */
    struct list_node
        ready_last;   /* behind those who were there when a turn began; others come behind */
    struct idmap ids; /* conn.id -> conn */
    uint64_t last_id;
    struct heap timers;
    struct event *tick; /* libevent's timer for the earliest of them */
    int64_t tick_at_ns;
    size_t holds;
    struct list held;     /* of conn.held_node: wait for the gate */
    struct net_mark want; /* the furthest of them; at least what they wait for */
    unsigned crowd;       /* turns that ended with more to do, lately */
    int ready_work;       /* commands that may still be executed for `ready` in this turn */
    bool gathering;       /* the gate wants one more look at the sockets before it does anything */
    unsigned looks;       /* it has had in a row */
    uint64_t looked_at;   /* held_count at the last look */
    int64_t now_ns;       /* clock_now_ns of this turn; 0: not looked at yet */
    int64_t bystander_ns; /* when a bystander was answered last; 0: never */
    size_t output_high;   /* net_settings.output_max */
    size_t output_low;    /* a reader that was too slow gets more when no more than this waits */
    bool asleep;          /* as `sleeping`, but nobody else clears it */
    bool stopping;
    struct loop_timer stop_timer;
    struct loop_message stop_message;
    int64_t stop_grace_ns;

    /* shared */
    _Atomic(struct loop_message *) inbox;
    atomic_bool sleeping;
    atomic_bool gated;   /* it holds connections */
    atomic_uint posters; /* threads inside loop_post */
    int wake_fd;
    struct event *wake_event;
    struct list_node registry_node; /* covered by the lock class loops */
    struct counter accepted, closed, bytes_in, bytes_out, turns, yields, stalls, held_count;
};

int loop_new(struct loop **out, struct net *net, unsigned index);
void loop_free(struct loop **loop);
int loop_start(struct loop *loop);
/* From another thread. */
void loop_stop(struct loop *loop, int64_t grace_ns);
void loop_join(struct loop *loop);

/* First thing in every callback of libevent: it isn't asleep any more. */
static inline void loop_awake(struct loop *loop)
{
    if (loop->asleep) {
        loop->asleep = false;
        loop->now_ns = 0;
        atomic_store(&loop->sleeping, false);
        hl_thread_wait_end();
    }
}

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

/* ---- listener.c ---- */

#define LISTENER_MAGIC 0x115731e3u

struct listener {
    unsigned magic;
    int fd;
    int directory; /* Unix: where the socket is; -1 */
    int lock_fd;   /* Unix: of path.lock; -1 */
    uint16_t port;
    bool tcp;
    dev_t dev; /* Unix: of the socket file we made */
    ino_t ino;
    struct net *net;
    struct event *event;
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    char name[160];
};

/* An open descriptor that listens becomes number net->listener_count. Takes `listener` over. */
int listener_add(struct net *net, struct listener **listener, struct net_error *error);
int listener_new(struct listener **out);
/* Closes it and removes its socket file. */
void listener_free(struct listener **listener);
/* On loop 0's thread, or before it runs. */
void listeners_accept(struct net *net);
void listeners_stop(struct net *net);
/* A connection that was accepted is closed, its descriptor given back; from any loop. */
void listeners_conn_gone(struct net *net);

/* ---- unixsock.c, tcpsock.c, occupant.c ---- */

/* text = format. Returns `rc`. */
int net_fail(struct net_error *error, int rc, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void unixsock_remove(struct listener *listener);
/* Who listens at that address: "beanstalkd (pid 77), which answers as beanstalkd 1.13", or "". */
void occupant_describe(const struct sockaddr *addr, socklen_t len, char *text, size_t size);
/* The same for a Unix socket that was just connected to. */
void occupant_describe_peer(int fd, char *text, size_t size);

/* ---- net.c ---- */

#define NET_MAGIC 0x2e7f0004u
#define NET_LISTENERS_MAX 32

struct net {
    unsigned magic;
    struct net_settings settings;
    const struct net_protocol *protocol;
    void *arg;
    struct loop *loops[NET_LOOPS_MAX];
    unsigned loop_count;
    struct listener *listeners[NET_LISTENERS_MAX];
    size_t listener_count;
    bool started, stopped;

    /* accepting, on loop 0's thread */
    bool accepting, accept_paused;
    struct loop_timer accept_timer;
    struct log_limit accept_log;
    int spare_fd; /* -1: none */
    struct loop_message stop_listening;
    hl_event *listening_stopped;

    /* shared */
    struct loop_message retry;
    atomic_bool retry_wanted, retry_posted;
    _Atomic uint64_t connections;
    struct counter accept_pauses, refused; /* loop 0 */
};

#endif
