// SPDX-License-Identifier: MIT
/*
 * What a helper writes, taken apart: lines, and behind some of them a body of a length that the
 * line names, with a line feed behind it. Bytes come in pieces of any size.
 *
 * A line has a ceiling, because a helper that never ends one would else fill the memory; a body has
 * none, because its bytes are handed on as they come and whoever keeps them has a limit.
 */
#include "worker/coproc_priv.h"

#include <errno.h>
#include <string.h>

static int line_take(struct coproc_reader *reader, const char **at, const char *end,
                     const struct coproc_ear *ear, void *arg, const char **why)
{
    const char *feed = memchr(*at, '\n', (size_t)(end - *at));
    size_t len = (size_t)((feed != NULL ? feed : end) - *at);
    if (reader->line_len + len >= sizeof(reader->line)) {
        *why = "it wrote a line of more than 4095 bytes";
        return EPROTO;
    }
    memcpy(reader->line + reader->line_len, *at, len);
    reader->line_len += len;
    *at += len;
    if (feed == NULL)
        return 0;
    *at += 1;
    reader->line[reader->line_len] = '\0';
    if (memchr(reader->line, '\0', reader->line_len) != NULL) {
        *why = "it wrote a line with a NUL in it";
        return EPROTO;
    }
    reader->line_len = 0;
    size_t body_len = SIZE_MAX;
    int rc = ear->line(arg, reader->line, &body_len);
    if (rc == 0 && body_len != SIZE_MAX) {
        reader->body_left = body_len;
        reader->state = body_len > 0 ? COPROC_BODY : COPROC_BODY_LF;
    }
    return rc;
}

static void body_take(struct coproc_reader *reader, const char **at, const char *end,
                      const struct coproc_ear *ear, void *arg)
{
    size_t there = (size_t)(end - *at);
    size_t len = there < reader->body_left ? there : reader->body_left;
    ear->body(arg, *at, len);
    *at += len;
    reader->body_left -= len;
    if (reader->body_left == 0)
        reader->state = COPROC_BODY_LF;
}

int coproc_read(struct coproc_reader *reader, const char *bytes, size_t len,
                const struct coproc_ear *ear, void *arg, const char **why)
{
    const char *at = bytes, *end = bytes + len;
    int rc = 0;
    while (rc == 0 && at < end) {
        if (reader->state == COPROC_LINE)
            rc = line_take(reader, &at, end, ear, arg, why);
        else if (reader->state == COPROC_BODY)
            body_take(reader, &at, end, ear, arg);
        else if (*at++ == '\n') {
            reader->state = COPROC_LINE;
            ear->body_end(arg);
        } else {
            *why = "behind a result there is no line feed; is its length in bytes?";
            rc = EPROTO;
        }
    }
    return rc;
}

bool coproc_reader_is_inside(const struct coproc_reader *reader)
{
    return reader->state != COPROC_LINE || reader->line_len > 0;
}
