// SPDX-License-Identifier: MIT
// Options of jobs: which are right and what is said about the others, copies, and the way through
// an entry of the journal.

#include "job/job.h"
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SECOND INT64_C(1000000000)

static const char three_tags[] = "red\0a b\0\xc3\xbc"; // with its last NUL: 11 bytes

static struct job_options full(void)
{
    return (struct job_options){.set = JOB_OPTION_RETENTION | JOB_OPTION_AT,
                                .rules = {.set = JOB_RULE_ATTEMPTS | JOB_RULE_CRASHES |
                                                 JOB_RULE_TIMEOUTS | JOB_RULE_LOSSES |
                                                 JOB_RULE_BACKOFF_KIND | JOB_RULE_BACKOFF |
                                                 JOB_RULE_BACKOFF_CAP | JOB_RULE_JITTER |
                                                 JOB_RULE_TIMEOUT | JOB_RULE_MAX_AGE,
                                          .attempts = 5,
                                          .crashes = 300,
                                          .timeouts = UINT32_MAX,
                                          .losses = 7,
                                          .backoff_kind = JOB_BACKOFF_EXPONENTIAL,
                                          .jitter = 100,
                                          .backoff_ns = 2 * SECOND,
                                          .backoff_cap_ns = 3600 * SECOND,
                                          .timeout_ns = 90 * SECOND,
                                          .max_age_ns = 86400 * SECOND},
                                .retention_ns = 86400 * SECOND,
                                .at_wall_ns = INT64_C(1800000000) * SECOND,
                                .name = "nightly",
                                .group = "g\xc3\xbcter",
                                .key = "k",
                                .tags = three_tags,
                                .tags_size = sizeof(three_tags)};
}

static void check_same(const struct job_options *a, const struct job_options *b)
{
    ck_assert_uint_eq(a->set, b->set);
    ck_assert_uint_eq(a->rules.set, b->rules.set);
    const struct job_rule_row *row;
    for (size_t i = 0; (row = job_rule_at(i)) != NULL; i++)
        ck_assert_int_eq(job_rules_value(&a->rules, row->bit),
                         job_rules_value(&b->rules, row->bit));
    ck_assert_int_eq(a->retention_ns, b->retention_ns);
    ck_assert_int_eq(a->at_wall_ns, b->at_wall_ns);
    ck_assert_str_eq(a->name, b->name != NULL ? b->name : "");
    ck_assert_str_eq(a->group, b->group != NULL ? b->group : "");
    ck_assert_str_eq(a->key, b->key != NULL ? b->key : "");
    ck_assert_uint_eq(a->tags_size, b->tags_size);
    ck_assert(a->tags_size == 0 || memcmp(a->tags, b->tags, a->tags_size) == 0);
}

START_TEST(a_copy_has_everything_and_owns_it)
{
    char name[] = "nightly", why[JOB_OPTIONS_WHY_MAX];
    struct job_options like = full(), *copy;
    like.name = name;
    ck_assert_int_eq(job_options_check(&like, why, sizeof(why)), 0);
    ck_assert_int_eq(job_options_copy(&copy, &like), 0);
    name[0] = 'N';
    like.name = "nightly";
    check_same(copy, &like);
    ck_assert_str_eq(job_tags_next(copy->tags, copy->tags_size, NULL), "red");
    ck_assert(job_tags_have(copy->tags, copy->tags_size, "a b"));
    ck_assert(!job_tags_have(copy->tags, copy->tags_size, "a"));
    job_options_free(&copy);
    ck_assert_ptr_null(copy);
    job_options_free(&copy); // NULL is nothing
}
END_TEST

START_TEST(nothing_is_empty)
{
    struct job_options like = {.retention_ns = 5, .name = ""};
    ck_assert(job_options_are_empty(&like)); // the bit isn't there
    like.set = JOB_OPTION_RETENTION;
    ck_assert(!job_options_are_empty(&like));
    like = (struct job_options){.rules = {.set = JOB_RULE_LOSSES}};
    ck_assert(!job_options_are_empty(&like));
}
END_TEST

static void encode_put(const struct job_options *options, char *bytes, size_t *len,
                       struct job_entry *again)
{
    struct job_entry put = {.type = JOB_ENTRY_PUT,
                            .state = JOB_READY,
                            .id = 9,
                            .ttr_s = 1,
                            .kicks = 3,
                            .tube = "t",
                            .tube_len = 1,
                            .options = options};
    *len = job_entry_encode(&put, bytes);
    ck_assert_int_eq(job_entry_decode(again, bytes, *len), 0);
    ck_assert_uint_eq(again->kicks, 3);
}

// One option at a time, and all together; and what was decoded can be encoded again.
START_TEST(each_passes_through_an_entry)
{
    struct job_options alone[] = {
        {.set = JOB_OPTION_RETENTION}, // 0: no record
        {.set = JOB_OPTION_AT, .at_wall_ns = INT64_MAX},
        {.name = "n"},
        {.group = "g"},
        {.key = "k"},
        {.tags = "x", .tags_size = 2},
        full(),
    };
    const size_t others = sizeof(alone) / sizeof(alone[0]);
    struct job_options like = {0}, *copy, *back;
    if ((size_t)_i < others)
        like = alone[_i];
    else { // a rule
        const struct job_options all = full();
        uint32_t bit = job_rule_at((size_t)_i - others)->bit;
        job_rules_say(&like.rules, bit, job_rules_value(&all.rules, bit));
        ck_assert_uint_eq(like.rules.set & all.rules.set, bit);
    }
    ck_assert_int_eq(job_options_copy(&copy, &like), 0);
    char bytes[JOB_ENTRY_HEAD_MAX], again[JOB_ENTRY_HEAD_MAX];
    struct job_entry entry, second;
    size_t len;
    encode_put(copy, bytes, &len, &entry);
    ck_assert_int_eq(job_options_of_entry(&back, &entry), 0);
    check_same(back, copy);
    ck_assert_uint_eq(back->encoded, copy->encoded);
    job_options_free(&back);
    size_t len_again = job_entry_encode(&entry, again);
    ck_assert_int_eq(job_entry_decode(&second, again, len_again), 0);
    ck_assert_int_eq(job_options_of_entry(&back, &second), 0);
    check_same(back, copy);
    job_options_free(&back);
    job_options_free(&copy);
}
END_TEST

START_TEST(the_longest_fits)
{
    static char text[JOB_TEXT_MAX + 1], tags[JOB_TAGS_SIZE];
    memset(text, 'x', JOB_TEXT_MAX);
    memset(tags, 'y', sizeof(tags));
    tags[170] = tags[341] = tags[sizeof(tags) - 1] = '\0';
    struct job_options like = full(), *copy;
    like.name = like.group = like.key = text;
    like.tags = tags;
    like.tags_size = sizeof(tags);
    char why[JOB_OPTIONS_WHY_MAX], bytes[JOB_ENTRY_HEAD_MAX];
    ck_assert_int_eq(job_options_check(&like, why, sizeof(why)), 0);
    ck_assert_int_eq(job_options_copy(&copy, &like), 0);
    struct job_entry entry;
    size_t len;
    encode_put(copy, bytes, &len, &entry);
    ck_assert_uint_gt(len, copy->encoded);
    job_options_free(&copy);
}
END_TEST

START_TEST(an_entry_without_options_has_none)
{
    char bytes[JOB_ENTRY_HEAD_MAX];
    struct job_entry entry;
    struct job_options *options;
    size_t len;
    encode_put(NULL, bytes, &len, &entry);
    ck_assert_int_eq(job_options_of_entry(&options, &entry), 0);
    ck_assert_ptr_null(options);
}
END_TEST

// ---- what isn't right ----

static void refused(const struct job_options *like, const char *word)
{
    char why[JOB_OPTIONS_WHY_MAX] = "";
    ck_assert_int_eq(job_options_check(like, why, sizeof(why)), EINVAL);
    ck_assert_msg(strstr(why, word) != NULL, "\"%s\" doesn't tell of %s", why, word);
}

START_TEST(what_is_wrong_is_named)
{
    static char text[JOB_TEXT_MAX + 2];
    memset(text, 'x', JOB_TEXT_MAX + 1);
    refused(&(struct job_options){.rules = {.set = JOB_RULE_ATTEMPTS}}, "attempts is 0");
    refused(&(struct job_options){.rules = {.set = JOB_RULE_JITTER, .jitter = 101}}, "0 to 100");
    refused(&(struct job_options){.rules = {.set = JOB_RULE_TIMEOUT, .timeout_ns = -1}}, "timeout");
    refused(&(struct job_options){.rules = {.set = JOB_RULE_BACKOFF,
                                            .backoff_ns = JOB_OPTION_TIME_MAX + 1}},
            "backoff.base");
    refused(&(struct job_options){.name = text}, "201 bytes");
    refused(&(struct job_options){.group = "a\nb"}, "group");
    refused(&(struct job_options){.key = "\xff"}, "UTF-8");
    refused(&(struct job_options){.key = "\xc2\x85"}, "control");
    refused(&(struct job_options){.tags = "a\0", .tags_size = 2 + 1}, "1 to 200");
    refused(&(struct job_options){.tags = "a,b", .tags_size = 4}, "commas");
    refused(&(struct job_options){.tags = text, .tags_size = JOB_TAGS_SIZE + 1}, "512");
}
END_TEST

// The options of a PUT as they stand on disk, given as text.
static int decoded(const char *options, size_t len)
{
    char bytes[64];
    int head = snprintf(bytes, sizeof(bytes), "%s", "\x01\x01\x05\x05\x05\x05r\x01t");
    bytes[head] = (char)len;
    memcpy(bytes + head + 1, options, len);
    struct job_entry entry;
    return job_entry_decode(&entry, bytes, (size_t)head + 1 + len);
}

START_TEST(values_on_disk_are_checked)
{
    ck_assert_int_eq(decoded("\x09\x01\x05", 3), 0);
    ck_assert_int_eq(decoded("\x09\x01\x00", 3), EBADMSG);             // attempts: 0
    ck_assert_int_eq(decoded("\x09\x01\x05\x09\x01\x05", 6), EBADMSG); // twice
    ck_assert_int_eq(decoded("\x09\x02\x05\x05", 4), EBADMSG);         // more behind
    ck_assert_int_eq(decoded("\x11\x01\x02", 3), EBADMSG);             // no kind of back-off
    ck_assert_int_eq(decoded("\x1f\x01x", 3), 0);
    ck_assert_int_eq(decoded("\x1f\x00", 2), EBADMSG);     // a name without bytes
    ck_assert_int_eq(decoded("\x1f\x01\x00", 3), EBADMSG); // with a NUL
    ck_assert_int_eq(decoded("\x1f\x01\xe7", 3), EBADMSG); // that isn't UTF-8
    ck_assert_int_eq(decoded("\x25\x02x\x00", 4), 0);
    ck_assert_int_eq(decoded("\x25\x01x", 3), EBADMSG);         // a tag without its end
    ck_assert_int_eq(decoded("\x25\x03x\x00\x00", 5), EBADMSG); // an empty tag
    ck_assert_int_eq(decoded("\x25\x02\xe7\x00", 4), EBADMSG);  // one that isn't UTF-8
    // On other entries they are unknown.
    struct job_entry entry;
    ck_assert_int_eq(job_entry_decode(&entry, "\x02\x01\x05\x03\x09\x01\x05", 7), EOPNOTSUPP);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("options");
    TCase *all = tcase_create("options");
    tcase_add_test(all, a_copy_has_everything_and_owns_it);
    tcase_add_test(all, nothing_is_empty);
    int rules = 0;
    while (job_rule_at((size_t)rules) != NULL)
        rules++;
    tcase_add_loop_test(all, each_passes_through_an_entry, 0, 7 + rules);
    tcase_add_test(all, the_longest_fits);
    tcase_add_test(all, an_entry_without_options_has_none);
    tcase_add_test(all, what_is_wrong_is_named);
    tcase_add_test(all, values_on_disk_are_checked);
    suite_add_tcase(suite, all);
    return unit_main(suite);
}
