// SPDX-License-Identifier: MIT
/*
 * The house's threads: starting and stopping them together, and the two that are short.
 *
 * The due thread clears its event before it asks the broker, so a deadline that becomes earlier
 * while it asks leaves the event set and the wait ends at once: no move is lost.
 */
#include "base/clock.h"
#include "house/house_priv.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

/* ---- due: delayed jobs ---- */

static void due_sooner(void *arg)
{
    struct house *house = arg;
    hl_event_set(house->due_wake);
}

static void due_main(void *arg)
{
    struct house *house = arg;
    MAGIC_CHECK(house, HOUSE_MAGIC);
    while (!atomic_load(&house->stopping)) {
        hl_event_clear(house->due_wake);
        int64_t next = broker_due(house->settings.broker);
        if (atomic_load(&house->stopping))
            break;
        int64_t left = next == CLOCK_NEVER ? HL_FOREVER : next - clock_now_ns();
        (void)hl_event_wait(house->due_wake, left);
    }
}

/* ---- housekeeping: a second's work ---- */

static void second_passed(void *arg)
{
    struct house *house = arg;
    MAGIC_CHECK(house, HOUSE_MAGIC);
    int64_t now = clock_now_ns();
    broker_clock_look(house->settings.broker);
    broker_forget_groups(house->settings.broker);
    broker_forget_ends(house->settings.broker);
    broker_forget_events(house->settings.broker);
    if (broker_memory_fell(house->settings.broker)) {
        /* Jobs come and go in small pieces, so free memory lies between live pieces, where free()
         * leaves it: 1M drained jobs keep 140 MB without this, 2 MB with it, for some 20 ms. */
        (void)malloc_trim(0);
    }
    if (house->settings.purge == NULL || now < house->purge_ns)
        return;
    house->purge_ns = now + house->settings.purge_interval_ns;
    house->settings.purge(house->settings.purge_arg);
}

/* ---- life ---- */

static int house_fill(struct house *house)
{
    int rc = hl_lock_new(&house->lock, "stats", lock_class(LOCK_CLASS_stats));
    if (rc == 0)
        rc = hl_event_new(&house->due_wake, "due");
    if (rc == 0)
        rc = hl_event_new(&house->compact_wake, "compaction");
    if (rc == 0)
        rc = hl_event_new(&house->stop, "stats");
    if (rc == 0)
        rc = hl_thread_new(&house->due_thread, &(struct hl_thread_options){.target = due_main,
                                                                           .arg = house,
                                                                           .name = "due",
                                                                           .daemon = HL_DAEMON_NO});
    if (rc == 0)
        rc = hl_thread_new(
            &house->compact_thread,
            &(struct hl_thread_options){
                .target = compact_main, .arg = house, .name = "compact", .daemon = HL_DAEMON_NO});
    if (rc == 0)
        rc = hl_thread_new(
            &house->stats_thread,
            &(struct hl_thread_options){
                .target = stats_main, .arg = house, .name = "stats", .daemon = HL_DAEMON_YES});
    if (rc == 0)
        rc =
            hl_timer_new_repeating(&house->second, "housekeeping", HL_SECOND, second_passed, house);
    return rc;
}

static int64_t interval_or_second(int64_t interval_ns)
{
    return interval_ns > 0 ? interval_ns : HL_SECOND;
}

int house_new(struct house **out, const struct house_settings *settings)
{
    struct house *house = calloc(1, sizeof(*house));
    if (house == NULL)
        return ENOMEM;
    MAGIC_INIT(house, HOUSE_MAGIC);
    house->settings = *settings;
    house->settings.purge_interval_ns = interval_or_second(settings->purge_interval_ns);
    house->settings.sample_interval_ns = interval_or_second(settings->sample_interval_ns);
    int rc = house_fill(house);
    if (rc != 0)
        house_free(&house);
    else
        *out = house;
    return rc;
}

void house_free(struct house **house)
{
    if (*house == NULL)
        return;
    struct house *mine;
    MAGIC_TAKE(mine, house, HOUSE_MAGIC);
    ASSERT(!mine->started || mine->stopped);
    hl_timer_free(&mine->second);
    hl_thread_free(&mine->stats_thread);
    hl_thread_free(&mine->compact_thread);
    hl_thread_free(&mine->due_thread);
    hl_event_free(&mine->stop);
    hl_event_free(&mine->compact_wake);
    hl_event_free(&mine->due_wake);
    house_sample_unref(&mine->latest);
    hl_lock_free(&mine->lock);
    MAGIC_WIPE(mine);
    free(mine);
}

static const struct broker_hooks hooks = {.sooner = due_sooner,
                                          .compaction_wanted = compact_crowded};

int house_start(struct house *house)
{
    MAGIC_CHECK(house, HOUSE_MAGIC);
    if (house->started)
        return EALREADY;
    house->started = true;
    house->purge_ns = clock_now_ns() + house->settings.purge_interval_ns;
    broker_set_hooks(house->settings.broker, &hooks, house);
    int rc = hl_thread_start(house->due_thread);
    if (rc == 0 && broker_is_durable(house->settings.broker))
        rc = hl_thread_start(house->compact_thread);
    if (rc == 0)
        rc = hl_thread_start(house->stats_thread);
    if (rc == 0)
        rc = hl_timer_start(house->second);
    if (rc != 0)
        house_stop(house);
    return rc;
}

void house_stop(struct house *house)
{
    MAGIC_CHECK(house, HOUSE_MAGIC);
    if (!house->started || house->stopped)
        return;
    broker_set_hooks(house->settings.broker, NULL, NULL);
    atomic_store(&house->stopping, true);
    hl_timer_cancel(house->second);
    hl_event_set(house->due_wake);
    hl_event_set(house->compact_wake);
    hl_event_set(house->stop);
    /* EINVAL from those that never started, when start failed half-way. */
    (void)hl_timer_join(house->second, HL_FOREVER);
    (void)hl_thread_join(house->due_thread, HL_FOREVER);
    (void)hl_thread_join(house->compact_thread, HL_FOREVER);
    (void)hl_thread_join(house->stats_thread, HL_FOREVER);
    house->stopped = true;
}
