// SPDX-License-Identifier: MIT
/*
 * A job that is a command: its body taken apart. command.c does it.
 */
#ifndef WORKER_COMMAND_PRIV_H
#define WORKER_COMMAND_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct command {
    char **argv;
    char **env; /* NULL: none is given, which means the pool's */
    size_t env_count;
    char *directory; /* NULL: not given */
    char *input;     /* NULL: not given; may have any bytes */
    size_t input_len;
    bool has_umask;
    mode_t umask;
};

/* Takes a body apart. EINVAL: `why` has what is wrong and what would be right. ENOMEM. Free with
 * command_fini after 0 only. */
int command_read(struct command *command, const char *bytes, size_t len, char *why,
                 size_t why_size);
void command_fini(struct command *command);
/* Whether the system would run it. E2BIG: `why` says how much is too much. */
int command_weigh(const struct command *command, char *why, size_t why_size);

#endif
