// SPDX-License-Identifier: MIT
// A server that plays a script: for tests of the client without a daemon.
//
// The script is a list of steps that a thread carries out with the first connection it accepts. It
// sleeps nowhere: it reads what it expects, writes what it is told, and ends with the script. What
// it found wrong is told by scripted_end, on the test's thread.
#ifndef SCRIPTED_H
#define SCRIPTED_H

#include <hilera/client.h>

#include <stddef.h>

// Long enough for a machine under load, and only ever waited for by a test that fails.
#define PATIENCE (200 * HL_SECOND)
// What a test waits that wants to see a timeout.
#define BLINK (20 * HL_MILLISECOND)

// Steps.
#define EXPECT(text)                                                                               \
    {                                                                                              \
        SCRIPTED_EXPECT, text, 0                                                                   \
    }
#define SEND(text)                                                                                 \
    {                                                                                              \
        SCRIPTED_SEND, text, 0                                                                     \
    }
#define TRICKLE(text)                                                                              \
    {                                                                                              \
        SCRIPTED_TRICKLE, text, 0                                                                  \
    }
#define DRAIN                                                                                      \
    {                                                                                              \
        SCRIPTED_DRAIN, NULL, 0                                                                    \
    }
#define END                                                                                        \
    {                                                                                              \
        SCRIPTED_END, NULL, 0                                                                      \
    }

enum scripted_verb {
    SCRIPTED_END,     // closes the connection
    SCRIPTED_EXPECT,  // reads as many bytes as text has, which must be text
    SCRIPTED_SEND,    // writes text
    SCRIPTED_TRICKLE, // writes text, a byte with each write
    SCRIPTED_HANG_UP, // says that nothing more comes, and goes on reading
    SCRIPTED_RESET,   // closes with a reset: what was sent and not read is lost
    SCRIPTED_DRAIN,   // reads until the client closes
    SCRIPTED_COUNT,   // reads `len` bytes, whatever they are
    SCRIPTED_REPEAT,  // writes text `len` times
};

struct scripted_step {
    enum scripted_verb verb;
    const char *text;
    size_t len; // of text; 0: strlen
};

struct scripted;

// Listens on a Unix socket in a new folder, or (tcp) on a free port of 127.0.0.1, and plays
// `steps` up to and with SCRIPTED_END. `steps` must live until scripted_end.
struct scripted *scripted_start(const struct scripted_step *steps, int tcp);
// The path, or HOST:PORT.
const char *scripted_address(const struct scripted *server);
// Waits for the end of the script and fails the test if something was not as expected.
void scripted_end(struct scripted *server);

// The usual test: one server on a Unix socket and one client connected to it.
extern hl_client *client;
extern struct scripted *server;
void scripted_begin(const struct scripted_step *steps);
// Frees the client, ends the server.
void scripted_finish(void);
// Fails the test unless the client's error holds `part`.
void error_has(const char *part);

#endif
