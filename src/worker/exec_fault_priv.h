// SPDX-License-Identifier: MIT
/*
 * What hilera-exec says to the daemon, in one write to a pipe, when it can't start a program.
 */
#ifndef WORKER_EXEC_FAULT_PRIV_H
#define WORKER_EXEC_FAULT_PRIV_H

#include <stdint.h>

#define EXEC_FAULT_FD 3 /* in hilera-exec */

/* Less than PIPE_BUF, so it comes whole or not at all. */
struct exec_fault {
    int32_t error;  /* errno */
    char doing[60]; /* the setting that failed, as in hilera-exec's arguments; "": the start itself
                     */
};

#endif
