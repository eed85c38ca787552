// SPDX-License-Identifier: MIT
/*
 * A connection to a server that speaks the beanstalk protocol, for the programs of the scenario
 * tests: plain sockets, replies cut out of the stream whole.
 *
 * Everything that should not happen (a refused connection, a reply that does not come within
 * wire_patience) ends the program with a line on standard error and status 1; a sentence that the
 * program registered (wire_on_failure) comes with it.
 */
#ifndef WIRE_H
#define WIRE_H

#include "base/buf.h"

#include <stdarg.h>
#include <stdbool.h>

struct wire {
    int fd;              /* -1: closed by us */
    const char *address; /* the server's, for messages */
    struct buf in;
    bool ended; /* the server has closed */
};

/* Seconds that one reply may take: 60, times CK_TIMEOUT_MULTIPLIER from the environment. */
int wire_patience(void);

/* Ends the program: says the sentence, calls what was registered, exits with 1. */
void wire_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void wire_on_failure(void (*say)(void));

/* "unix:PATH" or the number of a port on 127.0.0.1. Tries again until somebody listens there. */
void wire_connect(struct wire *wire, const char *address);
/* Half-close: nothing more will be sent. */
void wire_shut(struct wire *wire);
void wire_close(struct wire *wire);

void wire_send(struct wire *wire, const void *bytes, size_t len);

/* What is there is read, without waiting. */
void wire_fill(struct wire *wire);
/* Waits until something is there, or the server has closed. */
void wire_wait(struct wire *wire);
/*
 * The length of the first whole reply in wire->in: a line, and a body where its first word has one
 * (OK, FOUND, RESERVED, ERROR). 0: it isn't complete. Fails the program when a body doesn't end
 * with CR LF.
 */
size_t wire_reply_len(struct wire *wire);
/* Waits for a whole reply and appends it to `reply`. false: the server closed instead. */
bool wire_reply(struct wire *wire, struct buf *reply);

#endif
