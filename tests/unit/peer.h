// SPDX-License-Identifier: MIT
/*
 * The other end of a connection, for tests of the network and of what speaks on it: blocking
 * sockets that give up after PEER_SECONDS, so that a server that hangs fails the test that it hangs
 * in. Every function fails the running test itself when something goes wrong.
 */
#ifndef PEER_H
#define PEER_H

#include "unit_random.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PEER_SECONDS 200

int peer_unix(const char *path);
int peer_tcp(uint16_t port);
void peer_send(int fd, const void *bytes, size_t len);
void peer_say(int fd, const char *text);
/* In pieces of 1 to `most` bytes. */
void peer_send_in_pieces(int fd, const void *bytes, size_t len, size_t most,
                         struct unit_random *random);
void peer_read(int fd, void *bytes, size_t len);
/* The next bytes are exactly these. */
void peer_expect(int fd, const char *text);
/* The next line, without its CR LF (or LF), at most size - 1 bytes. */
char *peer_line(int fd, char *line, size_t size);
/* The other side has closed, and sent nothing more. */
void peer_expect_eof(int fd);
/* And forgets the descriptor. */
void peer_close(int *fd);

/* Waits for something that another thread brings about. */
void peer_until(bool (*happened)(void *arg), void *arg);

/* A fresh folder, and a path in it; removed by peer_temp_remove with what is in it. */
#define PEER_PATH_MAX 100
const char *peer_temp_make(void);
char *peer_temp_path(char path[PEER_PATH_MAX], const char *name);
void peer_temp_remove(void);

/* A fresh seed each time, from HILERA_SEED or the clock; it stands in the output. */
struct unit_random peer_random(void);

#endif
