// SPDX-License-Identifier: MIT
/*
 * Client: a connection to hilerad, for programs that put jobs and ask about them.
 *
 *     hl_client *client;
 *     hl_client_new(&client);
 *     if (hl_client_connect_unix(client, NULL, 5 * HL_SECOND) != 0)
 *         puts(hl_client_error(client));
 *     struct hl_client_put put = {.tube = "mail", .ttr_ns = 60 * HL_SECOND, .body = "hi", .len =
 * 2}; uint64_t id; hl_client_put(client, &put, HL_FOREVER, &id); hl_client_free(&client);
 *
 * Two ways to use it. The plain functions send one request and wait for its answer. The pipelined
 * ones (hl_client_send_..., hl_client_receive) send many requests before the first answer is there,
 * and fit into an event loop: they wait only as long as they are told, and hl_client_fd can be
 * polled.
 *
 * Errors: every function returns 0 or an errno value, and leaves behind it one line for people
 * (hl_client_error) and, when it was the daemon that refused, the daemon's word for it
 * (hl_client_error_code). So ETIMEDOUT with a code is the daemon's "timed_out", ETIMEDOUT without
 * one is this side's. Where the connection is of no more use (the daemon closed it, broke the
 * protocol, sent more than is allowed) it is closed, and every later call answers that same error
 * until a new connect.
 *
 * Threads: a client belongs to one thread at a time; two threads may not be in functions of the
 * same client at once. Different clients have nothing in common. No
 * function raises SIGPIPE, changes a signal handler, or leaves a descriptor to child processes.
 *
 * Time: a timeout is what a call may take in all, on the monotonic clock. HL_FOREVER: no limit; 0
 * or less: does what can be done without waiting. An answer that was not waited for (ETIMEDOUT,
 * EINTR) is skipped when it comes, so the connection stays good; its request may still be carried
 * out.
 */
#ifndef HILERA_CLIENT_H
#define HILERA_CLIENT_H

#include <hilera/version.h>

#include <stdbool.h>
#include <stddef.h>

HL_BEGIN_DECLS

typedef struct hl_client hl_client;

/* Where hilerad listens unless it is told otherwise. */
#define HL_CLIENT_TCP_HOST "127.0.0.1"
#define HL_CLIENT_TCP_PORT "11300"

/* A longer answer is a broken protocol (EPROTO). Memory grows with what has arrived, not with what
 * was announced. */
#define HL_CLIENT_REPLY_MAX ((size_t)256 << 20)
/* A longer body is refused with EMSGSIZE before anything is sent: the largest the protocol's number
 * holds. The daemon's own limit is usually far lower. */
#define HL_CLIENT_BODY_MAX ((size_t)UINT32_MAX)
/* Requests sent and not yet received; more are refused with ENOBUFS. */
#define HL_CLIENT_PENDING_MAX 8192

/* Makes a client without a connection. ENOMEM. */
HL_API int hl_client_new(hl_client **out);
/* Closes and frees. Requests without an answer may or may not be carried out. */
HL_API void hl_client_free(hl_client **client);

/*
 * The Unix socket that a client of this user takes when none is named: $HILERA_SOCKET, else
 * $XDG_RUNTIME_DIR/hilera/hilera.sock if it exists, else /run/hilera/hilera.sock if it exists; if
 * neither does, the first of them that this user's daemon would make. Copied to `buffer`,
 * terminated. EACCES: $XDG_RUNTIME_DIR leads to a socket that another user may have made.
 * ENAMETOOLONG: doesn't fit. ENOMEM.
 */
HL_API int hl_client_default_socket(char *buffer, size_t size);

/*
 * Connects; a connection that there was is closed first. `path` NULL: the default socket. ENOENT:
 * no such file; ECONNREFUSED: a socket nobody listens on; EACCES; ENAMETOOLONG; ETIMEDOUT; EINTR.
 */
HL_API int hl_client_connect_unix(hl_client *client, const char *path, int64_t timeout_ns);
/*
 * The same over TCP. `address`: HOST, HOST:PORT, [HOST]:PORT, or an IPv6 address without brackets
 * and port; NULL: HL_CLIENT_TCP_HOST. Each address of the host is tried in turn. EINVAL: not of
 * that form. ENXIO: no such host. Looking up a name is the C library's and not within the timeout.
 */
HL_API int hl_client_connect_tcp(hl_client *client, const char *address, int64_t timeout_ns);
/* Closes the connection and forgets requests and the error. */
HL_API void hl_client_close(hl_client *client);
HL_API bool hl_client_is_connected(const hl_client *client);

/* The last error in one line without newline or prefix, the address in it where it matters; "" when
 * the last call succeeded. Printable: what came from outside is escaped. Valid until the next call.
 */
HL_API const char *hl_client_error(const hl_client *client);
/* The daemon's word for that error ("not_found"; for words of the beanstalk protocol the one that
 * means the same), "" when the error arose on this side. Valid until the next call. */
HL_API const char *hl_client_error_code(const hl_client *client);

/*
 * A descriptor of the caller's (-1: none, as at first) that ends waits: as soon as it is readable,
 * what waits in a function of this client returns EINTR, and so does the next that would wait. The
 * client doesn't read from it. An eventfd, or a pipe that a signal handler writes to.
 */
HL_API void hl_client_set_interrupt(hl_client *client, int fd);

/* ---- one request at a time ---- */

/* A job to put. All zero but the body: tube "default", most urgent, at once. */
struct hl_client_put {
    const char *tube;  /* NULL: "default" (send_put: the used one) */
    uint32_t priority; /* 0: the most urgent */
    /* Before it is ready / for how long a worker may have it. The protocol carries whole seconds:
     * parts of one are rounded up, and less than one second of ttr is one. EINVAL: negative.
     * ERANGE: above 2^32 - 1 seconds. */
    int64_t delay_ns;
    int64_t ttr_ns;
    const void *body; /* copied; may be NULL if len is 0 */
    size_t len;
    /* NULL: none. Else a JSON object of what is asked for (hilera-protocol(7), JOB OPTIONS), of
     * 4096 bytes at most, copied: then priority, delay_ns and ttr_ns are not looked at, for what
     * they say stands in it, and the daemon must be hilerad. What it doesn't like is EINVAL. */
    const char *head;
};

/* 1 to 200 bytes of A-Z a-z 0-9 - + / ; . $ _ ( ), not beginning with "-". */
#define HL_CLIENT_TUBE_MAX 200
HL_API bool hl_client_tube_valid(const char *tube);

/*
 * Puts one job and tells its id. EINVAL: a bad tube name or duration (nothing was sent). EMSGSIZE:
 * larger than the daemon takes. EHOSTDOWN: it is stopping. ENOMEM, ENOTRECOVERABLE: as the daemon
 * says. ETIMEDOUT, EINTR: no answer yet; the job may exist. EBUSY: there are pipelined requests
 * whose answers weren't received.
 */
HL_API int hl_client_put(hl_client *client, const struct hl_client_put *put, int64_t timeout_ns,
                         uint64_t *id);

/*
 * Puts many, pipelined; as fast as one write and read for hundreds of jobs. ids[i] is the id of
 * puts[i], or 0 if that one was refused or its answer hasn't come. A job that the daemon refuses
 * doesn't stop the others; the error returned, and its text, are of the first. EINVAL, ERANGE,
 * EBUSY: nothing was sent.
 */
HL_API int hl_client_put_many(hl_client *client, const struct hl_client_put *puts, size_t count,
                              int64_t timeout_ns, uint64_t *ids);

/*
 * Calls a method of the daemon's API with the JSON object `json` (NULL: {}). *reply is the answer's
 * JSON as the daemon wrote it, terminated, valid until the next call. What the daemon refuses comes
 * back as the errno of its code, ENOTRECOVERABLE if that isn't known here. EINVAL: the name isn't
 * of a-z 0-9 _ . -. EBUSY as above. `timeout_ns` should be longer than a timeout inside the JSON.
 */
HL_API int hl_client_call(hl_client *client, const char *method, const char *json,
                          int64_t timeout_ns, const char **reply, size_t *len);

/* The body of a job that isn't finished, valid until the next call. ENOENT: no such job (any more).
 */
HL_API int hl_client_peek(hl_client *client, uint64_t id, int64_t timeout_ns, const char **body,
                          size_t *len);

/* ---- a worker's requests ---- */

/* Reserves take from these tubes and no others. For a new connection, which watches "default". */
HL_API int hl_client_watch(hl_client *client, const char *const *tubes, size_t count,
                           int64_t timeout_ns);

/* A job that is reserved under a token. */
struct hl_client_job {
    uint64_t id;
    uint64_t token;
    const char *body; /* terminated, valid until the next call */
    size_t len;
};

/*
 * Waits for a job, `wait_ns` at most, rounded up to whole seconds (HL_FOREVER: 68 years), and
 * reserves it. The job is the caller's until it is settled by its token, on any connection, or its
 * TTR is over, whichever comes first. ETIMEDOUT: none was ready. `timeout_ns` is for the answer and
 * should be longer than `wait_ns`. EINTR, or ETIMEDOUT of the answer: the reserve is still under
 * way; hl_client_reserve_end ends it.
 */
HL_API int hl_client_reserve(hl_client *client, int64_t wait_ns, int64_t timeout_ns,
                             struct hl_client_job *job);
/*
 * Ends a reserve that is under way. 0: a job had come all the same; settle it on another
 * connection. Else there is none (ECONNRESET as a rule). The connection is of no use after either.
 */
HL_API int hl_client_reserve_end(hl_client *client, int64_t timeout_ns, struct hl_client_job *job);

/*
 * What becomes of it. ESTALE: the token isn't in force any more: the TTR is over, somebody has
 * cancelled the job, or it was settled.
 *   touch    the TTR begins anew
 *   done     the job is finished
 *   release  it is ready again, or after the delay (whole seconds, rounded up)
 *   bury     it is set aside, and counts as failed
 */
HL_API int hl_client_touch(hl_client *client, uint64_t id, uint64_t token, int64_t timeout_ns);
HL_API int hl_client_done(hl_client *client, uint64_t id, uint64_t token, int64_t timeout_ns);
HL_API int hl_client_release(hl_client *client, uint64_t id, uint64_t token, uint32_t priority,
                             int64_t delay_ns, int64_t timeout_ns);
HL_API int hl_client_bury(hl_client *client, uint64_t id, uint64_t token, uint32_t priority,
                          int64_t timeout_ns);

/* ---- many requests at a time ---- */

/* Chooses the tube for send_put, for this connection. Waits for the daemon's yes, so that no job
 * lands in a wrong tube; costs nothing if the tube is the used one already. EINVAL, EBUSY. */
HL_API int hl_client_use(hl_client *client, const char *tube, int64_t timeout_ns);

/*
 * Queues a request; never waits. It is sent by hl_client_receive, or here as soon as 64 KiB have
 * come together: so many go with one write. ENOBUFS: too many are pending, receive first. EINVAL,
 * ERANGE, EMSGSIZE: refused here, the others go on. send_put: the tube is NULL or the used one (a
 * new connection uses "default"), else EINVAL.
 */
HL_API int hl_client_send_put(hl_client *client, const struct hl_client_put *put);
HL_API int hl_client_send_call(hl_client *client, const char *method, const char *json);

/* The answer to the longest pending request. */
struct hl_client_reply {
    int result;       /* 0, or the errno of the daemon's refusal; hl_client_error tells more */
    uint64_t id;      /* of a put: the job's id, 0 if refused */
    const char *text; /* of a call: the JSON, terminated, valid until the next call; else NULL */
    size_t len;
};

/*
 * Receives the next answer, sending what is still queued meanwhile. ETIMEDOUT: not there yet,
 * nothing is lost, call again. EINTR: likewise. ENODATA: nothing is pending. A refusal is a
 * reply (0 is returned, reply->result says why), any other error is of the connection.
 */
HL_API int hl_client_receive(hl_client *client, struct hl_client_reply *reply, int64_t timeout_ns);

/* Requests whose answer hasn't been received. */
HL_API size_t hl_client_pending(const hl_client *client);
/* Bytes queued that the socket hasn't taken yet: for a caller that wants to bound them. */
HL_API size_t hl_client_unsent(const hl_client *client);

/*
 * For an event loop: the descriptor (-1: not connected), good until the next connect or close, and
 * the poll(2) events to wait for. When one comes, call hl_client_receive with timeout 0 until it
 * says ETIMEDOUT or ENODATA.
 */
HL_API int hl_client_fd(const hl_client *client);
HL_API short hl_client_events(const hl_client *client);

HL_END_DECLS

#endif
