// SPDX-License-Identifier: MIT
/*
 * Who may do what: one decision, and its default is no.
 *
 * The configuration's acl sections (struct trust_rule) and the built-in ones become a table once,
 * at the start. Each says who (uids, groups, doors, anyone), where (patterns of tubes, guarded
 * tubes or not) and what (rights.def). A peer has the union of what the rules that fit it give;
 * there is no rule that takes away, and no order.
 *
 * Compiled, the names of tubes fall into classes (which rules reach a tube), and peers too (which
 * rules fit a peer, through which door), so that asking is one load and one AND. A tube gets its
 * class when it is made, a connection its view when it is accepted.
 *
 *     trust_new(&trust, &settings, why, sizeof(why));
 *     class = trust_tube_class(trust, name, len);         once a tube
 *     trust_view_of(&view, trust, &peer);                 once a connection
 *     trust_ask(&view, class, TRUST_edit, submitter)      for each thing that is wanted
 *
 * The table is immutable: everything here but trust_new and trust_free may be called from any
 * thread, under any lock; only trust_view_of_uid may block.
 */
#ifndef TRUST_TRUST_H
#define TRUST_TRUST_H

#include "job/job.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* ---- rights ---- */

/* A set of rights: bits TRUST_see, TRUST_read, ... of rights.def. */
typedef uint16_t trust_rights;

enum trust_right_bit {
#define RIGHT(id, word, what) TRUST_BIT_##id,
#include "trust/rights.def"
#undef RIGHT
    TRUST_RIGHT_COUNT
};

enum trust_right {
#define RIGHT(id, word, what) TRUST_##id = 1 << TRUST_BIT_##id,
#include "trust/rights.def"
#undef RIGHT
    TRUST_EVERYTHING = (1 << TRUST_RIGHT_COUNT) - 1
};

#define TRUST_SERVER_RIGHTS (TRUST_monitor | TRUST_admin)
#define TRUST_TUBE_RIGHTS (TRUST_EVERYTHING & ~TRUST_SERVER_RIGHTS)
#define TRUST_OWN_RIGHTS (TRUST_see_own | TRUST_read_own | TRUST_edit_own)
/* What can make jobs run: new ones, those that a release gives back, those that a kick or a resume
 * lets go. In guarded tubes it takes `run` beside. */
#define TRUST_RUN_RIGHTS (TRUST_put | TRUST_work | TRUST_edit | TRUST_pause | TRUST_edit_own)
/* What only the Unix socket carries: over TCP a browser or a proxy speaks in its user's name. */
#define TRUST_UNIX_RIGHTS (TRUST_run | TRUST_admin)

/* The word of one right ("read-own"), by its bit's number; static. */
const char *trust_right_word(enum trust_right_bit bit);
/* What a word stands for: a right, or a bundle (*is_bundle, which may be NULL). ENOENT. */
int trust_rights_parse(const char *word, trust_rights *rights, bool *is_bundle);
/* All words of rights and bundles, for messages ("see, read, ..., all"); static. */
const char *trust_rights_list(void);
#define TRUST_RIGHTS_TEXT 128
/* "see, put, edit-own"; "nothing". Cut if `size` is below TRUST_RIGHTS_TEXT. */
void trust_rights_text(trust_rights rights, char *text, size_t size);

/* ---- peers ---- */

enum trust_door {
    TRUST_UNIX,     /* a Unix socket: the kernel names the peer */
    TRUST_LOOPBACK, /* TCP from this machine's loopback */
    TRUST_NETWORK,  /* any other TCP */
    TRUST_DOOR_COUNT
};

/* "unix", "loopback", "network"; static. And back: ENOENT. */
const char *trust_door_word(enum trust_door door);
int trust_door_parse(const char *word, enum trust_door *door);

struct trust_peer {
    enum trust_door door;
    uint32_t uid; /* JOB_NOBODY: anonymous */
    const gid_t *groups;
    size_t group_count;
};

/*
 * The groups of a uid, as the system's lists of users have them; the array is the caller's to free.
 * A uid that no list has: none. May block (files, name services). ENOMEM, others as the system
 * says.
 */
int trust_groups_of_uid(uint32_t uid, gid_t **groups, size_t *count);

/* ---- rules ---- */

struct trust_rule {
    const char *name;
    const uint32_t *users; /* uids */
    size_t user_count;
    const gid_t *groups;
    size_t group_count;
    bool anyone;
    unsigned doors; /* bits 1 << enum trust_door; 0: unix and loopback */
    /* Names, with * for any bytes and ? for one; "*" alone: all. monitor and admin count where that
     * stands, or where no tubes are named at all. */
    const char *const *tubes;
    size_t tube_count;
    bool guarded;     /* reaches guarded tubes, too */
    trust_rights may; /* see_own comes with put */
};

#define TRUST_RULES_MAX 250
/* Rules of this name are built in; only those two may be replaced. */
#define TRUST_BUILTIN_PREFIX "builtin-"
#define TRUST_BUILTIN_GROUP "builtin-group" /* the group of the daemon: operator */
#define TRUST_BUILTIN_JOBS "builtin-jobs"   /* the user of jobs' programs: nothing */

struct trust_settings {
    const struct trust_rule *rules;
    size_t rule_count;
    const char *const *guarded; /* names of tubes whose jobs are commands, or that are marked so */
    size_t guarded_count;
    uint32_t daemon_uid; /* that uid and root may everything, over the Unix socket */
    bool beanstalkd;     /* everybody on this machine may what beanstalkd lets everybody do */
    const gid_t *group;  /* whose members are operators; NULL: none */
    const uint32_t *command_users; /* may submit and run, in guarded tubes too */
    size_t command_user_count;
    const gid_t *command_groups; /* whose members may the same */
    size_t command_group_count;
};

struct trust;

#define TRUST_CLASSES_MAX 4096

/*
 * Compiles; copies all it needs. E2BIG: the rules make more classes of tubes than
 * TRUST_CLASSES_MAX, or there are too many of them; `why` says which. ENOMEM.
 */
int trust_new(struct trust **out, const struct trust_settings *settings, char *why, size_t size);
/* When no view and no class is used any more; takes NULL. */
void trust_free(struct trust **trust);

/* What it was made of, built-in rules first; for people. */
size_t trust_rule_count(const struct trust *trust);
const struct trust_rule *trust_rule_at(const struct trust *trust, size_t index);
bool trust_rule_fits(const struct trust_rule *rule, const struct trust_peer *peer);
/* What the rule gives the peers that it fits: in that tube, or of the daemon (`tube` NULL). */
trust_rights trust_rule_gives(const struct trust *trust, const struct trust_rule *rule,
                              enum trust_door door, const char *tube);

/* ---- tubes ---- */

/* The class of a name, of any bytes; below TRUST_CLASSES_MAX. `trust` NULL: 0. */
uint16_t trust_tube_class(const struct trust *trust, const char *name, size_t len);
bool trust_class_is_guarded(const struct trust *trust, uint16_t tube_class);
size_t trust_class_count(const struct trust *trust);

/* ---- views: what one asker may ---- */

/* A value, copied freely, valid as long as the table. Zeroed: may nothing. */
struct trust_view {
    const struct trust *trust;
    const trust_rights *rights; /* by class of tube */
    trust_rights server;        /* monitor, admin */
    uint32_t uid;               /* JOB_NOBODY: anonymous. What is put has this submitter */
    enum trust_door door;
    uint32_t peer_class;
};

void trust_view_of(struct trust_view *view, const struct trust *trust,
                   const struct trust_peer *peer);
/* The daemon itself, and tests: everything everywhere, submitter JOB_NOBODY. */
extern const struct trust_view trust_all;
/* As if that uid came over the Unix socket; may block, as trust_groups_of_uid. JOB_NOBODY may what
 * anybody may. On failure the view may nothing. */
int trust_view_of_uid(struct trust_view *view, const struct trust *trust, uint32_t uid);
/* Whether the rule of that index fits the peer that the view is of. */
bool trust_view_fits(const struct trust_view *view, size_t index);
/* In no tube that could be, and not of the daemon. */
bool trust_may_nothing(const struct trust_view *view);
/* Whether all peers of that door may the same, whoever they are and whoever put a job: then nobody
 * needs to ask who comes, and all may pass as anonymous. */
bool trust_door_is_plain(const struct trust *trust, enum trust_door door);

/* Whether any rule for that door has groups. */
bool trust_door_has_groups(const struct trust *trust, enum trust_door door);

/* ---- the question ---- */

enum trust_verdict {
    TRUST_MAY,
    TRUST_DENIED, /* it may see that this is there, and may not do it */
    TRUST_HIDDEN  /* for it, this isn't there */
};

/* The rights on a job of that submitter; JOB_NOBODY: of nobody's job, or of the tube. */
static inline trust_rights trust_rights_on(const struct trust_view *view, uint16_t tube_class,
                                           uint32_t submitter)
{
    unsigned have = view->rights != NULL ? view->rights[tube_class] : 0;
    if (submitter == view->uid && submitter != JOB_NOBODY)
        have |= (have & TRUST_see_own ? TRUST_see : 0u) |
                (have & TRUST_read_own ? TRUST_read : 0u) |
                (have & TRUST_edit_own ? TRUST_edit : 0u);
    return (trust_rights)have;
}

/*
 * Whether all of `need` is allowed there, on a job of that submitter (JOB_NOBODY: on the tube). In
 * guarded tubes TRUST_RUN_RIGHTS need `run` beside; that is in the table already.
 */
static inline enum trust_verdict trust_ask(const struct trust_view *view, uint16_t tube_class,
                                           trust_rights need, uint32_t submitter)
{
    trust_rights have = trust_rights_on(view, tube_class, submitter);
    if ((have & need) == need)
        return TRUST_MAY;
    return have & TRUST_see ? TRUST_DENIED : TRUST_HIDDEN;
}

/* What is allowed in every tube, whatever its class. */
trust_rights trust_rights_everywhere(const struct trust_view *view);

/* Whether any of them is allowed in the tube. */
static inline bool trust_may_any(const struct trust_view *view, uint16_t tube_class,
                                 trust_rights any)
{
    return (trust_rights_on(view, tube_class, JOB_NOBODY) & any) != 0;
}

/* monitor, admin: all of `need`. */
static inline bool trust_may_server(const struct trust_view *view, trust_rights need)
{
    return (view->server & need) == need;
}

/* ---- for people ---- */

#define TRUST_WHY_MAX 512
/* "uid 1000 (over loopback)", "an anonymous peer (over the network)". */
void trust_who_text(char *text, size_t size, const struct trust_view *view);
/* An acl section that would allow it, on one line; or, where none can, why. `tube` NULL: of the
 * daemon. */
void trust_allow_text(char *text, size_t size, const struct trust_view *view, trust_rights need,
                      const char *tube);
/* A sentence: who may not do what where, and the line that would allow it. */
void trust_deny_text(char *why, size_t size, const struct trust_view *view, trust_rights need,
                     const char *tube);

/* ---- what was refused ---- */

/* The view was refused `need` there (`tube` NULL: of the daemon, or of a job of any tube): counts
 * it, and logs it, once a minute a peer and right. Any thread. */
void trust_denied(const struct trust_view *view, trust_rights need, const char *tube);
/* How often since the program began. */
uint64_t trust_denials(enum trust_right_bit bit);

#endif
