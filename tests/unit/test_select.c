// SPDX-License-Identifier: MIT
// Choosing jobs: what matches, pages that hold whatever happens between, and changes of all that
// match.

#include "blocking.h"
#include "engine.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct broker *broker;
static struct engine_conn conn;

static unsigned recorded;

static void count_records(struct list *ends, void *arg)
{
    struct job_end *end;
    (void)arg;
    for (; (end = engine_end_pop(ends)) != NULL; job_end_unref(&end))
        recorded++;
}

static void setup(void)
{
    const struct broker_options options = {.ended = count_records, .tube_jobs_max = 2000};
    recorded = 0;
    clock_virtual_start(1000 * HL_SECOND);
    ck_assert_int_eq(broker_new(&broker, &options), 0);
    engine_conn_init(&conn, broker);
}

static void teardown(void)
{
    (void)engine_conn_fini(&conn);
    broker_free(&broker);
    clock_virtual_stop();
}

static uint64_t put(const char *tube, int64_t delay_ns)
{
    return engine_put(broker, tube, 9, delay_ns, "body");
}

// ---- lists ----

struct seen {
    size_t count;
    uint64_t id[4000];
};

static void see(const struct job_view *view, void *arg)
{
    struct seen *seen = arg;
    ck_assert_uint_lt(seen->count, 4000);
    seen->id[seen->count++] = view->id;
}

// One page; what it has is added.
static void list(struct seen *seen, const struct broker_filter *filter, struct broker_page *page)
{
    size_t before = seen->count;
    int rc;
    broker_list_begin(broker, page);
    while ((rc = broker_list_next(broker, &trust_all, filter, page, see, seen)) == EINPROGRESS)
        continue;
    ck_assert_int_eq(rc, 0);
    ck_assert_uint_eq(seen->count - before, page->found);
}

static size_t count(struct broker_filter filter)
{
    static struct seen seen;
    struct broker_page page = {.limit = SIZE_MAX};
    seen.count = 0;
    list(&seen, &filter, &page);
    ck_assert_uint_eq(page.next, 0);
    return seen.count;
}

#define FILTER(...) ((struct broker_filter){.younger_ns = HL_FOREVER, __VA_ARGS__})

START_TEST(conditions)
{
    uint64_t held = put("a", 0);
    ck_assert_uint_eq(count(FILTER(.tube = "nobody")), 0);
    engine_watch_only(&conn, "a");
    ck_assert_uint_eq(engine_reserve(&conn), held);
    put("a", 0);
    put("b", 0);
    clock_virtual_advance(60 * HL_SECOND);
    put("a", HL_SECOND);
    ck_assert_uint_eq(count(FILTER(.tube = NULL)), 4);
    ck_assert_uint_eq(count(FILTER(.tube = "a")), 3);
    ck_assert_uint_eq(count(FILTER(.states = BROKER_STATE(JOB_RESERVED))), 1);
    ck_assert_uint_eq(count(FILTER(.states = BROKER_STATE(JOB_RESERVED) | BROKER_STATE(JOB_READY))),
                      3);
    ck_assert_uint_eq(count(FILTER(.tube = "b", .states = BROKER_STATE(JOB_DELAYED))), 0);
    ck_assert_uint_eq(count(FILTER(.older_ns = 60 * HL_SECOND)), 3);
    ck_assert_uint_eq(count(FILTER(.older_ns = 60 * HL_SECOND + 1)), 0);
    ck_assert_uint_eq(count((struct broker_filter){.younger_ns = 60 * HL_SECOND}), 1);
    ck_assert_uint_eq(count((struct broker_filter){.younger_ns = 0}), 0);
}
END_TEST

// Jobs leave before, at and behind the place, and others come: each that was there all the time is
// seen once.
START_TEST(pages_hold_while_jobs_come_and_go)
{
    static struct seen seen;
    seen.count = 0;
    for (int i = 0; i < 1000; i++)
        put("a", 0);
    const struct broker_filter filter = FILTER(.tube = "a");
    struct broker_page page = {.limit = 100};
    list(&seen, &filter, &page);
    ck_assert_uint_eq(page.next, 101);
    ck_assert_uint_eq(page.until, 1000);
    for (uint64_t id = 50; id <= 150; id++)
        ck_assert_int_eq(broker_delete(broker, &trust_all, id), 0);
    for (int i = 0; i < 10; i++)
        put("a", 0);
    page.from = page.next;
    while (page.next != 0) {
        list(&seen, &filter, &page);
        page.from = page.next;
    }
    ck_assert_uint_eq(seen.count, 100 + 850);
    for (size_t i = 0; i < seen.count; i++)
        ck_assert_uint_eq(seen.id[i], i < 100 ? i + 1 : i + 51);
}
END_TEST

START_TEST(a_page_ends_after_so_many_looked_at)
{
    static struct seen seen;
    seen.count = 0;
    for (int i = 0; i < BROKER_EXAMINED_MAX + 5; i++) {
        char tube[16];
        snprintf(tube, sizeof(tube), "t%d", i / 1000);
        put(tube, 0);
    }
    const struct broker_filter filter = FILTER(.tube = "t4");
    struct broker_page page = {.limit = SIZE_MAX};
    list(&seen, &filter, &page);
    ck_assert_uint_eq(page.examined, BROKER_EXAMINED_MAX);
    ck_assert_uint_eq(page.next, BROKER_EXAMINED_MAX + 1);
    ck_assert_uint_eq(seen.count, BROKER_EXAMINED_MAX - 4000);
    page.from = page.next;
    list(&seen, &filter, &page);
    ck_assert_uint_eq(page.examined, 5);
    ck_assert_uint_eq(page.next, 0);
    // Nobody looks at jobs where the counts say that there is none.
    const struct broker_filter buried = FILTER(.states = BROKER_STATE(JOB_BURIED));
    page = (struct broker_page){.limit = SIZE_MAX};
    list(&seen, &buried, &page);
    ck_assert_uint_eq(page.examined, 0);
}
END_TEST

// ---- changes ----

static uint64_t apply(struct broker_filter filter, enum broker_action action, const char *to)
{
    const struct broker_change change = {action, action, to, "by a test", false};
    struct broker_page page = {.limit = SIZE_MAX};
    ck_assert_int_eq(broker_apply(broker, &trust_all, &filter, &page, &change), 0);
    ck_assert_uint_eq(page.next, 0);
    return page.found;
}

static int apply_job(uint64_t id, enum broker_action action, const char *to, enum job_state *state)
{
    const struct broker_change change = {action, action, to, "by a test", false};
    return broker_apply_job(broker, &trust_all, id, &change, state, NULL);
}

START_TEST(buried_by_hand_and_kicked)
{
    for (int i = 0; i < 300; i++)
        put("a", i % 2 == 0 ? 0 : HL_SECOND);
    uint64_t other = put("b", 0);
    ck_assert_uint_eq(apply(FILTER(.tube = "a"), BROKER_DO_BURY, NULL), 300);
    ck_assert_uint_eq(apply(FILTER(.tube = "a"), BROKER_DO_BURY, NULL), 0);
    ck_assert_uint_eq(recorded, 300);
    ck_assert_int_eq(broker_join(broker, "a", 0, NULL), 0);
    ck_assert_int_eq(engine_view(broker, 7).state, JOB_BURIED);
    ck_assert_str_eq(engine_view(broker, 7).reason, "by a test");
    ck_assert_uint_eq(engine_view(broker, 7).buries, 1);
    ck_assert_int_eq(engine_view(broker, other).state, JOB_READY);
    ck_assert_uint_eq(engine_tube_stats(broker, "a").totals.failed, 300);
    ck_assert_uint_eq(apply(FILTER(.states = BROKER_STATE(JOB_BURIED)), BROKER_DO_KICK, NULL), 300);
    ck_assert_uint_eq(engine_tube_stats(broker, "a").count[JOB_READY], 300);
    ck_assert_int_eq(broker_join(broker, "a", 0, NULL), ETIMEDOUT);
}
END_TEST

START_TEST(moved_and_deleted)
{
    for (int i = 0; i < 10; i++)
        put("a", 0);
    engine_watch_only(&conn, "a");
    uint64_t held = engine_reserve(&conn);
    ck_assert_uint_eq(apply(FILTER(.tube = "a"), BROKER_DO_MOVE, "b"), 9);
    ck_assert_uint_eq(engine_tube_stats(broker, "b").count[JOB_READY], 9);
    const struct broker_change dry = {BROKER_DO_COUNT, BROKER_DO_DELETE, NULL, NULL, false};
    const struct broker_filter in_b = FILTER(.tube = "b");
    struct broker_page page = {.limit = SIZE_MAX};
    ck_assert_int_eq(broker_apply(broker, &trust_all, &in_b, &page, &dry), 0);
    ck_assert_uint_eq(page.found, 9);
    ck_assert_uint_eq(engine_tube_stats(broker, "b").count[JOB_READY], 9);
    ck_assert_uint_eq(apply(FILTER(.tube = "b"), BROKER_DO_DELETE, NULL), 9);
    ck_assert_uint_eq(apply(FILTER(.tube = NULL), BROKER_DO_DELETE, NULL), 0);
    ck_assert_int_eq(engine_view(broker, held).state, JOB_RESERVED);
}
END_TEST

START_TEST(a_full_tube_ends_a_move)
{
    for (int i = 0; i < 1500; i++) {
        put("a", 0);
        put("b", 0);
    }
    const struct broker_change change = {BROKER_DO_MOVE, BROKER_DO_MOVE, "b", NULL, false};
    const struct broker_filter filter = FILTER(.tube = "a");
    struct broker_page page = {.limit = SIZE_MAX};
    ck_assert_int_eq(broker_apply(broker, &trust_all, &filter, &page, &change), 0);
    ck_assert_uint_eq(page.found, 500);
    ck_assert_uint_eq(page.next, 1001); // the first that didn't fit
    page.from = page.next;
    ck_assert_int_eq(broker_apply(broker, &trust_all, &filter, &page, &change), ENOBUFS);
    ck_assert_uint_eq(engine_tube_stats(broker, "a").count[JOB_READY], 1000);
    const struct broker_change bad = {BROKER_DO_MOVE, BROKER_DO_MOVE, "-", NULL, false};
    ck_assert_int_eq(broker_apply(broker, &trust_all, &filter, &page, &bad), EINVAL);
}
END_TEST

START_TEST(one_job)
{
    enum job_state state = JOB_NEW;
    uint64_t ready = put("a", 0);
    ck_assert_int_eq(apply_job(ready, BROKER_DO_KICK, NULL, &state), EBUSY);
    ck_assert_int_eq(state, JOB_READY);
    ck_assert_int_eq(apply_job(ready, BROKER_DO_BURY, NULL, &state), 0);
    ck_assert_int_eq(apply_job(ready, BROKER_DO_BURY, NULL, &state), EBUSY);
    ck_assert_int_eq(state, JOB_BURIED);
    ck_assert_int_eq(apply_job(ready, BROKER_DO_MOVE, "b", &state), 0);
    ck_assert_int_eq(apply_job(ready, BROKER_DO_KICK, NULL, &state), 0);
    engine_watch_only(&conn, "b");
    ck_assert_uint_eq(engine_reserve(&conn), ready);
    ck_assert_int_eq(apply_job(ready, BROKER_DO_DELETE, NULL, &state), EBUSY);
    ck_assert_int_eq(state, JOB_RESERVED);
    ck_assert_int_eq(apply_job(99, BROKER_DO_DELETE, NULL, &state), ENOENT);
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("select");
    TCase *tcase = tcase_create("select");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, conditions);
    tcase_add_test(tcase, pages_hold_while_jobs_come_and_go);
    tcase_add_test(tcase, a_page_ends_after_so_many_looked_at);
    tcase_add_test(tcase, buried_by_hand_and_kicked);
    tcase_add_test(tcase, moved_and_deleted);
    tcase_add_test(tcase, a_full_tube_ends_a_move);
    tcase_add_test(tcase, one_job);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
