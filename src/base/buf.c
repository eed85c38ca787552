// SPDX-License-Identifier: MIT
/*
 * A growing run of bytes. The memory doubles, so appending costs O(1) a byte over time; it shrinks
 * only when it is given back whole (buf_fini, buf_detach), because a buffer that was large once is
 * usually large again.
 *
 * The NUL behind the last byte is counted in cap, not in len: each function that moves the end
 * writes it.
 */
#include "base/buf.h"

#include "base/assert.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_FIRST_BYTES 64

void buf_init(struct buf *buf)
{
    *buf = BUF_EMPTY;
}

void buf_fini(struct buf *buf)
{
    free(buf->data);
    *buf = BUF_EMPTY;
}

static void end_at(struct buf *buf, size_t len)
{
    buf->len = len;
    buf->data[len] = '\0';
}

void buf_clear(struct buf *buf)
{
    if (buf->data != NULL)
        end_at(buf, 0);
}

int buf_reserve(struct buf *buf, size_t more)
{
    return buf_reserve_within(buf, more, SIZE_MAX - 1);
}

int buf_reserve_within(struct buf *buf, size_t more, size_t most)
{
    size_t need;
    if (more == 0)
        return 0;
    if (__builtin_add_overflow(buf->len, more, &need) || __builtin_add_overflow(need, 1, &need))
        return ENOMEM;
    if (need <= buf->cap)
        return 0;
    size_t cap = buf->cap > SIZE_MAX / 2 ? need : buf->cap * 2;
    if (cap < BUF_FIRST_BYTES)
        cap = BUF_FIRST_BYTES;
    if (cap > most + 1)
        cap = most + 1;
    if (cap < need)
        cap = need;
    char *data = realloc(buf->data, cap);
    if (data == NULL)
        return ENOMEM;
    buf->data = data;
    buf->cap = cap;
    buf->data[buf->len] = '\0';
    return 0;
}

int buf_append(struct buf *buf, const void *bytes, size_t len)
{
    if (len == 0)
        return 0;
    int rc = buf_reserve(buf, len);
    if (rc != 0)
        return rc;
    memcpy(buf->data + buf->len, bytes, len);
    end_at(buf, buf->len + len);
    return 0;
}

int buf_append_str(struct buf *buf, const char *text)
{
    return buf_append(buf, text, strlen(text));
}

int buf_append_char(struct buf *buf, char c)
{
    return buf_append(buf, &c, 1);
}

int buf_append_u64(struct buf *buf, uint64_t number)
{
    char digits[20]; /* 2^64 - 1 has 20 */
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return buf_append(buf, digits + at, sizeof(digits) - at);
}

int buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int rc = buf_vprintf(buf, format, args);
    va_end(args);
    return rc;
}

int buf_vprintf(struct buf *buf, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int wanted = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (wanted < 0)
        return errno != 0 ? errno : EINVAL;
    size_t len = (size_t)wanted;
    int rc = buf_reserve(buf, len);
    if (rc != 0 || len == 0)
        return rc;
    int written = vsnprintf(buf->data + buf->len, len + 1, format, args);
    ASSERT(written == wanted);
    buf->len += len;
    return 0;
}

void buf_consume(struct buf *buf, size_t len)
{
    ASSERT(len <= buf->len);
    if (len == 0)
        return;
    memmove(buf->data, buf->data + len, buf->len - len);
    end_at(buf, buf->len - len);
}

char *buf_detach(struct buf *buf, size_t *len)
{
    if (buf->data == NULL && buf_reserve(buf, 1) != 0)
        return NULL;
    char *data = buf->data;
    if (len != NULL)
        *len = buf->len;
    *buf = BUF_EMPTY;
    return data;
}
