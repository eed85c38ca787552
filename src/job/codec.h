// SPDX-License-Identifier: MIT
/*
 * Entries: what the journal says about jobs, as bytes. Part of job/job.h.
 *
 * An entry is one change: a whole job (PUT), or what became of one. Each stands for itself: names
 * of tubes are written out and not numbered, so that no entry needs another one to be understood, a
 * damaged entry costs nobody else, and an entry may be encoded before its place is known. A name
 * costs its length and one byte.
 *
 * On disk, byte after byte:
 *
 *   type, version        one byte each, job_entries.def
 *   fields               those of the row, in the order of enum job_entry_field
 *   options              their length in bytes, then each as tag, length, value
 *   body                 PUT: the job's, RESULT: the record (record_codec.c); all the rest
 *
 * Numbers are little-endian base 128 (seven bits a byte, the least first, the high bit says that
 * more follow), so that small ones are short and byte order doesn't matter. An option with an even
 * tag may be skipped by who doesn't know it; an odd tag must be understood. The one that is even
 * says how a job is out (106): a letter, 'l' by a worker of the daemon, 't' under a token, of which
 * eight bytes of its key follow, the least first, and the end of its TTR; who skips it has a job
 * that is ready. Checksums and lengths are the journal's business.
 *
 * Times are wall-clock time, since the monotonic clock starts anew with the machine. Pure
 * functions, any thread.
 */
#ifndef JOB_CODEC_H
#define JOB_CODEC_H

#include "job/job.h"

enum job_entry_type {
#define JOB_ENTRY(name, word, number, version, fields, what) JOB_ENTRY_##name = (number),
#include "job/job_entries.def"
#undef JOB_ENTRY
};

/* What the end of a job, or its return, is to its group. The letters stand on disk. */
enum job_fate_count {
    JOB_COUNT_NONE = 0,
    JOB_COUNT_DONE = 'd',
    JOB_COUNT_FAILED = 'f',
    JOB_COUNT_DELETED = 'x',
    JOB_COUNT_CANCELLED = 'c',
    JOB_COUNT_REOPENED = 'r' /* it had failed, and is unfinished again */
};

/* How the finished jobs of a group ended. */
struct job_group_counts {
    uint64_t done, failed, deleted, cancelled;
};

/*
 * Which members an entry of a type has stands in job_entries.def; the optional ones (delay,
 * counters, burial, reason) are written where they aren't zero. The rest is zero after decoding,
 * and ignored by encoding.
 */
struct job_entry {
    enum job_entry_type type;
    enum job_state state; /* PUT: READY, DELAYED or BURIED; what is reserved is READY, see `out` */
    uint64_t id;
    uint32_t pri;
    uint32_t ttr_s;
    int64_t created_wall_ns; /* kept in whole milliseconds: two bytes less in each put */
    int64_t delay_ns;        /* as asked for; PAUSE: for how long. Not negative */
    int64_t until_wall_ns;   /* when the delay or the pause is over; 0: none */
    uint64_t burial;         /* order of burial, rising; 0: none */
    uint32_t reserves, releases, buries, kicks;
    struct job_tries tries;
    bool reset; /* KICK: what rules limit begins anew */
    /* LEASE; PUT of state READY; RETRY, if the lease goes on: how the job is out from then on. Of a
     * TOKEN the key (job_token_key), not 0, and the end of its TTR. */
    enum job_out out;
    uint64_t out_key;
    int64_t out_until_wall_ns;
    uint64_t id_limit; /* LIMITS; the last one counts, it may be less than before */
    /* PUT: who put it; GROUP, and where a change counts for a group: whose group it is. Without:
     * nobody. */
    bool has_submitter;
    uint32_t submitter;
    const char *tube; /* not terminated */
    size_t tube_len;
    const char *reason; /* not terminated; NULL: none */
    size_t reason_len;  /* less than JOB_REASON_MAX; what is longer is cut */
    /* To encode: attempts that are over, NULL: those of past_bytes, as they were decoded. */
    const struct job_attempts *past;
    const char *past_bytes;
    size_t past_len; /* 0: none */
    /* GROUP: its name, counts, and number, rising: the last one holds. DELETE, BURY, KICK, LEASE:
     * of the job's group, what that counts as. Not terminated; NULL: no group. */
    const char *group;
    size_t group_len;
    enum job_fate_count group_count;
    struct job_group_counts group_counts;
    uint64_t group_number;
    uint64_t number; /* RESULT: of the record, in history; 1 to JOB_ID_MAX */
    const char *body;
    size_t body_len;
    /* PUT: what was asked for. To encode: the options, NULL: none. Decoded: where they stand, see
     * job_options_of_entry; an entry that was decoded may be encoded again with that. */
    const struct job_options *options;
    const char *option_bytes;
    size_t option_len;
};

/* What encoding writes at most, without the body. */
#define JOB_ENTRY_HEAD_MAX 4096
/* The same for entries that are not a PUT. */
#define JOB_ENTRY_CHANGE_MAX 1056

/*
 * Writes all but the body and returns how many bytes. The body follows them, unchanged. The entry
 * must be right: a tube's name that is allowed, times that aren't negative (negative ones are
 * written as 0).
 */
size_t job_entry_encode(const struct job_entry *entry, char head[JOB_ENTRY_HEAD_MAX]);

/*
 * The way back; tube, reason and body point into `bytes`. EBADMSG: these bytes are no entry.
 * EOPNOTSUPP: an entry of a type or version, or with an option, that only a newer hilera knows;
 * going on without it would be wrong. Nothing is in *entry then, but type and id may be (0: not
 * known).
 */
int job_entry_decode(struct job_entry *entry, const void *bytes, size_t len);

/*
 * What stands in the journal for a token: who reads it there can't settle the job. Never 0. Whoever
 * shows a token of the same key has the right one, but for one guess in 2^64.
 */
uint64_t job_token_key(uint64_t id, uint64_t token);

static inline uint32_t job_entry_submitter(const struct job_entry *entry)
{
    return entry->has_submitter ? entry->submitter : JOB_NOBODY;
}

/* The options of a PUT that was decoded, in memory of their own; *out NULL: it has none. ENOMEM. */
int job_options_of_entry(struct job_options **out, const struct job_entry *entry);

/* "put", ...; "unknown" for what is no type; static. */
const char *job_entry_word(unsigned type);

#endif
