// SPDX-License-Identifier: MIT
/*
 * The connections of the random producers and consumers: see actors.h. One thread serves them all;
 * a command is put on its connection's list when it is made, and its answer, in order, tells the
 * oracle (deeds.c). When the daemon dies, what it had said before still counts: a socket keeps it.
 */
#include "actors.h"

#include "base/clock.h"

#include <hilera/thread.h>

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LIVE_MAX 500
#define COUNT_EVERY 128 /* answers between two counts of the live jobs */
#define LOOK_BACK 400   /* puts that may be unanswered yet */

/* ---- answers ---- */

/* Somebody reserved it before its put was answered. */
static struct job *job_by_body(struct oracle *oracle, const char *body, size_t len)
{
    struct job *found = NULL;
    size_t least = oracle->job_count > LOOK_BACK ? oracle->job_count - LOOK_BACK : 0;
    for (size_t i = oracle->job_count; i > least; i--) {
        struct job *job = oracle->jobs[i - 1];
        if (job->id != 0 || job->claims == 0 || !body_is(body, len, job->serial, job->size))
            continue;
        if (found != NULL)
            return NULL; /* several look the same: short ones */
        found = job;
    }
    return found;
}

/* The lease that a RESERVED or RESERVED_TOKEN tells of, and where the body begins. */
static struct ticket ticket_read(const struct buf *reply, const char **body, size_t *len)
{
    struct ticket ticket = {0};
    bool read = sscanf(reply->data, "RESERVED %" SCNu64 " %zu", &ticket.id, len) == 2 ||
                sscanf(reply->data, "RESERVED_TOKEN %" SCNu64 " %" SCNu64 " %zu", &ticket.id,
                       &ticket.token, len) == 3;
    if (!read)
        fail("not an answer: %.60s", reply->data);
    *body = reply->data + reply->len - 2 - *len;
    return ticket;
}

static void reserved(struct actors *actors, struct actor *actor, const struct buf *reply)
{
    const char *body;
    size_t len;
    struct oracle *oracle = actors->oracle;
    struct ticket ticket = ticket_read(reply, &body, &len);
    struct job *job = oracle_job(oracle, ticket.id);
    if (job == NULL && (job = job_by_body(oracle, body, len)) != NULL)
        oracle_told(oracle, job, ticket.id);
    if (strncmp(reply->data, "RESERVED_TOKEN", 14) == 0)
        oracle_ticket(oracle, ticket.id, ticket.token, job != NULL);
    if (job == NULL) {
        oracle->strays++;
        return;
    }
    if (!body_is(body, len, job->serial, job->size))
        fail("job %" PRIu64 " was reserved with another body than that of put %" PRIu64, job->id,
             job->serial);
    /* With a short TTR a lease may be over before its answer is read. Where the connection was
     * closed by the daemon, the answer may be older than what others have been told of the job
     * since, which went back with the connection. */
    bool in_order = !actor->wire.ended;
    if (in_order && job_is(job, FATE_GONE) && job->claims == 0 && job->ttr > 1)
        fail("job %" PRIu64 " was reserved after it was deleted", job->id);
    if (in_order)
        lease_broken(job, ticket.token != 0 ? "was handed out with a token" : "was handed out");
    job->lease.sure = false;
    if (ticket.token != 0)
        lease_told(oracle, job, ticket.token);
    job->reserves++;
    job->leased = true;
    if (actor->held_count < HELD_MAX)
        actor->held[actor->held_count++] = ticket;
}

/*
 * Behind RESERVED_BATCH come so many answers as to a reserve. A job whose body there was no memory
 * to read is left out of a batch and goes back, and its reserve stays counted.
 */
static void batch_begins(struct oracle *oracle, struct actor *actor, const struct buf *reply)
{
    struct op *op = &actor->ops[0];
    uint32_t count = (uint32_t)strtoul(reply->data + strlen("RESERVED_BATCH "), NULL, 10);
    if (count == 0 || count > op->bound)
        fail("%" PRIu32 " jobs asked for: %.60s", op->bound, reply->data);
    if (oracle->starves)
        oracle->strays += op->bound - count;
    *op = (struct op){.deed = DEED_RESERVE, .bound = count};
}

static void token_spent(struct actor *actor, const struct op *op)
{
    actor->spent[actor->spent_count++ % SPENT_MAX] =
        (struct ticket){.id = op->job->id, .token = op->token};
}

static void op_drop(struct actor *actor)
{
    struct op *op = &actor->ops[0];
    if (op->deed == DEED_RESERVE && op->bound > 1) {
        op->bound--;
        return;
    }
    actor->op_count--;
    memmove(op, op + 1, actor->op_count * sizeof(*op));
}

static void answered(struct actors *actors, struct actor *actor, const struct buf *reply)
{
    if (actor->op_count == 0)
        fail("nobody asked for \"%.60s\"", reply->data);
    struct op op = actor->ops[0];
    enum deed_result result = deed_answered(actors->oracle, &op, reply->data);
    if (result == DEED_DONE && op.deed == DEED_RESERVE_BATCH) {
        batch_begins(actors->oracle, actor, reply);
        return;
    }
    op_drop(actor);
    if (result == DEED_DONE && deed_reserves(op.deed))
        reserved(actors, actor, reply);
    else if (result == DEED_DONE && op.token != 0 && op.job != NULL)
        token_spent(actor, &op);
    actors->answers += op.deed != DEED_NONE;
    actors->refused += result == DEED_REFUSED;
    actors->doubtful += result == DEED_DOUBTFUL;
}

static void hear(struct actors *actors, struct actor *actor)
{
    struct buf reply = BUF_EMPTY;
    size_t len;
    wire_fill(&actor->wire);
    while ((len = wire_reply_len(&actor->wire)) > 0) {
        buf_clear(&reply);
        if (buf_append(&reply, actor->wire.in.data, len) != 0)
            fail("no memory");
        buf_consume(&actor->wire.in, len);
        answered(actors, actor, &reply);
    }
    buf_fini(&reply);
}

/* ---- connections ---- */

int line_open(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if ((size_t)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path) >=
        sizeof(address.sun_path))
        fail("%s: too long for a socket", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        fail("socket: %s", strerror(errno));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

bool line_say(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t some = send(fd, bytes, len, MSG_NOSIGNAL);
        if (some <= 0)
            return false;
        bytes += some;
        len -= (size_t)some;
    }
    return true;
}

static void flush(struct actor *actor)
{
    while (actor->out.len > 0 && !actor->wire.ended) {
        ssize_t some =
            send(actor->wire.fd, actor->out.data, actor->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (some < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (some < 0)
            return; /* reading finds the end, after what was said before */
        buf_consume(&actor->out, (size_t)some);
    }
}

/* Leases of earlier lives are some connection's, too; in a connection's own tube that one's. */
static void leases_inherit(struct actors *actors)
{
    struct oracle *oracle = actors->oracle;
    for (size_t i = 0; i < oracle->good_count; i++) {
        const struct job *job = oracle_job(oracle, oracle->good[i].id);
        if (job == NULL || job->stone || job->fate_count != 1 || job_is(job, FATE_GONE))
            continue;
        int own = job->fates[0].tube - TUBE_OWN;
        struct actor *actor = &actors->actor[own >= 0 ? own : (int)oracle_below(oracle, ACTORS)];
        if (actor->held_count < HELD_MAX / 2)
            actor->held[actor->held_count++] = oracle->good[i];
    }
}

bool actors_start(struct actors *actors, struct oracle *oracle, const char *socket)
{
    *actors = (struct actors){.oracle = oracle, .live_max = LIVE_MAX};
    bool all = true;
    for (int i = 0; i < ACTORS; i++) {
        struct actor *actor = &actors->actor[i];
        actor->index = i;
        actor->depth = 1 + (unsigned)oracle_below(oracle, DEPTH_MAX);
        actor->wire = (struct wire){.fd = line_open(socket), .in = BUF_EMPTY};
        buf_init(&actor->out);
        actor->wire.ended = actor->wire.fd < 0;
        all = all && !actor->wire.ended;
        if (!actor->wire.ended)
            command_begin(actors, actor);
    }
    leases_inherit(actors);
    return all;
}

/* ---- acting ---- */

static void live_count(struct actors *actors)
{
    actors->live = 0;
    for (size_t i = 0; i < actors->oracle->job_count; i++)
        actors->live += !job_is(actors->oracle->jobs[i], FATE_GONE);
}

/* Until something can be read or written, or the moment. */
static void actors_wait(struct actors *actors, int64_t until_ns)
{
    struct pollfd ready[ACTORS];
    int64_t left_ns = until_ns - clock_now_ns();
    struct timespec left = {.tv_sec = left_ns / HL_SECOND, .tv_nsec = left_ns % HL_SECOND};
    for (int i = 0; i < ACTORS; i++) {
        const struct actor *actor = &actors->actor[i];
        ready[i] = (struct pollfd){.fd = actor->wire.fd, .events = POLLIN};
        if (actor->out.len > 0)
            ready[i].events |= POLLOUT;
    }
    if (left_ns > 0)
        (void)ppoll(ready, ACTORS, &left, NULL);
}

bool actors_run(struct actors *actors, int64_t until_ns, uint64_t answers)
{
    uint64_t counted = 0;
    while (clock_now_ns() < until_ns && actors->answers < answers) {
        if (actors->answers >= counted) {
            live_count(actors);
            counted = actors->answers + COUNT_EVERY;
        }
        for (int i = 0; i < ACTORS; i++) {
            struct actor *actor = &actors->actor[i];
            if (actor->wire.ended)
                return false;
            while (actor->op_count < actor->depth)
                command_make(actors, actor);
            flush(actor);
        }
        actors_wait(actors, until_ns);
        for (int i = 0; i < ACTORS; i++)
            hear(actors, &actors->actor[i]);
    }
    return true;
}

void actors_stop(struct actors *actors)
{
    for (int i = 0; i < ACTORS; i++)
        if (actors->actor[i].wire.fd >= 0)
            hear(actors, &actors->actor[i]);
    for (int i = 0; i < ACTORS; i++) {
        struct actor *actor = &actors->actor[i];
        for (unsigned k = 0; k < actor->op_count; k++)
            deed_doubt(actors->oracle, &actor->ops[k]);
        actor->op_count = 0;
        if (actor->wire.fd >= 0)
            wire_close(&actor->wire);
        buf_fini(&actor->out);
    }
}
