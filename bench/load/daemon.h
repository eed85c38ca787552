// SPDX-License-Identifier: MIT
/*
 * A server that the tool ends and starts, for the mix restart.
 */
#ifndef LOAD_DAEMON_H
#define LOAD_DAEMON_H

#include <stdint.h>
#include <sys/types.h>

/* Asks the process to end (SIGTERM) and waits until it has; ends the run if it takes longer. */
void daemon_end(pid_t pid, int64_t patience_ns);

/* Starts a command: words parted by blanks, the first one looked for in PATH. What it prints goes
 * to stderr. Whichever way the run ends, the process does not outlive it. */
pid_t daemon_start(const char *command);

/* Ends the run if the process that was started last has ended. */
void daemon_must_run(void);

/* Ends the process that was started last as daemon_end does, and collects it. */
void daemon_stop(int64_t patience_ns);

#endif
