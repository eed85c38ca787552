// SPDX-License-Identifier: MIT
/*
 * The network: event loops, listeners, connections; the only user of libevent's core.
 *
 * A connection belongs to one loop, and so to one thread, for life. What is said on it is the
 * business of a protocol: a const method table whose functions run on the loop's thread only.
 * Other threads reach a connection through its loop's inbox (loop_post).
 *
 * The hot path, in the order of one turn: one read of up to NET_READ_SIZE bytes into the loop's
 * buffer, as many calls of the protocol's `input` as there are complete commands, one write of all
 * the answers. Bytes that are no complete command yet are kept with the connection, in memory that
 * goes back as soon as they are used. Nothing in a turn touches epoll: reading is level-triggered
 * and stays registered, writing is asked for only after the socket took no more.
 *
 * Ceilings: a connection doesn't execute while more than output_max bytes of answers wait, which
 * then take little more memory than they have bytes (outqueue_pack), and isn't read from while it
 * doesn't execute and NET_READ_SIZE bytes wait. A turn ends by work: after NET_TURN_COMMANDS small
 * commands, or what costs as much (conn_charge), or NET_TURN_OUTPUT bytes of answers, the others of
 * the loop go first; and the more of them have as much to do, the shorter turns are. So who asks
 * for little waits for a few milliseconds, whatever others ask for.
 */
#ifndef NET_NET_H
#define NET_NET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define NET_READ_SIZE ((size_t)64 * 1024)
#define NET_OUTPUT_HIGH ((size_t)256 * 1024) /* output_max where none is given */
/* A small command takes about half a microsecond. Bodies are written from where they are, so bytes
 * of answers are cheap, too. */
#define NET_TURN_COMMANDS 512
#define NET_TURN_OUTPUT ((size_t)64 * 1024)
#define NET_LOOPS_MAX 64

struct net;
struct loop;
struct conn;

/* ---- the protocol: what runs on connections ---- */

/* Every entry but `go_on`, `hangup`, `timeout` is mandatory. All run on the loop's thread. */
struct net_protocol {
    const char *name;
    /* What a caller is told for whom there is no place; NULL: nothing. */
    const char *refusal;
    /* Bytes of session memory that each connection gets, zeroed; handed to the other functions. */
    size_t session_size;
    /* A connection came. Not 0: it is closed at once, `close` is not called. `arg`: net_new's. */
    int (*open)(void *session, struct conn *conn, void *arg);
    /*
     * Executes the complete commands at the front of `data`, while conn_may_run, and returns how
     * many bytes are done with. The rest comes again, with what arrived since behind it. At most
     * NET_READ_SIZE bytes may be left unused for want of more input; a protocol whose unit is
     * longer uses conn_receive. `data` is valid during the call only.
     */
    size_t (*input)(void *session, const char *data, size_t len);
    /* The memory of conn_receive is full. */
    void (*received)(void *session);
    /* The next part of what conn_go_on was called for. */
    void (*go_on)(void *session);
    /* The other side sends no more. Called once, while the connection is paused, or when all input
     * was given to `input`; after the latter it is closed unless the call paused it. */
    void (*hangup)(void *session);
    /* The time of conn_timer_set has come. */
    void (*timeout)(void *session);
    /* The connection is gone; `conn` must not be used any more. Called once for each good open. */
    void (*close)(void *session);
};

/* ---- the gate: answers that must wait ---- */

/*
 * An answer may depend on something that is still being done (a commit). conn_hold_until keeps
 * everything that a connection wrote, and stops executing its commands, until certain numbers are
 * reached; what the numbers count is the gate's business, there are NET_GATE_LINES independent
 * ones, and they only rise.
 */
#define NET_GATE_LINES 2

struct net_mark {
    uint64_t line[NET_GATE_LINES]; /* 0: doesn't matter */
};

struct net_turn {
    struct net_mark mark; /* the furthest that any connection waits for */
    bool more;            /* it may say false, since the last such look was worth it */
    /* Another connection of the loop has been answered in the last NET_BYSTANDER_NS, and hasn't
     * been held, or come, or called conn_asks, for as long before: it looks, and waits for nothing
     * that the gate does. It shouldn't be made to wait for that. */
    bool bystander;
};

#define NET_BYSTANDER_NS INT64_C(10000000000)

/* Both entries are mandatory. */
struct net_gate {
    /*
     * How far it is. Any loop's thread, often: no lock, no system call. Not 0: what isn't reached
     * now never will be; the connections that wait for it are closed without their answers, for
     * whether those are true isn't known.
     */
    int (*reached)(struct net_mark *mark, void *arg);
    /*
     * At the end of a loop's turn in which connections are held for more than is reached. true: it
     * sees to it that it will be reached, here and now (it may block, but not for a bystander's
     * time) or by another thread, who then calls net_reached. false: it would rather do that for
     * more connections at once; the loop handles what is ready now, without sleeping, and asks
     * again.
     */
    bool (*turn_end)(const struct net_turn *turn, void *arg);
};

/* ---- the whole ---- */

/* Of connections_max (a quarter at most), for Unix sockets; and of these (likewise), for root and
 * the user of this process. */
#define NET_PLACES_LOCAL 64
#define NET_PLACES_OWN 16

struct net_settings {
    unsigned loops;         /* threads io-0 ...; 0: 1 */
    size_t connections_max; /* 0: no limit but the descriptors */
    size_t output_max;      /* bytes of answers that wait, past which a connection doesn't execute;
                               0: NET_OUTPUT_HIGH */
    const struct net_gate *gate; /* NULL: no answer ever waits */
    void *gate_arg;
};

/* Loops, not running. `protocol` and `arg` must outlive it. EINVAL: too many loops. ENOMEM, EMFILE.
 */
int net_new(struct net **out, const struct net_settings *settings,
            const struct net_protocol *protocol, void *arg);

/* A sentence for people: what failed, where, and what would help. */
struct net_error {
    char text[512];
};

/* Who is going to serve at a socket. */
struct net_owner {
    uid_t uid;
    gid_t gid;  /* the socket's group, with `give` or `share` */
    bool give;  /* that user isn't the one of this process, which is root's */
    bool share; /* a group of others that are to reach it; without it the start goes on, and says so
                 */
};

/*
 * A Unix socket. A stale file (a killed daemon's) is replaced; `path`.lock, held as long as the
 * listener lives, makes that safe against two starting at once. EADDRINUSE: somebody listens there.
 * EEXIST: what is there is no socket. EACCES: its directory isn't to be trusted (base/trusted.h).
 * ENAMETOOLONG. Others as from the system. `mode`: who may connect (0660); the umask doesn't
 * matter. Between net_new and net_start, with nobody else making files by name.
 */
int net_listen_unix_for(struct net *net, const char *path, mode_t mode,
                        const struct net_owner *owner, struct net_error *error);
/* The same for the user of this process. */
int net_listen_unix(struct net *net, const char *path, mode_t mode, struct net_error *error);

/*
 * TCP. `host`: a numeric address or a name ("127.0.0.1", "::1", "localhost"), the first result is
 * taken; NULL or "": every address. `port` 0: any free one. EADDRINUSE: the error names who listens
 * there, as far as it can be found out. EINVAL: no such host.
 */
int net_listen_tcp(struct net *net, const char *host, uint16_t port, struct net_error *error);

/* Listener number `index`, in order of making, for people and tests: "unix:PATH" or
 * "127.0.0.1:11300" with the real port. NULL: there is none. */
const char *net_listener_name(const struct net *net, size_t index);
/* The port a TCP listener got; 0 for others. */
uint16_t net_listener_port(const struct net *net, size_t index);

/* Starts the threads; connections are accepted from here on. Once. EAGAIN: no more threads. */
int net_start(struct net *net);

/* No new connections; the listeners close and their socket files go. The others stay. Idempotent.
 */
void net_stop_listening(struct net *net);

/*
 * Ends: stops listening; nothing more is read or executed; answers already given are written as
 * long as `grace_ns` allows; then every connection is closed and the threads are joined.
 */
void net_stop(struct net *net, int64_t grace_ns);
/* Not started, or stopped. */
void net_free(struct net **net);

/* The gate's numbers have risen, or the gate has failed: loops that sleep and hold connections look
 * at it. From any thread, until net_free. */
void net_reached(struct net *net);

struct net_stats {
    uint64_t connections;   /* open now */
    uint64_t accepted;      /* since the start */
    uint64_t accept_pauses; /* how often memory or descriptors ran out */
    uint64_t refused;       /* for want of a place */
    uint64_t bytes_in, bytes_out;
    uint64_t turns;  /* of all loops */
    uint64_t yields; /* a turn ended with more to do */
    uint64_t stalls; /* execution paused, because answers were not read */
    uint64_t holds;  /* a connection was held by the gate */
};
/* From any thread. */
void net_stats(const struct net *net, struct net_stats *out);
unsigned net_loop_count(const struct net *net);

/* ---- one connection; on its loop's thread only ---- */

/*
 * Answers. They are collected and written at the end of the turn. None of these fails: if memory
 * runs out the connection is closed, and what is written to it goes nowhere.
 */
void conn_write(struct conn *conn, const void *bytes, size_t len);
/* At least `size` (at most CONN_SPACE_MAX) bytes to write into, and then how many of them were
 * used. */
#define CONN_SPACE_MAX 1024
char *conn_space(struct conn *conn, size_t size);
void conn_space_used(struct conn *conn, size_t len);
/* Without copying: `release(arg)` is called once `data` isn't needed any more, possibly at once. */
void conn_write_ref(struct conn *conn, const void *data, size_t len, void (*release)(void *arg),
                    void *arg);

/* How many bytes of answers may wait before nothing more is executed. */
size_t conn_output_max(const struct conn *conn);

/* Whether `input` may execute one (more) command now; asked once before each. */
bool conn_may_run(struct conn *conn);
/* Whether its turn isn't over yet: for who does more in it than a command. */
bool conn_has_turn(const struct conn *conn);
/* That one cost as much as so many small ones more: the turn is over so much earlier. */
void conn_charge(struct conn *conn, size_t commands);

/*
 * The command that runs has more to do, or to say: `go_on` is called once in the connection's next
 * turn, or in the first one that has room in its output, and may call this again. No calls of
 * `input` before it returned without. A part should be worth a turn at most.
 */
void conn_go_on(struct conn *conn);

/*
 * From `input`: the next `len` bytes behind what this call returns as used go to `memory` and not
 * to `input`, then `received` is called. The memory must stay until then or until `close`.
 */
void conn_receive(struct conn *conn, void *memory, size_t len);

/* No calls of `input` until conn_resume: the answer to a command will come later. */
void conn_pause(struct conn *conn);
void conn_resume(struct conn *conn);

/*
 * Nothing that was written so far goes out, and nothing more is executed, until the gate has
 * reached the mark. Called again while it is held: until both are. For connections of a net with a
 * gate.
 */
void conn_hold_until(struct conn *conn, const struct net_mark *mark);

/* It works with what the gate does, though what it did now needn't wait: it is no bystander. */
void conn_asks(struct conn *conn);

/* Closes it when everything written so far is out; nothing more is executed. */
void conn_finish(struct conn *conn);

/* One timer: `timeout` is called at that time (clock_now_ns); CLOCK_NEVER: not. */
void conn_timer_set(struct conn *conn, int64_t deadline_ns);

/* Who connected, of a Unix socket. EOPNOTSUPP: it is none, so nobody knows. Others as the system
 * says. */
int conn_peer_uid(const struct conn *conn, uid_t *uid);

/* Its socket, for asking the kernel about it, and for nothing else. */
int conn_descriptor(const struct conn *conn);

/* Which loop: 0 .. net_loop_count - 1; for counters with one writer. */
unsigned conn_loop_index(const struct conn *conn);

/* ---- from other threads ---- */

/* Names a connection beyond its life: a number that isn't given to another one. */
struct conn_handle {
    struct loop *loop;
    uint64_t id;
};
struct conn_handle conn_get_handle(const struct conn *conn);

/*
 * Calls deliver on the loop's thread, in order of posting, with the session, or with NULL if the
 * connection is gone. Memory is the poster's, who gets it back with deliver. From any thread. The
 * loop must be held: see below.
 */
struct loop_message {
    struct loop_message *next; /* the inbox's */
    struct conn_handle to;
    void (*deliver)(struct loop_message *message, void *session);
};
void loop_post(struct loop_message *message);

/*
 * A loop that is told to stop goes on until nobody holds it any more: who may post later takes a
 * hold on the loop's own thread, and drops it there too, in `deliver` or when nothing will come.
 */
void loop_hold(struct conn_handle handle);
void loop_drop(struct conn_handle handle);

#endif
