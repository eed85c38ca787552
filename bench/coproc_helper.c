// SPDX-License-Identifier: MIT
/*
 * A helper for bench/workers that does nothing with its jobs (hilera-coproc(7)): one read and one
 * write for each, or for as many as there are. To look for the next before it sleeps, as hilerad
 * does, makes it slower: the two then wait for each other's processor.
 *
 *     coproc_helper [WINDOW]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char in[1 << 16], out[1 << 16];

/* The jobs that are whole in `len` bytes are answered; returns how many bytes they were. */
static size_t answer(size_t len)
{
    size_t at = 0, said = 0;
    for (;;) {
        const char *feed = memchr(in + at, '\n', len - at);
        if (feed == NULL)
            break;
        if (strncmp(in + at, "job ", 4) != 0) { /* back, stop: it is answered already */
            at = (size_t)(feed - in) + 1;
            continue;
        }
        char *next;
        uint64_t id = strtoull(in + at + strlen("job "), &next, 10);
        size_t body = strtoul(next, NULL, 10);
        size_t end = (size_t)(feed - in) + 1 + body + 1;
        if (end > len || said + 64 > sizeof(out))
            break;
        said += (size_t)snprintf(out + said, sizeof(out) - said, "result %" PRIu64 " 0\n\n", id);
        at = end;
    }
    if (said > 0 && write(STDOUT_FILENO, out, said) != (ssize_t)said)
        _exit(1);
    return at;
}

int main(int argc, char **argv)
{
    size_t len = 0;
    int ready = snprintf(out, sizeof(out), "ready 1 %s\n", argc > 1 ? argv[1] : "1");
    if (write(STDOUT_FILENO, out, (size_t)ready) != ready)
        return 1;
    for (;;) {
        ssize_t got = read(STDIN_FILENO, in + len, sizeof(in) - 1 - len);
        if (got <= 0)
            return got < 0;
        len += (size_t)got;
        in[len] = '\0';
        size_t used = answer(len);
        memmove(in, in + used, len - used);
        len -= used;
    }
}
