// SPDX-License-Identifier: MIT
/*
 * The connection for questions: blocking, with the kernel's timeout as its patience. stats texts
 * are lines "key: value"; keys of a server's own are passed over.
 */
#include "load/control.h"

#include "base/buf.h"
#include "base/magic.h"
#include "load/fault.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define CONTROL_MAGIC 0xc027401u
#define ANSWER_MAX (64u << 20)

struct control {
    unsigned magic;
    int fd;
    const char *text_mark;
    struct buf question, answer;
};

struct control *control_new(const struct address *address, const char *text_mark,
                            int64_t patience_ns)
{
    struct control *control = need(calloc(1, sizeof(*control)));
    const struct timeval limit = {patience_ns / 1000000000, patience_ns % 1000000000 / 1000};
    MAGIC_INIT(control, CONTROL_MAGIC);
    control->text_mark = text_mark;
    control->fd = address_connect(address, false);
    if (setsockopt(control->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0)
        failed("no limit for waiting: %s", strerrordesc_np(errno));
    return control;
}

void control_free(struct control **control_p)
{
    struct control *control;
    MAGIC_TAKE(control, control_p, CONTROL_MAGIC);
    close(control->fd);
    buf_fini(&control->question);
    buf_fini(&control->answer);
    MAGIC_WIPE(control);
    free(control);
}

static void read_more(struct control *control)
{
    if (control->answer.len > ANSWER_MAX)
        wrong("the answer to \"%s\" is endless", control->question.data);
    if (buf_reserve(&control->answer, 65536) != 0)
        failed("not enough memory");
    ssize_t n = read(control->fd, control->answer.data + control->answer.len, 65536);
    if (n < 0 && errno == EINTR)
        return;
    if (n <= 0)
        wrong("\"%s\" was not answered: %s", control->question.data,
              n == 0                                    ? "the server closed the connection"
              : errno == EAGAIN || errno == EWOULDBLOCK ? "nothing came for too long"
                                                        : strerrordesc_np(errno));
    control->answer.len += (size_t)n;
    control->answer.data[control->answer.len] = '\0';
}

static void question_send(struct control *control)
{
    size_t sent = 0, len = control->question.len;
    while (sent < len) {
        ssize_t n = write(control->fd, control->question.data + sent, len - sent);
        if (n < 0 && errno != EINTR)
            wrong("the server does not take a question: %s", strerrordesc_np(errno));
        sent += n > 0 ? (size_t)n : 0;
    }
    control->question.data[len - 2] = '\0'; /* from here on for messages, without CR LF */
}

/* Does the answer begin a text, and of how many bytes? */
static bool text_size(const struct control *control, size_t *size)
{
    size_t len = strlen(control->text_mark);
    const char *digits = control->answer.data + len;
    char *end;
    if (strncmp(control->answer.data, control->text_mark, len) != 0 || digits[0] < '0' ||
        digits[0] > '9')
        return false;
    *size = strtoull(digits, &end, 10);
    return *end == '\r';
}

const char *control_ask(struct control *control, const char **body, const char *format, ...)
{
    va_list args;
    size_t size;
    char *end;
    MAGIC_CHECK(control, CONTROL_MAGIC);
    buf_clear(&control->question);
    buf_clear(&control->answer);
    va_start(args, format);
    int rc = buf_vprintf(&control->question, format, args);
    va_end(args);
    if (rc != 0 || buf_append(&control->question, "\r\n", 2) != 0)
        failed("not enough memory");
    question_send(control);
    do
        read_more(control);
    while ((end = memmem(control->answer.data, control->answer.len, "\r\n", 2)) == NULL);
    size_t line = (size_t)(end - control->answer.data) + 2;
    if (text_size(control, &size)) {
        if (size > ANSWER_MAX)
            wrong("the answer to \"%s\" has %zu bytes", control->question.data, size);
        while (control->answer.len < line + size + 2)
            read_more(control);
        control->answer.data[line + size] = '\0';
        if (body != NULL)
            *body = control->answer.data + line;
    }
    control->answer.data[line - 2] = '\0';
    return control->answer.data;
}

/* What stands behind "key:" and its blanks at the beginning of a line, or NULL. */
static const char *stats_find(const char *text, const char *key)
{
    size_t len = strlen(key);
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += line[0] == '\n';
        if (strncmp(line, key, len) == 0 && line[len] == ':')
            return line + len + 1 + strspn(line + len + 1, " ");
    }
    return NULL;
}

uint64_t stats_number(const char *text, const char *key)
{
    const char *value = stats_find(text, key);
    if (value != NULL) {
        char *end;
        uint64_t number = strtoull(value, &end, 10);
        if (end != value)
            return number;
    }
    wrong(value == NULL ? "the statistics have no %s" : "the %s of the statistics is no number",
          key);
}

void stats_word(const char *text, const char *key, char *value, size_t size)
{
    const char *found = stats_find(text, key);
    size_t len = found != NULL ? strcspn(found, "\r\n") : 0;
    if (len >= 2 && found[0] == '"' && found[len - 1] == '"') {
        found++;
        len -= 2;
    }
    if (len >= size)
        len = size - 1;
    memcpy(value, found != NULL ? found : "", len);
    value[len] = '\0';
}
