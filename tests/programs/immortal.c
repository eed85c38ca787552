// SPDX-License-Identifier: MIT
/*
 * immortal FILE [orphan|helper]: a program that only root can kill, if it is root's and set-uid. It
 * becomes root wholly, as sudo does, writes its pid into the file, and waits for its end; an hour
 * at most, should a test forget it. Status 3: it hasn't become root.
 *
 *   orphan   kills its parent first
 *   helper   says that it is ready for jobs, and answers none
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOUR 3600

static int pid_write(const char *path)
{
    FILE *file = fopen(path, "we");
    if (file == NULL)
        return -1;
    fprintf(file, "%d\n", (int)getpid());
    return fclose(file);
}

int main(int argc, char **argv)
{
    const char *what = argc > 2 ? argv[2] : "";
    if (argc < 2 || setgid(0) != 0 || setuid(0) != 0)
        return 3;
    if (strcmp(what, "orphan") == 0 && kill(getppid(), SIGKILL) != 0)
        return 1;
    if (strcmp(what, "helper") == 0) {
        puts("ready 1");
        fflush(stdout);
    }
    if (pid_write(argv[1]) != 0)
        return 1;
    alarm(HOUR);
    for (;;)
        pause();
}
