// SPDX-License-Identifier: MIT
/*
 * The shapes of answers. Small ones are written straight into the connection's output; a body or a
 * large text is handed over and written from where it is.
 */
#include "front/reply_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_MAX 20 /* digits of 2^64 - 1 */
#define HEAD_MAX 128  /* a word of the protocol, four numbers, CR LF */
#define TEXT_SLACK ((size_t)4096)
#define TEXT_COST_BYTES 32 /* of a text take as long as a small command */

/* Appends " number"; returns the new end. */
static char *put_number(char *to, uint64_t number)
{
    char digits[NUMBER_MAX];
    size_t at = sizeof(digits);
    do
        digits[--at] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    *to++ = ' ';
    memcpy(to, digits + at, sizeof(digits) - at);
    return to + (sizeof(digits) - at);
}

static char *put_word(char *to, const char *word)
{
    ASSERT(strlen(word) < HEAD_MAX - 4 * (NUMBER_MAX + 1) - 2);
    return stpcpy(to, word);
}

static char *put_end(char *to)
{
    *to++ = '\r';
    *to++ = '\n';
    return to;
}

void reply_number(struct session *session, const char *word, uint64_t number)
{
    char *head = conn_space(session->conn, HEAD_MAX);
    char *end = put_end(put_number(put_word(head, word), number));
    conn_space_used(session->conn, (size_t)(end - head));
}

void reply_totals(struct session *session, const char *word, const struct broker_totals *totals)
{
    char *head = conn_space(session->conn, HEAD_MAX);
    char *end = put_number(put_number(put_word(head, word), totals->done), totals->failed);
    end = put_end(put_number(put_number(end, totals->deleted), totals->cancelled));
    conn_space_used(session->conn, (size_t)(end - head));
}

void reply_name(struct session *session, const char *word, const char *name, size_t len)
{
    ASSERT(len <= JOB_TUBE_NAME_MAX);
    char *head = conn_space(session->conn, HEAD_MAX + JOB_TUBE_NAME_MAX);
    char *end = put_word(head, word);
    *end++ = ' ';
    memcpy(end, name, len);
    end = put_end(end + len);
    conn_space_used(session->conn, (size_t)(end - head));
}

static void body_release(void *arg)
{
    struct job_body *body = arg;
    job_body_unref(&body);
}

void reply_job(struct session *session, const char *word, uint64_t id, struct job_body **body)
{
    struct job_body *taken = *body;
    *body = NULL;
    char *head = conn_space(session->conn, HEAD_MAX);
    char *end = put_end(put_number(put_number(put_word(head, word), id), taken->len));
    conn_space_used(session->conn, (size_t)(end - head));
    conn_write_ref(session->conn, taken->bytes, taken->len, body_release, taken);
    reply_word(session, "\r\n");
}

void reply_lease(struct session *session, const char *word, struct broker_lease *lease)
{
    struct job_body *taken = lease->body;
    lease->body = NULL;
    char *head = conn_space(session->conn, HEAD_MAX);
    char *end = put_number(put_number(put_word(head, word), lease->id), lease->token);
    end = put_end(put_number(end, taken->len));
    conn_space_used(session->conn, (size_t)(end - head));
    conn_write_ref(session->conn, taken->bytes, taken->len, body_release, taken);
    reply_word(session, "\r\n");
}

/* A text may wait long for its reader; what a buffer has grown beyond it goes back before. */
static void text_trim(struct buf *text)
{
    if (text->cap - text->len <= TEXT_SLACK)
        return;
    char *less = realloc(text->data, text->len + 1);
    if (less != NULL)
        text->data = less;
}

void reply_text(struct session *session, const char *word, struct buf *text)
{
    text_trim(text);
    conn_charge(session->conn, text->len / TEXT_COST_BYTES);
    reply_number(session, word, text->len);
    conn_write_ref(session->conn, text->data, text->len, free, text->data);
    *text = BUF_EMPTY;
    reply_word(session, "\r\n");
}

void reply_refusal(struct session *session, int rc, const char *otherwise)
{
    bool room = rc == ENOSPC || rc == ENOSR || rc == EXFULL || rc == EDQUOT;
    const char *word = room           ? "OUT_OF_MEMORY\r\n"
                       : rc == EIO    ? "INTERNAL_ERROR\r\n"
                       : rc == EACCES ? "NOT_ALLOWED\r\n"
                                      : otherwise;
    conn_write(session->conn, word, strlen(word));
}

void reply_yaml(struct session *session, int rc, struct buf *yaml)
{
    if (rc == 0) {
        reply_text(session, "OK", yaml);
        return;
    }
    buf_fini(yaml);
    reply_word(session, "OUT_OF_MEMORY\r\n");
}
