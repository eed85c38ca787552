// SPDX-License-Identifier: MIT
// Single values of the configuration: numbers with their units, there and back, addresses, and the
// table's defaults.

#include "base/log.h"
#include "config/config_priv.h"
#include "unit.h"

#include <errno.h>
#include <string.h>

static const struct {
    enum config_type type;
    const char *text;
    int rc;
    int64_t value;
} values[] = {
    {CONFIG_TYPE_INT, "0", 0, 0},
    {CONFIG_TYPE_INT, "9223372036854775807", 0, INT64_MAX},
    {CONFIG_TYPE_INT, "9223372036854775808", ERANGE, 0},
    {CONFIG_TYPE_INT, "", EINVAL, 0},
    {CONFIG_TYPE_INT, "-1", EINVAL, 0},
    {CONFIG_TYPE_INT, "+1", EINVAL, 0},
    {CONFIG_TYPE_INT, " 1", EINVAL, 0},
    {CONFIG_TYPE_INT, "1 ", EINVAL, 0},
    {CONFIG_TYPE_INT, "1.5", EINVAL, 0},
    {CONFIG_TYPE_INT, "0x10", EINVAL, 0},
    {CONFIG_TYPE_INT, "1K", EINVAL, 0},
    {CONFIG_TYPE_SIZE, "65535", 0, 65535},
    {CONFIG_TYPE_SIZE, "64K", 0, 65536},
    {CONFIG_TYPE_SIZE, "10M", 0, 10485760},
    {CONFIG_TYPE_SIZE, "8G", 0, INT64_C(8589934592)},
    {CONFIG_TYPE_SIZE, "9000000000G", ERANGE, 0},
    {CONFIG_TYPE_SIZE, "1k", EINVAL, 0},
    {CONFIG_TYPE_SIZE, "1 K", EINVAL, 0},
    {CONFIG_TYPE_SIZE, "1KB", EINVAL, 0},
    {CONFIG_TYPE_DURATION, "10", 0, INT64_C(10000000000)},
    {CONFIG_TYPE_DURATION, "10s", 0, INT64_C(10000000000)},
    {CONFIG_TYPE_DURATION, "500ms", 0, 500000000},
    {CONFIG_TYPE_DURATION, "7us", 0, 7000},
    {CONFIG_TYPE_DURATION, "7ns", 0, 7},
    {CONFIG_TYPE_DURATION, "5m", 0, INT64_C(300000000000)},
    {CONFIG_TYPE_DURATION, "1h", 0, INT64_C(3600000000000)},
    {CONFIG_TYPE_DURATION, "7d", 0, INT64_C(604800000000000)},
    {CONFIG_TYPE_DURATION, "106752d", ERANGE, 0},
    {CONFIG_TYPE_DURATION, "1w", EINVAL, 0},
    {CONFIG_TYPE_MODE, "0660", 0, 0660},
    {CONFIG_TYPE_MODE, "777", 0, 0777},
    {CONFIG_TYPE_MODE, "0668", EINVAL, 0},
    {CONFIG_TYPE_LEVEL, "error", 0, LOG_LEVEL_ERROR},
    {CONFIG_TYPE_LEVEL, "debug", 0, LOG_LEVEL_DEBUG},
    {CONFIG_TYPE_LEVEL, "Debug", EINVAL, 0},
    {CONFIG_TYPE_LEVEL, "3", EINVAL, 0},
    {CONFIG_TYPE_COUNT, "auto", 0, 0},
    {CONFIG_TYPE_COUNT, "0", 0, 0},
    {CONFIG_TYPE_COUNT, "12", 0, 12},
    {CONFIG_TYPE_COUNT, "Auto", EINVAL, 0},
    {CONFIG_TYPE_COUNT, "-1", EINVAL, 0},
    {CONFIG_TYPE_AT_LIMIT, "refuse", 0, CONFIG_REFUSE},
    {CONFIG_TYPE_AT_LIMIT, "wait", 0, CONFIG_WAIT},
    {CONFIG_TYPE_AT_LIMIT, "", EINVAL, 0},
    {CONFIG_TYPE_AT_LIMIT, "waits", EINVAL, 0},
};

START_TEST(value_is_read)
{
    int64_t value = -7;
    int rc = value_parse(values[_i].type, values[_i].text, &value);
    ck_assert_msg(rc == values[_i].rc, "\"%s\": %d", values[_i].text, rc);
    if (rc == 0)
        ck_assert_int_eq(value, values[_i].value);
}
END_TEST

START_TEST(value_is_written_so_that_it_reads_the_same)
{
    if (values[_i].rc != 0)
        return;
    struct buf text = BUF_EMPTY;
    int64_t value = -7;
    ck_assert_int_eq(value_print(values[_i].type, values[_i].value, &text), 0);
    ck_assert_int_eq(value_parse(values[_i].type, text.data, &value), 0);
    ck_assert_int_eq(value, values[_i].value);
    buf_fini(&text);
}
END_TEST

START_TEST(default_is_within_its_range)
{
    const struct config_param *param = config_param((enum config_id)_i);
    ck_assert_msg(strlen(param->help) > 10, "%s needs a line of help", param->name);
    if (type_is_list(param->type) || type_is_text(param->type))
        return;
    if (param->initial[0] == '\0') { // what isn't said is taken from elsewhere
        ck_assert_msg(param->scope != CONFIG_SCOPE_DAEMON, "%s needs a default", param->name);
        return;
    }
    int64_t value;
    ck_assert_int_eq(value_parse(param->type, param->initial, &value), 0);
    bool chosen = param->type == CONFIG_TYPE_SOCKET_MODE && value == CONFIG_MODE_AUTO;
    if ((param->least != 0 || param->most != 0) && !chosen)
        ck_assert_msg(value >= param->least && value <= param->most, "%s", param->name);
}
END_TEST

static const struct {
    const char *text;
    int rc;
    enum config_address_kind kind;
    const char *place; // path or host
    uint16_t port;
} addresses[] = {
    {"unix", 0, CONFIG_ADDRESS_UNIX, "", 0},
    {"unix:/run/a.sock", 0, CONFIG_ADDRESS_UNIX, "/run/a.sock", 0},
    {"tcp:127.0.0.1:11300", 0, CONFIG_ADDRESS_TCP, "127.0.0.1", 11300},
    {"tcp:localhost:0", 0, CONFIG_ADDRESS_TCP, "127.0.0.1", 0},
    {"tcp:[::1]:65535", 0, CONFIG_ADDRESS_TCP, "::1", 65535},
    {"tcp:[fe80::1%lo]:1", 0, CONFIG_ADDRESS_TCP, "fe80::1%lo", 1},
    {"tcp:0.0.0.0:1", 0, CONFIG_ADDRESS_TCP, "0.0.0.0", 1},
    {"", EINVAL, 0, NULL, 0},
    {"unix:", EINVAL, 0, NULL, 0},
    {"unix:relative", EINVAL, 0, NULL, 0},
    {"/run/a.sock", EINVAL, 0, NULL, 0},
    {"tcp", EINVAL, 0, NULL, 0},
    {"tcp:", EINVAL, 0, NULL, 0},
    {"tcp:11300", EINVAL, 0, NULL, 0},
    {"tcp::11300", EINVAL, 0, NULL, 0},
    {"tcp:127.0.0.1", EINVAL, 0, NULL, 0},
    {"tcp:127.0.0.1:", EINVAL, 0, NULL, 0},
    {"tcp:127.0.0.1:65536", EINVAL, 0, NULL, 0},
    {"tcp:127.0.0.1:-1", EINVAL, 0, NULL, 0},
    {"tcp:127.0.0.1:1x", EINVAL, 0, NULL, 0},
    {"tcp:::1:1", EINVAL, 0, NULL, 0},
    {"tcp:[127.0.0.1]:1", EINVAL, 0, NULL, 0},
    {"tcp:[::1:1", EINVAL, 0, NULL, 0},
    {"tcp:[]:1", EINVAL, 0, NULL, 0},
    {"tcp:[::1%]:1", EINVAL, 0, NULL, 0},
    {"tcp:example.org:1", EINVAL, 0, NULL, 0},
    {"tcp:1111:2222:3333:4444:5555:6666:7777:8888:9999:1111:2222:3333:4444:5555:1", EINVAL, 0, NULL,
     0},
    {"udp:127.0.0.1:1", EINVAL, 0, NULL, 0},
};

START_TEST(address_is_read)
{
    struct config_address address;
    const char *why = NULL;
    int rc = config_address_parse(addresses[_i].text, &address, &why);
    ck_assert_msg(rc == addresses[_i].rc, "\"%s\": %d", addresses[_i].text, rc);
    if (rc != 0) {
        ck_assert_ptr_nonnull(why);
        return;
    }
    ck_assert_int_eq(address.kind, addresses[_i].kind);
    const char *place = address.kind == CONFIG_ADDRESS_UNIX ? address.path : address.host;
    ck_assert_str_eq(place, addresses[_i].place);
    ck_assert_uint_eq(address.port, addresses[_i].port);
}
END_TEST

START_TEST(path_of_a_socket_has_a_limit)
{
    char text[5 + CONFIG_PATH_MAX + 1];
    struct config_address address;
    const char *why;
    memset(text, 'x', sizeof(text));
    memcpy(text, "unix:/", 6);
    text[5 + CONFIG_PATH_MAX - 1] = '\0';
    ck_assert_int_eq(config_address_parse(text, &address, &why), 0);
    text[5 + CONFIG_PATH_MAX - 1] = 'x';
    text[5 + CONFIG_PATH_MAX] = '\0';
    ck_assert_int_eq(config_address_parse(text, &address, &why), EINVAL);
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

int main(void)
{
    Suite *suite = suite_create("config_value");
    TCase *value = tcase_create("values");
    tcase_add_loop_test(value, value_is_read, 0, COUNT(values));
    tcase_add_loop_test(value, value_is_written_so_that_it_reads_the_same, 0, COUNT(values));
    tcase_add_loop_test(value, default_is_within_its_range, 0, CONFIG_ID_COUNT);
    tcase_add_loop_test(value, address_is_read, 0, COUNT(addresses));
    tcase_add_test(value, path_of_a_socket_has_a_limit);
    suite_add_tcase(suite, value);
    return unit_main(suite);
}
