// SPDX-License-Identifier: MIT
// Who asks: every call that takes a job's id, and every choice of jobs, gives and does what the
// asker's rights allow, and hides what he may not see; groups are their submitters'.

#include "blocking.h"
#include "durable.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define OWNER 900 // the daemon's user
enum { MINE = 1000, THEIRS = 1001, OPERATOR = 1002, WORKER = 1003, LOOKER = 1004, RUNNER = 1005 };

static struct durable durable;
static struct engine_records records;
static struct trust *trust;

static const char *const guarded[] = {"commands"};
static const char *const all_tubes[] = {"*"};
static const char *const seen_tubes[] = {"open", "more"};
static const uint32_t submitters[] = {MINE, THEIRS}, operators[] = {OPERATOR}, workers[] = {WORKER},
                      lookers[] = {LOOKER}, runners[] = {MINE, RUNNER};

static void setup(void)
{
    const struct trust_rule rules[] = {
        {.name = "submit",
         .users = submitters,
         .user_count = 2,
         .tubes = all_tubes,
         .tube_count = 1,
         .may = TRUST_put | TRUST_see_own | TRUST_read_own | TRUST_edit_own},
        {.name = "operate",
         .users = operators,
         .user_count = 1,
         .tubes = seen_tubes,
         .tube_count = 2,
         .may = TRUST_see | TRUST_read | TRUST_put | TRUST_work | TRUST_edit | TRUST_pause},
        {.name = "work",
         .users = workers,
         .user_count = 1,
         .tubes = seen_tubes,
         .tube_count = 2,
         .may = TRUST_see | TRUST_work},
        {.name = "look",
         .users = lookers,
         .user_count = 1,
         .tubes = seen_tubes,
         .tube_count = 2,
         .may = TRUST_see},
        {.name = "run",
         .users = runners,
         .user_count = 2,
         .tubes = guarded,
         .tube_count = 1,
         .guarded = true,
         .may = TRUST_put | TRUST_edit | TRUST_see | TRUST_run | TRUST_edit_own | TRUST_see_own},
    };
    const struct trust_settings settings = {.rules = rules,
                                            .rule_count = sizeof(rules) / sizeof(rules[0]),
                                            .guarded = guarded,
                                            .guarded_count = 1,
                                            .daemon_uid = OWNER};
    char why[256] = "";
    ck_assert_msg(trust_new(&trust, &settings, why, sizeof(why)) == 0, "%s", why);
    durable_prepare(&durable, &records);
    durable.options.trust = trust;
    durable.options.daemon_uid = OWNER;
    durable_again(&durable);
}

static void teardown(void)
{
    durable_end(&durable, &records);
    trust_free(&trust);
}

static struct trust_view asker_of(uint32_t uid)
{
    struct trust_view view;
    const struct trust_peer peer = {.door = TRUST_UNIX, .uid = uid};
    trust_view_of(&view, trust, &peer);
    return view;
}

static uint64_t put_with(uint32_t submitter, const char *name, const struct job_options *options,
                         int64_t delay_ns)
{
    struct tube *tube;
    uint64_t id;
    ck_assert_int_eq(broker_use(durable.broker, name, strlen(name), &tube), 0);
    struct job_body *body = engine_body("body");
    const struct broker_put_spec spec = {.tube = tube,
                                         .ttr_ns = 60 * HL_SECOND,
                                         .delay_ns = delay_ns,
                                         .options = options,
                                         .submitter = submitter};
    ck_assert_int_eq(broker_put(durable.broker, &spec, &body, &id), 0);
    broker_unuse(durable.broker, &tube);
    return id;
}

static uint64_t put(uint32_t submitter, const char *tube)
{
    return put_with(submitter, tube, NULL, 0);
}

static void kill_and_start(void)
{
    durable_commit(&durable);
    durable_kill(&durable, NULL);
    durable_again(&durable);
}

// ---- by id ----

static struct engine_conn conn;

// What one says who asks for a job of MINE in the tube "open".
typedef int by_id(const struct trust_view *asker);

static int do_see(const struct trust_view *asker)
{
    struct job_view view;
    return broker_peek(durable.broker, asker, put(MINE, "open"), &view, NULL);
}

static int do_read(const struct trust_view *asker)
{
    struct job_view view;
    struct job_body *body = NULL;
    int rc = broker_peek(durable.broker, asker, put(MINE, "open"), &view, &body);
    ck_assert((rc == 0) == (body != NULL));
    job_body_unref(&body);
    return rc;
}

static int do_why(const struct trust_view *asker)
{
    struct broker_why why;
    return broker_why(durable.broker, asker, put(MINE, "open"), &why);
}

static int do_wait(const struct trust_view *asker)
{
    int rc = broker_wait(durable.broker, asker, put(MINE, "open"), 0);
    return rc == ETIMEDOUT ? 0 : rc;
}

static void do_nothing(struct later *waiter)
{
    (void)waiter;
}

static int do_wait_async(const struct trust_view *asker)
{
    struct broker_waiter waiter = {.later.fire = do_nothing};
    int rc = broker_wait_async(durable.broker, asker, put(MINE, "open"), &waiter);
    ck_assert(rc != 0 || later_cancel(&waiter.later));
    return rc;
}

static int do_delete(const struct trust_view *asker)
{
    return broker_delete(durable.broker, asker, put(MINE, "open"));
}

static int do_kick(const struct trust_view *asker)
{
    return broker_kick_job(durable.broker, asker, put_with(MINE, "open", NULL, HL_SECOND));
}

static int do_move(const struct trust_view *asker)
{
    return broker_move(durable.broker, asker, put(MINE, "open"), "more", 4);
}

static int do_apply(const struct trust_view *asker)
{
    const struct broker_change change = {.action = BROKER_DO_BURY, .reason = "a reason"};
    enum job_state state;
    return broker_apply_job(durable.broker, asker, put(MINE, "open"), &change, &state, NULL);
}

static int do_reserve(const struct trust_view *asker)
{
    struct broker_lease lease;
    int rc = broker_reserve_job(&conn.client, asker, put(MINE, "open"), 0, &lease);
    if (rc == 0)
        broker_lease_fini(&lease);
    return rc;
}

// Somebody else's idle job, by the verb that deletes one's own lease.
static int do_client_delete(const struct trust_view *asker)
{
    return broker_client_delete(&conn.client, asker, put(MINE, "open"), 0);
}

static uint64_t leased(uint64_t *token)
{
    struct broker_lease lease;
    uint64_t id = put(MINE, "open");
    unsigned flags = token != NULL ? BROKER_WITH_TOKEN : 0;
    ck_assert_int_eq(broker_reserve_job(&conn.client, &trust_all, id, flags, &lease), 0);
    if (token != NULL)
        *token = lease.token;
    broker_lease_fini(&lease);
    return id;
}

static int do_touch(const struct trust_view *asker)
{
    return broker_touch(&conn.client, asker, leased(NULL), 0);
}

static int do_release_token(const struct trust_view *asker)
{
    uint64_t token, id = leased(&token);
    return broker_release(&conn.client, asker, id, token, 0, 0);
}

static int do_bury(const struct trust_view *asker)
{
    return broker_bury(&conn.client, asker, leased(NULL), 0, 0);
}

static int do_delete_lease(const struct trust_view *asker)
{
    return broker_client_delete(&conn.client, asker, leased(NULL), 0);
}

static int do_delete_token(const struct trust_view *asker)
{
    uint64_t token, id = leased(&token);
    return broker_client_delete(&conn.client, asker, id, token);
}

static const struct {
    const char *name;
    by_id *call;
    // the answer to who put it, another submitter, an operator, a worker, and one who may see
    int mine, theirs, operate, work, look;
} calls[] = {
    {"see", do_see, 0, ENOENT, 0, 0, 0},
    {"read", do_read, 0, ENOENT, 0, EACCES, EACCES},
    {"why", do_why, 0, ENOENT, 0, 0, 0},
    {"wait", do_wait, 0, ENOENT, 0, 0, 0},
    {"wait, asynchronous", do_wait_async, 0, ENOENT, 0, 0, 0},
    {"delete", do_delete, 0, ENOENT, 0, EACCES, EACCES},
    {"kick", do_kick, 0, ENOENT, 0, EACCES, EACCES},
    {"move", do_move, 0, ENOENT, 0, EACCES, EACCES},
    {"apply", do_apply, 0, ENOENT, 0, EACCES, EACCES},
    {"reserve", do_reserve, EACCES, ENOENT, 0, 0, EACCES},
    {"client's delete", do_client_delete, 0, ENOENT, 0, ENOENT, ENOENT},
    {"touch", do_touch, EACCES, EACCES, 0, 0, EACCES},
    {"release with a token", do_release_token, EACCES, EACCES, 0, 0, EACCES},
    {"bury", do_bury, EACCES, EACCES, 0, 0, EACCES},
    {"delete a lease", do_delete_lease, EACCES, EACCES, 0, 0, EACCES},
    {"delete with a token", do_delete_token, EACCES, EACCES, 0, 0, EACCES},
};
#define CALLS ((int)(sizeof(calls) / sizeof(calls[0])))

START_TEST(by_id_as_the_rights_say)
{
    const struct {
        uint32_t uid;
        int expected;
    } askers[] = {{MINE, calls[_i].mine},
                  {THEIRS, calls[_i].theirs},
                  {OPERATOR, calls[_i].operate},
                  {WORKER, calls[_i].work},
                  {LOOKER, calls[_i].look},
                  {OWNER, 0},
                  {0, 0},
                  {7, ENOENT},
                  {JOB_NOBODY, ENOENT}};
    engine_conn_init(&conn, durable.broker);
    for (size_t i = 0; i < sizeof(askers) / sizeof(askers[0]); i++) {
        struct trust_view asker = asker_of(askers[i].uid);
        int expected = askers[i].expected;
        // Whoever has no rights in a tube can't have a lease of it but by the test's own hand.
        if (expected == ENOENT && i >= 7 && calls[_i].theirs == EACCES)
            expected = EACCES;
        int rc = calls[_i].call(&asker);
        ck_assert_msg(rc == expected, "%s by uid %u: %d and not %d", calls[_i].name, askers[i].uid,
                      rc, expected);
    }
    ck_assert_int_eq(calls[_i].call(&trust_all), 0);
    engine_conn_fini(&conn);
}
END_TEST

// What is hidden is as what never was, byte for byte, in whatever state it is.
START_TEST(hidden_is_as_none)
{
    struct trust_view asker = asker_of(THEIRS);
    const struct broker_change change = {.action = BROKER_DO_KICK};
    enum job_state state = JOB_NEW;
    struct broker_waiter waiter = {.later.fire = do_nothing};
    uint64_t id = put(MINE, "open");
    ck_assert_int_eq(broker_apply_job(durable.broker, &asker, id, &change, &state, NULL), ENOENT);
    ck_assert_int_eq(state, JOB_NEW); // no EBUSY, which would tell
    const struct broker_change bury = {.action = BROKER_DO_BURY, .reason = "why"};
    ck_assert_int_eq(broker_apply_job(durable.broker, &trust_all, id, &bury, &state, NULL), 0);
    ck_assert_int_eq(broker_wait_async(durable.broker, &asker, id, &waiter), ENOENT);
    ck_assert_int_eq(broker_kick_job(durable.broker, &asker, id), ENOENT);
}
END_TEST

// The body of a job that is in the journal only.
START_TEST(a_place_is_asked_for)
{
    durable.log.cache_size = 1;
    kill_and_start();
    uint64_t id = put(MINE, "open");
    durable_commit(&durable);
    struct trust_view mine = asker_of(MINE), look = asker_of(LOOKER), theirs = asker_of(THEIRS);
    struct job_place place;
    ck_assert_int_eq(broker_place_get(durable.broker, &look, id, &place), EACCES);
    ck_assert_int_eq(broker_place_get(durable.broker, &theirs, id, &place), ENOENT);
    ck_assert_int_eq(broker_place_get(durable.broker, &mine, id, &place), 0);
    broker_place_drop(&place);
}
END_TEST

// ---- choices ----

static uint64_t ids[8];
static size_t found;

static void note(const struct job_view *view, void *arg)
{
    (void)arg;
    ids[found++] = view->id;
}

static size_t listed(uint32_t uid)
{
    static const struct broker_filter any = {.younger_ns = HL_FOREVER};
    struct broker_page page = {.limit = 8};
    struct trust_view asker = asker_of(uid);
    found = 0;
    int rc;
    broker_list_begin(durable.broker, &page);
    while ((rc = broker_list_next(durable.broker, &asker, &any, &page, note, NULL)) == EINPROGRESS)
        continue;
    ck_assert_int_eq(rc, 0);
    ck_assert_uint_eq(page.found, found);
    return found;
}

static uint64_t applied(uint32_t uid, enum broker_action action, const char *to)
{
    static const struct broker_filter any = {.younger_ns = HL_FOREVER};
    const struct broker_change change = {
        .action = action, .counts = BROKER_DO_MOVE, .to = to, .reason = "a reason"};
    struct broker_page page = {.limit = 100};
    struct trust_view asker = asker_of(uid);
    ck_assert_int_eq(broker_apply(durable.broker, &asker, &any, &page, &change), 0);
    ck_assert_uint_eq(page.next, 0);
    return page.found;
}

START_TEST(choices_pass_over_what_may_not_be)
{
    uint64_t mine = put(MINE, "open"), theirs = put(THEIRS, "open"), elsewhere = put(MINE, "x");
    (void)put(JOB_NOBODY, "y");
    ck_assert_uint_eq(listed(OWNER), 4);
    ck_assert_uint_eq(listed(7), 0);
    ck_assert_uint_eq(listed(JOB_NOBODY), 0);
    ck_assert_uint_eq(listed(MINE), 2);
    ck_assert_uint_eq(ids[0], mine);
    ck_assert_uint_eq(ids[1], elsewhere);
    ck_assert_uint_eq(listed(LOOKER), 2);
    ck_assert_uint_eq(ids[1], theirs);
    // A count is that of what would be changed; to where one may not put, nothing would.
    ck_assert_uint_eq(applied(MINE, BROKER_DO_COUNT, "open"), 2);
    ck_assert_uint_eq(applied(OPERATOR, BROKER_DO_COUNT, "more"), 2);
    ck_assert_uint_eq(applied(OPERATOR, BROKER_DO_COUNT, "x"), 0);
    ck_assert_uint_eq(applied(OPERATOR, BROKER_DO_MOVE, "x"), 0);
    ck_assert_uint_eq(applied(OPERATOR, BROKER_DO_MOVE, "more"), 2);
    ck_assert_uint_eq(applied(LOOKER, BROKER_DO_DELETE, NULL), 0);
    ck_assert_uint_eq(applied(WORKER, BROKER_DO_CANCEL, NULL), 0);
    ck_assert_uint_eq(applied(THEIRS, BROKER_DO_BURY, NULL), 1);
    ck_assert_uint_eq(applied(MINE, BROKER_DO_CANCEL, NULL), 2);
    ck_assert_uint_eq(listed(OWNER), 2);
    ck_assert_uint_eq(applied(OWNER, BROKER_DO_DELETE, NULL), 2);
}
END_TEST

// ---- guarded tubes ----

static int moved(uint32_t by, uint64_t id, const char *to)
{
    struct trust_view asker = asker_of(by);
    return broker_move(durable.broker, &asker, id, to, strlen(to));
}

START_TEST(into_a_guarded_tube)
{
    uint64_t mine = put(MINE, "open"), theirs = put(THEIRS, "open"), nobodys = put(JOB_NOBODY, "x");
    ck_assert_int_eq(moved(THEIRS, theirs, "commands"), EACCES); // he may not run
    ck_assert_int_eq(moved(OPERATOR, theirs, "commands"), EACCES);
    ck_assert_int_eq(moved(RUNNER, theirs, "commands"), ENOENT);
    ck_assert_int_eq(moved(MINE, mine, "commands"), 0);
    ck_assert_int_eq(moved(RUNNER, mine, "commands"), EACCES); // it isn't his, though it is there
    ck_assert_int_eq(moved(OWNER, theirs, "commands"), 0);
    ck_assert_int_eq(moved(0, nobodys, "commands"), 0);
    ck_assert_uint_eq(engine_view(durable.broker, theirs).submitter, THEIRS);
    ck_assert_uint_eq(engine_view(durable.broker, nobodys).submitter, JOB_NOBODY);
    ck_assert_int_eq(moved(OWNER, theirs, "commands"), 0); // nothing happens
    // Out of it again with put there and edit here, which is run beside.
    ck_assert_int_eq(moved(MINE, mine, "open"), 0);
}
END_TEST

// One who may edit, put and run in a guarded tube, with a job of somebody else's that he may edit.
START_TEST(not_even_by_who_may_run)
{
    uint64_t id = put(THEIRS, "commands"), own = put(RUNNER, "commands");
    struct trust_view asker = asker_of(RUNNER);
    ck_assert_int_eq(broker_move(durable.broker, &asker, id, "commands", 8), EACCES);
    ck_assert_int_eq(broker_move(durable.broker, &asker, own, "commands", 8), 0);
    const struct broker_change change = {.action = BROKER_DO_MOVE, .to = "commands"};
    enum job_state state;
    ck_assert_int_eq(broker_apply_job(durable.broker, &asker, id, &change, &state, NULL), EACCES);
    // The operator's rights don't reach it at all, nor do nobody's.
    struct trust_view operator= asker_of(OPERATOR);
    ck_assert_int_eq(broker_kick_job(durable.broker, &operator, id), ENOENT);
    ck_assert_int_eq(broker_delete(durable.broker, &operator, id), ENOENT);
}
END_TEST

// What an older journal has marked is the daemon's user's; the rest is nobody's.
START_TEST(jobs_of_older_journals)
{
    const struct job_options marked = {.set = JOB_OPTION_AUTHORISED, .authorised = 1};
    uint64_t command = put_with(JOB_NOBODY, "commands", &marked, 0), other = put(JOB_NOBODY, "t");
    uint64_t known = put_with(MINE, "commands", &marked, 0);
    for (int i = 0; i < 2; i++) {
        kill_and_start();
        ck_assert_uint_eq(engine_view(durable.broker, command).submitter, OWNER);
        ck_assert_uint_eq(engine_view(durable.broker, other).submitter, JOB_NOBODY);
        ck_assert_uint_eq(engine_view(durable.broker, known).submitter, MINE);
    }
}
END_TEST

// ---- groups ----

static int group_figures(uint32_t uid, const char *name, uint64_t *unfinished, uint64_t *deleted)
{
    struct broker_totals totals = {0};
    struct trust_view asker = asker_of(uid);
    int rc = broker_group_stats(durable.broker, &asker, name, unfinished, &totals);
    *deleted = totals.deleted;
    return rc;
}

static void check_groups(void)
{
    uint64_t unfinished, deleted;
    ck_assert_int_eq(group_figures(MINE, "g", &unfinished, &deleted), 0);
    ck_assert_uint_eq(unfinished, 1);
    ck_assert_uint_eq(deleted, 2);
    ck_assert_int_eq(group_figures(THEIRS, "g", &unfinished, &deleted), 0);
    ck_assert_uint_eq(unfinished, 1);
    ck_assert_uint_eq(deleted, 0);
    ck_assert_int_eq(group_figures(THEIRS, "1000:g", &unfinished, &deleted), ENOENT);
    ck_assert_int_eq(group_figures(7, "g", &unfinished, &deleted), ENOENT);
    ck_assert_int_eq(group_figures(OWNER, "1000:g", &unfinished, &deleted), 0);
    ck_assert_uint_eq(deleted, 2);
    ck_assert_int_eq(group_figures(OWNER, "1001:g", &unfinished, &deleted), 0);
    ck_assert_uint_eq(deleted, 0);
    ck_assert_int_eq(group_figures(OWNER, "g", &unfinished, &deleted), ENOENT);
    ck_assert_int_eq(group_figures(OWNER, "1000x:g", &unfinished, &deleted), ENOENT);
    ck_assert_int_eq(group_figures(OWNER, ":g", &unfinished, &deleted), ENOENT);
    ck_assert_int_eq(group_figures(OWNER, "4294967295:g", &unfinished, &deleted), ENOENT);
    ck_assert_int_eq(group_figures(OWNER, "18446744073709552616:g", &unfinished, &deleted), ENOENT);
}

START_TEST(a_group_is_its_submitters)
{
    const struct job_options options = {.group = "g"};
    uint64_t one = put_with(MINE, "open", &options, 0), two = put_with(MINE, "x", &options, 0);
    (void)put_with(MINE, "x", &options, 0);
    (void)put_with(THEIRS, "x", &options, 0);
    ck_assert_int_eq(broker_delete(durable.broker, &trust_all, one), 0);
    ck_assert_int_eq(broker_delete(durable.broker, &trust_all, two), 0);
    check_groups();
    kill_and_start();
    check_groups();
    for (int i = 0; i < 6000; i++) { // until the entries that counted were compacted away
        uint64_t id = put(0, "y");
        durable_commit(&durable);
        ck_assert_int_eq(broker_delete(durable.broker, &trust_all, id), 0);
    }
    (void)durable_compact(&durable);
    kill_and_start();
    check_groups();
}
END_TEST

static char visited[256];

static void group_visit(const char *name, uint64_t unfinished, const struct broker_totals *totals,
                        void *arg)
{
    (void)unfinished;
    (void)totals;
    (void)arg;
    strcat(strcat(visited, name), " ");
}

static const char *groups_of(uint32_t uid)
{
    struct trust_view asker = asker_of(uid);
    visited[0] = '\0';
    ck_assert_int_eq(broker_each_group(durable.broker, &asker, group_visit, NULL), 0);
    return visited;
}

START_TEST(groups_are_named_as_the_asker_says_them)
{
    const struct job_options one = {.group = "one"}, two = {.group = "two"};
    (void)put_with(MINE, "x", &one, 0);
    (void)put_with(0, "x", &two, 0);
    (void)put_with(JOB_NOBODY, "x", &one, 0);
    ck_assert_str_eq(groups_of(MINE), "one ");
    ck_assert_str_eq(groups_of(THEIRS), "");
    ck_assert_str_eq(groups_of(0), "nobody:one two 1000:one ");
    uint64_t unfinished, deleted;
    ck_assert_int_eq(group_figures(0, "nobody:one", &unfinished, &deleted), 0);
    ck_assert_int_eq(group_figures(0, "one", &unfinished, &deleted), 0); // nobody's: he has none
    ck_assert_int_eq(group_figures(THEIRS, "one", &unfinished, &deleted), ENOENT);
}
END_TEST

// A join waits for the asker's own group, and for what was put so far into that alone.
START_TEST(a_join_is_of_ones_own)
{
    const struct job_options options = {.group = "g"};
    struct trust_view mine = asker_of(MINE), theirs = asker_of(THEIRS);
    for (int so_far = 0; so_far < 2; so_far++) {
        uint64_t attackers = put_with(THEIRS, "x", &options, 0);
        uint64_t id = put_with(MINE, "x", &options, 0);
        struct broker_waiter waiter = {.later.fire = do_nothing, .so_far = so_far != 0};
        ck_assert_int_eq(broker_join_group_async(durable.broker, &mine, "g", &waiter), 0);
        ck_assert_int_eq(broker_delete(durable.broker, &trust_all, id), 0);
        ck_assert(!later_cancel(&waiter.later)); // it has fired
        ck_assert_uint_eq(waiter.totals.deleted, (uint64_t)so_far + 1);
        waiter.totals.deleted = 77;
        ck_assert_int_eq(broker_join_group_async(durable.broker, &theirs, "g", &waiter), 0);
        ck_assert(later_cancel(&waiter.later));
        ck_assert_int_eq(broker_delete(durable.broker, &trust_all, attackers), 0);
    }
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("asker");
    TCase *all = tcase_create("asker");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_loop_test(all, by_id_as_the_rights_say, 0, CALLS);
    tcase_add_test(all, hidden_is_as_none);
    tcase_add_test(all, a_place_is_asked_for);
    tcase_add_test(all, choices_pass_over_what_may_not_be);
    tcase_add_test(all, into_a_guarded_tube);
    tcase_add_test(all, not_even_by_who_may_run);
    tcase_add_test(all, jobs_of_older_journals);
    tcase_add_test(all, a_group_is_its_submitters);
    tcase_add_test(all, groups_are_named_as_the_asker_says_them);
    tcase_add_test(all, a_join_is_of_ones_own);
    suite_add_tcase(suite, all);
    return unit_main(suite);
}
