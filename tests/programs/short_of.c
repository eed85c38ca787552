// SPDX-License-Identifier: MIT
/*
 * For tests/scenario/children.test, to be preloaded into a daemon. While the file $SHORT_OF names
 * is there, it has the name of a call and an error's number, "socketpair 23": that call fails with
 * it. The calls are those with which programs are started: pipe2 and socketpair in the daemon, fork
 * in the spawner.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/* Sets errno. */
static bool fails(const char *call)
{
    const char *sign = getenv("SHORT_OF");
    char name[32] = "";
    int error = 0;
    FILE *file = sign != NULL ? fopen(sign, "re") : NULL;
    if (file == NULL)
        return false;
    bool read = fscanf(file, "%31s %d", name, &error) == 2;
    fclose(file);
    if (!read || strcmp(name, call) != 0)
        return false;
    errno = error;
    return true;
}

EXPORT int pipe2(int fds[2], int flags)
{
    static int (*real)(int[2], int);
    if (fails("pipe2"))
        return -1;
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "pipe2");
    return real(fds, flags);
}

EXPORT int socketpair(int domain, int type, int protocol, int fds[2])
{
    static int (*real)(int, int, int, int[2]);
    if (fails("socketpair"))
        return -1;
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "socketpair");
    return real(domain, type, protocol, fds);
}

EXPORT pid_t fork(void)
{
    static pid_t (*real)(void);
    if (fails("fork"))
        return -1;
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "fork");
    return real();
}
