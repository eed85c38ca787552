// SPDX-License-Identifier: MIT
/*
 * Keys: who submits a second job with the key of one that is there gets the first one's id, so a
 * submit whose answer was lost can be sent again.
 *
 * A key is its tube's and its submitter's: what one user calls a job means nothing to another, who
 * can neither learn of it nor be kept from his own. All whom nobody knows are one submitter. A key
 * belongs to the job, goes with it into another tube (unless that one has the key already: then the
 * index keeps who was there first), and is free again when the job leaves. The index isn't in the
 * journal: jobs bring their keys with them at replay.
 *
 * Whoever keeps records of finished jobs may know the key of one that is gone
 * (broker_options.key_kept); there may be millions of those, so he is asked, and not copied. He may
 * have to look into a file, so he is asked without the lock and may answer later, and a job with
 * that key may come and go meanwhile. Therefore a put that asks watches the key from before it asks
 * until it is in its tube, which may be a while when it waits for room: a job that leaves a record
 * leaves its id with the watches of its key. So there is no moment at which a key is neither here,
 * nor there, nor watched; and the put is decided after the answer, as if it had just come.
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
    char text[]; /* of the index: the tube's name, a NUL, the submitter, the key */
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

#define TEXT_MAX (JOB_TUBE_NAME_MAX + 1 + sizeof(uint32_t) + JOB_TEXT_MAX)

/* A key as it stands in an index. */
struct key_text {
    size_t len; /* 0: the job has no key */
    char bytes[TEXT_MAX];
};

/* NULL: none. */
static const char *key_of(const struct job *job)
{
    const struct job_options *options = job->rare != NULL ? job->rare->options : NULL;
    return options != NULL && options->key[0] != '\0' ? options->key : NULL;
}

static void text_make(struct key_text *text, const struct job *job, const struct broker_tube *tube,
                      const char *key)
{
    uint32_t submitter = submitter_of(job);
    size_t key_len = strlen(key);
    ASSERT(tube->name_len <= JOB_TUBE_NAME_MAX && key_len <= JOB_TEXT_MAX);
    // cppcheck-suppress ctuuninitvar ; only its address is taken
    char *at = text->bytes + tube->name_len + 1;
    memcpy(text->bytes, tube->name, tube->name_len + 1);
    memcpy(at, &submitter, sizeof(submitter));
    memcpy(at + sizeof(submitter), key, key_len);
    text->len = tube->name_len + 1 + sizeof(submitter) + key_len;
}

/* The job's key in that tube; false: it has none, as most. */
static inline bool text_of(struct key_text *text, const struct job *job,
                           const struct broker_tube *tube)
{
    const char *key = key_of(job);
    if (key != NULL)
        text_make(text, job, tube, key);
    return key != NULL;
}

static struct broker_key *find(const struct broker *broker, const struct key_text *text)
{
    return strmap_get(&broker->keys, text->bytes, text->len);
}

static struct key_watch *watch_find(const struct broker *broker, const struct key_text *text)
{
    return strmap_get(&broker->key_watches, text->bytes, text->len);
}

/* EEXIST: somebody has it. */
static int add(struct broker *broker, const struct key_text *text, uint64_t id)
{
    if (find(broker, text) != NULL)
        return EEXIST;
    struct broker_key *made = malloc(sizeof(*made) + text->len);
    if (made == NULL)
        return ENOMEM;
    MAGIC_INIT(made, BROKER_KEY_MAGIC);
    made->id = id;
    made->len = text->len;
    memcpy(made->text, text->bytes, text->len);
    int rc = strmap_put(&broker->keys, made->text, text->len, made);
    if (rc != 0)
        free(made);
    return rc;
}

static void drop(struct broker *broker, const struct key_text *text, uint64_t id)
{
    struct broker_key *known = find(broker, text);
    if (known == NULL || known->id != id)
        return;
    MAGIC_CHECK(known, BROKER_KEY_MAGIC);
    strmap_remove(&broker->keys, known->text, known->len);
    MAGIC_WIPE(known);
    free(known);
}

uint64_t key_holder(const struct job *job)
{
    struct key_text text;
    if (!text_of(&text, job, job->tube))
        return 0;
    const struct broker_key *known = find(job->tube->broker, &text);
    if (known != NULL)
        return known->id;
    const struct key_watch *watch = watch_find(job->tube->broker, &text);
    return watch != NULL ? watch->id : 0;
}

int key_add(struct job *job, const struct broker_tube *tube)
{
    struct key_text text;
    int rc = text_of(&text, job, tube) ? add(tube->broker, &text, job->id) : 0;
    return rc == EEXIST ? 0 : rc;
}

void key_remove(struct job *job, const struct broker_tube *tube)
{
    struct key_text text;
    if (text_of(&text, job, tube))
        drop(tube->broker, &text, job->id);
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

void key_leave_word(struct job *job, const struct broker_tube *tube)
{
    struct key_text text;
    if (!text_of(&text, job, tube))
        return;
    const struct broker_key *known = find(tube->broker, &text);
    struct key_watch *watch = watch_find(tube->broker, &text);
    if (watch != NULL && known != NULL && known->id == job->id)
        watch->id = job->id;
}

HELD static int watch_begin(struct broker *broker, const struct key_text *text,
                            struct key_watch **out)
{
    struct key_watch *watch = watch_find(broker, text);
    if (watch == NULL) {
        watch = malloc(sizeof(*watch) + text->len);
        if (watch == NULL)
            return ENOMEM;
        *watch = (struct key_watch){.len = text->len};
        MAGIC_INIT(watch, KEY_WATCH_MAGIC);
        memcpy(watch->text, text->bytes, text->len);
        int rc = strmap_put(&broker->key_watches, watch->text, text->len, watch);
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

int key_watch_first(const struct job *job, struct key_watch **watch)
{
    struct broker *broker = job->tube->broker;
    struct key_text text;
    *watch = NULL;
    if (broker->options.key_kept == NULL || !text_of(&text, job, job->tube))
        return 0;
    broker_lock(broker);
    bool known = key_holder(job) != 0;
    int rc = watch_begin(broker, &text, watch); /* also if it is known: that job may go */
    if (rc == 0 && !known) {
        tube_ref(job->tube);
        rc = EINPROGRESS;
    }
    broker_unlock(broker);
    return rc;
}

void key_learn(const struct job *job, struct key_watch *watch, uint64_t id)
{
    struct broker_tube *tube = job->tube;
    if (watch->id == 0) /* else a later one has gone meanwhile */
        watch->id = id;
    tube_unref(tube);
}

int key_ask(const struct job *job, struct broker_key_question *question)
{
    struct broker *broker = job->tube->broker;
    question->tube = job->tube->name;
    question->key = key_of(job);
    question->submitter = submitter_of(job);
    question->id = 0;
    return broker->options.key_kept(question, broker->options.records_arg);
}
