// SPDX-License-Identifier: MIT
// Records of finished jobs as bytes: what goes in comes out, and no bytes are too strange.

#include "base/clock.h"
#include "job/job.h"
#include "unit.h"
#include "unit_random.h"

#include <hilera/version.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool same_bytes(const char *a, const char *b, size_t len)
{
    return len == 0 || memcmp(a, b, len) == 0;
}

static const struct job_attempt attempts[] = {
    {JOB_OUTCOME_FAILED, 3, 0, 1000, 2000, "it failed"},
    {JOB_OUTCOME_LOST, -1, 15, 3000, 0, ""},
};

static struct job_record *any_record(void)
{
    struct job_record like = {.id = 77,
                              .kind = JOB_OUTCOME_CANCELLED,
                              .exit_status = -1,
                              .signal = 9,
                              .pri = UINT32_MAX,
                              .reserves = 4,
                              .delay_ns = -1,
                              .ttr_ns = JOB_SPAN_MAX_NS,
                              .size = UINT32_MAX,
                              .created_wall_ns = clock_wall_ns() - 3 * HL_SECOND,
                              .started_wall_ns = -JOB_SPAN_MAX_NS,
                              .ended_wall_ns = clock_wall_ns() - 2 * HL_SECOND,
                              .waited_ns = 5,
                              .duration_ns = 6,
                              .tube = "t",
                              .reason = "by a test",
                              .name = "",
                              .group = "g",
                              .key = "k",
                              .tags = "red\0blue",
                              .tags_size = 9,
                              .submitter = 65534,
                              .retention_ns = -1,
                              .out = "o\0ut",
                              .err = "",
                              .out_len = 4,
                              .out_truncated = true,
                              .usage = {.user_ns = -1, .system_ns = -1, .max_rss = 1 << 30},
                              .progress = 50,
                              .progress_text = "half",
                              .earlier = attempts,
                              .earlier_count = 2};
    struct job_record *record;
    ck_assert_int_eq(job_record_copy(&record, &like), 0);
    return record;
}

START_TEST(a_record_comes_back)
{
    struct job_record *record = any_record(), *again;
    struct job_body *body;
    ck_assert_int_eq(job_record_encode(record, &body), 0);
    ck_assert_int_eq(job_record_decode(&again, 77, body->bytes, body->len), 0);
    ck_assert_uint_eq(again->id, 77);
    ck_assert_uint_eq(again->memory, record->memory);
#define SAME_INT(field) ck_assert(again->field == record->field)
#define SAME_KIND(field) SAME_INT(field)
#define SAME_TEXT(field) ck_assert_str_eq(again->field, record->field)
#define SAME_TAGS(field)                                                                           \
    ck_assert_uint_eq(again->field##_size, record->field##_size);                                  \
    ck_assert(same_bytes(again->field, record->field, record->field##_size))
#define SAME_BLOB(field)                                                                           \
    ck_assert_uint_eq(again->field##_len, record->field##_len);                                    \
    ck_assert(same_bytes(again->field, record->field, record->field##_len))
#define RECORD_FIELD(since, kind, field) SAME_##kind(field);
#include "job/record_fields.def"
#undef RECORD_FIELD
    ck_assert_uint_eq(again->earlier_count, 2);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(again->earlier[i].kind, attempts[i].kind);
        ck_assert_int_eq(again->earlier[i].exit_status, attempts[i].exit_status);
        ck_assert_int_eq(again->earlier[i].signal, attempts[i].signal);
        ck_assert_int_eq(again->earlier[i].started_wall_ns, attempts[i].started_wall_ns);
        ck_assert_int_eq(again->earlier[i].ended_wall_ns, attempts[i].ended_wall_ns);
        ck_assert_str_eq(again->earlier[i].reason, attempts[i].reason);
    }
    int64_t ago_ns = clock_now_ns() - again->finished_ns;
    ck_assert(ago_ns >= 2 * HL_SECOND && ago_ns < 60 * HL_SECOND);
    job_body_unref(&body);
    job_record_unref(&again);
    job_record_unref(&record);
}
END_TEST

// Memory of its own for each, so that a sanitizer sees a step over the end.
static int decode_copy(const char *bytes, size_t len)
{
    char *copy = malloc(len > 0 ? len : 1);
    if (copy == NULL)
        ck_abort_msg("no memory");
    memcpy(copy, bytes, len);
    struct job_record *record = NULL;
    int rc = job_record_decode(&record, 77, copy, len);
    ck_assert((rc == 0) == (record != NULL));
    job_record_unref(&record);
    free(copy);
    return rc;
}

static int decode_of_record(const struct job_record *like, uint64_t id)
{
    struct job_record *record, *again = NULL;
    struct job_body *body;
    ck_assert_int_eq(job_record_copy(&record, like), 0);
    ck_assert_int_eq(job_record_encode(record, &body), 0);
    int rc = job_record_decode(&again, id, body->bytes, body->len);
    ck_assert((rc == 0) == (again != NULL));
    job_body_unref(&body);
    job_record_unref(&again);
    job_record_unref(&record);
    return rc;
}

START_TEST(a_record_past_its_ranges_is_refused)
{
    struct job_record *record = any_record();
    struct job_attempt tries[2] = {attempts[0], attempts[1]};
    struct job_record like = *record;
    like.earlier = tries;
    struct {
        int64_t *value, first, last;
    } ranges[] = {{&like.created_wall_ns, -JOB_SPAN_MAX_NS, JOB_WALL_MAX_NS},
                  {&like.started_wall_ns, -JOB_SPAN_MAX_NS, JOB_WALL_MAX_NS},
                  {&like.ended_wall_ns, -JOB_SPAN_MAX_NS, JOB_WALL_MAX_NS},
                  {&like.waited_ns, -JOB_SPAN_MAX_NS, JOB_SPAN_MAX_NS},
                  {&like.duration_ns, -JOB_SPAN_MAX_NS, JOB_SPAN_MAX_NS},
                  {&like.delay_ns, -JOB_SPAN_MAX_NS, JOB_SPAN_MAX_NS},
                  {&like.ttr_ns, -JOB_SPAN_MAX_NS, JOB_SPAN_MAX_NS},
                  {&like.retention_ns, -JOB_SPAN_MAX_NS, JOB_SPAN_MAX_NS},
                  {&like.usage.user_ns, -JOB_SPAN_MAX_NS, JOB_SPAN_MAX_NS},
                  {&like.usage.system_ns, -JOB_SPAN_MAX_NS, JOB_SPAN_MAX_NS},
                  {&tries[1].started_wall_ns, -JOB_SPAN_MAX_NS, JOB_WALL_MAX_NS},
                  {&tries[1].ended_wall_ns, -JOB_SPAN_MAX_NS, JOB_WALL_MAX_NS}};
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        int64_t was = *ranges[i].value;
        *ranges[i].value = ranges[i].first;
        ck_assert_int_eq(decode_of_record(&like, 77), 0);
        *ranges[i].value = ranges[i].first - 1;
        ck_assert_int_eq(decode_of_record(&like, 77), EBADMSG);
        *ranges[i].value = ranges[i].last;
        ck_assert_int_eq(decode_of_record(&like, 77), 0);
        *ranges[i].value = ranges[i].last + 1;
        ck_assert_int_eq(decode_of_record(&like, 77), EBADMSG);
        *ranges[i].value = was;
    }
    ck_assert_int_eq(decode_of_record(&like, 0), EBADMSG);
    ck_assert_int_eq(decode_of_record(&like, 1), 0);
    ck_assert_int_eq(decode_of_record(&like, JOB_ID_MAX), 0);
    ck_assert_int_eq(decode_of_record(&like, JOB_ID_MAX + 1), EBADMSG);
    job_record_unref(&record);
}
END_TEST

// Version 1 had no submitter: it stood before the attempts, of which there are none here.
START_TEST(a_record_of_version_1)
{
    struct job_record *record = any_record(), *plain, *again;
    struct job_record like = *record;
    struct job_body *body;
    like.earlier_count = 0;
    like.submitter = 5;
    ck_assert_int_eq(job_record_copy(&plain, &like), 0);
    ck_assert_int_eq(job_record_encode(plain, &body), 0);
    ck_assert_int_eq(body->bytes[body->len - 2], 5 * 2);
    body->bytes[0] = 1;
    ck_assert_int_eq(decode_copy(body->bytes, body->len), EBADMSG);
    body->bytes[body->len - 2] = 0; // how many attempts
    ck_assert_int_eq(job_record_decode(&again, 77, body->bytes, body->len - 1), 0);
    ck_assert_uint_eq(again->submitter, JOB_NOBODY);
    ck_assert_str_eq(again->tube, record->tube);
    job_body_unref(&body);
    job_record_unref(&again);
    job_record_unref(&plain);
    job_record_unref(&record);
}
END_TEST

START_TEST(no_bytes_of_a_record_are_too_strange)
{
    struct job_record *record = any_record();
    struct job_body *body;
    ck_assert_int_eq(job_record_encode(record, &body), 0);
    for (size_t len = 0; len < body->len; len++)
        ck_assert_int_eq(decode_copy(body->bytes, len), EBADMSG);
    for (size_t bit = 0; bit < (size_t)8 * body->len; bit++) {
        body->bytes[bit / 8] = (char)(body->bytes[bit / 8] ^ 1 << bit % 8);
        int rc = decode_copy(body->bytes, body->len);
        ck_assert(rc == 0 || rc == EBADMSG || (bit < 8 && rc == EOPNOTSUPP));
        body->bytes[bit / 8] = (char)(body->bytes[bit / 8] ^ 1 << bit % 8);
    }
    body->bytes[0] = 3;
    ck_assert_int_eq(decode_copy(body->bytes, body->len), EOPNOTSUPP);
    job_body_unref(&body);
    job_record_unref(&record);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("record_codec");
    TCase *all = tcase_create("record_codec");
    tcase_add_test(all, a_record_comes_back);
    tcase_add_test(all, a_record_past_its_ranges_is_refused);
    tcase_add_test(all, a_record_of_version_1);
    tcase_add_test(all, no_bytes_of_a_record_are_too_strange);
    suite_add_tcase(suite, all);
    return unit_main(suite);
}
