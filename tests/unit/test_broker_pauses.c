// SPDX-License-Identifier: MIT
// Very many paused tubes. Without expensive assertions: these walk all tubes after each change.

#include "durable.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct durable durable;

static void setup(void)
{
    disk_start();
    clock_virtual_start(1000 * HL_SECOND);
    durable_init(&durable);
    durable_again(&durable);
}

static void teardown(void)
{
    ck_assert_int_eq(durable_close(&durable), 0);
    clock_virtual_stop();
    disk_stop();
}

// Each pause that is kept keeps its tube, so there can't be one for each name that somebody
// invents.
START_TEST(pauses_are_bounded)
{
    char name[32];
    int rc = 0;
    for (int i = 0; i <= BROKER_PAUSES_MAX; i++) {
        struct broker_tube *tube;
        ck_assert_int_eq(rc, 0);
        snprintf(name, sizeof(name), "tube-%d", i);
        ck_assert_int_eq(broker_use(durable.broker, name, strlen(name), &tube), 0);
        rc = broker_pause(durable.broker, name, strlen(name), 100 * HL_SECOND);
        broker_unuse(durable.broker, &tube);
        if (i % 100 == 0)
            durable_commit(&durable);
    }
    ck_assert_int_eq(rc, ENOSPC);
    struct broker_stats stats;
    ck_assert_int_eq(broker_tube_stats(durable.broker, name, strlen(name), &stats), ENOENT);
    // one that is there may be changed, and makes room when it is over
    ck_assert_int_eq(broker_pause(durable.broker, "tube-7", 6, 10 * HL_SECOND), 0);
    ck_assert_int_eq(broker_pause(durable.broker, "default", 7, 10 * HL_SECOND), ENOSPC);
    ck_assert_int_eq(broker_pause(durable.broker, "tube-7", 6, 0), 0);
    ck_assert_int_eq(broker_pause(durable.broker, "default", 7, 10 * HL_SECOND), 0);
}
END_TEST

int main(void)
{
    setenv("HILERA_EXPENSIVE", "0", 1);
    Suite *suite = suite_create("broker_pauses");
    TCase *tcase = tcase_create("pauses");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, pauses_are_bounded);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
