// SPDX-License-Identifier: MIT
/*
 * A helper for bench/workers that does nothing with its jobs (hilera-coproc(7)): one read and one
 * write for each, or for as many as there are. As hilerad does, it looks for the next for a while
 * before it sleeps.
 *
 *     coproc_helper [WINDOW]
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOOK_NS 20000

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

static long long now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static ssize_t read_some(size_t len)
{
    long long until = now_ns() + LOOK_NS;
    for (;;) {
        ssize_t got = read(STDIN_FILENO, in + len, sizeof(in) - 1 - len);
        if (got >= 0 || errno != EAGAIN)
            return got;
        if (now_ns() >= until)
            (void)poll(&(struct pollfd){.fd = STDIN_FILENO, .events = POLLIN}, 1, -1);
    }
}

int main(int argc, char **argv)
{
    size_t len = 0;
    int ready = snprintf(out, sizeof(out), "ready 1 %s\n", argc > 1 ? argv[1] : "1");
    if (fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK) != 0 || write(STDOUT_FILENO, out, ready) != ready)
        return 1;
    for (;;) {
        ssize_t got = read_some(len);
        if (got <= 0)
            return got < 0;
        len += (size_t)got;
        in[len] = '\0';
        size_t used = answer(len);
        memmove(in, in + used, len - used);
        len -= used;
    }
}
