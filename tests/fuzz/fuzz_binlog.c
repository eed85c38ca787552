// SPDX-License-Identifier: MIT
/*
 * Fuzz target: the reader of beanstalkd's binlog files. Whatever the bytes are:
 *
 *  - records lie behind one another, from the version on, and inside of the bytes;
 *  - each is one that the import can use: an id, a state, a tube that can be, CR LF behind the
 * body;
 *  - what was read before damage is all of a file that ends there;
 *  - who calls the reading off gets what it said.
 *
 * With libFuzzer, in a build folder of its own ($top is the source tree):
 *
 *     $top/configure --enable-fuzzer CC=clang && make tests/fuzz/fuzz_binlog
 *     cd tests/fuzz && mkdir new
 *     ./fuzz_binlog new $top/tests/fuzz/corpus/binlog
 *
 * 'make check' runs the corpus through fuzz_main.c instead.
 */
#include "base/assert.h"
#include "fuzz.h"
#include "import/binlog.h"
#include "job/job.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

struct seen {
    const char *bytes;
    size_t size, end; /* end: of the last record */
    size_t count, most;
};

/* Inside of the bytes. */
static bool inside(const struct seen *seen, const char *at, size_t len)
{
    return at >= seen->bytes && len <= seen->size && (size_t)(at - seen->bytes) <= seen->size - len;
}

static int record_see(void *arg, const struct binlog_record *record)
{
    struct seen *seen = arg;
    ASSERT(record->offset == seen->end);
    ASSERT(record->id != 0 && (unsigned)record->state <= BINLOG_DELAYED);
    ASSERT(record->delay_ns >= 0 && record->ttr_ns >= 0);
    ASSERT(record->created_wall_ns >= 0 && record->deadline_wall_ns >= 0);
    seen->end += 84;
    if (record->tube_len > 0) {
        const char *body = seen->bytes + record->body_offset;
        ASSERT(job_tube_name_check(record->tube, record->tube_len) == 0);
        ASSERT(memcmp(record->tube, body - 80 - record->tube_len, record->tube_len) == 0);
        ASSERT(inside(seen, body, record->body_len + 2));
        ASSERT(memcmp(body + record->body_len, "\r\n", 2) == 0);
        seen->end += record->tube_len + record->body_len + 2;
    }
    ASSERT(seen->end <= seen->size);
    return ++seen->count == seen->most ? ECANCELED : 0;
}

static size_t file_size;

static int bytes_read(const void *arg, void *to, size_t len, size_t at)
{
    ASSERT(at <= file_size && len <= file_size - at);
    memcpy(to, (const char *)arg + at, len);
    return 0;
}

/* As a file with holes of any size. */
static size_t bytes_next(const void *arg, size_t at)
{
    const char *bytes = arg;
    while (at < file_size && bytes[at] == 0)
        at++;
    return at;
}

static int read_all(const uint8_t *data, size_t size, size_t most, struct seen *seen,
                    struct binlog_end *end)
{
    file_size = size;
    *seen = (struct seen){.bytes = (const char *)data, .size = size, .end = 4, .most = most};
    const struct binlog_source source = {
        .size = size, .read = bytes_read, .next = size % 2 == 0 ? bytes_next : NULL, .arg = data};
    return binlog_read(&source, record_see, seen, end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen all, part;
    struct binlog_end end, part_end;
    int rc = read_all(data, size, 0, &all, &end);
    ASSERT(rc == 0 || rc == EBADMSG || rc == EOPNOTSUPP);
    ASSERT((rc == 0) == (end.why == NULL));
    ASSERT(end.offset <= size);
    if (all.count > 0) {
        ASSERT(rc != EOPNOTSUPP && end.offset == all.end);
        ASSERT(read_all(data, size, all.count, &part, &part_end) == ECANCELED);
        ASSERT(part.count == all.count);
    }
    if (rc == EBADMSG && end.offset >= 4) {
        ASSERT(read_all(data, end.offset, 0, &part, &part_end) == 0);
        ASSERT(part.count == all.count && part.end == all.end);
    }
    return 0;
}
