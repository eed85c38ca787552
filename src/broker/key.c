// SPDX-License-Identifier: MIT
/*
 * Keys: who submits a second job with the key of one that is there gets the first one's id, so a
 * submit whose answer was lost can be sent again.
 *
 * A key is its tube's. It belongs to the job, goes with it into another tube (unless that one has
 * the key already: then the index keeps who was there first), and is free again when the job
 * leaves. Where somebody keeps records of finished jobs and says so (broker_options.keys_outlive),
 * the key of a job that leaves a record stays until broker_key_drop.
 *
 * The index isn't in the journal: jobs bring their keys with them at replay, and whoever keeps
 * records brings theirs (broker_key_keep).
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

uint64_t key_holder(const struct job *job)
{
    const char *key = key_of(job);
    const struct broker_key *known =
        key != NULL ? find(job->tube->broker, job->tube->name, key) : NULL;
    return known != NULL ? known->id : 0;
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
}

int broker_key_keep(struct broker *broker, const char *tube, const char *key, uint64_t id)
{
    if (job_tube_name_check(tube, strlen(tube)) != 0 || strlen(key) > JOB_TEXT_MAX)
        return EINVAL;
    broker_lock(broker);
    int rc = add(broker, tube, key, id);
    broker_unlock(broker);
    return rc;
}

void broker_key_drop(struct broker *broker, const char *tube, const char *key, uint64_t id)
{
    if (strlen(tube) > JOB_TUBE_NAME_MAX || strlen(key) > JOB_TEXT_MAX)
        return;
    broker_lock(broker);
    if (idtable_get(&broker->jobs, id) == NULL)
        drop(broker, tube, key, id);
    broker_unlock(broker);
}
