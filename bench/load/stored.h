// SPDX-License-Identifier: MIT
/*
 * What lies in a server's data directory.
 */
#ifndef LOAD_STORED_H
#define LOAD_STORED_H

#include <stdint.h>

struct stored {
    uint64_t used_bytes; /* of each file, up to its last byte that is not 0 */
    uint64_t file_bytes; /* sizes of the files */
};

/* Measures all files of the directory and of those in it; ends the run if they can't be read. The
 * server must not be writing. Afterwards they are in the page cache. */
void stored_measure(const char *dir, struct stored *stored);

#endif
