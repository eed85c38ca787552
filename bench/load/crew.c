// SPDX-License-Identifier: MIT
/*
 * The loop of a crew. It is made to cost less than any server: level-triggered epoll that is armed
 * once, one large read into a buffer that all links share, one write per link and turn, and a look
 * at the clock per read.
 *
 * Order: after each read all its answers are handed out, then what was appended, to this link or to
 * others, is written before the next link is read. So the time of sending and of reading of every
 * command is that of its own system call, within the time of one turn.
 */
#include "load/crew.h"

#include "base/clock.h"
#include "base/magic.h"
#include "load/answer_priv.h"
#include "load/fault.h"
#include "load/protocol.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define CREW_MAGIC 0xc4e3a001u
#define LINK_MAGIC 0x117ca001u
#define INPUT_SIZE 131072
#define EVENTS 256
#define RING_MIN 8

struct crew *crew_new(const struct address *address, const struct protocol *protocol,
                      size_t max_body, int64_t patience_ns, struct meter *meter)
{
    struct crew *crew = need(calloc(1, sizeof(*crew)));
    MAGIC_INIT(crew, CREW_MAGIC);
    crew->address = address;
    crew->protocol = protocol;
    crew->max_body = max_body;
    crew->meter = meter;
    crew->patience_ns = patience_ns;
    crew->until_ns = CLOCK_NEVER;
    crew->input_size = max_body + INPUT_SIZE;
    crew->input = need(malloc(crew->input_size));
    crew->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (crew->epoll < 0)
        failed("no epoll: %s", strerrordesc_np(errno));
    return crew;
}

static void link_free(struct link **link_p)
{
    struct link *link;
    MAGIC_TAKE(link, link_p, LINK_MAGIC);
    close(link->fd);
    buf_fini(&link->out);
    buf_fini(&link->rest);
    free(link->ring);
    free(link->names);
    MAGIC_WIPE(link);
    free(link);
}

void crew_free(struct crew **crew_p)
{
    struct crew *crew;
    MAGIC_TAKE(crew, crew_p, CREW_MAGIC);
    for (size_t i = 0; i < crew->count; i++)
        link_free(&crew->links[i]);
    free(crew->links);
    free(crew->input);
    close(crew->epoll);
    MAGIC_WIPE(crew);
    free(crew);
}

static void link_watch_events(struct link *link, int how, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = link};
    if (epoll_ctl(link->crew->epoll, how, link->fd, &event) != 0)
        failed("epoll: %s", strerrordesc_np(errno));
}

struct link *crew_add(struct crew *crew)
{
    MAGIC_CHECK(crew, CREW_MAGIC);
    struct link *link = need(calloc(1, sizeof(*link)));
    MAGIC_INIT(link, LINK_MAGIC);
    link->crew = crew;
    link->fd = address_connect(crew->address, true);
    link->index = (uint16_t)crew->count;
    if (crew->count == crew->cap) {
        crew->cap = crew->cap ? 2 * crew->cap : 64;
        crew->links = need(reallocarray(crew->links, crew->cap, sizeof(struct link *)));
    }
    crew->links[crew->count++] = link;
    link_watch_events(link, EPOLL_CTL_ADD, EPOLLIN);
    return link;
}

/* ---- sending ---- */

static void ring_grow(struct link *link)
{
    size_t size = link->ring_size ? 2 * link->ring_size : RING_MIN;
    struct sent *ring = need(calloc(size, sizeof(*ring)));
    for (size_t i = link->tail; i != link->head; i++)
        ring[i & (size - 1)] = link->ring[i & (link->ring_size - 1)];
    free(link->ring);
    link->ring = ring;
    link->ring_size = size;
}

void link_sent(struct link *link, enum ask ask, uint64_t key)
{
    struct crew *crew = link->crew;
    if (link->head - link->tail == link->ring_size)
        ring_grow(link);
    link->ring[link->head++ & (link->ring_size - 1)] = (struct sent){crew->now_ns, key, ask};
    crew->in_flight++;
    if (!link->dirty) {
        link->dirty = true;
        link->next_dirty = crew->dirty;
        crew->dirty = link;
    }
}

void link_put(struct link *link, uint64_t serial, uint32_t pri, uint32_t delay_s, uint32_t ttr_s,
              size_t size)
{
    link->crew->protocol->put(link, serial, pri, delay_s, ttr_s, size);
}

void link_reserve(struct link *link)
{
    link->crew->protocol->reserve(link);
}

void link_delete(struct link *link, uint64_t id, uint64_t key)
{
    link->crew->protocol->delete (link, id, key);
}

_Noreturn static void link_lost(const struct link *link, const char *how)
{
    if (link->head == link->tail)
        wrong("the server closed a connection (%s)", how);
    wrong("the server closed a connection (%s) that waited for the answer to a %s", how,
          ask_verb(link->ring[link->tail & (link->ring_size - 1)].ask));
}

/* Writes as much as goes; asks for EPOLLOUT only while something is left. */
static void link_flush(struct link *link)
{
    while (link->out_sent < link->out.len) {
        ssize_t n =
            write(link->fd, link->out.data + link->out_sent, link->out.len - link->out_sent);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0)
            link_lost(link, strerrordesc_np(errno));
        link->out_sent += (size_t)n;
    }
    bool left = link->out_sent < link->out.len;
    if (!left) {
        buf_clear(&link->out);
        link->out_sent = 0;
    }
    if (left != link->waiting) {
        link->waiting = left;
        link_watch_events(link, EPOLL_CTL_MOD, left ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
}

void crew_flush(struct crew *crew)
{
    while (crew->dirty != NULL) {
        struct link *link = crew->dirty;
        crew->dirty = link->next_dirty;
        link->dirty = false;
        if (!link->waiting)
            link_flush(link);
    }
}

/* ---- answers ---- */

/* Hands out the complete answers of `input`; returns how many bytes they were. */
static size_t link_answers(struct link *link, const char *input, size_t len)
{
    struct crew *crew = link->crew;
    struct meter *meter = crew->meter;
    struct reply reply = {.now_ns = crew->now_ns};
    size_t max_body = crew->max_body, at = 0;
    uint64_t count = 0;
    bool timed = meter->running && !meter->sections[meter->count].own_times;
    while (at < len) {
        if (link->head == link->tail)
            wrong("the server sent %zu bytes that nobody asked for", len - at);
        struct sent sent = link->ring[link->tail & (link->ring_size - 1)];
        size_t used = crew->protocol->answer(&sent, input + at, len - at, max_body, &reply);
        if (used == 0)
            break;
        at += used;
        link->tail++;
        crew->in_flight--;
        count++;
        if (timed)
            meter_time(meter, reply.now_ns - sent.at_ns);
        crew->answer(crew, link, &sent, &reply);
    }
    meter_answered(meter, count, crew->now_ns);
    return at;
}

static void link_read(struct link *link)
{
    struct crew *crew = link->crew;
    size_t room, len;
    ssize_t n;
    do {
        size_t kept = link->rest.len;
        memcpy(crew->input, link->rest.data != NULL ? link->rest.data : "", kept);
        room = crew->input_size - kept;
        n = read(link->fd, crew->input + kept, room);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0)
            link_lost(link, n == 0 ? "end of file" : strerrordesc_np(errno));
        crew->now_ns = clock_now_ns();
        len = kept + (size_t)n;
        size_t used = link_answers(link, crew->input, len);
        buf_clear(&link->rest);
        need_done(buf_append(&link->rest, crew->input + used, len - used));
    } while ((size_t)n == room);
}

_Noreturn static void crew_impatient(const struct crew *crew)
{
    for (size_t i = 0; i < crew->count; i++) {
        const struct link *link = crew->links[i];
        if (link->head != link->tail)
            wrong("nothing came for %" PRId64 " s; %" PRIu64
                  " answers are owed, the first one to a %s",
                  crew->patience_ns / 1000000000, crew->in_flight,
                  ask_verb(link->ring[link->tail & (link->ring_size - 1)].ask));
    }
    wrong("nothing came for %" PRId64 " s", crew->patience_ns / 1000000000);
}

/* How long to wait for the next answer, in ms. */
static int crew_timeout(const struct crew *crew)
{
    if (crew->until_ns == CLOCK_NEVER)
        return (int)(crew->patience_ns / 1000000);
    int64_t left_ns = crew->until_ns - clock_now_ns();
    return left_ns > 0 ? (int)(left_ns / 1000000) + 1 : 0;
}

void crew_run(struct crew *crew, crew_answer *answer)
{
    struct epoll_event events[EVENTS];
    MAGIC_CHECK(crew, CREW_MAGIC);
    crew->answer = answer;
    crew->stop = false;
    crew->now_ns = clock_now_ns();
    crew_flush(crew);
    while (crew->in_flight > 0 && !crew->stop) {
        int count = epoll_wait(crew->epoll, events, EVENTS, crew_timeout(crew));
        if (count < 0 && errno != EINTR)
            failed("epoll: %s", strerrordesc_np(errno));
        if (count == 0 && crew->until_ns == CLOCK_NEVER)
            crew_impatient(crew);
        if (crew->until_ns != CLOCK_NEVER && clock_now_ns() >= crew->until_ns)
            return;
        for (int i = 0; i < count && !crew->stop; i++) {
            struct link *link = events[i].data.ptr;
            if (events[i].events & EPOLLOUT)
                link_flush(link);
            if (events[i].events & ~(uint32_t)EPOLLOUT)
                link_read(link);
            crew_flush(crew);
        }
    }
}
