// SPDX-License-Identifier: MIT
// Rules alone: merged, and the pauses that follow from them.

#include "job/job.h"

#include "unit.h"

#define SECOND INT64_C(1000000000)

START_TEST(rules_are_merged_bit_by_bit)
{
    struct job_rules rules = {.set = JOB_RULE_ATTEMPTS, .attempts = 2, .crashes = 99};
    const struct job_rules tube = {
        .set = JOB_RULE_ATTEMPTS | JOB_RULE_CRASHES, .attempts = 5, .crashes = 6, .jitter = 99};
    const struct job_rules pool = {
        .set = JOB_RULE_CRASHES | JOB_RULE_JITTER | JOB_RULE_TIMEOUT | JOB_RULE_BACKOFF |
               JOB_RULE_BACKOFF_CAP | JOB_RULE_BACKOFF_KIND | JOB_RULE_LOSSES | JOB_RULE_TIMEOUTS,
        .crashes = 7,
        .jitter = 1,
        .timeout_ns = 2,
        .backoff_ns = 3,
        .backoff_cap_ns = 4,
        .backoff_kind = JOB_BACKOFF_FIXED,
        .losses = 8,
        .timeouts = 9};
    job_rules_merge(&rules, NULL);
    ck_assert_uint_eq(rules.set, JOB_RULE_ATTEMPTS);
    job_rules_merge(&rules, &tube);
    job_rules_merge(&rules, &pool);
    ck_assert_uint_eq(rules.set, tube.set | pool.set);
    ck_assert_uint_eq(rules.attempts, 2);
    ck_assert_uint_eq(rules.crashes, 6);
    ck_assert_uint_eq(rules.jitter, 1);
    ck_assert_int_eq(rules.timeout_ns, 2);
    ck_assert_int_eq(rules.backoff_ns, 3);
    ck_assert_int_eq(rules.backoff_cap_ns, 4);
    ck_assert_uint_eq(rules.backoff_kind, JOB_BACKOFF_FIXED);
    ck_assert_uint_eq(rules.losses, 8);
    ck_assert_uint_eq(rules.timeouts, 9);
}
END_TEST

START_TEST(pauses_double_up_to_the_cap)
{
    struct job_rules rules = {.set = JOB_RULE_BACKOFF | JOB_RULE_BACKOFF_CAP | JOB_RULE_JITTER,
                              .backoff_ns = 3,
                              .backoff_cap_ns = 40};
    static const int64_t expected[] = {3, 6, 12, 24, 40, 40};
    for (uint32_t i = 0; i < 6; i++)
        ck_assert_int_eq(job_rules_pause(&rules, i + 1, 77), expected[i]);
    ck_assert_int_eq(job_rules_pause(&rules, UINT32_MAX, 77), 40);
    rules.backoff_cap_ns = 2; // less than the first pause
    ck_assert_int_eq(job_rules_pause(&rules, 1, 77), 2);
    rules.backoff_ns = 0;
    ck_assert_int_eq(job_rules_pause(&rules, UINT32_MAX, 77), 0);
    rules.set |= JOB_RULE_BACKOFF_KIND;
    rules.backoff_kind = JOB_BACKOFF_FIXED;
    rules.backoff_ns = 30;
    rules.backoff_cap_ns = 0;
    ck_assert_int_eq(job_rules_pause(&rules, 1000000, 77), 30);
}
END_TEST

START_TEST(pauses_never_overflow)
{
    struct job_rules rules = {.set = JOB_RULE_BACKOFF | JOB_RULE_BACKOFF_CAP | JOB_RULE_JITTER,
                              .backoff_ns = INT64_MAX,
                              .backoff_cap_ns = INT64_MAX,
                              .jitter = 100};
    for (uint32_t i = 1; i < 100; i++) {
        ck_assert_int_le(job_rules_pause(&rules, i, UINT64_MAX - i), JOB_PAUSE_MAX_NS);
        ck_assert_int_ge(job_rules_pause(&rules, i, UINT64_MAX - i), 0);
    }
    rules.jitter = 0;
    rules.backoff_ns = 1;
    rules.backoff_cap_ns = 0;
    ck_assert_int_eq(job_rules_pause(&rules, UINT32_MAX, 0), JOB_PAUSE_MAX_NS);
}
END_TEST

START_TEST(jitter_takes_away_at_most_its_part)
{
    struct job_rules rules = {.set = JOB_RULE_BACKOFF | JOB_RULE_JITTER | JOB_RULE_BACKOFF_KIND,
                              .backoff_ns = 1000,
                              .backoff_kind = JOB_BACKOFF_FIXED,
                              .jitter = 25};
    int64_t least = INT64_MAX, most = 0;
    for (uint64_t random = 0; random < 10000; random++) {
        int64_t pause = job_rules_pause(&rules, 1, random);
        least = pause < least ? pause : least;
        most = pause > most ? pause : most;
        ck_assert_int_eq(pause, job_rules_pause(&rules, 1, random));
    }
    ck_assert_int_eq(least, 750);
    ck_assert_int_eq(most, 1000);
    // what nobody says: a second that doubles, up to an hour, of which a fifth is left to chance
    const struct job_rules none = {.set = 0};
    ck_assert_int_eq(job_rules_pause(&none, 1, 0), SECOND);
    ck_assert_int_eq(job_rules_pause(&none, 3, 0), 4 * SECOND);
    ck_assert_int_eq(job_rules_pause(&none, 50, 0), 3600 * SECOND);
    ck_assert_int_ge(job_rules_pause(&none, 1, UINT64_MAX), SECOND * 8 / 10);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rules");
    TCase *pure = tcase_create("pure");
    tcase_add_test(pure, rules_are_merged_bit_by_bit);
    tcase_add_test(pure, pauses_double_up_to_the_cap);
    tcase_add_test(pure, pauses_never_overflow);
    tcase_add_test(pure, jitter_takes_away_at_most_its_part);
    suite_add_tcase(suite, pure);
    return unit_main(suite);
}
