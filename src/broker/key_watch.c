// SPDX-License-Identifier: MIT
/*
 * Keys of jobs that are gone.
 *
 * Whoever keeps records of finished jobs may know the key of one that is gone
 * (broker_options.key_kept); there may be millions of those, so he is asked, and not copied. He may
 * have to look into a file, so he is asked without the lock and may answer later, and a job with
 * that key may come and go meanwhile. Therefore a put that asks watches the key from before it asks
 * until it is in its tube, which may be a while when it waits for room: a job that leaves a record
 * leaves its id with the watches of its key. So there is no moment at which a key is neither here,
 * nor there, nor watched; and the put is decided after the answer, as if it had just come.
 */
#include "broker/put_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KEY_WATCH_MAGIC 0xb40ce3a7u

/* All puts that watch the same key share it. */
struct key_watch {
    unsigned magic;
    unsigned refs;
    uint64_t id; /* of a job that is gone and has a record; 0: none */
    size_t len;
    char text[]; /* as in the index */
};

static struct key_watch *watch_find(const struct broker *broker, const struct key_text *text)
{
    return strmap_get(&broker->key_watches, text->bytes, text->len);
}

uint64_t key_owner(const struct job *job)
{
    struct key_text text;
    if (!key_text_of(&text, job, job->tube))
        return 0;
    uint64_t known = key_find(job->tube->ledger, &text);
    if (known != 0)
        return known;
    const struct key_watch *watch = watch_find(broker_of(job->tube), &text);
    return watch != NULL ? watch->id : 0;
}

/* ---- keys of jobs that are gone ---- */

void key_leave_word(struct job *job, const struct tube *tube)
{
    struct key_text text;
    if (!key_text_of(&text, job, tube))
        return;
    struct key_watch *watch = watch_find(broker_of(tube), &text);
    if (watch != NULL && key_find(tube->ledger, &text) == job->id)
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
    struct broker *broker = broker_of(job->tube);
    struct key_text text;
    *watch = NULL;
    if (broker->options.key_kept == NULL || !key_text_of(&text, job, job->tube))
        return 0;
    broker_lock(broker);
    bool known = key_owner(job) != 0;
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
    struct tube *tube = job->tube;
    if (watch->id == 0) /* else a later one has gone meanwhile */
        watch->id = id;
    tube_unref(tube);
}

int key_ask(const struct job *job, struct broker_key_question *question)
{
    struct broker *broker = broker_of(job->tube);
    question->tube = job->tube->name;
    question->key = job_key_of(job);
    question->submitter = submitter_of(job);
    question->id = 0;
    return broker->options.key_kept(question, broker->options.records_arg);
}
