// SPDX-License-Identifier: MIT
/*
 * Views beyond those of connections: of all, of a uid that isn't there, of nobody.
 */
#include "base/magic.h"
#include "trust/trust_priv.h"

#include <stdlib.h>

/* For any class of any table. */
static const trust_rights every_class[TRUST_CLASSES_MAX] = {[0 ... TRUST_CLASSES_MAX - 1] =
                                                                TRUST_TUBE_RIGHTS};

const struct trust_view trust_all = {
    .rights = every_class, .server = TRUST_SERVER_RIGHTS, .uid = JOB_NOBODY, .door = TRUST_UNIX};

int trust_view_of_uid(struct trust_view *view, const struct trust *trust, uint32_t uid)
{
    struct trust_peer peer = {.door = TRUST_UNIX, .uid = uid};
    gid_t *groups = NULL;
    int rc = 0;
    *view = (struct trust_view){.trust = trust, .uid = uid, .door = TRUST_UNIX};
    if (uid != JOB_NOBODY)
        rc = trust_groups_of_uid(uid, &groups, &peer.group_count);
    if (rc != 0)
        return rc;
    peer.groups = groups;
    trust_view_of(view, trust, &peer);
    free(groups);
    return 0;
}

trust_rights trust_rights_everywhere(const struct trust_view *view)
{
    trust_rights rights = TRUST_EVERYTHING;
    size_t classes = view->trust != NULL ? trust_class_count(view->trust) : 1;
    for (size_t i = 0; i < classes; i++)
        rights &= trust_rights_on(view, (uint16_t)i, JOB_NOBODY);
    return rights;
}

bool trust_may_nothing(const struct trust_view *view)
{
    return view->rights == NULL && view->server == 0;
}
