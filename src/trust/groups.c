// SPDX-License-Identifier: MIT
/*
 * The groups of a uid, from the system's lists of users (nsswitch.conf(5)).
 */
#include "trust/trust_priv.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#define ENTRY_FIRST ((size_t)1024)
#define ENTRY_MAX ((size_t)1 << 20)
#define GROUPS_FIRST 32
#define GROUPS_MAX 65536 /* the kernel's NGROUPS_MAX */

/* The user's entry, its texts in *text, which is the caller's to free. ENOENT. */
static int entry_find(uint32_t uid, struct passwd *entry, char **text)
{
    char *room = NULL;
    for (size_t size = ENTRY_FIRST; size <= ENTRY_MAX; size *= 2) {
        struct passwd *found = NULL;
        char *grown = realloc(room, size);
        if (grown == NULL)
            break;
        room = grown;
        int rc = getpwuid_r((uid_t)uid, entry, room, size, &found);
        if (rc == EINTR) {
            size /= 2;
            continue;
        }
        if (rc == ERANGE)
            continue;
        if (rc == 0 && found != NULL) {
            *text = room;
            return 0;
        }
        free(room);
        return rc != 0 ? rc : ENOENT;
    }
    free(room);
    return ENOMEM;
}

int trust_groups_of_uid(uint32_t uid, gid_t **groups, size_t *count)
{
    struct passwd entry;
    char *text = NULL;
    *groups = NULL;
    *count = 0;
    int rc = entry_find(uid, &entry, &text);
    if (rc == ENOENT)
        return 0;
    if (rc != 0)
        return rc;
    rc = ENOMEM;
    gid_t *room = NULL;
    for (int size = GROUPS_FIRST; size <= GROUPS_MAX; size *= 2) {
        int found = size;
        gid_t *grown = reallocarray(room, (size_t)size, sizeof(*room));
        if (grown == NULL)
            break;
        room = grown;
        if (getgrouplist(entry.pw_name, entry.pw_gid, room, &found) < 0)
            continue;
        *count = (size_t)found;
        rc = 0;
        break;
    }
    free(text);
    if (rc != 0)
        free(room);
    else
        *groups = room;
    return rc;
}
