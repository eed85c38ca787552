// SPDX-License-Identifier: MIT
/*
 * Lock classes: a name and a rank, registered for the life of the process by any program that uses
 * the library. hilera's own are the table lock_classes.def, registered when first asked for.
 * Classes are few and never go, so a list under one mutex is enough.
 */
#include "thr/lock_priv.h"

#include "thr/thr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t class_mutex = PTHREAD_MUTEX_INITIALIZER;
static const struct hl_lock_class *class_list;

static const struct hl_lock_class own_class[LOCK_CLASS_COUNT] = {
#define LOCK_CLASS(class_name, class_rank, what) {LOCK_CLASS_MAGIC, #class_name, class_rank, NULL},
#include "thr/lock_classes.def"
#undef LOCK_CLASS
};

const hl_lock_class *lock_class(enum lock_class_id id)
{
    ASSERT((size_t)id < LOCK_CLASS_COUNT);
    return &own_class[id];
}

/* With the mutex held: 0 and *out if there is one of that name and rank, ENOENT if the name is
 * free. */
static int find_class(const char *name, int rank, const hl_lock_class **out)
{
    for (const struct hl_lock_class *row = class_list; row != NULL; row = row->next) {
        if (strcmp(row->name, name) != 0)
            continue;
        if (row->rank != rank)
            return EEXIST;
        *out = row;
        return 0;
    }
    return ENOENT;
}

static int add_class(const char *name, int rank, const hl_lock_class **out)
{
    struct hl_lock_class *made = malloc(sizeof(*made)); /* for ever: MAGIC_WIPE has no place here */
    char *copy = strdup(name);
    if (made == NULL || copy == NULL) {
        free(made);
        free(copy);
        return ENOMEM;
    }
    *made = (struct hl_lock_class){.name = copy, .rank = rank, .next = class_list};
    MAGIC_INIT(made, LOCK_CLASS_MAGIC);
    class_list = made;
    *out = made;
    return 0;
}

int hl_lock_class_register(const hl_lock_class **out, const char *name, int rank)
{
    if (name == NULL || name[0] == '\0' || rank < 1 || rank > HL_LOCK_RANK_MAX)
        return EINVAL;
    MUST(pthread_mutex_lock(&class_mutex));
    int rc = find_class(name, rank, out);
    if (rc == ENOENT)
        rc = add_class(name, rank, out);
    MUST(pthread_mutex_unlock(&class_mutex));
    return rc;
}

void lock_class_fork_prepare(void)
{
    MUST(pthread_mutex_lock(&class_mutex));
}

void lock_class_fork_done(void)
{
    MUST(pthread_mutex_unlock(&class_mutex));
}
