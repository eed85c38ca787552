// SPDX-License-Identifier: MIT
/*
 * A connection's life and its input side; what answers do is in reply.c.
 *
 * Every turn of a connection has the same three steps: something happens (bytes, a message, time),
 * the session runs and writes, and conn_settle ends it. A connection is closed in conn_settle and
 * nowhere else while it runs, so no function below it finds its connection gone.
 *
 * Input that can't be executed now (incomplete, paused, too many answers waiting, turn used up) is
 * kept in `pending`, which exists only as long as there is something in it. Up to NET_READ_SIZE of
 * it more is read; with more than that, reading stops, which is the whole flow control: the sender
 * finds its socket full. Fewer than 2 * NET_READ_SIZE bytes are kept in any case.
 */
#include "net/conn_priv.h"
#include "net/listener_priv.h"
#include "net/loop_priv.h"
#include "net/net_priv.h"
#include "net/output_priv.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* At most so much of a body in one read: one sender of large bodies does not hold up the loop. */
#define SINK_READ_MAX ((size_t)1 << 20)

/* Unused memory that kept input may have beside it. */
#define PENDING_SLACK ((size_t)1024)

static bool conn_stopped(const struct conn *conn)
{
    return conn->paused || conn->going || conn->finishing || conn->broken || conn_is_held(conn);
}

/* ---- turns ---- */

/* So many others whose turns end with more to do make one's own half as long. */
#define CROWD_HALVES 8u
#define TURN_COMMANDS_MIN 64
#define TURN_OUTPUT_MIN ((size_t)4 * 1024)

/* What a turn costs beside its commands. */
#define TURN_COST 16

/* Returns how many commands it may have. */
static int turn_begin(struct conn *conn)
{
    const struct loop *loop = conn->loop;
    size_t output = NET_TURN_OUTPUT;
    conn->budget = NET_TURN_COMMANDS;
    if (loop->crowd > 0) {
        unsigned crowd = loop->crowd + CROWD_HALVES;
        output = output * CROWD_HALVES / crowd;
        conn->budget = conn->budget * (int)CROWD_HALVES / (int)crowd;
        if (conn->budget < TURN_COMMANDS_MIN)
            conn->budget = TURN_COMMANDS_MIN;
        if (output < TURN_OUTPUT_MIN)
            output = TURN_OUTPUT_MIN;
    }
    conn->out_stop = conn->out.bytes + output;
    if (conn->out_stop > loop->output_high)
        conn->out_stop = loop->output_high;
    return conn->budget;
}

static void turn_end(struct conn *conn, int allowed)
{
    conn->loop->ready_work -= TURN_COST + allowed - conn->budget;
    if (conn->budget < allowed)
        gate_look(conn);
}

/* It has more to do, and did as much as it may at a time. */
static void turn_yield(struct conn *conn)
{
    counter_add(&conn->loop->yields, 1);
    conn->loop->crowd++;
    conn_make_ready(conn);
}

/* Whether its answers have to be read first. What the socket takes doesn't wait: the kernel may
 * take megabytes of a connection's answers, one after the other. */
static bool turn_stalls(struct conn *conn)
{
    if (conn->out.bytes <= conn->loop->output_high)
        return false;
    conn_flush(conn);
    if (!conn->broken && conn->out.bytes > conn->loop->output_high) {
        conn->stalled = true;
        counter_add(&conn->loop->stalls, 1);
    }
    return conn->stalled || conn->broken;
}

/* ---- executing ---- */

void conn_make_ready(struct conn *conn)
{
    MAGIC_CHECK(conn, CONN_MAGIC);
    if (!list_node_linked(&conn->ready))
        list_append(&conn->loop->ready, &conn->ready);
}

/* Moves what belongs to a body there; returns how many bytes of `data` that were. */
static size_t conn_fill_sink(struct conn *conn, const char *data, size_t len)
{
    size_t take = len < conn->sink_left ? len : conn->sink_left;
    if (take > 0)
        memcpy(conn->sink, data, take);
    conn->sink += take;
    conn->sink_left -= take;
    if (conn->sink_left == 0)
        conn->loop->net->protocol->received(conn->session);
    return take;
}

/* Execution ended with input left: why, and what makes it go on. */
static void conn_goes_on(struct conn *conn)
{
    bool over = conn_turn_over(conn);
    if (!conn_stopped(conn) && !turn_stalls(conn) && over)
        turn_yield(conn);
}

/* Executes what can be; returns how many bytes were used. What is left for want of more input, and
 * not because execution stopped, must leave room for more, or nothing would ever be read again. */
static size_t conn_execute(struct conn *conn, const char *data, size_t len)
{
    const struct net_protocol *protocol = conn->loop->net->protocol;
    size_t used = 0;
    int allowed = turn_begin(conn);
    while (used < len && (conn->sink_left > 0 || (!conn_stopped(conn) && !conn->stalled))) {
        if (conn->sink_left > 0) {
            used += conn_fill_sink(conn, data + used, len - used);
            continue;
        }
        size_t n = protocol->input(conn->session, data + used, len - used);
        ASSERT(n <= len - used);
        used += n;
        if (conn->sink_left == 0) {
            conn_goes_on(conn);
            ASSERT(len - used < NET_READ_SIZE || conn_stopped(conn) || conn->stalled ||
                   list_node_linked(&conn->ready));
            break;
        }
    }
    turn_end(conn, allowed);
    return used;
}

/* Keeps what wasn't executed, in place of what was kept before; in memory that fits it. */
static void conn_keep(struct conn *conn, const char *data, size_t len)
{
    if (len == 0 || conn->pending.cap > PENDING_SLACK + 2 * len)
        buf_fini(&conn->pending);
    buf_clear(&conn->pending);
    if (len > 0 && buf_append(&conn->pending, data, len) != 0)
        conn->broken = true;
}

static void conn_run_pending(struct conn *conn)
{
    if (conn->pending.len == 0 || conn_stopped(conn) || conn->stalled)
        return;
    struct buf taken = conn->pending;
    conn->pending = BUF_EMPTY;
    size_t used = conn_execute(conn, taken.data, taken.len);
    conn_keep(conn, taken.data + used, taken.len - used);
    buf_fini(&taken);
}

/* The next part of a command that takes several turns. */
static void conn_run_on(struct conn *conn)
{
    conn->going = false;
    if (conn_stopped(conn) || conn->stalled || turn_stalls(conn)) {
        conn->going = true;
        return;
    }
    int allowed = turn_begin(conn);
    conn->loop->net->protocol->go_on(conn->session);
    turn_end(conn, allowed);
    if (conn->going)
        turn_yield(conn);
    else if (conn->pending.len > 0)
        conn_make_ready(conn);
}

void conn_run_ready(struct conn *conn)
{
    MAGIC_CHECK(conn, CONN_MAGIC);
    if (conn->going)
        conn_run_on(conn);
    else
        conn_run_pending(conn);
    conn_settle(conn);
}

/* ---- reading ---- */

static ssize_t conn_read_sink(struct conn *conn, size_t *behind)
{
    struct loop *loop = conn->loop;
    ASSERT(conn->pending.len == 0);
    bool capped = conn->sink_left > SINK_READ_MAX;
    struct iovec iov[2] = {
        {.iov_base = conn->sink, .iov_len = capped ? SINK_READ_MAX : conn->sink_left},
        {.iov_base = loop->in, .iov_len = NET_READ_SIZE},
    };
    ssize_t n = readv(conn->fd, iov, capped ? 1 : 2);
    *behind = 0;
    if (n <= 0)
        return n;
    size_t in_sink = (size_t)n < conn->sink_left ? (size_t)n : conn->sink_left;
    *behind = (size_t)n - in_sink;
    conn->sink += in_sink;
    conn->sink_left -= in_sink;
    if (conn->sink_left == 0)
        loop->net->protocol->received(conn->session);
    return n;
}

/* One read; what it got, behind what was kept, stands in loop->in, *len bytes. */
static ssize_t conn_read(struct conn *conn, size_t *len)
{
    if (conn->sink_left > 0)
        return conn_read_sink(conn, len);
    char *in = conn->loop->in;
    size_t kept = conn->pending.len;
    ASSERT(kept < NET_READ_SIZE);
    if (kept > 0)
        memcpy(in, conn->pending.data, kept);
    ssize_t n = read(conn->fd, in + kept, NET_READ_SIZE);
    *len = n > 0 ? kept + (size_t)n : 0;
    return n;
}

static void conn_readable(struct conn *conn)
{
    size_t len;
    ssize_t n = conn_read(conn, &len);
    if (n < 0) {
        if (errno != EAGAIN && errno != EINTR)
            conn->broken = true;
        return;
    }
    if (n == 0) {
        conn->eof = conn->peer_closed = true;
        return;
    }
    counter_add(&conn->loop->bytes_in, (uint64_t)n);
    size_t used = conn_execute(conn, conn->loop->in, len);
    conn_keep(conn, conn->loop->in + used, len - used);
}

/* It isn't read from at the moment: has the other side shut its side, or has the socket failed?
 * Then nobody hears an answer any more. */
static void conn_look_closed(struct conn *conn)
{
    struct pollfd look = {.fd = conn->fd, .events = POLLRDHUP};
    if (poll(&look, 1, 0) != 1)
        return;
    if ((look.revents & POLLERR) != 0)
        conn->broken = true;
    else
        conn->peer_closed = true;
}

static void conn_event(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    struct conn *conn = arg;
    MAGIC_CHECK(conn, CONN_MAGIC);
    loop_awake(conn->loop);
    if (what & EV_WRITE)
        conn->write_blocked = false; /* conn_settle writes */
    if (conn->interest & EV_CLOSED)
        conn_look_closed(conn);
    else if ((what & EV_READ) && (!list_node_linked(&conn->ready) || conn->going))
        conn_readable(conn); /* one that waits for its next turn is not read before it */
    struct loop *loop = conn->loop;
    conn_settle(conn);
    /* A put that found a waiting connection of this loop has posted to it: that one is answered now
     * and not after all the others of this turn. */
    inbox_drain(loop);
}

/* ---- the end of a turn ---- */

/* What to wait for, as its state says. */
static short conn_wants(const struct conn *conn)
{
    short wants = 0;
    if (!conn->eof && !conn->finishing && !conn->stalled && conn->pending.len < NET_READ_SIZE)
        wants |= EV_READ;
    if (conn->write_blocked)
        wants |= EV_WRITE;
    /* Edge-triggered, since bytes may wait there unread; with EV_READ, for libevent reports a
     * failed socket as that only. */
    if (wants == 0 && (conn->paused || conn->going) && !conn->peer_closed)
        wants = EV_CLOSED | EV_READ | EV_ET;
    return wants;
}

static void conn_register(struct conn *conn)
{
    short wants = conn_wants(conn);
    if (wants == conn->interest)
        return;
    if (conn->interest != 0)
        (void)event_del(&conn->event);
    conn->interest = wants;
    if (wants == 0)
        return;
    (void)event_assign(&conn->event, conn->loop->base, conn->fd, (short)(wants | EV_PERSIST),
                       conn_event, conn);
    if (event_add(&conn->event, NULL) != 0)
        conn->broken = true;
}

/* The other side sends no more: a session that waits is told, one that has all done is finished. */
static void conn_hangup(struct conn *conn)
{
    const struct net_protocol *protocol = conn->loop->net->protocol;
    /* Again, if it waits for the next thing then. */
    while (conn->peer_closed && conn->paused && !conn->hangup_told && protocol->hangup != NULL) {
        conn->hangup_told = true;
        protocol->hangup(conn->session);
    }
    if (conn->eof && !conn->paused && !conn->going && !conn->stalled && !conn_is_held(conn) &&
        !list_node_linked(&conn->ready))
        conn->finishing = true;
}

void conn_settle(struct conn *conn)
{
    MAGIC_CHECK(conn, CONN_MAGIC);
    conn_hangup(conn);
    conn_flush(conn);
    if (conn->out.bytes > 0)
        outqueue_pack(&conn->out, &conn->loop->pool);
    if (conn->stalled && !conn_is_held(conn) && conn->out.bytes <= conn->loop->output_low) {
        conn->stalled = false;
        conn_make_ready(conn);
    }
    if (!conn->broken)
        conn_register(conn);
    if (conn->broken || (conn->finishing && conn->out.bytes == 0 && !conn_is_held(conn)))
        conn_close(conn);
}

/* ---- life ---- */

static void conn_timer_fired(struct loop_timer *timer)
{
    struct conn *conn = CONTAINER_OF(timer, struct conn_timer, timer)->conn;
    MAGIC_CHECK(conn, CONN_MAGIC);
    if (conn->loop->net->protocol->timeout != NULL)
        conn->loop->net->protocol->timeout(conn->session);
    conn_settle(conn);
}

/* Few connections ever need it. ENOMEM. */
static int conn_timer_make(struct conn *conn)
{
    conn->timer = calloc(1, sizeof(*conn->timer)); /* no magic: never leaves the connection */
    if (conn->timer == NULL)
        return ENOMEM;
    conn->timer->conn = conn;
    timer_init(&conn->timer->timer, conn_timer_fired);
    return 0;
}

void conn_timer_set(struct conn *conn, int64_t deadline_ns)
{
    MAGIC_CHECK(conn, CONN_MAGIC);
    int rc = 0;
    if (conn->timer == NULL && deadline_ns != CLOCK_NEVER)
        rc = conn_timer_make(conn);
    if (rc == 0 && conn->timer != NULL)
        rc = timer_set(conn->loop, &conn->timer->timer, deadline_ns);
    if (rc != 0)
        conn->broken = true;
}

int conn_descriptor(const struct conn *conn)
{
    MAGIC_CHECK(conn, CONN_MAGIC);
    return conn->fd;
}

static struct conn *conn_make(struct loop *loop, int fd)
{
    struct conn *conn = calloc(1, sizeof(struct conn) + loop->net->protocol->session_size);
    if (conn == NULL)
        return NULL;
    MAGIC_INIT(conn, CONN_MAGIC);
    conn->fd = fd;
    conn->loop = loop;
    conn->id = ++loop->last_id;
    conn->asked_ns = clock_now_ns();
    list_node_init(&conn->node);
    list_node_init(&conn->ready);
    list_node_init(&conn->held_node);
    if (idmap_put(&loop->ids, conn->id, conn) != 0) {
        MAGIC_WIPE(conn);
        free(conn);
        return NULL;
    }
    list_append(&loop->conns, &conn->node);
    counter_add(&loop->accepted, 1);
    return conn;
}

/* The descriptor and the memory; the session has been closed, or was never opened. */
static void conn_destroy(struct conn *conn)
{
    struct loop *loop = conn->loop;
    if (conn->interest != 0)
        (void)event_del(&conn->event);
    if (conn->timer != NULL)
        (void)timer_set(loop, &conn->timer->timer, CLOCK_NEVER);
    free(conn->timer);
    list_remove(&conn->ready);
    list_remove(&conn->held_node);
    list_remove(&conn->node);
    (void)idmap_remove(&loop->ids, conn->id);
    outqueue_clear(&conn->out, &loop->pool);
    buf_fini(&conn->pending);
    close(conn->fd);
    counter_add(&loop->closed, 1);
    MAGIC_WIPE(conn);
    free(conn);
    listeners_conn_gone(loop->net);
}

void conn_open(struct loop *loop, int fd)
{
    const struct net_protocol *protocol = loop->net->protocol;
    struct conn *conn = loop->stopping ? NULL : conn_make(loop, fd);
    if (conn == NULL) {
        close(fd);
        listeners_conn_gone(loop->net);
        return;
    }
    if (protocol->open(conn->session, conn, loop->net->arg) != 0) {
        conn_destroy(conn);
        return;
    }
    conn_settle(conn);
}

void conn_close(struct conn *conn)
{
    MAGIC_CHECK(conn, CONN_MAGIC);
    conn->loop->net->protocol->close(conn->session);
    conn_destroy(conn);
}
