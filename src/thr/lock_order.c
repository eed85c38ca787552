// SPDX-License-Identifier: MIT
/*
 * The order of locks: dangers found before they become deadlocks.
 *
 * Whenever a thread that holds locks blocks for another one, each pair (held, wanted) must be in
 * order. Two locks with ranks: the rank must rise. Otherwise the order is learnt: the pair becomes
 * an edge held -> wanted between two nodes, and must not close a cycle with what was seen before.
 * Nodes are single locks, or ranks: all locks of a rank are one node, and from a ranked node every
 * higher rank can be reached, since such acquires are allowed at any time.
 *
 * Each edge keeps who made it first, and where, so a report can name the other thread and its
 * places long after it went on. A pair that was reported is kept, too, marked as bad, to be
 * reported once only; bad edges take no part in cycles.
 *
 * Cost: a thread keeps the pairs it has had before in a small cache, so the global mutex and the
 * search are met once per thread and pair. A false hit of the cache is possible after 2^32 locks,
 * and then only skips a check.
 */
#include "thr/lock_priv.h"

#include "thr/thr.h"

#include "base/map.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct order_node {
    uint64_t id;
    int rank;         /* 0: a single lock */
    struct list out;  /* of order_edge.out_node */
    struct list in;   /* of order_edge.in_node */
    uint64_t visited; /* the search that came here last */
    const struct order_node *came_from;
    const struct order_edge *came_by; /* NULL: by rank */
};

struct order_edge {
    struct order_node *from, *to;
    struct list_node out_node, in_node;
    bool bad;
    char thread[HL_THREAD_NAME_MAX];
    char from_name[HL_THREAD_NAME_MAX], to_name[HL_THREAD_NAME_MAX];
    const char *from_place, *to_place;
};

static struct {
    pthread_mutex_t mutex; /* covers all below, every node and edge */
    struct idmap nodes;
    uint64_t searches;
} order = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static hl_thread abandoned; /* stands for the owner of a lock whose thread ended */

void lock_order_init(void)
{
    idmap_init(&order.nodes);
    lock_report_init();
    MAGIC_INIT(&abandoned, THREAD_MAGIC);
    MUST(pthread_mutex_init(&abandoned.info, NULL));
    (void)snprintf(abandoned.name, sizeof(abandoned.name), "a thread that ended");
}

void lock_order_fork_prepare(void)
{
    MUST(pthread_mutex_lock(&order.mutex));
}

void lock_order_fork_done(void)
{
    MUST(pthread_mutex_unlock(&order.mutex));
}

static struct order_node *node_get(hl_lock *lock)
{
    struct order_node *node = idmap_get(&order.nodes, lock->order_id);
    if (node != NULL)
        return node;
    node = calloc(1, sizeof(*node)); /* no magic: never leaves this file */
    if (node == NULL)
        return NULL;
    node->id = lock->order_id;
    node->rank = lock_rank(lock);
    list_init(&node->out);
    list_init(&node->in);
    if (idmap_put(&order.nodes, node->id, node) != 0) {
        free(node);
        return NULL;
    }
    lock->ordered = true;
    return node;
}

static struct order_edge *edge_find(const struct order_node *from, const struct order_node *to)
{
    for (struct list_node *link = list_first(&from->out); link != NULL;
         link = list_next(&from->out, link)) {
        struct order_edge *edge = CONTAINER_OF(link, struct order_edge, out_node);
        if (edge->to == to)
            return edge;
    }
    return NULL;
}

static void edge_free(struct order_edge *edge)
{
    list_remove(&edge->out_node);
    list_remove(&edge->in_node);
    free(edge);
}

/* Two names of HL_THREAD_NAME_MAX bytes and a thread's. */
static void edge_add(hl_thread *self, const struct held_lock *held, const hl_lock *wanted,
                     struct order_node *from, struct order_node *to, const char *place, bool bad)
{
    struct order_edge *edge = calloc(1, sizeof(*edge)); /* no magic: never leaves this file */
    if (edge == NULL)
        return; /* learnt another time */
    edge->from = from;
    edge->to = to;
    edge->bad = bad;
    hl_thread_get_name(self, edge->thread, sizeof(edge->thread));
    memcpy(edge->from_name, held->lock->name, sizeof(edge->from_name));
    memcpy(edge->to_name, wanted->name, sizeof(edge->to_name));
    edge->from_place = held->place;
    edge->to_place = place;
    list_node_init(&edge->out_node);
    list_node_init(&edge->in_node);
    list_append(&from->out, &edge->out_node);
    list_append(&to->in, &edge->in_node);
}

static bool visit(struct order_node *node, const struct order_node *from,
                  const struct order_edge *by, struct order_node **todo, size_t *todo_len)
{
    if (node->visited == order.searches)
        return false;
    node->visited = order.searches;
    node->came_from = from;
    node->came_by = by;
    todo[(*todo_len)++] = node;
    return true;
}

/* All that can be acquired while `node` is held: by learnt edges, and by rank. */
static void visit_neighbours(struct order_node *node, struct order_node **todo, size_t *todo_len)
{
    for (struct list_node *link = list_first(&node->out); link != NULL;
         link = list_next(&node->out, link)) {
        struct order_edge *edge = CONTAINER_OF(link, struct order_edge, out_node);
        if (!edge->bad)
            (void)visit(edge->to, node, edge, todo, todo_len);
    }
    if (node->rank == 0)
        return;
    size_t cursor = 0;
    struct order_node *other;
    while ((other = idmap_next(&order.nodes, &cursor)) != NULL)
        if (other->rank > node->rank)
            (void)visit(other, node, NULL, todo, todo_len);
}

/* Whether `goal` can be reached from `start`; the way is in came_from and came_by. */
static bool reaches(struct order_node *start, const struct order_node *goal)
{
    struct order_node **todo = malloc(order.nodes.len * sizeof(struct order_node *));
    if (todo == NULL)
        return false; /* not checked this time */
    order.searches++;
    size_t todo_len = 0;
    (void)visit(start, NULL, NULL, todo, &todo_len);
    for (size_t next = 0; next < todo_len && goal->visited != order.searches; next++)
        visit_neighbours(todo[next], todo, &todo_len);
    free(todo);
    return goal->visited == order.searches;
}

/* The learnt steps from `goal` back to the start of the search, one line each. */
static void describe_way(const struct order_node *goal, char *text, size_t size)
{
    size_t len = 0;
    text[0] = '\0';
    for (const struct order_node *node = goal; node->came_from != NULL && len < size;
         node = node->came_from) {
        const struct order_edge *edge = node->came_by;
        int more =
            edge != NULL
                ? snprintf(
                      text + len, size - len,
                      "\n  thread \"%s\" acquired lock \"%s\" at %s while it held lock \"%s\", "
                      "acquired at %s",
                      edge->thread, edge->to_name, edge->to_place, edge->from_name,
                      edge->from_place)
                : snprintf(text + len, size - len,
                           "\n  rank %d may be acquired while rank %d is held", node->rank,
                           node->came_from->rank);
        len += more > 0 ? (size_t)more : 0;
    }
}

/* Both ends have ranks: the order is the table's. The owner of the wanted lock, if any, is the
 * other thread. */
static void describe_ranks(const hl_lock *wanted, char *text, size_t size)
{
    registry_lock(); /* keeps the owner */
    hl_thread *owner = atomic_load_explicit(&wanted->owner, memory_order_relaxed);
    const char *place = atomic_load_explicit(&wanted->place, memory_order_relaxed);
    char name[HL_THREAD_NAME_MAX];
    if (owner != NULL)
        (void)snprintf(text, size, "\n  thread \"%s\" holds it, acquired at %s",
                       hl_thread_get_name(owner, name, sizeof(name)), place != NULL ? place : "?");
    else
        (void)snprintf(text, size, "\n  no thread holds it now; ranks must rise");
    registry_unlock();
}

static void report(hl_thread *self, const struct held_lock *held, const hl_lock *wanted,
                   const char *place, const char *why, const char *other)
{
    char thread[HL_THREAD_NAME_MAX];
    char what_wanted[HL_THREAD_NAME_MAX * 2 + 32];
    char what_held[HL_THREAD_NAME_MAX * 2 + 32];
    lock_report("lock order: %s\n"
                "  thread \"%s\" acquires %s at %s while it holds %s, acquired at %s%s",
                why, hl_thread_get_name(self, thread, sizeof(thread)),
                lock_describe(wanted, what_wanted, sizeof(what_wanted)), place,
                lock_describe(held->lock, what_held, sizeof(what_held)), held->place, other);
}

/* A pair this thread hasn't met before: reports it if it is wrong and new, and learns it. */
static void check_new_pair(hl_thread *self, const struct held_lock *held, hl_lock *wanted,
                           const char *place)
{
    bool ranks = lock_rank(held->lock) != 0 && lock_rank(wanted) != 0;
    bool wrong = false;
    char other[2048];
    MUST(pthread_mutex_lock(&order.mutex));
    struct order_node *from = node_get(held->lock);
    struct order_node *to = node_get(wanted);
    if (from != NULL && to != NULL && edge_find(from, to) == NULL) {
        wrong = ranks || reaches(to, from);
        if (wrong && !ranks)
            describe_way(from, other, sizeof(other));
        edge_add(self, held, wanted, from, to, place, wrong);
    }
    MUST(pthread_mutex_unlock(&order.mutex));
    if (!wrong)
        return;
    if (ranks)
        describe_ranks(wanted, other, sizeof(other));
    report(self, held, wanted, place,
           ranks ? "against the rank" : "the opposite of an order seen before", other);
}

void lock_order_check(hl_thread *self, hl_lock *lock, const char *place)
{
    for (unsigned i = 0; i < self->held_count; i++) {
        const struct held_lock *held = &self->held[i];
        if (lock_rank(held->lock) != 0 && lock_rank(lock) > lock_rank(held->lock))
            continue;
        uint64_t pair = held->lock->order_id << 32 | (lock->order_id & UINT32_MAX);
        uint64_t *known = &self->order_cache[(pair ^ pair >> 32) % THREAD_ORDER_CACHE];
        if (*known == pair)
            continue;
        check_new_pair(self, held, lock, place);
        *known = pair;
    }
}

void lock_order_forget(hl_lock *lock)
{
    if (lock->lock_class != NULL)
        return; /* the node is the rank's */
    MUST(pthread_mutex_lock(&order.mutex));
    struct order_node *node = lock->ordered ? idmap_remove(&order.nodes, lock->order_id) : NULL;
    if (node != NULL) {
        struct list_node *link;
        while ((link = list_first(&node->out)) != NULL)
            edge_free(CONTAINER_OF(link, struct order_edge, out_node));
        while ((link = list_first(&node->in)) != NULL)
            edge_free(CONTAINER_OF(link, struct order_edge, in_node));
        free(node);
    }
    MUST(pthread_mutex_unlock(&order.mutex));
}

void lock_order_thread_ends(hl_thread *self)
{
    while (self->held_count > 0) {
        struct held_lock held = self->held[--self->held_count];
        char name[HL_THREAD_NAME_MAX];
        char what[HL_THREAD_NAME_MAX * 2 + 32];
        atomic_store_explicit(&held.lock->owner, &abandoned, memory_order_relaxed);
        lock_report(
            "deadlock: thread \"%s\" ended while it held %s, acquired at %s; nobody can release it",
            hl_thread_get_name(self, name, sizeof(name)),
            lock_describe(held.lock, what, sizeof(what)), held.place);
        lock_abandon(held.lock);
    }
}
