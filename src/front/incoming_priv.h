// SPDX-License-Identifier: MIT
/*
 * Bodies that come; incoming.c has the essay.
 */
#ifndef FRONT_INCOMING_PRIV_H
#define FRONT_INCOMING_PRIV_H

#include "front/session_priv.h"

/* How many bytes of memory a body of that size begins with. */
size_t incoming_first(const struct session *session, size_t len);
/* The body that follows has `len` bytes. The first of them, `have` as incoming_first has said, go
 * to `bytes`; when it is whole `done` is called. */
void incoming_begin(struct session *session, char *bytes, size_t have, size_t len,
                    incoming_grow *grow, void (*done)(struct session *session));

#endif
