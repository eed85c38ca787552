// SPDX-License-Identifier: MIT
// What the client makes of bytes: replies, refusals, and text for a terminal. No sockets.

#include "client/client_priv.h"

#include "unit.h"

#include <errno.h>
#include <string.h>

struct row {
    const char *word, *shape;
    unsigned requests;
    int err, fatal;
    const char *say;
};

static const struct row rows[] = {
#define REPLY(word, shape, requests, err, fatal, text) {#word, #shape, requests, err, fatal, text},
#include "client/replies.def"
#undef REPLY
};
static const int row_count = sizeof(rows) / sizeof(rows[0]);

static int read_text(const char *text, enum request_kind kind, struct reply *reply)
{
    const char *why;
    memset(reply, 0, sizeof(*reply));
    int rc = reply_read(text, strlen(text), kind, reply, &why);
    ck_assert_msg((rc == EPROTO) == (why != NULL), "\"%s\": %d without a reason, or with", text,
                  rc);
    return rc;
}

static const char *row_reply(const struct row *row)
{
    static char line[100];
    strcpy(line, row->word);
    if (strcmp(row->shape, "PLAIN") == 0)
        strcat(line, "\r\n");
    else if (strcmp(row->shape, "ID") == 0)
        strcat(line, " 18446744073709551615\r\n");
    else if (strcmp(row->shape, "NAME") == 0)
        strcat(line, " name\r\n");
    else if (strcmp(row->shape, "BYTES") == 0)
        strcat(line, " 4\r\ndata\r\n");
    else if (strcmp(row->shape, "ID_BYTES") == 0)
        strcat(line, " 18446744073709551615 4\r\ndata\r\n");
    else if (strcmp(row->shape, "LEASE") == 0)
        strcat(line, " 18446744073709551615 18446744073709551614 4\r\ndata\r\n");
    return line;
}

// Whether another row says what the word means to that request.
static bool read_elsewhere(const struct row *row, enum request_kind kind)
{
    for (int i = 0; i < row_count; i++)
        if (strcmp(rows[i].word, row->word) == 0 && (rows[i].requests & kind))
            return true;
    return false;
}

// Every row, for every request: read as the table says, or refused.
START_TEST(every_word_is_read_as_its_row_says)
{
    const struct row *row = &rows[_i];
    const char *text = row_reply(row);
    for (unsigned kind = 1; kind & REQUEST_ANY; kind <<= 1) {
        struct reply reply;
        int rc = read_text(text, kind, &reply);
        if (!(row->requests & kind)) {
            if (!read_elsewhere(row, kind) || strcmp(row->word, "BURIED") == 0)
                ck_assert_int_eq(rc, EPROTO);
            continue;
        }
        ck_assert_int_eq(rc, 0);
        ck_assert_str_eq(reply.word, row->word);
        ck_assert_int_eq(reply.err, row->err);
        ck_assert_int_eq(reply.fatal, row->fatal);
        ck_assert_uint_eq(reply.len, strlen(text));
        if (strncmp(row->shape, "ID", 2) == 0 || strcmp(row->shape, "LEASE") == 0)
            ck_assert_uint_eq(reply.id, UINT64_MAX);
        if (strcmp(row->shape, "LEASE") == 0)
            ck_assert_uint_eq(reply.token, UINT64_MAX - 1);
        if (strstr(row->shape, "BYTES") || strcmp(row->shape, "LEASE") == 0)
            ck_assert_mem_eq(reply.text, "data", reply.text_len);
        if (strcmp(row->shape, "NAME") == 0)
            ck_assert_mem_eq(reply.text, "name", reply.text_len);
    }
}
END_TEST

// Cut anywhere it is not there yet; what follows it is left alone.
START_TEST(a_reply_cut_short_is_waited_for)
{
    const struct row *row = &rows[_i];
    char text[120];
    strcpy(text, row_reply(row));
    size_t len = strlen(text);
    enum request_kind kind = row->requests & -row->requests;
    struct reply reply;
    const char *why;
    for (size_t cut = 0; cut < len; cut++)
        ck_assert_int_eq(reply_read(text, cut, kind, &reply, &why), EAGAIN);
    strcat(text, "\r\nX");
    ck_assert_int_eq(reply_read(text, strlen(text), kind, &reply, &why), 0);
    ck_assert_uint_eq(reply.len, len);
}
END_TEST

static const struct {
    const char *text;
    enum request_kind kind;
} garbage[] = {
    {"\r\n", REQUEST_PUT},
    {"\n", REQUEST_PUT},
    {"HTTP/1.1 400 Bad Request\r\n", REQUEST_PUT},
    {"INSERTED\r\n", REQUEST_PUT},
    {"INSERTED \r\n", REQUEST_PUT},
    {"INSERTED 0\r\n", REQUEST_PUT},
    {"INSERTED -1\r\n", REQUEST_PUT},
    {"INSERTED +1\r\n", REQUEST_PUT},
    {"INSERTED  1\r\n", REQUEST_PUT},
    {"INSERTED 1 \r\n", REQUEST_PUT},
    {"INSERTED 1x\r\n", REQUEST_PUT},
    {"INSERTED 1\n", REQUEST_PUT},
    {"INSERTED 18446744073709551616\r\n", REQUEST_PUT},
    {"INSERTED 99999999999999999999999\r\n", REQUEST_PUT},
    {"inserted 1\r\n", REQUEST_PUT},
    {" INSERTED 1\r\n", REQUEST_PUT},
    {"DRAINING now\r\n", REQUEST_PUT},
    {"USING\r\n", REQUEST_USE},
    {"USING \r\n", REQUEST_USE},
    {"OK\r\n", REQUEST_CALL},
    {"OK x\r\n", REQUEST_CALL},
    {"OK 2 2\r\n{}\r\n", REQUEST_CALL},
    {"OK 1\r\n{}\r\n", REQUEST_CALL},
    {"OK 2\r\n{}\n", REQUEST_CALL},
    {"OK 2\r\n{} \r\n", REQUEST_CALL},
    {"OK 2\r\n{}\rx", REQUEST_CALL},
    {"OK 268435457\r\n", REQUEST_CALL},
    {"OK 18446744073709551615\r\n", REQUEST_CALL},
    {"FOUND 1\r\n", REQUEST_PEEK},
    {"FOUND 0 1\r\na\r\n", REQUEST_PEEK},
    {"RESERVED_TOKEN 1 1\r\na\r\n", REQUEST_RESERVE},
    {"RESERVED_TOKEN 1 0 1\r\na\r\n", REQUEST_RESERVE},
    {"RESERVED 1 1\r\na\r\n", REQUEST_RESERVE},
    {"BURIED 1\r\n", REQUEST_BURY},
    {"BURIED\r\n", REQUEST_PUT},
    {"TOUCHED\r\n", REQUEST_DELETE},
};

START_TEST(garbage_is_named)
{
    struct reply reply;
    ck_assert_int_eq(read_text(garbage[_i].text, garbage[_i].kind, &reply), EPROTO);
}
END_TEST

START_TEST(a_line_has_a_limit)
{
    char text[2 * CLIENT_LINE_MAX];
    memset(text, 'A', sizeof(text));
    struct reply reply;
    const char *why;
    ck_assert_int_eq(reply_read(text, CLIENT_LINE_MAX, REQUEST_PUT, &reply, &why), EAGAIN);
    ck_assert_int_eq(reply_read(text, CLIENT_LINE_MAX + 1, REQUEST_PUT, &reply, &why), EPROTO);
}
END_TEST

START_TEST(data_may_hold_anything)
{
    static const char text[] = "OK 9\r\na\0\r\nOK 1\r\r\n";
    struct reply reply;
    const char *why;
    ck_assert_int_eq(reply_read(text, sizeof(text) - 1, REQUEST_CALL, &reply, &why), 0);
    ck_assert_uint_eq(reply.text_len, 9);
    ck_assert_mem_eq(reply.text, "a\0\r\nOK 1\r", 9);
}
END_TEST

// ---- refusals ----

static const struct {
    const char *json, *code, *message;
} refusals[] = {
    {"{\"code\":\"not_found\",\"message\":\"No job 7.\"}", "not_found", "No job 7."},
    {" { \"message\" : \"a\" , \"code\" : \"b\" } ", "b", "a"},
    {"{\"x\":{\"code\":\"no\",\"y\":[1,\"}\",{}]},\"code\":\"b\",\"n\":-1.5e3,\"message\":\"a\"}",
     "b", "a"},
    {"{\"code\":\"b\",\"message\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}", "b", "\"\\/\b\f\n\r\t"},
    {"{\"code\":\"b\",\"message\":\"\\u0041\\u00e9\\u20ac\\ud83d\\ude00\"}", "b",
     "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
    {"{\"code\":\"b\",\"message\":\"\\ud83d\\u0041\\ude00\\u0000.\"}", "b",
     "\xef\xbf\xbd"
     "A\xef\xbf\xbd\xef\xbf\xbd."},
    {"{\"c\\u006fde\":\"b\",\"message\":\"a\"}", "b", "a"},
};

START_TEST(a_refusal_is_read)
{
    char code[CLIENT_CODE_MAX];
    struct buf message = BUF_EMPTY;
    const char *json = refusals[_i].json;
    ck_assert_int_eq(refusal_read(json, strlen(json), code, &message), 0);
    ck_assert_str_eq(code, refusals[_i].code);
    ck_assert_str_eq(message.data, refusals[_i].message);
    // Cut anywhere it is none.
    for (size_t cut = 0; cut < strlen(json) - 2; cut++)
        ck_assert_int_eq(refusal_read(json, cut, code, &message), EPROTO);
    buf_fini(&message);
}
END_TEST

static const char *const not_refusals[] = {
    "",
    "null",
    "[]",
    "{}",
    "{\"code\":\"a\"}",
    "{\"message\":\"a\"}",
    "{\"code\":\"\",\"message\":\"a\"}",
    "{\"code\":\"Not Found\",\"message\":\"a\"}",
    "{\"code\":\"not\\u0000\",\"message\":\"a\"}",
    "{\"code\":7,\"message\":\"a\"}",
    "{\"code\":\"a\",\"message\":null}",
    "{\"code\":\"a\",\"message\":\"b\"} x",
    "{\"code\":\"a\",\"message\":\"b\"",
    "{\"code\":\"a\",,\"message\":\"b\"}",
    "{\"code\":\"a\",\"message\":\"b\",}",
    "{\"code\" \"a\",\"message\":\"b\"}",
    "{\"code\":\"a\",\"message\":\"\\x\"}",
    "{\"code\":\"a\",\"message\":\"\\u12g4\"}",
    "{\"code\":\"a\",\"message\":\"new\nline\"}",
    "{\"code\":\"a\",\"x\":[,\"message\":\"b\"}",
    "{\"code\":\"0123456789012345678901234567890123456789\",\"message\":\"b\"}",
};

START_TEST(what_is_no_refusal_is_named)
{
    char code[CLIENT_CODE_MAX];
    struct buf message = BUF_EMPTY;
    const char *json = not_refusals[_i];
    ck_assert_msg(refusal_read(json, strlen(json), code, &message) == EPROTO, "taken: %s", json);
    buf_fini(&message);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reply");
    TCase *replies = tcase_create("replies");
    tcase_add_loop_test(replies, every_word_is_read_as_its_row_says, 0, row_count);
    tcase_add_loop_test(replies, a_reply_cut_short_is_waited_for, 0, row_count);
    tcase_add_loop_test(replies, garbage_is_named, 0, sizeof(garbage) / sizeof(garbage[0]));
    tcase_add_test(replies, a_line_has_a_limit);
    tcase_add_test(replies, data_may_hold_anything);
    suite_add_tcase(suite, replies);

    TCase *refused = tcase_create("refusals");
    tcase_add_loop_test(refused, a_refusal_is_read, 0, sizeof(refusals) / sizeof(refusals[0]));
    tcase_add_loop_test(refused, what_is_no_refusal_is_named, 0,
                        sizeof(not_refusals) / sizeof(not_refusals[0]));
    suite_add_tcase(suite, refused);
    return unit_main(suite);
}
