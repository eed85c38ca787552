// SPDX-License-Identifier: MIT
/*
 * Keys: who submits a second job with the key of one that is there gets the first one's id, so a
 * submit whose answer was lost can be sent again.
 *
 * A key is its tube's. It belongs to the job, goes with it into another tube (unless that one has
 * the key already: then the index keeps who was there first), and is free again when the job
 * leaves. The index isn't in the journal: jobs bring their keys with them at replay.
 *
 * Whoever keeps records of finished jobs may know the key of one that is gone
 * (broker_options.key_kept); there may be millions of those, so he is asked, and not copied. He may
 * have to look into a file, so he is asked without the lock, and a job with that key may come and
 * go meanwhile. Therefore a put that asks watches the key from before it asks until it is in its
 * tube, which may be a while when it waits for room: a job that leaves a record leaves its id with
 * the watches of its key. So there is no moment at which a key is neither here, nor there, nor
 * watched.
 */
#include "broker/broker_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BROKER_KEY_MAGIC 0xb40ce4e7u

struct broker_key {
    unsigned magic;
    uint64_t id;
    size_t len;
    char text[]; /* of the index: the tube's name, a NUL, the key */
};

#define KEY_WATCH_MAGIC 0xb40ce3a7u

/* All puts that watch the same key share it. */
struct key_watch {
    unsigned magic;
    unsigned refs;
    uint64_t id; /* of a job that is gone and has a record; 0: none */
    size_t len;
    char text[]; /* as in the index */
};

#define TEXT_MAX (JOB_TUBE_NAME_MAX + 1 + JOB_TEXT_MAX)

static size_t text_of(char text[TEXT_MAX], const char *tube, const char *key)
{
    size_t tube_len = strlen(tube), key_len = strlen(key);
    ASSERT(tube_len <= JOB_TUBE_NAME_MAX && key_len <= JOB_TEXT_MAX);
    memcpy(text, tube, tube_len + 1);
    memcpy(text + tube_len + 1, key, key_len);
    return tube_len + 1 + key_len;
}

static struct broker_key *find(const struct broker *broker, const char *tube, const char *key)
{
    char text[TEXT_MAX];
    return strmap_get(&broker->keys, text, text_of(text, tube, key));
}

/* EEXIST: somebody has it. */
static int add(struct broker *broker, const char *tube, const char *key, uint64_t id)
{
    char text[TEXT_MAX];
    size_t len = text_of(text, tube, key);
    if (strmap_get(&broker->keys, text, len) != NULL)
        return EEXIST;
    struct broker_key *made = malloc(sizeof(*made) + len);
    if (made == NULL)
        return ENOMEM;
    MAGIC_INIT(made, BROKER_KEY_MAGIC);
    made->id = id;
    made->len = len;
    memcpy(made->text, text, len);
    int rc = strmap_put(&broker->keys, made->text, len, made);
    if (rc != 0)
        free(made);
    return rc;
}

static void drop(struct broker *broker, const char *tube, const char *key, uint64_t id)
{
    struct broker_key *known = find(broker, tube, key);
    if (known == NULL || known->id != id)
        return;
    MAGIC_CHECK(known, BROKER_KEY_MAGIC);
    strmap_remove(&broker->keys, known->text, known->len);
    MAGIC_WIPE(known);
    free(known);
}

/* NULL: none. */
static const char *key_of(const struct job *job)
{
    const struct job_options *options = job->rare != NULL ? job->rare->options : NULL;
    return options != NULL && options->key[0] != '\0' ? options->key : NULL;
}

static struct key_watch *watch_find(const struct broker *broker, const char *tube, const char *key)
{
    char text[TEXT_MAX];
    return strmap_get(&broker->key_watches, text, text_of(text, tube, key));
}

uint64_t key_holder(const struct job *job)
{
    const char *key = key_of(job);
    if (key == NULL)
        return 0;
    const struct broker_key *known = find(job->tube->broker, job->tube->name, key);
    if (known != NULL)
        return known->id;
    const struct key_watch *watch = watch_find(job->tube->broker, job->tube->name, key);
    return watch != NULL ? watch->id : 0;
}

int key_add(struct job *job, const struct broker_tube *tube)
{
    const char *key = key_of(job);
    int rc = key != NULL ? add(tube->broker, tube->name, key, job->id) : 0;
    return rc == EEXIST ? 0 : rc;
}

void key_remove(struct job *job, const struct broker_tube *tube)
{
    const char *key = key_of(job);
    if (key != NULL)
        drop(tube->broker, tube->name, key, job->id);
}

void keys_free(struct broker *broker)
{
    size_t cursor = 0;
    struct broker_key *key;
    while ((key = strmap_next(&broker->keys, &cursor)) != NULL) {
        MAGIC_WIPE(key);
        free(key);
    }
    strmap_fini(&broker->keys);
    strmap_fini(&broker->key_watches); /* puts are over */
}

/* ---- keys of jobs that are gone ---- */

void key_retire(struct job *job, const struct broker_tube *tube)
{
    const char *key = key_of(job);
    if (key == NULL)
        return;
    struct broker *broker = tube->broker;
    const struct broker_key *known = find(broker, tube->name, key);
    struct key_watch *watch = watch_find(broker, tube->name, key);
    if (watch != NULL && known != NULL && known->id == job->id)
        watch->id = job->id;
    drop(broker, tube->name, key, job->id);
}

/* [held] */
static int watch_begin(const struct job *job, const char *key, struct key_watch **out)
{
    struct broker *broker = job->tube->broker;
    struct key_watch *watch = watch_find(broker, job->tube->name, key);
    if (watch == NULL) {
        char text[TEXT_MAX];
        size_t len = text_of(text, job->tube->name, key);
        watch = malloc(sizeof(*watch) + len);
        if (watch == NULL)
            return ENOMEM;
        *watch = (struct key_watch){.len = len};
        MAGIC_INIT(watch, KEY_WATCH_MAGIC);
        memcpy(watch->text, text, len);
        int rc = strmap_put(&broker->key_watches, watch->text, len, watch);
        if (rc != 0) {
            free(watch);
            return rc;
        }
    }
    watch->refs++;
    *out = watch;
    return 0;
}

void key_unwatch(struct broker *broker, struct key_watch **watch)
{
    if (*watch == NULL)
        return;
    struct key_watch *mine;
    MAGIC_TAKE(mine, watch, KEY_WATCH_MAGIC);
    if (--mine->refs > 0)
        return;
    strmap_remove(&broker->key_watches, mine->text, mine->len);
    MAGIC_WIPE(mine);
    free(mine);
}

int key_ask(const struct job *job, struct key_watch **watch)
{
    struct broker *broker = job->tube->broker;
    const struct broker_options *options = &broker->options;
    const char *key = options->key_kept != NULL ? key_of(job) : NULL;
    *watch = NULL;
    if (key == NULL)
        return 0;
    broker_lock(broker);
    bool known = key_holder(job) != 0;
    int rc = watch_begin(job, key, watch); /* also if it is known: that job may go */
    broker_unlock(broker);
    if (known || rc != 0)
        return rc;
    uint64_t id = options->key_kept(job->tube->name, key, options->finished_arg);
    if (id == 0)
        return 0;
    broker_lock(broker);
    if ((*watch)->id == 0) /* else a later one has gone meanwhile */
        (*watch)->id = id;
    broker_unlock(broker);
    return 0;
}
