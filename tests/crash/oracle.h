// SPDX-License-Identifier: MIT
/*
 * What the daemon was told and what it acknowledged, kept outside of it.
 *
 * For each job the oracle knows the fates that it may have after a crash. While all is answered
 * there is one. What was sent and not answered when the daemon died may have happened or not, so it
 * adds fates; the judge (judge.h) finds one of them, and it is the only one again.
 *
 * What was answered may be undone, too, where the level of its tube says so: an answer at
 * `interval` by a power loss soon after, one at `memory` by any end. The log has an order, so a
 * change that is surely there has all earlier ones of its job with it. The fates that answers have
 * ended are kept as long as they may come back.
 *
 * A lease under a token outlives the daemon: as long as it is in force nobody else is told of its
 * job, and its token, and no other, is good. Each life goes on with those of the lives before.
 *
 * That works because at most one connection at a time has unanswered commands about a job or about
 * the pause of a tube (its claim), and a connection's commands are carried out in order.
 */
#ifndef ORACLE_H
#define ORACLE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unit_random.h>

/*
 * Tubes: some that every connection uses, two that are paused for long, and one for each connection
 * alone, where it kicks many at once, and clears. Their levels: one for all, or in turn.
 */
#define TUBES_SHARED 4
#define TUBES_PAUSED 2
#define ACTORS 6
#define TUBES (TUBES_SHARED + TUBES_PAUSED + ACTORS)
#define TUBE_PAUSED TUBES_SHARED
#define TUBE_OWN (TUBES_SHARED + TUBES_PAUSED)
#define NOBODY (-1)

#define FATES_MAX 512

enum level { LEVEL_COMMIT = 0, LEVEL_INTERVAL, LEVEL_MEMORY };

enum fate_kind {
    FATE_GONE = 0, /* never put, or deleted: the rest is zero */
    FATE_READY,    /* or reserved: then it is so or ready after a crash */
    FATE_DELAYED,
    FATE_BURIED
};

struct fate {
    enum fate_kind kind;
    int tube;
    uint32_t pri;
    uint32_t releases, buries, kicks;
    uint32_t reserves, timeouts;    /* at least */
    int64_t due_from_ns, due_to_ns; /* DELAYED: when it gets ready, wall clock */
    uint64_t burial;                /* BURIED: which of all it was; kick takes the oldest */
};

/* What an answer has ended, and a loss before that moment (monotonic clock) may bring back. */
struct past {
    struct fate fate;
    int64_t expires_ns; /* INT64_MAX: until a change at another level than `memory` */
};

/* A lease under a token. */
struct ticket {
    uint64_t id, token;
    bool known; /* its job was, when it was told of: so job.lease is this one, or a later one */
};

/* The last one of a job that somebody was told of. */
struct lease {
    uint64_t token; /* 0: none */
    bool sure;      /* it is in force, at least until then (monotonic clock) */
    bool over;      /* it has ended; that was acknowledged */
    bool went_on;   /* it was begun in an earlier life */
    int64_t told_ns;
    int64_t until_ns;
    int64_t expires_ns; /* a power loss before that moment may take it back; as in struct past */
};

struct job {
    uint64_t id; /* 0: not told */
    uint64_t serial;
    uint32_t size, ttr;
    int tube; /* it was put into */
    struct fate fates[FATES_MAX];
    unsigned fate_count;
    bool stone;      /* is left alone, to keep its tube */
    bool leased;     /* somebody was told that it has it, and it wasn't settled since */
    bool recorded;   /* it was in a tube whose jobs are kept, perhaps */
    int claim;       /* NOBODY, or the connection with unanswered commands about it */
    unsigned claims; /* how many those are */
    struct lease lease;
    bool undone;       /* what was acknowledged of it may not have been, with the last crash */
    uint32_t reserves; /* that somebody was told of */
    struct past *past;
    size_t past_count, past_cap;
};

/* When a pause ends; 0: there is none. */
struct pause {
    int64_t until_from_ns, until_to_ns; /* wall clock */
    bool over;
    int64_t expires_ns; /* over: as in struct past */
};

struct tube {
    char name[24];
    enum level level;
    struct pause *pauses;
    size_t pause_count, pause_cap;
    int claim;
};

struct oracle {
    struct unit_random random;
    struct job **jobs; /* all that were ever put, by serial */
    size_t job_count, job_cap;
    struct job **by_id; /* by id, NULL where nobody was told of one */
    size_t id_cap;
    uint64_t life_first, life_last; /* the ids told since the last start; 0: none */
    uint64_t last_burial;
    uint64_t strays;        /* reserves of this life that are not counted with their job */
    struct ticket *tickets; /* all that anybody was told of */
    size_t ticket_count, ticket_cap;
    size_t tickets_old;  /* those of earlier lives */
    struct ticket *good; /* of these, those that the judge found good */
    size_t good_count, good_cap;
    uint64_t strays_token; /* leases under tokens that nobody was told of, perhaps, ever */
    bool forgets;          /* an older daemon takes part, to which no lease outlives its daemon */
    struct tube tubes[TUBES];
    /* What a power loss may take back at the level `interval`: answers of so long before it. */
    int64_t window_ns;
    bool refuses;      /* a disk that refuses: leases may go unrecorded */
    bool starves;      /* memory is refused: also to `use`, so nothing is said that relies on it */
    uint64_t went_on;  /* leases that the judge found good */
    uint64_t compared; /* jobs that the judge has looked at, those that must be gone included */
};

/* All tubes at that level; or with `mixed` in turn at each of them. */
void oracle_init(struct oracle *oracle, uint64_t seed, enum level level, bool mixed);
void oracle_fini(struct oracle *oracle);

uint64_t oracle_below(struct oracle *oracle, uint64_t limit);
static inline bool oracle_one_in(struct oracle *oracle, uint64_t count)
{
    return oracle_below(oracle, count) == 0;
}

/* The bytes of a body, from its serial number. */
void body_make(struct buf *out, uint64_t serial, uint32_t size);
bool body_is(const char *bytes, size_t len, uint64_t serial, uint32_t size);

/* A job that isn't sent yet; the oracle's. */
struct job *oracle_job_new(struct oracle *oracle, int tube, uint32_t size, uint32_t ttr);
/* NULL: nobody was told of it. */
struct job *oracle_job(const struct oracle *oracle, uint64_t id);
/* Somebody was told of that id. Fails if another job has it. */
void oracle_told(struct oracle *oracle, struct job *job, uint64_t id);
/* Memory for `need` elements, new ones zero. */
void *oracle_grown(void *array, size_t *cap, size_t need, size_t size);

/* ---- fates (fates.c) ---- */

/* Whether it is sure that the job has this fate, or that it may have. */
bool job_is(const struct job *job, enum fate_kind kind);
bool job_may_be(const struct job *job, enum fate_kind kind);
/* The same of a tube it is in, unless it is gone. */
bool job_is_in(const struct job *job, int tube);
bool job_may_be_in(const struct job *job, int tube);
bool fate_is_same(const struct fate *a, const struct fate *b);
/* From now on the job has one of these fates and no other; that was acknowledged. */
void job_becomes(struct oracle *oracle, struct job *job, const struct fate *fates, unsigned count);
/* It may have this one, too. */
void job_may_become(struct job *job, const struct fate *fate);
void job_claim(struct job *job, int actor);
void job_unclaim(struct job *job);
/* As oracle_crashed. */
void job_crashed(struct job *job, int64_t lost_ns);

/* How long an answer about that tube may be undone by a power loss: 0; INT64_MAX: by any end. */
int64_t tube_window_ns(const struct oracle *oracle, int tube);
/* When what is over now, or was to expire then, can't come back any more. */
int64_t window_end_ns(int64_t window_ns, int64_t now_ns, int64_t expires_ns);
/* Whether a loss at that moment may bring it back; 0: the power stayed. */
bool window_holds(int64_t expires_ns, int64_t lost_ns);
void tube_paused(struct oracle *oracle, int tube, int64_t from_ns, int64_t to_ns, bool sure);

/* ---- tokens (tickets.c) ---- */

/* Somebody was told of that lease. known: as in struct ticket. */
void oracle_ticket(struct oracle *oracle, uint64_t id, uint64_t token, bool known);
/* After a life: fails if a token was given out twice, ever. */
void tickets_check(struct oracle *oracle);
/* That one of the job is in force. */
void lease_told(const struct oracle *oracle, struct job *job, uint64_t token);
/* Somebody else was told of the job, which `how` says: fails if a lease was in force that is still.
 */
void lease_broken(const struct job *job, const char *how);
/* Whether that token must be good, or must not; neither: it may be. */
bool ticket_must_be_good(const struct oracle *oracle, const struct ticket *ticket);
bool ticket_must_be_stale(const struct oracle *oracle, const struct ticket *ticket);
/* The judge found it good. */
void ticket_is_good(struct oracle *oracle, const struct ticket *ticket);
/* Whether a job may be reserved at the start of a life. */
bool job_may_be_leased(const struct oracle *oracle, uint64_t id);
/* As oracle_crashed. */
void lease_crashed(const struct oracle *oracle, struct job *job, int64_t lost_ns);

/*
 * The daemon has ended. lost_ns: by a power loss at that moment (monotonic clock), which may undo
 * what was answered within the window before; 0: otherwise. Pasts are forgotten.
 */
void oracle_crashed(struct oracle *oracle, int64_t lost_ns);

/* Ends the program, with the round's seed and directory. */
void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
