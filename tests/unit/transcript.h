// SPDX-License-Identifier: MIT
/*
 * What the parser of the beanstalk protocol makes of some bytes, as text that can be compared: an
 * event a line. The bytes may be handed over in pieces, as a connection does it: what the parser
 * leaves unused comes again with more behind it.
 */
#ifndef TRANSCRIPT_H
#define TRANSCRIPT_H

#include "base/buf.h"

#include <stddef.h>

/* Bodies above this are skipped, as those above a broker's limit are. */
#define TRANSCRIPT_BODY_MAX 1000

/*
 * Appends to `out`. piece(arg) is how many more bytes come each time (1 or more); NULL: all at
 * once. Checks on the way that the parser never asks for more than a line to go on.
 */
void transcript(struct buf *out, const char *data, size_t len, size_t (*piece)(void *arg),
                void *arg);

#endif
