// SPDX-License-Identifier: MIT
/*
 * The names of tubes, apart from the tubes, so that a list of them can outlive some (names.h).
 *
 * All names are in one list in order of making. A name whose tube goes while nobody reads the list
 * goes with it. Otherwise it stays in its place as a ghost, until all readers have ended that were
 * there when it became one; readers and ghosts are each in order of time, so both are told by the
 * first of them. A reader passes by names that were made after it began, for they have a higher
 * number than the last it may see, and so it finds exactly what was there at that moment.
 */
#include "broker/broker_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TUBE_NAME_MAGIC 0xb40ce4a3u
#define TRIM_FEW 8 /* ghosts that are freed when one comes: so they become fewer */

void names_init(struct tube_names *names)
{
    *names = (struct tube_names){.ghost_bytes = 0};
    list_init(&names->all);
    list_init(&names->readers);
    list_init(&names->ghosts);
}

int name_make(struct tube_names *names, const char *text, size_t len, struct tube_name **out)
{
    struct tube_name *name = malloc(sizeof(*name) + len + 1);
    if (name == NULL)
        return ENOMEM;
    *name = (struct tube_name){.number = ++names->last, .len = len};
    MAGIC_INIT(name, TUBE_NAME_MAGIC);
    memcpy(name->text, text, len);
    name->text[len] = '\0';
    list_node_init(&name->node);
    list_node_init(&name->ghost);
    list_append(&names->all, &name->node);
    *out = name;
    return 0;
}

static size_t name_size(const struct tube_name *name)
{
    return sizeof(*name) + name->len + 1;
}

static void name_free(struct tube_name *name)
{
    list_remove(&name->node);
    list_remove(&name->ghost);
    MAGIC_WIPE(name);
    free(name);
}

/* The first ghost, if no reader needs it any more; NULL. */
static struct tube_name *ghost_unneeded(const struct tube_names *names)
{
    struct list_node *node = list_first(&names->ghosts);
    if (node == NULL)
        return NULL;
    struct tube_name *name = CONTAINER_OF(node, struct tube_name, ghost);
    struct list_node *reader = list_first(&names->readers);
    bool needed =
        reader != NULL && CONTAINER_OF(reader, struct broker_names, node)->began <= name->gone;
    return needed ? NULL : name;
}

/* Whether there are more to be freed. */
static bool ghosts_trim(struct tube_names *names, size_t most)
{
    struct tube_name *name;
    while (most-- > 0 && (name = ghost_unneeded(names)) != NULL) {
        names->ghost_bytes -= name_size(name);
        name_free(name);
    }
    return ghost_unneeded(names) != NULL;
}

void name_drop(struct tube_names *names, struct tube_name **pointer)
{
    struct tube_name *name;
    MAGIC_TAKE(name, pointer, TUBE_NAME_MAGIC);
    if (list_empty(&names->readers)) {
        name_free(name);
        return;
    }
    name->gone = names->time;
    list_append(&names->ghosts, &name->ghost);
    names->ghost_bytes += name_size(name);
    if (ghosts_trim(names, TRIM_FEW) || names->ghost_bytes <= BROKER_NAMES_KEPT)
        return;
    struct list_node *first = list_pop(&names->readers);
    ASSERT(first != NULL); /* there are some: see above */
    struct broker_names *slowest = CONTAINER_OF(first, struct broker_names, node);
    slowest->lost = true;
}

/* ---- reading ---- */

void broker_names_begin(struct broker_names *names, struct broker *broker)
{
    *names = (struct broker_names){.broker = broker};
    list_node_init(&names->node);
    broker_lock(broker);
    names->began = ++broker->names.time;
    names->last = broker->names.last;
    list_append(&broker->names.readers, &names->node);
    struct list_node *first = list_first(&broker->names.all);
    /* ghosts of others may stand there */
    while (first != NULL && list_node_linked(&CONTAINER_OF(first, struct tube_name, node)->ghost))
        first = list_next(&broker->names.all, first);
    names->first = first != NULL ? CONTAINER_OF(first, struct tube_name, node) : NULL;
    names->next = names->first;
    broker_unlock(broker);
}

void broker_names_rewind(struct broker_names *names)
{
    names->next = names->first;
}

/* The next one behind it that was there when the reader began; NULL. */
HELD static const struct tube_name *name_behind(const struct broker_names *names,
                                                const struct tube_name *name)
{
    const struct list *all = &names->broker->names.all;
    struct list_node *node = list_next(all, &name->node);
    for (; node != NULL; node = list_next(all, node)) {
        const struct tube_name *next = CONTAINER_OF(node, struct tube_name, node);
        if (next->number > names->last)
            return NULL;
        bool gone_before = list_node_linked(&next->ghost) && next->gone < names->began;
        if (!gone_before)
            return next;
    }
    return NULL;
}

int broker_names_next(struct broker_names *names, char (*to)[JOB_TUBE_NAME_MAX + 1], size_t max,
                      size_t *count)
{
    *count = 0;
    broker_lock(names->broker);
    bool lost = names->lost;
    while (!lost && *count < max && names->next != NULL) {
        memcpy(to[(*count)++], names->next->text, names->next->len + 1);
        names->next = name_behind(names, names->next);
    }
    broker_unlock(names->broker);
    return lost ? ESTALE : 0;
}

void broker_names_end(struct broker_names *names)
{
    struct broker *broker = names->broker;
    broker_lock(broker);
    list_remove(&names->node);
    while (ghosts_trim(&broker->names, BROKER_WALK_MAX)) {
        broker_unlock(broker);
        broker_lock(broker);
    }
    broker_unlock(broker);
}
