// SPDX-License-Identifier: MIT
// Very many paused tubes. Without expensive assertions: these walk all tubes after each change.

#include "blocking.h"
#include "durable.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OWNER 900

static struct durable durable;

static void setup(void)
{
    durable_prepare(&durable, NULL);
    durable.options.daemon_uid = OWNER;
    durable_again(&durable);
}

static void teardown(void)
{
    durable_end(&durable, NULL);
}

// Each pause that is kept keeps its tube, so there can't be one for each name that somebody
// invents: `uid` pauses what isn't paused yet, until he may no more; tube-`from` is the first.
static int pauses_of(uint32_t uid, int from)
{
    struct trust *trust;
    char name[32], why[256];
    const struct trust_settings nothing = {.daemon_uid = OWNER};
    ck_assert_int_eq(trust_new(&trust, &nothing, why, sizeof(why)), 0);
    const struct trust_peer peer = {.door = TRUST_UNIX, .uid = uid};
    struct trust_view asker;
    trust_view_of(&asker, trust, &peer);
    int rc = 0, made = -1;
    for (; rc == 0; made++) {
        struct tube *tube;
        snprintf(name, sizeof(name), "tube-%d", from + made + 1);
        ck_assert_int_eq(broker_use(durable.broker, name, strlen(name), &tube), 0);
        rc = broker_pause(durable.broker, &asker, name, strlen(name), 100 * HL_SECOND);
        broker_unuse(durable.broker, &tube);
        if (made % 100 == 0)
            durable_commit(&durable);
    }
    ck_assert_int_eq(rc, EDQUOT);
    struct broker_stats stats;
    ck_assert_int_eq(broker_tube_stats(durable.broker, name, strlen(name), &stats), ENOENT);
    trust_free(&trust);
    return made;
}

START_TEST(pauses_are_bounded)
{
    const int all = BROKER_PAUSES_MAX + BROKER_PAUSES_SHARE;
    ck_assert_int_eq(pauses_of(1000, 0), BROKER_PAUSES_MAX);
    ck_assert_int_eq(pauses_of(OWNER, BROKER_PAUSES_MAX), BROKER_PAUSES_SHARE);
    ck_assert_int_eq(pauses_of(0, all), 0);
    // one that is there may be changed, and makes room when it is over
    ck_assert_int_eq(broker_pause(durable.broker, &trust_all, "tube-7", 6, 10 * HL_SECOND), 0);
    ck_assert_int_eq(broker_pause(durable.broker, &trust_all, "tube-7", 6, 0), 0);
    ck_assert_int_eq(pauses_of(1000, all), 0);
    ck_assert_int_eq(pauses_of(0, all), 1);
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
