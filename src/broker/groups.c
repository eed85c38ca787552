// SPDX-License-Identifier: MIT
/*
 * Groups as those who ask have them: what they call them, how many there may be, and for how long
 * one is known that has neither jobs nor joiners. What a group is: group.c.
 *
 * Once a group has neither jobs nor joiners it is kept for a day (broker_options.group_keep_ns), so
 * that who joins late is told the counts, and is forgotten then; or earlier, when there are as many
 * groups as there may be (broker_options.groups_max) and a put names a new one. Root and the
 * daemon's user have a share beyond these, so whatever others name, they can use groups.
 */
#include "base/clock.h"
#include "broker/groups_priv.h"
#include "broker/owner_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUP_KEEP_DEFAULT_NS (INT64_C(24) * 3600 * HL_SECOND)
/* Of groups_max, what root and the daemon's user have beyond it. */
#define GROUPS_SHARE_PART 16
#define GROUPS_SHARE_MIN 16

/* ---- how many ---- */

void broker_forget_groups(struct broker *broker)
{
    int64_t keep_ns = broker->options.group_keep_ns;
    int64_t before_ns = clock_now_ns() - (keep_ns > 0 ? keep_ns : GROUP_KEEP_DEFAULT_NS);
    broker_lock(broker);
    for (int i = 0; i < BROKER_SLICE_MAX && !list_empty(&broker->ledger.idle_groups); i++) {
        struct job_group *group =
            CONTAINER_OF(list_first(&broker->ledger.idle_groups), struct job_group, idle);
        if (group->idle_ns > before_ns)
            break;
        group_vanish(group);
    }
    broker_unlock(broker);
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
    return broker->ledger.groups.len >= max;
}

void groups_trim(struct broker *broker, size_t most)
{
    struct list_node *oldest;
    for (; most > 0 && groups_are_full(broker, JOB_NOBODY); most--) {
        if ((oldest = list_first(&broker->ledger.idle_groups)) == NULL)
            return;
        group_vanish(CONTAINER_OF(oldest, struct job_group, idle));
    }
}

int group_admit_put(struct job *job)
{
    struct broker *broker = broker_of(job->tube);
    const struct job_options *options = job->extra != NULL ? job->extra->options : NULL;
    if (options == NULL || options->group[0] == '\0' || group_of(job) != NULL)
        return 0;
    groups_trim(broker, BROKER_SLICE_MAX); /* one, and what the share was used for before */
    return groups_are_full(broker, submitter_of(job)) ? EDQUOT : group_admit(job);
}

/* ---- copies ---- */

struct broker_totals group_totals(const struct job_group *group)
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
struct job_group *group_said(struct broker *broker, const struct trust_view *asker,
                             const char *text)
{
    struct job_group *group = group_find(&broker->ledger, asker->uid, text, strlen(text));
    if (group != NULL || !trust_may_server(asker, TRUST_monitor))
        return group;
    uint32_t submitter;
    const char *name = said_parse(text, &submitter);
    if (name != NULL)
        group = group_find(&broker->ledger, submitter, name, strlen(name));
    return group != NULL ? group : group_find(&broker->ledger, JOB_NOBODY, text, strlen(text));
}

const char *group_said_key(struct broker *broker, const struct trust_view *asker, const char *text,
                           uint32_t *submitter)
{
    const struct job_group *group = group_said(broker, asker, text);
    const char *name = NULL;
    if (trust_may_server(asker, TRUST_monitor) &&
        (group == NULL || strlen(group->name) != strlen(text)))
        name = said_parse(text, submitter);
    if (name != NULL)
        return name;
    *submitter = group != NULL ? group->submitter : asker->uid;
    return text;
}

static void said_write(const struct job_group *group, const struct trust_view *asker,
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
    const struct job_group *group = group_said(broker, asker, name);
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
    size_t count = broker->ledger.groups.len;
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
    struct list_node *node = broker->ledger.group_list.head.prev;
    for (; node != &broker->ledger.group_list.head && count < BROKER_GROUPS_TOLD;
         node = node->prev) {
        const struct job_group *group = CONTAINER_OF(node, struct job_group, node);
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
