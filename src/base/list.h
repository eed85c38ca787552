// SPDX-License-Identifier: MIT
/*
 * Intrusive doubly linked list: the nodes live inside the objects, nothing is allocated, removal is
 * O(1). A node that is in no list points to itself, so "is it in a list" is a question it can
 * answer. Not thread-safe.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/assert.h"

#include <stdbool.h>
#include <stddef.h>

struct list_node {
    struct list_node *prev, *next;
};

struct list {
    struct list_node head; /* next: the first, prev: the last */
};

#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline void list_node_init(struct list_node *node)
{
    node->prev = node->next = node;
}

static inline void list_init(struct list *list)
{
    list_node_init(&list->head);
}

static inline bool list_node_linked(const struct list_node *node)
{
    return node->next != node;
}

static inline bool list_empty(const struct list *list)
{
    return list->head.next == &list->head;
}

static inline void list_insert_before(struct list_node *place, struct list_node *node)
{
    ASSERT(!list_node_linked(node));
    node->prev = place->prev;
    node->next = place;
    place->prev->next = node;
    place->prev = node;
}

static inline void list_append(struct list *list, struct list_node *node)
{
    list_insert_before(&list->head, node);
}

static inline void list_prepend(struct list *list, struct list_node *node)
{
    list_insert_before(list->head.next, node);
}

/* Does nothing to a node that is in no list. */
static inline void list_remove(struct list_node *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_node_init(node);
}

/* The first node, or NULL. */
static inline struct list_node *list_first(const struct list *list)
{
    return list_empty(list) ? NULL : list->head.next;
}

/* The last node, or NULL. */
static inline struct list_node *list_last(const struct list *list)
{
    return list_empty(list) ? NULL : list->head.prev;
}

/* The node after this one, or NULL behind the last. */
static inline struct list_node *list_next(const struct list *list, const struct list_node *node)
{
    return node->next == &list->head ? NULL : node->next;
}

/* Takes the first node out, or NULL. */
static inline struct list_node *list_pop(struct list *list)
{
    struct list_node *node = list_first(list);
    if (node != NULL)
        list_remove(node);
    return node;
}

#endif
