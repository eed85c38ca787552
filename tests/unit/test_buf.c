// SPDX-License-Identifier: MIT
/*
 * Buffers: what is appended is there, a NUL stands behind it, and consuming, clearing and detaching
 * leave a usable buffer.
 */
#include "base/buf.h"
#include "unit.h"
#include "unit_random.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

START_TEST(an_empty_buffer_owns_nothing)
{
    struct buf buf;
    buf_init(&buf);
    ck_assert_ptr_null(buf.data);
    ck_assert_uint_eq(buf.len, 0);
    ck_assert_int_eq(buf_append(&buf, NULL, 0), 0);
    ck_assert_int_eq(buf_append_str(&buf, ""), 0);
    ck_assert_int_eq(buf_reserve(&buf, 0), 0);
    buf_clear(&buf);
    buf_consume(&buf, 0);
    ck_assert_ptr_null(buf.data);
    buf_fini(&buf);
}
END_TEST

START_TEST(every_way_to_append)
{
    struct buf buf = BUF_EMPTY;
    ck_assert_int_eq(buf_append(&buf, "ab\0c", 4), 0);
    ck_assert_int_eq(buf_append_str(&buf, "de"), 0);
    ck_assert_int_eq(buf_append_char(&buf, 'f'), 0);
    ck_assert_int_eq(buf_append_u64(&buf, 0), 0);
    ck_assert_int_eq(buf_append_char(&buf, ' '), 0);
    ck_assert_int_eq(buf_append_u64(&buf, UINT64_MAX), 0);
    ck_assert_int_eq(buf_printf(&buf, " %s=%d", "x", -5), 0);
    static const char expected[] = "ab\0cdef0 18446744073709551615 x=-5";
    ck_assert_uint_eq(buf.len, sizeof(expected) - 1);
    ck_assert_mem_eq(buf.data, expected, sizeof(expected));
    buf_fini(&buf);
    ck_assert_ptr_null(buf.data);
    ck_assert_int_eq(buf_append_str(&buf, "again"), 0);
    ck_assert_str_eq(buf.data, "again");
    buf_fini(&buf);
}
END_TEST

START_TEST(printing_grows_by_what_it_needs)
{
    struct buf buf = BUF_EMPTY;
    ck_assert_int_eq(buf_printf(&buf, "%5000d", 7), 0);
    ck_assert_uint_eq(buf.len, 5000);
    ck_assert_int_eq(buf.data[4999], '7');
    ck_assert_int_eq(buf.data[5000], '\0');
    ck_assert_int_eq(buf_printf(&buf, "%s", ""), 0);
    ck_assert_uint_eq(buf.len, 5000);
    buf_fini(&buf);
}
END_TEST

START_TEST(reserved_room_does_not_move)
{
    struct buf buf = BUF_EMPTY;
    ck_assert_int_eq(buf_reserve(&buf, 1000), 0);
    ck_assert_int_eq(buf.data[0], '\0');
    const char *data = buf.data;
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(buf_append_char(&buf, 'r'), 0);
    ck_assert_ptr_eq(buf.data, data);
    ck_assert_uint_eq(strlen(buf.data), 1000);
    buf_fini(&buf);
}
END_TEST

START_TEST(a_bound_is_not_exceeded)
{
    enum { MOST = 1000 };
    struct buf buf = BUF_EMPTY;
    for (int i = 0; i < MOST; i++) {
        ck_assert_int_eq(buf_reserve_within(&buf, 1, MOST), 0);
        ck_assert_int_eq(buf_append_char(&buf, 'x'), 0);
        ck_assert_uint_le(buf.cap, MOST + 1); /* and the NUL */
    }
    ck_assert_int_eq(buf_reserve_within(&buf, 0, MOST), 0);
    ck_assert_uint_eq(buf.cap, MOST + 1);
    ck_assert_int_eq(buf_reserve_within(&buf, 1, MOST), 0); /* what must be, is */
    ck_assert_uint_eq(buf.cap, MOST + 2);
    buf_fini(&buf);
}
END_TEST

START_TEST(an_impossible_size_changes_nothing)
{
    struct buf buf = BUF_EMPTY;
    ck_assert_int_eq(buf_append_str(&buf, "kept"), 0);
    struct buf before = buf;
    ck_assert_int_eq(buf_reserve(&buf, SIZE_MAX), ENOMEM);
    ck_assert_int_eq(buf_reserve(&buf, SIZE_MAX - 4), ENOMEM);
    ck_assert_int_eq(buf_reserve(&buf, SIZE_MAX - 5), ENOMEM); /* no overflow, but no such memory */
    ck_assert_mem_eq(&buf, &before, sizeof(buf));
    ck_assert_str_eq(buf.data, "kept");
    buf_fini(&buf);
}
END_TEST

START_TEST(consuming_takes_from_the_front)
{
    struct buf buf = BUF_EMPTY;
    ck_assert_int_eq(buf_append_str(&buf, "hello world"), 0);
    buf_consume(&buf, 6);
    ck_assert_str_eq(buf.data, "world");
    ck_assert_uint_eq(buf.len, 5);
    buf_consume(&buf, 5);
    ck_assert_str_eq(buf.data, "");
    ck_assert_uint_eq(buf.len, 0);
    buf_fini(&buf);
}
END_TEST

START_TEST(clearing_keeps_the_memory)
{
    struct buf buf = BUF_EMPTY;
    ck_assert_int_eq(buf_append_str(&buf, "something"), 0);
    size_t cap = buf.cap;
    buf_clear(&buf);
    ck_assert_uint_eq(buf.len, 0);
    ck_assert_uint_eq(buf.cap, cap);
    ck_assert_str_eq(buf.data, "");
    buf_fini(&buf);
}
END_TEST

START_TEST(detaching_hands_the_memory_over)
{
    struct buf buf = BUF_EMPTY;
    size_t len = 99;
    ck_assert_int_eq(buf_append_str(&buf, "mine"), 0);
    char *mine = buf_detach(&buf, &len);
    ck_assert_str_eq(mine, "mine");
    ck_assert_uint_eq(len, 4);
    ck_assert_ptr_null(buf.data);
    ck_assert_uint_eq(buf.len, 0);
    free(mine);
    mine = buf_detach(&buf, NULL);
    ck_assert_str_eq(mine, "");
    free(mine);
}
END_TEST

START_TEST(consuming_too_much_is_refused)
{
    struct buf buf = BUF_EMPTY;
    if (buf_append_str(&buf, "abc") == 0)
        buf_consume(&buf, 4);
}
END_TEST

#define MODEL_BYTES 20000
#define STEPS unit_rounds(100000)

START_TEST(it_behaves_like_an_array)
{
    struct unit_random random = unit_random_seed(0xb0f5eed);
    static char model[MODEL_BYTES];
    size_t model_len = 0;
    struct buf buf = BUF_EMPTY;
    for (int step = 0, steps = STEPS; step < steps; step++) {
        size_t count = unit_random_below(&random, 200);
        bool adds = unit_random_below(&random, 2) == 0;
        if (adds && model_len + count <= MODEL_BYTES) {
            char bytes[200] = {0};
            for (size_t i = 0; i < count; i++)
                bytes[i] = (char)unit_random_next(&random);
            memcpy(model + model_len, bytes, count);
            model_len += count;
            ck_assert_int_eq(buf_append(&buf, bytes, count), 0);
        } else if (count <= model_len) {
            memmove(model, model + count, model_len - count);
            model_len -= count;
            buf_consume(&buf, count);
        }
        ck_assert_uint_eq(buf.len, model_len);
        ck_assert(buf.data == NULL || buf.data[buf.len] == '\0');
        if (step % 100 == 0 && model_len > 0)
            ck_assert_mem_eq(buf.data, model, model_len);
    }
    buf_fini(&buf);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("buf");
    TCase *tcase = tcase_create("buf");
    tcase_add_test(tcase, an_empty_buffer_owns_nothing);
    tcase_add_test(tcase, every_way_to_append);
    tcase_add_test(tcase, printing_grows_by_what_it_needs);
    tcase_add_test(tcase, reserved_room_does_not_move);
    tcase_add_test(tcase, an_impossible_size_changes_nothing);
    tcase_add_test(tcase, consuming_takes_from_the_front);
    tcase_add_test(tcase, a_bound_is_not_exceeded);
    tcase_add_test(tcase, clearing_keeps_the_memory);
    tcase_add_test(tcase, detaching_hands_the_memory_over);
    tcase_add_test(tcase, it_behaves_like_an_array);
    unit_add_death(tcase, consuming_too_much_is_refused, SIGABRT);
    suite_add_tcase(suite, tcase);
    return unit_main(suite);
}
