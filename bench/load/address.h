// SPDX-License-Identifier: MIT
/*
 * Where the server is: "tcp:HOST:PORT" or "unix:PATH", and a connection to it.
 */
#ifndef LOAD_ADDRESS_H
#define LOAD_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

struct address {
    const char *text; /* as given; not copied */
    struct sockaddr_storage socket;
    socklen_t len;
    bool local; /* this machine: the server's process can be looked at */
};

/* Reads an address. Returns 0, or EINVAL with *why set to a text for people. */
int address_parse(const char *text, struct address *address, const char **why);

/* A connected socket: CLOEXEC, without delay, not blocking if asked for. Ends the run if the
 * server does not accept. */
int address_connect(const struct address *address, bool nonblocking);

/* The same, but without an end: returns -1 with errno. */
int address_try(const struct address *address, bool nonblocking);

#endif
