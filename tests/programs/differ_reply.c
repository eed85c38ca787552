// SPDX-License-Identifier: MIT
/*
 * What may differ between beanstalkd's replies and hilera's. Everything else is compared byte for
 * byte. Only statistics ("OK n", and a text that begins with "---") have departures:
 *
 *   - Quotes around a value. beanstalkd has them since 1.13, as hilera does; Debian's is 1.12.
 *   - Values that depend on the process or on time: the table below. Their keys and places are
 *     compared.
 *   - hilera's own keys, which must be behind all of beanstalkd's: what follows the last key of a
 *     text is left out.
 *   - So the number of bytes in the first line is left out, too. wire.c has checked that the text
 *     is as long as it says.
 */
#include "differ.h"

#include <string.h>

static const char *const masked[] = {
    "pid",      "version",   "rusage-utime",    "rusage-stime", "uptime", "id", /* of the process */
    "age",      "time-left", "pause-time-left",                                 /* seconds */
    "cmd-stats" /* the watcher's are no same number on both; see stats_compare */
};

static const char *const last_keys[] = {"platform", "pause-time-left", "kicks"};

static bool key_in(const char *const *keys, size_t count, const char *key, size_t len)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(keys[i]) == len && memcmp(keys[i], key, len) == 0)
            return true;
    return false;
}

#define KEY_IN(keys, key, len) key_in(keys, sizeof(keys) / sizeof((keys)[0]), key, len)

/* A job's own number is compared; the process's is sixteen digits, and the key is the same. */
static bool is_masked(const char *line, size_t key_len, const char *value, size_t value_len)
{
    if (key_len == 2 && memcmp(line, "id", 2) == 0)
        return value_len == 16;
    return KEY_IN(masked, line, key_len) && value != NULL;
}

/* true: it was the last one that counts. */
static bool line_normal(const char *line, size_t len, struct buf *out)
{
    const char *colon = memmem(line, len, ": ", 2);
    if (colon == NULL) { /* "---", an entry of a list, or an empty line */
        (void)buf_append(out, line, len);
        (void)buf_append_char(out, '\n');
        return false;
    }
    size_t key_len = (size_t)(colon - line);
    const char *value = colon + 2;
    size_t value_len = len - key_len - 2;
    (void)buf_append(out, line, key_len + 2);
    if (is_masked(line, key_len, value, value_len)) {
        (void)buf_append_char(out, '*');
    } else {
        if (value_len >= 2 && value[0] == '"' && value[value_len - 1] == '"') {
            value++;
            value_len -= 2;
        }
        (void)buf_append(out, value, value_len);
    }
    (void)buf_append_char(out, '\n');
    return KEY_IN(last_keys, line, key_len);
}

void reply_normal(const struct buf *reply, struct buf *out)
{
    const char *body = memmem(reply->data, reply->len, "\r\n", 2);
    if (body == NULL)
        wire_fail("a reply without a line end");
    body += 2;
    const char *end = reply->data + reply->len;
    if (memcmp(reply->data, "OK ", 3) != 0 || end - body < 4 || memcmp(body, "---\n", 4) != 0) {
        (void)buf_append(out, reply->data, reply->len);
        return;
    }
    (void)buf_append_str(out, "OK *\r\n");
    while (body < end) {
        const char *stop = memchr(body, '\n', (size_t)(end - body));
        size_t len = (size_t)((stop != NULL ? stop : end) - body);
        if (line_normal(body, len, out))
            break;
        body += len + 1;
    }
    (void)buf_append_str(out, "\r\n");
}
