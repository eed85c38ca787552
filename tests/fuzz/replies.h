// SPDX-License-Identifier: MIT
/*
 * A server of the beanstalk protocol for a fuzz target, and what it may answer.
 */
#ifndef REPLIES_H
#define REPLIES_H

#include <stddef.h>

/*
 * Sends the bytes through a socket to a server in this process (started with the first call,
 * stopped at exit), ends the sending side, and reads to the end. Stops the program unless there is
 * one good answer to each thing that was asked, and nothing else.
 */
void replies_check(const char *data, size_t len);

#endif
