// SPDX-License-Identifier: MIT
/*
 * beanstalkd's binlog, one file of it, as beanstalkd 1.10 to 1.13 write it; for the import
 * (import/import.h). Found out by looking at files of Debian's beanstalkd, 64-bit and
 * little-endian:
 *
 *   int32   version: 7
 *   records, one behind the other, without alignment; then zeros up to the size that was asked for
 *
 * A record:
 *
 *   int32   length of the tube's name; 0: a short record, of a job that had a full one before
 *   name    not terminated; full records only
 *   80 bytes, a C struct with its holes:
 *        0  uint64  id                 48  int64   deadline, ns since 1970: of a delay
 *        8  uint32  priority           56  uint32  reserves
 *       12          hole               60  uint32  timeouts
 *       16  int64   delay, ns          64  uint32  releases
 *       24  int64   TTR, ns            68  uint32  buries
 *       32  int32   body, with CR LF   72  uint32  kicks
 *       36          hole               76  uint8   state, see enum binlog_state
 *       40  int64   created, ns        77          hole
 *   body    with CR LF behind; full records only
 *
 * A record says all about its job from then on; a job that compaction moved has a full record again
 * in a later file. There are no checksums: damage is what can't be, and behind it nothing is known.
 *
 * A file is read in pieces, whatever its size: where it comes from is the source's business. No
 * memory. Any thread.
 */
#ifndef IMPORT_BINLOG_H
#define IMPORT_BINLOG_H

#include <stddef.h>
#include <stdint.h>

#define BINLOG_VERSION 7

/* On disk. */
enum binlog_state {
    BINLOG_DELETED = 0,
    BINLOG_READY,
    BINLOG_RESERVED,
    BINLOG_BURIED,
    BINLOG_DELAYED
};

struct binlog_record {
    size_t offset;    /* in the file */
    const char *tube; /* valid during the call */
    size_t tube_len;  /* 0: a short record, which has no body either */
    uint64_t id;
    uint32_t pri;
    int64_t delay_ns, ttr_ns; /* not negative */
    int64_t created_wall_ns, deadline_wall_ns;
    uint32_t reserves, timeouts, releases, buries, kicks;
    enum binlog_state state;
    size_t body_len;    /* without CR LF; of a short record: what it says of the full one */
    size_t body_offset; /* in the file */
};

/* Where the bytes of a file come from. */
struct binlog_source {
    size_t size;
    /* All `len` bytes at that place, which are inside of it; else an errno, which ends the reading.
     */
    int (*read)(const void *arg, void *to, size_t len, size_t at);
    /* The first place from `at` on that may have something else than zeros; `size`: none. For files
     * with holes. NULL: it can't be said. */
    size_t (*next)(const void *arg, size_t at);
    const void *arg;
};

struct binlog_end {
    size_t offset;   /* where reading ended: everything before is good */
    const char *why; /* static; NULL: at the end */
    int32_t version; /* as the file has it */
};

/*
 * Calls `record` for each; not 0 from it ends the reading (EBADMSG: the record can't be, and is
 * damage that begins there). 0: all of it. EBADMSG: damaged or torn from end->offset on.
 * EOPNOTSUPP: another version, or another machine's byte order; end->why says which.
 */
int binlog_read(const struct binlog_source *source,
                int (*record)(void *arg, const struct binlog_record *record), void *arg,
                struct binlog_end *end);

/* Where the last byte from `at` on that isn't zero ends; `at`: all are. What the source said. */
int binlog_last(const struct binlog_source *source, size_t at, size_t *last);

#endif
