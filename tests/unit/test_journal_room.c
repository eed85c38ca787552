// SPDX-License-Identifier: MIT
// The room of the backend `file`: what each class can count on, until the disk is full and after.

#include "journal_kit.h"

#include <string.h>

static struct kit kit;

static void setup(void)
{
    kit_setup();
    kit_init(&kit);
}

static void teardown(void)
{
    kit_fini(&kit);
    kit_teardown();
}

static struct journal_room room_now(void)
{
    struct journal_room room;
    journal_room(kit.journal, &room);
    return room;
}

static struct journal_stat stat_now(void)
{
    struct journal_stat stat;
    journal_stat(kit.journal, &stat);
    return stat;
}

// Each class finds what the one before leaves; what is used, and what of it a trim gives back.
START_TEST(room_is_one_look)
{
    static char text[2001];
    memset(text, 'x', sizeof(text) - 1);
    ck_assert_int_eq(kit_open(&kit), 0);
    struct journal_room room = room_now();
    ck_assert(room.put == INT64_MAX && room.change == INT64_MAX); // segments are made when needed
    ck_assert(room.slow_next && room.used == 0 && room.unit == 0);
    disk_space(disk_used());
    while (kit_append_class(&kit, text, JOURNAL_PUT) == 0) {
        room = room_now();
        ck_assert_uint_eq(room.used, stat_now().bytes_used);
        ck_assert_uint_eq(room.unit, room.used / stat_now().segments);
        ck_assert(!room.slow_next || room.frame == KIT_SEGMENT / 4);
        ck_assert_uint_le(room.frame, KIT_SEGMENT / 4);
    }
    room = room_now();
    ck_assert(room.full);
    int64_t half = (int64_t)KIT_SEGMENT / 2; // of a segment, for the ends of jobs
    ck_assert_int_lt(room.put, room.change);
    ck_assert_int_ge(room.last - room.change, half - 1024);
    ck_assert_int_le(room.last - room.change, half);
    ck_assert_int_eq(room.copy - room.last, 4 * (room.last - room.change));
    ck_assert_int_eq(room.change, journal_room_of(&room, JOURNAL_STATE));
    while (kit_append_class(&kit, text, JOURNAL_LAST) == 0) {
    }
    room = room_now();
    ck_assert_int_lt(room.last, (int64_t)strlen(text));
    ck_assert_int_gt(room.copy, (int64_t)KIT_SEGMENT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("journal_room");
    TCase *all = tcase_create("journal_room");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, room_is_one_look);
    suite_add_tcase(suite, all);
    return unit_main(suite);
}
