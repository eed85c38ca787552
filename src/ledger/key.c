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
 * What is known of keys of jobs that are gone is a matter of who stands above.
 */
#include "ledger/key.h"

#include "base/magic.h"
#include "ledger/tube.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define JOB_KEY_MAGIC 0xb40ce4e7u

struct job_key {
    unsigned magic;
    uint64_t id;
    size_t len;
    char text[]; /* of the index: the tube's name, a NUL, the submitter, the key */
};

void key_text_make(struct key_text *text, const struct job *job, const struct tube *tube,
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

static struct job_key *find(const struct ledger *ledger, const struct key_text *text)
{
    return strmap_get(&ledger->keys, text->bytes, text->len);
}

/* EEXIST: somebody has it. */
static int add(struct ledger *ledger, const struct key_text *text, uint64_t id)
{
    if (find(ledger, text) != NULL)
        return EEXIST;
    struct job_key *made = malloc(sizeof(*made) + text->len);
    if (made == NULL)
        return ENOMEM;
    MAGIC_INIT(made, JOB_KEY_MAGIC);
    made->id = id;
    made->len = text->len;
    memcpy(made->text, text->bytes, text->len);
    int rc = strmap_put(&ledger->keys, made->text, text->len, made);
    if (rc != 0)
        free(made);
    return rc;
}

static void drop(struct ledger *ledger, const struct key_text *text, uint64_t id)
{
    struct job_key *known = find(ledger, text);
    if (known == NULL || known->id != id)
        return;
    MAGIC_CHECK(known, JOB_KEY_MAGIC);
    strmap_remove(&ledger->keys, known->text, known->len);
    MAGIC_WIPE(known);
    free(known);
}

uint64_t key_find(const struct ledger *ledger, const struct key_text *text)
{
    const struct job_key *known = find(ledger, text);
    return known != NULL ? known->id : 0;
}

int key_add(struct job *job, const struct tube *tube)
{
    struct key_text text;
    int rc = key_text_of(&text, job, tube) ? add(tube->ledger, &text, job->id) : 0;
    return rc == EEXIST ? 0 : rc;
}

void key_remove(struct job *job, const struct tube *tube)
{
    struct key_text text;
    if (key_text_of(&text, job, tube))
        drop(tube->ledger, &text, job->id);
}

void keys_free(struct ledger *ledger)
{
    size_t cursor = 0;
    struct job_key *key;
    while ((key = strmap_next(&ledger->keys, &cursor)) != NULL) {
        MAGIC_WIPE(key);
        free(key);
    }
    strmap_fini(&ledger->keys);
}
