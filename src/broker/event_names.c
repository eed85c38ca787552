// SPDX-License-Identifier: MIT
/*
 * The names of the tubes that events are of. An event has the number of a name, since a tube may be
 * gone when the event is read.
 *
 * A name stays as long as an event of it is kept, or it is listened to; so there are as many as
 * events and targets at most. Names come and go under the broker's lock and one of their own; who
 * reads an event takes the latter alone, for a look and a copy.
 */
#include "broker/events_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define EVENT_NAME_MAGIC 0xb40ce4e1u
#define TRIM_FEW 4 /* when one comes: so they become fewer */

int event_names_init(struct event_names *names)
{
    strmap_init(&names->by_text);
    idmap_init(&names->by_number);
    list_init(&names->used);
    return hl_lock_new(&names->lock, "event names", lock_class(LOCK_CLASS_event_names));
}

HELD static void name_free(struct event_names *names, struct event_name *name)
{
    if (name->tube != NULL)
        broker_tube(name->tube)->event_name = NULL;
    list_remove(&name->node);
    (void)strmap_remove(&names->by_text, name->text, name->len);
    {
        HL_LOCK_SCOPE(names->lock);
        (void)idmap_remove(&names->by_number, name->number);
    }
    MAGIC_WIPE(name);
    free(name);
}

void event_names_fini(struct event_names *names)
{
    struct list_node *node;
    while ((node = list_pop(&names->used)) != NULL)
        free(CONTAINER_OF(node, struct event_name, node));
    strmap_fini(&names->by_text);
    idmap_fini(&names->by_number);
    hl_lock_free(&names->lock);
}

/* Into both maps, under a number that is free. ENOMEM: it is in none. */
HELD static int name_enter(struct event_names *names, struct event_name *name)
{
    int rc = strmap_put(&names->by_text, name->text, name->len, name);
    if (rc != 0)
        return rc;
    {
        HL_LOCK_SCOPE(names->lock);
        do {
            name->number = ++names->last != 0 ? names->last : ++names->last;
        } while ((rc = idmap_put(&names->by_number, name->number, name)) == EEXIST);
    }
    if (rc != 0)
        (void)strmap_remove(&names->by_text, name->text, name->len);
    return rc;
}

int event_name_need(struct event_names *names, const char *text, size_t len, uint16_t trust_class,
                    struct event_name **out)
{
    struct event_name *name = strmap_get(&names->by_text, text, len);
    *out = name;
    if (name != NULL)
        return 0;
    name = calloc(1, sizeof(*name) + len + 1);
    if (name == NULL)
        return ENOMEM;
    memcpy(name->text, text, len);
    name->len = len;
    name->trust_class = trust_class;
    int rc = name_enter(names, name);
    if (rc != 0) {
        free(name);
        return rc;
    }
    MAGIC_INIT(name, EVENT_NAME_MAGIC);
    list_node_init(&name->node);
    list_append(&names->used, &name->node);
    *out = name;
    return 0;
}

int event_name_of(struct event_names *names, struct tube *tube, struct event_name **out)
{
    *out = broker_tube(tube)->event_name;
    if (*out != NULL)
        return 0;
    int rc = event_name_need(names, tube->name, tube->name_len, tube->trust_class, out);
    if (rc == 0) {
        (*out)->tube = tube;
        broker_tube(tube)->event_name = *out;
    }
    return rc;
}

void event_name_use(struct event_names *names, struct event_name *name, uint64_t number)
{
    MAGIC_CHECK(name, EVENT_NAME_MAGIC);
    name->last = number;
    list_remove(&name->node);
    list_append(&names->used, &name->node);
}

void event_names_trim(struct event_names *names, uint64_t oldest)
{
    struct list_node *node;
    for (int i = 0; i < TRIM_FEW && (node = list_first(&names->used)) != NULL; i++) {
        struct event_name *name = CONTAINER_OF(node, struct event_name, node);
        if (name->pins > 0)
            event_name_use(names, name, name->last); /* out of the way */
        else if (name->last < oldest)
            name_free(names, name);
        else
            return;
    }
}

int event_name_get(struct event_names *names, uint32_t number, char *text, uint16_t *trust_class)
{
    HL_LOCK_SCOPE(names->lock);
    const struct event_name *name = idmap_get(&names->by_number, number);
    if (name == NULL)
        return ENOENT;
    memcpy(text, name->text, name->len + 1);
    *trust_class = name->trust_class;
    return 0;
}
