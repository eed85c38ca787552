// SPDX-License-Identifier: MIT
/*
 * The names of tubes, apart from the tubes, so that a list of them can outlive some.
 *
 * All names are in one list in order of making. A name whose tube goes while nobody reads the list
 * goes with it. Otherwise it stays in its place as a ghost, until all readers have ended that were
 * there when it became one; readers and ghosts are each in order of time, so both are told by the
 * first of them. A reader passes by names that were made after it began, for they have a higher
 * number than the last it may see, and so it finds exactly what was there at that moment.
 */
#include "job/names.h"

#include "base/assert.h"
#include "base/magic.h"

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
        reader != NULL && CONTAINER_OF(reader, struct name_reader, node)->began <= name->gone;
    return needed ? NULL : name;
}

bool names_trim(struct tube_names *names, size_t most)
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
    if (names_trim(names, TRIM_FEW) || names->ghost_bytes <= JOB_NAMES_KEPT)
        return;
    struct list_node *first = list_pop(&names->readers);
    ASSERT(first != NULL); /* there are some: see above */
    struct name_reader *slowest = CONTAINER_OF(first, struct name_reader, node);
    slowest->lost = true;
}

/* ---- reading ---- */

void name_reader_begin(struct name_reader *reader, struct tube_names *names)
{
    *reader = (struct name_reader){.began = ++names->time, .last = names->last};
    list_node_init(&reader->node);
    list_append(&names->readers, &reader->node);
    struct list_node *first = list_first(&names->all);
    /* ghosts of others may stand there */
    while (first != NULL && list_node_linked(&CONTAINER_OF(first, struct tube_name, node)->ghost))
        first = list_next(&names->all, first);
    reader->first = first != NULL ? CONTAINER_OF(first, struct tube_name, node) : NULL;
    reader->next = reader->first;
}

const struct tube_name *name_behind(const struct tube_names *names,
                                    const struct name_reader *reader, const struct tube_name *name)
{
    struct list_node *node = list_next(&names->all, &name->node);
    for (; node != NULL; node = list_next(&names->all, node)) {
        const struct tube_name *next = CONTAINER_OF(node, struct tube_name, node);
        if (next->number > reader->last)
            return NULL;
        bool gone_before = list_node_linked(&next->ghost) && next->gone < reader->began;
        if (!gone_before)
            return next;
    }
    return NULL;
}

void name_reader_end(struct name_reader *reader)
{
    list_remove(&reader->node);
}
