// SPDX-License-Identifier: MIT
/*
 * The inside of a client connection, shared by the files of the library (the tool uses only
 * <hilera/client.h>).
 *
 *   client.c   the object, its errors, the pipeline: what is pending and what is skipped
 *   ask.c      the plain functions: one request, one answer; and put_many
 *   lease.c    those of a worker: watch, reserve, and what ends a lease
 *   request.c  the requests: their check and their bytes
 *   connect.c  Unix and TCP, within a deadline
 *   stream.c   bytes out and in, and the only place that waits
 *   reply.c    bytes to a reply: a pure function over replies.def
 *   refusal.c  code and message out of the JSON of an ERROR answer
 *
 * Bytes go from request.c to `out`, from there to the socket, from the socket to `in`, and reply.c
 * reads them there. `in` is not moved while a caller may hold a pointer into it: what replies took
 * is dropped before the next read, which only a later call makes.
 */
#ifndef CLIENT_CLIENT_PRIV_H
#define CLIENT_CLIENT_PRIV_H

#include "base/buf.h"
#include "base/magic.h"

#include <hilera/client.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLIENT_MAGIC 0xc11e27a1u

/* Bits: a row of replies.def names the requests it can answer. */
enum request_kind {
    REQUEST_PUT = 1,
    REQUEST_USE = 2,
    REQUEST_CALL = 4,
    REQUEST_PEEK = 8,
    REQUEST_SUBMIT = 16,
    REQUEST_WATCH = 32, /* and ignore */
    REQUEST_RESERVE = 64,
    REQUEST_TOUCH = 128,
    REQUEST_DELETE = 256,
    REQUEST_RELEASE = 512,
    REQUEST_BURY = 1024
};
#define REQUEST_PUTS (REQUEST_PUT | REQUEST_SUBMIT)
#define REQUEST_LEASE (REQUEST_TOUCH | REQUEST_DELETE | REQUEST_RELEASE | REQUEST_BURY)
#define REQUEST_ANY                                                                                \
    (REQUEST_PUTS | REQUEST_USE | REQUEST_CALL | REQUEST_PEEK | REQUEST_WATCH | REQUEST_RESERVE |  \
     REQUEST_LEASE)

/* What is collected before send(2) is asked, unless somebody waits for an answer. */
#define CLIENT_SEND_BATCH ((size_t)64 << 10)
/* What put_many keeps on the way: enough to fill every write, little enough to be read back soon.
 */
#define CLIENT_WINDOW_PUTS 1024
#define CLIENT_WINDOW_BYTES ((size_t)256 << 10)
#define CLIENT_READ_SIZE ((size_t)64 << 10)
/* A command line of the protocol, its CR LF included. */
#define CLIENT_LINE_MAX 224
#define CLIENT_CODE_MAX 40

struct reply;

struct hl_client {
    unsigned magic;
    int fd;           /* -1: not connected */
    int interrupt_fd; /* the caller's; -1: none */
    int broken;       /* why there is no connection any more; error and code keep telling it */
    bool send_broken; /* the socket takes no more; what was answered before is still read */

    struct buf address; /* for messages */
    struct buf error;
    char code[CLIENT_CODE_MAX];

    struct buf out;
    size_t out_at; /* sent of it */
    struct buf in;
    size_t in_at; /* used of it */

    /* The requests on the way, in the order of sending; a ring. */
    uint16_t pending[HL_CLIENT_PENDING_MAX];
    size_t pending_first, pending_len;
    size_t skip; /* of these, how many of the first nobody waits for any more */
    size_t uses; /* of these, how many are `use` */

    char tube[HL_CLIENT_TUBE_MAX + 1]; /* the used one; "": not known */
};

/* ---- client.c ---- */

/* Every public function begins with it: forgets the last error and the reply handed out last.
 * Returns the error of a broken connection, ENOTCONN if there is none, or 0. */
int client_begin(struct hl_client *client);
/* Notes the error of this side and returns `err`. */
int client_fail(struct hl_client *client, int err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for an error after which the connection is of no use: closes it. */
int client_break(struct hl_client *client, int err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The daemon said no: `code` and `message` are its words, escaped here. Returns `err`. */
int client_refused(struct hl_client *client, int err, const char *code, const char *message);
/*
 * Room for one more request of up to `len` bytes, which then can't fail. ENOBUFS: too many are
 * pending. ENOMEM.
 */
int client_reserve(struct hl_client *client, size_t len);
/* Its bytes are in `out`. */
void client_pend(struct hl_client *client, enum request_kind kind);
/*
 * Takes the next answer that somebody waits for off the pipeline. ETIMEDOUT, EINTR: not there yet,
 * and nothing changed. EPROTO, ECONNRESET, ...: the connection broke. The reply's text stays where
 * it is until client_begin.
 */
int client_next(struct hl_client *client, struct reply *reply, int64_t deadline_ns);
/* What the reply means: 0, or notes the refusal and returns its errno. */
int client_settle(struct hl_client *client, const struct reply *reply);
/* Nobody waits for what is on the way now. */
void client_abandon(struct hl_client *client);

/* ---- request.c ---- */

/* Whether request_put would take it. EINVAL, ERANGE, EMSGSIZE. */
int request_check_put(struct hl_client *client, const struct hl_client_put *put);
int request_put(struct hl_client *client, const struct hl_client_put *put);
int request_use(struct hl_client *client, const char *tube);
int request_call(struct hl_client *client, const char *method, const char *json);
int request_peek(struct hl_client *client, uint64_t id);
/* A line without data; it ends with CR LF. */
int request_line(struct hl_client *client, enum request_kind kind, const char *line);
/* Whole seconds of a duration, rounded up, at least `least`; `what` is for the message. */
int request_seconds(struct hl_client *client, const char *what, int64_t ns, uint32_t least,
                    uint32_t *seconds);

/* ---- ask.c ---- */

/* Every plain function begins so: EBUSY, or what client_begin says. */
int ask_begin(struct hl_client *client);
/* The answer to the one request just queued; what isn't there in time is abandoned. */
int ask_answer(struct hl_client *client, struct reply *reply, int64_t deadline_ns);

/* ---- stream.c ---- */

/* Sends what the socket takes now. Errors show when the answers are read. */
void stream_send(struct hl_client *client);
/* Sends, and waits until there is something new in `in`. ETIMEDOUT, EINTR; others broke the
 * connection. */
int stream_receive(struct hl_client *client, int64_t deadline_ns);
/* Waits for `events` on `fd`. ETIMEDOUT; EINTR: the interrupt descriptor; others: poll's. */
int stream_wait(const struct hl_client *client, int fd, short events, int64_t deadline_ns);

/* ---- reply.c ---- */

/* A reply as it lies in the buffer. */
struct reply {
    const char *word; /* of the table */
    int err;          /* 0, or what the word means */
    bool refusal;     /* the text is the JSON of an ERROR */
    bool fatal;       /* after it the other side may read our body as commands */
    const char *say;  /* for people; NULL for success and refusals */
    uint64_t id, token;
    const char *text; /* name or data; NULL: none */
    size_t text_len;
    size_t len; /* of the whole reply */
};

/*
 * Reads the answer to a request of `kind` off `bytes`. EAGAIN: not all there yet. EPROTO: can't
 * become one; *why says what is wrong. Pure.
 */
int reply_read(const char *bytes, size_t len, enum request_kind kind, struct reply *reply,
               const char **why);

/* ---- refusal.c ---- */

/* Takes "code" and "message" out of the JSON object, both terminated and decoded. EPROTO: it isn't
 * one, or has them not, or the code is no word of 1 to CLIENT_CODE_MAX - 1 of a-z 0-9 _. ENOMEM. */
int refusal_read(const char *json, size_t len, char code[CLIENT_CODE_MAX], struct buf *message);

#endif
