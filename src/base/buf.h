// SPDX-License-Identifier: MIT
/*
 * A growing run of bytes. Not a string, but one NUL is kept behind the last byte, so that data can
 * be read as one when its content is text. Embedded by value; not thread-safe.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    char *data; /* NULL until the first byte */
    size_t len;
    size_t cap;
};

#define BUF_EMPTY ((struct buf){NULL, 0, 0})

void buf_init(struct buf *buf);
/* Gives the memory back; usable again after. */
void buf_fini(struct buf *buf);
/* Forgets the bytes and keeps the memory. */
void buf_clear(struct buf *buf);

/* Room for `more` bytes behind the last one. ENOMEM: unchanged. */
int buf_reserve(struct buf *buf, size_t more);
/* The same for a buffer that won't have more than `most` bytes (SIZE_MAX - 1 at most): there is no
 * more memory than these need. */
int buf_reserve_within(struct buf *buf, size_t more, size_t most);
/* `bytes` must not lie in the buffer itself. ENOMEM: nothing was added. */
int buf_append(struct buf *buf, const void *bytes, size_t len);
int buf_append_str(struct buf *buf, const char *text);
int buf_append_char(struct buf *buf, char c);
int buf_append_u64(struct buf *buf, uint64_t number);
int buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
int buf_vprintf(struct buf *buf, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
/* Drops the first `len` bytes, the rest moves to the front. */
void buf_consume(struct buf *buf, size_t len);
/* Hands the memory (NUL-terminated) to the caller, who frees it; the buffer is empty after. NULL:
 * out of memory. */
char *buf_detach(struct buf *buf, size_t *len);

#endif
