// SPDX-License-Identifier: MIT
/*
 * Sessions from files (tests/sessions): what several connections say, in what order, and
 * when an answer is waited for. A line of a file is
 *
 *     # ...          a comment
 *     1> TEXT        connection 1 says TEXT and CR LF, to both servers; connections are numbered
 *                    from 0, and made when they first speak
 *     1| TEXT        without the CR LF
 *     1< [TEXT]      one reply of each server; they must be the same, and begin with TEXT
 *     1. [TEXT]      nothing more comes: the server closes, after the replies TEXT
 *     1-             half-close; 1x: close, and wait until the servers know it
 *     = KEY NUMBER   waits until the statistics of both say so (such as: current-waiting 1)
 *
 * In TEXT, \r \n \0 \\ stand for bytes, and {300*x} for 300 times the letter x. A departure is
 * written with b (beanstalkd) or h (hilera) behind the sign: "1>b", "1<h" and so on speak to, or
 * wait for, that server only; the text should then say what it answers.
 *
 * At the end every connection is closed, and must have nothing more to say.
 */
#include "differ.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *script_path;
static unsigned script_row;
static uint64_t script_replies;

static void script_fault(const char *why)
{
    wire_fail("%s:%u: %s", script_path, script_row, why);
}

/* ---- text ---- */

/* "{300*x}": what was used of it. */
static size_t text_repeat(const char *text, struct buf *out)
{
    char *star;
    unsigned long count = strtoul(text + 1, &star, 10);
    if (*star != '*' || star[1] == '\0' || star[2] != '}')
        script_fault("not like {300*x}");
    for (unsigned long i = 0; i < count; i++)
        (void)buf_append_char(out, star[1]);
    return (size_t)(star + 3 - text);
}

static void text_bytes(const char *text, struct buf *out)
{
    buf_clear(out);
    while (*text != '\0') {
        if (*text == '{') {
            text += text_repeat(text, out);
            continue;
        }
        char c = *text++;
        if (c == '\\') {
            c = *text++;
            if (c == '\0')
                script_fault("a lonely backslash");
            c = c == 'r' ? '\r' : c == 'n' ? '\n' : c == '0' ? '\0' : c;
        }
        (void)buf_append_char(out, c);
    }
}

/* ---- a row ---- */

struct row {
    int line;
    char sign;
    bool on[SIDES];
    struct buf text;
};

static void row_connect(int line)
{
    if (sides[HILERA].lines[line].fd >= 0)
        return;
    for (int i = 0; i < SIDES; i++)
        wire_connect(&sides[i].lines[line], sides[i].address);
}

static void row_say(const struct row *row)
{
    if (row->on[REFERENCE] && row->on[HILERA]) {
        differ_say(row->line, row->text.data, row->text.len);
        return;
    }
    int only = row->on[HILERA] ? HILERA : REFERENCE;
    differ_note("  %d> (%s only) %.100s", row->line, sides[only].name, row->text.data);
    wire_send(&sides[only].lines[row->line], row->text.data, row->text.len);
}

/* What a server says next, or all it says until it closes. */
static void side_hear(struct side *side, const struct row *row, struct buf *heard)
{
    struct buf reply = BUF_EMPTY;
    struct wire *wire = &side->lines[row->line];
    if (row->sign == '<') {
        if (!wire_reply(wire, &reply))
            wire_fail("%s:%u: %s closed the connection", script_path, script_row, side->name);
        reply_normal(&reply, heard);
    } else {
        while (wire_reply(wire, heard))
            continue;
        if (wire->in.len > 0)
            wire_fail("%s:%u: %s closed within a reply", script_path, script_row, side->name);
    }
    buf_fini(&reply);
    if (heard->len < row->text.len ||
        (row->text.len > 0 && memcmp(heard->data, row->text.data, row->text.len) != 0))
        wire_fail("%s:%u: %s says \"%.*s\"", script_path, script_row, side->name, (int)heard->len,
                  heard->len > 0 ? heard->data : "");
}

static void row_hear(const struct row *row)
{
    struct buf heard[SIDES] = {BUF_EMPTY, BUF_EMPTY};
    for (int i = 0; i < SIDES; i++)
        if (row->on[i])
            side_hear(&sides[i], row, &heard[i]);
    if (row->on[REFERENCE] && row->on[HILERA]) {
        differ_same(row->line, &heard[REFERENCE], &heard[HILERA]);
        script_replies++;
    }
    for (int i = 0; i < SIDES; i++)
        buf_fini(&heard[i]);
}

static void row_close(const struct row *row)
{
    for (int i = 0; i < SIDES; i++) {
        uint64_t connections = side_stat(&sides[i], "current-connections");
        wire_close(&sides[i].lines[row->line]);
        side_await(&sides[i], "current-connections", connections - 1);
    }
}

static void row_shut(int line)
{
    for (int i = 0; i < SIDES; i++)
        wire_shut(&sides[i].lines[line]);
}

static void row_await(const char *text)
{
    char key[40];
    uint64_t number;
    if (sscanf(text, "= %39s %" SCNu64, key, &number) != 2)
        script_fault("not like: = KEY NUMBER");
    for (int i = 0; i < SIDES; i++)
        side_await(&sides[i], key, number);
}

static void row_parse(const char *text, struct row *row)
{
    if (text[0] < '0' || text[0] >= '0' + DIFFER_LINES || text[1] == '\0' ||
        strchr("><|.-x", text[1]) == NULL)
        script_fault("neither a connection's number nor a sign that is known");
    row->line = text[0] - '0';
    row->sign = text[1];
    text += 2;
    row->on[REFERENCE] = *text != 'h';
    row->on[HILERA] = *text != 'b';
    if (*text == 'h' || *text == 'b')
        text++;
    if (*text == ' ')
        text++;
    text_bytes(text, &row->text);
    if (row->sign == '>')
        (void)buf_append_str(&row->text, "\r\n");
}

static void row_play(const char *text)
{
    struct row row = {.text = BUF_EMPTY};
    if (text[0] == '=') {
        row_await(text);
        return;
    }
    row_parse(text, &row);
    row_connect(row.line);
    switch (row.sign) {
    case '>':
    case '|':
        row_say(&row);
        break;
    case '-':
        row_shut(row.line);
        break;
    case 'x':
        row_close(&row);
        break;
    default:
        row_hear(&row);
        break;
    }
    buf_fini(&row.text);
}

/* ---- a file ---- */

static void script_end(void)
{
    for (int line = 0; line < DIFFER_LINES; line++) {
        if (sides[HILERA].lines[line].fd < 0)
            continue;
        struct row end = {.line = line, .sign = '.', .on = {true, true}};
        row_shut(line);
        row_hear(&end);
        for (int i = 0; i < SIDES; i++)
            wire_close(&sides[i].lines[line]);
    }
}

uint64_t script_play(const char *path)
{
    char *text = NULL;
    size_t size = 0;
    ssize_t len;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        wire_fail("%s: %s", path, strerror(errno));
    script_path = path;
    for (int i = 0; i < SIDES; i++)
        for (int line = 0; line < DIFFER_LINES; line++)
            sides[i].lines[line].fd = -1;
    while ((len = getline(&text, &size, file)) > 0) {
        script_row++;
        if (text[len - 1] == '\n')
            text[len - 1] = '\0';
        if (text[0] != '#' && text[0] != '\0')
            row_play(text);
    }
    free(text);
    fclose(file);
    script_end();
    return script_replies;
}
