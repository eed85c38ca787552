// SPDX-License-Identifier: MIT
/*
 * Groups: jobs of any tubes that are joined together.
 *
 * A group is its submitter's, so what one user calls a group is no matter of another's; all whom
 * nobody knows are one submitter. It is made by the first job that names it and counts as a tube
 * does: how many of its jobs are unfinished (in a queue core of its own, which has the joiners,
 * too), and how the others ended. A job that was buried counts as failed until it is kicked. Once
 * it has neither jobs nor joiners it is kept for a day (broker_options.group_keep_ns), so that who
 * joins late is told the counts, and is forgotten then; or earlier, when there are as many groups
 * as there may be (broker_options.groups_max) and a put names a new one. Root and the daemon's user
 * have a share beyond these, so whatever others name, they can use groups.
 *
 * In the journal: a GROUP entry with the counts as they are, written when the group is made or when
 * a job that is buried already comes into the journal, and copied by compaction as pauses are; and
 * behind it, in the entries that end a job or bring it back (DELETE, BURY, KICK, LEASE), what that
 * is to the group, by submitter and name. So the counts are exact at each point of the journal and
 * need no entry of their own. Where the changes of a job vanish because it ends before they are
 * written, those that count here stay (journal/commit.h). An entry that counts is dead with its
 * segment, for the GROUP entry before it was in that segment or an older one and has been copied:
 * with later counts.
 *
 * Counts of jobs that aren't in the journal end with the daemon, as the jobs do: so a group has two
 * sets of them, and the journal has those of jobs that are in it.
 */
#include "base/clock.h"
#include "broker/broker_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BROKER_GROUP_MAGIC 0xb40ce470u
#define GROUP_KEEP_DEFAULT_NS (INT64_C(24) * 3600 * HL_SECOND)
/* Of groups_max, what root and the daemon's user have beyond it. */
#define GROUPS_SHARE_PART 16
#define GROUPS_SHARE_MIN 16

static const char *name_of(const struct job *job)
{
    const struct job_options *options = job->rare != NULL ? job->rare->options : NULL;
    return options != NULL && options->group[0] != '\0' ? options->group : NULL;
}

/* The key of a group stands in it as it is. */
_Static_assert(offsetof(struct broker_group, name) ==
                   offsetof(struct broker_group, submitter) + sizeof(uint32_t),
               "a group's name follows its submitter");

static const char *key_of(const struct broker_group *group)
{
    return (const char *)&group->submitter;
}

struct broker_group *group_find(struct broker *broker, uint32_t submitter, const char *name,
                                size_t len)
{
    char key[sizeof(submitter) + JOB_TEXT_MAX];
    if (len > JOB_TEXT_MAX)
        return NULL;
    memcpy(key, &submitter, sizeof(submitter));
    memcpy(key + sizeof(submitter), name, len);
    return strmap_get(&broker->groups, key, sizeof(submitter) + len);
}

HELD static struct broker_group *group_named(const struct job *job)
{
    const char *name = name_of(job);
    return name != NULL ? group_find(job->tube->broker, submitter_of(job), name, strlen(name))
                        : NULL;
}

/* Most jobs have none, and ask at each step. */
HELD static inline struct broker_group *group_of(const struct job *job)
{
    return job->rare == NULL || job->rare->options == NULL ? NULL : group_named(job);
}

bool group_has(const struct broker_group *group, const struct job *job)
{
    const char *name = name_of(job);
    return name != NULL && submitter_of(job) == group->submitter && strcmp(name, group->name) == 0;
}

int group_need(struct broker *broker, uint32_t submitter, const char *name, size_t len,
               struct broker_group **out)
{
    struct broker_group *group = group_find(broker, submitter, name, len);
    *out = group;
    if (group != NULL)
        return 0;
    group = calloc(1, sizeof(*group) + len + 1);
    if (group == NULL)
        return ENOMEM;
    memcpy(group->name, name, len);
    group->name_len = len;
    group->submitter = submitter;
    int rc = strmap_put(&broker->groups, key_of(group), sizeof(submitter) + len, group);
    if (rc != 0) {
        free(group);
        return rc;
    }
    MAGIC_INIT(group, BROKER_GROUP_MAGIC);
    group->broker = broker;
    queue_core_init(&group->core, broker->domain,
                    &(struct queue_core_options){.name = group->name});
    list_node_init(&group->idle);
    list_node_init(&group->node);
    list_append(&broker->group_list, &group->node);
    group->idle_ns = clock_now_ns();
    list_append(&broker->idle_groups, &group->idle);
    *out = group;
    return 0;
}

static void group_vanish(struct broker_group *group)
{
    ASSERT(group->refs == 0 && group->core.unfinished == 0);
    list_remove(&group->idle);
    list_remove(&group->node);
    strmap_remove(&group->broker->groups, key_of(group),
                  sizeof(group->submitter) + group->name_len);
    queue_core_fini(&group->core);
    MAGIC_WIPE(group);
    free(group);
}

void group_ref(struct broker_group *group)
{
    MAGIC_CHECK(group, BROKER_GROUP_MAGIC);
    if (group->refs++ == 0)
        list_remove(&group->idle);
}

void group_unref(struct broker_group *group)
{
    MAGIC_CHECK(group, BROKER_GROUP_MAGIC);
    ASSERT(group->refs > 0);
    if (--group->refs > 0)
        return;
    group->idle_ns = clock_now_ns();
    list_append(&group->broker->idle_groups, &group->idle);
}

void groups_free(struct broker *broker)
{
    size_t cursor = 0;
    struct broker_group *group;
    while ((group = strmap_next(&broker->groups, &cursor)) != NULL) {
        queue_core_fini(&group->core);
        MAGIC_WIPE(group);
        free(group);
    }
    strmap_fini(&broker->groups);
}

void broker_forget_groups(struct broker *broker)
{
    int64_t keep_ns = broker->options.group_keep_ns;
    int64_t before_ns = clock_now_ns() - (keep_ns > 0 ? keep_ns : GROUP_KEEP_DEFAULT_NS);
    broker_lock(broker);
    for (int i = 0; i < BROKER_WALK_MAX && !list_empty(&broker->idle_groups); i++) {
        struct broker_group *group =
            CONTAINER_OF(list_first(&broker->idle_groups), struct broker_group, idle);
        if (group->idle_ns > before_ns)
            break;
        group_vanish(group);
    }
    broker_unlock(broker);
}

/* ---- its jobs ---- */

int group_admit(struct job *job)
{
    const char *name = name_of(job);
    struct broker_group *group;
    return name != NULL
               ? group_need(job->tube->broker, submitter_of(job), name, strlen(name), &group)
               : 0;
}

/* Whether there is no place for one more of that submitter's. */
static bool groups_are_full(const struct broker *broker, uint32_t submitter)
{
    uint64_t max = broker->options.groups_max;
    if (max == 0)
        return false;
    if (uid_is_owner(broker, submitter))
        max +=
            max / GROUPS_SHARE_PART > GROUPS_SHARE_MIN ? max / GROUPS_SHARE_PART : GROUPS_SHARE_MIN;
    return broker->groups.len >= max;
}

void groups_trim(struct broker *broker, size_t most)
{
    struct list_node *oldest;
    for (; most > 0 && groups_are_full(broker, JOB_NOBODY); most--) {
        if ((oldest = list_first(&broker->idle_groups)) == NULL)
            return;
        group_vanish(CONTAINER_OF(oldest, struct broker_group, idle));
    }
}

int group_admit_put(struct job *job)
{
    struct broker *broker = job->tube->broker;
    if (name_of(job) == NULL || group_of(job) != NULL)
        return 0;
    groups_trim(broker, BROKER_WALK_MAX); /* one, and what the share was used for before */
    return groups_are_full(broker, submitter_of(job)) ? EDQUOT : group_admit(job);
}

void group_enter(struct job *job)
{
    struct broker_group *group = group_of(job);
    if (group != NULL)
        group_ref(group);
}

void group_leave(struct job *job)
{
    struct broker_group *group = group_of(job);
    if (group != NULL)
        group_unref(group);
}

void group_open_task(struct job *job)
{
    struct broker_group *group = group_of(job);
    if (group != NULL)
        queue_core_open_task(&group->core);
}

void group_close_task(struct job *job)
{
    struct broker_group *group = group_of(job);
    if (group != NULL)
        MUST(queue_core_close_task(&group->core));
}

/* What is written must be one that can be read. */
static void count_add(uint64_t *count)
{
    *count += *count < JOB_COUNT_MAX;
}

void group_count(struct job_group_counts *counts, enum job_fate_count count)
{
    switch (count) {
    case JOB_COUNT_NONE:
        break;
    case JOB_COUNT_DONE:
        count_add(&counts->done);
        break;
    case JOB_COUNT_FAILED:
        count_add(&counts->failed);
        break;
    case JOB_COUNT_DELETED:
        count_add(&counts->deleted);
        break;
    case JOB_COUNT_CANCELLED:
        count_add(&counts->cancelled);
        break;
    case JOB_COUNT_REOPENED:
        counts->failed -= counts->failed > 0; /* after damage there may be none */
        break;
    }
}

void group_tell(const struct job *job, enum job_fate_count count, bool logged)
{
    struct broker_group *group = count != JOB_COUNT_NONE ? group_of(job) : NULL;
    if (group == NULL)
        return;
    group_count(&group->counts, count);
    if (logged)
        group_count(&group->kept, count);
}

struct broker_group *group_to_log(const struct job *job)
{
    return group_of(job);
}

/* ---- copies ---- */

struct broker_totals group_totals(const struct broker_group *group)
{
    const struct job_group_counts *counts = &group->counts;
    return (struct broker_totals){.put = counts->done + counts->failed + counts->deleted +
                                         counts->cancelled + group->core.unfinished,
                                  .done = counts->done,
                                  .failed = counts->failed,
                                  .deleted = counts->deleted,
                                  .cancelled = counts->cancelled};
}

/* ---- what askers call them ---- */

#define NOBODY_WORD "nobody"

/* "UID:NAME", "nobody:NAME"; NULL: it isn't of that form. */
static const char *said_parse(const char *text, uint32_t *submitter)
{
    const char *colon = strchr(text, ':');
    if (colon == NULL || colon == text)
        return NULL;
    size_t len = (size_t)(colon - text);
    *submitter = JOB_NOBODY;
    if (len == strlen(NOBODY_WORD) && memcmp(text, NOBODY_WORD, len) == 0)
        return colon + 1;
    uint64_t uid = 0;
    for (const char *at = text; at < colon; at++) {
        if (*at < '0' || *at > '9' || uid >= JOB_NOBODY)
            return NULL;
        uid = uid * 10 + (uint64_t)(*at - '0');
    }
    *submitter = (uint32_t)uid;
    return uid < JOB_NOBODY ? colon + 1 : NULL;
}

/*
 * Who may monitor finds nobody's group by the plain name, too, if he has none of it himself: those
 * of an older journal are nobody's.
 */
struct broker_group *group_said(struct broker *broker, const struct trust_view *asker,
                                const char *text)
{
    struct broker_group *group = group_find(broker, asker->uid, text, strlen(text));
    if (group != NULL || !trust_may_server(asker, TRUST_monitor))
        return group;
    uint32_t submitter;
    const char *name = said_parse(text, &submitter);
    if (name != NULL)
        group = group_find(broker, submitter, name, strlen(name));
    return group != NULL ? group : group_find(broker, JOB_NOBODY, text, strlen(text));
}

const char *group_said_key(struct broker *broker, const struct trust_view *asker, const char *text,
                           uint32_t *submitter)
{
    const struct broker_group *group = group_said(broker, asker, text);
    const char *name = NULL;
    if (trust_may_server(asker, TRUST_monitor) &&
        (group == NULL || strlen(group->name) != strlen(text)))
        name = said_parse(text, submitter);
    if (name != NULL)
        return name;
    *submitter = group != NULL ? group->submitter : asker->uid;
    return text;
}

static void said_write(const struct broker_group *group, const struct trust_view *asker,
                       char text[BROKER_GROUP_NAME_MAX + 1])
{
    if (group->submitter == asker->uid)
        snprintf(text, BROKER_GROUP_NAME_MAX + 1, "%s", group->name);
    else if (group->submitter == JOB_NOBODY)
        snprintf(text, BROKER_GROUP_NAME_MAX + 1, NOBODY_WORD ":%s", group->name);
    else
        snprintf(text, BROKER_GROUP_NAME_MAX + 1, "%" PRIu32 ":%s", group->submitter, group->name);
}

int broker_group_stats(struct broker *broker, const struct trust_view *asker, const char *name,
                       uint64_t *unfinished, struct broker_totals *totals)
{
    broker_lock(broker);
    const struct broker_group *group = group_said(broker, asker, name);
    if (group != NULL) {
        *unfinished = group->core.unfinished;
        *totals = group_totals(group);
    }
    broker_unlock(broker);
    return group != NULL ? 0 : ENOENT;
}

size_t broker_groups(struct broker *broker)
{
    broker_lock(broker);
    size_t count = broker->groups.len;
    broker_unlock(broker);
    return count;
}

struct group_copy {
    char name[BROKER_GROUP_NAME_MAX + 1];
    uint64_t unfinished;
    struct broker_totals totals;
};

/* From the last one on, backwards. */
HELD static size_t copy_last(struct broker *broker, const struct trust_view *asker,
                             struct group_copy *copies)
{
    bool all = trust_may_server(asker, TRUST_monitor);
    size_t count = 0;
    struct list_node *node = broker->group_list.head.prev;
    for (; node != &broker->group_list.head && count < BROKER_GROUPS_TOLD; node = node->prev) {
        const struct broker_group *group = CONTAINER_OF(node, struct broker_group, node);
        if (!all && group->submitter != asker->uid)
            continue;
        said_write(group, asker, copies[count].name);
        copies[count].unfinished = group->core.unfinished;
        copies[count++].totals = group_totals(group);
    }
    return count;
}

int broker_each_group(struct broker *broker, const struct trust_view *asker,
                      void (*visit)(const char *name, uint64_t unfinished,
                                    const struct broker_totals *totals, void *arg),
                      void *arg)
{
    /* no magic: never leaves this function */
    struct group_copy *copies = malloc(BROKER_GROUPS_TOLD * sizeof(*copies));
    if (copies == NULL)
        return ENOMEM;
    broker_lock(broker);
    size_t count = copy_last(broker, asker, copies);
    broker_unlock(broker);
    for (size_t i = 0; i < count; i++)
        visit(copies[i].name, copies[i].unfinished, &copies[i].totals, arg);
    free(copies);
    return 0;
}
