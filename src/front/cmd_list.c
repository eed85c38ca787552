// SPDX-License-Identifier: MIT
/*
 * Lists of tubes: list-tubes, list-tubes-watched. There may be as many as there is memory for, so
 * the answer is made a part at a time, as the reader takes it (task.c).
 *
 * The head of an answer says how many bytes follow. So the names are gone through twice: once to
 * add up their sizes, and once to write them; and they are those of one moment both times. All
 * tubes are read as broker/names.h gives them; what a connection watches can't change while it
 * executes nothing else.
 */
#include "front/front_priv.h"
#include "front/reply_priv.h"
#include "front/rights_priv.h"
#include "front/task_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LIST_MAGIC 0x115700a1u
#define LIST_PART 64
#define LIST_PART_COST 8 /* small commands */

static const char list_head[] = "---\n";
static const char list_item[] = "- ";

struct list_source;

struct tube_list {
    unsigned magic;
    struct task task;
    const struct list_source *source;
    struct broker_names names; /* of all tubes */
    size_t index;              /* of those that are watched */
    bool counted;              /* the head has been written */
    size_t size;               /* of the text, as far as it is counted */
};

typedef char tube_text[JOB_TUBE_NAME_MAX + 1];

struct list_source {
    void (*begin)(struct session *session, struct tube_list *list);
    void (*rewind)(struct tube_list *list);
    /* *count 0: there are no more. ESTALE: the rest can't be had. */
    int (*next)(struct session *session, struct tube_list *list, tube_text *names, size_t *count);
    void (*end)(struct tube_list *list);
};

/* ---- all tubes that the peer may see ---- */

static void all_begin(struct session *session, struct tube_list *list)
{
    broker_names_begin(&list->names, session->front->broker);
}

static void all_rewind(struct tube_list *list)
{
    broker_names_rewind(&list->names);
}

static int all_next(struct session *session, struct tube_list *list, tube_text *names,
                    size_t *count)
{
    size_t read;
    *count = 0;
    do {
        int rc = broker_names_next(&list->names, names, LIST_PART, &read);
        if (rc != 0)
            return rc;
        for (size_t i = 0; i < read; i++)
            if (rights_in(session, names[i], strlen(names[i]), TRUST_see))
                memmove(names[(*count)++], names[i], sizeof(names[i]));
    } while (read > 0 && *count == 0);
    return 0;
}

static void all_end(struct tube_list *list)
{
    broker_names_end(&list->names);
}

static const struct list_source all_tubes = {
    .begin = all_begin, .rewind = all_rewind, .next = all_next, .end = all_end};

/* ---- those that are watched ---- */

static void watched_begin(struct session *session, struct tube_list *list)
{
    (void)session;
    list->index = 0;
}

static void watched_rewind(struct tube_list *list)
{
    list->index = 0;
}

static int watched_next(struct session *session, struct tube_list *list, tube_text *names,
                        size_t *count)
{
    size_t all = broker_watch_count(&session->client);
    for (*count = 0; *count < LIST_PART && list->index < all; list->index++) {
        const char *name = broker_watch_name(&session->client, list->index);
        memcpy(names[(*count)++], name, strlen(name) + 1);
    }
    return 0;
}

static void watched_end(struct tube_list *list)
{
    (void)list;
}

static const struct list_source watched_tubes = {
    .begin = watched_begin, .rewind = watched_rewind, .next = watched_next, .end = watched_end};

/* ---- the answer ---- */

static void names_add_up(struct tube_list *list, tube_text *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        list->size += sizeof(list_item) - 1 + strlen(names[i]) + 1;
}

static void names_write(struct session *session, tube_text *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *space = conn_space(session->conn, sizeof(list_item) + sizeof(names[i]));
        char *end = stpcpy(stpcpy(space, list_item), names[i]);
        *end++ = '\n';
        conn_space_used(session->conn, (size_t)(end - space));
    }
}

/* All names were gone through, once or twice; whether there is more to do. */
static bool list_pass_ends(struct session *session, struct tube_list *list)
{
    if (list->counted) {
        reply_word(session, "\r\n");
        return false;
    }
    list->counted = true;
    list->source->rewind(list);
    reply_number(session, "OK", list->size);
    reply_word(session, list_head);
    return true;
}

/* The reader was so slow that the names are gone. A half answer can only be cut off. */
static void list_is_lost(struct session *session, const struct tube_list *list)
{
    if (list->counted)
        conn_finish(session->conn);
    else
        reply_word(session, "OUT_OF_MEMORY\r\n");
}

static bool list_step(struct session *session, struct task *task)
{
    struct tube_list *list = CONTAINER_OF(task, struct tube_list, task);
    MAGIC_CHECK(list, LIST_MAGIC);
    do {
        tube_text names[LIST_PART];
        size_t count;
        if (list->source->next(session, list, names, &count) != 0) {
            list_is_lost(session, list);
            return false;
        }
        if (count == 0) {
            if (!list_pass_ends(session, list))
                return false;
        } else if (list->counted) {
            names_write(session, names, count);
        } else {
            names_add_up(list, names, count);
        }
        conn_charge(session->conn, LIST_PART_COST);
    } while (conn_has_turn(session->conn));
    return true;
}

static void list_release(struct task *task)
{
    struct tube_list *list = CONTAINER_OF(task, struct tube_list, task);
    list->source->end(list);
    MAGIC_WIPE(list);
    free(list);
}

static const struct task_kind list_kind = {.step = list_step, .release = list_release};

static void list_start(struct session *session, const struct list_source *source)
{
    struct tube_list *list = calloc(1, sizeof(*list));
    if (list == NULL) {
        reply_word(session, "OUT_OF_MEMORY\r\n");
        return;
    }
    MAGIC_INIT(list, LIST_MAGIC);
    list->task.kind = &list_kind;
    list->source = source;
    list->size = sizeof(list_head) - 1;
    source->begin(session, list);
    task_start(session, &list->task);
}

int parse_list_tubes(struct scan *scan, struct command_args *args)
{
    return parse_nothing(scan, args);
}

void do_list_tubes(struct session *session, const struct command_args *args)
{
    (void)args;
    list_start(session, &all_tubes);
}

int parse_list_tubes_watched(struct scan *scan, struct command_args *args)
{
    return parse_nothing(scan, args);
}

void do_list_tubes_watched(struct session *session, const struct command_args *args)
{
    (void)args;
    list_start(session, &watched_tubes);
}
