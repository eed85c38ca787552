// SPDX-License-Identifier: MIT
/*
 * Connections under load: a crew is an epoll loop with its links; a link is a connection with the
 * commands in flight on it. Commands are appended to a link and leave with one write; the answers
 * of one read are matched with the commands in their order and handed to the crew's `answer`, which
 * appends the next commands.
 *
 * One thread. Every answer is parsed whole; one that its command can't get ends the run.
 */
#ifndef LOAD_CREW_H
#define LOAD_CREW_H

#include "base/buf.h"
#include "load/address.h"
#include "load/meter.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ask {
#define ASK(name, verb, word, behind) ASK_##name,
#include "load/asks.def"
#undef ASK
};

enum word {
    WORD_GOOD,          /* the word that asks.def names */
    WORD_TIMED_OUT,     /* of a reserve */
    WORD_DEADLINE_SOON, /* of a reserve */
};

/* A command whose answer is still to come. */
struct sent {
    int64_t at_ns;
    uint64_t key; /* the sender's */
    uint8_t ask;
};

struct reply {
    enum word word;
    int64_t now_ns;   /* when it was read */
    uint64_t number;  /* the first number behind the word: an id, mostly */
    const char *body; /* of RESERVED; valid during the call */
    size_t size;
    /* Of INSERTED, where the server has no priorities but tells how many jobs stand in the queue
     * with this one: the queue's order, while nothing is taken. Else 0. */
    uint32_t place;
};

struct crew;
struct protocol;

struct link {
    unsigned magic;
    int fd;
    uint16_t index; /* in its crew */
    struct crew *crew;
    bool dirty;   /* in the crew's list of links with something to send */
    bool waiting; /* for room in the socket */
    struct link *next_dirty;
    struct buf out;
    size_t out_sent;
    struct buf rest; /* the beginning of an answer that is not complete */
    struct sent *ring;
    size_t ring_size, head, tail; /* head - tail are in flight */
    void *names;                  /* the protocol's, one piece of memory; freed with the link */
    /* The mixes' own. */
    uint64_t last_id; /* of the last job reserved here, */
    uint32_t last_pri;
    uint32_t role;
    uint64_t served; /* how many jobs it got */
};

typedef void crew_answer(struct crew *crew, struct link *link, const struct sent *sent,
                         const struct reply *reply);

struct crew {
    unsigned magic;
    int epoll;
    const struct address *address;
    const struct protocol *protocol;
    size_t max_body;
    struct link **links;
    size_t count, cap;
    struct link *dirty;
    char *input; /* what is read goes here first, whichever link it is from */
    size_t input_size;
    int64_t now_ns; /* of the last read */
    int64_t patience_ns;
    uint64_t in_flight;
    bool stop;
    int64_t until_ns; /* when crew_run ends at the latest; CLOCK_NEVER, as it is made: never */
    crew_answer *answer;
    void *context; /* the answer's */
    struct meter *meter;
};

/* max_body: the largest body that will be read. patience: that long without any answer while some
 * are owed is a fault of the server. */
struct crew *crew_new(const struct address *address, const struct protocol *protocol,
                      size_t max_body, int64_t patience_ns, struct meter *meter);
/* Closes all of its connections. */
void crew_free(struct crew **crew);

/* One more connection. */
struct link *crew_add(struct crew *crew);

/* Sends what waits and hands out answers, until nothing is in flight, `stop` is set, or
 * it is until_ns. */
void crew_run(struct crew *crew, crew_answer *answer);

/* Sends what waits, without looking for answers. */
void crew_flush(struct crew *crew);

/* Commands. They leave when the crew runs. Every protocol has the first three; the others are
 * beanstalkd's, for mixes that only run with it. */
void link_put(struct link *link, uint64_t serial, uint32_t pri, uint32_t delay_s, uint32_t ttr_s,
              size_t size);
void link_reserve(struct link *link);
void link_delete(struct link *link, uint64_t id, uint64_t key);
void link_touch(struct link *link, uint64_t id, uint64_t key);
void link_release(struct link *link, uint64_t id, uint32_t pri, uint32_t delay_s, uint64_t key);
void link_use(struct link *link, const char *tube);
void link_watch(struct link *link, const char *tube);
void link_ignore(struct link *link, const char *tube);

/* For protocols: notes that a command was appended to link->out. */
void link_sent(struct link *link, enum ask ask, uint64_t key);

static inline size_t link_in_flight(const struct link *link)
{
    return link->head - link->tail;
}

#endif
