// SPDX-License-Identifier: MIT
// Entries as bytes: what goes in comes out, sizes are as promised, and no bytes are too strange.

#include "base/clock.h"
#include "job/job.h"
#include "unit.h"
#include "unit_random.h"

#include <hilera/version.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const enum job_entry_type types[] = {
#define JOB_ENTRY(name, word, number, version, fields, what) JOB_ENTRY_##name,
#include "job/job_entries.def"
#undef JOB_ENTRY
};
#define TYPES (sizeof(types) / sizeof(types[0]))

// Encodes with the body behind, as it is on disk.
static size_t encode(const struct job_entry *entry, char *to)
{
    size_t len = job_entry_encode(entry, to);
    bool body = entry->type == JOB_ENTRY_PUT || entry->type == JOB_ENTRY_RESULT;
    if (body && entry->body_len > 0)
        memcpy(to + len, entry->body, entry->body_len);
    return len + (body ? entry->body_len : 0);
}

static bool same_bytes(const char *a, const char *b, size_t len)
{
    return len == 0 || memcmp(a, b, len) == 0;
}

static void check_same(const struct job_entry *a, const struct job_entry *b)
{
    ck_assert_int_eq(a->type, b->type);
    ck_assert_uint_eq(a->id, b->id);
    ck_assert_uint_eq(a->pri, b->pri);
    ck_assert_uint_eq(a->ttr_s, b->ttr_s);
    ck_assert_int_eq(a->state, b->state);
    ck_assert_int_eq(a->created_wall_ns, b->created_wall_ns);
    ck_assert_int_eq(a->delay_ns, b->delay_ns);
    ck_assert_int_eq(a->until_wall_ns, b->until_wall_ns);
    ck_assert_uint_eq(a->burial, b->burial);
    ck_assert_uint_eq(a->reserves, b->reserves);
    ck_assert_uint_eq(a->tries.timeouts, b->tries.timeouts);
    ck_assert_uint_eq(a->releases, b->releases);
    ck_assert_uint_eq(a->buries, b->buries);
    ck_assert_uint_eq(a->kicks, b->kicks);
    ck_assert_uint_eq(a->tries.failures, b->tries.failures);
    ck_assert_uint_eq(a->tries.crashes, b->tries.crashes);
    ck_assert_uint_eq(a->tries.losses, b->tries.losses);
    ck_assert(a->reset == b->reset);
    ck_assert_uint_eq(a->past_len, b->past_len);
    ck_assert(same_bytes(a->past_bytes, b->past_bytes, b->past_len));
    ck_assert_uint_eq(a->id_limit, b->id_limit);
    ck_assert(a->has_submitter == b->has_submitter);
    ck_assert_uint_eq(a->submitter, b->submitter);
    ck_assert(same_bytes(a->tube, b->tube, b->tube_len));
    ck_assert_uint_eq(a->tube_len, b->tube_len);
    ck_assert_uint_eq(a->group_len, b->group_len);
    ck_assert(same_bytes(a->group, b->group, b->group_len));
    ck_assert_uint_eq(a->group_number, b->group_number);
    ck_assert_int_eq(a->group_count, b->group_count);
    ck_assert_uint_eq(a->group_counts.done, b->group_counts.done);
    ck_assert_uint_eq(a->group_counts.failed, b->group_counts.failed);
    ck_assert_uint_eq(a->group_counts.deleted, b->group_counts.deleted);
    ck_assert_uint_eq(a->group_counts.cancelled, b->group_counts.cancelled);
    ck_assert_uint_eq(a->reason_len, b->reason_len);
    ck_assert(same_bytes(a->reason, b->reason, b->reason_len));
    ck_assert_uint_eq(a->number, b->number);
    ck_assert_uint_eq(a->body_len, b->body_len);
    ck_assert(same_bytes(a->body, b->body, b->body_len));
}

// Small, large and largest legal numbers.
static uint64_t any_number(struct unit_random *random, uint64_t max)
{
    uint64_t bits = unit_random_below(random, 65);
    uint64_t number = bits == 0 ? 0 : unit_random_next(random) >> (64 - bits);
    return number > max ? max : number;
}

// Two attempts, as they stand on disk.
static const char bytes_of_past[] = "f\x04\0\x05\x07\2no"
                                    "l\0\x0f\0\0\0";

static char bytes_of_tube[JOB_TUBE_NAME_MAX], bytes_of_body[300], bytes_of_reason[JOB_REASON_MAX];

static struct job_entry any_entry(struct unit_random *random, enum job_entry_type type)
{
    static const enum job_state states[] = {JOB_READY, JOB_DELAYED, JOB_BURIED};
    struct job_entry entry = {.type = type, .tube = "", .reason = "", .body = ""};
    bool group = type == JOB_ENTRY_GROUP, counts = type == JOB_ENTRY_DELETE;
    bool put = type == JOB_ENTRY_PUT, limits = type == JOB_ENTRY_LIMITS;
    bool tube = put || type == JOB_ENTRY_MOVE || type == JOB_ENTRY_PAUSE;
    if (group || (counts && unit_random_below(random, 2) == 0)) {
        entry.group = bytes_of_tube;
        entry.group_len = 1 + unit_random_below(random, JOB_TEXT_MAX);
        entry.group_number = group ? any_number(random, JOB_ID_MAX) : 0;
        entry.group_counts.done = group ? any_number(random, JOB_COUNT_MAX) : 0;
        entry.group_counts.deleted = group ? any_number(random, JOB_COUNT_MAX) : 0;
        entry.group_counts.failed = group ? any_number(random, JOB_COUNT_MAX) : 0;
        entry.group_counts.cancelled = group ? any_number(random, JOB_COUNT_MAX) : 0;
        entry.group_count = counts ? JOB_COUNT_CANCELLED : JOB_COUNT_NONE;
    }
    if (!limits && !group && type != JOB_ENTRY_PAUSE)
        entry.id = 1 + any_number(random, JOB_ID_MAX - 1);
    if (put || type == JOB_ENTRY_RELEASE || type == JOB_ENTRY_BURY)
        entry.pri = (uint32_t)any_number(random, UINT32_MAX);
    if (type == JOB_ENTRY_RESULT) {
        entry.number = 1 + any_number(random, JOB_ID_MAX - 1);
        entry.body = bytes_of_body;
        entry.body_len = unit_random_below(random, sizeof(bytes_of_body) + 1);
    }
    if (put) {
        entry.ttr_s = (uint32_t)any_number(random, UINT32_MAX);
        entry.created_wall_ns = (int64_t)any_number(random, JOB_WALL_MAX_NS) / 1000000 * 1000000;
        entry.state = states[unit_random_below(random, 3)];
        entry.has_submitter = unit_random_below(random, 3) > 0;
        entry.submitter = entry.has_submitter ? (uint32_t)any_number(random, JOB_NOBODY - 1) : 0;
        entry.body = bytes_of_body;
        entry.body_len = unit_random_below(random, sizeof(bytes_of_body) + 1);
    }
    if (tube) {
        entry.tube = bytes_of_tube;
        entry.tube_len = 1 + unit_random_below(random, JOB_TUBE_NAME_MAX);
    }
    if (limits)
        entry.id_limit = any_number(random, JOB_ID_MAX);
    if (unit_random_below(random, 2) == 0) {
        entry.delay_ns = (int64_t)any_number(random, JOB_SPAN_MAX_NS);
        entry.until_wall_ns = (int64_t)any_number(random, INT64_MAX);
    }
    if (unit_random_below(random, 2) == 0)
        entry.kicks = entry.reserves = (uint32_t)any_number(random, UINT32_MAX);
    entry.tries.timeouts = (uint32_t)unit_random_below(random, 2);
    entry.burial = any_number(random, JOB_ID_MAX);
    if (unit_random_below(random, 2) == 0)
        entry.tries.failures = entry.tries.losses = (uint32_t)any_number(random, UINT32_MAX);
    entry.tries.crashes = (uint32_t)unit_random_below(random, 2) * UINT32_MAX;
    entry.reset = unit_random_below(random, 2) == 0;
    if (unit_random_below(random, 2) == 0) {
        entry.past_bytes = bytes_of_past;
        entry.past_len = sizeof(bytes_of_past) - 1;
    }
    if (unit_random_below(random, 2) == 0) {
        entry.reason = bytes_of_reason;
        entry.reason_len = unit_random_below(random, JOB_REASON_MAX);
    }
    return entry;
}

static void setup(void)
{
    memset(bytes_of_tube, 't', sizeof(bytes_of_tube));
    for (size_t i = 0; i < sizeof(bytes_of_body); i++)
        bytes_of_body[i] = (char)(i * 7);
    for (size_t i = 0; i < sizeof(bytes_of_reason); i++)
        bytes_of_reason[i] = (char)(255 - i);
}

START_TEST(comes_back_as_it_was)
{
    char bytes[JOB_ENTRY_HEAD_MAX + sizeof(bytes_of_body)];
    struct unit_random random = {(uint64_t)_i + 1};
    for (int round = 0; round < unit_rounds(2000); round++) {
        struct job_entry entry = any_entry(&random, types[_i]), again;
        size_t len = encode(&entry, bytes);
        ck_assert_int_eq(job_entry_decode(&again, bytes, len), 0);
        check_same(&again, &entry);
    }
}
END_TEST

static struct job_entry plain_put(void)
{
    return (struct job_entry){.type = JOB_ENTRY_PUT,
                              .state = JOB_READY,
                              .id = 1000000,
                              .pri = 1024,
                              .ttr_s = 120,
                              .created_wall_ns = INT64_C(1800000000000000000),
                              .tube = "default",
                              .tube_len = 7,
                              .body = bytes_of_body,
                              .body_len = 64};
}

START_TEST(sizes_are_small)
{
    char head[JOB_ENTRY_HEAD_MAX];
    struct job_entry put = plain_put();
    struct job_entry del = {.type = JOB_ENTRY_DELETE, .id = 1000000};
    ck_assert_uint_le(job_entry_encode(&put, head), 25);
    ck_assert_uint_le(job_entry_encode(&del, head), 6);
}
END_TEST

START_TEST(longest_fits)
{
    char bytes[JOB_ENTRY_HEAD_MAX];
    struct job_entry put = plain_put(), again;
    put.id = put.burial = JOB_ID_MAX;
    put.pri = put.ttr_s = UINT32_MAX;
    put.created_wall_ns = JOB_WALL_MAX_NS;
    put.delay_ns = JOB_SPAN_MAX_NS;
    put.until_wall_ns = INT64_MAX;
    put.reserves = put.tries.timeouts = put.releases = put.buries = put.kicks = UINT32_MAX;
    put.tube = bytes_of_tube;
    put.tube_len = sizeof(bytes_of_tube);
    put.reason = bytes_of_reason;
    put.reason_len = 100000; // is cut
    put.body_len = 0;
    size_t len = job_entry_encode(&put, bytes);
    ck_assert_uint_le(len, sizeof(bytes));
    ck_assert_int_eq(job_entry_decode(&again, bytes, len), 0);
    ck_assert_uint_eq(again.reason_len, JOB_REASON_MAX - 1);
    ck_assert_uint_eq(again.kicks, UINT32_MAX);
}
END_TEST

START_TEST(times_before_1970_are_zero)
{
    char bytes[JOB_ENTRY_HEAD_MAX];
    struct job_entry put = plain_put(), again;
    put.created_wall_ns = put.until_wall_ns = -5;
    put.body_len = 0;
    size_t len = job_entry_encode(&put, bytes);
    ck_assert_int_eq(job_entry_decode(&again, bytes, len), 0);
    ck_assert_int_eq(again.created_wall_ns, 0);
    ck_assert_int_eq(again.until_wall_ns, 0);
}
END_TEST

// Cut anywhere: an error, but for a body, which is simply shorter.
START_TEST(cut_anywhere)
{
    char bytes[JOB_ENTRY_HEAD_MAX + sizeof(bytes_of_body)];
    struct unit_random random = {(uint64_t)_i + 100};
    for (int round = 0; round < unit_rounds(20); round++) {
        struct job_entry entry = any_entry(&random, types[_i]), again;
        size_t len = encode(&entry, bytes), head = len - entry.body_len;
        for (size_t cut = 0; cut < len; cut++) {
            char *exact = malloc(cut > 0 ? cut : 1); // a sanitizer sees what is read beyond
            memcpy(exact, bytes, cut);
            int rc = job_entry_decode(&again, exact, cut);
            ck_assert_int_eq(rc, cut < head ? EBADMSG : 0);
            free(exact);
        }
    }
}
END_TEST

// Any bit: an error or an entry whose parts are in bounds; the address sanitizer watches.
START_TEST(any_bit_flipped)
{
    char bytes[JOB_ENTRY_HEAD_MAX + sizeof(bytes_of_body)];
    struct unit_random random = {(uint64_t)_i + 200};
    struct job_entry entry = any_entry(&random, types[_i]), again;
    size_t len = encode(&entry, bytes);
    char *exact = malloc(len);
    for (size_t bit = 0; bit < len * 8; bit++) {
        memcpy(exact, bytes, len);
        exact[bit / 8] = (char)(exact[bit / 8] ^ 1 << bit % 8);
        int rc = job_entry_decode(&again, exact, len);
        ck_assert(rc == 0 || rc == EBADMSG || rc == EOPNOTSUPP);
        if (rc != 0)
            continue;
        if (again.tube_len > 0)
            ck_assert_int_eq(job_tube_name_check(again.tube, again.tube_len), 0);
        ck_assert_uint_lt(again.reason_len, JOB_REASON_MAX);
        ck_assert(again.body_len == 0 || again.body + again.body_len <= exact + len);
        ck_assert(again.delay_ns >= 0 && again.until_wall_ns >= 0 && again.created_wall_ns >= 0);
    }
    free(exact);
}
END_TEST

START_TEST(newer_is_told_from_damaged)
{
    struct job_entry entry;
    ck_assert_int_eq(job_entry_decode(&entry, "\xc8\x01\x05\x00", 4), EOPNOTSUPP); // type 200
    ck_assert_int_eq(entry.type, 200);
    ck_assert_int_eq(job_entry_decode(&entry, "\x02\x02\x05\x00", 4), EOPNOTSUPP); // DELETE, v. 2
    ck_assert_int_eq(job_entry_decode(&entry, "\x02\x01\x05\x00", 4), 0);
    ck_assert_int_eq(job_entry_decode(&entry, "\x00\x01\x05\x00", 4), EBADMSG);
    ck_assert_int_eq(job_entry_decode(&entry, "\x02\x00\x05\x00", 4), EBADMSG);
    ck_assert_int_eq(job_entry_decode(&entry, "\x02\x01\x05\x00\x00", 5), EBADMSG); // more behind
    // Options: 99 (odd) must be understood, 98 need not be.
    ck_assert_int_eq(job_entry_decode(&entry, "\x02\x01\x05\x03\x63\x01x", 7), EOPNOTSUPP);
    ck_assert_uint_eq(entry.id, 5);
    ck_assert_int_eq(job_entry_decode(&entry, "\x02\x01\x05\x03\x62\x01x", 7), 0);
    ck_assert_int_eq(job_entry_decode(&entry, "\x02\x01\x05\x03\x62\x02x", 7), EBADMSG);
}
END_TEST

START_TEST(values_are_checked)
{
    struct job_entry entry;
    char bytes[JOB_ENTRY_HEAD_MAX + 64];
    struct job_entry put = plain_put();
    size_t len = encode(&put, bytes);
    size_t state = 2 + 3 + 2 + 1 + 6; // type, version, id, pri, ttr, created
    ck_assert_int_eq(bytes[state], 'r');
    bytes[state] = 'x';
    ck_assert_int_eq(job_entry_decode(&entry, bytes, len), EBADMSG);
    bytes[state] = 'b';
    ck_assert_int_eq(job_entry_decode(&entry, bytes, len), 0);
    bytes[state + 2] = '-'; // no name begins so
    ck_assert_int_eq(job_entry_decode(&entry, bytes, len), EBADMSG);
    // The largest id and one more, numbers of 64 bits and of more, a priority of more than 32.
    ck_assert_int_eq(
        job_entry_decode(&entry, "\x02\x01\x80\x80\x80\x80\x80\x80\x80\x80\x40\x00", 12), 0);
    ck_assert_uint_eq(entry.id, JOB_ID_MAX);
    ck_assert_int_eq(
        job_entry_decode(&entry, "\x02\x01\x81\x80\x80\x80\x80\x80\x80\x80\x40\x00", 12), EBADMSG);
    ck_assert_int_eq(
        job_entry_decode(&entry, "\x02\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00", 13),
        EBADMSG);
    ck_assert_int_eq(
        job_entry_decode(&entry, "\x02\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02\x00", 13),
        EBADMSG);
    ck_assert_int_eq(job_entry_decode(&entry, "\x03\x01\x05\x80\x80\x80\x80\x10\x00", 9), EBADMSG);
}
END_TEST

static int decode_of(const struct job_entry *entry)
{
    char bytes[JOB_ENTRY_HEAD_MAX + sizeof(bytes_of_body)];
    struct job_entry again;
    return job_entry_decode(&again, bytes, encode(entry, bytes));
}

// Each at its last legal value and one past that.
#define CHECK_RANGE(entry, field, from, last)                                                      \
    do {                                                                                           \
        (entry).field = (from);                                                                    \
        ck_assert_int_eq(decode_of(&(entry)), 0);                                                  \
        (entry).field = (last);                                                                    \
        ck_assert_int_eq(decode_of(&(entry)), 0);                                                  \
        (entry).field++;                                                                           \
        ck_assert_int_eq(decode_of(&(entry)), EBADMSG);                                            \
        (entry).field = (from);                                                                    \
    } while (0)

START_TEST(one_past_the_range_is_refused)
{
    struct job_entry put = plain_put();
    CHECK_RANGE(put, id, 1, JOB_ID_MAX);
    CHECK_RANGE(put, burial, 0, JOB_ID_MAX);
    CHECK_RANGE(put, delay_ns, 0, JOB_SPAN_MAX_NS);
    put.has_submitter = true;
    CHECK_RANGE(put, submitter, 0, JOB_NOBODY - 1);
    put.created_wall_ns = JOB_WALL_MAX_NS; // is written in milliseconds
    ck_assert_int_eq(decode_of(&put), 0);
    put.created_wall_ns += 1000000;
    ck_assert_int_eq(decode_of(&put), EBADMSG);
    for (size_t i = 0; i < TYPES; i++) {
        struct job_entry none = plain_put();
        bool has_id = types[i] != JOB_ENTRY_PAUSE && types[i] != JOB_ENTRY_GROUP &&
                      types[i] != JOB_ENTRY_LIMITS;
        none.type = types[i];
        none.id = 0;
        none.number = 1;
        none.group = "g";
        none.group_len = 1;
        ck_assert_int_eq(decode_of(&none), has_id ? EBADMSG : 0);
    }
    struct job_entry limits = {.type = JOB_ENTRY_LIMITS};
    CHECK_RANGE(limits, id_limit, 0, JOB_ID_MAX);
    struct job_entry result = {.type = JOB_ENTRY_RESULT, .id = 1};
    ck_assert_int_eq(decode_of(&result), EBADMSG);
    CHECK_RANGE(result, number, 1, JOB_ID_MAX);
    struct job_entry group = {.type = JOB_ENTRY_GROUP, .group = "g", .group_len = 1};
    CHECK_RANGE(group, group_number, 0, JOB_ID_MAX);
    CHECK_RANGE(group, group_counts.done, 0, JOB_COUNT_MAX);
    CHECK_RANGE(group, group_counts.failed, 0, JOB_COUNT_MAX);
    CHECK_RANGE(group, group_counts.deleted, 0, JOB_COUNT_MAX);
    CHECK_RANGE(group, group_counts.cancelled, 0, JOB_COUNT_MAX);
    // When a delay is over: INT64_MAX, and one more.
    struct job_entry entry;
    ck_assert_int_eq(job_entry_decode(&entry,
                                      "\x09\x01\x01t\x0c\x01\x0a\x01"
                                      "\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
                                      17),
                     0);
    ck_assert_int_eq(entry.until_wall_ns, INT64_MAX);
    ck_assert_int_eq(job_entry_decode(&entry,
                                      "\x09\x01\x01t\x0d\x01\x0b\x01"
                                      "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
                                      18),
                     EBADMSG);
}
END_TEST

START_TEST(past_attempts)
{
    char bytes[JOB_ENTRY_HEAD_MAX + 64];
    struct job_entry entry = {.type = JOB_ENTRY_RETRY, .id = 5}, again;
    entry.past_bytes = bytes_of_past;
    entry.past_len = sizeof(bytes_of_past) - 1;
    size_t len = encode(&entry, bytes);
    ck_assert_int_eq(job_entry_decode(&again, bytes, len), 0);
    struct job_extra *extra = job_extra_new();
    ck_assert_ptr_nonnull(extra);
    for (int i = 0; i < JOB_PAST_MAX; i++) // the last ones stay
        ck_assert_int_eq(job_attempts_of_entry(&extra->past, &again), 0);
    int count = 0;
    for (const struct job_attempts *past = extra->past; past != NULL; past = past->next, count++) {
        bool failed = count % 2 == 0;
        ck_assert_int_eq(past->kind, failed ? JOB_OUTCOME_FAILED : JOB_OUTCOME_LOST);
        ck_assert_int_eq(past->exit_status, failed ? 3 : -1);
        ck_assert_int_eq(past->signal, failed ? 0 : 15);
        ck_assert_int_eq(past->started_wall_ns, failed ? 5000000 : 0);
        ck_assert_int_eq(past->ended_wall_ns, failed ? 12000000 : 0);
        ck_assert_str_eq(past->reason, failed ? "no" : "");
    }
    ck_assert_int_eq(count, JOB_PAST_MAX);
    entry.past = extra->past; // encoded from memory: the same eight
    len = encode(&entry, bytes);
    ck_assert_int_eq(job_entry_decode(&again, bytes, len), 0);
    ck_assert_uint_eq(again.past_len, JOB_PAST_MAX / 2 * (sizeof(bytes_of_past) - 1));
    job_extra_free(&extra);
    // a letter that is none, a NUL in a reason, a reason over the end, nine of them
    static const struct {
        const char *bytes;
        size_t len;
    } wrong[] = {{"z\0\0\0\0\0", 6},
                 {"f\0\0\0\0\1\0", 7},
                 {"f\0\0\0\0\5no", 8},
                 /* began, or ended, when no record may say so: 2 to the power of 43 milliseconds */
                 {"f\0\0\x80\x80\x80\x80\x80\x80\x02\0\0", 12},
                 {"f\0\0\x80\x80\x80\x80\x80\x80\x01\x80\x80\x80\x80\x80\x80\x01\0", 18},
                 {"f\0\0\0\0\0f\0\0\0\0\0f\0\0\0\0\0f\0\0\0\0\0f\0\0\0\0\0f\0\0\0\0\0f\0\0"
                  "\0\0\0f\0\0\0\0\0f\0\0\0\0\0",
                  54}};
    entry.past = NULL;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        entry.past_bytes = wrong[i].bytes;
        entry.past_len = wrong[i].len;
        len = encode(&entry, bytes);
        ck_assert_int_eq(job_entry_decode(&again, bytes, len), EBADMSG);
    }
}
END_TEST

// Before tokens were random, a record of limits had a ceiling of theirs, too.
START_TEST(older_limits)
{
    struct job_entry entry;
    ck_assert_int_eq(job_entry_decode(&entry, "\x0a\x01\x81\x01\x7f\x00", 6), 0);
    ck_assert_uint_eq(entry.id_limit, 129);
    ck_assert_int_eq(job_entry_decode(&entry, "\x0a\x02\x81\x01\x00", 5), 0);
    ck_assert_uint_eq(entry.id_limit, 129);
    ck_assert_int_eq(job_entry_decode(&entry, "\x0a\x01\x81\x01\x00", 5), EBADMSG);
    ck_assert_int_eq(job_entry_decode(&entry, "\x0a\x02\x81\x01\x7f\x00", 6), EBADMSG);
}
END_TEST

START_TEST(words)
{
    ck_assert_str_eq(job_entry_word(JOB_ENTRY_PUT), "put");
    ck_assert_str_eq(job_entry_word(JOB_ENTRY_LIMITS), "limits");
    ck_assert_str_eq(job_entry_word(0), "unknown");
    ck_assert_str_eq(job_entry_word(200), "unknown");
}
END_TEST

// The first eight bytes of the SHA-256 of both numbers, little-endian; journals must be read again.
START_TEST(keys_of_tokens)
{
    ck_assert_uint_eq(job_token_key(1, 2), UINT64_C(0xf75e5c90690b730c));
    ck_assert_uint_eq(job_token_key(77, UINT64_C(5837921034416290)), UINT64_C(0x3a7eb166af736440));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("codec");
    TCase *all = tcase_create("codec");
    tcase_add_checked_fixture(all, setup, NULL);
    tcase_add_loop_test(all, comes_back_as_it_was, 0, TYPES);
    tcase_add_test(all, sizes_are_small);
    tcase_add_test(all, longest_fits);
    tcase_add_test(all, times_before_1970_are_zero);
    tcase_add_loop_test(all, cut_anywhere, 0, TYPES);
    tcase_add_loop_test(all, any_bit_flipped, 0, TYPES);
    tcase_add_test(all, newer_is_told_from_damaged);
    tcase_add_test(all, values_are_checked);
    tcase_add_test(all, one_past_the_range_is_refused);
    tcase_add_test(all, past_attempts);
    tcase_add_test(all, keys_of_tokens);
    tcase_add_test(all, older_limits);
    tcase_add_test(all, words);
    suite_add_tcase(suite, all);
    return unit_main(suite);
}
