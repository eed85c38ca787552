// SPDX-License-Identifier: MIT
// Listeners: who is told of events. Of what it listens to, and may see; not before that is as true
// as its tube wants it; and who is overtaken, or comes back too late, is told of a gap.

#include "events_kit.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct engine_conn conn;

// ---- who listens to what ----

START_TEST(a_tube_is_told_of_its_own)
{
    ck_assert_int_eq(events_listen(&heard.listener, (struct broker_listen){.tube = "t"}), 0);
    engine_put(heard.durable.broker, "noise", 5, 0, "body");
    uint64_t id = events_put(0);
    events_told(BROKER_EVENT_PUT, id, JOB_NEW, JOB_READY);
    uint64_t last = event_ring_last(&heard.durable.broker->events->ring);
    engine_put(heard.durable.broker, "noise", 5, 0, "body");
    ck_assert_uint_eq(event_ring_last(&heard.durable.broker->events->ring),
                      last); // it isn't kept
    uint64_t other = engine_put(heard.durable.broker, "noise", 5, 0, "body");
    ck_assert_int_eq(broker_move(heard.durable.broker, &trust_all, other, "t", 1), 0);
    ck_assert_uint_eq(events_hear(), 1);
    ck_assert_int_eq(heard.got[0].type, BROKER_EVENT_MOVE);
    // the tube goes, and comes back
    ck_assert_int_eq(broker_delete(heard.durable.broker, &trust_all, id), 0);
    ck_assert_int_eq(broker_delete(heard.durable.broker, &trust_all, other), 0);
    ck_assert_uint_eq(events_hear(), 2);
    ck_assert_ptr_null(tube_find(&heard.durable.broker->ledger, "t", 1));
    id = events_put(0);
    events_told(BROKER_EVENT_PUT, id, JOB_NEW, JOB_READY);
}
END_TEST

START_TEST(a_job_is_told_of_its_own)
{
    uint64_t id = events_put(0);
    ck_assert_int_eq(events_listen(&heard.listener, (struct broker_listen){.id = id + 1}), ENOENT);
    ck_assert_int_eq(events_listen(&heard.listener, (struct broker_listen){.id = id}), 0);
    events_put(0);
    ck_assert_uint_eq(events_hear(), 0);
    ck_assert_int_eq(broker_delete(heard.durable.broker, &trust_all, id), 0);
    events_told(BROKER_EVENT_FINISH, id, JOB_READY, JOB_FINISHED);
    // who asks again a moment later finds it, who asks later doesn't
    uint64_t seen = broker_events_seen(&heard.listener);
    broker_unlisten(&heard.listener);
    ck_assert_int_eq(
        events_listen(&heard.listener, (struct broker_listen){.id = id, .after = seen - 1}), 0);
    events_told(BROKER_EVENT_FINISH, id, JOB_READY, JOB_FINISHED);
    broker_unlisten(&heard.listener);
    clock_virtual_advance(BROKER_LISTEN_KEPT_NS);
    broker_forget_events(heard.durable.broker);
    ck_assert_int_eq(
        events_listen(&heard.listener, (struct broker_listen){.id = id, .after = seen}), ENOENT);
}
END_TEST

START_TEST(a_group_is_told_of_its_own)
{
    const struct job_options options = {.group = "g"};
    struct trust_view asker = trust_all;
    struct broker_put_spec spec = {.ttr_ns = HL_SECOND, .submitter = 7, .options = &options};
    uint64_t id, other;
    asker.uid = 7;
    ck_assert_int_eq(
        events_listen(&heard.listener, (struct broker_listen){.group = "g", .asker = &asker}), 0);
    ck_assert_int_eq(broker_use(heard.durable.broker, "t", 1, &spec.tube), 0);
    struct job_body *body = engine_body("body");
    ck_assert_int_eq(broker_put(heard.durable.broker, &spec, &body, &id), 0);
    spec.submitter = 8; // another's of that name
    body = engine_body("body");
    ck_assert_int_eq(broker_put(heard.durable.broker, &spec, &body, &other), 0);
    events_put(0);
    events_told(BROKER_EVENT_PUT, id, JOB_NEW, JOB_READY);
    ck_assert_int_eq(broker_delete(heard.durable.broker, &trust_all, id), 0);
    events_told(BROKER_EVENT_FINISH, id, JOB_READY, JOB_FINISHED);
    broker_unlisten(&heard.listener);
    ck_assert_int_eq(events_listen(&heard.listener, (struct broker_listen){.group = "8:g"}), 0);
    ck_assert_int_eq(broker_delete(heard.durable.broker, &trust_all, other), 0);
    events_told(BROKER_EVENT_FINISH, other, JOB_READY, JOB_FINISHED);
    broker_unuse(heard.durable.broker, &spec.tube);
}
END_TEST

// ---- who may know ----

START_TEST(what_may_not_be_seen_is_not_told)
{
    static const uint32_t mine[] = {7};
    static const char *const seen[] = {"seen"}, *const any[] = {"*"};
    const struct trust_rule rules[] = {{.name = "some",
                                        .users = mine,
                                        .user_count = 1,
                                        .tubes = seen,
                                        .tube_count = 1,
                                        .may = TRUST_see},
                                       {.name = "own",
                                        .users = mine,
                                        .user_count = 1,
                                        .tubes = any,
                                        .tube_count = 1,
                                        .may = TRUST_see_own}};
    const struct trust_settings settings = {.rules = rules, .rule_count = 2, .daemon_uid = 900};
    const struct trust_peer peer = {.door = TRUST_UNIX, .uid = 7};
    struct trust_view asker;
    struct trust *trust;
    char why[256];
    durable_prepare(&heard.durable, &heard.records);
    ck_assert_int_eq(trust_new(&trust, &settings, why, sizeof(why)), 0);
    heard.durable.options.trust = trust;
    durable_again(&heard.durable);
    trust_view_of(&asker, trust, &peer);
    heard.listener = (struct broker_listener){.later.fire = later_wake};
    uint64_t hidden = events_put(0);
    ck_assert_int_eq(
        events_listen(&heard.listener, (struct broker_listen){.id = hidden, .asker = &asker}),
        ENOENT);
    ck_assert_int_eq(events_listen(&heard.listener, (struct broker_listen){.asker = &asker}), 0);
    // nor is who waits woken
    ck_assert_int_eq(broker_events_wait(&heard.listener), EINPROGRESS);
    events_put(0);
    ck_assert_int_eq(broker_pause(heard.durable.broker, &trust_all, "t", 1, HL_SECOND), 0);
    events_flush();
    ck_assert(later_cancel(&heard.listener.later));
    ck_assert_uint_eq(events_hear(), 0);
    ck_assert_int_eq(broker_events_wait(&heard.listener), EINPROGRESS);
    ck_assert_int_eq(broker_move(heard.durable.broker, &trust_all, hidden, "seen", 4), 0);
    events_flush();
    ck_assert_int_eq(later_block(&heard.listener.later, CLOCK_NEVER, "test", "events"), 0);
    ck_assert_uint_eq(events_hear(), 1);
    ck_assert_str_eq(heard.got[0].tube, "seen");
    ck_assert_str_eq(heard.got[0].from_tube, "");
    ck_assert_int_eq(broker_move(heard.durable.broker, &trust_all, hidden, "t", 1), 0);
    ck_assert_uint_eq(events_hear(), 1);
    ck_assert_str_eq(heard.got[0].tube, "");
    ck_assert_str_eq(heard.got[0].from_tube, "seen");
    events_teardown();
    trust_free(&trust);
}
END_TEST

// ---- tickets ----

START_TEST(no_event_before_its_ticket)
{
    events_listen_all();
    heard.listener.later.fire = later_wake;
    events_put(0);
    ck_assert_uint_eq(events_hear_of(&heard.listener), 0);
    uint64_t before = broker_events_seen(&heard.listener);
    durable_commit(&heard.durable);
    ck_assert_uint_eq(events_hear_of(&heard.listener), 1);
    ck_assert_uint_eq(heard.got[0].number, before + 1);
    // nor what stands behind one
    ck_assert_int_eq(broker_tube_durability(heard.durable.broker, "m", 1, DURABILITY_MEMORY, 0), 0);
    events_put(0);
    engine_put(heard.durable.broker, "m", 5, 0, "body");
    ck_assert_uint_eq(events_hear_of(&heard.listener), 0);
    ck_assert_uint_eq(events_hear(), 2);
    engine_put(heard.durable.broker, "m", 5, 0, "body");
    ck_assert_uint_eq(events_hear_of(&heard.listener), 1);
}
END_TEST

START_TEST(who_waits_for_one_has_it_committed)
{
    events_listen_all();
    heard.listener.later.fire = later_wake;
    events_put(0);
    ck_assert_uint_eq(events_hear_of(&heard.listener), 0);
    int rc = broker_events_wait(&heard.listener);
    ck_assert_int_eq(rc, EINPROGRESS);
    ck_assert_int_eq(later_block(&heard.listener.later, CLOCK_NEVER, "test", "events"), 0);
    ck_assert_uint_eq(events_hear_of(&heard.listener), 1);
    // and who waits already, for a lease, of which nobody else wants to know
    engine_conn_init(&conn, heard.durable.broker);
    engine_watch_only(&conn, "t");
    ck_assert_int_eq(broker_events_wait(&heard.listener), EINPROGRESS);
    ck_assert_uint_gt(engine_reserve(&conn), 0);
    ck_assert_int_eq(later_block(&heard.listener.later, CLOCK_NEVER, "test", "events"), 0);
    ck_assert_uint_eq(events_hear_of(&heard.listener), 1);
    ck_assert_int_eq(heard.got[0].type, BROKER_EVENT_RESERVE);
    engine_conn_fini(&conn);
}
END_TEST

START_TEST(none_after_the_journal_failed)
{
    size_t count;
    durable_prepare(&heard.durable, &heard.records);
    durable_again(&heard.durable);
    heard.listener = (struct broker_listener){.later.fire = later_wake};
    events_listen_all();
    events_put(0);
    ck_assert_uint_eq(events_hear(), 1);
    events_put(0);
    disk_fail(1, EIO, true);
    ck_assert_int_eq(events_commit(), EIO);
    ck_assert_int_eq(broker_events_read(&heard.listener, heard.got, 1, &count, &heard.gap), EIO);
    ck_assert_uint_eq(count, 0);
    ck_assert_int_eq(broker_events_wait(&heard.listener), 0); // to hear it again
    disk_fail(0, 0, false);
    broker_unlisten(&heard.listener);
    durable_kill(&heard.durable, NULL);
    durable_end(&heard.durable, &heard.records);
}
END_TEST

// ---- gaps ----

static void make_noise(const char *tube, int count)
{
    for (int i = 0; i < count; i += 2) {
        uint64_t id = engine_put(heard.durable.broker, tube, 5, 0, "");
        ck_assert_int_eq(broker_delete(heard.durable.broker, &trust_all, id), 0);
        if (i % 1000 == 0)
            events_flush();
    }
    events_flush();
}

START_TEST(who_is_overtaken_is_told_of_a_gap)
{
    struct broker_listener quiet = {.broker = NULL};
    events_listen_all();
    ck_assert_int_eq(events_listen(&quiet, (struct broker_listen){.tube = "quiet"}), 0);
    uint64_t id = engine_put(heard.durable.broker, "quiet", 5, 0, "");
    events_flush();
    ck_assert_uint_eq(events_hear_of(&quiet), 1);
    make_noise("noise", BROKER_EVENTS_KEPT + 2);
    ck_assert_uint_eq(events_hear_of(&heard.listener), 64);
    ck_assert(heard.gap);
    size_t sum = 64;
    for (size_t count = 64; count > 0; sum += count) {
        count = events_hear_of(&heard.listener);
        ck_assert(!heard.gap);
    }
    ck_assert_uint_gt(sum, BROKER_EVENTS_KEPT * 9 / 10);
    // what wasn't of it isn't missed
    ck_assert_uint_eq(events_hear_of(&quiet), 0);
    ck_assert(!heard.gap);
    ck_assert_int_eq(broker_delete(heard.durable.broker, &trust_all, id), 0);
    events_flush();
    make_noise("noise", BROKER_EVENTS_KEPT + 2);
    ck_assert_uint_eq(events_hear_of(&quiet), 0);
    ck_assert(heard.gap);
    broker_unlisten(&quiet);
}
END_TEST

// Who stands in line isn't overtaken: all is looked at on its behalf.
START_TEST(who_waits_is_not_overtaken)
{
    struct broker_listener quiet = {.later.fire = later_wake};
    events_listen_all();
    ck_assert_int_eq(events_listen(&quiet, (struct broker_listen){.tube = "quiet"}), 0);
    ck_assert_int_eq(broker_events_wait(&quiet), EINPROGRESS);
    make_noise("noise", BROKER_EVENTS_KEPT + 2);
    engine_put(heard.durable.broker, "quiet", 5, 0, "");
    events_flush();
    ck_assert_int_eq(later_block(&quiet.later, CLOCK_NEVER, "test", "events"), 0);
    make_noise("noise", 100);
    ck_assert_uint_eq(events_hear_of(&quiet), 1);
    ck_assert(!heard.gap);
    ck_assert_int_eq(broker_events_wait(&quiet), EINPROGRESS);
    make_noise("noise", BROKER_EVENTS_KEPT + 2);
    ck_assert(later_cancel(&quiet.later));
    ck_assert_uint_eq(broker_events_seen(&quiet),
                      event_ring_last(&heard.durable.broker->events->ring));
    broker_unlisten(&quiet);
}
END_TEST

START_TEST(who_comes_back_misses_nothing_or_is_told)
{
    ck_assert_int_eq(events_listen(&heard.listener, (struct broker_listen){.tube = "t"}), 0);
    events_put(0);
    ck_assert_uint_eq(events_hear(), 1);
    uint64_t seen = broker_events_seen(&heard.listener);
    broker_unlisten(&heard.listener);
    events_put(0);
    ck_assert_int_eq(
        events_listen(&heard.listener, (struct broker_listen){.tube = "t", .after = seen}), 0);
    ck_assert_uint_eq(events_hear(), 1);
    ck_assert(!heard.gap);
    seen = broker_events_seen(&heard.listener);
    broker_unlisten(&heard.listener);
    clock_virtual_advance(BROKER_LISTEN_KEPT_NS);
    broker_forget_events(heard.durable.broker);
    ck_assert_uint_eq(heard.durable.broker->observed, 0); // nobody pays any more
    events_put(0);
    ck_assert_int_eq(
        events_listen(&heard.listener, (struct broker_listen){.tube = "t", .after = seen}), 0);
    ck_assert_uint_eq(events_hear(), 0);
    ck_assert(heard.gap);
    broker_unlisten(&heard.listener);
    // of another process
    durable_commit(&heard.durable);
    ck_assert_int_eq(durable_close(&heard.durable), 0);
    clock_virtual_advance(HL_SECOND);
    durable_again(&heard.durable);
    ck_assert_int_eq(
        events_listen(&heard.listener, (struct broker_listen){.tube = "t", .after = seen}), 0);
    ck_assert_uint_eq(events_hear(), 0);
    ck_assert(heard.gap);
    ck_assert_uint_eq(events_hear(), 0);
    ck_assert(!heard.gap);
}
END_TEST

START_TEST(names_go_with_their_events)
{
    char tube[32];
    events_listen_all();
    for (int i = 0; i < 2 * BROKER_EVENTS_KEPT; i++) {
        (void)snprintf(tube, sizeof(tube), "t%d", i);
        uint64_t id = engine_put(heard.durable.broker, tube, 5, 0, "");
        ck_assert_int_eq(broker_delete(heard.durable.broker, &trust_all, id), 0);
    }
    ck_assert_uint_le(heard.durable.broker->events->names.by_text.len, BROKER_EVENTS_KEPT / 2 + 1);
    ck_assert_uint_eq(heard.durable.broker->events->names.by_number.len,
                      heard.durable.broker->events->names.by_text.len);
}
END_TEST

START_TEST(too_much_is_not_listened_to)
{
    static struct broker_listener many[BROKER_LISTENED_MAX + 1];
    char tube[32];
    for (int i = 0; i <= BROKER_LISTENED_MAX; i++) {
        (void)snprintf(tube, sizeof(tube), "t%d", i);
        ck_assert_int_eq(events_listen(&many[i], (struct broker_listen){.tube = tube}),
                         i < BROKER_LISTENED_MAX ? 0 : EDQUOT);
    }
    broker_unlisten(&many[0]); // the oldest without a heard.listener makes room
    ck_assert_int_eq(
        events_listen(&many[BROKER_LISTENED_MAX], (struct broker_listen){.tube = tube}), 0);
    for (int i = 0; i <= BROKER_LISTENED_MAX; i++)
        broker_unlisten(&many[i]);
    ck_assert_int_eq(events_listen(&heard.listener, (struct broker_listen){.tube = "a b"}), EINVAL);
}
END_TEST

int main(void)
{
    engine_init();
    Suite *suite = suite_create("events_listen");
    TCase *listeners = tcase_create("listeners");
    tcase_add_checked_fixture(listeners, events_setup, events_teardown);
    tcase_set_timeout(listeners, 120);
    tcase_add_test(listeners, a_tube_is_told_of_its_own);
    tcase_add_test(listeners, a_job_is_told_of_its_own);
    tcase_add_test(listeners, a_group_is_told_of_its_own);
    tcase_add_test(listeners, no_event_before_its_ticket);
    tcase_add_test(listeners, who_waits_for_one_has_it_committed);
    tcase_add_test(listeners, who_is_overtaken_is_told_of_a_gap);
    tcase_add_test(listeners, who_waits_is_not_overtaken);
    tcase_add_test(listeners, who_comes_back_misses_nothing_or_is_told);
    tcase_add_test(listeners, names_go_with_their_events);
    tcase_add_test(listeners, too_much_is_not_listened_to);
    suite_add_tcase(suite, listeners);
    TCase *own = tcase_create("with a broker of their own");
    tcase_add_test(own, what_may_not_be_seen_is_not_told);
    tcase_add_test(own, none_after_the_journal_failed);
    suite_add_tcase(suite, own);
    return unit_main(suite);
}
